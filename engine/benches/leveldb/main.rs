//! Faultline against LevelDB 1.23, in one run: the same files, the same keys in the same order.
//!
//! - `open`: a database with 256 MiB of log, from the call to its answer: tables durable, log
//!   retired. Each round opens fresh copies of one directory.
//! - `get`: random gets with every block in the cache, and with a cache of 1 MiB.
//! - `scan`: every entry, forwards and backwards.
//!
//! With Snappy and without, checksums verified on both sides, no filters, LevelDB's defaults
//! otherwise. Each side is a process of its own that did nothing before. The page cache holds all
//! files, and Faultline wrote the tables of both: how a file came into the page cache is a part of
//! what it costs to read it. The two take turns, and the first changes from round to round. Each
//! line shows the median of both, and median, lowest and highest of the ratios of the rounds: how
//! many times LevelDB's rate Faultline's is. Asserts no time: a benchmark is no test.
//!
//! `cargo bench -p faultline-engine --bench leveldb`, with `-- --only NAME` (the beginning of a
//! line), `--rounds N` (default 9), `--log-mib N` (default 256) if need be. Needs a C++ compiler
//! and LevelDB's library (Debian: `libleveldb-dev`).

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs on the operating system, reads its clock and prints"
)]

#[path = "../entries/mod.rs"]
mod entries;
mod ours;
mod side;

use std::path::{Path, PathBuf};

use faultline::env::posix::PosixEnv;
use faultline::table::{BlockCache, Compression};
use faultline::{Db, Options, Result};

use entries::{Random, argument, key};
use side::Side;

/// Bytes of the log that one put takes: header of the record, head of the batch, one operation.
const PUT_BYTES: u64 = 7 + 12 + 3 + 16 + 100;
const GETS: u64 = 200_000;
const KINDS: [(bool, &str); 2] = [(true, "Snappy"), (false, "plain")];
const DEFAULT_CACHE: usize = 8 << 20;
const LARGE_CACHE: usize = 1 << 30;
const SMALL_CACHE: usize = 1 << 20;

fn number(flag: &str, default: u64) -> u64 {
    argument(flag).map_or(default, |n| n.parse().expect("a number"))
}

