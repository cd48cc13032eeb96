//! Gets and scans of a database of a million small entries, as time per operation.
//!
//! The entries are written in order, 16-byte keys and 100-byte values that compress to half, and
//! read with checksums verified: at random all over the database and within 1 % of it, absent keys,
//! and from end to end both ways. Each line is the median of five rounds, and the best of them.
//! Asserts no time: a benchmark is no test.
//!
//! `cargo bench -p faultline-engine --bench reads`, with `-- --entries N`, `--only NAME`,
//! `--filter` or `--plain` (no compression) if need be, or `--dir PATH` to read a database that
//! holds the same keys already, such as one that LevelDB wrote.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs on the operating system, reads its clock and prints"
)]

mod entries;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use faultline::env::posix::PosixEnv;
use faultline::table::{BloomFilter, Compression};
use faultline::{Db, Options, Result, WriteBatch, WriteOptions};

use entries::{Random, argument, key};

const ROUNDS: usize = 5;
const GETS: u64 = 200_000;

fn fill(db: &Db, entries: u64) -> Result<()> {
    let mut random = Random(301);
    for first in (0..entries).step_by(100) {
        let mut batch = WriteBatch::new();
        for number in first..entries.min(first + 100) {
            batch.put(&key(number), &random.value())?;
        }
        db.write(&batch, &WriteOptions::default())?;
    }
    db.flush()
}

/// Prints the median time of one operation, of which a round does `count`.
fn measure(name: &str, count: u64, mut round: impl FnMut() -> Result<u64>) -> Result<()> {
    if argument("--only").is_some_and(|only| !name.starts_with(&only)) {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        assert_eq!(round()?, count, "{name} found something else");
        times.push(start.elapsed().as_secs_f64() * 1e9 / count as f64);
    }
    times.sort_by(f64::total_cmp);
    let (median, best) = (times[ROUNDS / 2], times[0]);
    println!("{name:<16} {median:>8.1} ns  {:>7.2} M/s   best {best:>8.1} ns", 1e3 / median);
    Ok(())
}

fn main() -> Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let entries = argument("--entries").map_or(1_000_000, |n| n.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("a directory for the database");
    let options = Options {
        create_if_missing: true,
        compression: if has("--plain") { Compression::None } else { Compression::Snappy },
        filter_policy: has("--filter").then(|| Arc::new(BloomFilter::new(10)) as _),
        ..Options::default()
    };
    let path = argument("--dir").map_or(dir.path().join("db"), Into::into);
    let db: Db = Db::open(PosixEnv::new(), path, options)?;
    if argument("--dir").is_none() {
        fill(&db, entries)?;
    }

    let mut random = Random(7);
    for (name, bound) in [("get", entries), ("get, 1 % hot", (entries / 100).max(1))] {
        measure(name, GETS, || {
            let mut found = 0;
            for _ in 0..GETS {
                found += u64::from(db.get(&key(random.below(bound)))?.is_some());
            }
            Ok(found)
        })?;
    }
    measure("get, absent", GETS, || {
        let mut absent = 0;
        for _ in 0..GETS {
            let mut key = key(random.below(entries)).to_vec();
            key.push(b'.');
            absent += u64::from(db.get(&key)?.is_none());
        }
        Ok(absent)
    })?;
    measure("scan", entries, || {
        let mut iter = db.iter()?;
        let mut seen = 0;
        iter.seek_to_first();
        while iter.valid() {
            black_box((iter.key(), iter.value()));
            seen += 1;
            iter.next();
        }
        iter.status().map(|()| seen)
    })?;
    measure("scan backwards", entries, || {
        let mut iter = db.iter()?;
        let mut seen = 0;
        iter.seek_to_last();
        while iter.valid() {
            black_box((iter.key(), iter.value()));
            seen += 1;
            iter.prev();
        }
        iter.status().map(|()| seen)
    })?;
    measure("seek", GETS, || {
        let mut iter = db.iter()?;
        let mut found = 0;
        for _ in 0..GETS {
            iter.seek(&key(random.below(entries)));
            found += u64::from(iter.valid());
        }
        iter.status().map(|()| found)
    })?;
    println!("{:?}\n{:?}", db.block_cache_stats(), db.table_cache_stats());
    db.close()
}
