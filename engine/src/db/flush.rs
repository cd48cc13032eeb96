//! From entries to a table: used by flushes, compactions, recovery and `resume`.
//!
//! Knows nothing of versions: the table that it leaves is in none until its caller commits one.
//! Invariant: a table that it returns has been synced, closed, opened again and looked into; its
//! name is durable only after the caller's directory sync.
//!
//! Source: LevelDB `db/builder.cc`, `BuildTable`, and `DBImpl::{OpenCompactionOutputFile,
//! FinishCompactionOutputFile}`.

use std::path::PathBuf;
use std::sync::Arc;

use crate::env::Env;
use crate::error::Result;
use crate::filename::{FileNumber, table_file_name};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;
use crate::table::{TableBuilder, TableOptions};
use crate::table_cache::TableCache;
use crate::version::edit::FileMetaData;

/// Where tables are made, and how. Owns all of it: a replay gives one to its threads.
pub(super) struct TableMaker<E: Env> {
    pub(super) env: E,
    pub(super) dir: PathBuf,
    pub(super) order: InternalKeyComparator,
    pub(super) table_options: TableOptions,
    pub(super) tables: Arc<TableCache<E>>,
}

/// A table that is being written.
pub(super) struct OpenTable {
    number: FileNumber,
    builder: TableBuilder,
    smallest: Vec<u8>,
    largest: Vec<u8>,
}

impl OpenTable {
    /// Adds an entry behind all those that are there.
    pub(super) fn add(&mut self, internal_key: &[u8], value: &[u8]) -> Result<()> {
        if self.builder.entry_count() == 0 {
            self.smallest.extend_from_slice(internal_key);
        }
        self.largest.clear();
        self.largest.extend_from_slice(internal_key);
        self.builder.add(internal_key, value)
    }

    /// Bytes in the file so far.
    pub(super) fn size(&self) -> u64 {
        self.builder.file_size()
    }
}

impl<E: Env> TableMaker<E> {
    /// Writes all that `entries` yields to table `number`. `None`, and no file, if that is
    /// nothing.
    pub(super) fn write(
        &self,
        number: FileNumber,
        entries: &mut dyn InternalIterator,
    ) -> Result<Option<FileMetaData>> {
        entries.seek_to_first();
        entries.status()?;
        if !entries.valid() {
            return Ok(None);
        }
        match self.write_entries(number, entries) {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                tracing::warn!(target: "faultline", number, %error, "table failed");
                self.discard(number);
                Err(error)
            }
        }
    }

    fn write_entries(
        &self,
        number: FileNumber,
        entries: &mut dyn InternalIterator,
    ) -> Result<FileMetaData> {
        let mut table = self.start(number)?;
        while entries.valid() {
            table.add(entries.key(), entries.value())?;
            entries.next();
        }
        entries.status()?;
        self.finish(table)
    }

    /// Starts table `number`.
    pub(super) fn start(&self, number: FileNumber) -> Result<OpenTable> {
        tracing::debug!(target: "faultline", number, "table started");
        let file = self.env.create(&table_file_name(&self.dir, number))?;
        let builder = TableBuilder::new(file, self.order.clone(), &self.table_options);
        Ok(OpenTable { number, builder, smallest: Vec::new(), largest: Vec::new() })
    }

    /// Ends a table that has an entry: durable but for its name, and looked into.
    pub(super) fn finish(&self, table: OpenTable) -> Result<FileMetaData> {
        let OpenTable { number, mut builder, smallest, largest } = table;
        let size = builder.finish()?;
        builder.sync()?;
        builder.close()?;
        let file = FileMetaData { number, size, smallest, largest };
        self.tables.verify(&file)?;
        tracing::info!(target: "faultline", number, size, "table written");
        Ok(file)
    }

    /// Removes a table that no version names and no edit: a full disk needs the room. Best effort:
    /// a later sweep tries again.
    pub(super) fn discard(&self, number: FileNumber) {
        self.tables.evict(number);
        drop(self.env.remove(&table_file_name(&self.dir, number)));
    }
}
