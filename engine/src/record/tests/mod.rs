//! LevelDB's `log_test` by the names of its tests, with the numbers that it asserts.
//!
//! Where LevelDB's reporter counts bytes, these tests add up what was dropped. The exceptions are
//! noted: an error of the file is an error here.

mod damage;
mod heads;
mod initial_offset;

use std::path::Path;

use super::*;
use crate::codec::{crc32c, mask};
use crate::error::{Defect, FileOp, Result};
use crate::test_files::{MemFile, PATH, failure};

/// `text` again and again, cut to `size` bytes.
fn big(text: &str, size: usize) -> Vec<u8> {
    text.bytes().cycle().take(size).collect()
}

fn number(n: usize) -> Vec<u8> {
    format!("{n}.").into_bytes()
}

/// Sizes from 0 to 2^17, small ones as likely as large ones; a fixed sequence.
fn skewed_sizes() -> impl Iterator<Item = usize> {
    let mut state = 301_u64;
    core::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let bits = (state >> 33) % 18;
        usize::try_from((state >> 40) % (1 << bits)).expect("small")
    })
}

/// A log and what was read from it so far.
struct Log {
    file: MemFile,
    writer: Writer,
    reader: Option<Reader>,
    initial_offset: u64,
    dropped: Vec<Dropped>,
}

impl Log {
    fn new() -> Self {
        let file = MemFile::default();
        let writer = Writer::new(file.writable());
        Log { file, writer, reader: None, initial_offset: 0, dropped: Vec::new() }
    }

    fn write(&mut self, payload: impl AsRef<[u8]>) {
        assert_eq!(self.writer.add_record(payload.as_ref()), Ok(()));
    }

    fn written(&self) -> usize {
        let size = self.file.bytes().len();
        assert_eq!(self.writer.size(), crate::codec::to_u64(size));
        size
    }

    fn reopen_for_append(&mut self) {
        self.writer = Writer::continue_at(self.file.writable(), self.file.bytes().len());
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.file.bytes();
        change(&mut bytes);
        self.file.set_bytes(&bytes);
    }

    fn shrink(&self, bytes: usize) {
        self.change(|file| file.truncate(file.len() - bytes));
    }

    fn fix_checksum(&self, header: usize, length: usize) {
        self.change(|file| {
            let crc = mask(crc32c(&file[header + 6..header + 7 + length]));
            file[header..header + 4].copy_from_slice(&crc.to_le_bytes());
        });
    }

    /// The next record with its offset; collects what is dropped on the way.
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        let (file, initial_offset) = (&self.file, self.initial_offset);
        let reader = self.reader.get_or_insert_with(|| {
            Reader::with_initial_offset(file.sequential(), Path::new(PATH), initial_offset)
        });
        loop {
            match reader.read_record()? {
                Some(Item::Record { offset, payload }) => {
                    return Ok(Some((offset, payload.to_vec())));
                }
                Some(Item::Dropped(dropped)) => self.dropped.push(dropped),
                None => return Ok(None),
            }
        }
    }

    fn expect(&mut self, payload: impl AsRef<[u8]>) {
        match self.next() {
            Ok(Some((_, read))) => assert!(read == payload.as_ref(), "another record"),
            other => panic!("no record: {other:?}"),
        }
    }

    fn expect_end(&mut self) {
        assert_eq!(self.next(), Ok(None));
        assert_eq!(self.next(), Ok(None));
    }

    fn expect_dropped(&self, bytes: u64, defects: &[Defect]) {
        assert_eq!(self.dropped.iter().map(|dropped| dropped.bytes).sum::<u64>(), bytes);
        let met: Vec<_> = self.dropped.iter().map(|dropped| dropped.defect.clone()).collect();
        assert_eq!(met, defects);
    }

    fn expect_tail(&self, offset: u64, bytes: u64, defect: Defect) {
        let tail = self.reader.as_ref().and_then(Reader::tail);
        assert_eq!(tail, Some(&Tail { offset, bytes, defect }));
    }

    fn expect_clean_end(&mut self) {
        self.expect_end();
        self.expect_dropped(0, &[]);
        assert_eq!(self.reader.as_ref().and_then(Reader::tail), None);
        let end = self.reader.as_ref().map(Reader::end_offset);
        assert_eq!(end, Some(crate::codec::to_u64(self.written())));
    }
}

