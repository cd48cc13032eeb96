//! Stalls, properties and sizes, and the metrics that they show.

use super::compaction::{by_hand, numbered, value};
use super::{TestDb, options};
use crate::db::WriteStall;
use crate::options::Options;
use crate::table::Compression;

#[test]
fn writes_are_slowed_down_and_stopped_by_level_0() {
    // One write is delayed and then goes on: there is nothing to wait for but time.
    let slow = TestDb::with(Options { level0_slowdown_writes_trigger: Some(1), ..by_hand() });
    let slowdowns = || slow.db().metrics().unwrap().stalls.slowdowns;
    for i in 0..6 {
        let expected = slowdowns() + u64::from(slow.tables_at(0) >= 1);
        slow.put("k", &i.to_string());
        assert_eq!(slowdowns(), expected);
        slow.flush();
        assert_eq!(slowdowns(), expected, "a flush is not delayed");
    }
    assert_eq!(slow.get("k"), "5");
    let stalls = slow.db().metrics().unwrap().stalls;
    assert!(stalls.slowdowns >= 3 && stalls.time.as_millis() >= 3, "{stalls:?}");
    assert_eq!(stalls.now, WriteStall::None);

    // A stop lasts until a compaction has made room.
    let stop = TestDb::with(Options {
        write_buffer_size: 4096,
        level0_compaction_trigger: 1,
        level0_stop_writes_trigger: Some(1),
        ..options()
    });
    for i in 0..400 {
        stop.put(&numbered(i % 10), &value(i, 1000));
    }
    stop.settle();
    let metrics = stop.db().metrics().unwrap();
    assert!(metrics.stalls.level0_waits > 0, "{metrics:?}");
    assert!(metrics.compactions > 0 && metrics.flushes > 0, "{metrics:?}");
}

#[test]
fn properties_tell_what_there_is() {
    let test = TestDb::with(by_hand());
    let property = |name: &str| test.db().property(name).unwrap();
    for unknown in ["", "stats", "leveldb.", "leveldb.num-files-at-level7", "leveldb.nothing"] {
        assert_eq!(property(unknown), None);
    }
    test.put("k\x01", "v");
    test.flush();
    test.put("k\x01", "w");
    test.flush();
    test.db().compact_range(None, None).unwrap();
    assert_eq!(property("leveldb.num-files-at-level2").as_deref(), Some("1"));
    let tables = property("leveldb.sstables").unwrap();
    assert!(tables.starts_with("--- level 0 ---\n--- level 1 ---\n--- level 2 ---\n "), "{tables}");
    assert!(tables.contains("['k\\x01' @ 2 : 1 .. 'k\\x01' @ 2 : 1]\n"), "{tables}");
    let stats = property("leveldb.stats").unwrap();
    assert!(stats.lines().count() >= 4 && stats.contains("  2        1 "), "{stats}");
    let memory: u64 = property("leveldb.approximate-memory-usage").unwrap().parse().unwrap();
    assert_eq!(memory, {
        let metrics = test.db().metrics().unwrap();
        metrics.memtable_size + metrics.block_cache.unwrap().charge as u64
    });
}

// DBTest.ApproximateSizes
#[test]
fn approximate_sizes() {
    let mut test = TestDb::with(Options {
        write_buffer_size: 100_000_000,
        compression: Compression::None,
        ..by_hand()
    });
    assert_eq!(test.size("", "xyz"), 0);
    test.reopen();
    assert_eq!(test.size("", "xyz"), 0);
    for i in 0..80 {
        test.put(&numbered(i), &value(i, 10_000));
    }
    assert_eq!(test.size("", &numbered(50)), 0, "memtables do not count");
    let near = |size: u64, entries: u64| {
        assert!((entries * 10_000..=entries * 10_500).contains(&size), "{size}");
    };
    for _ in 0..3 {
        test.reopen();
        for start in (0..80).step_by(10) {
            near(test.size("", &numbered(start)), start as u64);
            near(test.size("", &(numbered(start) + ".suffix")), start as u64 + 1);
            near(test.size(&numbered(start), &numbered(start + 10)), 10);
        }
        near(test.size("", &numbered(50)), 50);
        test.compact(&numbered(0), &numbered(80));
        assert_eq!(test.tables_at(0), 0);
        assert!(test.total_tables() > 0);
    }
}

// DBTest.ApproximateSizes_MixOfSmallAndLarge
#[test]
fn approximate_sizes_of_small_and_large() {
    let mut test = TestDb::with(Options { compression: Compression::None, ..by_hand() });
    let lengths = [10_000, 10_000, 100_000, 10_000, 100_000, 10_000, 300_000, 10_000];
    for (number, length) in lengths.into_iter().enumerate() {
        test.put(&numbered(number), &value(number, length));
    }
    for _ in 0..3 {
        test.reopen();
        let mut before = 0;
        for (number, length) in lengths.into_iter().enumerate() {
            let size = test.size("", &numbered(number));
            assert!((before..=before + 1000).contains(&size), "{number}: {size}");
            before += length as u64;
        }
        assert!((550_000..=560_000).contains(&test.size("", &numbered(8))));
        assert!((110_000..=111_000).contains(&test.size(&numbered(3), &numbered(5))));
        test.compact_level(0, None, None);
    }
}
