//! Opening what an earlier incarnation left, whole and damaged.

use std::sync::Arc;

use super::faulty_env::{Fault, FaultyEnv};
use super::{R, TestDb, file_names, has_extension, options, read_file, write_file};
use crate::db::Db;
use crate::env::{Env, Mutex};
use crate::error::{Defect, Error};
use crate::filename::{FileKind, FileNumber, log_file_name};
use crate::iterator::InternalIterator;
use crate::key::ParsedInternalKey;
use crate::options::{Observer, Options, RecoveryPolicy};

#[test]
fn recover() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    test.put("baz", "v5");
    test.reopen();
    assert_eq!((test.get("foo").as_str(), test.get("baz").as_str()), ("v1", "v5"));
    test.put("bar", "v2");
    test.put("foo", "v3");
    test.reopen();
    assert_eq!(test.get("foo"), "v3");
    test.put("foo", "v4");
    assert_eq!(test.contents(), "(bar->v2)(baz->v5)(foo->v4)");
}

#[test]
fn recovery_with_empty_log() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    test.put("foo", "v2");
    test.reopen();
    test.reopen();
    test.put("foo", "v3");
    test.reopen();
    assert_eq!(test.get("foo"), "v3");
}

#[test]
fn recover_with_large_log() {
    let mut test = TestDb::with(Options { write_buffer_size: 1 << 20, ..options() });
    let pattern = |byte: &str| byte.repeat(200_000);
    test.put("big1", &pattern("1"));
    test.put("big2", &pattern("2"));
    test.put("small3", &"3".repeat(10));
    test.put("small4", &"4".repeat(10));
    assert_eq!(test.level0_tables(), 0);
    test.options.write_buffer_size = 100_000;
    test.reopen();
    assert_eq!(test.level0_tables(), 3);
    assert_eq!(test.get("big1"), pattern("1"));
    assert_eq!(test.get("big2"), pattern("2"));
    assert_eq!((test.get("small3").len(), test.get("small4").len()), (10, 10));
}

#[test]
fn sequence_numbers_go_on() {
    let mut test = TestDb::new();
    test.put("a", "1");
    test.put("a", "2");
    test.reopen();
    assert_eq!(test.db().last_sequence(), 2);
    assert_eq!(test.db().put(b"a", b"3").unwrap(), 3);
}

#[test]
fn files_that_are_not_ours_stay() {
    let mut test = TestDb::new();
    write_file(&test.path().join("notes.txt"), b"mine");
    write_file(&test.path().join("000001.dbtmp"), b"left over");
    write_file(&test.path().join("000002.ldb"), b"in no version");
    test.reopen();
    let names = test.file_names();
    assert!(names.contains(&"notes.txt".into()));
    assert!(!names.contains(&"000001.dbtmp".into()) && !names.contains(&"000002.ldb".into()));
}

#[test]
fn numbers_of_files_that_are_there_are_not_given_again() {
    let mut test = TestDb::new();
    test.close();
    write_file(&test.path().join("000077.log"), b"");
    test.open();
    test.put("a", "1");
    assert!(test.file_names().contains(&"000079.log".into()), "{:?}", test.file_names());
}

#[test]
fn a_number_beyond_all_bounds_is_told_by_its_file() {
    let mut test = TestDb::new();
    test.put("k", "v");
    test.close();
    let path = log_file_name(&test.path(), 1 << 62);
    write_file(&path, b"");
    let words = "its number is beyond all bounds";
    let refused = Error::corruption(path, 0, Defect::Other(words.into()));
    assert_eq!(test.try_open().unwrap_err(), refused);
}

#[test]
fn current_missing_is_not_a_new_database() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    test.close();
    super::PosixEnv::new().remove(&test.path().join("CURRENT")).unwrap();
    let before = file_names(&test.path());
    assert!(matches!(test.try_open(), Err(Error::Corruption(_))));
    assert_eq!(file_names(&test.path()), before);
    // Put back, all is there.
    write_file(&test.path().join("CURRENT"), b"MANIFEST-000002\n");
    test.open();
    assert_eq!(test.get("foo"), "v1");
}

#[test]
fn an_interrupted_creation_is_begun_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    super::PosixEnv::new().create_dir(&path).unwrap();
    write_file(&path.join("MANIFEST-000001"), b"torn");
    write_file(&path.join("000001.dbtmp"), b"MANIF");
    let db = Db::open(super::PosixEnv::new(), &path, options()).unwrap();
    db.put(b"a", b"1").unwrap();
    assert_eq!(file_names(&path), ["000003.log", "CURRENT", "LOCK", "MANIFEST-000002"]);
}

