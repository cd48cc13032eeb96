//! What one failing operation does: who hears of it, what stops, and how `resume` and a reopen go
//! on.

use std::collections::BTreeMap;
use std::path::Path;

use super::faulty_env::{Fault, FaultyEnv};
use super::{SYNC, file_names, has_extension, options};
use crate::db::Db;
use crate::error::{Error, FileOp};
use crate::options::{Options, WriteOptions};

type FaultyDb = Db<FaultyEnv>;

fn open(env: &FaultyEnv, path: &Path) -> crate::Result<FaultyDb> {
    Db::open(env.clone(), path, Options { write_buffer_size: 4096, ..options() })
}

fn is_background<T>(result: &crate::Result<T>) -> bool {
    matches!(result, Err(Error::Background(_)))
}

/// Fails `fault` under a write that is made by `act`, and sees that all later ones are refused,
/// that reads go on, and that `resume` makes the failed write absent for good.
fn check_stop_and_resume(
    fault: &Fault,
    is_done: bool,
    act: impl Fn(&FaultyDb) -> crate::Result<()>,
) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = open(&env, &path).unwrap();
    db.put(b"before", b"1").unwrap();
    env.fail(fault.clone(), is_done);
    let failed = act(&db).unwrap_err();
    assert!(matches!(failed.root(), Error::Io { .. }), "{fault:?}: {failed}");
    let failed_op = env.heal();
    assert!(failed_op.is_some());

    assert!(is_background(&db.put(b"later", b"2")), "{fault:?} did not stop writes");
    assert!(is_background(&db.put_with(b"later", b"2", &SYNC)));
    assert!(is_background(&db.sync()) && is_background(&db.flush()));
    assert_eq!(db.get(b"before").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(db.get(b"failed").unwrap(), None);

    let last = db.last_sequence();
    db.resume().unwrap();
    assert_eq!(db.get(b"failed").unwrap(), None);
    assert_eq!(db.get(b"before").unwrap().as_deref(), Some(&b"1"[..]));
    assert!(db.put_with(b"after", b"3", &SYNC).unwrap() > last);
    db.flush().unwrap();
    db.put(b"end", b"4").unwrap();
    drop(db);
    let db = open(&env, &path).unwrap();
    assert!(!db.report().has_dropped(), "{:?}", db.report());
    let keys: Vec<_> = db.iter().unwrap().into_iter().map(|entry| entry.unwrap().0).collect();
    let keys: Vec<_> = keys.iter().map(|key| key.escape_ascii().to_string()).collect();
    assert_eq!(keys, ["after", "before", "end"], "{fault:?}");
    // One log, one MANIFEST, and nothing in between.
    let names = file_names(&path);
    assert_eq!(names.iter().filter(|name| has_extension(name, "log")).count(), 1, "{names:?}");
    assert_eq!(names.iter().filter(|name| name.starts_with("MANIFEST")).count(), 1, "{names:?}");
}

#[test]
fn a_failed_append_or_sync_stops_all_writes_until_resume() {
    for is_done in [false, true] {
        let append = Fault::Each(FileOp::Append, ".log");
        check_stop_and_resume(&append, is_done, |db| db.put(b"failed", b"x").map(drop));
        check_stop_and_resume(&append, is_done, |db| db.put_with(b"failed", b"x", &SYNC).map(drop));
        let sync = Fault::Each(FileOp::Sync, ".log");
        check_stop_and_resume(&sync, is_done, |db| db.put_with(b"failed", b"x", &SYNC).map(drop));
        check_stop_and_resume(&sync, is_done, FaultyDb::sync);
    }
}

#[test]
fn a_failed_switch_stops_all_writes_until_resume() {
    for is_done in [false, true] {
        for (op, words) in
            [(FileOp::Sync, ".log"), (FileOp::SyncDir, "db"), (FileOp::Close, ".log")]
        {
            check_stop_and_resume(&Fault::Each(op, words), is_done, FaultyDb::flush);
        }
    }
}

