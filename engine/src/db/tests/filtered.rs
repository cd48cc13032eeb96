//! Filters and open tables, seen from the database.

use std::sync::Arc;

use super::{TestDb, options};
use crate::env::posix::PosixEnv;
use crate::options::Options;
use crate::table::{BlockCache, BloomFilter};

/// LevelDB's db_test of the same name, with its numbers. Where LevelDB counts reads of the file,
/// this counts blocks that a cache without room does not have.
#[test]
fn bloom_filter() {
    const N: u64 = 10_000;
    let cache = BlockCache::new(&PosixEnv::new(), 0);
    let test = TestDb::with(Options {
        write_buffer_size: 4 << 20,
        block_cache: Some(cache.clone()),
        filter_policy: Some(Arc::new(BloomFilter::new(10))),
        ..options()
    });
    let key = |i: u64| format!("key{i:06}");
    for i in 0..N {
        test.put(&key(i), &key(i));
    }
    test.db().flush().unwrap();
    for i in (0..N).step_by(100) {
        test.put(&key(i), &key(i));
    }
    test.db().flush().unwrap();
    assert_eq!(test.level0_tables(), 2);

    let start = cache.stats().misses;
    for i in 0..N {
        assert_eq!(test.get(&key(i)), key(i));
    }
    let reads = cache.stats().misses - start;
    assert!((N..=N + 2 * N / 100).contains(&reads), "{reads} reads for keys that are there");

    let start = cache.stats().misses;
    for i in 0..N {
        assert_eq!(test.get(&format!("{}.missing", key(i))), "NOT_FOUND");
    }
    let reads = cache.stats().misses - start;
    assert!(reads <= 3 * N / 100, "{reads} reads for keys that are not there");
    assert_eq!(cache.stats().blocks, 0);
}

#[test]
fn open_tables_are_bounded_and_cursors_keep_theirs() {
    let test = TestDb::with(Options { max_open_files: 74, ..options() });
    for i in 0..80 {
        test.put(&format!("{i:03}"), "v");
        test.db().flush().unwrap();
    }
    let mut iter = test.db().iter().unwrap();
    iter.seek_to_first();
    let open = test.db().table_cache_stats().open;
    assert_eq!(open, 64, "ten files are for other things");
    // Each lookup needs one table, and those of the first ones are not open.
    let before = test.db().table_cache_stats();
    for i in 0..80 {
        assert_eq!(test.get(&format!("{i:03}")), "v");
    }
    let after = test.db().table_cache_stats();
    assert_eq!(after.open, 64);
    assert!(after.misses > before.misses);
    assert_eq!(after.hits + after.misses, before.hits + before.misses + 80);
    // The table under the cursor is open no more for anybody else.
    assert_eq!((iter.key(), iter.value()), (&b"000"[..], &b"v"[..]));
    let mut seen = 0;
    while iter.valid() {
        seen += 1;
        iter.next();
    }
    assert_eq!((iter.status(), seen), (Ok(()), 80));
    assert_eq!(test.db().table_cache_stats().open, 64);
}

#[test]
fn databases_share_a_cache() {
    let cache = BlockCache::new(&PosixEnv::new(), 1 << 20);
    let shared = || Options { block_cache: Some(cache.clone()), ..options() };
    let (left, right) = (TestDb::with(shared()), TestDb::with(shared()));
    for (db, value) in [(&left, "left"), (&right, "right")] {
        db.put("key", value);
        db.db().flush().unwrap();
    }
    for _ in 0..2 {
        assert_eq!((left.get("key"), right.get("key")), ("left".to_owned(), "right".to_owned()));
    }
    let stats = cache.stats();
    assert_eq!((stats.blocks, left.db().block_cache_stats()), (2, Some(stats)));
    assert_eq!(stats.hits, 2);
}