#[test]
fn empty() {
    Log::new().expect_clean_end();
}

#[test]
fn read_write() {
    let mut log = Log::new();
    for payload in ["foo", "bar", "", "xxxx"] {
        log.write(payload);
    }
    for payload in ["foo", "bar", "", "xxxx"] {
        log.expect(payload);
    }
    log.expect_clean_end();
}

#[test]
fn many_blocks() {
    let mut log = Log::new();
    for n in 0..100_000 {
        log.write(number(n));
    }
    for n in 0..100_000 {
        log.expect(number(n));
    }
    log.expect_clean_end();
}

#[test]
fn fragmentation() {
    let mut log = Log::new();
    let payloads = [big("small", 5), big("medium", 50_000), big("large", 100_000)];
    for payload in &payloads {
        log.write(payload);
    }
    for payload in &payloads {
        log.expect(payload);
    }
    log.expect_clean_end();
}

#[test]
fn marginal_trailer() {
    // Leaves exactly a header's room, which an empty record fills.
    let mut log = Log::new();
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    log.write(&first);
    assert_eq!(log.written(), BLOCK_SIZE - HEADER_SIZE);
    log.write("");
    log.write("bar");
    log.expect(first);
    log.expect("");
    log.expect("bar");
    log.expect_clean_end();
}

#[test]
fn marginal_trailer_2() {
    // Leaves exactly a header's room, in which a record starts without any payload.
    let mut log = Log::new();
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE);
    log.write(&first);
    assert_eq!(log.written(), BLOCK_SIZE - HEADER_SIZE);
    log.write("bar");
    assert_eq!(log.file.bytes()[BLOCK_SIZE - 3..BLOCK_SIZE], [0, 0, RecordType::First.to_byte()]);
    log.expect(first);
    log.expect("bar");
    log.expect_clean_end();
}

#[test]
fn short_trailer() {
    let mut log = Log::new();
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    log.write(&first);
    assert_eq!(log.written(), BLOCK_SIZE - HEADER_SIZE + 4);
    log.write("");
    log.write("bar");
    log.expect(first);
    log.expect("");
    log.expect("bar");
    log.expect_clean_end();
}

#[test]
fn aligned_eof() {
    let mut log = Log::new();
    let first = big("foo", BLOCK_SIZE - 2 * HEADER_SIZE + 4);
    log.write(&first);
    assert_eq!(log.written(), BLOCK_SIZE - HEADER_SIZE + 4);
    log.expect(first);
    log.expect_clean_end();
}

#[test]
fn open_for_append() {
    let mut log = Log::new();
    log.write("hello");
    log.reopen_for_append();
    log.write("world");
    log.expect("hello");
    log.expect("world");
    log.expect_clean_end();
}

#[test]
fn random_read() {
    let mut log = Log::new();
    let payloads: Vec<_> = skewed_sizes().take(500).map(|size| big("123.", size)).collect();
    for payload in &payloads {
        log.write(payload);
    }
    for payload in &payloads {
        log.expect(payload);
    }
    log.expect_clean_end();
}

#[test]
fn read_error() {
    // LevelDB reports a dropped block and goes on as if the file ended there.
    let mut log = Log::new();
    log.write("foo");
    log.file.fail_at(1);
    assert_eq!(log.next(), Err(failure(FileOp::Read)));
    assert_eq!(log.next(), Err(failure(FileOp::Read)), "an error is no end");
    log.expect_dropped(0, &[]);
    assert_eq!(log.file.operations().len(), 2, "the file is left alone");
}

#[test]
fn bad_record_type() {
    let mut log = Log::new();
    log.write("foo");
    log.change(|file| file[6] += 100);
    log.fix_checksum(0, 3);
    log.expect_end();
    log.expect_dropped(3, &[Defect::UnknownRecordType(101)]);
}

