//! Databases opened for reading alone, and databases destroyed.

use std::collections::BTreeMap;
use std::path::Path;

use super::faulty_env::{Fault, FaultyEnv};
use super::{SYNC, TestDb, file_names, options, read_file, write_file};
use crate::batch::WriteBatch;
use crate::db::{Db, destroy};
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::error::{Error, FileOp};
use crate::filename::{log_file_name, table_file_name};
use crate::options::{Options, RecoveryPolicy};
use crate::verify::verify;

/// Every file with its bytes.
fn image(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    file_names(dir).into_iter().map(|name| (name.clone(), read_file(&dir.join(name)))).collect()
}

fn look(test: &TestDb, options: Options) -> crate::Result<Db<PosixEnv>> {
    Db::open_read_only(PosixEnv::new(), test.path(), options)
}

/// A table, a log with more than one memtable's worth, and nobody at work.
fn closed() -> TestDb {
    let mut test = TestDb::new();
    test.put("a", "table");
    test.put("b", "table");
    test.db().flush().unwrap();
    test.put("b", "log");
    test.delete("c");
    for i in 0..90 {
        test.put(&format!("k{i}"), &"v".repeat(1000));
    }
    test.close();
    test
}

#[test]
fn a_reader_sees_everything_and_changes_nothing() {
    let test = closed();
    let before = image(&test.path());
    // Less than the log holds, and a database that would be refused for being there.
    let small = Options { write_buffer_size: 4096, error_if_exists: true, ..options() };
    let db = look(&test, small).unwrap();
    assert_eq!(db.get(b"a").unwrap().as_deref(), Some(&b"table"[..]));
    assert_eq!(db.get(b"b").unwrap().as_deref(), Some(&b"log"[..]));
    assert_eq!(db.iter().unwrap().into_iter().count(), 92);
    assert_eq!((db.report().batches, db.last_sequence()), (92, 94));
    let snapshot = db.snapshot().unwrap();
    assert_eq!(snapshot.sequence(), 94);
    drop(snapshot);

    let refused = Err(Error::ReadOnly);
    assert_eq!(db.put(b"a", b""), refused);
    assert_eq!(db.delete(b"a"), refused);
    assert_eq!(db.write(&WriteBatch::new(), &SYNC), refused);
    for call in [Db::flush, Db::sync, Db::resume] {
        assert_eq!(call(&db), Err(Error::ReadOnly));
    }
    assert_eq!(db.compact_range(None, None), Err(Error::ReadOnly));
    assert!(matches!(test.try_open(), Err(Error::Locked { .. })));

    let clone = db.clone();
    db.close().unwrap();
    assert_eq!(clone.get(b"a"), Err(Error::Closed));
    assert_eq!(clone.close(), Err(Error::Closed));
    assert_eq!(image(&test.path()), before);
    test.try_open().unwrap().close().unwrap();
}

#[test]
fn readers_share_a_database_and_none_a_writer_s() {
    let mut test = closed();
    let readers = [0; 2].map(|_| look(&test, options()).unwrap());
    assert!(verify(&PosixEnv::new(), &test.path(), &options()).unwrap().is_sound());
    for reader in readers {
        assert!(matches!(test.try_open(), Err(Error::Locked { .. })));
        assert!(matches!(destroy(&PosixEnv::new(), &test.path()), Err(Error::Locked { .. })));
        assert_eq!(reader.iter().unwrap().into_iter().count(), 92);
        reader.close().unwrap();
    }
    test.open();
    assert!(matches!(look(&test, options()), Err(Error::Locked { .. })));
}

#[test]
fn a_copy_without_a_lock_file_is_read_without() {
    let test = closed();
    PosixEnv::new().remove(&test.path().join("LOCK")).unwrap();
    let before = image(&test.path());
    let db = look(&test, options()).unwrap();
    assert_eq!(db.iter().unwrap().into_iter().count(), 92);
    db.close().unwrap();
    assert_eq!(image(&test.path()), before);
}

#[test]
fn a_reader_makes_no_call_that_could_write() {
    let test = closed();
    let env = FaultyEnv::new();
    for op in [FileOp::Create, FileOp::Append, FileOp::Rename, FileOp::Remove, FileOp::SyncDir] {
        env.fail(Fault::Each(op, ""), false);
        let db = Db::open_read_only(env.clone(), test.path(), options()).unwrap();
        assert_eq!(db.iter().unwrap().into_iter().count(), 92);
        db.close().unwrap();
        assert_eq!(env.heal(), None);
    }
}

