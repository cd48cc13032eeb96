//! What becomes of a log that loses pages, or is given wrong: what is known of it all the same.

use faultline::env::Env;
use faultline::record::Writer;
use faultline_sim::checker::Excuse;
use faultline_sim::disk::{BTRFS, POSIX_WEAK};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::Phase;
use faultline_sim::world::with_world;

use super::strays::{first, synced};
use super::{is_io, path, run_script, script};

/// A log without any record.
fn log(env: SimEnv, name: &str) -> Writer {
    Writer::new(env.create(path(name)).expect("creates"))
}

/// Appends a batch of one put.
fn put(log: &mut Writer, sequence: u8) {
    let batch = [sequence, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, b'k', 1, b'v'];
    log.add_record(&batch).expect("appends");
}

/// Removes a log; up to which sequence everything had come into tables, as far as it tells.
fn flushed(env: SimEnv, name: &str) -> u64 {
    env.remove(path(name)).expect("removes");
    with_world(|world| world.history.borrow().flushed_sequence)
}

#[test]
fn what_leaves_the_cache_of_a_log_had_come_into_tables_all_the_same() {
    for (more, expected) in [(None, 1), (Some(7), 7)] {
        let faults = script("write_back_error", 1, 0) + &script("eviction", 3, 0);
        let (_, delivered) = run_script(&POSIX_WEAK, faults, move |env| {
            with_world(|world| world.phase.set(Phase::Run));
            let mut written = log(env, "/000003.log");
            put(&mut written, 1);
            log(env, "/000004.log");
            assert!(first(env, "/000003.log", 10).iter().all(|byte| *byte == 0), "it has left");
            if let Some(sequence) = more {
                put(&mut written, sequence);
            }
            assert_eq!(flushed(env, "/000003.log"), expected);
        });
        assert_eq!(delivered, 2);
    }
}

#[test]
fn what_a_failed_sync_takes_back_of_a_log_had_come_into_tables_all_the_same() {
    let (_, delivered) = run_script(&BTRFS, script("sync_error", 1, 0), |env| {
        with_world(|world| world.phase.set(Phase::Run));
        let mut written = log(env, "/000003.log");
        put(&mut written, 1);
        put(&mut written, 7);
        assert!(is_io(&written.sync()));
        assert_eq!(env.size(path("/000003.log")), Ok(0), "it is taken back");
        // The last one may have come into no memtable.
        assert_eq!(flushed(env, "/000003.log"), 1);
    });
    assert_eq!(delivered, 1);
}

#[test]
fn an_open_is_judged_by_what_it_read_before_a_write_went_there() {
    for draw in 0..8 {
        let faults = script("misdirected_write", 4, draw) + &script("misdirected_read", 3, draw);
        let (disk, delivered) = run_script(&POSIX_WEAK, faults, |env| {
            env.create_dir(path("/db")).expect("creates");
            synced(env, "/db/CURRENT", b"MANIFEST-000002\n");
            let mut manifest = log(env, "/db/MANIFEST-000002");
            // Log 3, next file 9, last sequence 0.
            manifest.add_record(&[2, 3, 3, 9, 4, 0]).expect("appends");
            manifest.sync().expect("syncs");
            let mut written = log(env, "/db/000003.log");
            put(&mut written, 1);
            written.sync().expect("syncs");
            first(env, "/db/CURRENT", 64);
            first(env, "/db/MANIFEST-000002", 64);
            // Goes to one of the two that have been read.
            synced(env, "/db/000009.ldb", &[b'?'; 40]);
            // Is given another place.
            first(env, "/db/000003.log", 64);
            with_world(|world| {
                let judge = world.judge.borrow();
                let given = judge.image().recoverable.as_ref().expect("both were read before");
                assert_eq!((&given.must_refuse, given.log_entries.len()), (&None, 0));
                assert_eq!(judge.excuse(), Excuse::End);
            });
        });
        assert_eq!((delivered, disk.flaws().len()), (2, 3));
    }
}
