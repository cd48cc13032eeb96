//! Counterparts of LevelDB's `table_test`: the same entries through a block and through a table,
//! for several restart intervals and two orders, against a sorted list.

mod cached;
mod damage;
mod filters;
mod flips;
mod golden;
mod offsets;

use core::cmp::Ordering;
use core::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use super::block_builder::BlockBuilder;
use super::*;
use crate::codec::to_u64;
use crate::env::posix::PosixEnv;
use crate::error::{Error, FileOp, Result};
use crate::iterator::InternalIterator;
use crate::key::{
    BytewiseComparator, Comparator, InternalKeyComparator, ParsedInternalKey, SequenceNumber,
    ValueType, append_internal_key,
};
use crate::test_files::{MemFile, PATH, failure};
use crate::value::Found;

/// Byte order of the keys read from their ends.
#[derive(Debug)]
struct ReverseKeyComparator;

fn reversed(key: &[u8]) -> Vec<u8> {
    key.iter().rev().copied().collect()
}

impl Comparator for ReverseKeyComparator {
    fn name(&self) -> &'static str {
        "faultline.test.ReverseKeyComparator"
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        reversed(a).cmp(&reversed(b))
    }

    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        let mut key = reversed(start);
        BytewiseComparator.find_shortest_separator(&mut key, &reversed(limit));
        *start = reversed(&key);
    }

    fn find_short_successor(&self, key: &mut Vec<u8>) {
        let mut back = reversed(key);
        BytewiseComparator.find_short_successor(&mut back);
        *key = reversed(&back);
    }
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn ikey(user_key: &[u8], sequence: SequenceNumber, value_type: ValueType) -> Vec<u8> {
    let mut key = Vec::new();
    append_internal_key(&mut key, user_key, sequence, value_type);
    key
}

/// Small numbers from a fixed sequence.
struct Random(u64);

impl Random {
    fn in_range(&mut self, range: RangeInclusive<usize>) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let span = to_u64(range.end() - range.start()) + 1;
        range.start() + usize::try_from((self.0 >> 33) % span).expect("small")
    }

    /// Keys that differ in little and meet every byte that is special to an order.
    fn user_key(&mut self) -> Vec<u8> {
        let alphabet = b"\0\x01abcde\xfd\xfe\xff";
        let size = self.in_range(0..=6);
        (0..size).map(|_| alphabet[self.in_range(0..=9)]).collect()
    }

    fn entry(&mut self) -> (Vec<u8>, Vec<u8>) {
        let sequence = to_u64(self.in_range(0..=50));
        let key = ikey(&self.user_key(), sequence, ValueType::Value);
        let size = self.in_range(0..=5);
        (key, b"value"[..size].to_vec())
    }
}

fn write_table(
    entries: &Entries,
    order: &InternalKeyComparator,
    options: &TableOptions,
) -> MemFile {
    let file = MemFile::default();
    let mut builder = TableBuilder::new(file.writable(), order.clone(), options);
    for (key, value) in entries {
        assert_eq!(builder.add(key, value), Ok(()));
    }
    assert_eq!(builder.entry_count(), to_u64(entries.len()));
    let size = builder.finish().expect("the file is sound");
    assert_eq!(size, to_u64(file.bytes().len()));
    assert_eq!(builder.sync(), Ok(()));
    assert_eq!(builder.close(), Ok(()));
    file
}

fn context(order: &InternalKeyComparator) -> TableContext {
    TableContext { order: order.clone(), filter_policy: None, block_cache: None }
}

fn open_with(file: &MemFile, context: &TableContext) -> Result<Arc<Table>> {
    let size = to_u64(file.bytes().len());
    Table::open(file.random_access(), size, Path::new(PATH), context).map(Arc::new)
}

fn open(file: &MemFile, order: &InternalKeyComparator) -> Result<Arc<Table>> {
    open_with(file, &context(order))
}

fn block_of(entries: &Entries, restart_interval: usize) -> Arc<Block> {
    let mut builder = BlockBuilder::new(restart_interval);
    for (key, value) in entries {
        assert_eq!(builder.add(key, value), Ok(()));
    }
    let estimate = builder.size_estimate();
    let contents = builder.finish();
    assert_eq!(contents.len(), estimate);
    Arc::new(Block::parse(contents, Path::new(PATH).into(), 0, true).expect("just built"))
}

