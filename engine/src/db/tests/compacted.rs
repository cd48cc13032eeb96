//! What is left after a compaction, and who can tell: LevelDB's tests of values that were
//! overwritten or deleted, of iterators across compactions, and of damaged inputs.

use super::compaction::{by_hand, numbered, value};
use super::held_up::comes;
use super::{R, TestDb, options, read_file, write_file};
use crate::compaction::FLUSH_LEVEL_MAX;
use crate::env::Threads;
use crate::error::Error;
use crate::filename::table_file_name;
use crate::options::Options;
use crate::table::Compression;
use crate::version::edit::LEVEL_COUNT;

// DBTest.HiddenValuesAreRemoved
#[test]
fn hidden_values_are_removed() {
    let test = TestDb::with(Options { compression: Compression::None, ..by_hand() });
    test.make_tables(LEVEL_COUNT, "a", "z");
    let big = value(1, 50_000);
    test.put("foo", &big);
    test.put("pastfoo", "v");
    let snapshot = test.db().snapshot().unwrap();
    test.put("foo", "tiny");
    test.put("pastfoo2", "v2");
    test.flush();
    assert!(test.tables_at(0) > 0);
    assert_eq!(test.get_at("foo", &snapshot), big);
    assert!((50_000..=60_000).contains(&test.size("", "pastfoo")));
    drop(snapshot);
    assert_eq!(test.all_entries("foo"), format!("[ tiny, {big} ]"));
    test.compact_level(0, None, Some("x"));
    assert_eq!(test.all_entries("foo"), "[ tiny ]");
    assert_eq!(test.tables_at(0), 0);
    assert!(test.tables_at(1) >= 1);
    test.compact_level(1, None, Some("x"));
    assert_eq!(test.all_entries("foo"), "[ tiny ]");
    assert!(test.size("", "pastfoo") <= 1000);
}

// DBTest.DeletionMarkers1
#[test]
fn deletion_markers_go_before_what_they_hide() {
    let test = TestDb::with(by_hand());
    test.put("foo", "v1");
    test.flush();
    let last = FLUSH_LEVEL_MAX;
    assert_eq!(test.tables_at(last), 1, "foo is at the last level");
    test.put("a", "begin");
    test.put("z", "end");
    test.flush();
    assert_eq!((test.tables_at(last), test.tables_at(last - 1)), (1, 1));
    test.delete("foo");
    test.put("foo", "v2");
    assert_eq!(test.all_entries("foo"), "[ v2, DEL, v1 ]");
    test.flush();
    assert_eq!(test.all_entries("foo"), "[ v2, DEL, v1 ]");
    test.compact_level(last - 2, None, Some("z"));
    // The deletion is hidden itself; v1 is not among the inputs.
    assert_eq!(test.all_entries("foo"), "[ v2, v1 ]");
    test.compact_level(last - 1, None, None);
    assert_eq!(test.all_entries("foo"), "[ v2 ]");
}

// DBTest.DeletionMarkers2
#[test]
fn deletion_markers_stay_while_they_hide_something() {
    let test = TestDb::with(by_hand());
    test.put("foo", "v1");
    test.flush();
    let last = FLUSH_LEVEL_MAX;
    test.put("a", "begin");
    test.put("z", "end");
    test.flush();
    assert_eq!((test.tables_at(last), test.tables_at(last - 1)), (1, 1));
    test.delete("foo");
    test.flush();
    assert_eq!(test.all_entries("foo"), "[ DEL, v1 ]");
    test.compact_level(last - 2, None, None);
    assert_eq!(test.all_entries("foo"), "[ DEL, v1 ]");
    test.compact_level(last - 1, None, None);
    assert_eq!(test.all_entries("foo"), "[ ]");
}

