//! Single calls that fail or stall: locks, syncs without space, and the queues of the device.

use std::time::Duration;

use faultline::env::{Clock as _, Env, Threads};
use faultline::{Error, Result};
use faultline_sim::disk::POSIX_WEAK;
use faultline_sim::env::SimEnv;
use faultline_sim::world::with_world;

use super::{BYTES, is_io, left, path, struck, write};

#[test]
fn a_sync_without_space_is_a_failed_sync_with_that_name() {
    let is_full = |result: Result<()>| matches!(result, Err(Error::NoSpace { .. }));
    let disk = struck(&POSIX_WEAK, ("no_space_sync", 1, 0), move |env| {
        let mut file = write(env, "/f");
        assert!(is_full(file.sync()));
        file.sync().expect("its pages are clean");
        env.sync_dir(path("/")).expect("syncs");
    });
    assert_eq!(left(&disk), ["........", "12345678"]);
    let disk = struck(&POSIX_WEAK, ("no_space_sync", 1, 0), move |env| {
        env.create(path("/f")).map(drop).expect("creates");
        assert!(is_full(env.sync_dir(path("/"))));
    });
    assert_eq!(left(&disk), ["", "(none)"]);
}

#[test]
fn a_failed_lock_says_so_and_locks_nothing() {
    struck(&POSIX_WEAK, ("lock_error", 1, 0), |env| {
        assert!(is_io(&env.lock(path("/LOCK"))));
        let _held = env.lock(path("/LOCK")).expect("nobody has it");
        assert!(matches!(env.lock(path("/LOCK")), Err(Error::Locked { .. })));
    });
}

#[test]
fn a_stall_holds_up_its_queue_of_the_device_and_no_other() {
    type T = <SimEnv as Env>::Threads;
    struck(&POSIX_WEAK, ("long_stall", 2, 0), |env| {
        let stalled_until =
            || with_world(|world| world.stalled_until.each_ref().map(std::cell::Cell::get));
        let ask = move || {
            while stalled_until() == [Duration::ZERO; 4] {
                T::yield_now();
            }
            let asked = env.clock().now();
            env.exists(path("/f")).expect("says");
            (asked, env.clock().now())
        };
        // The threads are numbered from 1, which is this one, and there are four queues.
        let asking: Vec<_> = (2..=17).map(|_| T::spawn("asks", ask).expect("a thread")).collect();
        let mut file = env.create(path("/f")).expect("creates");
        file.append(BYTES).expect("appends");
        let [zero, end, others @ ..] = stalled_until();
        assert!(zero == Duration::ZERO && others == [Duration::ZERO; 2], "this thread's alone");
        assert!(end <= env.clock().now());
        let mut held_up = [0; 4];
        for (number, thread) in (2..).zip(asking) {
            let (asked, answered) = T::join(thread).expect("returns");
            let is_held_up = asked < end && end <= answered;
            held_up[number % 4] += u32::from(is_held_up);
            // The clock may pass the end at any time: who asked before may be answered then.
            assert!(!(number % 4 == 1 && asked < end) || is_held_up, "thread {number}");
        }
        assert!(0 < held_up[1] && held_up[0] + held_up[2] + held_up[3] < 12, "{held_up:?}");
    });
}
