//! [`Table`] and [`TableIter`]: an open table, lookups in it and a cursor over it.
//!
//! Keeps the index block and the filters in memory, and reads a data block when one is needed that
//! the block cache does not have. Invariant: no byte is used whose checksum was not verified, but
//! for the reads of a caller who asked for that.
//!
//! Source: LevelDB `table/table.cc`, `table/two_level_iterator.cc`. Differs: an unreadable block
//! ends a walk instead of being passed over; a filter that cannot be used is told, not swallowed.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use super::block::{Block, BlockIter};
use super::block_cache::{BlockCache, BlockKey};
use super::builder::filter_key;
use super::filter_block::FilterBlock;
use super::filter_policy::FilterPolicy;
use super::format::{BlockHandle, Footer, TableFile};
use super::index_search::IndexSearch;
use crate::codec::Decoder;
use crate::env::RandomAccessFile;
use crate::error::{Defect, Error, Result};
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, ParsedInternalKey, ValueType, user_key};
use crate::value::Found;

/// What all tables of a database are read with.
#[derive(Clone, Debug)]
pub struct TableContext {
    /// The order of their keys.
    pub order: InternalKeyComparator,
    /// What asks their filters, if they are to be asked.
    pub filter_policy: Option<Arc<dyn FilterPolicy>>,
    /// Where data blocks are kept, if they are.
    pub block_cache: Option<BlockCache>,
}

/// How the data blocks of a table are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockReads {
    /// Whether checksums are verified.
    pub verify_checksums: bool,
    /// Whether what was read goes into the block cache.
    pub fill_cache: bool,
}

impl Default for BlockReads {
    /// Verified, and into the cache.
    fn default() -> Self {
        BlockReads { verify_checksums: true, fill_cache: true }
    }
}

/// An open table. Any number of threads may read it.
pub struct Table {
    file: Box<dyn RandomAccessFile>,
    size: u64,
    path: Arc<Path>,
    order: InternalKeyComparator,
    index: Arc<Block>,
    index_search: Option<IndexSearch>,
    filter: Option<FilterBlock>,
    filter_error: Option<Error>,
    // Where the metaindex is, behind all data.
    data_end: u64,
    // With this table's number in it.
    block_cache: Option<(BlockCache, u64)>,
}

impl Table {
    /// Opens the table in `file`, which has `size` bytes. `path` is for messages.
    ///
    /// A table without a filter of the policy in `context` is read without one; so is one whose
    /// filter is damaged, see [`Table::filter_error`].
    ///
    /// # Errors
    /// `Corruption` if the file is no table or its index is damaged; `NotSupported` if that is
    /// compressed in a way that is not read here; that of the file.
    pub fn open(
        file: Box<dyn RandomAccessFile>,
        size: u64,
        path: &Path,
        context: &TableContext,
    ) -> Result<Self> {
        let path: Arc<Path> = path.into();
        let source = TableFile { file: &*file, size, path: &path };
        let footer = source.read_footer()?;
        let index = Arc::new(read_block(&source, &path, footer.index, true)?);
        let filter = match &context.filter_policy {
            Some(policy) => read_filter(&source, &path, footer, policy),
            None => Ok(None),
        };
        let (filter, filter_error) = match filter {
            Ok(filter) => (filter, None),
            // Damage takes nothing away but speed. Another failure may be over at the next open.
            Err(error @ (Error::Corruption(_) | Error::NotSupported { .. })) => (None, Some(error)),
            Err(error) => return Err(error),
        };
        let block_cache =
            context.block_cache.clone().map(|cache| (cache.clone(), cache.new_table_number()));
        let order = context.order.clone();
        let index_search = IndexSearch::new(&index, &order);
        Ok(Table {
            file,
            size,
            path,
            order,
            index,
            index_search,
            filter,
            filter_error,
            data_end: footer.metaindex.offset,
            block_cache,
        })
    }

    /// What is wrong with the filters, which are therefore not used.
    pub fn filter_error(&self) -> Option<&Error> {
        self.filter_error.as_ref()
    }

    /// Looks up the newest entry at or after `lookup`, an internal key, that has its user key.
    ///
    /// Reads one data block, or none if the filter knows that the key is not there.
    ///
    /// # Errors
    /// `Corruption` if the block, its index entry or the entry found is damaged; `NotSupported` if
    /// the block is compressed in a way that is not read here; that of the file.
    pub fn get(&self, lookup: &[u8], reads: BlockReads) -> Result<Found> {
        let Some(handle) = self.find_block(lookup)? else { return Ok(Found::Absent) };
        let sought = user_key(lookup);
        if let Some(filter) = &self.filter
            && !filter.key_may_match(handle.offset, sought)
        {
            return Ok(Found::Absent);
        }
        let mut data = BlockIter::new(self.data_block(handle, reads)?, self.order.clone());
        data.seek(lookup);
        if !data.valid() {
            data.status()?;
            return Ok(Found::Absent);
        }
        let Some(found) = ParsedInternalKey::parse(data.key()) else {
            let defect = Defect::Other("corrupted internal key".into());
            return Err(self.source().corruption(data.file_offset(), defect));
        };
        if self.order.compare_user(found.user_key, sought).is_ne() {
            return Ok(Found::Absent);
        }
        Ok(match found.value_type {
            ValueType::Value => Found::Value(data.owned_value()),
            ValueType::Deletion => Found::Deleted,
        })
    }

    /// A cursor over all entries, not positioned. It keeps the table open.
    pub fn iter(self: &Arc<Self>, reads: BlockReads) -> TableIter {
        TableIter {
            index: self.index.iter(self.order.clone()),
            table: Arc::clone(self),
            reads,
            data: None,
            failed: None,
        }
    }

