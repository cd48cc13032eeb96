//! [`Table`] and [`TableIter`]: an open table, lookups in it and a cursor over it.
//!
//! Keeps the index block in memory and reads a data block whenever one is needed; keeping data
//! blocks is not its business. Invariant: no byte is used whose checksum was not verified.
//!
//! Source: LevelDB `table/table.cc`, `table/two_level_iterator.cc`. Differs: an unreadable block
//! ends a walk instead of being passed over.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use super::block::{Block, BlockIter};
use super::format::{BlockHandle, TableFile};
use crate::codec::Decoder;
use crate::env::RandomAccessFile;
use crate::error::{Defect, Error, Result};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;

/// An open table. Any number of threads may read it.
pub struct Table {
    file: Box<dyn RandomAccessFile>,
    size: u64,
    path: Arc<Path>,
    comparator: InternalKeyComparator,
    index: Arc<Block>,
}

impl Table {
    /// Opens the table in `file`, which has `size` bytes. `path` is for messages.
    ///
    /// # Errors
    /// `Corruption` if the file is no table or its index is damaged; `NotSupported` if the index
    /// is compressed; that of the file.
    pub fn open(
        file: Box<dyn RandomAccessFile>,
        size: u64,
        path: &Path,
        comparator: InternalKeyComparator,
    ) -> Result<Self> {
        let path: Arc<Path> = path.into();
        let source = TableFile { file: &*file, size, path: &path };
        let handle = source.read_footer()?.index;
        let contents = source.read_block(handle)?;
        let index = Arc::new(Block::parse(contents, Arc::clone(&path), handle.offset)?);
        Ok(Table { file, size, path, comparator, index })
    }

    /// Finds the first entry at or after `internal_key`, as (internal key, value), in the one data
    /// block that can hold an entry with its user key.
    ///
    /// `None` therefore also where the first such entry is that of a greater user key in a later
    /// block. Reads that block and no other.
    ///
    /// # Errors
    /// `Corruption` if the block or its index entry is damaged; `NotSupported` if the block is
    /// compressed; that of the file.
    pub fn get(&self, internal_key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut index = self.index.iter(self.comparator.clone());
        index.seek(internal_key);
        index.status()?;
        if !index.valid() {
            return Ok(None);
        }
        let handle = self.handle_at(&index)?;
        let mut data = self.read_data_block(handle)?;
        data.seek(internal_key);
        data.status()?;
        Ok(data.valid().then(|| (data.key().to_vec(), data.value().to_vec())))
    }

    /// A cursor over all entries, not positioned. It keeps the table open.
    pub fn iter(self: &Arc<Self>) -> TableIter {
        TableIter {
            index: self.index.iter(self.comparator.clone()),
            table: Arc::clone(self),
            data: None,
            failed: None,
        }
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn source(&self) -> TableFile<'_> {
        TableFile { file: &*self.file, size: self.size, path: &self.path }
    }

    fn read_data_block(&self, handle: BlockHandle) -> Result<BlockIter> {
        let contents = self.source().read_block(handle)?;
        let block = Block::parse(contents, Arc::clone(&self.path), handle.offset)?;
        Ok(Arc::new(block).iter(self.comparator.clone()))
    }

    /// The handle in the index entry under the cursor. Other implementations may add to it.
    fn handle_at(&self, index: &BlockIter) -> Result<BlockHandle> {
        BlockHandle::decode(&mut Decoder::new(index.value()))
            .ok_or_else(|| self.source().corruption(index.file_offset(), Defect::BadBlockHandle))
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Table");
        shown.field("path", &self.path).field("size", &self.size).finish_non_exhaustive()
    }
}

/// A cursor over the entries of a [`Table`]. Once it has met an error it stays where no entry is.
pub struct TableIter {
    table: Arc<Table>,
    index: BlockIter,
    // Invariant: the block that the index entry under its cursor leads to, if `index` is valid.
    data: Option<(BlockHandle, BlockIter)>,
    failed: Option<Error>,
}

impl TableIter {
    fn entry(&self) -> Option<&BlockIter> {
        self.data.as_ref().map(|(_, data)| data).filter(|data| data.valid())
    }

    /// Opens the data block under the cursor of the index, and moves within it.
    fn enter_block(&mut self, movement: impl FnOnce(&mut BlockIter)) {
        if let Err(error) = self.try_enter_block(movement) {
            self.data = None;
            self.failed = Some(error);
        }
    }

    fn try_enter_block(&mut self, movement: impl FnOnce(&mut BlockIter)) -> Result<()> {
        self.index.status()?;
        if !self.index.valid() {
            self.data = None;
            return Ok(());
        }
        let handle = self.table.handle_at(&self.index)?;
        let mut data = match self.data.take() {
            // A seek often stays in its block.
            Some((current, data)) if current == handle => data,
            _ => self.table.read_data_block(handle)?,
        };
        movement(&mut data);
        data.status()?;
        self.data = Some((handle, data));
        Ok(())
    }

    /// Goes on to the next block until there is an entry. A block may be empty.
    fn skip_forward(&mut self) {
        while self.failed.is_none() && self.entry().is_none() && self.index.valid() {
            self.index.next();
            self.enter_block(BlockIter::seek_to_first);
        }
    }

    fn skip_backward(&mut self) {
        while self.failed.is_none() && self.entry().is_none() && self.index.valid() {
            self.index.prev();
            self.enter_block(BlockIter::seek_to_last);
        }
    }

    /// Moves within the data block under the cursor.
    fn step(&mut self, movement: impl FnOnce(&mut BlockIter)) {
        let Some((_, data)) = &mut self.data else { return };
        movement(data);
        if let Err(error) = data.status() {
            self.data = None;
            self.failed = Some(error);
        }
    }
}

impl InternalIterator for TableIter {
    fn valid(&self) -> bool {
        self.failed.is_none() && self.entry().is_some()
    }

    fn seek_to_first(&mut self) {
        if self.failed.is_none() {
            self.index.seek_to_first();
            self.enter_block(BlockIter::seek_to_first);
            self.skip_forward();
        }
    }

    fn seek_to_last(&mut self) {
        if self.failed.is_none() {
            self.index.seek_to_last();
            self.enter_block(BlockIter::seek_to_last);
            self.skip_backward();
        }
    }

    fn seek(&mut self, target: &[u8]) {
        if self.failed.is_none() {
            self.index.seek(target);
            self.enter_block(|data| data.seek(target));
            self.skip_forward();
        }
    }

    fn next(&mut self) {
        debug_assert!(self.valid(), "next on a cursor that stands nowhere");
        self.step(BlockIter::next);
        self.skip_forward();
    }

    fn prev(&mut self) {
        debug_assert!(self.valid(), "prev on a cursor that stands nowhere");
        self.step(BlockIter::prev);
        self.skip_backward();
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
}

impl fmt::Debug for TableIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TableIter");
        shown.field("table", &self.table).field("failed", &self.failed).finish_non_exhaustive()
    }
}
