//! [`TableBuilder`]: writes a table, entry by entry, front to back.
//!
//! Each block goes to the file with one append, as soon as it is full. Does not sync on its own.
//!
//! Invariant: what reaches the file has ascending keys; and after the first error, of the file or
//! of the caller, the file is not touched again.
//!
//! Source: LevelDB `table/table_builder.cc`. Differs: LevelDB only asserts that keys ascend, and
//! an order that a user supplied may break its promise.

use core::cmp::Ordering;
use core::fmt;

use super::block_builder::BlockBuilder;
use super::format::{BlockHandle, Footer, TRAILER_SIZE, append_trailer};
use crate::codec::to_u64;
use crate::env::WritableFile;
use crate::error::{Error, Result};
use crate::key::{InternalKeyComparator, ParsedInternalKey};

/// How the entries of a table are cut into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    /// Bytes of contents at which a data block ends, before compression. LevelDB's default: 4096.
    pub block_size: usize,
    /// Every how many entries a key is stored whole; at least 1. LevelDB's default: 16.
    pub restart_interval: usize,
}

/// Writes a table into a file that was empty when it was given.
pub struct TableBuilder {
    file: Box<dyn WritableFile>,
    comparator: InternalKeyComparator,
    options: BlockOptions,
    data: BlockBuilder,
    index: BlockBuilder,
    // A data block that is in the file and not yet in the index, and ends with `last_key`: the
    // separator can be short only once the next key is known.
    unindexed: Option<BlockHandle>,
    last_key: Vec<u8>,
    entry_count: u64,
    file_size: u64,
    is_finished: bool,
    failed: Option<Error>,
}

impl TableBuilder {
    /// Starts a table in `file`, which is empty.
    pub fn new(
        file: Box<dyn WritableFile>,
        comparator: InternalKeyComparator,
        options: BlockOptions,
    ) -> Self {
        TableBuilder {
            file,
            comparator,
            options,
            data: BlockBuilder::new(options.restart_interval),
            index: BlockBuilder::new(1),
            unindexed: None,
            last_key: Vec::new(),
            entry_count: 0,
            file_size: 0,
            is_finished: false,
            failed: None,
        }
    }

    /// Adds an entry behind all those that are there.
    ///
    /// # Errors
    /// `InvalidArgument` if `internal_key` is none or not above the one before; that of the file;
    /// either also from every later call.
    ///
    /// # Panics
    /// After [`TableBuilder::finish`].
    pub fn add(&mut self, internal_key: &[u8], value: &[u8]) -> Result<()> {
        assert!(!self.is_finished, "a finished table takes no more entries");
        self.run(|builder| builder.add_entry(internal_key, value))
    }

    /// Writes the rest of the table. Returns the size of the file in bytes.
    ///
    /// The table is durable after [`TableBuilder::sync`] and a sync of its directory.
    ///
    /// # Errors
    /// That of the file, or the one met before.
    ///
    /// # Panics
    /// If called twice.
    pub fn finish(&mut self) -> Result<u64> {
        assert!(!self.is_finished, "a table is finished once");
        self.is_finished = true;
        self.run(Self::write_end)?;
        Ok(self.file_size)
    }

    /// Makes what was written so far durable.
    ///
    /// # Errors
    /// That of the file, or the one met before.
    pub fn sync(&mut self) -> Result<()> {
        self.run(|builder| builder.file.sync())
    }

    /// Closes the file. Does not sync.
    ///
    /// # Errors
    /// That of the file, or the one met before; the file is then dropped, not closed.
    pub fn close(self) -> Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.file.close(),
        }
    }

    /// Number of entries added.
    pub fn entry_count(&self) -> u64 {
        self.entry_count
    }

    /// Bytes in the file so far; after [`TableBuilder::finish`], all of it.
    pub fn file_size(&self) -> u64 {
        self.file_size
    }

    /// Does a step unless an earlier one failed, and keeps its error.
    fn run(&mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = step(self);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn add_entry(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if ParsedInternalKey::parse(key).is_none() {
            return Err(Error::invalid("a table takes only internal keys"));
        }
        let is_first = self.entry_count == 0;
        if !is_first && self.comparator.compare(&self.last_key, key) != Ordering::Less {
            return Err(Error::invalid("the keys of a table must ascend"));
        }
        if let Some(handle) = self.unindexed.take() {
            let mut separator = core::mem::take(&mut self.last_key);
            self.comparator.find_shortest_separator(&mut separator, key);
            self.add_to_index(&separator, handle)?;
        }
        self.data.add(key, value)?;
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.entry_count += 1;
        if self.data.size_estimate() >= self.options.block_size { self.end_block() } else { Ok(()) }
    }

    /// Writes the data block, if there is anything in it.
    fn end_block(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let contents = self.data.finish();
        self.unindexed = Some(self.write_block(contents)?);
        Ok(())
    }

    fn write_end(&mut self) -> Result<()> {
        self.end_block()?;
        let metaindex = BlockBuilder::new(self.options.restart_interval).finish();
        let metaindex = self.write_block(metaindex)?;
        if let Some(handle) = self.unindexed.take() {
            let mut successor = core::mem::take(&mut self.last_key);
            self.comparator.find_short_successor(&mut successor);
            self.add_to_index(&successor, handle)?;
        }
        let index = self.index.finish();
        let index = self.write_block(index)?;
        let mut footer = Vec::new();
        Footer { metaindex, index }.encode(&mut footer);
        self.append(&footer)
    }

    fn add_to_index(&mut self, key: &[u8], handle: BlockHandle) -> Result<()> {
        let mut value = Vec::new();
        handle.encode(&mut value);
        self.index.add(key, &value)
    }

    fn write_block(&mut self, mut contents: Vec<u8>) -> Result<BlockHandle> {
        let handle = BlockHandle { offset: self.file_size, size: to_u64(contents.len()) };
        contents.reserve(TRAILER_SIZE);
        append_trailer(&mut contents);
        self.append(&contents)?;
        Ok(handle)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.append(bytes)?;
        self.file_size += to_u64(bytes.len());
        Ok(())
    }
}

impl fmt::Debug for TableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TableBuilder");
        shown.field("entry_count", &self.entry_count).field("file_size", &self.file_size);
        shown.field("failed", &self.failed).finish_non_exhaustive()
    }
}
