//! [`PhysicalReader`]: one physical record after another, out of 32 KiB blocks.
//!
//! Says of each stretch of the file whether it is a fragment, damaged, or the torn end of the
//! file. Knows nothing of how fragments form records.
//!
//! Damage costs the rest of its block: the length that would lead to the next header cannot be
//! trusted. The next block starts with a header again.
//!
//! Source: LevelDB `db/log_reader.cc`, `ReadPhysicalRecord`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::ops::Range;
use std::collections::BTreeSet;

use super::{BLOCK_SIZE, HEADER_SIZE, RecordHead, RecordType};
use crate::codec::{Decoder, crc32c, mask, to_u64};
use crate::env::SequentialFile;
use crate::error::{Defect, Result};

/// An initial offset that is further into its block means the next one: it lies in the padding.
const LAST_START: u64 = to_u64(BLOCK_SIZE - HEADER_SIZE + 1);

/// What comes next in the file.
pub(super) enum Physical {
    /// A fragment whose checksum is right. The payload is a range of the block.
    Fragment { record_type: RecordType, offset: u64, payload: Range<usize> },
    /// A checksum that is right, over a type that nobody writes. The block goes on behind it.
    UnknownType { byte: u8, offset: u64, payload_size: usize },
    /// The rest of the block is of no use.
    Damaged { offset: u64, bytes: u64, defect: Defect, start_follows: bool },
    /// A fragment in front of the offset from which records are wanted.
    BeforeStart,
    /// The file ends here, or in the middle of the physical record that starts at an offset.
    End { torn: Option<(u64, Defect)>, start_follows: bool },
}

pub(super) struct PhysicalReader {
    file: Box<dyn SequentialFile>,
    block: Box<[u8]>,
    // Invariant: `position <= filled <= BLOCK_SIZE`.
    position: usize,
    filled: usize,
    // Offset in the file of the first byte of `block`.
    block_start: u64,
    // A read came back short: `block` is the last one.
    is_last: bool,
    // Records that start before it are skipped.
    initial_offset: u64,
    // Of the records that start in bytes given up.
    pub(super) lost_heads: Vec<RecordHead>,
    // Checksum and length of each start of a record so far, if no two records are alike.
    seen: Option<BTreeSet<(u32, u16)>>,
}

impl PhysicalReader {
    pub(super) fn new(file: Box<dyn SequentialFile>, initial_offset: u64) -> Self {
        PhysicalReader {
            file,
            block: vec![0; BLOCK_SIZE].into_boxed_slice(),
            position: 0,
            filled: 0,
            block_start: 0,
            is_last: false,
            initial_offset,
            lost_heads: Vec::new(),
            seen: None,
        }
    }

    /// From here on, in damaged bytes, what was read before counts for nothing.
    pub(super) fn pass_over_copies(&mut self) {
        self.seen = Some(BTreeSet::new());
    }

    /// Offset in the file of what comes next.
    pub(super) fn offset(&self) -> u64 {
        self.block_start + to_u64(self.position)
    }

    /// Offset in the file of the end of the block; the size of the file in the last one.
    pub(super) fn block_end(&self) -> u64 {
        self.block_start + to_u64(self.filled)
    }

    /// A payload that [`PhysicalReader::read`] spoke of last.
    pub(super) fn payload(&self, range: Range<usize>) -> &[u8] {
        self.block.get(range).unwrap_or_default()
    }

    pub(super) fn read(&mut self) -> Result<Physical> {
        while self.filled - self.position < HEADER_SIZE {
            if self.is_last {
                return Ok(self.end_of_file());
            }
            // What is left is padding, whatever it holds.
            self.read_block()?;
        }
        Ok(self.read_in_block())
    }

    /// Reads the next block in which records are wanted.
    fn read_block(&mut self) -> Result<()> {
        loop {
            self.block_start += to_u64(self.filled);
            self.position = 0;
            self.filled = 0;
            self.filled = self.file.read(&mut self.block)?.min(BLOCK_SIZE);
            self.is_last = self.filled < BLOCK_SIZE;
            if self.block_start + LAST_START >= self.initial_offset {
                return Ok(());
            }
            // There is no way to skip in such a file, so it is read through.
            self.position = self.filled;
            if self.is_last {
                return Ok(());
            }
        }
    }

    fn end_of_file(&mut self) -> Physical {
        // Where no header fits any more in the block, what there is of the padding is no header.
        let has_room = self.position + HEADER_SIZE <= BLOCK_SIZE;
        let is_torn = self.position < self.filled && has_room;
        let torn = is_torn.then(|| (self.offset(), Defect::TornHeader));
        self.position = self.filled;
        Physical::End { torn, start_follows: false }
    }

