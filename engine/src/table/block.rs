//! [`Block`] and [`BlockIter`]: the contents of a block of internal keys, and a cursor over them.
//!
//! The layout is drawn in the module above. Bytes come from disk: whatever they are, the cursor
//! ends in data or in `Corruption`, and every step takes it forward in the block, so that no walk
//! is endless. Ascending keys are taken on trust, as the checksum vouches for a writer that
//! checked them.
//!
//! Source: LevelDB `table/block.cc`. Differs: a key that is stored whole is used where it lies.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::cmp::Ordering;
use core::fmt;
use core::ops::{Range, RangeInclusive};
use std::path::Path;
use std::sync::Arc;

use crate::codec::{Decoder, to_u64, to_usize};
use crate::error::{Defect, Error, Result};
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, TRAILER_SIZE};
use crate::value::{Value, ValueOwner};

/// Bytes of a restart offset, and of their number.
const RESTART_SIZE: usize = 4;

/// The contents of one block. They never change and never move: values lie in them.
pub struct Block {
    contents: Vec<u8>,
    // Invariant: entries are in front of `restarts_start`; `restart_count` offsets and their
    // number fill the rest of `contents`.
    restarts_start: usize,
    restart_count: usize,
    // For messages: the file, and where in it the contents start.
    path: Arc<Path>,
    file_offset: u64,
    is_verified: bool,
}

impl ValueOwner for Block {}

/// An entry, as ranges of the contents.
struct Entry {
    shared: usize,
    unshared_key: Range<usize>,
    value: Range<usize>,
}

impl Block {
    /// Takes the contents of the block at `file_offset` of the file `path`. `is_verified` says
    /// whether their checksum was.
    ///
    /// # Errors
    /// `Corruption` if they cannot hold as many restart offsets as they say.
    pub fn parse(
        contents: Vec<u8>,
        path: Arc<Path>,
        file_offset: u64,
        is_verified: bool,
    ) -> Result<Self> {
        let Some((restart_count, restarts_start)) = restarts_of(&contents) else {
            return Err(Error::corruption(&*path, file_offset, Defect::BadBlockContents));
        };
        Ok(Block { contents, restarts_start, restart_count, path, file_offset, is_verified })
    }

    /// A cursor over the entries, not positioned.
    pub fn iter(self: &Arc<Self>, comparator: InternalKeyComparator) -> BlockIter {
        BlockIter::new(Arc::clone(self), comparator)
    }

    /// Bytes of the contents.
    pub fn size(&self) -> usize {
        self.contents.len()
    }

    /// Number of restarts.
    pub(super) fn restart_count(&self) -> usize {
        self.restart_count
    }

    /// Whether the checksum of the contents was verified.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// The value stored under `name`, in a block whose keys are plain names. Looks at each entry.
    ///
    /// # Errors
    /// `Corruption` if an entry is damaged.
    pub(super) fn find_name(&self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut found = None;
        self.visit_names(&mut |here, value| {
            if here == name {
                found = Some(value.to_vec());
            }
            found.is_none()
        })?;
        Ok(found)
    }

    /// Shows the entries of a block whose keys are plain names, until `visit` says no.
    ///
    /// # Errors
    /// `Corruption` if an entry is damaged.
    pub(super) fn visit_names(&self, visit: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        let mut start = 0;
        let mut here = Vec::new();
        while self.restart_count > 0 && start < self.restarts_start {
            let bad = || {
                let offset = self.file_offset.saturating_add(to_u64(start));
                Error::corruption(&*self.path, offset, Defect::BadBlockEntry)
            };
            let entry = self.entry(start).filter(|entry| entry.shared <= here.len());
            let entry = entry.ok_or_else(bad)?;
            start = entry.value.end;
            here.truncate(entry.shared);
            here.extend_from_slice(self.contents.get(entry.unshared_key).unwrap_or_default());
            if !visit(&here, self.contents.get(entry.value).unwrap_or_default()) {
                break;
            }
        }
        Ok(())
    }

