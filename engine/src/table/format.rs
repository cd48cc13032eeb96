//! Handles, the footer and the trailer of a block: what leads from one part of a table to another.
//!
//! The byte layout is drawn in the module above. Reading a block here means: inside the file, all
//! of it there, checksum right, compression undone. What the contents mean is for others.
//!
//! Source: LevelDB `table/format.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use std::borrow::Cow;
use std::path::Path;

use super::compression::{TYPE_NONE, TYPE_SNAPPY, TYPE_ZSTD, unfold_snappy};
use crate::codec::{Decoder, crc32c, mask, put_fixed32, put_fixed64, put_varint64, to_u64};
use crate::env::RandomAccessFile;
use crate::error::{Defect, Error, FileOp, Result};

/// Size of the footer in bytes.
// Never change: written to disk.
pub const FOOTER_SIZE: usize = 48;

/// The last 8 bytes of a table, least significant first.
// Never change: written to disk.
pub const TABLE_MAGIC: u64 = 0xdb47_7524_8b80_fb57;

/// Bytes behind the contents of a block: compression type and checksum.
pub(super) const TRAILER_SIZE: usize = 5;

/// Where a block is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHandle {
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// Bytes of its contents, without the trailer.
    pub size: u64,
}

impl BlockHandle {
    /// Appends the stored form.
    pub fn encode(self, out: &mut Vec<u8>) {
        put_varint64(out, self.offset);
        put_varint64(out, self.size);
    }

    /// Takes a handle off the front.
    pub fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut ahead = decoder.clone();
        let handle = BlockHandle { offset: ahead.varint64()?, size: ahead.varint64()? };
        *decoder = ahead;
        Some(handle)
    }
}

/// The two blocks from which all others are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) metaindex: BlockHandle,
    pub(super) index: BlockHandle,
}

impl Footer {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        let start = out.len();
        self.metaindex.encode(out);
        self.index.encode(out);
        out.resize(start + FOOTER_SIZE - 8, 0);
        put_fixed64(out, TABLE_MAGIC);
    }

    fn decode(bytes: &[u8]) -> core::result::Result<Self, Defect> {
        let mut decoder = Decoder::new(bytes);
        let handles = decoder.bytes(FOOTER_SIZE - 8).ok_or(Defect::BadTableFooter)?;
        if decoder.fixed64() != Some(TABLE_MAGIC) {
            return Err(Defect::BadTableMagic);
        }
        let mut decoder = Decoder::new(handles);
        let metaindex = BlockHandle::decode(&mut decoder).ok_or(Defect::BadTableFooter)?;
        let index = BlockHandle::decode(&mut decoder).ok_or(Defect::BadTableFooter)?;
        Ok(Footer { metaindex, index })
    }
}

/// Appends the trailer to the stored contents of a block, which are all of `block`.
pub(super) fn append_trailer(block: &mut Vec<u8>, compression: u8) {
    block.push(compression);
    let crc = crc32c(block);
    put_fixed32(block, mask(crc));
}

/// A table's file, of which nothing is known but its size.
pub(super) struct TableFile<'a> {
    pub(super) file: &'a dyn RandomAccessFile,
    pub(super) size: u64,
    pub(super) path: &'a Path,
}

impl TableFile<'_> {
    /// Reads and checks the footer.
    pub(super) fn read_footer(&self) -> Result<Footer> {
        let mut bytes = [0; FOOTER_SIZE];
        let offset = self
            .size
            .checked_sub(to_u64(FOOTER_SIZE))
            .ok_or_else(|| self.corruption(0, Defect::TableTooShort))?;
        self.read_exactly(offset, &mut bytes)?;
        Footer::decode(&bytes).map_err(|defect| self.corruption(offset, defect))
    }

    /// Reads the contents of a block. Without `verify` its checksum is not looked at.
    pub(super) fn read_block(&self, handle: BlockHandle, verify: bool) -> Result<Vec<u8>> {
        // Before anything is allocated: the handle must not lead beyond the blocks.
        let end_max = self.size.saturating_sub(to_u64(FOOTER_SIZE + TRAILER_SIZE));
        let end = handle.offset.checked_add(handle.size).filter(|&end| end <= end_max);
        let size = end.and_then(|_| usize::try_from(handle.size).ok());
        let size = size.ok_or_else(|| self.corruption(handle.offset, Defect::BadBlockHandle))?;
        let mut stored = self.file.read_new(handle.offset, size + TRAILER_SIZE)?;
        if stored.len() < size + TRAILER_SIZE {
            return Err(self.corruption(handle.offset, Defect::TruncatedTable));
        }
        let (compression, contents) = self.check_stored(handle.offset, &stored, verify)?;
        if let Cow::Owned(unfolded) = self.unfold(handle.offset, compression, contents)? {
            return Ok(unfolded);
        }
        stored.truncate(size);
        Ok(stored)
    }

    /// The compression type and the contents of the block at `offset`, as it is stored.
    fn check_stored<'a>(
        &self,
        offset: u64,
        stored: &'a [u8],
        verify: bool,
    ) -> Result<(u8, &'a [u8])> {
        let mismatch = || self.corruption(offset, Defect::ChecksumMismatch);
        // The checksum covers the type too.
        let (covered, crc) = stored.split_last_chunk().ok_or_else(mismatch)?;
        if verify && mask(crc32c(covered)) != u32::from_le_bytes(*crc) {
            return Err(mismatch());
        }
        let (&compression, contents) = covered.split_last().ok_or_else(mismatch)?;
        Ok((compression, contents))
    }

    fn unfold<'a>(&self, offset: u64, compression: u8, stored: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        match compression {
            TYPE_NONE => Ok(Cow::Borrowed(stored)),
            TYPE_SNAPPY => unfold_snappy(stored)
                .map(Cow::Owned)
                .ok_or_else(|| self.corruption(offset, Defect::BadCompressedBlock)),
            TYPE_ZSTD => Err(Error::NotSupported { path: self.path.into(), op: FileOp::Read }),
            other => Err(self.corruption(offset, Defect::UnknownCompression(other))),
        }
    }

    fn read_exactly(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        if self.file.read_at(offset, bytes)? < bytes.len() {
            return Err(self.corruption(offset, Defect::TruncatedTable));
        }
        Ok(())
    }

    pub(super) fn corruption(&self, offset: u64, defect: Defect) -> Error {
        Error::corruption(self.path, offset, defect)
    }
}