// DBTest.GetOrderedByLevels, GetPicksCorrectFile
#[test]
fn gets_find_the_right_level_and_table() {
    let test = TestDb::new();
    test.put("foo", "v1");
    test.compact("a", "z");
    assert_eq!(test.get("foo"), "v1");
    test.put("foo", "v2");
    test.flush();
    assert_eq!(test.get("foo"), "v2");

    let test = TestDb::new();
    for (key, value) in [("a", "va"), ("x", "vx"), ("f", "vf")] {
        test.put(key, value);
        test.compact(key, key);
    }
    assert_eq!(["a", "f", "x"].map(|key| test.get(key)), ["va", "vf", "vx"]);
}

// DBTest.IteratorPinsRef, IterMultiWithDeleteAndCompaction
#[test]
fn an_iterator_keeps_its_tables() {
    let test = TestDb::new();
    for (key, value) in [("ka", "va"), ("kb", "vb"), ("kc", "vc")] {
        test.put(key, value);
    }
    test.flush();
    test.delete("kb");
    test.flush();
    assert_eq!(test.get("kb"), "NOT_FOUND");
    let tables = test.level0_tables();
    let mut iter = test.db().iter().unwrap();
    test.put("ka", "new");
    test.db().compact_range(None, None).unwrap();
    for i in 0..20 {
        test.put(&numbered(i), &value(i, 100_000));
    }
    test.db().compact_range(None, None).unwrap();
    test.settle();
    // Its tables are still there, among others.
    assert!(test.level0_tables() >= tables + test.total_tables());
    iter.seek(b"kc");
    assert_eq!(super::status(&iter), "kc->vc");
    iter.prev();
    assert_eq!(super::status(&iter), "ka->va");
    iter.status().unwrap();
    drop(iter);
    // They go when it goes.
    while test.level0_tables() > test.total_tables() {
        R::yield_now();
    }
}

/// No flush comes after the compaction, and none is needed.
#[test]
fn inputs_of_a_compaction_go_with_the_last_cursor_on_them() {
    let test = TestDb::with(by_hand());
    test.make_tables(2, "a", "z");
    let iter = test.db().iter().unwrap();
    test.compact_level(FLUSH_LEVEL_MAX - 1, None, None);
    assert_eq!((test.total_tables(), test.level0_tables()), (1, 3));
    drop(iter);
    assert!(comes(|| test.level0_tables() == 1), "{:?}", test.file_names());
}

// Issue 178: compacting a range may neither bring back what was deleted nor lose the rest.
#[test]
fn issue_178() {
    let test = TestDb::with(Options { write_buffer_size: 4 << 20, ..options() });
    let keys = |word: &'static str| (0..1_100_000).map(move |i| format!("my_key_{i:06}_{word}"));
    for key in keys("0").chain(keys("1")) {
        test.put(&key, "value for range 1 key");
    }
    for key in keys("1") {
        test.delete(&key);
    }
    test.db().compact_range(Some(b"my_key_"), Some(b"my_key_~")).unwrap();
    assert_eq!(test.db().iter().unwrap().into_iter().count(), 1_100_000);
    test.settle();
}

// CorruptionTest.CompactionInputErrorParanoid
#[test]
fn a_damaged_input_stops_the_compaction_and_all_writes() {
    let test = TestDb::with(by_hand());
    for i in 0..10 {
        test.put(&numbered(i), &value(i, 100));
    }
    test.flush();
    assert_eq!(test.tables_at(FLUSH_LEVEL_MAX), 1);
    let number = {
        let state = test.db().handle.inner.state.lock();
        state.versions.current().level(FLUSH_LEVEL_MAX)[0].number
    };
    let path = table_file_name(&test.path(), number);
    let mut bytes = read_file(&path);
    bytes[100] ^= 0x80;
    write_file(&path, &bytes);
    let failed = test.try_compact_level(FLUSH_LEVEL_MAX, None, None).unwrap_err();
    let Error::Corruption(damage) = failed.root() else { panic!("{failed}") };
    assert_eq!(damage.file, path);
    assert_eq!(test.db().put(b"more", b"").unwrap_err(), failed);
    // What it had begun is gone.
    assert_eq!(test.level0_tables(), 1);
    assert_eq!(test.db().resume().unwrap_err().root(), failed.root(), "resume cannot repair it");
}
