//! [`TableCache`]: the tables that are open, by file number: their indexes and filters. Their files
//! are kept by [`OpenFiles`].
//!
//! Opening is done without the lock, so two threads may open the same table at once; the one that
//! comes last is kept. A table that someone uses may leave the cache, and stays good for its users.
//! An error is never kept: a file that was repaired heals.
//!
//! Source: LevelDB `db/table_cache.cc`. Differs: a file that is missing is `Corruption`, never an
//! absent key.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{Env, Mutex};
use crate::error::{Defect, Error, Result};
use crate::filename::FileNumber;
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;
use crate::lru::Lru;
use crate::open_files::{FileOfTable, OpenFiles};
use crate::options::Options;
use crate::table::{BlockCache, BlockCacheStats, BlockReads, Table, TableContext, TableIter};
use crate::value::Found;
use crate::version::edit::FileMetaData;

/// Files that a database needs beside its tables: LOCK, log and MANIFEST; where one of these takes
/// over from another, both; what a flush and a compaction write; a directory that is synced.
const OTHER_FILES: usize = 10;

#[derive(Debug)]
struct Tables {
    open: Lru<FileNumber, Arc<Table>>,
    hits: u64,
    misses: u64,
    unusable_filters: u64,
}

/// The open tables of one database.
pub(crate) struct TableCache<E: Env> {
    files: Arc<OpenFiles<E>>,
    context: TableContext,
    tables: Mutex<E::Threads, Tables>,
}

/// How many tables are open, and how often one was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCacheStats {
    /// Tables whose indexes are in memory; those that only an iterator holds do not count.
    pub open: usize,
    /// How often a table that was asked for was open, since the database was opened.
    pub hits: u64,
    /// How often it was not.
    pub misses: u64,
    /// Tables that were opened and whose filters turned out to be damaged.
    pub unusable_filters: u64,
}

impl<E: Env> TableCache<E> {
    /// The tables in `dir`, read as `options` say.
    pub(crate) fn new(
        env: E,
        dir: PathBuf,
        order: InternalKeyComparator,
        options: &Options,
    ) -> Self {
        let capacity = options.block_cache_capacity;
        let own = (capacity > 0).then(|| BlockCache::new(&env, capacity));
        let block_cache = options.block_cache.clone().or(own);
        let filter_policy = options.filter_policy.clone();
        let most = options.max_open_files.saturating_sub(OTHER_FILES);
        let tables = Tables { open: Lru::new(most), hits: 0, misses: 0, unusable_filters: 0 };
        TableCache {
            files: Arc::new(OpenFiles::new(env, dir, most)),
            context: TableContext { order, filter_policy, block_cache },
            tables: Mutex::new("table cache", tables),
        }
    }

    /// The table `file`, opened if need be.
    pub(crate) fn table(&self, file: &FileMetaData) -> Result<Arc<Table>> {
        if let Some(table) = self.tables.lock().get(file.number) {
            return Ok(table);
        }
        let table = Arc::new(self.open(file)?);
        if let Some(error) = table.filter_error() {
            tracing::warn!(target: "faultline", number = file.number, %error, "filter not used");
        }
        let forgotten = self.tables.lock().insert(file.number, &table);
        // What they hold is freed without the lock.
        drop(forgotten);
        Ok(table)
    }

    fn open(&self, file: &FileMetaData) -> Result<Table> {
        let number = file.number;
        let path = self.files.get(number)?.path.clone();
        let source = Box::new(FileOfTable { files: Arc::clone(&self.files), number });
        let table = Table::open(source, file.size, &path, &self.context);
        if table.is_err() {
            self.files.forget(number);
        }
        table
    }

    /// Looks `lookup` (see [`crate::version::lookup_key`]) up in table `file`.
    pub(crate) fn get(
        &self,
        file: &FileMetaData,
        lookup: &[u8],
        reads: BlockReads,
    ) -> Result<Found> {
        self.table(file)?.get(lookup, reads)
    }

    /// A cursor over table `file`.
    pub(crate) fn cursor(&self, file: &FileMetaData, reads: BlockReads) -> Result<TableIter> {
        Ok(self.table(file)?.iter(reads))
    }

    /// Opens a table that was just written and checks that what it starts and ends with is what
    /// its maker says.
    pub(crate) fn verify(&self, file: &FileMetaData) -> Result<()> {
        let table = self.table(file)?;
        let reads = BlockReads { verify_checksums: true, fill_cache: false };
        let mut iter = table.iter(reads);
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
        let evicted = self.tables.lock().open.remove(number);
        drop(evicted);
        self.files.forget(number);
    }

    pub(crate) fn stats(&self) -> TableCacheStats {
        let tables = self.tables.lock();
        let &Tables { ref open, hits, misses, unusable_filters } = &*tables;
        TableCacheStats { open: open.len(), hits, misses, unusable_filters }
    }

    /// How the block cache is doing, if there is one.
    pub(crate) fn block_cache_stats(&self) -> Option<BlockCacheStats> {
        self.context.block_cache.as_ref().map(BlockCache::stats)
    }
}

impl Tables {
    fn get(&mut self, number: FileNumber) -> Option<Arc<Table>> {
        let table = self.open.get(number).cloned();
        match &table {
            Some(_) => self.hits += 1,
            None => self.misses += 1,
        }
        table
    }

    /// Returns what has to go for it.
    fn insert(&mut self, number: FileNumber, table: &Arc<Table>) -> Vec<Arc<Table>> {
        self.unusable_filters += u64::from(table.filter_error().is_some());
        let replaced = self.open.insert(number, Arc::clone(table), 1);
        replaced.into_iter().chain(core::iter::from_fn(|| self.open.pop_excess())).collect()
    }
}

fn other(path: &Path, words: &str) -> Error {
    Error::corruption(path, 0, Defect::Other(words.into()))
}

impl<E: Env> fmt::Debug for TableCache<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableCache").field("files", &self.files).finish_non_exhaustive()
    }
}
