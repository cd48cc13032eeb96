//! [`VersionEdit`]: one change of the file set, the payload of one MANIFEST record.
//!
//! ```text
//! edit  = field*, in any order; each starts with its tag, a varint32
//!
//! tag 1  comparator       string name
//!     2  log number       varint64           older logs are not needed any more
//!     3  next file number varint64
//!     4  last sequence    varint64
//!     5  compact pointer  varint32 level, string internal key
//!     6  deleted file     varint32 level, varint64 number
//!     7  new file         varint32 level, varint64 number, varint64 size in bytes,
//!                         string smallest, string largest internal key
//!     8  retired; refused
//!     9  prev log number  varint64           always written as 0 today
//!
//! string = varint32 length, bytes; level = 0..=6
//! ```
//!
//! Pure: knows no file and no comparator. Invariant: an edit that was decoded holds only levels
//! that exist, internal keys that parse and sequence numbers that fit a key.
//!
//! Source: LevelDB `db/version_edit.cc`. Differs: keys that are no internal keys and sequence
//! numbers above 2^56-1 are refused, and what is wrong is typed and has an offset.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

mod decode;

pub use decode::{EditDefect, EditField};

use std::collections::BTreeSet;

use crate::codec::{put_length_prefixed, put_varint32, put_varint64};
use crate::filename::FileNumber;
use crate::key::SequenceNumber;

/// Number of levels.
// Never change: a level written to disk is below it.
pub const LEVEL_COUNT: usize = 7;

/// The tags of the fields.
// Never change: written to disk.
mod tag {
    pub(super) const COMPARATOR: u32 = 1;
    pub(super) const LOG_NUMBER: u32 = 2;
    pub(super) const NEXT_FILE_NUMBER: u32 = 3;
    pub(super) const LAST_SEQUENCE: u32 = 4;
    pub(super) const COMPACT_POINTER: u32 = 5;
    pub(super) const DELETED_FILE: u32 = 6;
    pub(super) const NEW_FILE: u32 = 7;
    pub(super) const PREV_LOG_NUMBER: u32 = 9;
}

/// What a MANIFEST says of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetaData {
    /// The number in its name.
    pub number: FileNumber,
    /// Its size in bytes.
    pub size: u64,
    /// Its first internal key.
    pub smallest: Vec<u8>,
    /// Its last internal key.
    pub largest: Vec<u8>,
}

/// One change of the file set. A field that is `None` or empty changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionEdit {
    /// Name of the order of user keys: [`crate::key::Comparator::name`]. Any bytes, as stored.
    pub comparator: Option<Vec<u8>>,
    /// The oldest log that is still needed.
    pub log_number: Option<FileNumber>,
    /// An older log that is needed besides; 0 is none. Only old databases have one.
    pub prev_log_number: Option<FileNumber>,
    /// The next number to name a file by.
    pub next_file_number: Option<FileNumber>,
    /// The largest sequence number in use.
    pub last_sequence: Option<SequenceNumber>,
    /// By level: the internal key after which its next compaction starts. The last one counts.
    pub compact_pointers: Vec<(usize, Vec<u8>)>,
    /// Tables that leave a level, as (level, number). They leave before any table is added.
    pub deleted_files: BTreeSet<(usize, FileNumber)>,
    /// Tables that join a level, as (level, table), in the order given.
    pub new_files: Vec<(usize, FileMetaData)>,
}

impl VersionEdit {
    /// Makes an edit that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the stored form. Fields come in LevelDB's order, deleted files by level and number.
    ///
    /// # Panics
    /// If a level is not below [`LEVEL_COUNT`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(name) = &self.comparator {
            put_varint32(out, tag::COMPARATOR);
            put_length_prefixed(out, name);
        }
        let numbers = [
            (tag::LOG_NUMBER, self.log_number),
            (tag::PREV_LOG_NUMBER, self.prev_log_number),
            (tag::NEXT_FILE_NUMBER, self.next_file_number),
            (tag::LAST_SEQUENCE, self.last_sequence),
        ];
        for (tag, number) in numbers {
            if let Some(number) = number {
                put_varint32(out, tag);
                put_varint64(out, number);
            }
        }
        for (level, key) in &self.compact_pointers {
            put_varint32(out, tag::COMPACT_POINTER);
            put_level(out, *level);
            put_length_prefixed(out, key);
        }
        for (level, number) in &self.deleted_files {
            put_varint32(out, tag::DELETED_FILE);
            put_level(out, *level);
            put_varint64(out, *number);
        }
        for (level, file) in &self.new_files {
            put_varint32(out, tag::NEW_FILE);
            put_level(out, *level);
            put_varint64(out, file.number);
            put_varint64(out, file.size);
            put_length_prefixed(out, &file.smallest);
            put_length_prefixed(out, &file.largest);
        }
    }

    /// Reads an edit out of its stored form, all of it.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn decode(contents: &[u8]) -> Result<Self, EditDefect> {
        decode::decode(contents)
    }
}

fn put_level(out: &mut Vec<u8>, level: usize) {
    assert!(level < LEVEL_COUNT, "there is no level {level}");
    put_varint32(out, u32::try_from(level).expect("levels are few"));
}

#[cfg(test)]
mod tests;
