//! [`BatchView`]: a checked batch in someone else's buffer, and the walk over its operations.
//!
//! Replaying a log goes through here, so that no record is copied on its way into a memtable. The
//! byte layout is drawn in the module above.
//!
//! Source: LevelDB `db/write_batch.cc`, `WriteBatch::Iterate`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;

use super::BATCH_HEADER_SIZE;
use crate::codec::{Decoder, to_u64};
use crate::key::{MAX_SEQUENCE, SequenceNumber, USER_KEY_SIZE_MAX, ValueType};

/// What is wrong with the bytes of a batch. Offsets count from the start of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchDefect {
    /// Fewer than the 12 bytes of the header.
    TooSmall {
        /// Bytes there are.
        size: u64,
    },
    /// A put whose key or value runs past the end.
    BadPut {
        /// Where the operation starts.
        offset: u64,
    },
    /// A delete whose key runs past the end.
    BadDelete {
        /// Where the operation starts.
        offset: u64,
    },
    /// An operation that is neither put nor delete.
    UnknownTag {
        /// Where the operation starts.
        offset: u64,
        /// Its first byte.
        tag: u8,
    },
    /// A key that no internal key can be made of, whose length has 32 bits.
    KeyTooLong {
        /// Where the operation starts.
        offset: u64,
        /// Bytes of the key.
        size: u64,
    },
    /// The header promises another number of operations than follow.
    WrongCount {
        /// As the header says.
        stored: u32,
        /// As follow.
        found: u64,
    },
    /// The first or the last sequence number does not fit an internal key.
    SequenceTooLarge {
        /// As the header says.
        sequence: u64,
        /// As the header says.
        count: u32,
    },
}

impl fmt::Display for BatchDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchDefect::TooSmall { size } => {
                write!(f, "malformed batch: {size} bytes cannot hold its header")
            }
            BatchDefect::BadPut { offset } => write!(f, "bad put at byte {offset} of a batch"),
            BatchDefect::BadDelete { offset } => {
                write!(f, "bad delete at byte {offset} of a batch")
            }
            BatchDefect::UnknownTag { offset, tag } => {
                write!(f, "unknown operation {tag} at byte {offset} of a batch")
            }
            BatchDefect::KeyTooLong { offset, size } => {
                write!(f, "key of {size} bytes is too long, at byte {offset} of a batch")
            }
            BatchDefect::WrongCount { stored, found } => {
                write!(f, "batch has wrong count: says {stored} operations, holds {found}")
            }
            BatchDefect::SequenceTooLarge { sequence, count } => {
                write!(f, "batch of {count} operations has impossible sequence {sequence}")
            }
        }
    }
}

impl std::error::Error for BatchDefect {}

/// One operation of a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BatchOp<'a> {
    /// From here on the key has this value.
    Put {
        /// The user key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// From here on the key has no value.
    Delete {
        /// The user key.
        key: &'a [u8],
    },
}

impl<'a> BatchOp<'a> {
    /// The user key.
    pub fn key(&self) -> &'a [u8] {
        match self {
            BatchOp::Put { key, .. } | BatchOp::Delete { key } => key,
        }
    }

    /// The value; empty for a delete.
    pub fn value(&self) -> &'a [u8] {
        match self {
            BatchOp::Put { value, .. } => value,
            BatchOp::Delete { .. } => &[],
        }
    }

    /// The type that the entry of this operation has.
    pub fn value_type(&self) -> ValueType {
        match self {
            BatchOp::Put { .. } => ValueType::Value,
            BatchOp::Delete { .. } => ValueType::Deletion,
        }
    }
}

impl fmt::Debug for BatchOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchOp::Put { key, value } => {
                write!(f, "Put({}, {})", key.escape_ascii(), value.escape_ascii())
            }
            BatchOp::Delete { key } => write!(f, "Delete({})", key.escape_ascii()),
        }
    }
}

