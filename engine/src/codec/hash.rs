//! [`hash32`]: the hash that is written to disk, in bloom filters.
//!
//! Source: LevelDB `util/hash.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use super::{low_u32, to_u64};

/// The 32-bit hash of `bytes`. Bytes count as unsigned, and words as little-endian, everywhere.
// Never change: written to disk.
pub fn hash32(bytes: &[u8], seed: u32) -> u32 {
    const MULTIPLIER: u32 = 0xc6a4_a793;
    let mut hash = seed ^ low_u32(to_u64(bytes.len())).wrapping_mul(MULTIPLIER);
    let (words, tail) = bytes.as_chunks();
    for word in words {
        hash = hash.wrapping_add(u32::from_le_bytes(*word)).wrapping_mul(MULTIPLIER);
        hash ^= hash >> 16;
    }
    if !tail.is_empty() {
        for (&byte, shift) in tail.iter().zip([0, 8, 16]) {
            hash = hash.wrapping_add(u32::from(byte) << shift);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
        hash ^= hash >> 24;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LevelDB's `hash_test`, with its numbers.
    #[test]
    fn hash_signed_unsigned_issue() {
        assert_eq!(hash32(b"", 0xbc9f_1d34), 0xbc9f_1d34);
        assert_eq!(hash32(&[0x62], 0xbc9f_1d34), 0xef13_45c4);
        assert_eq!(hash32(&[0xc3, 0x97], 0xbc9f_1d34), 0x5b66_3814);
        assert_eq!(hash32(&[0xe2, 0x99, 0xa5], 0xbc9f_1d34), 0x323c_078f);
        assert_eq!(hash32(&[0xe1, 0x80, 0xb9, 0x32], 0xbc9f_1d34), 0xed21_633a);
        let pdu = [
            0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
            0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14,
            0x00, 0x00, 0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00,
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        ];
        assert_eq!(hash32(&pdu, 0x1234_5678), 0xf333_dabb);
    }
}