#[test]
fn a_failed_flush_stops_all_writes_until_resume() {
    for is_done in [false, true] {
        for op in [FileOp::Create, FileOp::Append, FileOp::Sync, FileOp::Close, FileOp::Open] {
            check_stop_and_resume(&Fault::Each(op, ".ldb"), is_done, FaultyDb::flush);
        }
        for op in [FileOp::Append, FileOp::Sync] {
            check_stop_and_resume(&Fault::Each(op, "MANIFEST"), is_done, FaultyDb::flush);
        }
    }
}

/// GetFromImmutableLayer and RecoverDuringMemtableCompaction: a memtable that never became a table
/// is read like any other, and its log carries it to the next open.
#[test]
fn a_memtable_that_was_not_flushed_is_read_and_recovered() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = open(&env, &path).unwrap();
    db.put(b"a", b"1").unwrap();
    db.put(b"b", b"1").unwrap();
    env.fail(Fault::Each(FileOp::Create, ".ldb"), false);
    assert!(db.flush().is_err());
    env.heal();
    let check = |db: &FaultyDb| {
        assert_eq!(db.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(db.iter().unwrap().into_iter().count(), 2);
    };
    check(&db);
    let closed = db.close();
    assert!(is_background(&closed), "{closed:?}");
    let db = open(&env, &path).unwrap();
    check(&db);
    assert_eq!(db.report().logs, [3, 4]);
}

#[test]
fn a_table_that_failed_does_not_stay() {
    for op in [FileOp::Append, FileOp::Sync, FileOp::Close, FileOp::Open] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("db");
        let env = FaultyEnv::new();
        let db = open(&env, &path).unwrap();
        db.put(b"a", b"1").unwrap();
        env.fail(Fault::Each(op, ".ldb"), false);
        assert!(db.flush().is_err());
        assert!(env.heal().is_some());
        let names = file_names(&path);
        assert!(!names.iter().any(|name| has_extension(name, "ldb")), "{op}: {names:?}");
    }
}

#[test]
fn a_log_that_cannot_be_created_stops_nothing() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = open(&env, &path).unwrap();
    db.put(b"a", b"1").unwrap();
    for _ in 0..3 {
        env.fail(Fault::Each(FileOp::Create, ".log"), false);
        let failed = db.flush();
        assert!(matches!(failed, Err(Error::Io { op: FileOp::Create, .. })), "{failed:?}");
    }
    env.heal();
    db.put(b"b", b"2").unwrap();
    db.flush().unwrap();
    // The number was not used up.
    assert!(file_names(&path).contains(&"000004.log".into()), "{:?}", file_names(&path));
}

#[test]
fn a_failed_resume_may_be_tried_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = open(&env, &path).unwrap();
    db.put(b"a", b"1").unwrap();
    env.fail(Fault::Each(FileOp::Append, ".log"), true);
    db.put(b"failed", b"x").unwrap_err();
    // From there on an edit may name the files of the attempt.
    let is_of_manifest = |words| ["MANIFEST", "dbtmp"].contains(&words);
    for (op, words) in [
        (FileOp::Create, ".log"),
        (FileOp::Append, ".ldb"),
        (FileOp::Sync, ".ldb"),
        (FileOp::SyncDir, "db"),
        (FileOp::Append, "MANIFEST"),
        (FileOp::Sync, "MANIFEST"),
        (FileOp::Create, "MANIFEST"),
        (FileOp::Sync, "dbtmp"),
    ] {
        env.fail(Fault::Each(op, words), false);
        let before = file_names(&path);
        let failed = db.resume();
        assert!(matches!(failed, Err(Error::Io { .. })), "{op} {words}: {failed:?}");
        assert!(env.heal().is_some());
        if !is_of_manifest(words) {
            assert_eq!(file_names(&path), before, "{op} {words}: a full disk needs the room");
        }
        assert!(is_background(&db.put(b"later", b"2")));
        assert_eq!(db.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    }
    db.resume().unwrap();
    db.put(b"b", b"2").unwrap();
    drop(db);
    let db = open(&env, &path).unwrap();
    let keys: Vec<_> = db.iter().unwrap().into_iter().map(|entry| entry.unwrap().0).collect();
    assert_eq!(keys, [b"a", b"b"]);
}

