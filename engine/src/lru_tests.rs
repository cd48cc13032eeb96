//! Counterparts of LevelDB's `cache_test`, with its numbers, and a comparison with a plain list.
//!
//! `Prune` has none: nothing needs it.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const CAPACITY: usize = 1000;

type Cache = Lru<u64, Arc<i32>>;

fn insert(cache: &mut Cache, key: u64, value: i32, charge: usize) -> Vec<i32> {
    let replaced = cache.insert(key, Arc::new(value), charge);
    let excess = core::iter::from_fn(|| cache.pop_excess());
    replaced.into_iter().chain(excess).map(|value| *value).collect()
}

fn lookup(cache: &mut Cache, key: u64) -> Option<i32> {
    cache.get(key).map(|value| **value)
}

#[test]
fn hit_and_miss() {
    let mut cache = Lru::new(CAPACITY);
    assert_eq!(lookup(&mut cache, 100), None);
    assert_eq!(insert(&mut cache, 100, 101, 1), []);
    assert_eq!(lookup(&mut cache, 100), Some(101));
    assert_eq!(lookup(&mut cache, 200), None);
    assert_eq!(lookup(&mut cache, 300), None);
    assert_eq!(insert(&mut cache, 200, 201, 1), []);
    assert_eq!(lookup(&mut cache, 100), Some(101));
    assert_eq!(lookup(&mut cache, 200), Some(201));
    assert_eq!(insert(&mut cache, 100, 102, 1), [101]);
    assert_eq!(lookup(&mut cache, 100), Some(102));
    assert_eq!(lookup(&mut cache, 200), Some(201));
    assert_eq!((cache.len(), cache.charge()), (2, 2));
}

#[test]
fn erase() {
    let mut cache = Lru::new(CAPACITY);
    assert_eq!(cache.remove(200), None);
    insert(&mut cache, 100, 101, 1);
    insert(&mut cache, 200, 201, 1);
    assert_eq!(cache.remove(100).as_deref(), Some(&101));
    assert_eq!(lookup(&mut cache, 100), None);
    assert_eq!(lookup(&mut cache, 200), Some(201));
    assert_eq!(cache.remove(100), None);
    assert_eq!((cache.len(), cache.charge()), (1, 1));
}

#[test]
fn entries_are_pinned() {
    // By whoever holds them, not by the cache.
    let mut cache = Lru::new(CAPACITY);
    insert(&mut cache, 100, 101, 1);
    let first = cache.get(100).cloned().unwrap();
    insert(&mut cache, 100, 102, 1);
    let second = cache.get(100).cloned().unwrap();
    cache.remove(100);
    assert_eq!(lookup(&mut cache, 100), None);
    assert_eq!((*first, *second), (101, 102));
}

#[test]
fn eviction_policy() {
    let mut cache = Lru::new(CAPACITY);
    insert(&mut cache, 100, 101, 1);
    insert(&mut cache, 200, 201, 1);
    insert(&mut cache, 300, 301, 1);
    let held = cache.get(300).cloned().unwrap();
    // What is used often is kept. What is held is not, which LevelDB has otherwise.
    for i in 0..1100 {
        insert(&mut cache, 1000 + i, 2000, 1);
        assert_eq!(lookup(&mut cache, 1000 + i), Some(2000));
        assert_eq!(lookup(&mut cache, 100), Some(101));
    }
    assert_eq!(lookup(&mut cache, 100), Some(101));
    assert_eq!(lookup(&mut cache, 200), None);
    assert_eq!(lookup(&mut cache, 300), None);
    assert_eq!(*held, 301);
}

#[test]
fn use_exceeds_cache_size() {
    // LevelDB finds all of them, and holds more than its capacity. Here the capacity stands, and
    // those that had to go stay good in the hands of their users.
    let mut cache = Lru::new(CAPACITY);
    let mut held = Vec::new();
    for i in 0..1100 {
        insert(&mut cache, 1000 + i, 2000 + i32::try_from(i).unwrap(), 1);
        held.push(cache.get(1000 + i).cloned().unwrap());
    }
    assert_eq!((cache.len(), cache.charge()), (1000, 1000));
    for (i, value) in (0..).zip(&held) {
        assert_eq!(**value, 2000 + i);
    }
}

#[test]
fn heavy_entries() {
    let mut cache = Lru::new(CAPACITY);
    let weight = |index: u64| if index.is_multiple_of(2) { 10 } else { 1 };
    let (mut added, mut count) = (0, 0);
    while added < 2 * CAPACITY {
        insert(&mut cache, count, 1000, weight(count));
        added += weight(count);
        count += 1;
    }
    let cached = (0..count).filter(|&index| lookup(&mut cache, index).is_some());
    let cached: usize = cached.map(weight).sum();
    assert!(cached <= CAPACITY + CAPACITY / 10);
    assert_eq!(cached, cache.charge());
}

#[test]
fn zero_size_cache() {
    let mut cache = Lru::new(0);
    assert_eq!(insert(&mut cache, 1, 100, 1), [100]);
    assert_eq!(lookup(&mut cache, 1), None);
}

proptest! {
    /// Against a list in order of use.
    #[test]
    fn forgets_what_was_used_the_longest_ago(
        steps in proptest::collection::vec((0_u64..12, 0_usize..4, 0_u8..4), 0..200),
        capacity in 0_usize..12,
    ) {
        let mut cache = Lru::new(capacity);
        let mut list: Vec<(u64, usize)> = Vec::new();
        for (key, charge, step) in steps {
            let found = list.iter().position(|&(listed, _)| listed == key);
            match step {
                0 => {
                    prop_assert_eq!(cache.remove(key).is_some(), found.is_some());
                    list.extract_if(.., |&mut (listed, _)| listed == key).for_each(drop);
                }
                1 => {
                    prop_assert_eq!(cache.get(key).is_some(), found.is_some());
                    if let Some(found) = found {
                        let used = list.remove(found);
                        list.push(used);
                    }
                }
                _ => {
                    insert(&mut cache, key, 0, charge);
                    list.retain(|&(listed, _)| listed != key);
                    list.push((key, charge));
                    while list.iter().map(|&(_, charge)| charge).sum::<usize>() > capacity {
                        list.remove(0);
                    }
                }
            }
            prop_assert_eq!(cache.len(), list.len());
            prop_assert_eq!(cache.charge(), list.iter().map(|&(_, charge)| charge).sum::<usize>());
        }
        for (key, _) in list {
            prop_assert!(cache.get(key).is_some());
        }
    }
}
