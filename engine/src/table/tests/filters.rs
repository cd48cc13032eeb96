//! Counterparts of LevelDB's `bloom_test` and `filter_block_test`, with their numbers; and what a
//! table makes of its filters.

use proptest::prelude::*;

use super::*;
use crate::codec::{Decoder, hash32, put_fixed32};
use crate::error::Defect;
use crate::table::filter_block::{FilterBlock, FilterBlockBuilder};

fn bloom(keys: &[&[u8]]) -> Vec<u8> {
    let mut filter = Vec::new();
    BloomFilter::new(10).create_filter(keys, &mut filter);
    filter
}

fn matches(key: &[u8], filter: &[u8]) -> bool {
    BloomFilter::new(10).key_may_match(key, filter)
}

#[test]
fn bloom_empty_filter() {
    for filter in [bloom(&[]), Vec::new()] {
        assert!(!matches(b"hello", &filter));
        assert!(!matches(b"world", &filter));
    }
}

#[test]
fn bloom_small() {
    let filter = bloom(&[b"hello", b"world"]);
    // As LevelDB made it.
    assert_eq!(filter, [0x11, 0x40, 0x00, 0x41, 0x44, 0x10, 0x40, 0x10, 6]);
    assert!(matches(b"hello", &filter) && matches(b"world", &filter));
    assert!(!matches(b"x", &filter) && !matches(b"foo", &filter));
}

#[test]
fn bloom_varying_lengths() {
    let (mut mediocre, mut good) = (0, 0);
    let mut length = 1_u32;
    while length <= 10_000 {
        let keys: Vec<[u8; 4]> = (0..length).map(u32::to_le_bytes).collect();
        let filter = bloom(&keys.iter().map(|key| &key[..]).collect::<Vec<_>>());
        assert!(filter.len() <= keys.len() * 10 / 8 + 40, "{length}");
        assert!(keys.iter().all(|key| matches(key, &filter)), "{length}");
        let foreign = (0..10_000).map(|i: u32| (i + 1_000_000_000).to_le_bytes());
        let rate = foreign.filter(|key| matches(key, &filter)).count();
        assert!(rate <= 200, "{rate} of 10000 at {length}");
        if rate > 125 {
            mediocre += 1;
        } else {
            good += 1;
        }
        length += match length {
            0..10 => 1,
            10..100 => 10,
            100..1000 => 100,
            _ => 1000,
        };
    }
    assert!(mediocre <= good / 5, "{mediocre} mediocre, {good} good");
}

#[test]
fn bloom_has_the_probes_of_its_bits() {
    let probes = |bits| {
        let mut filter = Vec::new();
        BloomFilter::new(bits).create_filter(&[b"k"], &mut filter);
        filter.last().copied()
    };
    let expected = [(0, 1), (1, 1), (2, 1), (3, 2), (10, 6), (43, 29), (44, 30), (usize::MAX, 30)];
    for (bits, expected) in expected {
        assert_eq!(probes(bits), Some(expected), "{bits} bits");
    }
    // More probes than that are kept for encodings to come.
    assert!(matches(b"anything", &[0, 0, 0, 31]));
    assert!(!matches(b"anything", &[0, 0, 0, 30]));
}

/// Lists the hash of each key.
#[derive(Debug)]
struct HashFilter;

impl FilterPolicy for HashFilter {
    fn name(&self) -> &'static str {
        "faultline.test.HashFilter"
    }

    fn create_filter(&self, keys: &[&[u8]], filter: &mut Vec<u8>) {
        for key in keys {
            put_fixed32(filter, hash32(key, 1));
        }
    }

    fn key_may_match(&self, key: &[u8], filter: &[u8]) -> bool {
        let mut decoder = Decoder::new(filter);
        core::iter::from_fn(|| decoder.fixed32()).any(|hash| hash == hash32(key, 1))
    }
}

fn filter_block(blocks: &[(u64, &[&str])]) -> FilterBlock {
    let mut builder = FilterBlockBuilder::new(Arc::new(HashFilter));
    for (offset, keys) in blocks {
        builder.start_block(*offset).expect("small");
        keys.iter().for_each(|key| builder.add_key(key.as_bytes()));
    }
    let contents = builder.finish().expect("small");
    FilterBlock::parse(Arc::new(HashFilter), contents).expect("just built")
}

#[test]
fn filter_block_empty_builder() {
    let contents = FilterBlockBuilder::new(Arc::new(HashFilter)).finish().expect("small");
    assert_eq!(contents, [0, 0, 0, 0, 11]);
    let block = FilterBlock::parse(Arc::new(HashFilter), contents).expect("just built");
    assert!(block.key_may_match(0, b"foo"));
    assert!(block.key_may_match(100_000, b"foo"));
}

#[test]
fn filter_block_single_chunk() {
    let block = filter_block(&[(100, &["foo", "bar", "box"]), (200, &["box"]), (300, &["hello"])]);
    for key in ["foo", "bar", "box", "hello", "foo"] {
        assert!(block.key_may_match(100, key.as_bytes()), "{key}");
    }
    assert!(!block.key_may_match(100, b"missing"));
    assert!(!block.key_may_match(100, b"other"));
}

