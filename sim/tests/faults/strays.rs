//! Writes and reads that go to a wrong place: who is given what, and what is left alone.

use std::sync::Arc;

use faultline::env::Env;
use faultline::key::{BytewiseComparator, InternalKeyComparator, append_internal_key};
use faultline::record::Writer;
use faultline::table::{TableBuilder, TableOptions};
use faultline::{SequenceNumber, ValueType};
use faultline_sim::disk::POSIX_WEAK;
use faultline_sim::env::SimEnv;
use faultline_sim::fault::Phase;
use faultline_sim::world::with_world;

use super::{BYTES, is_io, left, path, run, run_script, script, struck, write};

fn enter(phase: Phase) {
    with_world(|world| world.phase.set(phase));
}

/// A new file that holds `bytes`, all of it synced.
pub(super) fn synced(env: SimEnv, name: &str, bytes: &[u8]) {
    let mut file = env.create(path(name)).expect("creates");
    file.append(bytes).expect("appends");
    assert_eq!(file.sync(), Ok(()));
}

pub(super) fn first(env: SimEnv, name: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![b'?'; len];
    let reader = env.open_random_access(path(name)).expect("opens");
    let count = reader.read_at(0, &mut bytes).expect("reads");
    bytes.truncate(count);
    bytes
}

#[test]
fn a_misdirected_write_leaves_its_place_as_it_was_and_shows_at_another() {
    let disk = struck(&POSIX_WEAK, ("misdirected_write", 2, 0), |env| {
        enter(Phase::Run);
        synced(env, "/f", BYTES);
        synced(env, "/g", b"abcdefghij");
        for _ in 0..2 {
            assert_eq!(
                (first(env, "/g", 20), first(env, "/f", 20)),
                (vec![0; 10], b"abcdefgh".into())
            );
        }
        with_world(|world| assert_eq!(world.provocations(), 4, "each of them met it"));
    });
    assert_eq!((disk.bytes("/f"), disk.bytes("/g")), (Ok(BYTES), Ok(&b"abcdefghij"[..])));
    assert_eq!(disk.flaws().iter().map(|flaw| flaw.id).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(left(&disk), ["(none)", "12345678"]);
}

#[test]
fn a_write_that_nothing_can_befall_does_not_count() {
    for (why, bytes) in [("it would hit the same bytes", BYTES), ("nothing is written", b"")] {
        let (disk, delivered) = run(&POSIX_WEAK, ("misdirected_write", 2, 0), |env| {
            enter(Phase::Run);
            synced(env, "/f", BYTES);
            synced(env, "/g", bytes);
        });
        assert_eq!((disk.flaws().len(), delivered), (0, 0), "{why}");
    }
    let (disk, delivered) = run(&POSIX_WEAK, ("misdirected_write", 1, 0), |env| {
        enter(Phase::Run);
        synced(env, "/f", BYTES);
    });
    assert_eq!((disk.flaws().len(), delivered), (0, 0), "there is no other place");
    let both = script("write_back_error", 2, 0) + &script("misdirected_write", 2, 0);
    let (disk, delivered) = run_script(&POSIX_WEAK, both, |env| {
        enter(Phase::Run);
        synced(env, "/f", BYTES);
        assert!(is_io(&write(env, "/g").sync()));
    });
    assert_eq!((disk.flaws().len(), delivered), (0, 1), "the sync tells of the other failure");
}

#[test]
fn a_write_does_not_go_to_what_an_open_has_yet_to_read() {
    let strikes = |phase, name: &'static str, is_read: bool| {
        let (disk, delivered) = run(&POSIX_WEAK, ("misdirected_write", 2, 0), move |env| {
            enter(phase);
            synced(env, name, BYTES);
            if is_read {
                first(env, name, 20);
            }
            synced(env, "/000009.ldb", b"abcdefghij");
        });
        assert_eq!(disk.flaws().len(), 2 * delivered);
        delivered == 1
    };
    assert!(!strikes(Phase::Recovery, "/000003.log", false));
    assert!(
        strikes(Phase::Recovery, "/000003.log", true),
        "it is in the cache, and read by the next"
    );
    assert!(strikes(Phase::Recovery, "/000003.ldb", false), "a table is read again and again");
    assert!(strikes(Phase::Run, "/000003.log", false));
}

