//! [`WriteBatch`]: operations that are applied together, in the form that the log stores.
//!
//! ```text
//! +-------------------+------------+---------------------------+
//! | fixed64 sequence  | fixed32 n  | n operations              |
//! +-------------------+------------+---------------------------+
//! put    = 0x01  length-prefixed key  length-prefixed value
//! delete = 0x00  length-prefixed key
//! ```
//!
//! Operation `i` has sequence number `sequence + i`. The bytes of a batch are the payload of one
//! log record.
//!
//! Invariant: a [`WriteBatch`] or [`BatchView`] in hand is valid from end to end. Bytes from
//! outside become one only after all of them were checked, so nothing is ever half applied.
//!
//! Source: LevelDB `db/write_batch.cc`. Differs: LevelDB applies operations while it checks them,
//! lets the count and the size wrap around, and accepts sequence numbers that do not fit a key.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

mod view;

pub use view::{BatchDefect, BatchIter, BatchOp, BatchView, last_sequence_of_head};

use core::fmt;

use crate::codec::{put_length_prefixed, to_u64, varint_size};
use crate::error::{Error, Result};
use crate::key::{SequenceNumber, ValueType};

/// Bytes in front of the first operation.
pub const BATCH_HEADER_SIZE: usize = 12;

/// Most bytes of a batch, header included: lengths on disk have 32 bits.
const BATCH_SIZE_MAX: u64 = 0xffff_ffff;

/// Puts and deletes that are applied together, or not at all.
#[derive(Clone, PartialEq, Eq)]
pub struct WriteBatch {
    // Invariant: `sequence` and `count` are in front as they are on disk, `count` operations
    // follow, and the whole is at most BATCH_SIZE_MAX bytes.
    contents: Vec<u8>,
}

impl WriteBatch {
    /// Makes an empty batch.
    pub fn new() -> Self {
        WriteBatch { contents: vec![0; BATCH_HEADER_SIZE] }
    }

    /// Adds: from here on `key` has `value`. Both may be empty and hold any bytes.
    ///
    /// # Errors
    /// `InvalidArgument` if the batch would reach 4 GiB or 2^32 operations; it is unchanged then.
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.reserve(1, 1 + prefixed_size(key) + prefixed_size(value))?;
        self.contents.push(ValueType::Value.to_byte());
        put_length_prefixed(&mut self.contents, key);
        put_length_prefixed(&mut self.contents, value);
        Ok(())
    }

    /// Adds: from here on `key` has no value. It need not have had one.
    ///
    /// # Errors
    /// As for [`WriteBatch::put`].
    pub fn delete(&mut self, key: &[u8]) -> Result<()> {
        self.reserve(1, 1 + prefixed_size(key))?;
        self.contents.push(ValueType::Deletion.to_byte());
        put_length_prefixed(&mut self.contents, key);
        Ok(())
    }

    /// Adds all operations of `other` behind those that are here. Its sequence number is ignored.
    ///
    /// # Errors
    /// As for [`WriteBatch::put`].
    pub fn append(&mut self, other: &WriteBatch) -> Result<()> {
        let operations = other.contents.get(BATCH_HEADER_SIZE..).unwrap_or_default();
        self.reserve(other.count(), to_u64(operations.len()))?;
        self.contents.extend_from_slice(operations);
        Ok(())
    }

    /// Empties the batch and sets its sequence number to 0. Keeps the memory.
    pub fn clear(&mut self) {
        self.contents.clear();
        self.contents.resize(BATCH_HEADER_SIZE, 0);
    }

    /// Number of operations.
    pub fn count(&self) -> u32 {
        self.as_view().count()
    }

    /// Sequence number of the first operation; 0 until the write path gives one.
    pub fn sequence(&self) -> SequenceNumber {
        self.as_view().sequence()
    }

    /// Sequence number of the last operation; `None` in an empty batch, which occupies none.
    pub fn last_sequence(&self) -> Option<SequenceNumber> {
        self.as_view().last_sequence()
    }

    /// Numbers the operations from `sequence` on. The last one's number is at most
    /// [`crate::key::MAX_SEQUENCE`].
    pub fn set_sequence(&mut self, sequence: SequenceNumber) {
        if let Some(stored) = self.contents.first_chunk_mut::<8>() {
            *stored = sequence.to_le_bytes();
        }
    }

    /// Bytes of the stored form, its 12-byte header included.
    pub fn byte_size(&self) -> usize {
        self.contents.len()
    }

    /// The stored form: the payload of the log record for this batch.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// Copies a batch out of its stored form.
    ///
    /// # Errors
    /// Whatever is wrong with it; see [`BatchDefect`]. All of it is checked first.
    pub fn from_contents(contents: &[u8]) -> core::result::Result<Self, BatchDefect> {
        BatchView::parse(contents)?;
        Ok(WriteBatch { contents: contents.to_vec() })
    }

    /// The operations in order.
    pub fn iter(&self) -> BatchIter<'_> {
        self.as_view().iter()
    }

    /// The batch as a view of its stored form.
    pub fn as_view(&self) -> BatchView<'_> {
        BatchView::trusted(&self.contents)
    }

    /// Counts `count` more operations of `bytes` bytes in all, or changes nothing.
    fn reserve(&mut self, count: u32, bytes: u64) -> Result<()> {
        let size = to_u64(self.contents.len()).saturating_add(bytes);
        if size > BATCH_SIZE_MAX {
            return Err(Error::invalid("a write batch must stay below 4 GiB"));
        }
        let count = self
            .count()
            .checked_add(count)
            .ok_or_else(|| Error::invalid("a write batch must stay below 2^32 operations"))?;
        // The stored count sits behind the 8 bytes of the sequence number.
        if let Some(stored) = self.contents.get_mut(8..BATCH_HEADER_SIZE) {
            stored.copy_from_slice(&count.to_le_bytes());
        }
        Ok(())
    }
}

/// Bytes that `bytes` takes with its length in front.
fn prefixed_size(bytes: &[u8]) -> u64 {
    let length = to_u64(bytes.len());
    length.saturating_add(to_u64(varint_size(length)))
}

impl Default for WriteBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> IntoIterator for &'a WriteBatch {
    type Item = BatchOp<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for WriteBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_view().fmt(f)
    }
}

#[cfg(test)]
mod tests;
