//! Cursors over ranges and prefixes, iterators from both ends, and what values keep alive.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{R, TestDb, options};
use crate::db::{Db, KeyRange};
use crate::env::Threads;
use crate::env::posix::PosixEnv;
use crate::error::{Error, Result};
use crate::key::{BytewiseComparator, Comparator};
use crate::options::Options;

type Entry = (Vec<u8>, Vec<u8>);

/// Keys of one to three letters, a third of them deleted again, in memtable and tables.
fn many() -> (TestDb, Vec<Entry>) {
    let test = TestDb::with(Options { write_buffer_size: 4096, ..options() });
    let mut model = BTreeMap::new();
    let mut random = 7_u64;
    for step in 0..600 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let letters = (random >> 33).to_le_bytes();
        let size = 1 + usize::from(letters[3] % 3);
        let key: Vec<u8> = letters[..size].iter().map(|letter| b'a' + letter % 5).collect();
        if step % 3 == 2 {
            test.db().delete(&key).unwrap();
            model.remove(&key);
        } else {
            let value = format!("{step}").into_bytes();
            test.db().put(&key, &value).unwrap();
            model.insert(key, value);
        }
    }
    assert!(test.level0_tables() > 1);
    (test, model.into_iter().collect())
}

fn bounds() -> Vec<KeyRange> {
    let keys = [None, Some(""), Some("a"), Some("ab"), Some("bcd"), Some("c"), Some("zz")];
    let keys = keys.map(|key| key.map(|key| key.as_bytes().to_vec()));
    let ends =
        |start: &Option<Vec<u8>>| keys.clone().map(|end| KeyRange { start: start.clone(), end });
    keys.iter().flat_map(ends).collect()
}

fn within(range: &KeyRange, entries: &[Entry]) -> Vec<Entry> {
    let is_in = |(key, _): &&Entry| {
        range.start.as_ref().is_none_or(|start| start <= key)
            && range.end.as_ref().is_none_or(|end| key < end)
    };
    entries.iter().filter(is_in).cloned().collect()
}

#[test]
fn a_range_is_what_lies_in_it_both_ways() {
    let (test, entries) = many();
    for range in bounds() {
        let expected = within(&range, &entries);
        let iter = || test.db().range(range.clone()).unwrap();
        let collected = iter().into_iter().collect::<Result<Vec<_>>>();
        assert_eq!(collected, Ok(expected.clone()), "{range:?}");
        let mut reversed = iter().into_iter().rev().collect::<Result<Vec<_>>>().unwrap();
        reversed.reverse();
        assert_eq!(reversed, expected, "{range:?}");
        // A seek stops at the bounds too.
        let mut cursor = iter();
        for target in [&b""[..], b"aa", b"bcc", b"d", b"zzz"] {
            cursor.seek(target);
            let found = expected.iter().find(|(key, _)| key.as_slice() >= target);
            let here = cursor.valid().then(|| (cursor.key().to_vec(), cursor.value().to_vec()));
            assert_eq!(here.as_ref(), found, "{range:?} {}", target.escape_ascii());
            // To and fro at the spot, and off the start.
            while cursor.valid() {
                cursor.prev();
            }
            assert_eq!(cursor.status(), Ok(()));
        }
    }
}

#[test]
fn a_cursor_turns_within_its_range() {
    let (test, entries) = many();
    let range = KeyRange::from("b".."d");
    let expected = within(&range, &entries);
    let mut cursor = test.db().range(range).unwrap();
    cursor.seek_to_last();
    for (key, _) in expected.iter().rev() {
        assert_eq!(cursor.key(), key);
        cursor.prev();
    }
    assert!(!cursor.valid());
    cursor.seek_to_first();
    for pair in expected.windows(2) {
        assert_eq!(cursor.key(), pair[0].0);
        cursor.next();
        cursor.prev();
        assert_eq!(cursor.key(), pair[0].0);
        cursor.next();
        assert_eq!(cursor.key(), pair[1].0);
    }
    cursor.next();
    assert!(!cursor.valid());
}

#[test]
fn both_ends_meet() {
    let (test, entries) = many();
    for pattern in [0b01_u32, 0b10, 0b0011, 0b1100, 0b0001_0111, 0b1110_1000] {
        let mut iter = test.db().iter().unwrap().into_iter();
        let (mut front, mut back) = (Vec::new(), Vec::new());
        for step in 0.. {
            let is_back = pattern >> (step % 8) & 1 == 1;
            let item = if is_back { iter.next_back() } else { iter.next() };
            let Some(item) = item else { break };
            if is_back { back.push(item.unwrap()) } else { front.push(item.unwrap()) }
        }
        front.extend(back.into_iter().rev());
        assert_eq!(front, entries, "{pattern:b}");
        assert!(iter.next().is_none() && iter.next_back().is_none());
    }
    // What is left of a positioned cursor, from behind.
    let mut cursor = test.db().iter().unwrap();
    cursor.seek(b"c");
    let rest: Vec<_> = cursor.into_iter().rev().map(Result::unwrap).collect();
    let expected = within(&KeyRange::from("c"..), &entries);
    assert!(rest.iter().rev().eq(&expected));
}

/// Byte order, not known to be that.
#[derive(Debug)]
struct Custom;

impl Comparator for Custom {
    fn name(&self) -> &'static str {
        "faultline.test.Custom"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> core::cmp::Ordering {
        a.cmp(b)
    }

    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        BytewiseComparator.find_shortest_separator(start, limit);
    }

    fn find_short_successor(&self, key: &mut Vec<u8>) {
        BytewiseComparator.find_short_successor(key);
    }
}

#[test]
fn prefixes_need_byte_order() {
    let (test, entries) = many();
    for prefix in [&b""[..], b"a", b"bc", b"ccc", b"z"] {
        let found = test.db().prefix(prefix).unwrap().into_iter().collect::<Result<Vec<_>>>();
        let expected = entries.iter().filter(|(key, _)| key.starts_with(prefix));
        assert!(found.unwrap().iter().eq(expected), "{}", prefix.escape_ascii());
    }

    let test = TestDb::with(Options { comparator: Arc::new(Custom), ..options() });
    test.put("a", "1");
    assert!(matches!(test.db().prefix(b"a"), Err(Error::InvalidArgument(_))));
    assert_eq!(test.db().range("a".."b").unwrap().into_iter().count(), 1);
}

#[test]
fn values_outlive_all_that_they_came_from() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { block_cache_capacity: 0, ..options() };
    let db: Db = Db::open(PosixEnv::new(), dir.path().join("db"), options).unwrap();
    let large = vec![b'x'; 100_000];
    db.put(b"flushed", &large).unwrap();
    db.flush().unwrap();
    db.put(b"fresh", b"in memory").unwrap();
    let flushed = db.get(b"flushed").unwrap().unwrap();
    let fresh = db.get(b"fresh").unwrap().unwrap();
    assert_eq!(db.get(b"none").unwrap(), None);
    // The memtable that `fresh` lies in goes.
    db.put(b"fresh", b"another").unwrap();
    db.flush().unwrap();
    assert_eq!(db.block_cache_stats(), None);
    db.close().unwrap();
    drop(dir);
    let copy = fresh.clone();
    let sent = R::spawn("reader", move || copy.to_vec()).expect("a thread");
    assert_eq!(R::join(sent).unwrap(), b"in memory");
    assert_eq!((fresh, flushed), (b"in memory".to_vec().into(), large.into()));
}
