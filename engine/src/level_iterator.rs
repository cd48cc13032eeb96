//! [`LevelIterator`]: the tables of one level from 1 up as one cursor.
//!
//! Their ranges do not overlap, so at most one of them is open at a time.
//!
//! Source: LevelDB `Version::LevelFileNumIterator` and `table/two_level_iterator.cc`. Differs: an
//! unreadable table ends the walk instead of being passed over.

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;
use crate::table::{BlockReads, TableIter};
use crate::table_cache::TableCache;
use crate::version::Version;
use crate::version::edit::FileMetaData;

/// The cursor. It keeps the tables from being forgotten, but not their files from being removed.
pub(crate) struct LevelIterator<E: Env> {
    tables: Arc<TableCache<E>>,
    order: InternalKeyComparator,
    version: Arc<Version>,
    level: usize,
    reads: BlockReads,
    // Index of the table that `table` is of; the number of tables if there is none.
    at: usize,
    table: Option<TableIter>,
    failed: Option<Error>,
}

impl<E: Env> LevelIterator<E> {
    pub(crate) fn new(
        tables: Arc<TableCache<E>>,
        order: InternalKeyComparator,
        version: Arc<Version>,
        level: usize,
        reads: BlockReads,
    ) -> Self {
        let at = version.level(level).len();
        LevelIterator { tables, order, version, level, reads, at, table: None, failed: None }
    }

    /// The tables, sorted and disjoint.
    fn files(&self) -> &[Arc<FileMetaData>] {
        self.version.level(self.level)
    }

    /// Makes table `at` the current one and moves within it. `None` is beyond either end.
    fn enter(&mut self, at: Option<usize>, movement: impl FnOnce(&mut TableIter)) {
        let at = at.unwrap_or(self.files().len());
        if self.at != at {
            self.at = at;
            self.table = None;
        }
        let Some(file) = self.version.level(self.level).get(at) else { return };
        if self.table.is_none() {
            match self.tables.cursor(file, self.reads) {
                Ok(table) => self.table = Some(table),
                Err(error) => self.failed = Some(error),
            }
        }
        if let Some(table) = &mut self.table {
            movement(table);
            if !table.valid() {
                self.failed = table.status().err();
            }
        }
    }

    /// Moves within the current table. Returns whether there is an entry.
    #[inline]
    fn step(&mut self, movement: impl FnOnce(&mut TableIter)) -> bool {
        let Some(table) = &mut self.table else { return false };
        movement(table);
        if table.valid() {
            return true;
        }
        self.failed = table.status().err();
        false
    }

    #[inline]
    fn entry(&self) -> Option<&TableIter> {
        self.table.as_ref().filter(|table| self.failed.is_none() && table.valid())
    }

    fn skip_forward(&mut self) {
        while self.failed.is_none() && self.entry().is_none() && self.at < self.files().len() {
            self.enter(Some(self.at + 1), InternalIterator::seek_to_first);
        }
    }

    fn skip_backward(&mut self) {
        while self.failed.is_none() && self.entry().is_none() && self.at < self.files().len() {
            self.enter(self.at.checked_sub(1), InternalIterator::seek_to_last);
        }
    }
}

impl<E: Env> InternalIterator for LevelIterator<E> {
    fn valid(&self) -> bool {
        self.entry().is_some()
    }

    fn seek_to_first(&mut self) {
        self.enter(Some(0), InternalIterator::seek_to_first);
        self.skip_forward();
    }

    fn seek_to_last(&mut self) {
        self.enter(self.files().len().checked_sub(1), InternalIterator::seek_to_last);
        self.skip_backward();
    }

    fn seek(&mut self, target: &[u8]) {
        let order = &self.order;
        let at = self.files().partition_point(|file| order.compare(&file.largest, target).is_lt());
        self.enter(Some(at), |table| table.seek(target));
        self.skip_forward();
    }

    fn next(&mut self) {
        if !self.step(InternalIterator::next) {
            self.skip_forward();
        }
    }

    fn prev(&mut self) {
        if !self.step(InternalIterator::prev) {
            self.skip_backward();
        }
    }

    fn key(&self) -> &[u8] {
        self.entry().map_or(&[], InternalIterator::key)
    }

    fn value(&self) -> &[u8] {
        self.entry().map_or(&[], InternalIterator::value)
    }

    fn status(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
    fn place(&self) -> (&Path, u64) {
        self.entry().map_or((Path::new(""), 0), InternalIterator::place)
    }
}

impl<E: Env> fmt::Debug for LevelIterator<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LevelIterator")
            .field("files", &self.files().len())
            .field("at", &self.at)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