    /// Takes a physical record, or the rest of the block. At least a header is left.
    fn read_in_block(&mut self) -> Physical {
        let offset = self.offset();
        let rest = self.block.get(self.position..self.filled).unwrap_or_default();
        let header = Header::decode(rest);
        let Some(size) = header.total_size().filter(|&size| size <= rest.len()) else {
            // In the last block of a file a length can lead too far because the rest was never
            // written; in any other block, and in a last one that is full, it is a lie.
            if self.is_last {
                let start_follows = starts_within(rest, self.seen.as_ref(), &mut self.lost_heads);
                self.position = self.filled;
                return Physical::End { torn: Some((offset, Defect::TornRecord)), start_follows };
            }
            return self.damaged(Defect::BadRecordLength);
        };
        if header.type_byte == 0 && header.length == 0 {
            // Space that the file system or a mapped writer set aside. Its checksum is not looked
            // at: such a header is not of a record.
            return self.damaged(Defect::ZeroedBlock);
        }
        if !header.matches(rest) {
            return self.damaged(Defect::ChecksumMismatch);
        }
        let payload = self.position + HEADER_SIZE..self.position + size;
        self.position += size;
        if offset < self.initial_offset {
            return Physical::BeforeStart;
        }
        let record_type = RecordType::from_byte(header.type_byte);
        if let Some(seen) = &mut self.seen
            && matches!(record_type, Some(RecordType::Full | RecordType::First))
        {
            seen.insert((header.stored_crc, header.length));
        }
        match record_type {
            Some(record_type) => Physical::Fragment { record_type, offset, payload },
            None => Physical::UnknownType {
                byte: header.type_byte,
                offset,
                payload_size: payload.len(),
            },
        }
    }

    /// Gives up the rest of the block.
    fn damaged(&mut self, defect: Defect) -> Physical {
        let offset = self.offset();
        let rest = self.block.get(self.position..self.filled).unwrap_or_default();
        let bytes = to_u64(rest.len());
        let start_follows = starts_within(rest, self.seen.as_ref(), &mut self.lost_heads);
        self.position = self.filled;
        Physical::Damaged { offset, bytes, defect, start_follows }
    }
}

/// The fields of a header, unchecked; zeros where bytes are missing.
struct Header {
    stored_crc: u32,
    length: u16,
    type_byte: u8,
}

impl Header {
    #[inline]
    fn decode(bytes: &[u8]) -> Self {
        let mut decoder = Decoder::new(bytes);
        let stored_crc = decoder.fixed32().unwrap_or_default();
        let low = decoder.byte().unwrap_or_default();
        let high = decoder.byte().unwrap_or_default();
        let type_byte = decoder.byte().unwrap_or_default();
        Header { stored_crc, length: u16::from_le_bytes([low, high]), type_byte }
    }

    #[inline]
    fn total_size(&self) -> Option<usize> {
        HEADER_SIZE.checked_add(usize::from(self.length))
    }

    /// Whether `bytes`, which starts with this header, holds the payload that it was made for.
    #[inline]
    fn matches(&self, bytes: &[u8]) -> bool {
        let Some(size) = self.total_size() else { return false };
        // The checksum covers the type, which is the last byte of the header, and the payload.
        let Some(covered) = bytes.get(HEADER_SIZE - 1..size) else { return false };
        mask(crc32c(covered)) == self.stored_crc
    }
}

/// The records that start somewhere in `damaged` behind its first byte: FULL or FIRST fragments
/// with a right checksum, at any offset. Adds the head of each to `heads`; whether there are any.
///
/// A writer that is stopped leaves nothing behind the place where it was stopped. Such a fragment
/// hence proves that what is in front of it was once whole, where every record was synced before
/// the next was written.
///
/// Not so a copy of one of `seen`: a sector that was never written may show what was elsewhere in
/// the file.
fn starts_within(
    damaged: &[u8],
    seen: Option<&BTreeSet<(u32, u16)>>,
    heads: &mut Vec<RecordHead>,
) -> bool {
    let before = heads.len();
    let mut rest = damaged;
    while let Some((_, behind)) = rest.split_first() {
        rest = behind;
        if rest.len() < HEADER_SIZE {
            break;
        }
        let header = Header::decode(rest);
        let is_start = matches!(
            RecordType::from_byte(header.type_byte),
            Some(RecordType::Full | RecordType::First)
        );
        let is_copy = seen.is_some_and(|seen| seen.contains(&(header.stored_crc, header.length)));
        if is_start && !is_copy && header.matches(rest) {
            let payload = rest.get(HEADER_SIZE..header.total_size().unwrap_or(HEADER_SIZE));
            heads.push(RecordHead::of(payload.unwrap_or_default()));
        }
    }
    heads.len() > before
}
