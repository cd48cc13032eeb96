//! [`TableBuilder`]: writes a table, entry by entry, front to back.
//!
//! Blocks go to the file by whole multiples of [`TableOptions::append_size`], the rest with the end
//! of the table. Does not sync on its own.
//!
//! Invariant: what reaches the file has ascending keys; and after the first error, of the file or
//! of the caller, the file is not touched again.
//!
//! Source: LevelDB `table/table_builder.cc`, and for what is gathered `PosixWritableFile` in
//! `util/env_posix.cc`. Differs: LevelDB only asserts that keys ascend, and an order that a user
//! supplied may break its promise.

use core::cmp::Ordering;
use core::fmt;
use std::sync::Arc;

use super::block_builder::BlockBuilder;
use super::compression::{Compression, Compressor, TYPE_NONE};
use super::filter_block::FilterBlockBuilder;
use super::filter_policy::FilterPolicy;
use super::format::{BlockHandle, Footer, TRAILER_SIZE, append_trailer};
use crate::codec::to_u64;
use crate::env::WritableFile;
use crate::error::{Error, Result};
use crate::key::{InternalKeyComparator, ParsedInternalKey};

/// How a table is written.
#[derive(Clone, Debug)]
pub struct TableOptions {
    /// Bytes of contents at which a data block ends, before compression.
    pub block_size: usize,
    /// Every how many entries a key is stored whole; at least 1.
    pub block_restart_interval: usize,
    /// How blocks are stored.
    pub compression: Compression,
    /// What makes the table's filters, if it gets any.
    pub filter_policy: Option<Arc<dyn FilterPolicy>>,
    /// Bytes of the table that are gathered before they are appended to its file; at least 1,
    /// which is an append for each block.
    pub append_size: usize,
}

impl Default for TableOptions {
    /// LevelDB's: blocks of 4096 bytes, every 16th key whole, Snappy, no filter. But 256 KiB an
    /// append, where LevelDB has 64 KiB.
    fn default() -> Self {
        TableOptions {
            block_size: 4096,
            block_restart_interval: 16,
            compression: Compression::default(),
            filter_policy: None,
            append_size: 256 << 10,
        }
    }
}

/// Writes a table into a file that was empty when it was given.
pub struct TableBuilder {
    file: Box<dyn WritableFile>,
    comparator: InternalKeyComparator,
    block_size: usize,
    block_restart_interval: usize,
    compressor: Compressor,
    data: BlockBuilder,
    index: BlockBuilder,
    filter: Option<FilterBlockBuilder>,
    append_size: usize,
    // The end of the table that is not in the file yet. Shorter than `append_size` between calls.
    gathered: Vec<u8>,
    // A data block that is written and not yet in the index, and ends with `last_key`: the
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
        options: &TableOptions,
    ) -> Self {
        TableBuilder {
            file,
            comparator,
            block_size: options.block_size,
            block_restart_interval: options.block_restart_interval,
            compressor: Compressor::new(options.compression),
            data: BlockBuilder::new(options.block_restart_interval),
            index: BlockBuilder::new(1),
            filter: options.filter_policy.clone().map(FilterBlockBuilder::new),
            append_size: options.append_size.max(1),
            gathered: Vec::new(),
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

    /// Makes what is in the file durable: after [`TableBuilder::finish`], the table.
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

    /// Bytes of the table so far; after [`TableBuilder::finish`], the size of its file.
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
        let Some(parsed) = ParsedInternalKey::parse(key) else {
            return Err(Error::invalid("a table takes only internal keys"));
        };
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
        if let Some(filter) = &mut self.filter {
            filter.add_key(parsed.user_key);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.entry_count += 1;
        if self.data.size_estimate() >= self.block_size { self.end_block() } else { Ok(()) }
    }

    /// Ends the data block, if there is anything in it.
    fn end_block(&mut self) -> Result<()> {
        if self.data.is_empty() {
            return Ok(());
        }
        let contents = self.data.finish();
        self.unindexed = Some(self.write_block(contents)?);
        match &mut self.filter {
            Some(filter) => filter.start_block(self.file_size),
            None => Ok(()),
        }
    }

    fn write_end(&mut self) -> Result<()> {
        self.end_block()?;
        let mut metaindex = BlockBuilder::new(self.block_restart_interval);
        if let Some(filter) = self.filter.take() {
            let name = filter_key(filter.policy());
            // Not compressed, whatever the options say: bits that look random.
            let handle = self.write_raw_block(filter.finish()?, TYPE_NONE)?;
            metaindex.add(&name, &encoded(handle))?;
        }
        let metaindex = self.write_block(metaindex.finish())?;
        if let Some(handle) = self.unindexed.take() {
            let mut successor = core::mem::take(&mut self.last_key);
            self.comparator.find_short_successor(&mut successor);
            self.add_to_index(&successor, handle)?;
        }
        let index = self.index.finish();
        let index = self.write_block(index)?;
        let mut footer = Vec::new();
        Footer { metaindex, index }.encode(&mut footer);
        self.append(&footer)?;
        let rest = self.gathered.len();
        self.hand_over(rest)
    }

    fn add_to_index(&mut self, key: &[u8], handle: BlockHandle) -> Result<()> {
        self.index.add(key, &encoded(handle))
    }

    fn write_block(&mut self, mut contents: Vec<u8>) -> Result<BlockHandle> {
        let compression = self.compressor.compress(&mut contents);
        self.write_raw_block(contents, compression)
    }

    fn write_raw_block(&mut self, mut stored: Vec<u8>, compression: u8) -> Result<BlockHandle> {
        let handle = BlockHandle { offset: self.file_size, size: to_u64(stored.len()) };
        stored.reserve(TRAILER_SIZE);
        append_trailer(&mut stored, compression);
        self.append(&stored)?;
        Ok(handle)
    }

    /// Adds to the end of the table. Large appends at multiples of their size are not only fewer
    /// calls: Linux keeps in one piece in memory what one call brings, and reads it faster.
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(bytes);
        self.file_size += to_u64(bytes.len());
        let rest = self.gathered.len() % self.append_size;
        self.hand_over(self.gathered.len() - rest)
    }

    /// Appends the first `size` bytes of those gathered to the file, in one call.
    fn hand_over(&mut self, size: usize) -> Result<()> {
        if size > 0 {
            self.file.append(self.gathered.get(..size).unwrap_or_default())?;
            self.gathered.drain(..size);
        }
        Ok(())
    }
}

/// Under which key the metaindex has the filters of a policy.
// Never change: written to disk.
pub(super) fn filter_key(policy: &dyn FilterPolicy) -> Vec<u8> {
    [b"filter.", policy.name().as_bytes()].concat()
}

fn encoded(handle: BlockHandle) -> Vec<u8> {
    let mut value = Vec::new();
    handle.encode(&mut value);
    value
}

impl fmt::Debug for TableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TableBuilder");
        shown.field("entry_count", &self.entry_count).field("file_size", &self.file_size);
        shown.field("failed", &self.failed).finish_non_exhaustive()
    }
}
