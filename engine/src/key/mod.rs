//! Internal keys, the order they are kept in, and the order of user keys beneath it.
//!
//! ```text
//! internal key = user key (any bytes) || fixed64 trailer
//! trailer      = sequence number (56 bits) << 8 | value type (8 bits)
//! order        = user keys ascending, then trailers descending: the newest entry comes first
//! ```
//!
//! Nothing here allocates but the two shortening functions, and nothing here panics on bytes from
//! disk: a key too short to hold a trailer has an empty user key and trailer 0, so that the order
//! stays total; whoever needs to know asks [`ParsedInternalKey::parse`].
//!
//! Source: LevelDB `db/dbformat.h`, `util/comparator.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::cmp::Ordering;
use core::fmt::{self, Debug};
use std::sync::Arc;

use crate::codec::put_fixed64;

/// The number of a write: every operation of every batch has one, in commit order.
pub type SequenceNumber = u64;

/// The largest sequence number; the eight bits above it hold the value type.
pub const MAX_SEQUENCE: SequenceNumber = (1 << 56) - 1;

/// Bytes of the trailer of an internal key.
pub const TRAILER_SIZE: usize = 8;
/// Most bytes of a user key: stored lengths, those of internal keys too, have 32 bits.
pub(crate) const USER_KEY_SIZE_MAX: u64 = 0xffff_ffff - 8;

/// What an entry does to its user key.
// Never change: written to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// The key is gone from here on.
    Deletion = 0,
    /// The key has a value from here on.
    Value = 1,
}

impl ValueType {
    /// The type with which a sought key sorts before every entry of the same sequence number.
    pub const FOR_SEEK: ValueType = ValueType::Value;

    /// The type behind a stored byte, if it is one.
    #[inline]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(ValueType::Deletion),
            1 => Some(ValueType::Value),
            _ => None,
        }
    }

    /// The byte that is stored.
    #[inline]
    pub const fn to_byte(self) -> u8 {
        match self {
            ValueType::Deletion => 0,
            ValueType::Value => 1,
        }
    }
}

/// Packs the trailer of an internal key. `sequence` is at most [`MAX_SEQUENCE`].
#[inline]
pub fn pack_trailer(sequence: SequenceNumber, value_type: ValueType) -> u64 {
    debug_assert!(sequence <= MAX_SEQUENCE, "sequence {sequence} does not fit a trailer");
    sequence << 8 | u64::from(value_type.to_byte())
}

/// Appends the internal key of these parts. `sequence` is at most [`MAX_SEQUENCE`].
#[inline]
pub fn append_internal_key(
    out: &mut Vec<u8>,
    user_key: &[u8],
    sequence: SequenceNumber,
    value_type: ValueType,
) {
    out.reserve(user_key.len() + TRAILER_SIZE);
    out.extend_from_slice(user_key);
    put_fixed64(out, pack_trailer(sequence, value_type));
}

/// The user key in an internal key; empty if that is too short to be one.
#[inline]
pub fn user_key(internal_key: &[u8]) -> &[u8] {
    split(internal_key).0
}

/// The trailer of an internal key; 0 if that is too short to be one.
#[inline]
pub fn trailer(internal_key: &[u8]) -> u64 {
    split(internal_key).1
}

#[inline]
fn split(internal_key: &[u8]) -> (&[u8], u64) {
    match internal_key.split_last_chunk::<TRAILER_SIZE>() {
        Some((user_key, trailer)) => (user_key, u64::from_le_bytes(*trailer)),
        None => (&[], 0),
    }
}

/// Beyond this the library's comparison is the faster one.
const SHORT_KEY_MAX: usize = 32;

/// Plain byte order. Most keys are short, and for them the call of a library is most of the time.
#[inline]
pub(crate) fn compare_bytes(mut a: &[u8], mut b: &[u8]) -> Ordering {
    if a.len().min(b.len()) > SHORT_KEY_MAX {
        return a.cmp(b);
    }
    while let (Some((left, a_rest)), Some((right, b_rest))) =
        (a.split_first_chunk::<8>(), b.split_first_chunk::<8>())
    {
        let [left, right] = [left, right].map(|eight| u64::from_le_bytes(*eight));
        if left != right {
            return left.swap_bytes().cmp(&right.swap_bytes());
        }
        (a, b) = (a_rest, b_rest);
    }
    // One has fewer than eight bytes left. If it is equal with zeros behind it, it is a prefix of
    // the other, or the other is one of it.
    first_eight(a).cmp(&first_eight(b)).then_with(|| a.len().cmp(&b.len()))
}

/// The first eight bytes as a number in their order, with zeros for those that are not there.
#[inline]
fn first_eight(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*eight).swap_bytes();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The last four overlap the first by 8 less the length: what is shared is shifted out.
        let last = u64::from(u32::from_le_bytes(*last).swap_bytes()) << (8 * (8 - bytes.len()));
        return u64::from(u32::from_le_bytes(*first).swap_bytes()) << 32
            | last & u64::from(u32::MAX);
    }
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte));
    byte(0) << 56 | byte(1) << 48 | byte(2) << 40
}

/// An internal key taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ParsedInternalKey<'a> {
    /// The key as the user gave it.
    pub user_key: &'a [u8],
    /// When it was written.
    pub sequence: SequenceNumber,
    /// What was written.
    pub value_type: ValueType,
}