#[test]
fn bad_current_and_missing_manifest_are_damage() {
    let mut test = TestDb::new();
    test.close();
    for contents in [&b"MANIFEST-000002"[..], b"", b"\n", b"000003.log\n", b"MANIFEST-000009\n"] {
        write_file(&test.path().join("CURRENT"), contents);
        assert!(matches!(test.try_open(), Err(Error::Corruption(_))), "{contents:?}");
    }
}

#[test]
fn a_missing_table_is_damage() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    test.db().flush().unwrap();
    test.close();
    let names = test.file_names();
    let table = names.iter().find(|name| has_extension(name, "ldb")).unwrap();
    let path = test.path().join(table);
    let bytes = read_file(&path);
    super::PosixEnv::new().remove(&path).unwrap();
    let error = test.try_open().unwrap_err();
    assert!(error.to_string().contains("missing files"), "{error}");
    // Its old name will do.
    write_file(&path.with_extension("sst"), &bytes);
    test.open();
    assert_eq!(test.get("foo"), "v1");
}

#[test]
fn comparator_check() {
    #[derive(Debug)]
    struct Other;
    impl crate::key::Comparator for Other {
        fn name(&self) -> &'static str {
            "test.Other"
        }
        fn compare(&self, a: &[u8], b: &[u8]) -> core::cmp::Ordering {
            a.cmp(b)
        }
        fn find_shortest_separator(&self, _start: &mut Vec<u8>, _limit: &[u8]) {}
        fn find_short_successor(&self, _key: &mut Vec<u8>) {}
    }
    let mut test = TestDb::new();
    test.close();
    test.options.comparator = Arc::new(Other);
    let error = test.try_open().unwrap_err();
    assert!(matches!(&error, Error::InvalidArgument(words) if words.contains("comparator")));
}

/// Three single puts in one log, records of 28 bytes each: cut and damaged at every byte.
#[test]
fn every_cut_of_a_log_opens_with_the_whole_records_before_it() {
    let mut test = TestDb::new();
    for key in ["a", "b", "c"] {
        test.put(key, "v");
    }
    test.close();
    let log = test.path().join("000003.log");
    let whole = read_file(&log);
    let record = whole.len() / 3;
    for policy in [RecoveryPolicy::TolerateTail, RecoveryPolicy::PointInTime] {
        for cut in 0..=whole.len() {
            let copy = copy_of(&test, policy);
            write_file(&copy.path().join("000003.log"), &whole[..cut]);
            let db = copy.try_open().unwrap();
            let report = db.report();
            assert_eq!(report.batches, (cut / record) as u64, "cut at {cut}");
            assert_eq!(report.last_sequence, (cut / record) as u64);
            let torn = cut % record;
            assert_eq!(report.has_dropped(), torn != 0);
            if let [dropped] = &report.dropped[..] {
                assert_eq!((dropped.offset, dropped.bytes), ((cut - torn) as u64, torn as u64));
                let kept = dropped.kept_in.clone().unwrap();
                assert_eq!(read_file(&kept), &whole[cut - torn..cut]);
                assert!(file_names(&copy.path()).contains(&"000003.log".into()));
            }
        }
    }
}

/// A closed copy of the database, to be damaged.
fn copy_of(test: &TestDb, policy: RecoveryPolicy) -> TestDb {
    let copy = TestDb {
        root: tempfile::tempdir().unwrap(),
        db: None,
        options: Options { recovery_policy: policy, ..test.options.clone() },
    };
    super::PosixEnv::new().create_dir(&copy.path()).unwrap();
    for name in test.file_names() {
        write_file(&copy.path().join(&name), &read_file(&test.path().join(&name)));
    }
    copy
}

#[test]
fn damage_in_the_newest_log_is_dropped_by_policy() {
    let mut test = TestDb::new();
    for key in ["a", "b", "c"] {
        test.put(key, "v");
    }
    test.close();
    let whole = read_file(&test.path().join("000003.log"));
    let record = whole.len() / 3;
    let mut damaged = whole.clone();
    // The value of the second record. The framing drops the rest of the block with it.
    damaged[2 * record - 1] ^= 1;
    let open = |policy| {
        let copy = copy_of(&test, policy);
        write_file(&copy.path().join("000003.log"), &damaged);
        copy.try_open().map(|db| (db.report().clone(), copy))
    };
    for policy in
        [RecoveryPolicy::TolerateTail, RecoveryPolicy::PointInTime, RecoveryPolicy::SkipCorrupt]
    {
        let (report, copy) = open(policy).unwrap();
        assert_eq!(report.batches, 1, "{policy:?}");
        assert_eq!(report.dropped[0].offset, record as u64);
        assert_eq!(report.dropped[0].defect, Some(Defect::ChecksumMismatch));
        assert_eq!(read_file(report.dropped[0].kept_in.as_ref().unwrap()), &damaged[record..]);
        // Nothing was removed, and the next open has nothing to say.
        assert_eq!(read_file(&copy.path().join("000003.log")), damaged);
        let again = copy.try_open().unwrap();
        assert!(!again.report().has_dropped());
        assert_eq!(again.get(b"a").unwrap().as_deref(), Some(&b"v"[..]));
        assert!(!copy.file_names().contains(&"000003.log".into()));
        assert_eq!(file_names(&copy.path().join("lost")), [format!("000003.log.from-{record}")]);
    }
    assert!(matches!(open(RecoveryPolicy::Absolute), Err(Error::Corruption(_))));
}

