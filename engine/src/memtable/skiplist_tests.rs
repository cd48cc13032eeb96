//! The skip list against LevelDB's `db/skiplist_test.cc`, a reference set, and real threads.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::env::posix::PosixEnv;
use crate::env::{AtomicInt, Env};

type R = <PosixEnv as Env>::Threads;

fn order(sought: u64) -> impl Fn(&[u8]) -> Ordering {
    move |node: &[u8]| number(node).cmp(&sought)
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap())
}

fn insert(list: &SkipList<R>, key: u64) {
    // SAFETY: each test inserts from one thread only.
    unsafe { list.insert(&key.to_le_bytes(), &[], &(!key).to_le_bytes(), order(key)) };
}

fn at(list: &SkipList<R>, position: Position) -> Option<u64> {
    if position.is_none() {
        return None;
    }
    let key = number(list.key(position));
    assert_eq!(number(list.value(position)), !key);
    Some(key)
}

#[test]
fn empty() {
    let list = SkipList::<R>::new();
    assert!(list.first().is_none());
    assert!(list.last().is_none());
    assert!(list.seek(order(100)).is_none());
    assert!(list.seek_before(order(100)).is_none());
}

#[test]
fn insert_and_lookup() {
    let list = SkipList::new();
    let mut model = BTreeSet::new();
    let mut random = 301;
    for _ in 0..2000 {
        random_height(&mut random);
        let key = random % 5000;
        if model.insert(key) {
            insert(&list, key);
        }
    }
    assert_eq!(at(&list, list.first()), model.first().copied());
    assert_eq!(at(&list, list.last()), model.last().copied());
    for key in 0..5001 {
        assert_eq!(at(&list, list.seek(order(key))), model.range(key..).next().copied());
        assert_eq!(
            at(&list, list.seek_before(order(key))),
            model.range(..key).next_back().copied()
        );
    }
    let mut walked = Vec::new();
    let mut here = list.first();
    while let Some(key) = at(&list, here) {
        walked.push(key);
        here = list.next(here);
    }
    assert_eq!(walked, model.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_second_entry_of_a_key_comes_first() {
    let list = SkipList::<R>::new();
    for value in [b"old", b"new"] {
        // SAFETY: one thread.
        unsafe { list.insert(&[], &7_u64.to_le_bytes(), value, order(7)) };
    }
    let newest = list.seek(order(7));
    assert_eq!(list.value(newest), b"new");
    assert_eq!(list.value(list.next(newest)), b"old");
}

#[test]
fn heights_follow_the_branching_factor() {
    let mut random = 1;
    let mut counts = [0_u32; MAX_HEIGHT + 1];
    for _ in 0..1 << 16 {
        counts[random_height(&mut random)] += 1;
    }
    assert_eq!(counts[0], 0);
    for (height, &count) in counts.iter().enumerate().take(6).skip(1) {
        let expected = (1_u32 << 16) * 3 / 4 / 4_u32.pow(height as u32 - 1);
        assert!(
            count.abs_diff(expected) < expected / 4,
            "height {height}: {count}, not {expected}"
        );
    }
}

/// As LevelDB's ConcurrentTest: the writer raises generations per key while a reader walks; the
/// reader must see every entry that was there before its walk began, and none twice.
#[test]
fn readers_never_miss_what_was_there_when_they_began() {
    const KEYS: u64 = 4;
    const PER_KEY: u64 = 3000;
    let list = Arc::new(SkipList::<R>::new());
    let done: Arc<[<R as Threads>::AtomicU64; KEYS as usize]> =
        Arc::new(core::array::from_fn(|_| Atomic::new(0)));
    let stop: Arc<<R as Threads>::AtomicU32> = Arc::new(Atomic::new(0));
    let reader = {
        let (list, done, stop) = (Arc::clone(&list), Arc::clone(&done), Arc::clone(&stop));
        R::spawn("reader", move || {
            let mut walks = 0_u64;
            while Atomic::load(&*stop) == 0 || walks == 0 {
                let before: Vec<u64> = done.iter().map(Atomic::load).collect();
                let mut seen = [0_u64; KEYS as usize];
                let mut last = None;
                let mut here = list.first();
                while let Some(found) = at(&list, here) {
                    assert!(last < Some(found), "out of order");
                    last = Some(found);
                    seen[(found >> 32) as usize] += 1;
                    here = list.next(here);
                }
                for (seen, before) in seen.iter().zip(before) {
                    assert!(*seen >= before, "an entry was missed");
                }
                walks += 1;
            }
        })
        .expect("a thread")
    };
    let mut random = 42;
    for i in 0..KEYS * PER_KEY {
        random_height(&mut random);
        let key = i % KEYS;
        // Unique because of `i`, and scattered within the key's range.
        insert(&list, key << 32 | (random & 0xffff) << 16 | (i / KEYS));
        AtomicInt::fetch_add(&done[key as usize], 1);
    }
    Atomic::store(&*stop, 1);
    R::join(reader).unwrap();
}
