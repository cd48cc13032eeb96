//! The MANIFEST: edits that add up to a version.
//!
//! ```text
//! edit := field*                      each field starts with its tag, a varint32
//!   1 comparator: bytes               2 log number: varint64      9 previous log: varint64
//!   3 next file number: varint64      4 last sequence: varint64
//!   5 compaction pointer: level: varint32, key: bytes
//!   6 deleted file: level: varint32, number: varint64
//!   7 new file: level: varint32, number: varint64, size: varint64, smallest: bytes, largest: bytes
//! ```
//!
//! Of numbers the last one counts. In one edit, deletions come before additions.

use std::ops::Range;

use super::bytes::Rest;
use super::framing::{Stop, scan, search};

const LEVELS: u32 = 7;

/// A table that the version holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Level, 0 to 6.
    pub level: u32,
    /// Number, of which its name is made.
    pub number: u64,
    /// Size in bytes.
    pub size: u64,
    /// First internal key.
    pub smallest: Vec<u8>,
    /// Last internal key.
    pub largest: Vec<u8>,
}

/// What the edits add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the comparator.
    pub comparator: Option<Vec<u8>>,
    /// Logs below this number are not needed.
    pub log_number: Option<u64>,
    /// One more log that is needed.
    pub prev_log_number: u64,
    /// Numbers from here on are free.
    pub next_file_number: Option<u64>,
    /// Highest sequence number when the last edit was written.
    pub last_sequence: Option<u64>,
    /// The tables, sorted by level and number.
    pub files: Vec<NewFile>,
    /// How many edits were read.
    pub edits: usize,
    /// The first bad byte is in here, if there is one; see [`super::Log::bad`].
    pub bad: Option<Range<usize>>,
    /// Whether behind it there is a first or only fragment with a right checksum, which is no copy
    /// of one before: then it is no torn tail. A sector that was never written may show a copy.
    pub record_after_bad: bool,
}

impl Manifest {
    /// Reads the edits up to the first thing that is wrong with the framing.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut manifest = Self::default();
        let scan = scan(bytes);
        for record in &scan.records {
            manifest.apply(&record.payload)?;
            manifest.edits += 1;
        }
        if scan.stop != Stop::End {
            manifest.bad.clone_from(&scan.bad);
        }
        if let Some(bad) = &manifest.bad {
            let mut before: Vec<&[u8]> = Vec::new();
            search(&bytes[..bad.start], 0, &mut |payload| before.push(payload));
            search(bytes, bad.start, &mut |payload| {
                manifest.record_after_bad |= !before.contains(&payload);
            });
        }
        if manifest.next_file_number.is_none() {
            return Err("no next file number");
        }
        if manifest.log_number.is_none() {
            return Err("no log number");
        }
        if manifest.last_sequence.is_none() {
            return Err("no last sequence");
        }
        Ok(manifest)
    }

    fn apply(&mut self, edit: &[u8]) -> Result<(), &'static str> {
        let mut added = Vec::new();
        let mut deleted = Vec::new();
        let mut rest = Rest(edit);
        while !rest.is_empty() {
            self.field(&mut rest, &mut added, &mut deleted).ok_or("a bad edit")?;
        }
        self.files.retain(|file| !deleted.contains(&(file.level, file.number)));
        for file in added {
            self.files.retain(|old| (old.level, old.number) != (file.level, file.number));
            self.files.push(file);
        }
        self.files.sort_by_key(|file| (file.level, file.number));
        Ok(())
    }

    fn field(
        &mut self,
        rest: &mut Rest<'_>,
        added: &mut Vec<NewFile>,
        deleted: &mut Vec<(u32, u64)>,
    ) -> Option<()> {
        match rest.varint32()? {
            1 => self.comparator = Some(rest.prefixed()?.to_vec()),
            2 => self.log_number = Some(rest.varint64()?),
            3 => self.next_file_number = Some(rest.varint64()?),
            4 => self.last_sequence = Some(rest.varint64()?),
            5 => {
                level(rest)?;
                key(rest)?;
            }
            6 => deleted.push((level(rest)?, rest.varint64()?)),
            7 => added.push(NewFile {
                level: level(rest)?,
                number: rest.varint64()?,
                size: rest.varint64()?,
                smallest: key(rest)?,
                largest: key(rest)?,
            }),
            9 => self.prev_log_number = rest.varint64()?,
            _ => return None,
        }
        Some(())
    }

    /// Whether a recovery replays the log with this number.
    pub fn needs_log(&self, number: u64) -> bool {
        self.log_number.is_none_or(|least| least <= number)
            || (number == self.prev_log_number && number != 0)
    }
}

fn level(rest: &mut Rest<'_>) -> Option<u32> {
    rest.varint32().filter(|level| *level < LEVELS)
}

fn key(rest: &mut Rest<'_>) -> Option<Vec<u8>> {
    rest.prefixed().filter(|key| !key.is_empty()).map(<[u8]>::to_vec)
}
