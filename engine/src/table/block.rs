//! [`Block`] and [`BlockIter`]: the contents of a block of internal keys, and a cursor over them.
//!
//! The layout is drawn in the module above. Bytes come from disk: whatever they are, the cursor
//! ends in data or in `Corruption`, and every step takes it forward in the block, so that no walk
//! is endless. Ascending keys are taken on trust, as the checksum vouches for a writer that
//! checked them.
//!
//! Source: LevelDB `table/block.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::cmp::Ordering;
use core::fmt;
use core::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::codec::{Decoder, to_u64, to_usize};
use crate::error::{Defect, Error, Result};
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, TRAILER_SIZE};

/// Bytes of a restart offset, and of their number.
const RESTART_SIZE: usize = 4;

/// The contents of one block.
pub struct Block {
    contents: Vec<u8>,
    // Invariant: entries are in front of `restarts_start`; `restart_count` offsets and their
    // number fill the rest of `contents`.
    restarts_start: usize,
    restart_count: usize,
    // For messages: the file, and where in it the contents start.
    path: Arc<Path>,
    file_offset: u64,
}

/// An entry, as ranges of the contents.
struct Entry {
    shared: usize,
    unshared_key: Range<usize>,
    value: Range<usize>,
}

impl Block {
    /// Takes the contents of the block at `file_offset` of the file `path`.
    ///
    /// # Errors
    /// `Corruption` if they cannot hold as many restart offsets as they say.
    pub fn parse(contents: Vec<u8>, path: Arc<Path>, file_offset: u64) -> Result<Self> {
        let Some((restart_count, restarts_start)) = restarts_of(&contents) else {
            return Err(Error::corruption(&*path, file_offset, Defect::BadBlockContents));
        };
        Ok(Block { contents, restarts_start, restart_count, path, file_offset })
    }

    /// A cursor over the entries, not positioned.
    pub fn iter(self: &Arc<Self>, comparator: InternalKeyComparator) -> BlockIter {
        BlockIter {
            block: Arc::clone(self),
            comparator,
            entry_start: 0,
            next_start: 0,
            restart_index: 0,
            key: Vec::new(),
            value: 0..0,
            is_valid: false,
            failed: None,
        }
    }

    /// Where restart `index` says that its entry starts.
    fn restart(&self, index: usize) -> Option<usize> {
        let start = self.restarts_start.checked_add(index.checked_mul(RESTART_SIZE)?)?;
        let offset = Decoder::new(self.contents.get(start..)?).fixed32()?;
        (index < self.restart_count).then(|| to_usize(offset))
    }

    fn entry(&self, start: usize) -> Option<Entry> {
        let mut decoder = Decoder::new(self.contents.get(start..self.restarts_start)?);
        let shared = to_usize(decoder.varint32()?);
        let unshared_size = to_usize(decoder.varint32()?);
        let value_size = to_usize(decoder.varint32()?);
        let key_start = self.restarts_start - decoder.rest().len();
        decoder.bytes(unshared_size)?;
        decoder.bytes(value_size)?;
        let value_start = key_start + unshared_size;
        let value = value_start..value_start + value_size;
        Some(Entry { shared, unshared_key: key_start..value_start, value })
    }

    /// The key of the entry at restart `index`, which must be stored whole.
    fn restart_key(&self, index: usize) -> Option<&[u8]> {
        let entry = self.entry(self.restart(index)?)?;
        let key = self.contents.get(entry.unshared_key)?;
        (entry.shared == 0 && key.len() >= TRAILER_SIZE).then_some(key)
    }
}

/// The number of restarts and where their offsets start, if they fit.
fn restarts_of(contents: &[u8]) -> Option<(usize, usize)> {
    let (rest, count) = contents.split_last_chunk::<RESTART_SIZE>()?;
    let count = to_usize(u32::from_le_bytes(*count));
    // No restart at all is legal: the Java implementation writes such blocks.
    let start = rest.len().checked_sub(count.checked_mul(RESTART_SIZE)?)?;
    Some((count, start))
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Block");
        shown.field("path", &self.path).field("file_offset", &self.file_offset);
        shown.field("size", &self.contents.len()).finish_non_exhaustive()
    }
}