/// Holds `cursor` against the sorted `entries`: both directions, then a walk to and fro.
fn check_cursor(
    cursor: &mut dyn InternalIterator,
    entries: &Entries,
    order: &InternalKeyComparator,
) {
    let here = |cursor: &dyn InternalIterator| {
        assert_eq!(cursor.status(), Ok(()));
        cursor.valid().then(|| (cursor.key().to_vec(), cursor.value().to_vec()))
    };
    assert!(!cursor.valid(), "a new cursor stands nowhere");
    cursor.seek_to_first();
    for entry in entries {
        assert_eq!(here(cursor).as_ref(), Some(entry));
        cursor.next();
    }
    assert_eq!(here(cursor), None);
    cursor.seek_to_last();
    for entry in entries.iter().rev() {
        assert_eq!(here(cursor).as_ref(), Some(entry));
        cursor.prev();
    }
    assert_eq!(here(cursor), None);

    let mut random = Random(7);
    let mut position = None;
    for _ in 0..200 {
        position = match (random.in_range(0..=4), position) {
            (0, Some(index)) => {
                cursor.next();
                Some(index + 1)
            }
            (1, Some(index)) => {
                cursor.prev();
                usize::checked_sub(index, 1)
            }
            (2, _) => {
                cursor.seek_to_first();
                Some(0)
            }
            (3, _) => {
                cursor.seek_to_last();
                entries.len().checked_sub(1)
            }
            _ => {
                let (target, _) = random.entry();
                cursor.seek(&target);
                Some(entries.partition_point(|(key, _)| order.compare(key, &target).is_lt()))
            }
        };
        position = position.filter(|&index| index < entries.len());
        assert_eq!(here(cursor).as_ref(), position.map(|index| &entries[index]));
    }
}

/// Puts `entries` through everything that can hold them.
fn check(entries: &Entries) {
    let reverse = InternalKeyComparator::new(Arc::new(ReverseKeyComparator));
    for order in [InternalKeyComparator::bytewise(), reverse] {
        let mut sorted = entries.clone();
        sorted.sort_by(|(a, _), (b, _)| order.compare(a, b));
        sorted.dedup_by(|(a, _), (b, _)| a == b);
        for restart_interval in [16, 1, 1024] {
            let block = block_of(&sorted, restart_interval);
            check_cursor(&mut block.iter(order.clone()), &sorted, &order);
            for options in variants(restart_interval) {
                let file = write_table(&sorted, &order, &options);
                // With the filters, if there are any, and a cache that holds a few blocks.
                let context = TableContext {
                    order: order.clone(),
                    filter_policy: options.filter_policy.clone(),
                    block_cache: Some(BlockCache::new(&PosixEnv::new(), 16 << 10)),
                };
                let table = open_with(&file, &context).expect("just written");
                check_cursor(&mut table.iter(BlockReads::default()), &sorted, &order);
                check_get(&table, &sorted, &order);
            }
        }
    }
}

fn variants(block_restart_interval: usize) -> impl Iterator<Item = TableOptions> {
    let filter: Arc<dyn FilterPolicy> = Arc::new(BloomFilter::new(10));
    let variants = [
        (1, Compression::None, None, 1),
        (256, Compression::Snappy, Some(filter), 512),
        (4096, Compression::None, None, 4096),
        (4096, Compression::Snappy, None, 1 << 20),
    ];
    variants.into_iter().map(move |(block_size, compression, filter_policy, append_size)| {
        TableOptions { block_size, block_restart_interval, compression, filter_policy, append_size }
    })
}

/// A lookup finds what a seek finds, as long as that has the user key that was asked for.
fn check_get(table: &Table, entries: &Entries, order: &InternalKeyComparator) {
    let mut random = Random(11);
    let targets = (0..50).map(|_| random.entry().0).collect::<Vec<_>>();
    for target in targets.iter().chain(entries.iter().map(|(key, _)| key)) {
        let user_key = crate::key::user_key(target);
        let index = entries.partition_point(|(key, _)| order.compare(key, target).is_lt());
        let expected = entries.get(index).filter(|(key, _)| crate::key::user_key(key) == user_key);
        let expected =
            expected.map_or(Found::Absent, |(key, value)| {
                match ParsedInternalKey::parse(key).expect("made here").value_type {
                    ValueType::Value => Found::Value(value.clone().into()),
                    ValueType::Deletion => Found::Deleted,
                }
            });
        assert_eq!(table.get(target, BlockReads::default()), Ok(expected), "{target:?}");
    }
}

fn entry(user_key: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (ikey(user_key, 1, ValueType::Value), value.to_vec())
}

#[test]
fn empty() {
    check(&Vec::new());
}

#[test]
fn zero_restart_points_in_block() {
    let contents = vec![0; 4];
    let block = Block::parse(contents, Path::new(PATH).into(), 0, true).map(Arc::new);
    let order = InternalKeyComparator::bytewise();
    let mut cursor = block.expect("no restarts are legal").iter(order.clone());
    check_cursor(&mut cursor, &Vec::new(), &order);
}

#[test]
fn simple_empty_key() {
    check(&vec![entry(b"", b"v")]);
}