#[test]
fn a_misdirected_read_brings_the_bytes_of_another_place_once() {
    for phase in [Phase::Run, Phase::Close] {
        let disk = struck(&POSIX_WEAK, ("misdirected_read", 2, 0), move |env| {
            enter(phase);
            synced(env, "/f", BYTES);
            synced(env, "/g", b"abcdefghij");
            let seen = [(); 3].map(|()| first(env, "/f", 20));
            assert_eq!(seen, [BYTES, b"abcdefgh", BYTES]);
            with_world(|world| assert_eq!(world.provocations(), 1, "one of them met it"));
        });
        assert_eq!(disk.flaws(), []);
        assert_eq!(left(&disk), ["(none)", "12345678"]);
    }
}

#[test]
fn what_an_open_reads_once_stays_as_it_was_read() {
    let stays = |name: &'static str| {
        let disk = struck(&POSIX_WEAK, ("misdirected_read", 1, 0), move |env| {
            synced(env, name, BYTES);
            synced(env, "/g", b"abcdefghij");
            assert_eq!(first(env, name, 20), b"abcdefgh");
        });
        !disk.flaws().is_empty()
    };
    assert!(stays("/000003.log") && stays("/MANIFEST-000003") && stays("/CURRENT"));
    assert!(!stays("/000003.ldb"));
}

/// A log of one batch with one put, of the same size whatever its sequence number.
fn log(env: SimEnv, name: &str, sequence: u8) {
    let mut log = Writer::new(env.create(path(name)).expect("creates"));
    let batch = [sequence, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, b'k', 1, b'v'];
    log.add_record(&batch).expect("appends");
    log.sync().expect("syncs");
}

/// A table of one entry.
fn table(env: SimEnv, name: &str, value: &[u8]) {
    let file = env.create(path(name)).expect("creates");
    let order = InternalKeyComparator::new(Arc::new(BytewiseComparator));
    let mut table = TableBuilder::new(file, order, &TableOptions::default());
    let mut key = Vec::new();
    append_internal_key(&mut key, b"k", SequenceNumber::from(7_u8), ValueType::Value);
    table.add(&key, value).expect("appends");
    table.finish().expect("appends");
    table.sync().expect("syncs");
}

#[test]
fn what_passes_for_what_should_be_there_does_not_strike() {
    let kinds: [(&str, u32); 2] = [("misdirected_read", 1), ("misdirected_write", 3)];
    for (kind, nth) in kinds {
        let strikes = |body: fn(SimEnv)| {
            let (disk, delivered) = run(&POSIX_WEAK, (kind, nth, 0), move |env| {
                enter(Phase::Run);
                // Elsewhere, so that there are three syncs.
                synced(env, "/f", b"");
                body(env);
            });
            assert_eq!(disk.flaws().is_empty(), delivered == 0 || nth == 1);
            delivered == 1
        };
        assert!(!strikes(|env| {
            log(env, "/000003.log", 1);
            log(env, "/000004.log", 5);
            first(env, "/000004.log", 100);
        }));
        assert!(!strikes(|env| {
            table(env, "/000003.ldb", b"left");
            table(env, "/000004.ldb", b"rest");
            first(env, "/000004.ldb", 500);
        }));
        assert!(strikes(|env| {
            table(env, "/000003.ldb", b"left");
            table(env, "/000004.ldb", b"right");
            first(env, "/000004.ldb", 500);
        }));
        assert!(strikes(|env| {
            log(env, "/000003.log", 1);
            table(env, "/000004.ldb", b"right");
            first(env, "/000004.ldb", 500);
        }));
    }
}
