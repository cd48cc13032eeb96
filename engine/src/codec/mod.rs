//! The integers, strings and checksums that every file of the format is made of.
//!
//! ```text
//! fixed32          4 bytes, least significant first
//! fixed64          8 bytes, least significant first
//! varint32 / 64    groups of 7 bits, low group first; the high bit of a byte says "more follow";
//!                  1..=5 bytes for 32 bits, 1..=10 for 64
//! length-prefixed  varint32 n, then n bytes
//! crc              fixed32 CRC-32C (Castagnoli), masked: rotated right by 15, plus 0xa282ead8
//! ```
//!
//! Writing appends to a `Vec` and cannot fail; reading goes through [`Decoder`], which answers
//! `None` to whatever the bytes do not hold and never panics. What a `None` means (which file,
//! which offset, torn or damaged) is the caller's to say.
//!
//! Source: LevelDB `util/coding.cc`, `util/crc32c.h`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

mod hash;

pub use hash::hash32;

/// Most bytes of a varint32.
pub const VARINT32_SIZE_MAX: usize = 5;
/// Most bytes of a varint64.
pub const VARINT64_SIZE_MAX: usize = 10;

/// A length in memory as a file offset or size.
#[expect(clippy::as_conversions, reason = "no target has a usize wider than 64 bits")]
pub const fn to_u64(length: usize) -> u64 {
    length as u64
}

/// A 32-bit length from a file as one in memory.
#[expect(clippy::as_conversions, reason = "no target of this crate has a usize under 32 bits")]
pub const fn to_usize(length: u32) -> usize {
    length as usize
}

/// The low 8 bits.
#[expect(clippy::as_conversions, reason = "cutting off the rest is the purpose")]
const fn low_byte(value: u64) -> u8 {
    value as u8
}

/// The low 32 bits.
#[expect(clippy::as_conversions, reason = "cutting off the rest is the purpose")]
const fn low_u32(value: u64) -> u32 {
    value as u32
}

/// Appends a fixed32.
#[inline]
pub fn put_fixed32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a fixed64.
#[inline]
pub fn put_fixed64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a varint32.
#[inline]
pub fn put_varint32(out: &mut Vec<u8>, value: u32) {
    put_varint64(out, u64::from(value));
}

/// Appends a varint64.
#[inline]
pub fn put_varint64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends `bytes` with its length in front.
///
/// # Panics
/// If `bytes` has 2^32 bytes or more: callers refuse such input long before.
#[inline]
pub fn put_length_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("strings are capped below 4 GiB on entry");
    put_varint32(out, length);
    out.extend_from_slice(bytes);
}

/// How many bytes `value` takes as a varint.
pub const fn varint_size(mut value: u64) -> usize {
    let mut size = 1;
    while value >= 0x80 {
        size += 1;
        value >>= 7;
    }
    size
}

/// Takes values off the front of a slice.
///
/// Each method answers `None` when the bytes run out or do not form such a value, and then leaves
/// the decoder where it was.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Starts at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    /// Takes the next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes one byte.
    #[inline]
    pub fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Takes a fixed32.
    #[inline]
    pub fn fixed32(&mut self) -> Option<u32> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(bytes))
    }

    /// Takes a fixed64.
    #[inline]
    pub fn fixed64(&mut self) -> Option<u64> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_le_bytes(bytes))
    }

    /// Takes a varint32. Bits of a fifth byte that lie beyond the 32nd are dropped, as LevelDB
    /// drops them; a fifth byte that announces a sixth is refused.
    #[inline]
    pub fn varint32(&mut self) -> Option<u32> {
        self.varint(VARINT32_SIZE_MAX).map(low_u32)
    }

    /// Takes a varint64, by the rules of [`Decoder::varint32`] for ten bytes.
    #[inline]
    pub fn varint64(&mut self) -> Option<u64> {
        self.varint(VARINT64_SIZE_MAX)
    }

    #[inline]
    fn varint(&mut self, size_max: usize) -> Option<u64> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        for (index, &byte) in self.rest.iter().take(size_max).enumerate() {
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                let (_, rest) = self.rest.split_at_checked(index + 1)?;
                self.rest = rest;
                return Some(value);
            }
            shift += 7;
        }
        None
    }

    /// Takes a length-prefixed string.
    #[inline]
    pub fn length_prefixed(&mut self) -> Option<&'a [u8]> {
        let mut ahead = self.clone();
        let length = ahead.varint32()?;
        let taken = ahead.bytes(to_usize(length))?;
        *self = ahead;
        Some(taken)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// The CRC-32C of `bytes`, not masked.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    // The catalogue's name for it. The simulator checks with another implementation.
    crc_fast::crc32_iscsi(bytes)
}

// Never change: written to disk.
const MASK_DELTA: u32 = 0xa282_ead8;

/// A checksum in the form that is stored.
///
/// A CRC over bytes that embed their own CRC says little, and log payloads do embed tables and
/// logs; the masked form is not a CRC of anything near it.
#[inline]
pub const fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// The checksum behind a stored form; undoes [`mask`].
#[inline]
pub const fn unmask(stored: u32) -> u32 {
    stored.wrapping_sub(MASK_DELTA).rotate_left(15)
}

#[cfg(test)]
mod tests;
