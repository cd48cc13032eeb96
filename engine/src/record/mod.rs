//! The framing of logs and MANIFESTs: records of any size in blocks of 32 KiB.
//!
//! The module is called `record` because a "log" is also what a program writes for people.
//!
//! ```text
//! file    = block* (the last one may be short)
//! block   = physical record* padding       32768 bytes
//! padding = 0..=6 zero bytes, where no header fits
//!
//! physical record
//! +---------------+----------------+-----------+--------------------+
//! | fixed32 crc   | 2-byte length  | 1-byte    | payload            |
//! | masked, over  | low byte first | type      | length bytes,      |
//! | type||payload | 0..=32761      |           | within the block   |
//! +---------------+----------------+-----------+--------------------+
//!
//! type    1 FULL     a whole record
//!         2 FIRST    its first fragment
//!         3 MIDDLE   neither first nor last
//!         4 LAST     its last fragment
//!         0          never written; with length 0: preallocated space
//! ```
//!
//! A record of 0 bytes is a FULL of length 0. Where exactly 7 bytes are left in a block, a record
//! with a payload starts there with a FIRST of length 0.
//!
//! A file can end anywhere: the machine stopped before the rest was written. What a reader finds
//! is therefore of three kinds, kept apart by type: a record, dropped bytes ([`Dropped`]) and a
//! torn end ([`Tail`]). The reader decides nothing about the latter two; recovery policy does.
//!
//! Source: LevelDB `doc/log_format.md`, `db/log_format.h`.

mod physical;
mod reader;
mod writer;

pub use reader::{Dropped, Item, Reader, Tail};
pub use writer::Writer;

/// Size of a block in bytes.
// Never change: written to disk.
pub const BLOCK_SIZE: usize = 32_768;

/// Size of a checksum, with which every physical record starts.
const CHECKSUM_SIZE: usize = 4;

/// Size of the header of a physical record in bytes.
// Never change: written to disk.
pub const HEADER_SIZE: usize = CHECKSUM_SIZE + 2 + 1;

/// What part of a record a physical record holds.
// Never change: written to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RecordType {
    /// All of it.
    Full = 1,
    /// Its first part.
    First = 2,
    /// A part with others on both sides.
    Middle = 3,
    /// Its last part.
    Last = 4,
}

impl RecordType {
    /// The type behind a stored byte, if a writer of this format writes it.
    ///
    /// 5 and above are no types here, though LevelDB uses 5 and 6 for its own purposes and RocksDB
    /// writes 5 to 12: whoever meets one must be told.
    #[inline]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(RecordType::Full),
            2 => Some(RecordType::First),
            3 => Some(RecordType::Middle),
            4 => Some(RecordType::Last),
            _ => None,
        }
    }

    /// The byte that is stored.
    #[inline]
    pub const fn to_byte(self) -> u8 {
        match self {
            RecordType::Full => 1,
            RecordType::First => 2,
            RecordType::Middle => 3,
            RecordType::Last => 4,
        }
    }
}

/// The first bytes of a record, as many as the header of a batch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    bytes: [u8; RecordHead::SIZE],
    size: usize,
}

impl RecordHead {
    /// Bytes kept.
    pub const SIZE: usize = 12;

    fn of(record: &[u8]) -> Self {
        let size = record.len().min(Self::SIZE);
        let mut bytes = [0; Self::SIZE];
        for (kept, byte) in bytes.iter_mut().zip(record) {
            *kept = *byte;
        }
        RecordHead { bytes, size }
    }

    /// The bytes: [`RecordHead::SIZE`], or fewer if the record, or its first fragment, is shorter.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