/// Two logs: the first as a switch leaves it when the process dies before the flush.
fn two_logs() -> (TestDb, Vec<u8>, Vec<u8>) {
    let mut test = TestDb::new();
    test.put("a", "1");
    test.put("b", "1");
    let first = read_file(&test.path().join("000003.log"));
    test.db().flush().unwrap();
    test.put("c", "2");
    test.put("d", "2");
    let second = read_file(&test.path().join("000004.log"));
    test.close();
    // A database that has both logs and no table yet.
    let fresh = TestDb::new();
    let fresh = TestDb { db: None, ..fresh };
    write_file(&fresh.path().join("000003.log"), &first);
    write_file(&fresh.path().join("000004.log"), &second);
    (fresh, first, second)
}

#[test]
fn two_logs_are_replayed_in_order() {
    let (mut test, ..) = two_logs();
    test.open();
    assert_eq!(test.contents(), "(a->1)(b->1)(c->2)(d->2)");
    assert_eq!(test.db().report().logs, [3, 4]);
}

#[test]
fn a_torn_older_log_is_damage() {
    let (test, first, second) = two_logs();
    for cut in [first.len() - 1, first.len() / 2] {
        let open = |policy| {
            let copy = copy_of(&test, policy);
            write_file(&copy.path().join("000003.log"), &first[..cut]);
            (copy.try_open(), copy)
        };
        assert!(matches!(open(RecoveryPolicy::TolerateTail).0, Err(Error::Corruption(_))));
        assert!(matches!(open(RecoveryPolicy::Absolute).0, Err(Error::Corruption(_))));
        let (db, _copy) = open(RecoveryPolicy::PointInTime);
        let db = db.unwrap();
        assert_eq!((db.report().batches, db.last_sequence()), (1, 4));
        assert_eq!(db.get(b"c").unwrap(), None);
        let later = db.report().dropped.last().unwrap();
        assert_eq!((later.file, later.bytes), (FileKind::Log(4), second.len() as u64));
        assert_eq!((later.batches, later.sequences), (2, Some((3, 4))));
        let (db, _copy) = open(RecoveryPolicy::SkipCorrupt);
        let db = db.unwrap();
        assert_eq!(db.report().batches, 3);
        assert_eq!(db.get(b"c").unwrap().as_deref(), Some(&b"2"[..]));
    }
    // Followed by an empty log it is the newest with any bytes, so its end may be torn.
    let copy = copy_of(&test, RecoveryPolicy::TolerateTail);
    write_file(&copy.path().join("000003.log"), &first[..first.len() - 1]);
    write_file(&copy.path().join("000004.log"), b"");
    assert_eq!(copy.try_open().unwrap().report().batches, 1);
}

#[test]
fn a_gap_between_two_logs_is_damage() {
    let (test, first, _second) = two_logs();
    let open = |policy| {
        let copy = copy_of(&test, policy);
        // Cut at a record: the framing sees nothing.
        write_file(&copy.path().join("000003.log"), &first[..first.len() / 2]);
        let opened = copy.try_open();
        (opened, copy)
    };
    assert!(matches!(open(RecoveryPolicy::TolerateTail).0, Err(Error::Corruption(_))));
    assert!(matches!(open(RecoveryPolicy::Absolute).0, Err(Error::Corruption(_))));
    let (db, _copy) = open(RecoveryPolicy::PointInTime);
    assert_eq!(db.unwrap().report().batches, 1);
    let (db, _copy) = open(RecoveryPolicy::SkipCorrupt);
    assert_eq!(db.unwrap().report().batches, 3);
}

