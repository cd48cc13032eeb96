//! Every cut and every wrong bit of the files that an open reads: log, MANIFEST, CURRENT.
//!
//! What a table's bytes are held to is tested beside `table`, and by `verify`.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "damages files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::FileKind;
use faultline::record::{Item, Reader};
use faultline::{Corruption, Db, Error, Options, RecoveryPolicy, RecoveryReport, WriteBatch};
use tempfile::TempDir;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;
type Files = BTreeMap<PathBuf, Vec<u8>>;

const POLICIES: [RecoveryPolicy; 4] = [
    RecoveryPolicy::TolerateTail,
    RecoveryPolicy::PointInTime,
    RecoveryPolicy::SkipCorrupt,
    RecoveryPolicy::Absolute,
];

/// A closed database, and a place to open damaged copies of it in.
struct Sample {
    root: TempDir,
    files: Files,
    entries: Entries,
}

/// What an open of a damaged copy came to.
#[derive(Debug)]
enum Outcome {
    Opened(Entries, Box<RecoveryReport>),
    Refused(Corruption),
}

impl Sample {
    /// A database with a table, a flush that is the last edit of its MANIFEST, and a log with
    /// three batches behind it.
    fn new() -> Self {
        // In memory where there is such a place: thousands of opens sync several times each.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let root = root.expect("a directory");
        let dir = root.path().join("db");
        let open = || {
            let options = Options { create_if_missing: true, ..Options::default() };
            Db::open(PosixEnv::new(), &dir, options).expect("opens")
        };
        let db = open();
        db.put(b"old", b"1").expect("writes");
        db.close().expect("closes");
        let db = open();
        db.put(b"flushed", b"2").expect("writes");
        db.flush().expect("flushes");
        db.put(b"a", b"3").expect("writes");
        let mut batch = WriteBatch::new();
        batch.put(b"b", b"4").expect("fits");
        batch.delete(b"a").expect("fits");
        db.write(&batch, &faultline::WriteOptions::default()).expect("writes");
        db.put(b"c", b"5").expect("writes");
        let entries = read_all(&db);
        db.close().expect("closes");
        let files = files(&dir);
        fs::remove_dir_all(&dir).expect("goes");
        Sample { root, files, entries }
    }

    fn only(&self, beginning: &str, ending: &str) -> PathBuf {
        let matches = |name: &&PathBuf| {
            let name = name.to_string_lossy();
            name.starts_with(beginning) && name.ends_with(ending)
        };
        let found: Vec<_> = self.files.keys().filter(matches).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    /// Opens a copy in which `name` holds `bytes`.
    fn open(&self, name: &Path, bytes: &[u8], policy: RecoveryPolicy) -> Outcome {
        let dir = self.root.path().join("db");
        if fs::exists(&dir).expect("can be seen") {
            fs::remove_dir_all(&dir).expect("goes");
        }
        fs::create_dir(&dir).expect("comes");
        let mut damaged = self.files.clone();
        damaged.insert(name.to_owned(), bytes.to_vec());
        for (name, bytes) in &damaged {
            fs::write(dir.join(name), bytes).expect("writes");
        }
        let options = Options { recovery_policy: policy, ..Options::default() };
        match Db::open(PosixEnv::new(), &dir, options) {
            Ok(db) => {
                let outcome = Outcome::Opened(read_all(&db), Box::new(db.report().clone()));
                db.close().expect("closes");
                outcome
            }
            Err(Error::Corruption(corruption)) => {
                assert_eq!(files(&dir), damaged, "a refused open changes nothing");
                assert_eq!(corruption.file.parent(), Some(&*dir), "{corruption:?}");
                Outcome::Refused(Corruption::clone(&corruption))
            }
            Err(error) => panic!("{}: {error}", name.display()),
        }
    }

    /// Where the records of a file start, and where the last one ends.
    fn records(&self, name: &Path) -> Vec<u64> {
        let path = self.root.path().join("records");
        fs::write(&path, &self.files[name]).expect("writes");
        let mut reader = Reader::new(PosixEnv::new().open_sequential(&path).expect("opens"), &path);
        let mut starts = Vec::new();
        while let Some(item) = reader.read_record().expect("reads") {
            let Item::Record { offset, .. } = item else { panic!("{item:?}") };
            starts.push(offset);
        }
        starts.push(reader.end_offset());
        starts
    }
}

fn read_all(db: &Db) -> Entries {
    let iter = db.iter().expect("reads");
    iter.into_iter().map(|entry| entry.expect("reads")).collect()
}

fn files(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).expect("lists");
    let paths = entries.map(|entry| entry.expect("lists").path());
    let name = |path: &Path| PathBuf::from(path.file_name().expect("a name"));
    paths.map(|path| (name(&path), fs::read(&path).expect("reads"))).collect()
}

