//! Reading what was written: LevelDB's db_test by the same names.

use super::{SYNC, TestDb, file_names, has_extension, options, read_file};
use crate::batch::WriteBatch;
use crate::error::Error;
use crate::key::ValueType;
use crate::options::{Options, WriteOptions};

#[test]
fn empty() {
    assert_eq!(TestDb::new().get("foo"), "NOT_FOUND");
}

#[test]
fn empty_key() {
    let test = TestDb::new();
    test.put("", "v1");
    assert_eq!(test.get(""), "v1");
    test.put("", "v2");
    assert_eq!(test.get(""), "v2");
}

#[test]
fn empty_value() {
    let test = TestDb::new();
    for value in ["v1", "", "v2"] {
        test.put("key", value);
        assert_eq!(test.get("key"), value);
    }
}

#[test]
fn read_write() {
    let test = TestDb::new();
    test.put("foo", "v1");
    test.put("bar", "v2");
    test.put("foo", "v3");
    assert_eq!((test.get("foo").as_str(), test.get("bar").as_str()), ("v3", "v2"));
}

#[test]
fn put_delete_get() {
    let test = TestDb::new();
    test.put("foo", "v1");
    assert_eq!(test.get("foo"), "v1");
    test.put("foo", "v2");
    assert_eq!(test.get("foo"), "v2");
    test.delete("foo");
    assert_eq!(test.get("foo"), "NOT_FOUND");
    // The deletion must hide the value in the table too.
    test.put("foo", "v3");
    test.db().flush().unwrap();
    test.delete("foo");
    assert_eq!(test.get("foo"), "NOT_FOUND");
    test.db().flush().unwrap();
    assert_eq!(test.get("foo"), "NOT_FOUND");
}

#[test]
fn get_from_tables() {
    let test = TestDb::new();
    test.put("foo", "v1");
    test.db().flush().unwrap();
    assert_eq!(test.get("foo"), "v1");
}

#[test]
fn get_level0_ordering() {
    let test = TestDb::new();
    test.put("bar", "b");
    test.put("foo", "v1");
    test.db().flush().unwrap();
    test.put("foo", "v2");
    test.db().flush().unwrap();
    assert_eq!(test.get("foo"), "v2");
    assert_eq!(test.level0_tables(), 2);
}

#[test]
fn get_snapshot() {
    for key in ["foo".to_string(), "x".repeat(200)] {
        let test = TestDb::new();
        test.put(&key, "v1");
        let first = test.db().snapshot().unwrap();
        test.put(&key, "v2");
        assert_eq!((test.get(&key).as_str(), test.get_at(&key, &first).as_str()), ("v2", "v1"));
        test.db().flush().unwrap();
        assert_eq!((test.get(&key).as_str(), test.get_at(&key, &first).as_str()), ("v2", "v1"));
    }
}

#[test]
fn get_identical_snapshots() {
    let test = TestDb::new();
    test.put("foo", "v1");
    let [first, second, third] = [(); 3].map(|()| test.db().snapshot().unwrap());
    test.put("foo", "v2");
    for snapshot in [&first, &second, &third] {
        assert_eq!(test.get_at("foo", snapshot), "v1");
    }
    drop(first);
    test.db().flush().unwrap();
    assert_eq!(test.get_at("foo", &second), "v1");
    drop(second);
    assert_eq!(test.get_at("foo", &third), "v1");
}

#[test]
fn a_snapshot_before_the_first_write_shows_nothing() {
    let test = TestDb::new();
    let snapshot = test.db().snapshot().unwrap();
    assert_eq!(snapshot.sequence(), 0);
    test.put("foo", "v1");
    assert_eq!(test.get_at("foo", &snapshot), "NOT_FOUND");
    test.db().flush().unwrap();
    assert_eq!(test.get_at("foo", &snapshot), "NOT_FOUND");
}

#[test]
fn sequence_numbers_count_operations() {
    let test = TestDb::new();
    assert_eq!(test.db().put(b"a", b"1").unwrap(), 1);
    let mut batch = WriteBatch::new();
    for key in [b"a", b"b", b"c"] {
        batch.put(key, b"2").unwrap();
    }
    assert_eq!(test.db().write(&batch, &SYNC).unwrap(), 2);
    assert_eq!(test.db().delete(b"a").unwrap(), 5);
    assert_eq!(test.db().last_sequence(), 5);
    assert_eq!(test.db().snapshot().unwrap().sequence(), 5);
    // The caller's batch is as it was.
    assert_eq!(batch.sequence(), 0);
}

#[test]
fn a_full_memtable_is_switched_and_flushed() {
    let mut test = TestDb::with(Options { write_buffer_size: 10_000, ..options() });
    let value = "v".repeat(1000);
    for i in 0..100 {
        test.put(&format!("key{i:03}"), &value);
    }
    test.db().flush().unwrap();
    let tables = test.level0_tables();
    assert!((9..=12).contains(&tables), "{tables} tables");
    for i in 0..100 {
        assert_eq!(test.get(&format!("key{i:03}")), value);
    }
    // Closing waits for the sweep that follows a flush.
    test.close();
    assert_eq!(test.count_files("log"), 1, "flushed logs are removed");
}

#[test]
fn flushing_nothing_makes_no_table() {
    let test = TestDb::new();
    test.db().flush().unwrap();
    assert_eq!(test.file_names(), ["000003.log", "CURRENT", "LOCK", "MANIFEST-000002"]);
}