impl<'a> ParsedInternalKey<'a> {
    /// Takes an internal key apart; `None` if it is shorter than a trailer or its type is none.
    #[inline]
    pub fn parse(internal_key: &'a [u8]) -> Option<Self> {
        let (user_key, trailer) = internal_key.split_last_chunk::<TRAILER_SIZE>()?;
        // The trailer is little-endian: its first byte is the type.
        let [type_byte, ..] = *trailer;
        Some(ParsedInternalKey {
            user_key,
            sequence: u64::from_le_bytes(*trailer) >> 8,
            value_type: ValueType::from_byte(type_byte)?,
        })
    }

    /// Appends the internal key of these parts.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        append_internal_key(out, self.user_key, self.sequence, self.value_type);
    }
}

impl Debug for ParsedInternalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, sequence) = (self.user_key.escape_ascii(), self.sequence);
        write!(f, "'{key}' @ {sequence} : {:?}", self.value_type)
    }
}

/// A total order over user keys, chosen when a database is created and fixed for its life.
pub trait Comparator: Send + Sync + Debug + 'static {
    /// Names the order. Stored in the MANIFEST; a database is never opened under another name.
    fn name(&self) -> &str;

    /// Compares two user keys.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;

    /// Shortens `start` to a key in `[start, limit)`, or leaves it alone. `start` is below
    /// `limit`. Used to keep the index of a table small.
    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]);

    /// Shortens `key` to a key at or above it, or leaves it alone.
    fn find_short_successor(&self, key: &mut Vec<u8>);

    /// Whether [`Comparator::compare`] is plain byte order, which callers may then use without a
    /// virtual call. Leave it alone unless that is so.
    fn is_bytewise(&self) -> bool {
        false
    }
}

/// Plain byte order, the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct BytewiseComparator;

impl Comparator for BytewiseComparator {
    // Never change: written to disk.
    fn name(&self) -> &'static str {
        "leveldb.BytewiseComparator"
    }

    #[inline]
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }

    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        // When one is a prefix of the other there is nothing shorter between them.
        let Some(index) = start.iter().zip(limit).position(|(a, b)| a != b) else { return };
        let (Some(&low), Some(&high)) = (start.get(index), limit.get(index)) else { return };
        if let Some(raised) = low.checked_add(1).filter(|&raised| raised < high) {
            start.truncate(index);
            start.push(raised);
        }
    }

    fn find_short_successor(&self, key: &mut Vec<u8>) {
        // A run of 0xff has no shorter successor.
        let Some(index) = key.iter().position(|&byte| byte != 0xff) else { return };
        key.truncate(index + 1);
        if let Some(last) = key.last_mut() {
            *last += 1;
        }
    }

    fn is_bytewise(&self) -> bool {
        true
    }
}

/// The order of internal keys over a given order of user keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct InternalKeyComparator {
    user: Arc<dyn Comparator>,
    // Invariant: equals `user.is_bytewise()`; saves a virtual call on each comparison.
    bytewise: bool,
}

impl InternalKeyComparator {
    /// The order over `user`.
    pub fn new(user: Arc<dyn Comparator>) -> Self {
        let bytewise = user.is_bytewise();
        InternalKeyComparator { user, bytewise }
    }

    /// The order over plain byte order.
    pub fn bytewise() -> Self {
        Self::new(Arc::new(BytewiseComparator))
    }

    /// The order of user keys.
    pub fn user(&self) -> &Arc<dyn Comparator> {
        &self.user
    }

    /// Whether user keys are in plain byte order.
    pub fn is_bytewise(&self) -> bool {
        self.bytewise
    }

    /// Compares two internal keys.
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let (a_user, a_trailer) = split(a);
        let (b_user, b_trailer) = split(b);
        self.compare_user(a_user, b_user).then_with(|| b_trailer.cmp(&a_trailer))
    }

    /// Compares two user keys.
    #[inline]
    pub fn compare_user(&self, a: &[u8], b: &[u8]) -> Ordering {
        if self.bytewise { compare_bytes(a, b) } else { self.user.compare(a, b) }
    }

    /// Shortens the internal key `start` to one in `[start, limit)`, or leaves it alone.
    pub fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        let mut short = user_key(start).to_vec();
        self.user.find_shortest_separator(&mut short, user_key(limit));
        self.replace_if_shorter(start, short);
    }

    /// Shortens the internal key `key` to one at or above it, or leaves it alone.
    pub fn find_short_successor(&self, key: &mut Vec<u8>) {
        let mut short = user_key(key).to_vec();
        self.user.find_short_successor(&mut short);
        self.replace_if_shorter(key, short);
    }

    fn replace_if_shorter(&self, key: &mut Vec<u8>, short: Vec<u8>) {
        let old = user_key(key);
        if short.len() < old.len() && self.compare_user(old, &short) == Ordering::Less {
            // The user key is above every entry on the left and differs from all on the right, so
            // the newest possible trailer puts it in front of its right neighbour.
            *key = short;
            put_fixed64(key, pack_trailer(MAX_SEQUENCE, ValueType::FOR_SEEK));
        }
    }
}

#[cfg(test)]
mod tests;
