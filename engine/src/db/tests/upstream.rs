//! Counterparts of LevelDB's tests that have no better place, with LevelDB's numbers.
//!
//! Source: LevelDB `db/recovery_test.cc`, `db/db_test.cc`, `issues/`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::faulty_env::{Fault, FaultyEnv};
use super::{TestDb, file_names, has_extension, options, read_file, write_file};
use crate::db::{Db, Snapshot};
use crate::env::Env as _;
use crate::env::posix::PosixEnv;
use crate::error::FileOp;
use crate::key::Comparator;
use crate::options::{Options, ReadOptions};

/// A generator of numbers that are the same in every run: xorshift.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    pub(super) fn bytes(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| b' ' + u8::try_from(self.below(95)).unwrap()).collect()
    }
}

/// A path of the only file with this extension.
pub(super) fn only(test: &TestDb, extension: &str) -> std::path::PathBuf {
    let names = test.file_names();
    let found: Vec<_> = names.iter().filter(|name| has_extension(name, extension)).collect();
    assert_eq!(found.len(), 1, "{names:?}");
    test.path().join(found[0])
}

/// `RecoveryTest.NoLogFiles`: without its log the database opens, and holds what tables hold.
#[test]
fn no_log_files() {
    let mut test = TestDb::new();
    test.put("foo", "bar");
    test.close();
    PosixEnv::new().remove(&only(&test, "log")).unwrap();
    for _ in 0..2 {
        test.open();
        assert_eq!(test.get("foo"), "NOT_FOUND");
        test.close();
    }
}

/// `RecoveryTest.LargeManifestCompacted`: a MANIFEST of 3 MB, most of it zeros, gives way to one of
/// less than 10 000 bytes.
#[test]
fn large_manifest_compacted() {
    let mut test = TestDb::new();
    test.put("foo", "bar");
    test.close();
    let manifest = |test: &TestDb| {
        let names = test.file_names().into_iter();
        let names: Vec<_> = names.filter(|name| name.starts_with("MANIFEST-")).collect();
        let [name] = &names[..] else { panic!("{names:?}") };
        test.path().join(name)
    };
    let old = manifest(&test);
    let mut bytes = read_file(&old);
    bytes.resize(3 << 20, 0);
    write_file(&old, &bytes);
    test.open();
    // What was dropped of the old one is kept, and such an open removes nothing.
    assert!(test.db().report().has_dropped());
    test.reopen();
    let new = manifest(&test);
    assert_ne!(old, new);
    assert!(PosixEnv::new().size(&new).unwrap() < 10_000);
    assert_eq!(test.get("foo"), "bar");
}

/// `RecoveryTest.MultipleMemTables`: a log larger than the memtable of the next open becomes
/// several tables.
#[test]
fn multiple_mem_tables() {
    let mut test = TestDb::with(Options { write_buffer_size: 4 << 20, ..options() });
    for number in 0..1000 {
        let text = format!("{number:050}");
        test.put(&text, &text);
    }
    assert_eq!(test.level0_tables(), 0);
    test.close();
    let old_log = only(&test, "log");
    test.options.write_buffer_size = 1000 * 100 / 2;
    test.open();
    assert!(test.level0_tables() >= 2, "{:?}", test.file_names());
    let new_log = only(&test, "log");
    assert_ne!(old_log, new_log);
    assert_eq!(PosixEnv::new().size(&new_log).unwrap(), 0);
    for number in 0..1000 {
        let text = format!("{number:050}");
        assert_eq!(test.get(&text), text);
    }
}

/// `DBTest.GetMemUsage`: one small entry takes some memory, and less than 5 MiB.
#[test]
fn get_mem_usage() {
    let test = TestDb::with(Options { write_buffer_size: 4 << 20, ..options() });
    test.put("foo", "v1");
    let usage = test.db().property("leveldb.approximate-memory-usage").unwrap().unwrap();
    let usage: u64 = usage.parse().unwrap();
    assert!(usage > 0 && usage < 5 << 20, "{usage}");
}

/// `DBTest.NoSpace`: ten times a table cannot be written, and less than three files more are there.
#[test]
fn no_space() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = Db::open(env.clone(), &path, options()).unwrap();
    db.put(b"foo", b"v1").unwrap();
    db.compact_range(Some(b"a"), Some(b"z")).unwrap();
    let before = file_names(&path).len();
    db.put(b"foo", b"v2").unwrap();
    env.fail(Fault::Each(FileOp::Append, ".ldb"), false);
    for _ in 0..10 {
        db.compact_range(None, None).unwrap_err();
        // Writes the table anew.
        db.resume().unwrap_err();
    }
    assert!(file_names(&path).len() < before + 3, "{:?}", file_names(&path));
    env.heal().unwrap();
    db.resume().unwrap();
    assert!(file_names(&path).len() < before + 3, "{:?}", file_names(&path));
    assert_eq!(db.get(b"foo").unwrap().as_deref(), Some(&b"v2"[..]));
    db.close().unwrap();
}