/// Lets both sides take turns and prints how they compare. `turn` has one of them do its part of
/// a round and returns its answer; `unit` operations make a round.
fn compare(
    name: &str,
    unit: u64,
    sides: &mut [Side; 2],
    turn: impl Fn(&mut Side, u64) -> (u64, u64),
) {
    if argument("--only").is_some_and(|only| !name.starts_with(&only)) {
        return;
    }
    let (mut our_times, mut their_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let [ours, theirs] = sides;
    for round in 0..number("--rounds", 9) {
        let (our, their) = if round % 2 == 0 {
            let our = turn(ours, round);
            (our, turn(theirs, round))
        } else {
            let their = turn(theirs, round);
            (turn(ours, round), their)
        };
        assert_eq!(our.1, their.1, "{name}: both meet the same entries");
        our_times.push(our.0 as f64);
        their_times.push(their.0 as f64);
        ratios.push(their.0 as f64 / our.0 as f64);
    }
    for list in [&mut our_times, &mut their_times, &mut ratios] {
        list.sort_by(f64::total_cmp);
    }
    let median = |list: &[f64]| list[list.len() / 2];
    let (scale, word) = if unit == 1 { (1e6, "ms") } else { (unit as f64, "ns") };
    println!(
        "{name:<24} Faultline {:>8.1} {word}   LevelDB {:>8.1} {word}   {:>5.2} times its rate \
         ({:.2} to {:.2})",
        median(&our_times) / scale,
        median(&their_times) / scale,
        median(&ratios),
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

fn options(snappy: bool, cache: usize) -> Options {
    Options {
        create_if_missing: true,
        compression: if snappy { Compression::Snappy } else { Compression::None },
        block_cache: Some(BlockCache::new(&PosixEnv::new(), cache)),
        ..Options::default()
    }
}

/// A database with `puts` single puts of random keys, all in one log.
fn write_log(dir: &Path, puts: u64) -> Result<()> {
    let large = Options { write_buffer_size: 1 << 30, ..options(true, SMALL_CACHE) };
    let db: Db = Db::open(PosixEnv::new(), dir, large)?;
    let mut random = Random(301);
    for _ in 0..puts {
        let number = random.below(puts);
        db.put(&key(number), &random.value())?;
    }
    db.close()
}

/// A database of `entries` entries at rest: compacted, and closed.
fn write_tables(dir: &Path, entries: u64, snappy: bool) -> Result<()> {
    let db: Db = Db::open(PosixEnv::new(), dir, options(snappy, SMALL_CACHE))?;
    let mut random = Random(301);
    for entry in 0..entries {
        db.put(&key(entry), &random.value())?;
    }
    db.compact_range(None, None)?;
    db.close()
}

fn copy(from: &Path, to: &Path) -> PathBuf {
    std::fs::remove_dir_all(to).ok();
    std::fs::create_dir(to).expect("makes a directory");
    for file in std::fs::read_dir(from).expect("lists a directory") {
        let file = file.expect("lists a directory");
        let copy = to.join(file.file_name());
        std::fs::copy(file.path(), &copy).expect("copies a file");
        // What is still being written back would slow down whoever comes first.
        std::fs::File::open(copy).and_then(|file| file.sync_all()).expect("syncs a file");
    }
    to.to_owned()
}

fn open(dir: &Path) -> Result<()> {
    let puts = (number("--log-mib", 256) << 20) / PUT_BYTES;
    let log = dir.join("log");
    write_log(&log, puts)?;
    for (snappy, kind) in KINDS {
        let mut sides = Side::start_both(snappy, DEFAULT_CACHE);
        compare(&format!("open, {kind}"), 1, &mut sides, |side, _| {
            let copy = copy(&log, &dir.join("copy"));
            let answer = side.ask(&format!("open {}", copy.display()));
            side.ask("close");
            answer
        });
    }
    Ok(())
}

fn reads(dir: &Path) -> Result<()> {
    let entries = 1_000_000;
    for (snappy, kind) in KINDS {
        let [ours, theirs] = ["ours", "theirs"].map(|side| dir.join(format!("{side}-{kind}")));
        write_tables(&ours, entries, snappy)?;
        write_tables(&theirs, entries, snappy)?;
        for (temperature, cache) in [("hot", LARGE_CACHE), ("cold", SMALL_CACHE)] {
            let mut sides = Side::start_both(snappy, cache);
            for (side, dir) in sides.iter_mut().zip([&ours, &theirs]) {
                side.ask(&format!("open {}", dir.display()));
                // Fills the caches.
                side.ask("scan");
            }
            let name = |what| format!("{what}, {kind}, {temperature}");
            compare(&name("scan"), entries, &mut sides, |side, _| side.ask("scan"));
            compare(&name("scan back"), entries, &mut sides, |side, _| side.ask("back"));
            compare(&name("get"), GETS, &mut sides, |side, round| {
                side.ask(&format!("get {GETS} {entries} {}", round + 1))
            });
            for side in &mut sides {
                side.ask("close");
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    if let Some(which) = argument("--serve") {
        let (snappy, cache) = which.split_once(' ').expect("as `Side` says it");
        return ours::serve(&options(snappy == "1", cache.parse().expect("a number")));
    }
    if let Err(reason) = side::compile() {
        assert!(std::env::var_os("CI").is_none(), "nothing to compare with: {reason}");
        println!("nothing to compare with: {reason}");
        return Ok(());
    }
    let wants = |name: &str| argument("--only").is_none_or(|only| only.starts_with(name));
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    if wants("open") {
        open(dir.path())?;
    }
    if wants("get") || wants("scan") {
        reads(dir.path())?;
    }
    Ok(())
}