/// A cursor over the entries of a [`Block`]. Once it has met an error it stays where no entry is.
pub struct BlockIter {
    block: Arc<Block>,
    comparator: InternalKeyComparator,
    // The entry under the cursor, and the one behind it.
    entry_start: usize,
    next_start: usize,
    // Invariant: the last restart at or before `entry_start`, or an earlier one.
    restart_index: usize,
    key: Vec<u8>,
    value: Range<usize>,
    is_valid: bool,
    failed: Option<Error>,
}

impl BlockIter {
    /// Where the entry under the cursor is in the file, for messages.
    pub(super) fn file_offset(&self) -> u64 {
        self.block.file_offset.saturating_add(to_u64(self.entry_start))
    }

    fn fail(&mut self) {
        self.is_valid = false;
        let file = &*self.block.path;
        self.failed = Some(Error::corruption(file, self.file_offset(), Defect::BadBlockEntry));
    }

    /// Puts the cursor in front of the entry at restart `index`.
    fn go_to_restart(&mut self, index: usize) {
        self.key.clear();
        self.restart_index = index;
        self.is_valid = false;
        match self.block.restart(index) {
            Some(start) => self.next_start = start,
            None => self.fail(),
        }
    }

    /// Steps on to the entry that starts at `next_start`. Returns whether there is one.
    fn step(&mut self) -> bool {
        self.is_valid = false;
        if self.failed.is_some() || self.next_start >= self.block.restarts_start {
            return false;
        }
        self.entry_start = self.next_start;
        let entry = self.block.entry(self.entry_start);
        let whole = entry.filter(|entry| {
            entry.shared <= self.key.len()
                && entry.shared + entry.unshared_key.len() >= TRAILER_SIZE
        });
        let Some(entry) = whole else {
            self.fail();
            return false;
        };
        self.key.truncate(entry.shared);
        let own = self.block.contents.get(entry.unshared_key).unwrap_or_default();
        self.key.extend_from_slice(own);
        self.next_start = entry.value.end;
        self.value = entry.value;
        while let Some(restart) = self.block.restart(self.restart_index + 1)
            && restart <= self.entry_start
        {
            self.restart_index += 1;
        }
        self.is_valid = true;
        true
    }

    /// The last restart whose key is below `target`, or the first one.
    fn restart_before(&self, target: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.block.restart_count.saturating_sub(1));
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let key = self.block.restart_key(middle)?;
            if self.comparator.compare(key, target) == Ordering::Less {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }

    /// Whether there is nothing to walk over, or no more.
    fn is_done(&mut self) -> bool {
        if self.failed.is_some() || self.block.restart_count == 0 {
            self.is_valid = false;
            return true;
        }
        false
    }
}

impl InternalIterator for BlockIter {
    fn valid(&self) -> bool {
        self.is_valid
    }

    fn seek_to_first(&mut self) {
        if !self.is_done() {
            self.go_to_restart(0);
            self.step();
        }
    }

    fn seek_to_last(&mut self) {
        if !self.is_done() {
            self.go_to_restart(self.block.restart_count - 1);
            while self.step() && self.next_start < self.block.restarts_start {}
        }
    }

    fn seek(&mut self, target: &[u8]) {
        if self.is_done() {
            return;
        }
        let Some(index) = self.restart_before(target) else {
            self.fail();
            return;
        };
        self.go_to_restart(index);
        while self.step() && self.comparator.compare(&self.key, target) == Ordering::Less {}
    }

    fn next(&mut self) {
        debug_assert!(self.is_valid, "next on a cursor that stands nowhere");
        self.step();
    }

    fn prev(&mut self) {
        debug_assert!(self.is_valid, "prev on a cursor that stands nowhere");
        let original = self.entry_start;
        let mut index = self.restart_index;
        while self.block.restart(index).is_none_or(|restart| restart >= original) {
            let Some(before) = index.checked_sub(1) else {
                self.is_valid = false;
                return;
            };
            index = before;
        }
        self.go_to_restart(index);
        while self.step() && self.next_start < original {}
    }

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn value(&self) -> &[u8] {
        self.block.contents.get(self.value.clone()).unwrap_or_default()
    }

    fn status(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for BlockIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BlockIter");
        shown.field("block", &self.block).field("entry_start", &self.entry_start);
        shown.field("is_valid", &self.is_valid).finish_non_exhaustive()
    }
}