#[test]
fn truncated_trailing_record_is_ignored() {
    let mut log = Log::new();
    log.write("foo");
    log.shrink(4);
    log.expect_end();
    log.expect_dropped(0, &[]);
    log.expect_tail(0, 6, Defect::TornHeader);
}

#[test]
fn bad_length() {
    let mut log = Log::new();
    log.write(big("bar", BLOCK_SIZE - HEADER_SIZE));
    log.write("foo");
    log.change(|file| file[4] += 1);
    log.expect("foo");
    log.expect_end();
    log.expect_dropped(32_768, &[Defect::BadRecordLength]);
}

#[test]
fn bad_length_at_end_is_ignored() {
    let mut log = Log::new();
    log.write("foo");
    log.shrink(1);
    log.expect_end();
    log.expect_dropped(0, &[]);
    log.expect_tail(0, 9, Defect::TornRecord);
}

#[test]
fn checksum_mismatch() {
    let mut log = Log::new();
    log.write("foo");
    log.change(|file| file[0] = file[0].wrapping_add(10));
    log.expect_end();
    log.expect_dropped(10, &[Defect::ChecksumMismatch]);
}

#[test]
fn unexpected_middle_type() {
    let mut log = Log::new();
    log.write("foo");
    log.change(|file| file[6] = RecordType::Middle.to_byte());
    log.fix_checksum(0, 3);
    log.expect_end();
    log.expect_dropped(3, &[Defect::MissingStart]);
}

#[test]
fn unexpected_last_type() {
    let mut log = Log::new();
    log.write("foo");
    log.change(|file| file[6] = RecordType::Last.to_byte());
    log.fix_checksum(0, 3);
    log.expect_end();
    log.expect_dropped(3, &[Defect::MissingStart]);
}

#[test]
fn unexpected_full_type() {
    let mut log = Log::new();
    log.write("foo");
    log.write("bar");
    log.change(|file| file[6] = RecordType::First.to_byte());
    log.fix_checksum(0, 3);
    log.expect("bar");
    log.expect_end();
    log.expect_dropped(3, &[Defect::MissingEnd]);
}

#[test]
fn unexpected_first_type() {
    let mut log = Log::new();
    log.write("foo");
    log.write(big("bar", 100_000));
    log.change(|file| file[6] = RecordType::First.to_byte());
    log.fix_checksum(0, 3);
    log.expect(big("bar", 100_000));
    log.expect_end();
    log.expect_dropped(3, &[Defect::MissingEnd]);
}

#[test]
fn missing_last_is_ignored() {
    let mut log = Log::new();
    log.write(big("bar", BLOCK_SIZE));
    log.shrink(14);
    log.expect_end();
    log.expect_dropped(0, &[]);
    log.expect_tail(0, 32_768, Defect::MissingEnd);
}

#[test]
fn partial_last_is_ignored() {
    let mut log = Log::new();
    log.write(big("bar", BLOCK_SIZE));
    log.shrink(1);
    log.expect_end();
    log.expect_dropped(0, &[]);
    log.expect_tail(0, 32_768 + 13, Defect::TornRecord);
}

#[test]
fn skip_into_multi_record() {
    let mut log = Log::new();
    log.write(big("foo", 3 * BLOCK_SIZE));
    log.write("correct");
    log.initial_offset = 32_768;
    log.expect("correct");
    log.expect_end();
    log.expect_dropped(0, &[]);
}

#[test]
fn error_joins_records() {
    // The FIRST of one record and the LAST of the next, with the block between them wiped, must
    // not be taken for one record.
    let mut log = Log::new();
    log.write(big("foo", BLOCK_SIZE));
    log.write(big("bar", BLOCK_SIZE));
    log.write("correct");
    log.change(|file| file[BLOCK_SIZE..2 * BLOCK_SIZE].fill(b'x'));
    log.expect("correct");
    log.expect_end();
    let dropped: u64 = log.dropped.iter().map(|dropped| dropped.bytes).sum();
    assert!((65_536..=65_536 + 100).contains(&dropped), "{dropped}");
}
