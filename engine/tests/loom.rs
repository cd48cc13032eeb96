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

use faultline::env::{Atomic, Threads};
use faultline::iterator::InternalIterator;
use faultline::key::{InternalKeyComparator, ValueType, user_key};
use faultline::memtable::{Lookup, MemTable, MemTableWriter};
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

#[test]
fn a_walk_never_loses_an_entry_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        writer.add(1, ValueType::Value, b"m", b"1");
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || walk(&table)).expect("a thread");
        writer.add(2, ValueType::Value, b"a", b"2");
        let found = Loom::join(reader).unwrap();
        let old = (b"m".to_vec(), b"1".to_vec());
        let new = (b"a".to_vec(), b"2".to_vec());
        assert!(found == [old.clone()] || found == [new, old], "{found:?}");
    });
}

#[test]
fn a_lookup_sees_all_that_the_published_sequence_covers() {
    type Sequence = <Loom as Threads>::AtomicU64;
    loom::model(|| {
        let mut writer = writer();
        let published = Arc::new(Sequence::new(0));
        let table = Arc::clone(writer.table());
        let reader = {
            let published = Arc::clone(&published);
            Loom::spawn("reader", move || {
                let sequence = published.load();
                let one = table.get(b"one", sequence) == Lookup::Value(b"x");
                let two = table.get(b"two", sequence) == Lookup::Value(b"y");
                assert_eq!((one, two), (sequence == 2, sequence == 2));
            })
            .expect("a thread")
        };
        writer.add(1, ValueType::Value, b"two", b"y");
        writer.add(2, ValueType::Value, b"one", b"x");
        published.store(2);
        Loom::join(reader).unwrap();
    });
}