#[test]
fn visit_entries_shows_everything() {
    let test = TestDb::new();
    test.put("a", "1");
    test.db().flush().unwrap();
    test.delete("a");
    test.put("b", "2");
    let mut seen = Vec::new();
    test.db()
        .visit_entries(&mut |key, sequence, value_type, value| {
            seen.push((key.to_vec(), sequence, value_type, value.to_vec()));
        })
        .unwrap();
    assert_eq!(
        seen,
        [
            (b"a".to_vec(), 2, ValueType::Deletion, vec![]),
            (b"a".to_vec(), 1, ValueType::Value, b"1".to_vec()),
            (b"b".to_vec(), 3, ValueType::Value, b"2".to_vec()),
        ]
    );
}

#[test]
fn visit_entries_leaves_the_caches_as_they_are() {
    let mut test = TestDb::new();
    test.put("a", "1");
    test.db().flush().unwrap();
    test.reopen();
    let mut seen = 0;
    test.db().visit_entries(&mut |_, _, _, _| seen += 1).unwrap();
    assert_eq!((seen, test.db().table_cache_stats().open), (1, 0));
    assert_eq!(test.get("a"), "1");
    assert_eq!(test.db().table_cache_stats().open, 1, "a get opens what it reads");
}

#[test]
fn closed_means_closed_for_every_clone() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    let clone = test.db().clone();
    let snapshot = clone.snapshot().unwrap();
    let mut iter = clone.iter().unwrap();
    test.close();
    assert_eq!(clone.put(b"a", b"b"), Err(Error::Closed));
    assert_eq!(clone.write(&WriteBatch::new(), &WriteOptions::default()), Err(Error::Closed));
    assert_eq!(clone.get(b"foo"), Err(Error::Closed));
    assert_eq!(clone.iter().err(), Some(Error::Closed));
    assert_eq!(clone.snapshot().err(), Some(Error::Closed));
    assert_eq!(clone.flush(), Err(Error::Closed));
    assert_eq!(clone.sync(), Err(Error::Closed));
    assert_eq!(clone.resume(), Err(Error::Closed));
    // LOCK is free although handles, a snapshot and an iterator are left.
    test.open();
    iter.seek_to_first();
    assert_eq!(super::status(&iter), "foo->v1");
    assert_eq!(clone.clone().close(), Err(Error::Closed));
    assert_eq!(clone.snapshot().err(), Some(Error::Closed), "and stays so");
    assert_eq!(clone.close(), Err(Error::Closed));
    drop(snapshot);
    assert_eq!(test.get("foo"), "v1");
}

#[test]
fn a_cursor_of_a_closed_database_reads_what_is_there_and_names_what_is_gone() {
    let mut test = TestDb::new();
    test.put("a", "1");
    test.db().compact_range(None, None).unwrap();
    let table = test.file_names().into_iter().find(|name| name.contains(".ldb")).unwrap();
    test.reopen();
    let mut before = test.db().iter().unwrap();
    test.reopen();
    let mut after = test.db().iter().unwrap();
    before.seek_to_first();
    assert_eq!(super::status(&before), "a->1", "the next process has changed nothing");
    test.reopen();
    test.put("a", "2");
    test.db().compact_range(None, None).unwrap();
    assert!(!test.file_names().contains(&table), "{table} is replaced");
    // Its file was open, and stays.
    before.seek_to_first();
    assert_eq!(super::status(&before), "a->1");
    // Nobody had opened it for this one.
    after.seek_to_first();
    assert!(!after.valid());
    let words = after.status().unwrap_err().to_string();
    assert!(words.contains(&table) && words.contains("missing file"), "{words}");
    assert_eq!(test.get("a"), "2");
}

#[test]
fn a_handle_is_known_by_its_directory() {
    let test = TestDb::new();
    let expected = format!("Db {{ handle: Handle {{ dir: {:?}, .. }} }}", test.path());
    assert_eq!(format!("{:?}", test.db()), expected);
}

#[test]
fn locking() {
    let mut test = TestDb::new();
    test.put("foo", "v1");
    let dir = test.path();
    let files = || -> Vec<_> {
        let bytes = |name: String| (read_file(&dir.join(&name)), name);
        file_names(&dir).into_iter().map(bytes).collect()
    };
    let before = files();
    assert!(before.iter().any(|(bytes, name)| has_extension(name, "log") && !bytes.is_empty()));
    assert!(matches!(test.try_open(), Err(Error::Locked { .. })));
    assert_eq!(files(), before);
    // The last drop frees it too.
    test.db = None;
    test.open();
    assert_eq!(test.get("foo"), "v1");
}

#[test]
fn open_options() {
    let mut test = TestDb::new();
    test.put("foo", "bar");
    test.close();
    test.options.error_if_exists = true;
    assert!(
        matches!(test.try_open(), Err(Error::InvalidArgument(words)) if words.contains("exists"))
    );
    test.options.error_if_exists = false;
    test.options.create_if_missing = false;
    test.open();
    assert_eq!(test.get("foo"), "bar");
    test.close();

    let elsewhere = test.root.path().join("none");
    let missing = super::Db::open(super::PosixEnv::new(), &elsewhere, test.options.clone());
    assert!(
        matches!(missing, Err(Error::InvalidArgument(words)) if words.contains("does not exist"))
    );
    assert_eq!(file_names(test.root.path()), ["db"]);
}