/// A batch that borrows its bytes, all of which have been checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BatchView<'a> {
    sequence: SequenceNumber,
    count: u32,
    operations: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Checks `contents` from end to end.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn parse(contents: &'a [u8]) -> Result<Self, BatchDefect> {
        Self::parse_with(contents, USER_KEY_SIZE_MAX)
    }

    /// Checks `contents`, whose keys have `key_size_max` bytes at most.
    fn parse_with(contents: &'a [u8], key_size_max: u64) -> Result<Self, BatchDefect> {
        let view = Self::split(contents)
            .ok_or_else(|| BatchDefect::TooSmall { size: to_u64(contents.len()) })?;
        let (sequence, count) = (view.sequence, view.count);
        // A count of 0 must not underflow: such a batch occupies no sequence number, and the one
        // that it carries may be 0.
        let last = sequence.checked_add(u64::from(count.saturating_sub(1)));
        if last.is_none_or(|last| last > MAX_SEQUENCE) {
            return Err(BatchDefect::SequenceTooLarge { sequence, count });
        }
        let mut decoder = Decoder::new(view.operations);
        let mut found = 0_u64;
        while !decoder.is_empty() {
            let offset = to_u64(contents.len() - decoder.rest().len());
            let size = to_u64(next_op(&mut decoder, offset)?.key().len());
            if size > key_size_max {
                return Err(BatchDefect::KeyTooLong { offset, size });
            }
            found += 1;
        }
        if found != u64::from(count) {
            return Err(BatchDefect::WrongCount { stored: count, found });
        }
        Ok(view)
    }

    /// A view of bytes that are a batch by construction.
    pub(super) fn trusted(contents: &'a [u8]) -> Self {
        Self::split(contents).expect("a batch always has its header")
    }

    fn split(contents: &'a [u8]) -> Option<Self> {
        let mut decoder = Decoder::new(contents);
        let sequence = decoder.fixed64()?;
        let count = decoder.fixed32()?;
        Some(BatchView { sequence, count, operations: decoder.rest() })
    }

    /// Sequence number of the first operation.
    pub fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// Sequence number of the last operation; `None` in an empty batch, which occupies none.
    pub fn last_sequence(&self) -> Option<SequenceNumber> {
        let beyond_first = self.count.checked_sub(1)?;
        Some(self.sequence + u64::from(beyond_first))
    }

    /// Number of operations.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the stored form, its 12-byte header included.
    pub fn byte_size(&self) -> usize {
        BATCH_HEADER_SIZE + self.operations.len()
    }

    /// The operations in order.
    pub fn iter(&self) -> BatchIter<'a> {
        BatchIter { decoder: Decoder::new(self.operations) }
    }
}

impl<'a> IntoIterator for BatchView<'a> {
    type Item = BatchOp<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &BatchView<'a> {
    type Item = BatchOp<'a>;
    type IntoIter = BatchIter<'a>;

    fn into_iter(self) -> BatchIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for BatchView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{} ", self.sequence)?;
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Walks over the operations of a checked batch. See [`BatchView::iter`].
#[derive(Clone, Debug)]
pub struct BatchIter<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Iterator for BatchIter<'a> {
    type Item = BatchOp<'a>;

    #[inline]
    fn next(&mut self) -> Option<BatchOp<'a>> {
        if self.decoder.is_empty() {
            return None;
        }
        Some(next_op(&mut self.decoder, 0).expect("a batch is checked before it is walked"))
    }
}

/// Takes the operation that starts at byte `offset` of its batch.
#[inline]
fn next_op<'a>(decoder: &mut Decoder<'a>, offset: u64) -> Result<BatchOp<'a>, BatchDefect> {
    let tag = decoder.byte().unwrap_or_default();
    match ValueType::from_byte(tag) {
        Some(ValueType::Value) => {
            let pieces = decoder.length_prefixed().zip(decoder.length_prefixed());
            let (key, value) = pieces.ok_or(BatchDefect::BadPut { offset })?;
            Ok(BatchOp::Put { key, value })
        }
        Some(ValueType::Deletion) => {
            let key = decoder.length_prefixed().ok_or(BatchDefect::BadDelete { offset })?;
            Ok(BatchOp::Delete { key })
        }
        None => Err(BatchDefect::UnknownTag { offset, tag }),
    }
}

/// The last sequence number that a batch with this header occupies; `None` if the bytes are no
/// whole header, or one of an empty batch, or one that no batch can have.
pub fn last_sequence_of_head(head: &[u8]) -> Option<SequenceNumber> {
    let view = BatchView::split(head)?;
    let beyond_first = u64::from(view.count.checked_sub(1)?);
    view.sequence.checked_add(beyond_first).filter(|last| *last <= MAX_SEQUENCE)
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