#[test]
fn a_switch_of_current_of_unknown_outcome_is_left_to_the_next_open() {
    for is_done in [false, true] {
        for fault in [
            Fault::Each(FileOp::Rename, "CURRENT"),
            // Of the table and the log, of the MANIFEST, and then that of CURRENT.
            Fault::NthOf(FileOp::SyncDir, "db", 2),
        ] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("db");
            let env = FaultyEnv::new();
            let db = open(&env, &path).unwrap();
            db.put(b"a", b"1").unwrap();
            env.fail(Fault::Each(FileOp::Sync, "MANIFEST"), is_done);
            assert!(db.flush().is_err());
            env.fail(fault.clone(), is_done);
            assert!(matches!(db.resume(), Err(Error::Io { .. })));
            env.heal();
            let again = db.resume();
            assert!(is_background(&again), "{again:?}");
            let manifests = |names: Vec<String>| {
                names.into_iter().filter(|name| name.starts_with("MANIFEST")).count()
            };
            assert_eq!(manifests(file_names(&path)), 2, "{fault:?}: both stay");
            drop(db);
            let db = open(&env, &path).unwrap();
            assert_eq!(db.get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
            assert_eq!(manifests(file_names(&path)), 1);
        }
    }
}

/// What a run of the script acknowledged, and what it was refused.
#[derive(Default)]
struct Run {
    acked: BTreeMap<Vec<u8>, Vec<u8>>,
    refused: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Run {
    /// Returns whether writes were stopped before.
    fn put(&mut self, db: &FaultyDb, number: usize) -> bool {
        let key = format!("key{number:03}").into_bytes();
        let value = vec![b'v'; 500 + number];
        let options = WriteOptions { sync: number.is_multiple_of(7), ..WriteOptions::default() };
        let result = db.put_with(&key, &value, &options);
        match result {
            Ok(_) => self.acked.insert(key, value),
            Err(_) => self.refused.insert(key, value),
        };
        is_background(&result)
    }

    fn check(&self, db: &FaultyDb, may_have_refused: bool) {
        let entries = || db.iter()?.into_iter().collect::<crate::Result<BTreeMap<_, _>>>();
        // The one failure may strike here.
        let mut found = entries().or_else(|_| entries()).unwrap();
        for (key, value) in &self.acked {
            assert_eq!(found.remove(key).as_ref(), Some(value), "an acknowledged write is gone");
        }
        for (key, value) in found {
            assert!(may_have_refused, "a write that failed is there");
            assert_eq!(self.refused.get(&key), Some(&value), "nobody wrote this");
        }
    }
}

/// Open, write across several switches and flushes, resume whenever writes stop, close, open:
/// with one operation failing, each in turn.
#[test]
fn each_single_failure_loses_nothing_that_was_acknowledged() {
    for is_done in [false, true] {
        for n in 0.. {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("db");
            let env = FaultyEnv::new();
            // A database with a log to recover.
            let mut run = Run::default();
            let db = open(&env, &path).unwrap();
            for number in 0..5 {
                run.put(&db, number);
            }
            db.close().unwrap();

            env.fail(Fault::Nth(n), is_done);
            let db = open(&env, &path).or_else(|error| {
                assert!(matches!(error, Error::Io { .. }), "operation {n}: {error}");
                open(&env, &path)
            });
            let db = db.unwrap();
            run.check(&db, false);
            for number in 5..25 {
                if run.put(&db, number) {
                    let resumed = db.resume();
                    assert!(resumed.is_ok() || is_background(&resumed), "{n}: {resumed:?}");
                    run.check(&db, false);
                }
                if number == 20 {
                    drop(db.flush());
                }
            }
            run.check(&db, false);
            drop(db.close());
            let failed = env.heal();
            let db = open(&env, &path).unwrap();
            run.check(&db, true);
            assert!(!db.report().has_dropped() || failed.is_some());
            if failed.is_none() {
                break;
            }
        }
    }
}