#[test]
fn a_reader_meets_damage_as_an_open_does_and_leaves_it() {
    let test = closed();
    let log = file_names(&test.path()).into_iter().rfind(|name| name.contains("log")).unwrap();
    let path = test.path().join(log);
    let mut bytes = read_file(&path);
    bytes.pop();
    write_file(&path, &bytes);
    let before = image(&test.path());
    let db = look(&test, options()).unwrap();
    assert_eq!(db.iter().unwrap().into_iter().count(), 91);
    let [dropped] = &db.report().dropped[..] else { panic!("{:?}", db.report()) };
    assert_eq!((dropped.batches, &dropped.kept_in), (0, &None));
    db.close().unwrap();
    let strict = Options { recovery_policy: RecoveryPolicy::Absolute, ..options() };
    assert!(matches!(look(&test, strict), Err(Error::Corruption(_))));
    assert_eq!(image(&test.path()), before);
}

#[test]
fn a_reader_makes_no_database() {
    let root = tempfile::tempdir().unwrap();
    for path in [root.path().join("db"), root.path().to_owned()] {
        let options = Options { create_if_missing: true, ..options() };
        let refused = Db::open_read_only(PosixEnv::new(), &path, options).unwrap_err();
        assert!(matches!(refused, Error::InvalidArgument(_)), "{refused}");
    }
    assert!(file_names(root.path()).is_empty());
}

// DBTest.DestroyEmptyDir
#[test]
fn destroy_empty_dir() {
    let env = PosixEnv::new();
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("db");
    destroy(&env, &dir).unwrap();
    assert_eq!(env.exists(&dir), Ok(false));
    env.create_dir(&dir).unwrap();
    destroy(&env, &dir).unwrap();
    assert_eq!(env.exists(&dir), Ok(false));
}

// DBTest.DestroyOpenDB
#[test]
fn destroy_open_db() {
    let env = PosixEnv::new();
    let mut test = closed();
    test.open();
    let before = test.file_names();
    assert!(matches!(destroy(&env, &test.path()), Err(Error::Locked { .. })));
    assert_eq!(test.file_names(), before);
    test.close();
    destroy(&env, &test.path()).unwrap();
    assert_eq!(env.exists(&test.path()), Ok(false));
}

#[test]
fn what_is_not_the_database_s_survives_its_end() {
    let env = PosixEnv::new();
    let test = closed();
    env.create_dir(&test.path().join("lost")).unwrap();
    write_file(&test.path().join("notes.txt"), b"keep");
    destroy(&env, &test.path()).unwrap();
    assert_eq!(test.file_names(), ["lost", "notes.txt"]);
}

#[test]
fn an_interrupted_end_leaves_nothing_to_open() {
    let env = FaultyEnv::new();
    let test = closed();
    let numbers = 1..20;
    env.fail(Fault::Each(FileOp::Remove, "ldb"), false);
    assert!(matches!(destroy(&env, &test.path()), Err(Error::Io { .. })));
    env.heal();
    let is_there = |path: &Path| PosixEnv::new().exists(path).unwrap();
    // All others were tried.
    assert!(numbers.clone().any(|n| is_there(&table_file_name(&test.path(), n))));
    assert!(!numbers.clone().any(|n| is_there(&log_file_name(&test.path(), n))));
    assert!(matches!(test.try_open(), Err(Error::Corruption(_))));
    destroy(&env, &test.path()).unwrap();
    assert!(!is_there(&test.path()));
}

/// As long as CURRENT may come back, so must everything that it leads to.
#[test]
fn nothing_else_is_removed_until_current_is_gone_for_good() {
    let env = FaultyEnv::new();
    let test = closed();
    let but_current = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| name != "CURRENT").collect()
    };
    let before = but_current(test.file_names());
    for _ in 0..2 {
        env.fail(Fault::Each(FileOp::SyncDir, ""), false);
        assert!(matches!(destroy(&env, &test.path()), Err(Error::Io { .. })));
        assert_eq!(test.file_names(), before);
    }
    env.heal();
    destroy(&env, &test.path()).unwrap();
    assert_eq!(env.exists(&test.path()), Ok(false));
}

#[test]
fn an_end_that_may_come_undone_is_told() {
    let env = FaultyEnv::new();
    let test = closed();
    env.fail(Fault::NthOf(FileOp::SyncDir, "", 1), false);
    assert!(matches!(destroy(&env, &test.path()), Err(Error::Io { .. })));
    assert_eq!(test.file_names(), ["LOCK"]);
    env.heal();
    destroy(&env, &test.path()).unwrap();
    assert_eq!(env.exists(&test.path()), Ok(false));
}
