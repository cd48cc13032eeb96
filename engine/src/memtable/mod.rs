//! [`MemTable`]: the newest writes, in memory, in internal-key order.
//!
//! Reading takes no lock and may happen on any thread while [`MemTableWriter`] adds; there is one
//! writer, which the types enforce. What an entry's sequence number means, and which of them a
//! reader may see yet, is the reader's business: an entry is found as soon as it is linked. A
//! [`Published`] number tells up to which of them all are.
//!
//! The rest of the engine uses a memtable only through the items of this module, so that another
//! structure can take the place of the skip list.
//!
//! Source: LevelDB `db/memtable.h`. Differs: the right to add is a value of its own; shared
//! ownership is an `Arc`.

mod arena;
mod published;
mod skiplist;

use core::cmp::Ordering;
use core::fmt;
use std::sync::Arc;

use crate::env::Threads;
use crate::error::Result;
use crate::iterator::InternalIterator;
use crate::key::{
    InternalKeyComparator, SequenceNumber, ValueType, pack_trailer, trailer, user_key,
};

use crate::value::{Found, Value, ValueOwner};

pub use published::Published;
use skiplist::{Position, SkipList};

/// What a memtable knows of a user key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The newest visible entry has this value.
    Value(&'a [u8]),
    /// The newest visible entry is a deletion: there is no older value to look for.
    Deleted,
    /// There is no visible entry here; an older place may have one.
    Absent,
}

/// Entries of internal key and value, in order.
pub struct MemTable<R: Threads> {
    order: InternalKeyComparator,
    list: SkipList<R>,
}

impl<R: Threads> ValueOwner for MemTable<R> {}

/// The right to add to one memtable. There is one for each, and it cannot be copied.
#[derive(Debug)]
pub struct MemTableWriter<R: Threads>(Arc<MemTable<R>>);

impl<R: Threads> MemTableWriter<R> {
    /// Makes an empty memtable in the order of `order`.
    pub fn new(order: InternalKeyComparator) -> Self {
        MemTableWriter(Arc::new(MemTable { order, list: SkipList::new() }))
    }

    /// The memtable itself, to read.
    pub fn table(&self) -> &Arc<MemTable<R>> {
        &self.0
    }

    /// Adds an entry. Readers find it from now on. `value` is ignored by readers if the entry is a
    /// deletion. No two entries may have the same key and sequence number.
    #[expect(unsafe_code, reason = "the list asks for a single writer, which this type is")]
    pub fn add(
        &mut self,
        sequence: SequenceNumber,
        value_type: ValueType,
        key: &[u8],
        value: &[u8],
    ) {
        let table = &*self.0;
        let tail = pack_trailer(sequence, value_type);
        // SAFETY: this value is unique to the list and `&mut`, so calls cannot overlap, and each
        // happens before the next one that holds it.
        unsafe {
            table.list.insert(key, &tail.to_le_bytes(), value, |node| {
                table.compare_parts(node, key, tail)
            });
        }
    }
}

impl<R: Threads> MemTable<R> {
    /// Looks up the newest entry of `key` whose sequence number is at most `sequence`.
    pub fn get(&self, key: &[u8], sequence: SequenceNumber) -> Lookup<'_> {
        let sought = pack_trailer(sequence, ValueType::FOR_SEEK);
        let at = self.list.seek(|node| self.compare_parts(node, key, sought));
        if at.is_none() {
            return Lookup::Absent;
        }
        let found = self.list.key(at);
        if self.order.compare_user(user_key(found), key).is_ne() {
            return Lookup::Absent;
        }
        let [type_byte, ..] = trailer(found).to_le_bytes();
        match ValueType::from_byte(type_byte) {
            Some(ValueType::Value) => Lookup::Value(self.list.value(at)),
            // Nothing but the two types can get in through `add`.
            Some(ValueType::Deletion) | None => Lookup::Deleted,
        }
    }

    /// As [`MemTable::get`], with a value that keeps the memtable from being freed.
    #[expect(unsafe_code, reason = "a value is a slice and its owner")]
    pub fn find(self: &Arc<Self>, key: &[u8], sequence: SequenceNumber) -> Found {
        match self.get(key, sequence) {
            // SAFETY: entries lie in the list's arena, where nothing is moved, changed or freed
            // before the memtable is dropped.
            Lookup::Value(value) => {
                Found::Value(unsafe { Value::new(value, Arc::<Self>::clone(self)) })
            }
            Lookup::Deleted => Found::Deleted,
            Lookup::Absent => Found::Absent,
        }
    }

    /// Bytes of memory taken, roughly: what `write_buffer_size` limits. May lag behind an `add`
    /// that is running.
    pub fn approximate_memory_usage(&self) -> u64 {
        self.list.memory_usage()
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.list.first().is_none()
    }

    /// A cursor over all entries, those added later included. It keeps the memtable alive.
    pub fn iter(self: &Arc<Self>) -> MemTableIterator<R> {
        MemTableIterator { table: Arc::clone(self), at: Position::NONE }
    }

    /// Compares a stored internal key with one in two parts, without putting them together.
    #[inline]
    fn compare_parts(&self, stored: &[u8], key: &[u8], tail: u64) -> Ordering {
        self.order.compare_user(user_key(stored), key).then_with(|| tail.cmp(&trailer(stored)))
    }
}

impl<R: Threads> fmt::Debug for MemTable<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemTable")
            .field("memory_usage", &self.approximate_memory_usage())
            .finish_non_exhaustive()
    }
}

/// A cursor over a memtable, which it keeps alive.
pub struct MemTableIterator<R: Threads> {
    table: Arc<MemTable<R>>,
    // Invariant: none, or a position of `table`'s list.
    at: Position,
}

#[expect(unsafe_code, reason = "a position is a raw pointer")]
// SAFETY: a position points into the list that `table` keeps alive, which any thread may read.
unsafe impl<R: Threads> Send for MemTableIterator<R> {}

impl<R: Threads> InternalIterator for MemTableIterator<R> {
    fn valid(&self) -> bool {
        !self.at.is_none()
    }

    fn seek_to_first(&mut self) {
        self.at = self.table.list.first();
    }

    fn seek_to_last(&mut self) {
        self.at = self.table.list.last();
    }

    fn seek(&mut self, target: &[u8]) {
        let table = &*self.table;
        self.at = table.list.seek(|node| table.order.compare(node, target));
    }

    fn next(&mut self) {
        self.at = self.table.list.next(self.at);
    }

    fn prev(&mut self) {
        let table = &*self.table;
        let here = table.list.key(self.at);
        self.at = table.list.seek_before(|node| table.order.compare(node, here));
    }

    fn key(&self) -> &[u8] {
        self.table.list.key(self.at)
    }

    fn value(&self) -> &[u8] {
        self.table.list.value(self.at)
    }

    fn status(&self) -> Result<()> {
        Ok(())
    }
}

impl<R: Threads> fmt::Debug for MemTableIterator<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemTableIterator").field("valid", &self.valid()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