#[test]
fn a_torn_manifest_opens_with_the_edits_before_and_keeps_what_it_does_not_know() {
    let (mut test, ..) = two_logs();
    test.open();
    test.put("e", "3");
    test.db().flush().unwrap();
    test.close();
    let names = test.file_names();
    let manifest = names.iter().find(|name| name.starts_with("MANIFEST")).unwrap().clone();
    let whole = read_file(&test.path().join(&manifest));
    // The edit of the flush is the last record. Its log is gone, so without the edit "e" is lost,
    // which only damage can do; the table must then be kept.
    write_file(&test.path().join(&manifest), &whole[..whole.len() - 1]);
    test.open();
    assert_eq!(test.get("e"), "NOT_FOUND");
    let report = test.db().report();
    let [dropped] = &report.dropped[..] else { panic!("{report:?}") };
    assert!(matches!(dropped.file, FileKind::Manifest(_)));
    let torn = &whole[dropped.offset as usize..whole.len() - 1];
    assert_eq!(read_file(dropped.kept_in.as_ref().unwrap()), torn);
    let kept = file_names(&test.path().join("lost"));
    assert!(kept.iter().any(|name| has_extension(name, "ldb")), "{kept:?}");
    assert!(kept.iter().any(|name| name.starts_with(&manifest)), "{kept:?}");
}

#[test]
fn until_current_is_switched_a_misread_manifest_costs_nothing() {
    let mut test = TestDb::new();
    test.put("e", "3");
    test.db().flush().unwrap();
    test.put("f", "4");
    test.close();
    let dir = test.path();
    let current = read_file(&dir.join("CURRENT"));
    let manifest = dir.join(String::from_utf8(current.clone()).unwrap().trim_end());
    let whole = read_file(&manifest);
    let (env, names, lost) = (FaultyEnv::new(), file_names(&dir), dir.join("lost"));
    for nth in 0.. {
        // Else each open would have more files to keep than the one before.
        if env.exists(&lost).unwrap() {
            for name in file_names(&lost) {
                env.remove(&lost.join(name)).unwrap();
            }
            env.remove_dir(&lost).unwrap();
        }
        for name in file_names(&dir).iter().filter(|name| !names.contains(name)) {
            env.remove(&dir.join(name)).unwrap();
        }
        write_file(&manifest, &whole[..whole.len() - 1]);
        env.fail(Fault::Nth(nth), false);
        let opened = Db::open(env.clone(), &dir, test.options.clone());
        let failed = env.heal();
        if read_file(&dir.join("CURRENT")) != current {
            // By then the files to be kept had been met.
            assert!(nth > 30 && file_names(&lost).len() > 2, "{nth}");
            break;
        }
        drop(opened.map(drop).expect_err("a call failed before CURRENT was switched"));
        // The medium had it all, and the read that missed its end was the only one to do so.
        write_file(&manifest, &whole);
        let db = Db::open_read_only(env.clone(), &dir, test.options.clone())
            .unwrap_or_else(|error| panic!("{nth}, {failed:?} failed: {error}"));
        assert_eq!(db.get(b"e").unwrap().as_deref(), Some(&b"3"[..]), "{nth}");
        assert_eq!(db.get(b"f").unwrap().as_deref(), Some(&b"4"[..]), "{nth}");
    }
}

#[test]
fn a_manifest_that_is_damaged_before_its_end_is_refused() {
    let mut test = TestDb::new();
    for i in 0..3 {
        test.put("k", &i.to_string());
        test.db().flush().unwrap();
    }
    test.close();
    let path = test.path().join("MANIFEST-000002");
    let whole = read_file(&path);
    // Each byte of the first two records in turn, the length fields among them.
    for at in 0..50 {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        write_file(&path, &damaged);
        assert!(matches!(test.try_open(), Err(Error::Corruption(_))), "byte {at}");
    }
    write_file(&path, &whole);
    test.open();
    assert_eq!(test.get("k"), "2");
}

#[test]
fn the_observer_sees_what_replay_left() {
    #[derive(Debug)]
    struct Seen(Mutex<R, Vec<(FileNumber, String)>>);
    impl Observer for Seen {
        fn replayed(&self, log: FileNumber, entries: &mut dyn InternalIterator) {
            entries.seek_to_first();
            while entries.valid() {
                let key = format!("{:?}", ParsedInternalKey::parse(entries.key()).unwrap());
                self.0.lock().push((log, key));
                entries.next();
            }
        }
    }
    let (mut test, ..) = two_logs();
    let seen = Arc::new(Seen(Mutex::new("seen", Vec::new())));
    test.options.observer = Some(Arc::clone(&seen) as _);
    test.open();
    let expected = [(3, "'a' @ 1"), (3, "'b' @ 2"), (4, "'c' @ 3"), (4, "'d' @ 4")];
    let expected = expected.map(|(log, key)| (log, format!("{key} : Value")));
    assert_eq!(*seen.0.lock(), expected);
}
