//! Databases with damaged files: how much of them is left, with LevelDB's numbers.
//!
//! Source: LevelDB `db/corruption_test.cc`. Differs: its checks scan, and what cannot be read is
//! passed over there. Here a scan ends with the error, so the checks get key by key.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::upstream::{Random, only};
use super::{TestDb, has_extension, options, read_file, write_file};
use crate::error::Error;
use crate::options::{Options, RecoveryPolicy};
use crate::record::BLOCK_SIZE;

fn key(number: usize) -> Vec<u8> {
    format!("{number:016}").into_bytes()
}

/// LevelDB's `Value`: 1000 bytes of its own for each key.
fn value(number: usize) -> Vec<u8> {
    Random(number as u64 * 2 + 1).bytes(1000)
}

fn build(count: usize) -> TestDb {
    let test = TestDb::with(Options { write_buffer_size: 4 << 20, ..options() });
    for number in 0..count {
        test.db().put(&key(number), &value(number)).unwrap();
    }
    test
}

/// Flips a bit in each of `size` bytes from `offset` on of the newest table; an offset below 0
/// counts from the end.
fn corrupt_table(test: &TestDb, offset: isize, size: usize) -> PathBuf {
    let mut names = test.file_names();
    names.retain(|name| has_extension(name, "ldb"));
    let path = test.path().join(names.last().unwrap());
    let mut bytes = read_file(&path);
    let start = match usize::try_from(offset) {
        Ok(offset) => offset,
        Err(_) => bytes.len() - offset.unsigned_abs(),
    };
    bytes[start..start + size].iter_mut().for_each(|byte| *byte ^= 0x80);
    write_file(&path, &bytes);
    path
}

/// LevelDB's `Check`: how many of `count` keys can be read. The others are in `damaged`, and say
/// so, and no value is wrong.
#[track_caller]
fn check(test: &TestDb, count: usize, damaged: &PathBuf, readable: RangeInclusive<usize>) {
    let mut read = 0;
    for number in 0..count {
        match test.db().get(&key(number)) {
            Ok(found) => {
                assert_eq!(found.as_deref(), Some(&value(number)[..]), "{number}");
                read += 1;
            }
            Err(Error::Corruption(corruption)) => assert_eq!(&corruption.file, damaged),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(readable.contains(&read), "{read} can be read");
    let scanned = test.db().iter().unwrap().into_iter().last().unwrap();
    assert!(matches!(scanned, Err(Error::Corruption(_))), "a scan does not pass over it");
}

/// `CorruptionTest.Recovery`: 100 values of 1000 bytes, damage in the first and the second block
/// of the log. LevelDB passes over both blocks, and 36 are left; so does `SkipCorrupt`. The other
/// policies do not make holes.
#[test]
fn corruption_recovery() {
    let mut test = build(100);
    test.close();
    let path = only(&test, "log");
    let mut bytes = read_file(&path);
    for offset in [19, BLOCK_SIZE + 1000] {
        bytes[offset] ^= 0x80;
    }
    write_file(&path, &bytes);
    test.options.recovery_policy = RecoveryPolicy::Absolute;
    assert!(test.try_open().unwrap_err().to_string().contains("checksum mismatch"));
    test.options.recovery_policy = RecoveryPolicy::SkipCorrupt;
    test.open();
    let keys: Vec<_> =
        test.db().iter().unwrap().into_iter().map(|entry| entry.unwrap().0).collect();
    let expected: Vec<_> = (64..100).map(key).collect();
    assert_eq!(keys.len(), 36);
    assert_eq!(keys, expected);
    assert!(test.db().report().has_dropped());
}

/// `CorruptionTest.TableFile`: one byte in a table of 100 entries takes 1 to 10 of them.
#[test]
fn table_file() {
    let test = build(100);
    test.flush();
    test.db().compact_range(None, None).unwrap();
    let damaged = corrupt_table(&test, 100, 1);
    check(&test, 100, &damaged, 90..=99);
}

/// `CorruptionTest.TableFileIndexData`: 500 bytes near the end of the newest of several tables take
/// at most half of 10 000 entries, but some.
#[test]
fn table_file_index_data() {
    let mut test = build(10_000);
    test.flush();
    test.close();
    let damaged = corrupt_table(&test, -2000, 500);
    test.open();
    check(&test, 10_000, &damaged, 5000..=9999);
}

/// `CorruptionTest.UnrelatedKeys`: damage to one table does not keep others from being written.
#[test]
fn unrelated_keys() {
    let test = build(10);
    test.flush();
    corrupt_table(&test, 100, 1);
    test.db().put(&key(1000), &value(1000)).unwrap();
    for _ in 0..2 {
        assert_eq!(test.db().get(&key(1000)).unwrap().as_deref(), Some(&value(1000)[..]));
        test.flush();
    }
}
