//! Memory stays within memtables, caches and a little beside, however large logs and tables are.

#![cfg(test)]
#![expect(unsafe_code, reason = "an allocator that counts")]
#![expect(clippy::disallowed_types, reason = "counts for all threads, below every lock")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use faultline::env::posix::PosixEnv;
use faultline::{Db, Options, WriteBatch, WriteOptions};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every request is passed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the process holds now.
fn held() -> usize {
    NOW.load(Relaxed)
}

/// Does `work`; its result, and the most bytes that the process held meanwhile beyond `before`.
fn measured<R>(before: usize, work: impl FnOnce() -> R) -> (R, usize) {
    PEAK.store(held(), Relaxed);
    let result = work();
    (result, PEAK.load(Relaxed).saturating_sub(before))
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const ENTRIES: usize = 64 * KIB;
const VALUE_SIZE: usize = 1000;
const LOG_SIZE: usize = ENTRIES * VALUE_SIZE;

fn key(number: usize) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

/// Bytes that no compression makes smaller.
fn value(number: usize) -> Vec<u8> {
    let mut state = number as u64 * 2 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..VALUE_SIZE).map(|_| next()).collect()
}

/// Every key once, in an order of no use to anybody.
fn scattered() -> impl Iterator<Item = usize> {
    (0..ENTRIES).map(|n| n * 7919 % ENTRIES)
}

fn options() -> Options {
    Options {
        write_buffer_size: MIB,
        max_open_files: 74,
        block_cache_capacity: MIB / 4,
        // Every table stays at level 0 until somebody asks for it.
        level0_compaction_trigger: usize::MAX,
        level0_slowdown_writes_trigger: None,
        level0_stop_writes_trigger: None,
        ..Options::default()
    }
}

/// The sum that the documentation of [`Options`] gives, for one cursor or compaction in a database
/// of tables of `table_size`, `tables` of them at level 0, and groups of writes up to `group`; two
/// memtables.
fn bound(options: &Options, table_size: usize, tables: usize, group: usize) -> usize {
    let Options { write_buffer_size, block_cache_capacity, block_size, .. } = *options;
    // The last entry of a block may reach beyond its size.
    let block = block_size + key(0).len() + VALUE_SIZE;
    let index = table_size / block_size * (key(0).len() + 40);
    let memtables = 2 * (write_buffer_size + group);
    let indexes = (options.max_open_files - 10) * index;
    let written = 2 * (2 * block + index);
    let read = (tables + 6) * 2 * block;
    let versions = 2 * tables * (2 * key(0).len() + 400);
    memtables + block_cache_capacity + indexes + written + read + versions + 2 * group + MIB
}

fn open(dir: &Path, options: &Options) -> Db {
    Db::open(PosixEnv::new(), dir, options.clone()).expect("opens")
}

fn scan(db: &Db) {
    assert_eq!(db.iter().expect("reads").into_iter().count(), ENTRIES);
}

/// A closed database, all of it in one log.
fn with_a_large_log(dir: &Path) {
    let options = Options { create_if_missing: true, write_buffer_size: 1 << 30, ..options() };
    let db = open(dir, &options);
    for number in scattered() {
        db.put(&key(number), &value(number)).expect("writes");
    }
    db.close().expect("closes");
}

#[test]
fn a_large_log_a_long_compaction_and_a_long_scan() {
    let root = tempfile::tempdir().expect("a folder");
    let dir = root.path().join("db");
    with_a_large_log(&dir);

    let before = held();
    let alone = |dir| Db::open_read_only(PosixEnv::new(), dir, options()).expect("opens");
    let (db, peak) = measured(before, || alone(&dir));
    // The exception, told in the documentation.
    assert!(peak > LOG_SIZE, "a reader alone: {peak}");
    db.close().expect("closes");

    let options = options();
    let (db, peak) = measured(before, || open(&dir, &options));
    let level0 = db.metrics().expect("open").levels[0];
    let tables = level0.files;
    assert!((30..100).contains(&tables), "{tables}");
    let table_size = level0.size as usize / tables;
    let most = bound(&options, table_size, tables, VALUE_SIZE);
    assert!(most < LOG_SIZE / 8, "{most} says something");
    let third = options.write_buffer_size + VALUE_SIZE;
    assert!(peak <= most + third, "an open: {peak}, not {most} and {third}");

    let ((), peak) = measured(before, || scan(&db));
    assert!(peak <= most, "a scan of level 0: {peak}, not {most}");

    let most = bound(&options, 2 * MIB, tables, VALUE_SIZE);
    let ((), peak) = measured(before, || db.compact_range(None, None).expect("compacts"));
    assert!(peak <= most, "a compaction: {peak}, not {most}");
    assert_eq!(db.metrics().expect("open").levels[0].files, 0);

    let ((), peak) = measured(before, || scan(&db));
    assert!(peak <= most, "a scan of level 1: {peak}, not {most}");

    let ((), peak) = measured(before, || {
        let mut batch = WriteBatch::new();
        for number in scattered() {
            batch.put(&key(number), &value(number)).expect("fits");
            if batch.byte_size() > MIB - 2 * VALUE_SIZE {
                db.write(&batch, &WriteOptions::default()).expect("writes");
                batch.clear();
            }
        }
        db.write(&batch, &WriteOptions::default()).expect("writes");
        db.compact_range(None, None).expect("compacts");
    });
    // The batch is its caller's.
    let most = bound(&options, 2 * MIB, tables, MIB) + 2 * MIB;
    assert!(peak <= most, "writes: {peak}, not {most}");
    scan(&db);
    db.close().expect("closes");
    assert!(held() < before + 64 * KIB, "all is freed");
}
