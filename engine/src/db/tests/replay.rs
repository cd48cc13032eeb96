//! What an open makes of logs: the order of their sequence numbers, by policy, and their tables.

use super::{TestDb, file_names, read_file, write_file};
use crate::batch::WriteBatch;
use crate::db::sort_buffer::SortBuffer;
use crate::db::{Db, DroppedBytes, RecoveryReport};
use crate::env::posix::PosixEnv;
use crate::error::{Defect, Error};
use crate::filename::{FileKind, log_file_name};
use crate::key::{InternalKeyComparator, ValueType};
use crate::options::{Options, RecoveryPolicy};
use crate::record::{HEADER_SIZE, Writer};
use crate::test_files::MemFile;

/// A log of batches, given by first sequence number and number of operations; and its records.
fn log_of(batches: &[(u64, u32)]) -> (Vec<u8>, Vec<u64>) {
    let file = MemFile::default();
    let mut writer = Writer::new(file.writable());
    let mut offsets = Vec::new();
    for &(sequence, count) in batches {
        let mut batch = WriteBatch::new();
        for i in 0..count {
            batch.put(&(sequence + u64::from(i)).to_le_bytes(), b"v").unwrap();
        }
        batch.set_sequence(sequence);
        offsets.push(writer.size());
        writer.add_record(batch.contents()).unwrap();
    }
    offsets.push(writer.size());
    (file.bytes(), offsets)
}

/// Opens a database that has these logs, the first of which is number 3.
fn open(logs: &[&[u8]], policy: RecoveryPolicy) -> (TestDb, crate::Result<RecoveryReport>) {
    let mut test = TestDb::new();
    test.close();
    test.options.recovery_policy = policy;
    for (bytes, number) in logs.iter().zip(3..) {
        write_file(&log_file_name(&test.path(), number), bytes);
    }
    let report = test.try_open().map(|db| db.report().clone());
    (test, report)
}

fn other(words: &str) -> Defect {
    Defect::Other(words.into())
}

#[test]
fn a_batch_that_goes_back_is_dropped_alone_or_with_all_behind_it() {
    // The second but last is empty, and has no place in the order.
    let (log, at) = log_of(&[(1, 2), (3, 1), (2, 4), (0, 0), (4, 1)]);
    let defect = other("sequence 2 comes after sequence 3");
    let (test, report) = open(&[&log], RecoveryPolicy::SkipCorrupt);
    let report = report.unwrap();
    assert_eq!((report.batches, report.operations, report.last_sequence), (4, 4, 5));
    let kept = test.path().join(format!("lost/000003.log.from-{}", at[2]));
    let mut dropped = DroppedBytes {
        file: FileKind::Log(3),
        offset: at[2],
        bytes: at[3] - at[2] - HEADER_SIZE as u64,
        defect: Some(defect.clone()),
        batches: 1,
        sequences: Some((2, 5)),
        kept_in: Some(kept.clone()),
    };
    assert_eq!(report.dropped, [dropped.clone()]);
    assert_eq!(read_file(&kept), log[at[2] as usize..]);

    // No later log is replayed either, and its numbers are spent.
    let (later, _) = log_of(&[(7, 2), (6, 1)]);
    let (test, report) = open(&[&log, &later], RecoveryPolicy::PointInTime);
    let report = report.unwrap();
    assert_eq!((report.batches, report.operations, report.last_sequence), (2, 3, 8));
    dropped = DroppedBytes {
        bytes: at[5] - at[2],
        batches: 3,
        kept_in: Some(test.path().join("lost").join(kept.file_name().unwrap())),
        ..dropped
    };
    let behind = DroppedBytes {
        file: FileKind::Log(4),
        offset: 0,
        bytes: later.len() as u64,
        defect: None,
        batches: 2,
        sequences: Some((6, 8)),
        kept_in: Some(test.path().join("lost/000004.log")),
    };
    assert_eq!(report.dropped, [dropped, behind]);

    for policy in [RecoveryPolicy::TolerateTail, RecoveryPolicy::Absolute] {
        let (test, refused) = open(&[&log, &later], policy);
        let path = log_file_name(&test.path(), 3);
        assert_eq!(refused, Err(Error::corruption(path, at[2], defect.clone())), "{policy:?}");
    }
}

