//! A sort buffer yields what a memtable of the same entries does.

use core::cmp::Ordering;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::env::posix::PosixThreads;
use crate::key::{Comparator, append_internal_key};
use crate::memtable::MemTableWriter;

#[derive(Debug)]
struct Backwards;

impl Comparator for Backwards {
    fn name(&self) -> &'static str {
        "backwards"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        b.cmp(a)
    }

    fn find_shortest_separator(&self, _start: &mut Vec<u8>, _limit: &[u8]) {}

    fn find_short_successor(&self, _key: &mut Vec<u8>) {}
}

type Walked = Vec<(Vec<u8>, Vec<u8>)>;

fn walk(entries: &mut dyn InternalIterator, step: fn(&mut dyn InternalIterator)) -> Walked {
    let mut walked = Vec::new();
    while entries.valid() {
        walked.push((entries.key().to_vec(), entries.value().to_vec()));
        step(entries);
    }
    walked
}

/// All that can be seen of a cursor.
fn look(entries: &mut dyn InternalIterator, targets: &[Vec<u8>]) -> Vec<Walked> {
    assert!(!entries.valid(), "a new cursor is not positioned");
    entries.seek_to_first();
    let mut seen = vec![walk(entries, |entries| entries.next())];
    entries.seek_to_last();
    seen.push(walk(entries, |entries| entries.prev()));
    for target in targets {
        entries.seek(target);
        seen.push(walk(entries, |entries| entries.next()));
    }
    seen
}

proptest! {
    #[test]
    fn it_yields_what_a_memtable_does(
        keys in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..11), 0..40),
        // Some of these begin a chunk of their own.
        sizes in proptest::collection::vec(prop_oneof![0_usize..50, 30_000..70_000_usize], 40),
        targets in proptest::collection::vec(proptest::collection::vec(0_u8..3, 0..11), 0..5),
        is_backwards: bool,
    ) {
        let order = if is_backwards {
            InternalKeyComparator::new(Arc::new(Backwards))
        } else {
            InternalKeyComparator::bytewise()
        };
        let mut buffer = SortBuffer::new(order.clone());
        let mut mem = MemTableWriter::<PosixThreads>::new(order);
        let mut bytes = 0;
        for ((key, size), sequence) in keys.iter().zip(sizes).zip(1..) {
            let value_type = if size % 5 == 0 { ValueType::Deletion } else { ValueType::Value };
            let value = vec![b'v'; size];
            buffer.add(sequence, value_type, key, &value);
            mem.add(sequence, value_type, key, &value);
            bytes += key.len() + 8 + size;
            prop_assert!(buffer.memory_usage() > bytes);
        }
        let mut seeks = Vec::new();
        for key in &targets {
            let mut target = Vec::new();
            append_internal_key(&mut target, key, 20, ValueType::FOR_SEEK);
            seeks.push(target);
        }
        let expected = look(&mut mem.table().iter(), &seeks);
        prop_assert_eq!(look(&mut buffer.sort().iter(), &seeks), expected);
    }
}

#[test]
fn memory_is_counted_by_whole_chunks() {
    let mut buffer = SortBuffer::new(InternalKeyComparator::bytewise());
    assert_eq!(buffer.memory_usage(), 0);
    // 1 KiB with the trailer: a chunk has room for 64.
    let mut sequences = 1..;
    let mut add = |buffer: &mut SortBuffer, value_size: usize| {
        let sequence = sequences.next().expect("endless");
        buffer.add(sequence, ValueType::Value, b"8 bytes!", &vec![b'v'; value_size]);
        let entries = buffer.entries.capacity() * 24;
        (buffer.chunks.len(), buffer.memory_usage() - entries)
    };
    for count in 1..=64 {
        assert_eq!(add(&mut buffer, 1008), (1, count << 10));
    }
    assert_eq!(add(&mut buffer, 1008), (2, CHUNK_SIZE + (1 << 10)));
    // One that is too large for what is left, and for any common chunk, has one to itself.
    assert_eq!(add(&mut buffer, 200_000), (3, 2 * CHUNK_SIZE + 200_016));
    assert_eq!(add(&mut buffer, 0), (4, 2 * CHUNK_SIZE + 200_016 + 16));
    // What fills a chunk to its end is in it, and one byte more is not.
    assert_eq!(add(&mut buffer, CHUNK_SIZE - 32).0, 4);
    assert_eq!(add(&mut buffer, 0).0, 5);
    assert_eq!(add(&mut buffer, CHUNK_SIZE - 31).0, 6);
}

/// Whatever they are, the order is right; but as a key is looked at only where they are alike, they
/// are what makes a sort fast.
#[test]
fn first_bytes_are_in_the_order_of_their_keys() {
    let keys: [&[u8]; 8] =
        [b"", b"\0\x01", b"a", b"ab", b"b", b"b234567\x01", b"b2345678", b"\xff"];
    for pair in keys.windows(2) {
        assert!(first_eight(pair[0]) < first_eight(pair[1]), "{pair:?}");
    }
    assert_eq!(first_eight(b"b2345678"), 0x6232_3334_3536_3738);
    assert_eq!(first_eight(b"b2345678"), first_eight(b"b23456789"));
}
