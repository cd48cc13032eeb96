//! Write batches, the records of a log.
//!
//! ```text
//! batch := sequence: u64  count: u32  operation{count}
//! operation := 1 key: bytes value: bytes | 0 key: bytes       bytes := varint32 length, bytes
//! ```
//!
//! The operation at index i has sequence number `sequence + i`.

use std::borrow::Cow;
use std::ops::Range;

use super::bytes::Rest;

/// The largest sequence number that fits beside the type in a key.
const SEQUENCE_MAX: u64 = (1 << 56) - 1;

const HEADER: usize = 12;

/// A batch, checked to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<'bytes> {
    /// Where its record is in the log.
    pub place: Range<usize>,
    /// Sequence number of the first operation.
    pub sequence: u64,
    /// How many operations; none is legal.
    pub count: u32,
    payload: Cow<'bytes, [u8]>,
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'batch> {
    /// The user key.
    pub key: &'batch [u8],
    /// The value, or `None` if the key is deleted.
    pub value: Option<&'batch [u8]>,
}

impl<'bytes> Batch<'bytes> {
    /// Decodes a record of a log.
    pub(super) fn decode(
        place: Range<usize>,
        payload: Cow<'bytes, [u8]>,
    ) -> Result<Self, &'static str> {
        let (sequence, count) = header(&payload).ok_or("too short for a batch")?;
        let mut rest = Rest(&payload[HEADER..]);
        let mut found = 0_u32;
        while !rest.is_empty() {
            operation(&mut rest).ok_or("a bad operation")?;
            found += 1;
        }
        if found != count {
            return Err("a wrong count");
        }
        if SEQUENCE_MAX < last_sequence(sequence, count) {
            return Err("a sequence number out of range");
        }
        Ok(Self { place, sequence, count, payload })
    }

    /// The operations in order.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let mut rest = Rest(&self.payload[HEADER..]);
        std::iter::from_fn(move || operation(&mut rest))
    }

    /// The first sequence number behind the batch.
    pub fn end(&self) -> u64 {
        self.sequence + u64::from(self.count)
    }
}

/// Sequence and count.
fn header(payload: &[u8]) -> Option<(u64, u32)> {
    let mut rest = Rest(payload);
    Some((rest.fixed64()?, rest.fixed32()?))
}

fn operation<'batch>(rest: &mut Rest<'batch>) -> Option<Operation<'batch>> {
    let tag = rest.byte()?;
    let key = rest.prefixed()?;
    match tag {
        0 => Some(Operation { key, value: None }),
        1 => Some(Operation { key, value: Some(rest.prefixed()?) }),
        _ => None,
    }
}

fn last_sequence(sequence: u64, count: u32) -> u64 {
    sequence.saturating_add(u64::from(count)).saturating_sub(1)
}

/// The last sequence number that a batch uses, told from its header alone: of a batch that is
/// torn or behind a hole. `None` if it uses none, or none that is possible.
pub(super) fn last_sequence_of(payload: &[u8]) -> Option<u64> {
    let (sequence, count) = header(payload)?;
    let last = last_sequence(sequence, count);
    (0 < count && last <= SEQUENCE_MAX).then_some(last)
}