/// `DBTest.Fflush_Issue474`: many small writes at random places.
#[test]
fn fflush_issue_474() {
    let test = TestDb::with(Options { write_buffer_size: 4 << 20, ..options() });
    let mut random = Random(474);
    for _ in 0..100_000 {
        let (key, value) = (random.bytes(16), random.bytes(100));
        test.db().put(&key, &value).unwrap();
    }
}

/// `issues/issue200_test.cc`: a walk that turns stands where it should, whatever was written after
/// it began.
#[test]
fn issue_200() {
    let test = TestDb::new();
    for key in 1..=5 {
        test.put(&key.to_string(), "b");
    }
    test.delete("2");
    let mut iter = test.db().iter().unwrap();
    test.put("25", "cd");
    iter.seek(b"5");
    assert_eq!(iter.key(), b"5");
    for expected in [b"4", b"3"] {
        iter.prev();
        assert_eq!(iter.key(), expected);
    }
    for expected in [b"4", b"5"] {
        iter.next();
        assert_eq!(iter.key(), expected);
    }
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// `issues/issue320_test.cc`: gets and scans of old snapshots stay what they were, through 10 000
/// random puts and deletes (LevelDB: 200 000).
#[test]
fn issue_320() {
    let test = TestDb::with(Options { write_buffer_size: 64 << 10, ..options() });
    let mut random = Random(320);
    let mut model = Model::new();
    let mut kept: Vec<Option<(Snapshot, Model)>> = (0..10).map(|_| None).collect();
    for step in 0..10_000 {
        let key = random.below(1000).to_string().into_bytes();
        assert_eq!(test.db().get(&key).unwrap().as_deref(), model.get(&key).map(Vec::as_slice));
        if random.below(2) == 0 {
            let size = 200 + usize::try_from(random.below(100)).unwrap();
            let value = random.bytes(size);
            test.db().put(&key, &value).unwrap();
            model.insert(key, value);
        } else {
            test.db().delete(&key).unwrap();
            model.remove(&key);
        }
        if step % 200 != 0 {
            continue;
        }
        let place = usize::try_from(random.below(10)).unwrap();
        if let Some((snapshot, then)) = kept[place].take() {
            let read = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
            let found = test.db().iter_with(&read).unwrap().into_iter();
            let found: Vec<_> = found.map(Result::unwrap).collect();
            assert!(found.into_iter().eq(then.clone()), "the snapshot of step {step} changed");
            for (key, value) in then {
                assert_eq!(test.db().get_with(&key, &read).unwrap().as_deref(), Some(&value[..]));
            }
        }
        kept[place] = Some((test.db().snapshot().unwrap(), model.clone()));
    }
}

/// Orders keys of the form `[n]` by their number, decimal or hexadecimal.
#[derive(Debug)]
struct NumberComparator;

impl NumberComparator {
    fn number(key: &[u8]) -> u64 {
        let text = str::from_utf8(key).unwrap();
        let digits = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap();
        match digits.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).unwrap(),
            None => digits.parse().unwrap(),
        }
    }
}

impl Comparator for NumberComparator {
    fn name(&self) -> &'static str {
        "test.NumberComparator"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        Self::number(a).cmp(&Self::number(b))
    }

    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        assert!(Self::number(start) < Self::number(limit));
    }

    fn find_short_successor(&self, key: &mut Vec<u8>) {
        Self::number(key);
    }
}

/// `DBTest.CustomComparator`: keys that the comparator calls equal are one key, in the memtable and
/// in tables alike.
#[test]
fn custom_comparator() {
    let comparator = Arc::new(NumberComparator);
    let mut test = TestDb::with(Options { comparator, write_buffer_size: 4 << 10, ..options() });
    test.put("[10]", "ten");
    test.put("[0x14]", "twenty");
    for _ in 0..2 {
        for (key, value) in
            [("[10]", "ten"), ("[0xa]", "ten"), ("[20]", "twenty"), ("[0x14]", "twenty")]
        {
            assert_eq!(test.get(key), value, "{key}");
        }
        for key in ["[15]", "[0xf]"] {
            assert_eq!(test.get(key), "NOT_FOUND", "{key}");
        }
        test.db().flush().unwrap();
    }
    for run in 0..2 {
        for number in 0..1000 {
            let key = format!("[{}]", number * 10);
            test.put(&key, &key);
        }
        assert!(test.level0_tables() > 2, "{run}");
        test.reopen();
    }
    let mut iter = test.db().iter().unwrap();
    iter.seek(b"[0x1f3]");
    assert_eq!(iter.key(), b"[500]");
    iter.seek_to_last();
    assert_eq!(iter.key(), b"[9990]");
}