    /// About where in the file the first entry at or after `internal_key` is, or would be: the
    /// offset of its data block, or where data ends. Reads nothing.
    pub fn approximate_offset_of(&self, internal_key: &[u8]) -> u64 {
        let mut index = self.index.iter(self.order.clone());
        self.seek_index(&mut index, internal_key);
        let handle = if index.valid() { self.handle_at(&index).ok() } else { None };
        handle.map_or(self.data_end, |handle| handle.offset)
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn source(&self) -> TableFile<'_> {
        TableFile { file: &*self.file, size: self.size, path: &self.path }
    }

    /// The first data block that can have an entry at or behind `lookup`, if any can.
    fn find_block(&self, lookup: &[u8]) -> Result<Option<BlockHandle>> {
        if let Some(handle) = self.index_search.as_ref().and_then(|search| search.find(lookup)) {
            return Ok(Some(handle));
        }
        let mut index = self.index.iter(self.order.clone());
        self.seek_index(&mut index, lookup);
        if !index.valid() {
            index.status()?;
            return Ok(None);
        }
        self.handle_at(&index).map(Some)
    }

    /// Moves to the index entry of the first data block that can have an entry at or behind
    /// `target`.
    #[inline]
    fn seek_index(&self, index: &mut BlockIter, target: &[u8]) {
        match self.index_search.as_ref().and_then(|search| search.narrow(target)) {
            Some(among) => index.seek_within(target, among),
            None => index.seek(target),
        }
    }

    /// The data block at `handle`, from the cache or the file.
    fn data_block(&self, handle: BlockHandle, reads: BlockReads) -> Result<Arc<Block>> {
        let read = || {
            let block = read_block(&self.source(), &self.path, handle, reads.verify_checksums)?;
            Ok(Arc::new(block))
        };
        let Some((cache, table)) = &self.block_cache else { return read() };
        let key = BlockKey { table: *table, offset: handle.offset };
        if let Some(block) = cache.get(key)
            && (block.is_verified() || !reads.verify_checksums)
        {
            return Ok(block);
        }
        let block = read()?;
        if reads.fill_cache {
            cache.insert(key, &block);
        }
        Ok(block)
    }

    /// The handle in the index entry under the cursor. Other implementations may add to it.
    fn handle_at(&self, index: &BlockIter) -> Result<BlockHandle> {
        BlockHandle::decode(&mut Decoder::new(index.value()))
            .ok_or_else(|| self.source().corruption(index.file_offset(), Defect::BadBlockHandle))
    }
}

fn read_block(
    source: &TableFile<'_>,
    path: &Arc<Path>,
    handle: BlockHandle,
    verify: bool,
) -> Result<Block> {
    let contents = source.read_block(handle, verify)?;
    Block::parse(contents, Arc::clone(path), handle.offset, verify)
}

/// The filters that were made with `policy`, if there are any.
fn read_filter(
    source: &TableFile<'_>,
    path: &Arc<Path>,
    footer: Footer,
    policy: &Arc<dyn FilterPolicy>,
) -> Result<Option<FilterBlock>> {
    let metaindex = read_block(source, path, footer.metaindex, true)?;
    let Some(value) = metaindex.find_name(&filter_key(&**policy))? else { return Ok(None) };
    let handle = BlockHandle::decode(&mut Decoder::new(&value))
        .ok_or_else(|| source.corruption(footer.metaindex.offset, Defect::BadBlockHandle))?;
    let contents = source.read_block(handle, true)?;
    match FilterBlock::parse(Arc::clone(policy), contents) {
        Some(filter) => Ok(Some(filter)),
        None => Err(source.corruption(handle.offset, Defect::BadBlockContents)),
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
    reads: BlockReads,
    index: BlockIter,
    // Invariant: the block that the index entry under its cursor leads to, if `index` is valid.
    data: Option<(BlockHandle, BlockIter)>,
    failed: Option<Error>,
}

impl TableIter {
    #[inline]
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
        if !self.index.valid() {
            self.data = None;
            return self.index.status();
        }
        let handle = self.table.handle_at(&self.index)?;
        let mut data = match self.data.take() {
            // A seek often stays in its block.
            Some((current, data)) if current == handle => data,
            Some((_, mut data)) => {
                data.enter(self.table.data_block(handle, self.reads)?);
                data
            }
            None => {
                let block = self.table.data_block(handle, self.reads)?;
                block.iter(self.table.order.clone())
            }
        };
        movement(&mut data);
        if !data.valid() {
            data.status()?;
        }
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

    /// Moves within the data block under the cursor. Returns whether there is an entry.
    #[inline]
    fn step(&mut self, movement: impl FnOnce(&mut BlockIter)) -> bool {
        let Some((_, data)) = &mut self.data else { return false };
        movement(data);
        if data.valid() {
            return true;
        }
        if let Err(error) = data.status() {
            self.data = None;
            self.failed = Some(error);
        }
        false
    }
}

impl InternalIterator for TableIter {
    #[inline]
    fn valid(&self) -> bool {
        // After an error there is no block.
        self.entry().is_some()
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
            self.table.seek_index(&mut self.index, target);
            self.enter_block(|data| data.seek(target));
            self.skip_forward();
        }
    }

    fn next(&mut self) {
        debug_assert!(self.valid(), "next on a cursor that stands nowhere");
        if !self.step(BlockIter::next) {
            self.skip_forward();
        }
    }

    fn prev(&mut self) {
        debug_assert!(self.valid(), "prev on a cursor that stands nowhere");
        if !self.step(BlockIter::prev) {
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
        self.entry().map_or((&self.table.path, 0), InternalIterator::place)
    }
}

impl fmt::Debug for TableIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TableIter");
        shown.field("table", &self.table).field("failed", &self.failed).finish_non_exhaustive()
    }
}
