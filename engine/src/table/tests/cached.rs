//! The block cache as tables use it, and what read options change.

use super::*;
use crate::error::Defect;

const KEPT: BlockReads = BlockReads { verify_checksums: true, fill_cache: true };

/// A table of ten data blocks, one entry each.
fn ten_blocks(compression: Compression) -> (Entries, MemFile) {
    let entries: Entries = (0..10).map(|i| entry(&[b'a' + i], &[b'v'; 100])).collect();
    let order = InternalKeyComparator::bytewise();
    let options = TableOptions { block_size: 100, compression, ..TableOptions::default() };
    let file = write_table(&entries, &order, &options);
    (entries, file)
}

fn with_cache(capacity: usize) -> (BlockCache, TableContext) {
    let cache = BlockCache::new(&PosixEnv::new(), capacity);
    let order = InternalKeyComparator::bytewise();
    let context = TableContext { block_cache: Some(cache.clone()), ..context(&order) };
    (cache, context)
}

fn reads(file: &MemFile) -> usize {
    file.operations().iter().filter(|&&op| op == FileOp::Read).count()
}

fn get_all(table: &Table, entries: &Entries, how: BlockReads) {
    for (key, value) in entries {
        assert_eq!(table.get(key, how), Ok(Found::Value(value.clone().into())));
    }
}

#[test]
fn a_block_is_read_once() {
    let (entries, file) = ten_blocks(Compression::Snappy);
    let (cache, context) = with_cache(1 << 20);
    let table = open_with(&file, &context).expect("just written");
    let opened = reads(&file);
    get_all(&table, &entries, KEPT);
    assert_eq!(reads(&file), opened + 10);
    get_all(&table, &entries, KEPT);
    check_cursor(&mut table.iter(KEPT), &entries, &context.order);
    assert_eq!(reads(&file), opened + 10);
    let stats = cache.stats();
    assert_eq!((stats.blocks, stats.misses, stats.evictions), (10, 10, 0));
    assert!(stats.hits >= 20);
    // Uncompressed contents: key, value, three sizes, a restart and the number of them.
    assert_eq!((stats.capacity, stats.charge), (1 << 20, 10 * (9 + 100 + 3 + 8)));
    // Another table of the same cache has other blocks.
    let other = open_with(&file, &context).expect("just written");
    get_all(&other, &entries, KEPT);
    assert_eq!(cache.stats().blocks, 20);
}

#[test]
fn fill_cache_is_asked() {
    let (entries, file) = ten_blocks(Compression::None);
    let (cache, context) = with_cache(1 << 20);
    let table = open_with(&file, &context).expect("just written");
    let opened = reads(&file);
    let passing = BlockReads { fill_cache: false, ..KEPT };
    get_all(&table, &entries, passing);
    get_all(&table, &entries, passing);
    assert_eq!((reads(&file), cache.stats().blocks), (opened + 20, 0));
    // What is there is used all the same.
    get_all(&table, &entries, KEPT);
    get_all(&table, &entries, passing);
    assert_eq!((reads(&file), cache.stats().blocks), (opened + 30, 10));
}

#[test]
fn capacity_stands_and_values_outlive_their_blocks() {
    let (entries, file) = ten_blocks(Compression::Snappy);
    // Each of the sixteen parts has room for one block.
    let (cache, context) = with_cache(16 * 120);
    let table = open_with(&file, &context).expect("just written");
    let mut values = Vec::new();
    for _ in 0..3 {
        for (key, value) in &entries {
            let Ok(Found::Value(found)) = table.get(key, KEPT) else { panic!("not found") };
            values.push((found, value));
            assert!(cache.stats().charge <= cache.stats().capacity);
        }
    }
    let stats = cache.stats();
    assert_eq!(to_u64(stats.blocks) + stats.evictions, stats.misses);
    assert!(stats.evictions > 0, "ten blocks have a part each");
    drop((table, cache, context));
    assert!(values.iter().all(|(found, value)| found == *value));
    // A block that is larger than a part drives out nothing.
    let (small, context) = with_cache(16 * 119);
    let table = open_with(&file, &context).expect("just written");
    get_all(&table, &entries, KEPT);
    assert_eq!((small.stats().blocks, small.stats().evictions), (0, 0));
}

#[test]
fn checksums_are_verified_unless_the_caller_opts_out() {
    let (entries, file) = ten_blocks(Compression::None);
    let mut bytes = file.bytes();
    // In the value of the first entry.
    bytes[50] ^= 1;
    let (cache, context) = with_cache(1 << 20);
    let table = open_with(&MemFile::new(&bytes), &context).expect("the index is whole");
    let (first, value) = &entries[0];
    let expected = Error::corruption(PATH, 0, Defect::ChecksumMismatch);
    assert_eq!(table.get(first, KEPT), Err(expected.clone()));
    let trusting = BlockReads { verify_checksums: false, ..KEPT };
    let Ok(Found::Value(found)) = table.get(first, trusting) else { panic!("not found") };
    assert_ne!(found, *value);
    // It is in the cache now, which does not make it right.
    assert_eq!(cache.stats().blocks, 1);
    assert_eq!(table.get(first, KEPT), Err(expected));
}

#[test]
fn an_error_is_not_kept() {
    let (entries, file) = ten_blocks(Compression::Snappy);
    let (cache, context) = with_cache(1 << 20);
    let table = open_with(&file, &context).expect("just written");
    file.fail_at(file.operations().len());
    let (key, value) = &entries[3];
    assert_eq!(table.get(key, KEPT), Err(failure(FileOp::Read)));
    assert_eq!(cache.stats().blocks, 0);
    assert_eq!(table.get(key, KEPT), Ok(Found::Value(value.clone().into())));
}
