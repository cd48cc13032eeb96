//! Real LevelDB reads what the simulated disk holds: after a clean close whatever came before it,
//! and after a crash if the worst that it left is one torn last record.
//!
//! Skipped where the library is missing, unless `CI` is set.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "writes images of a disk to a real one")]

#[path = "../../engine/tests/support/leveldb/mod.rs"]
mod leveldb;

use std::fs;
use std::path::Path;

use faultline::env::posix::PosixEnv;
use faultline::{Db, Defect, Options, RecoveryReport};
use faultline_sim::disk::Image;
use faultline_sim::probe::Probe;
use faultline_sim::run::{Mode, Verdict, run_on_fresh_thread};
use faultline_sim::scenario::embedded;
use leveldb::{Entries, Peer, copy_dir};

const SEEDS: std::ops::Range<u64> = 7000..7004;

/// Writes the database of an image into a new directory.
fn write_out(image: &Image, dir: &Path) {
    fs::create_dir(dir).expect("makes a directory");
    for (path, bytes) in &image.entries {
        let Some(below) = path.strip_prefix("/db/") else { continue };
        match bytes {
            Some(bytes) => fs::write(dir.join(below), bytes).expect("writes a file"),
            None => fs::create_dir(dir.join(below)).expect("makes a directory"),
        }
    }
}

/// What Faultline finds in the database in `dir`, and what it had to drop for it.
fn recover(dir: &Path) -> (Entries, RecoveryReport) {
    let db = Db::open(PosixEnv::new(), dir, Options::default()).expect("opens");
    let report = db.report().clone();
    let entries = db.iter().expect("reads").into_iter().collect::<Result<_, _>>().expect("reads");
    db.close().expect("closes");
    (entries, report)
}

/// Whether nothing was wrong but that the last record of a file lacks its end.
fn is_torn_at_most(report: &RecoveryReport) -> bool {
    report.dropped.iter().all(|piece| {
        matches!(piece.defect, Some(Defect::TornHeader | Defect::TornRecord | Defect::MissingEnd))
    })
}

fn has_current(image: &Image) -> bool {
    image.entries.iter().any(|(path, _)| path == "/db/CURRENT")
}

/// Whether the device took bytes that it had promised to keep: then tables may be damaged, and each
/// engine reads as far as it can.
fn lied(verdict: &Verdict) -> bool {
    verdict.probes.has(Probe::PromiseBroken)
}

#[test]
fn leveldb_reads_every_closed_database() {
    let Some(peer) = Peer::find() else { return };
    let (mut read, mut crashes) = (0, 0);
    for scenario in embedded().expect("the scenarios are in order") {
        for seed in SEEDS {
            let mode = Mode { keep_images: true, ..Mode::default() };
            let verdict = run_on_fresh_thread(&scenario, seed, mode);
            let name = format!("{}:{seed}", scenario.name);
            assert!(verdict.violations.is_empty(), "{name}: {:?}", verdict.violations);
            if lied(&verdict) {
                continue;
            }
            crashes += verdict.crashes;
            let image = verdict.images.last().expect("the disk at the end");
            let root = tempfile::tempdir().expect("a directory");
            let (ours, theirs) = (root.path().join("ours"), root.path().join("theirs"));
            write_out(image, &ours);
            copy_dir(&ours, &theirs);
            let found = peer.dump(&theirs).unwrap_or_else(|words| panic!("{name}: {words}"));
            assert!(found == recover(&ours).0, "{name}: the two engines differ");
            read += usize::from(!found.is_empty());
        }
    }
    assert!(
        read > 20 && crashes > 20,
        "{read} databases with something in them, {crashes} crashes"
    );
}

#[test]
fn leveldb_recovers_the_same_from_a_crash() {
    let Some(peer) = Peer::find() else { return };
    let (mut whole, mut torn, mut worse) = (0, 0, 0);
    for scenario in embedded().expect("the scenarios are in order") {
        for seed in SEEDS {
            let mode = Mode { keep_images: true, ..Mode::default() };
            let verdict = run_on_fresh_thread(&scenario, seed, mode);
            if lied(&verdict) {
                continue;
            }
            for (number, image) in verdict.images.iter().enumerate().filter(|(_, i)| has_current(i))
            {
                let root = tempfile::tempdir().expect("a directory");
                let (ours, theirs) = (root.path().join("ours"), root.path().join("theirs"));
                write_out(image, &ours);
                copy_dir(&ours, &theirs);
                let (expected, report) = recover(&ours);
                if !is_torn_at_most(&report) {
                    // LevelDB has other ideas of what to do then.
                    worse += 1;
                    continue;
                }
                let name = format!("{}:{seed}, image {number}", scenario.name);
                let found = peer.dump(&theirs).unwrap_or_else(|words| panic!("{name}: {words}"));
                assert!(found == expected, "{name}: the two engines differ\n{report:?}");
                *if report.has_dropped() { &mut torn } else { &mut whole } += 1;
            }
        }
    }
    assert!(whole > 50 && torn > 5, "{whole} whole, {torn} torn, {worse} worse");
}
