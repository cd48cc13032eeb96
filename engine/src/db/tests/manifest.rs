//! What an open makes of the numbers in a MANIFEST: those of files, and of the logs that it needs.

use super::{PosixEnv, TestDb, file_names, write_file};
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::directory::Directory;
use crate::env::Env;
use crate::error::{Defect, Error};
use crate::filename::{FileNumber, log_file_name, manifest_file_name};
use crate::record::Writer;
use crate::test_files::MemFile;
use crate::version::edit::VersionEdit;
use crate::version::{Manifest, switch_current};

/// A database with MANIFEST-000002, which has these numbers, and no log.
fn with_numbers(next: FileNumber, log: FileNumber, previous: FileNumber) -> TestDb {
    let mut test = TestDb::new();
    test.close();
    let (env, dir) = (PosixEnv::new(), test.path());
    for name in file_names(&dir) {
        env.remove(&dir.join(name)).unwrap();
    }
    let edit = VersionEdit {
        comparator: Some(b"leveldb.BytewiseComparator".to_vec()),
        log_number: Some(log),
        prev_log_number: Some(previous),
        next_file_number: Some(next),
        last_sequence: Some(0),
        ..VersionEdit::new()
    };
    Manifest::create(&env, &dir, 2, &[&edit]).unwrap().close().unwrap();
    switch_current(&Directory::new(env, &dir), 2).unwrap();
    test
}

/// A log with one put, of its number.
fn write_log(test: &TestDb, number: FileNumber, sequence: u64) {
    let file = MemFile::default();
    let mut batch = WriteBatch::new();
    batch.put(b"log", number.to_string().as_bytes()).unwrap();
    batch.set_sequence(sequence);
    Writer::new(file.writable()).add_record(batch.contents()).unwrap();
    write_file(&log_file_name(&test.path(), number), &file.bytes());
}

fn replayed(test: &TestDb) -> Vec<FileNumber> {
    let reader = Db::open_read_only(PosixEnv::new(), test.path(), test.options.clone()).unwrap();
    let logs = reader.report().logs.clone();
    reader.close().unwrap();
    assert_eq!(test.try_open().unwrap().report().logs, logs);
    logs
}

#[test]
fn a_number_beyond_all_bounds_is_told_by_its_manifest() {
    const MAX: FileNumber = 1 << 62;
    for (next, log, previous) in [(MAX + 1, 3, 0), (4, MAX, 0), (4, u64::MAX, 0), (4, 3, MAX)] {
        let test = with_numbers(next, log, previous);
        let words = "a file number in an edit is beyond all bounds";
        let path = manifest_file_name(&test.path(), 2);
        let refused = Error::corruption(path, 0, Defect::Other(words.into()));
        assert_eq!(test.try_open().unwrap_err(), refused, "{next}, {log}, {previous}");
    }
    for (next, log, previous) in [(MAX, 3, 0), (4, MAX - 1, 0), (4, 3, MAX - 1)] {
        with_numbers(next, log, previous).try_open().unwrap();
    }
}

/// LevelDB before 2010 had a log for the memtable that was being flushed.
#[test]
fn the_previous_log_is_needed_and_none_between() {
    let test = with_numbers(9, 6, 4);
    for (number, sequence) in [(3, 1), (4, 2), (5, 3), (6, 3), (7, 4)] {
        write_log(&test, number, sequence);
    }
    assert_eq!(replayed(&test), [4, 6, 7]);
    let names = file_names(&test.path());
    assert!(!names.contains(&"000004.log".to_owned()), "{names:?}");
    let db = test.try_open().unwrap();
    assert_eq!(db.get(b"log").unwrap().as_deref(), Some(&b"7"[..]));
    assert_eq!(db.last_sequence(), 4);
}

#[test]
fn no_previous_log_is_not_log_number_0() {
    let test = with_numbers(9, 6, 0);
    for (number, sequence) in [(0, 7), (6, 1)] {
        write_log(&test, number, sequence);
    }
    assert_eq!(replayed(&test), [6]);
    assert_eq!(test.try_open().unwrap().last_sequence(), 1);
}
