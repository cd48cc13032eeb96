//! From a memtable to a level-0 table: used by the background thread, by recovery and by `resume`.
//!
//! Knows nothing of versions: the table that it leaves is in none until its caller commits one.
//! Invariant: a table that it returns has been synced, closed, opened again and looked into; its
//! name is durable only after the caller's directory sync.
//!
//! Source: LevelDB `db/builder.cc`, `BuildTable`, and `DBImpl::WriteLevel0Table`. Differs: a flush
//! always goes to level 0, so that it can never land inside the range of a running compaction.

use std::path::Path;

use crate::env::Env;
use crate::error::Result;
use crate::filename::{FileNumber, table_file_name};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;
use crate::table::{TableBuilder, TableOptions};
use crate::table_cache::TableCache;
use crate::version::edit::FileMetaData;

/// Where tables are made, and how.
pub(super) struct TableMaker<'a, E: Env> {
    pub(super) env: &'a E,
    pub(super) dir: &'a Path,
    pub(super) order: &'a InternalKeyComparator,
    pub(super) table_options: TableOptions,
    pub(super) tables: &'a TableCache<E>,
}

impl<E: Env> TableMaker<'_, E> {
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
        tracing::debug!(target: "faultline", number, "table started");
        let path = table_file_name(self.dir, number);
        let made = self.write_entries(number, &path, entries).and_then(|file| {
            self.tables.verify(&file)?;
            Ok(file)
        });
        match made {
            Ok(file) => {
                tracing::info!(target: "faultline", number, size = file.size, "table written");
                Ok(Some(file))
            }
            Err(error) => {
                tracing::warn!(target: "faultline", number, %error, "table failed");
                self.tables.evict(number);
                // No version names it, and a full disk needs the room. Best effort: the next open
                // sweeps it otherwise.
                drop(self.env.remove(&path));
                Err(error)
            }
        }
    }

    fn write_entries(
        &self,
        number: FileNumber,
        path: &Path,
        entries: &mut dyn InternalIterator,
    ) -> Result<FileMetaData> {
        let file = self.env.create(path)?;
        let mut builder = TableBuilder::new(file, self.order.clone(), &self.table_options);
        let smallest = entries.key().to_vec();
        let mut largest = Vec::new();
        while entries.valid() {
            largest.clear();
            largest.extend_from_slice(entries.key());
            builder.add(entries.key(), entries.value())?;
            entries.next();
        }
        entries.status()?;
        let size = builder.finish()?;
        builder.sync()?;
        builder.close()?;
        Ok(FileMetaData { number, size, smallest, largest })
    }
}
