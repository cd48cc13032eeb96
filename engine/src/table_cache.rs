//! [`TableCache`]: the tables that are open, by file number.
//!
//! Opening is done without the lock, so two threads may open the same table at once; one of the two
//! is kept. An error is never kept: a file that was repaired heals.
//!
//! Source: LevelDB `db/table_cache.cc`. Differs: a file that is missing is `Corruption`, never an
//! absent key.

use core::fmt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{Env, Mutex};
use crate::error::{Defect, Error, Result};
use crate::filename::{FileNumber, legacy_table_file_name, table_file_name};
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, ParsedInternalKey, ValueType, user_key};
use crate::memtable::Lookup;
use crate::table::{Table, TableIter};
use crate::version::edit::FileMetaData;

/// An open table and when it was last asked for.
struct Entry {
    table: Arc<Table>,
    used: u64,
}

#[derive(Default)]
struct Entries {
    tables: BTreeMap<FileNumber, Entry>,
    uses: u64,
}

/// The open tables of one database.
pub(crate) struct TableCache<E: Env> {
    env: E,
    dir: PathBuf,
    order: InternalKeyComparator,
    capacity: usize,
    entries: Mutex<E::Threads, Entries>,
}

/// What a table knows of a user key: [`Lookup`] with a value of its own.
pub(crate) enum Found {
    Value(Vec<u8>),
    Deleted,
    Absent,
}

impl From<Lookup<'_>> for Found {
    fn from(lookup: Lookup<'_>) -> Self {
        match lookup {
            Lookup::Value(value) => Found::Value(value.to_vec()),
            Lookup::Deleted => Found::Deleted,
            Lookup::Absent => Found::Absent,
        }
    }
}

impl<E: Env> TableCache<E> {
    pub(crate) fn new(env: E, dir: PathBuf, order: InternalKeyComparator, capacity: usize) -> Self {
        let entries = Mutex::new("table cache", Entries::default());
        TableCache { env, dir, order, capacity, entries }
    }

    /// The table `file`, opened if need be.
    pub(crate) fn table(&self, file: &FileMetaData) -> Result<Arc<Table>> {
        if let Some(table) = self.entries.lock().get(file.number) {
            return Ok(table);
        }
        let table = Arc::new(self.open(file)?);
        self.entries.lock().insert(file.number, Arc::clone(&table), self.capacity);
        Ok(table)
    }

    fn open(&self, file: &FileMetaData) -> Result<Table> {
        let path = table_file_name(&self.dir, file.number);
        let (path, opened) = match self.env.open_random_access(&path) {
            Err(Error::NotFound { .. }) => {
                let legacy = legacy_table_file_name(&self.dir, file.number);
                match self.env.open_random_access(&legacy) {
                    Err(Error::NotFound { .. }) => return Err(missing(&path)),
                    opened => (legacy, opened),
                }
            }
            opened => (path, opened),
        };
        Table::open(opened?, file.size, &path, self.order.clone())
    }

    /// Looks `lookup` (see [`crate::version::lookup_key`]) up in table `file`.
    pub(crate) fn get(&self, file: &FileMetaData, lookup: &[u8]) -> Result<Found> {
        let table = self.table(file)?;
        let Some((key, value)) = table.get(lookup)? else { return Ok(Found::Absent) };
        let Some(parsed) = ParsedInternalKey::parse(&key) else {
            return Err(bad_key(table.path()));
        };
        if self.order.compare_user(parsed.user_key, user_key(lookup)).is_ne() {
            return Ok(Found::Absent);
        }
        Ok(match parsed.value_type {
            ValueType::Value => Found::Value(value),
            ValueType::Deletion => Found::Deleted,
        })
    }

    /// A cursor over table `file`.
    pub(crate) fn cursor(&self, file: &FileMetaData) -> Result<TableIter> {
        Ok(self.table(file)?.iter())
    }

    /// Opens a table that was just written and checks that what it starts and ends with is what
    /// its maker says.
    pub(crate) fn verify(&self, file: &FileMetaData) -> Result<()> {
        let table = self.table(file)?;
        let mut iter = table.iter();
        for (seek, expected) in [
            (TableIter::seek_to_first as fn(&mut TableIter), &file.smallest),
            (TableIter::seek_to_last, &file.largest),
        ] {
            seek(&mut iter);
            iter.status()?;
            if !iter.valid() || iter.key() != expected {
                return Err(other(table.path(), "does not hold what was written to it"));
            }
        }
        Ok(())
    }

    /// Forgets a table whose file is being removed.
    pub(crate) fn evict(&self, number: FileNumber) {
        let evicted = self.entries.lock().tables.remove(&number);
        // Closing the file is I/O: not under the lock.
        drop(evicted);
    }
}

impl Entries {
    fn get(&mut self, number: FileNumber) -> Option<Arc<Table>> {
        self.uses += 1;
        let entry = self.tables.get_mut(&number)?;
        entry.used = self.uses;
        Some(Arc::clone(&entry.table))
    }

    fn insert(&mut self, number: FileNumber, table: Arc<Table>, capacity: usize) {
        self.uses += 1;
        self.tables.insert(number, Entry { table, used: self.uses });
        if self.tables.len() > capacity {
            let oldest = self.tables.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(number) = oldest.map(|(&number, _)| number) {
                self.tables.remove(&number);
            }
        }
    }
}

fn missing(path: &Path) -> Error {
    other(path, "missing file")
}

fn bad_key(path: &Path) -> Error {
    other(path, "corrupted key")
}

fn other(path: &Path, words: &str) -> Error {
    Error::corruption(path, 0, Defect::Other(words.into()))
}

impl<E: Env> fmt::Debug for TableCache<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableCache").field("dir", &self.dir).finish_non_exhaustive()
    }
}
