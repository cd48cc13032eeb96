//! [`SortBuffer`]: entries that come in any order and are wanted in one, once all are there.
//!
//! What a replay fills in place of a memtable, which nobody reads while it fills: an entry is
//! copied to the end of a chunk, and all are sorted at once.
//!
//! ```text
//! chunks   internal key || value || internal key || value ...     64 KiB, or one entry if larger
//! entries  chunk, where in it, size of key and value; first bytes of the key
//! ```
//!
//! Invariant: chunks never grow beyond what they were made for, so memory taken is never more than
//! [`SortBuffer::memory_usage`] and the rest of one chunk.

use std::sync::Arc;

use crate::error::Result;
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, SequenceNumber, ValueType, pack_trailer};

const CHUNK_SIZE: usize = 64 << 10;

/// Where an entry lies.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first eight bytes of the user key, as a number in their order; 0 where byte order is
    /// not the order. Settles most comparisons.
    prefix: u64,
    chunk: u32,
    start: u32,
    key_size: u32,
    value_size: u32,
}

/// Entries, in the order in which they came.
#[derive(Debug)]
pub(super) struct SortBuffer {
    order: InternalKeyComparator,
    chunks: Vec<Vec<u8>>,
    /// Bytes of all chunks but the last.
    full_bytes: usize,
    entries: Vec<Entry>,
}

impl SortBuffer {
    pub(super) fn new(order: InternalKeyComparator) -> Self {
        SortBuffer { order, chunks: Vec::new(), full_bytes: 0, entries: Vec::new() }
    }

    /// Adds an entry of a checked batch: such a key has at most `USER_KEY_SIZE_MAX` bytes, such a
    /// value less than 4 GiB. No two may have the same key and sequence number.
    pub(super) fn add(
        &mut self,
        sequence: SequenceNumber,
        value_type: ValueType,
        key: &[u8],
        value: &[u8],
    ) {
        let trailer = pack_trailer(sequence, value_type).to_le_bytes();
        let key_size = key.len() + trailer.len();
        let size = key_size + value.len();
        // None begins behind the size of a common chunk, whatever the allocator gave.
        let has_room =
            |chunk: &Vec<u8>| chunk.len() < CHUNK_SIZE && chunk.capacity() - chunk.len() >= size;
        if !self.chunks.last().is_some_and(has_room) {
            self.full_bytes += self.chunks.last().map_or(0, Vec::capacity);
            self.chunks.push(Vec::with_capacity(size.max(CHUNK_SIZE)));
        }
        // Sizes: see above. Chunks: so many have at least 2^48 bytes.
        let number = |n: usize| u32::try_from(n).expect("bounded by the check of the batch");
        let last = number(self.chunks.len() - 1);
        let chunk = self.chunks.last_mut().expect("there is one with room");
        let (start, value_size) = (number(chunk.len()), number(value.len()));
        chunk.extend_from_slice(key);
        chunk.extend_from_slice(&trailer);
        chunk.extend_from_slice(value);
        let prefix = if self.order.is_bytewise() { first_eight(key) } else { 0 };
        let key_size = number(key_size);
        self.entries.push(Entry { prefix, chunk: last, start, key_size, value_size });
    }

    /// Bytes of memory taken, less what is left of the last chunk: a small limit may be below that.
    pub(super) fn memory_usage(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.full_bytes + last + self.entries.capacity() * size_of::<Entry>()
    }

    /// Puts the entries in order.
    pub(super) fn sort(mut self) -> Arc<Sorted> {
        let mut entries = core::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let by_key = || self.order.compare(key(&self.chunks, a), key(&self.chunks, b));
            a.prefix.cmp(&b.prefix).then_with(by_key)
        });
        Arc::new(Sorted { order: self.order, chunks: self.chunks, entries })
    }
}

/// The first eight bytes, with zeros for those that are not there: keys with equal numbers may
/// still differ, others are in the order of their numbers.
fn first_eight(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(key) {
        *to = *from;
    }
    u64::from_le_bytes(first).swap_bytes()
}

fn key<'a>(chunks: &'a [Vec<u8>], entry: &Entry) -> &'a [u8] {
    let start = entry.start as usize;
    &chunks[entry.chunk as usize][start..start + entry.key_size as usize]
}

/// Entries in internal-key order.
#[derive(Debug)]
pub(super) struct Sorted {
    order: InternalKeyComparator,
    chunks: Vec<Vec<u8>>,
    entries: Vec<Entry>,
}

impl Sorted {
    pub(super) fn iter(self: &Arc<Self>) -> SortedIter {
        SortedIter { sorted: Arc::clone(self), at: usize::MAX }
    }
}

/// A cursor over [`Sorted`], which it keeps alive.
#[derive(Debug)]
pub(super) struct SortedIter {
    sorted: Arc<Sorted>,
    /// Index of the entry; beyond them all, none.
    at: usize,
}

impl InternalIterator for SortedIter {
    fn valid(&self) -> bool {
        self.at < self.sorted.entries.len()
    }

    fn seek_to_first(&mut self) {
        self.at = 0;
    }

    fn seek_to_last(&mut self) {
        self.at = self.sorted.entries.len().wrapping_sub(1);
    }

    fn seek(&mut self, target: &[u8]) {
        let Sorted { order, chunks, entries } = &*self.sorted;
        self.at =
            entries.partition_point(|entry| order.compare(key(chunks, entry), target).is_lt());
    }

    fn next(&mut self) {
        self.at += 1;
    }

    fn prev(&mut self) {
        self.at = self.at.wrapping_sub(1);
    }

    fn key(&self) -> &[u8] {
        key(&self.sorted.chunks, &self.sorted.entries[self.at])
    }

    fn value(&self) -> &[u8] {
        let entry = &self.sorted.entries[self.at];
        let start = (entry.start + entry.key_size) as usize;
        &self.sorted.chunks[entry.chunk as usize][start..start + entry.value_size as usize]
    }

    fn status(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "sort_buffer_tests.rs"]
mod tests;