/// Every copy of `bytes` with one wrong bit, and where it is.
fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len() * 8).map(|bit| {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, damaged)
    })
}

/// The number of the record that byte `at` is in.
fn record_at(starts: &[u64], at: usize) -> usize {
    starts.partition_point(|start| *start <= at as u64) - 1
}

#[test]
fn a_sample_that_is_whole_opens_whole() {
    let sample = Sample::new();
    for (name, bytes) in &sample.files {
        for policy in POLICIES {
            let Outcome::Opened(entries, report) = sample.open(name, bytes, policy) else {
                panic!("{} is refused", name.display());
            };
            assert_eq!(entries, sample.entries);
            assert!(!report.has_dropped() && report.batches == 3, "{report:?}");
        }
    }
    assert_eq!(sample.records(&sample.only("", ".log")).len(), 4);
    assert_eq!(sample.records(&sample.only("MANIFEST", "")).len(), 4);
}

/// The states of the sample after each batch of its log.
fn states(sample: &Sample, log: &Path, starts: &[u64]) -> Vec<Entries> {
    let bytes = &sample.files[log];
    let cut = |start: &u64| &bytes[..usize::try_from(*start).expect("small")];
    let open = |start| match sample.open(log, cut(start), RecoveryPolicy::Absolute) {
        Outcome::Opened(entries, report) => {
            assert!(!report.has_dropped(), "a cut between two records is an older state");
            entries
        }
        Outcome::Refused(corruption) => panic!("{corruption:?}"),
    };
    let states: Vec<_> = starts.iter().map(open).collect();
    assert_eq!(states.last(), Some(&sample.entries));
    assert!(states.windows(2).all(|pair| pair[0] != pair[1]), "each batch changes something");
    states
}

#[test]
fn every_wrong_bit_of_the_newest_log() {
    let sample = Sample::new();
    let log = sample.only("", ".log");
    let starts = sample.records(&log);
    let states = states(&sample, &log, &starts);
    for (at, bytes) in flipped(&sample.files[&log]) {
        let record = record_at(&starts, at);
        for policy in POLICIES {
            match sample.open(&log, &bytes, policy) {
                Outcome::Refused(corruption) => {
                    assert_eq!(policy, RecoveryPolicy::Absolute, "byte {at}: {corruption:?}");
                    assert_eq!(corruption.file.file_name(), log.file_name());
                    assert_eq!(corruption.offset, starts[record], "byte {at}");
                }
                Outcome::Opened(entries, report) => {
                    assert_ne!(policy, RecoveryPolicy::Absolute, "byte {at}");
                    assert_eq!(entries, states[record], "byte {at}, {policy:?}");
                    let dropped = &report.dropped[0];
                    assert!(matches!(dropped.file, FileKind::Log(_)), "{dropped:?}");
                    assert_eq!(dropped.offset, starts[record], "byte {at}");
                    // What was dropped is kept.
                    let kept = dropped.kept_in.as_ref().expect("is kept");
                    let lost = &bytes[usize::try_from(dropped.offset).expect("small")..];
                    assert_eq!(fs::read(kept).expect("is there"), lost);
                }
            }
        }
    }
}

#[test]
fn every_cut_of_the_newest_log() {
    let sample = Sample::new();
    let log = sample.only("", ".log");
    let starts = sample.records(&log);
    let states = states(&sample, &log, &starts);
    let bytes = &sample.files[&log];
    for size in 0..bytes.len() {
        let record = record_at(&starts, size);
        let is_between = starts.contains(&(size as u64));
        for policy in POLICIES {
            match sample.open(&log, &bytes[..size], policy) {
                Outcome::Refused(corruption) => {
                    assert!(policy == RecoveryPolicy::Absolute && !is_between, "{size}");
                    assert_eq!(corruption.offset, starts[record], "{size}");
                }
                Outcome::Opened(entries, report) => {
                    assert!(policy != RecoveryPolicy::Absolute || is_between, "{size}");
                    assert_eq!(entries, states[record], "{size}, {policy:?}");
                    assert_eq!(report.has_dropped(), !is_between, "{size}, {policy:?}");
                }
            }
        }
    }
}

