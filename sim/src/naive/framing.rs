//! The framing of logs and MANIFESTs: records in blocks of 32 KiB.
//!
//! ```text
//! block    := fragment* trailer?          a trailer is fewer than 7 bytes, of any value
//! fragment := checksum: u32               masked CRC-32C of type and payload
//!             length: u16  type: u8       1 whole record, 2 first, 3 middle, 4 last part of one
//!             payload: length bytes
//! ```
//!
//! [`scan`] reads records up to the first thing that is wrong. What lies behind that is searched
//! only for traces: fragments with a right checksum, at any byte offset and also where a reader
//! that skips to the next block would find them.

use std::borrow::Cow;
use std::ops::Range;

use super::bytes::{Rest, masked_crc};

const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// A whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record<'bytes> {
    /// Where its first fragment starts, and its last one ends.
    pub(super) place: Range<usize>,
    /// Its payload.
    pub(super) payload: Cow<'bytes, [u8]>,
}

/// Why a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the end of the file, after a whole record.
    End,
    /// The file ends inside a record, or nothing but zeros follows.
    Torn,
    /// Something is wrong.
    Bad(&'static str),
}

/// The records of a file up to the first thing that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Scan<'bytes> {
    /// The records, whole and in order.
    pub(super) records: Vec<Record<'bytes>>,
    /// Why there are no more.
    pub(super) stop: Stop,
    /// The first bad byte is in here; see [`super::Log::bad`].
    pub(super) bad: Option<Range<usize>>,
}

/// A fragment with a right checksum.
struct Fragment<'bytes> {
    kind: u8,
    payload: &'bytes [u8],
    end: usize,
}

/// Why there is no fragment.
enum Nothing {
    End,
    /// The header, or the payload it promises, runs past the end of the file.
    Torn,
    /// A header of zeros.
    Zeros,
    Bad(&'static str, usize),
}

/// The fragment at `offset`, or behind the trailer that is there; with where it starts.
fn fragment(bytes: &[u8], offset: usize) -> (usize, Result<Fragment<'_>, Nothing>) {
    let left = BLOCK - offset % BLOCK;
    let start = if left < HEADER { offset + left } else { offset };
    if bytes.len() <= start {
        return (start, Err(Nothing::End));
    }
    let block_end = (start - start % BLOCK + BLOCK).min(bytes.len());
    (start, fragment_at(&bytes[start..block_end], start, !block_end.is_multiple_of(BLOCK)))
}

/// The fragment that `block` starts with, the rest of a block from offset `start` on.
fn fragment_at(block: &[u8], start: usize, is_short: bool) -> Result<Fragment<'_>, Nothing> {
    let mut rest = Rest(block);
    let Some(header) = rest.take(HEADER) else { return Err(Nothing::Torn) };
    let stored = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    let len = usize::from(u16::from_le_bytes([header[4], header[5]]));
    let kind = header[6];
    if kind == 0 && len == 0 {
        return Err(Nothing::Zeros);
    }
    let end = start + HEADER + len;
    let Some(payload) = rest.take(len) else {
        return Err(if is_short {
            Nothing::Torn
        } else {
            Nothing::Bad("length", start + block.len())
        });
    };
    if stored != masked_crc(&block[6..HEADER + len]) {
        return Err(Nothing::Bad("checksum", end));
    }
    Ok(Fragment { kind, payload, end })
}

/// Reads the records of a file up to the first thing that is wrong.
pub(super) fn scan(bytes: &[u8]) -> Scan<'_> {
    let mut scan = Scan { records: Vec::new(), stop: Stop::End, bad: None };
    let mut open: Option<(usize, Vec<u8>)> = None;
    let mut offset = 0;
    loop {
        let (start, found) = fragment(bytes, offset);
        let (stop, bad_end) = match found {
            Ok(fragment) => {
                offset = fragment.end;
                match assemble(&mut open, start, &fragment) {
                    Ok(record) => {
                        scan.records.extend(record);
                        continue;
                    }
                    Err(what) => (Stop::Bad(what), fragment.end),
                }
            }
            Err(Nothing::End) if open.is_none() => return scan,
            Err(Nothing::End | Nothing::Torn) => (Stop::Torn, bytes.len()),
            Err(Nothing::Zeros) if bytes[start..].iter().all(|byte| *byte == 0) => {
                (Stop::Torn, bytes.len())
            }
            Err(Nothing::Zeros) => (Stop::Bad("zeros before more records"), bytes.len()),
            Err(Nothing::Bad(what, end)) => (Stop::Bad(what), end),
        };
        scan.stop = stop;
        scan.bad = Some(start.min(bytes.len())..bad_end);
        return scan;
    }
}

/// Adds a fragment to the record that is open and returns the record once it is whole.
fn assemble<'bytes>(
    open: &mut Option<(usize, Vec<u8>)>,
    start: usize,
    fragment: &Fragment<'bytes>,
) -> Result<Option<Record<'bytes>>, &'static str> {
    // An empty first part is what a writer leaves at the very end of a block; it opens nothing.
    let is_open = open.as_ref().is_some_and(|(_, part)| !part.is_empty());
    match fragment.kind {
        FULL | FIRST if is_open => Err("a record without its end"),
        FULL => {
            *open = None;
            let payload = Cow::Borrowed(fragment.payload);
            Ok(Some(Record { place: start..fragment.end, payload }))
        }
        FIRST => {
            *open = Some((start, fragment.payload.to_vec()));
            Ok(None)
        }
        MIDDLE | LAST => {
            let (first, mut part) = open.take().ok_or("a record without its start")?;
            part.extend_from_slice(fragment.payload);
            if fragment.kind == LAST {
                let payload = Cow::Owned(part);
                return Ok(Some(Record { place: first..fragment.end, payload }));
            }
            *open = Some((first, part));
            Ok(None)
        }
        _ => Err("an unknown type"),
    }
}

/// Calls `each` with the payload of every whole record and every first part that has a right
/// checksum, wherever it starts from `offset` on, also inside what looks like another record.
pub(super) fn search<'bytes>(
    bytes: &'bytes [u8],
    offset: usize,
    each: &mut dyn FnMut(&'bytes [u8]),
) {
    let mut at = offset;
    while at + HEADER <= bytes.len() {
        let block_end = (at - at % BLOCK + BLOCK).min(bytes.len());
        // The type is tested first: few bytes pass, and a checksum is dear.
        let is_start = at + HEADER <= block_end && matches!(bytes[at + 6], FULL | FIRST);
        if is_start && let Ok(fragment) = fragment_at(&bytes[at..block_end], at, true) {
            each(fragment.payload);
            at = fragment.end;
        } else {
            at += 1;
        }
    }
}

/// The records that a reader finds from the block after `offset` on, skipping the rest of each
/// block in which something is wrong.
pub(super) fn resync(bytes: &[u8], offset: usize) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let mut open: Option<(usize, Vec<u8>)> = None;
    let mut at = offset - offset % BLOCK + BLOCK;
    loop {
        let (start, found) = fragment(bytes, at);
        match found {
            Ok(fragment) => {
                at = fragment.end;
                let record = assemble(&mut open, start, &fragment).or_else(|_| {
                    // The record that was open is given up; this may be the start of the next.
                    open = None;
                    assemble(&mut open, start, &fragment)
                });
                records.extend(record.ok().flatten());
            }
            Err(Nothing::End | Nothing::Torn) => return records,
            Err(Nothing::Zeros | Nothing::Bad(..)) => {
                open = None;
                at = start - start % BLOCK + BLOCK;
            }
        }
    }
}