#[test]
fn filter_block_multi_chunk() {
    let block = filter_block(&[
        (0, &["foo"]),
        (2000, &["bar"]),
        (3100, &["box"]),
        (9000, &["box", "hello"]),
    ]);
    let found = [(0, "foo"), (2000, "bar"), (3100, "box"), (9000, "box"), (9000, "hello")];
    let absent = [
        (0, "box"),
        (0, "hello"),
        (3100, "foo"),
        (3100, "bar"),
        (3100, "hello"),
        (4100, "foo"),
        (4100, "bar"),
        (4100, "box"),
        (4100, "hello"),
        (9000, "foo"),
        (9000, "bar"),
    ];
    for (offset, key) in found {
        assert!(block.key_may_match(offset, key.as_bytes()), "{key} at {offset}");
    }
    for (offset, key) in absent {
        assert!(!block.key_may_match(offset, key.as_bytes()), "{key} at {offset}");
    }
}

#[test]
fn what_makes_no_sense_may_match() {
    let policy = || Arc::new(HashFilter);
    for contents in [&b""[..], &[0, 0, 0, 11], &[1, 0, 0, 0, 11], &[255, 255, 255, 255, 11]] {
        assert!(FilterBlock::parse(policy(), contents.to_vec()).is_none());
    }
    // One filter from 9 to 4, and one from 4 to 9 behind the end.
    for offsets in [[9, 4], [4, 9]] {
        let mut contents = vec![0; 4];
        for offset in offsets {
            put_fixed32(&mut contents, offset);
        }
        contents.extend([4, 0, 0, 0, 11]);
        let block = FilterBlock::parse(policy(), contents).expect("offsets may be anything");
        assert!(block.key_may_match(0, b"foo"));
    }
    // A shift by more than an offset has bits.
    let block = FilterBlock::parse(policy(), vec![0, 0, 0, 0, 0, 0, 0, 0, 200]);
    assert!(block.expect("any shift can be stored").key_may_match(5, b"foo"));
}

/// A table of 200 keys in blocks of 256 bytes, with filters.
fn filtered(policy: Arc<dyn FilterPolicy>) -> (Entries, MemFile, TableContext) {
    let entries: Entries = (0..200).map(|i| entry(format!("{i:04}").as_bytes(), b"v")).collect();
    let order = InternalKeyComparator::bytewise();
    let options = TableOptions {
        block_size: 256,
        filter_policy: Some(Arc::clone(&policy)),
        ..TableOptions::default()
    };
    let file = write_table(&entries, &order, &options);
    (entries, file, TableContext { filter_policy: Some(policy), ..context(&order) })
}

#[test]
fn absent_keys_cost_no_read() {
    let (entries, file, context) = filtered(Arc::new(HashFilter));
    let table = open_with(&file, &context).expect("just written");
    let reads = || file.operations().iter().filter(|&&op| op == FileOp::Read).count();
    let before = reads();
    for i in 0..200 {
        let absent = ikey(format!("{i:04}.").as_bytes(), 1, ValueType::Value);
        assert_eq!(table.get(&absent, BlockReads::default()), Ok(Found::Absent));
    }
    assert_eq!(reads(), before);
    check_get(&table, &entries, &context.order);
    // Nor do those of another policy, whose filters are not there.
    let other = TableContext { filter_policy: Some(Arc::new(BloomFilter::new(10))), ..context };
    let table = open_with(&file, &other).expect("just written");
    assert_eq!(table.filter_error(), None);
    check_get(&table, &entries, &other.order);
}

#[test]
fn a_damaged_filter_is_told_and_not_used() {
    let (entries, file, context) = filtered(Arc::new(BloomFilter::new(10)));
    let name = b"filter.leveldb.BuiltinBloomFilter2";
    let bytes = file.bytes();
    let at = bytes.windows(name.len()).position(|window| window == name).expect("uncompressed");
    // In the metaindex, and in the filter block, which is in front of it.
    for damaged in [at + 3, at - 20] {
        let mut bytes = bytes.clone();
        bytes[damaged] ^= 1;
        let table = open_with(&MemFile::new(&bytes), &context).expect("no filter is needed");
        let Some(Error::Corruption(found)) = table.filter_error() else { panic!("not told") };
        assert_eq!((&*found.file, &found.defect), (Path::new(PATH), &Defect::ChecksumMismatch));
        check_get(&table, &entries, &context.order);
    }
    // A file that cannot be read now may be whole: that is no reason to go without.
    for fail_at in 2..4 {
        let file = MemFile::new(&file.bytes());
        file.fail_at(fail_at);
        assert_eq!(open_with(&file, &context).err(), Some(failure(FileOp::Read)));
    }
}

proptest! {
    #[test]
    fn no_filter_denies_a_key(
        keys in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..8), 0..50),
        bits in 0_usize..50,
    ) {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let policy = BloomFilter::new(bits);
        let mut filter = b"the filter before".to_vec();
        let start = filter.len();
        policy.create_filter(&keys, &mut filter);
        for key in keys {
            prop_assert!(policy.key_may_match(key, &filter[start..]));
        }
    }

    #[test]
    fn garbage_never_panics(
        contents in proptest::collection::vec(any::<u8>(), 0..40),
        base_lg in 0_u8..80,
        offset in any::<u64>(),
    ) {
        let mut contents = contents;
        contents.extend([4, 0, 0, 0, base_lg]);
        let policy = Arc::new(BloomFilter::new(10));
        policy.key_may_match(b"key", &contents);
        if let Some(block) = FilterBlock::parse(policy, contents) {
            block.key_may_match(offset, b"key");
            block.key_may_match(0, b"key");
        }
    }
}