#[test]
fn a_log_goes_on_where_the_one_before_ended() {
    let (first, _) = log_of(&[(1, 2), (5, 3)]);
    let (next, _) = log_of(&[(8, 1), (20, 1)]);
    let (_test, report) = open(&[&first, &next], RecoveryPolicy::Absolute);
    let report = report.unwrap();
    assert_eq!((report.batches, report.operations, report.last_sequence), (4, 7, 20));
    assert_eq!((report.logs, report.dropped), (vec![3, 4], vec![]));

    for sequence in [1, 7, 9] {
        let (next, _) = log_of(&[(sequence, 1), (20, 1)]);
        let defect = other(&format!("sequence {sequence} follows 7 of the log before"));
        let (test, refused) = open(&[&first, &next], RecoveryPolicy::TolerateTail);
        let path = log_file_name(&test.path(), 4);
        assert_eq!(refused, Err(Error::corruption(path, 0, defect.clone())));
        // Who may skip takes a gap, but nothing that was there before.
        let (_test, report) = open(&[&first, &next], RecoveryPolicy::SkipCorrupt);
        let report = report.unwrap();
        let defects: Vec<_> = report.dropped.into_iter().map(|piece| piece.defect).collect();
        if sequence == 9 {
            assert_eq!((report.batches, defects), (4, vec![]));
        } else {
            assert_eq!((report.batches, defects), (3, vec![Some(defect)]));
        }
        assert_eq!(report.last_sequence, 20);
        let (_test, report) = open(&[&first, &next], RecoveryPolicy::PointInTime);
        assert_eq!(report.unwrap().batches, 2);
    }
}

#[test]
fn an_empty_log_behind_damage_has_nothing_to_drop() {
    let (mut log, at) = log_of(&[(1, 2), (3, 1)]);
    log.pop();
    for policy in [RecoveryPolicy::TolerateTail, RecoveryPolicy::PointInTime] {
        let (test, report) = open(&[&log, b"", b""], policy);
        let report = report.unwrap();
        assert_eq!((&report.logs[..], report.batches), (&[3, 4, 5][..], 1));
        let dropped: Vec<_> =
            report.dropped.iter().map(|piece| (piece.file, piece.offset)).collect();
        assert_eq!(dropped, [(FileKind::Log(3), at[1])], "{policy:?}");
        let kept = format!("000003.log.from-{}", at[1]);
        assert_eq!(file_names(&test.path().join("lost")), [kept]);
    }
}

#[test]
fn a_table_is_made_when_there_is_more_than_a_memtable_s_worth() {
    const VALUE: &[u8] = &[b'v'; 2000];
    let mut test = TestDb::new();
    let mut full = SortBuffer::new(InternalKeyComparator::bytewise());
    let mut usage = Vec::new();
    for (key, sequence) in ["a", "b", "c", "d"].iter().zip(1..) {
        test.put(key, core::str::from_utf8(VALUE).unwrap());
        full.add(sequence, ValueType::Value, key.as_bytes(), VALUE);
        usage.push(full.memory_usage());
    }
    test.close();
    let (env, dir) = (PosixEnv::new(), test.path());
    // As much as the third makes it, and one byte less.
    for (write_buffer_size, expected) in [(usage[2], 1), (usage[2] - 1, 2)] {
        let copy = tempfile::tempdir().unwrap();
        for name in file_names(&dir) {
            write_file(&copy.path().join(&name), &read_file(&dir.join(&name)));
        }
        let options = Options { write_buffer_size, ..test.options.clone() };
        let db = Db::open(env.clone(), copy.path(), options).unwrap();
        assert_eq!(db.report().tables.len(), expected, "a buffer of {write_buffer_size}");
    }
}
