//! Lock-free code under loom, which tries every interleaving and every value that a load may
//! return under the memory model, not only under that of the machine.
//!
//! The memtable is compiled for [`Loom`], an implementation of `Threads` over loom's primitives.
//! The entries themselves are plain memory, which loom does not watch; but a node's own links are
//! atomics set by relaxed stores before the node is published, so a publication that is too weak
//! shows as a list cut short.

#![cfg(test)]

#[path = "support/loom_world.rs"]
mod loom_world;

use std::sync::Arc;

use faultline::env::Threads;
use faultline::iterator::InternalIterator;
use faultline::key::{InternalKeyComparator, ValueType, user_key};
use faultline::memtable::{Lookup, MemTable, MemTableWriter, Published};
use loom_world::Loom;

fn writer() -> MemTableWriter<Loom> {
    MemTableWriter::new(InternalKeyComparator::bytewise())
}

fn walk(table: &Arc<MemTable<Loom>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut iter = table.iter();
    let mut found = Vec::new();
    iter.seek_to_first();
    while iter.valid() {
        found.push((user_key(iter.key()).to_vec(), iter.value().to_vec()));
        iter.next();
    }
    found
}

/// New entries come before the first and between two.
#[test]
fn a_walk_never_loses_an_entry_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        writer.add(1, ValueType::Value, b"m", b"1");
        writer.add(2, ValueType::Value, b"b", b"2");
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || walk(&table)).expect("a thread");
        writer.add(3, ValueType::Value, b"a", b"3");
        writer.add(4, ValueType::Value, b"f", b"4");
        let found = Loom::join(reader).unwrap();
        let entry = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
        let (a, b) = (entry(b"a", b"3"), entry(b"b", b"2"));
        let (f, m) = (entry(b"f", b"4"), entry(b"m", b"1"));
        assert!(found.is_sorted_by(|one, next| one < next), "{found:?}");
        assert!(found.contains(&b) && found.contains(&m), "{found:?}");
        assert!(found.iter().all(|entry| [&a, &b, &f, &m].contains(&entry)), "{found:?}");
    });
}

#[test]
fn a_walk_backward_never_loses_an_entry_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        writer.add(1, ValueType::Value, b"m", b"1");
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || {
            let mut iter = table.iter();
            iter.seek_to_last();
            (user_key(iter.key()).to_vec(), iter.value().to_vec())
        })
        .expect("a thread");
        writer.add(2, ValueType::Value, b"a", b"2");
        let last = Loom::join(reader).unwrap();
        assert_eq!(last, (b"m".to_vec(), b"1".to_vec()));
    });
}

#[test]
fn a_lookup_never_loses_an_entry_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        writer.add(1, ValueType::Value, b"m", b"1");
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || {
            assert_eq!(table.get(b"m", 1), Lookup::Value(b"1"));
        })
        .expect("a thread");
        writer.add(2, ValueType::Value, b"a", b"2");
        Loom::join(reader).unwrap();
    });
}

/// Of the constant heights, the fourth is the first above 1: what is linked meanwhile has a link to
/// it at two levels, of which a reader follows the upper one.
#[test]
fn an_upper_link_leads_to_all_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        for (sequence, key) in (1..).zip([b"k", b"l", b"m"]) {
            writer.add(sequence, ValueType::Value, key, b"1");
        }
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || {
            assert_eq!(table.get(b"m", 3), Lookup::Value(b"1"));
        })
        .expect("a thread");
        writer.add(4, ValueType::Value, b"a", b"2");
        Loom::join(reader).unwrap();
    });
}

#[test]
fn a_lookup_sees_all_that_the_published_sequence_covers() {
    loom::model(|| {
        let mut writer = writer();
        let published = Arc::new(Published::<Loom>::new(0));
        let table = Arc::clone(writer.table());
        let reader = {
            let published = Arc::clone(&published);
            Loom::spawn("reader", move || {
                let sequence = published.last();
                let one = table.get(b"one", sequence) == Lookup::Value(b"x");
                let two = table.get(b"two", sequence) == Lookup::Value(b"y");
                assert_eq!((one, two), (sequence == 2, sequence == 2));
            })
            .expect("a thread")
        };
        writer.add(1, ValueType::Value, b"two", b"y");
        writer.add(2, ValueType::Value, b"one", b"x");
        published.publish(2);
        Loom::join(reader).unwrap();
    });
}