#[test]
fn simple_single() {
    check(&vec![entry(b"abc", b"v")]);
}

#[test]
fn simple_multi() {
    check(&vec![entry(b"abc", b"v"), entry(b"abcd", b"v"), entry(b"ac", b"v2")]);
}

#[test]
fn simple_special_key() {
    check(&vec![entry(b"\xff\xff", b"v3")]);
}

#[test]
fn randomized() {
    let mut random = Random(301);
    for count in [2, 3, 5, 8, 20, 50, 200] {
        check(&(0..count).map(|_| random.entry()).collect());
    }
}

#[test]
fn one_user_key_across_many_blocks() {
    // Index keys cannot be shortened between two entries of the same user key.
    check(&(1..200).map(|n| (ikey(b"k", n, ValueType::Value), vec![b'v'; 20])).collect());
}

#[test]
fn large_values() {
    let sizes = [10_000, 200_000, 300_000, 100_000, 0];
    let keys = [b"k01", b"k02", b"k03", b"k04", b"k05"];
    check(&keys.iter().zip(sizes).map(|(key, size)| entry(*key, &vec![b'x'; size])).collect());
}

#[test]
fn empty_block_has_one_restart() {
    assert_eq!(BlockBuilder::new(16).finish(), [0, 0, 0, 0, 1, 0, 0, 0]);
}

#[test]
fn keys_must_be_internal_and_ascend() {
    let options = TableOptions::default();
    let builder = || {
        let file = MemFile::default();
        let order = InternalKeyComparator::bytewise();
        let mut builder = TableBuilder::new(file.writable(), order, &options);
        assert_eq!(builder.add(&entry(b"k", b"").0, b""), Ok(()));
        (file, builder)
    };
    for wrong in [&b"short"[..], &entry(b"j", b"").0, &entry(b"k", b"").0] {
        let (file, mut builder) = builder();
        let error = builder.add(wrong, b"").expect_err("refused");
        assert!(matches!(error, Error::InvalidArgument(_)));
        // The builder does not pretend that the entry was there.
        assert_eq!(builder.finish(), Err(error.clone()));
        assert_eq!(builder.close(), Err(error));
        assert_eq!(file.operations(), []);
    }
}

#[test]
fn the_first_error_is_kept_and_the_file_left_alone() {
    let options = TableOptions { block_size: 64, append_size: 1, ..TableOptions::default() };
    let write = |builder: &mut TableBuilder| {
        for key in [b"a", b"b", b"c", b"d", b"e"] {
            builder.add(&ikey(key, 1, ValueType::Value), &[b'v'; 50])?;
        }
        builder.finish()?;
        builder.sync()
    };
    // Five data blocks, metaindex, index, footer; sync.
    for fail_at in 0..9 {
        let file = MemFile::default();
        file.fail_at(fail_at);
        let order = InternalKeyComparator::bytewise();
        let mut builder = TableBuilder::new(file.writable(), order, &options);
        let error = failure(if fail_at < 8 { FileOp::Append } else { FileOp::Sync });
        assert_eq!(write(&mut builder), Err(error.clone()));
        assert_eq!(builder.sync(), Err(error.clone()));
        assert_eq!(builder.close(), Err(error));
        assert_eq!(file.operations().len(), fail_at + 1);
    }
}

#[test]
fn a_table_goes_to_its_file_in_whole_multiples_and_a_rest() {
    let entries: Entries =
        (0..200).map(|n| entry(format!("{n:03}").as_bytes(), &[b'v'; 40])).collect();
    let order = InternalKeyComparator::bytewise();
    let small = TableOptions { block_size: 256, append_size: 1, ..TableOptions::default() };
    let whole = write_table(&entries, &order, &small).bytes();
    for append_size in [0, 1, 7, 1000, whole.len(), whole.len() + 1] {
        let options = TableOptions { append_size, ..small.clone() };
        let file = MemFile::default();
        let mut builder = TableBuilder::new(file.writable(), order.clone(), &options);
        let multiple = append_size.max(1);
        for (key, value) in &entries {
            assert_eq!(builder.add(key, value), Ok(()));
            let handed_over = file.bytes().len();
            assert_eq!(handed_over % multiple, 0);
            // What is in no block yet does not count.
            let expected = to_u64(handed_over)..to_u64(handed_over + multiple);
            assert!(expected.contains(&builder.file_size()));
        }
        assert_eq!(builder.finish(), Ok(to_u64(whole.len())));
        assert_eq!(file.bytes(), whole, "{append_size} bytes an append");
        let blocks = write_table(&entries, &order, &small).operations().len();
        assert!(append_size < 1000 || file.operations().len() <= whole.len() / append_size + 1);
        assert!(append_size >= 2 || file.operations().len() == blocks - 2, "but sync and close");
    }
}