/// The outcome with only the first `count` records of the MANIFEST, and no word of the rest.
fn older(sample: &Sample, manifest: &Path, starts: &[u64], count: usize) -> Option<Entries> {
    let bytes = &sample.files[manifest][..usize::try_from(starts[count]).expect("small")];
    match sample.open(manifest, bytes, RecoveryPolicy::TolerateTail) {
        Outcome::Opened(entries, _) => Some(entries),
        Outcome::Refused(_) => None,
    }
}

#[test]
fn every_wrong_bit_of_the_manifest() {
    let sample = Sample::new();
    let manifest = sample.only("MANIFEST", "");
    let starts = sample.records(&manifest);
    let last = starts.len() - 2;
    let without_last = older(&sample, &manifest, &starts, last).expect("opens with an edit less");
    let mut opened = 0;
    for (at, bytes) in flipped(&sample.files[&manifest]) {
        let record = record_at(&starts, at);
        match sample.open(&manifest, &bytes, RecoveryPolicy::TolerateTail) {
            Outcome::Refused(corruption) => {
                assert!(record < last, "byte {at} is in the last edit: {corruption:?}");
                assert_eq!(corruption.file.file_name(), manifest.file_name(), "byte {at}");
                assert_eq!(corruption.offset, starts[record], "byte {at}");
            }
            Outcome::Opened(entries, report) => {
                assert_eq!(record, last, "byte {at} is not in the last edit");
                assert_eq!(entries, without_last, "byte {at}");
                let is_told = matches!(report.dropped[0].file, FileKind::Manifest(_));
                assert!(is_told && report.dropped[0].offset == starts[last], "{report:?}");
                opened += 1;
            }
        }
        let absolute = sample.open(&manifest, &bytes, RecoveryPolicy::Absolute);
        assert!(matches!(absolute, Outcome::Refused(_)), "byte {at}: {absolute:?}");
    }
    assert!(opened > 100, "{opened}");
}

#[test]
fn every_cut_of_the_manifest() {
    let sample = Sample::new();
    let manifest = sample.only("MANIFEST", "");
    let starts = sample.records(&manifest);
    let bytes = &sample.files[&manifest];
    let states: Vec<_> =
        (0..starts.len()).map(|count| older(&sample, &manifest, &starts, count)).collect();
    assert!(states[..2].iter().all(Option::is_none), "a snapshot alone has no numbers");
    for size in 0..bytes.len() {
        let record = record_at(&starts, size);
        let is_between = starts.contains(&(size as u64));
        match (
            sample.open(&manifest, &bytes[..size], RecoveryPolicy::TolerateTail),
            &states[record],
        ) {
            (Outcome::Refused(corruption), None) => {
                assert_eq!(corruption.file.file_name(), manifest.file_name(), "{size}");
            }
            (Outcome::Opened(entries, report), Some(expected)) => {
                assert_eq!(entries, *expected, "{size}");
                let is_told =
                    report.dropped.iter().any(|piece| matches!(piece.file, FileKind::Manifest(_)));
                assert_eq!(is_told, !is_between, "{size}: {report:?}");
            }
            (outcome, expected) => panic!("cut to {size}: {outcome:?}, not {expected:?}"),
        }
    }
}

#[test]
fn every_wrong_bit_and_every_cut_of_current() {
    let sample = Sample::new();
    let current = PathBuf::from("CURRENT");
    let bytes = &sample.files[&current];
    let cuts = (0..bytes.len()).map(|size| (size, bytes[..size].to_vec()));
    for (at, damaged) in flipped(bytes).chain(cuts) {
        for policy in POLICIES {
            match sample.open(&current, &damaged, policy) {
                Outcome::Refused(corruption) => {
                    assert_eq!(corruption.file.file_name(), current.file_name());
                    assert_eq!(corruption.offset, 0);
                }
                outcome @ Outcome::Opened(..) => panic!("byte {at}: {outcome:?}"),
            }
        }
    }
}
