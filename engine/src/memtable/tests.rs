//! The memtable against a model: a map from (key, newest first) to what was written.

use core::cmp::Reverse;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::key::{MAX_SEQUENCE, ParsedInternalKey, append_internal_key};

type R = <PosixEnv as Env>::Threads;
type Position = (Vec<u8>, Reverse<u64>);
type Model = BTreeMap<Position, Option<Vec<u8>>>;

fn writer() -> MemTableWriter<R> {
    MemTableWriter::new(InternalKeyComparator::bytewise())
}

#[test]
fn simple() {
    let mut writer = writer();
    assert!(writer.table().is_empty());
    writer.add(100, ValueType::Value, b"k1", b"v1");
    writer.add(101, ValueType::Value, b"k2", b"v2");
    writer.add(102, ValueType::Deletion, b"k1", b"");
    let table = writer.table();
    assert!(!table.is_empty());
    assert_eq!(table.get(b"k1", 99), Lookup::Absent);
    assert_eq!(table.get(b"k1", 100), Lookup::Value(b"v1"));
    assert_eq!(table.get(b"k1", 101), Lookup::Value(b"v1"));
    assert_eq!(table.get(b"k1", MAX_SEQUENCE), Lookup::Deleted);
    assert_eq!(table.get(b"k2", MAX_SEQUENCE), Lookup::Value(b"v2"));
    assert_eq!(table.get(b"k", MAX_SEQUENCE), Lookup::Absent);
    assert_eq!(table.get(b"k3", MAX_SEQUENCE), Lookup::Absent);
}

#[test]
fn empty_key_and_empty_value() {
    let mut writer = writer();
    writer.add(1, ValueType::Value, b"", b"");
    assert_eq!(writer.table().get(b"", 1), Lookup::Value(b""));
    assert_eq!(writer.table().get(b"\0", 1), Lookup::Absent);
}

#[test]
fn usage_grows_with_every_entry_and_starts_low() {
    let mut writer = writer();
    let mut last = writer.table().approximate_memory_usage();
    assert!(last < 1024, "an empty memtable takes {last} bytes");
    for i in 0..100_u64 {
        writer.add(i, ValueType::Value, &i.to_le_bytes(), &[7; 100]);
        let usage = writer.table().approximate_memory_usage();
        assert!(usage >= last + 116);
        last = usage;
    }
}

#[test]
fn an_iterator_outlives_the_writer() {
    let mut writer = writer();
    writer.add(1, ValueType::Value, b"a", b"1");
    let mut iter = writer.table().iter();
    drop(writer);
    iter.seek_to_first();
    assert_eq!((user_key(iter.key()), iter.value()), (&b"a"[..], &b"1"[..]));
    iter.next();
    assert!(!iter.valid());
    assert!(iter.status().is_ok());
}

fn entry(iter: &MemTableIterator<R>) -> Option<(Position, Option<Vec<u8>>)> {
    iter.valid().then(|| {
        let key = ParsedInternalKey::parse(iter.key()).unwrap();
        let value = (key.value_type == ValueType::Value).then(|| iter.value().to_vec());
        ((key.user_key.to_vec(), Reverse(key.sequence)), value)
    })
}

fn check(operations: &[(Vec<u8>, Option<Vec<u8>>)], probes: &[(Vec<u8>, u64)]) {
    let mut writer = writer();
    let mut model = Model::new();
    for (sequence, (key, value)) in (1..).zip(operations) {
        let value_type = if value.is_some() { ValueType::Value } else { ValueType::Deletion };
        writer.add(sequence, value_type, key, value.as_deref().unwrap_or_default());
        model.insert((key.clone(), Reverse(sequence)), value.clone());
    }
    let table = writer.table();
    let mut iter = table.iter();
    assert!(!iter.valid());

    let mut forward = Vec::new();
    iter.seek_to_first();
    while let Some(entry) = entry(&iter) {
        forward.push(entry);
        iter.next();
    }
    let expected: Vec<_> = model.clone().into_iter().collect();
    assert_eq!(forward, expected);

    let mut backward = Vec::new();
    iter.seek_to_last();
    while let Some(entry) = entry(&iter) {
        backward.push(entry);
        iter.prev();
    }
    backward.reverse();
    assert_eq!(backward, expected);

    for (key, sequence) in probes {
        let position = (key.clone(), Reverse(*sequence));
        let visible = model.range(position.clone()..).next().filter(|((k, _), _)| k == key);
        let expected = match visible {
            None => Lookup::Absent,
            Some((_, None)) => Lookup::Deleted,
            Some((_, Some(value))) => Lookup::Value(value),
        };
        assert_eq!(table.get(key, *sequence), expected);

        let mut target = Vec::new();
        append_internal_key(&mut target, key, *sequence, ValueType::FOR_SEEK);
        iter.seek(&target);
        let found = model.range(position..).next().map(|(k, v)| (k.clone(), v.clone()));
        assert_eq!(entry(&iter), found);
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(&[0_u8, 1, 0xff][..]), 0..3),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn behaves_as_a_sorted_map(
        operations in prop::collection::vec(
            (key(), prop::option::of(prop::collection::vec(any::<u8>(), 0..2000))), 0..120),
        probes in prop::collection::vec((key(), 0..130_u64), 0..40),
    ) {
        check(&operations, &probes);
    }
}