    /// Where restart `index` says that its entry starts.
    #[inline]
    fn restart(&self, index: usize) -> Option<usize> {
        let start = self.restarts_start.checked_add(index.checked_mul(RESTART_SIZE)?)?;
        let offset = self.contents.get(start..)?.first_chunk()?;
        (index < self.restart_count).then(|| to_usize(u32::from_le_bytes(*offset)))
    }

    #[inline]
    fn entry(&self, start: usize) -> Option<Entry> {
        let bytes = self.contents.get(start..self.restarts_start)?;
        let (sizes, head_size) = match *bytes {
            // Mostly each of the three takes one byte.
            [shared, unshared, value, ..] if (shared | unshared | value) < 0x80 => {
                ([shared, unshared, value].map(usize::from), 3)
            }
            _ => long_sizes(bytes)?,
        };
        let [shared, unshared_size, value_size] = sizes;
        // No sum of three sizes below 4 GiB overflows.
        if head_size + unshared_size + value_size > bytes.len() {
            return None;
        }
        let key_start = start + head_size;
        let value_start = key_start + unshared_size;
        let value = value_start..value_start + value_size;
        Some(Entry { shared, unshared_key: key_start..value_start, value })
    }

    /// The key of the entry at restart `index`, which must be stored whole.
    #[inline]
    fn restart_key(&self, index: usize) -> Option<&[u8]> {
        let entry = self.entry(self.restart(index)?)?;
        let key = self.contents.get(entry.unshared_key)?;
        (entry.shared == 0 && key.len() >= TRAILER_SIZE).then_some(key)
    }

