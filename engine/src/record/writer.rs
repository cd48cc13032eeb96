//! [`Writer`]: appends records to a new log or MANIFEST.
//!
//! One `append` goes to the file per physical record: padding, header and payload together. The
//! writer never syncs on its own, and never continues a file of an earlier incarnation, whose end
//! may be torn.
//!
//! Invariant: after the first error of an append, sync or close the file is not touched again, so
//! nothing can be acknowledged that lies behind bytes of unknown fate.
//!
//! Source: LevelDB `db/log_writer.cc`. Differs: LevelDB ignores the status of the padding, moves
//! its offset even if an append failed, and goes on appending.

use core::fmt;

use super::{BLOCK_SIZE, CHECKSUM_SIZE, HEADER_SIZE, RecordType};
use crate::codec::{crc32c, mask, to_u64};
use crate::env::WritableFile;
use crate::error::{Error, Result};

/// Appends records to a file that was empty when it was given.
pub struct Writer {
    file: Box<dyn WritableFile>,
    // Invariant: `size` modulo BLOCK_SIZE. After an error neither says anything about the file.
    block_offset: usize,
    size: u64,
    // One physical record on its way; kept for its memory.
    buffer: Vec<u8>,
    failed: Option<Error>,
}

impl Writer {
    /// Starts a log in `file`, which is empty.
    pub fn new(file: Box<dyn WritableFile>) -> Self {
        Writer { file, block_offset: 0, size: 0, buffer: Vec::new(), failed: None }
    }

    /// Starts behind `size` bytes of whole records. For a test of the format alone: the engine
    /// never appends to a file that it did not begin.
    #[cfg(test)]
    pub(super) fn continue_at(file: Box<dyn WritableFile>, size: usize) -> Self {
        Writer { block_offset: size % BLOCK_SIZE, size: to_u64(size), ..Self::new(file) }
    }

    /// Appends one record. On `Ok` it is in the operating system's hands.
    ///
    /// # Errors
    /// That of the file, now and from every later call.
    pub fn add_record(&mut self, payload: &[u8]) -> Result<()> {
        self.check()?;
        let result = self.append_fragments(payload);
        self.latch(result)
    }

    /// Makes every record appended so far durable.
    ///
    /// # Errors
    /// That of the file, now and from every later call.
    pub fn sync(&mut self) -> Result<()> {
        self.check()?;
        let result = self.file.sync();
        self.latch(result)
    }

    /// Closes the file. Does not sync.
    ///
    /// # Errors
    /// That of the file, or the one met before; the file is then dropped, not closed.
    pub fn close(self) -> Result<()> {
        self.check()?;
        self.file.close()
    }

    /// Bytes appended so far, framing included.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn append_fragments(&mut self, payload: &[u8]) -> Result<()> {
        let mut rest = payload;
        let mut is_first = true;
        // At least once: an empty record has a physical record too.
        loop {
            let left = BLOCK_SIZE - self.block_offset;
            let (padding, room) = if left < HEADER_SIZE {
                (left, BLOCK_SIZE - HEADER_SIZE)
            } else {
                (0, left - HEADER_SIZE)
            };
            let (fragment, behind) = rest.split_at(rest.len().min(room));
            let record_type = match (is_first, behind.is_empty()) {
                (true, true) => RecordType::Full,
                (true, false) => RecordType::First,
                (false, false) => RecordType::Middle,
                (false, true) => RecordType::Last,
            };
            self.append_physical(padding, record_type, fragment)?;
            rest = behind;
            is_first = false;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn append_physical(
        &mut self,
        padding: usize,
        record_type: RecordType,
        payload: &[u8],
    ) -> Result<()> {
        let length = u16::try_from(payload.len()).expect("a fragment fits its block");
        self.buffer.clear();
        self.buffer.resize(padding + CHECKSUM_SIZE, 0);
        self.buffer.extend_from_slice(&length.to_le_bytes());
        self.buffer.push(record_type.to_byte());
        self.buffer.extend_from_slice(payload);
        let header = &mut self.buffer[padding..];
        let crc = crc32c(&header[HEADER_SIZE - 1..]);
        header[..CHECKSUM_SIZE].copy_from_slice(&mask(crc).to_le_bytes());
        self.file.append(&self.buffer)?;
        self.block_offset = (self.block_offset + self.buffer.len()) % BLOCK_SIZE;
        self.size += to_u64(self.buffer.len());
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    fn latch(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Writer");
        shown.field("size", &self.size).field("failed", &self.failed).finish_non_exhaustive()
    }
}
