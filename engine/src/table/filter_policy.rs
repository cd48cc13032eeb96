//! [`FilterPolicy`]: a short summary of a set of keys that says of any key "not among them" or
//! "perhaps"; and [`BloomFilter`], the one that LevelDB has.
//!
//! ```text
//! bloom filter = bits, rounded up to bytes; then 1 byte: k, the number of probes
//! bit p        = byte p / 8, mask 1 << (p % 8)
//! probes of a key: h = hash32(key, 0xbc9f1d34), then h + delta, h + 2 * delta, ..., each modulo
//!                  the number of bits; delta = h rotated right by 17
//! ```
//!
//! Source: LevelDB `include/leveldb/filter_policy.h`, `util/bloom.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt::Debug;

use crate::codec::{hash32, to_u64};

/// Makes filters and asks them. Fixed for the life of the tables that were written with it: under
/// another name their filters are not used.
pub trait FilterPolicy: Send + Sync + Debug + 'static {
    /// Names the policy. Stored in every table that has a filter; change it with the filters.
    fn name(&self) -> &str;

    /// Appends a filter for `keys`, which are user keys in order, perhaps with duplicates.
    fn create_filter(&self, keys: &[&[u8]], filter: &mut Vec<u8>);

    /// Whether `key` may have been among the keys that `filter` was made for. Must be true if it
    /// was. `filter` comes from disk.
    fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool;
}

/// A bloom filter over user keys. Do not use it with a comparator that calls different keys equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BloomFilter {
    bits_per_key: usize,
    probes: u8,
}

/// The most probes that a filter has; a larger number is kept for other encodings.
// Never change: written to disk.
const PROBES_MAX: u8 = 30;

// Never change: written to disk.
const SEED: u32 = 0xbc9f_1d34;

/// More bits than this help nobody, and their number must not overflow.
const BITS_PER_KEY_MAX: usize = 1000;

impl BloomFilter {
    /// Filters of about `bits_per_key` bits for each key, at most 1000; 10 let about 1 % of foreign
    /// keys pass.
    pub fn new(bits_per_key: usize) -> Self {
        let bits_per_key = bits_per_key.min(BITS_PER_KEY_MAX);
        // ln 2 times the bits makes the fewest mistakes; 0.69 and cut off, as LevelDB has it.
        let probes = bits_per_key * 69 / 100;
        let probes = u8::try_from(probes).unwrap_or(PROBES_MAX).clamp(1, PROBES_MAX);
        BloomFilter { bits_per_key, probes }
    }

    /// The bits that a key sets, among `bit_count`.
    fn bits_of(key: &[u8], probes: u8, bit_count: u64) -> impl Iterator<Item = u64> {
        let start = hash32(key, SEED);
        let delta = start.rotate_right(17);
        let probe = move |n: u8| u64::from(start.wrapping_add(delta.wrapping_mul(u32::from(n))));
        (0..probes).map(move |n| probe(n) % bit_count)
    }
}

fn byte_and_mask(bit: u64) -> Option<(usize, u8)> {
    Some((usize::try_from(bit / 8).ok()?, 1 << (bit % 8)))
}

impl FilterPolicy for BloomFilter {
    // Never change: written to disk.
    fn name(&self) -> &'static str {
        "leveldb.BuiltinBloomFilter2"
    }

    fn create_filter(&self, keys: &[&[u8]], filter: &mut Vec<u8>) {
        // A very small filter would let far too much pass.
        let bits = keys.len().saturating_mul(self.bits_per_key).max(64);
        let start = filter.len();
        filter.resize(start + bits.div_ceil(8), 0);
        let Some(bytes) = filter.get_mut(start..) else { return };
        let bit_count = to_u64(bytes.len()) * 8;
        for key in keys {
            for bit in Self::bits_of(key, self.probes, bit_count) {
                if let Some((byte, mask)) = byte_and_mask(bit)
                    && let Some(byte) = bytes.get_mut(byte)
                {
                    *byte |= mask;
                }
            }
        }
        filter.push(self.probes);
    }

    fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool {
        // Without a key there is not even a byte of bits.
        let Some((&probes, bytes)) = filter.split_last().filter(|(_, bytes)| !bytes.is_empty())
        else {
            return false;
        };
        if probes > PROBES_MAX {
            return true;
        }
        Self::bits_of(key, probes, to_u64(bytes.len()) * 8).all(|bit| {
            byte_and_mask(bit)
                .is_some_and(|(byte, mask)| bytes.get(byte).is_some_and(|&byte| byte & mask != 0))
        })
    }
}