    /// The last restart among `from..=to` that `is_before` holds for, or `from`. Those that there
    /// are not do not count. `None` if one is damaged.
    #[inline]
    fn last_restart(
        &self,
        (from, to): (usize, usize),
        is_before: impl Fn(usize) -> Option<bool>,
    ) -> Option<usize> {
        let mut high = to.min(self.restart_count.saturating_sub(1));
        let mut low = from.min(high);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if is_before(middle)? {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(low)
    }
}

/// The three sizes that start an entry, and how many bytes they take.
#[cold]
fn long_sizes(bytes: &[u8]) -> Option<([usize; 3], usize)> {
    let mut decoder = Decoder::new(bytes);
    let sizes = [decoder.varint32()?, decoder.varint32()?, decoder.varint32()?];
    Some((sizes.map(to_usize), bytes.len() - decoder.rest().len()))
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

/// Where the key under a cursor is.
enum Key {
    /// Stored whole, in this range of the contents.
    InBlock(Range<usize>),
    /// Put together in the cursor's own memory.
    InMemory,
}

/// A cursor over the entries of a [`Block`]. Once it has met an error it stays where no entry is.
pub struct BlockIter {
    block: Arc<Block>,
    comparator: InternalKeyComparator,
    // The entry under the cursor, and the one behind it.
    entry_start: usize,
    next_start: usize,
    key: Key,
    key_memory: Vec<u8>,
    value: Range<usize>,
    is_valid: bool,
    failed: Option<Error>,
}

impl BlockIter {
    /// A cursor over the entries of `block`, not positioned.
    #[inline]
    pub(super) fn new(block: Arc<Block>, comparator: InternalKeyComparator) -> Self {
        BlockIter {
            block,
            comparator,
            entry_start: 0,
            next_start: 0,
            key: Key::InBlock(0..0),
            key_memory: Vec::new(),
            value: 0..0,
            is_valid: false,
            failed: None,
        }
    }

    /// Goes over to another block, not positioned. Keeps the memory.
    pub(super) fn enter(&mut self, block: Arc<Block>) {
        self.block = block;
        self.is_valid = false;
        self.failed = None;
    }

    /// The value under the cursor, which keeps its block from being freed.
    #[expect(unsafe_code, reason = "a value is a slice and its owner")]
    pub(super) fn owned_value(&self) -> Value {
        // SAFETY: the bytes are of the block's contents, which nobody can change or replace.
        unsafe { Value::new(self.value(), Arc::<Block>::clone(&self.block)) }
    }

    /// Where the entry under the cursor is in the file, for messages; exact in a block that is not
    /// compressed.
    pub fn file_offset(&self) -> u64 {
        self.block.file_offset.saturating_add(to_u64(self.entry_start))
    }

    fn fail(&mut self) {
        self.is_valid = false;
        let file = &*self.block.path;
        self.failed = Some(Error::corruption(file, self.file_offset(), Defect::BadBlockEntry));
    }

    /// Puts the cursor in front of the entry at restart `index`.
    fn go_to_restart(&mut self, index: usize) {
        self.key = Key::InBlock(0..0);
        self.is_valid = false;
        match self.block.restart(index) {
            Some(start) => self.next_start = start,
            None => self.fail(),
        }
    }

    /// Steps on to the entry that starts at `next_start`. Returns whether there is one.
    #[inline]
    fn step(&mut self) -> bool {
        self.is_valid = false;
        if self.failed.is_some() || self.next_start >= self.block.restarts_start {
            return false;
        }
        self.entry_start = self.next_start;
        let Some(entry) = self.block.entry(self.entry_start) else {
            self.fail();
            return false;
        };
        if !self.put_key(entry.shared, entry.unshared_key) {
            self.fail();
            return false;
        }
        self.next_start = entry.value.end;
        self.value = entry.value;
        self.is_valid = true;
        true
    }

    /// Makes the key of its two parts. Returns whether it can be one.
    #[inline]
    fn put_key(&mut self, shared: usize, unshared: Range<usize>) -> bool {
        if shared + unshared.len() < TRAILER_SIZE {
            return false;
        }
        if shared == 0 {
            self.key = Key::InBlock(unshared);
            return true;
        }
        let contents = &self.block.contents;
        match &self.key {
            Key::InBlock(before) => {
                let before = contents.get(before.clone()).unwrap_or_default();
                let Some(prefix) = before.get(..shared) else { return false };
                self.key_memory.clear();
                self.key_memory.reserve(shared + unshared.len());
                self.key_memory.extend_from_slice(prefix);
            }
            Key::InMemory if shared <= self.key_memory.len() => self.key_memory.truncate(shared),
            Key::InMemory => return false,
        }
        self.key_memory.extend_from_slice(contents.get(unshared).unwrap_or_default());
        self.key = Key::InMemory;
        true
    }

    /// Moves to the first entry at or after `target`, which is at one of the restarts `among`, or
    /// behind one of them and in front of the next.
    pub(super) fn seek_within(&mut self, target: &[u8], among: RangeInclusive<usize>) {
        if self.is_done() {
            return;
        }
        let block = &*self.block;
        let is_below = |index| {
            let key = block.restart_key(index)?;
            Some(self.comparator.compare(key, target) == Ordering::Less)
        };
        let Some(index) = block.last_restart(among.into_inner(), is_below) else {
            self.fail();
            return;
        };
        self.go_to_restart(index);
        while self.step() && self.comparator.compare(self.key(), target) == Ordering::Less {}
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
    #[inline]
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
        self.seek_within(target, 0..=usize::MAX);
    }

    #[inline]
    fn next(&mut self) {
        debug_assert!(self.is_valid, "next on a cursor that stands nowhere");
        self.step();
    }

    fn prev(&mut self) {
        debug_assert!(self.is_valid, "prev on a cursor that stands nowhere");
        let original = self.entry_start;
        let block = &*self.block;
        let is_before = |index| block.restart(index).map(|start| start < original);
        let index = block.last_restart((0, usize::MAX), is_before);
        match index.filter(|&index| is_before(index) == Some(true)) {
            Some(index) => {
                self.go_to_restart(index);
                while self.step() && self.next_start < original {}
            }
            None if block.restart(0) == Some(original) => self.is_valid = false,
            // Something is in front of it, and no restart leads there.
            None => self.fail(),
        }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        match &self.key {
            Key::InBlock(range) => self.block.contents.get(range.clone()).unwrap_or_default(),
            Key::InMemory => &self.key_memory,
        }
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.block.contents.get(self.value.clone()).unwrap_or_default()
    }

    fn status(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
    fn place(&self) -> (&Path, u64) {
        (&self.block.path, self.file_offset())
    }
}

impl fmt::Debug for BlockIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("BlockIter");
        shown.field("block", &self.block).field("entry_start", &self.entry_start);
        shown.field("is_valid", &self.is_valid).finish_non_exhaustive()
    }
}
