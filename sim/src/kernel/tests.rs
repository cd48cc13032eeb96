//! The kernel's own contract, on small programs.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "tests carry results out of the simulation, on OS threads of their own"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic, AtomicInt, Clock, Condvar, Mutex, Threads};

use super::{End, Kernel, Limits, SimAtomicU64, SimClock, SimThreads};
use crate::policy::{Policy, PolicyName};
use crate::trace::Trace;

/// Runs `main` on an OS thread of its own, which a panic of a simulated thread uses up.
pub(super) fn run(
    policy: &PolicyName,
    seed: u64,
    limits: Limits,
    main: impl FnOnce() + Send + 'static,
) -> (End, u64, usize) {
    let policy = policy.clone();
    run_under(move || policy.build(seed), limits, main)
}

pub(super) fn run_under(
    policy: impl FnOnce() -> Box<dyn Policy> + Send + 'static,
    limits: Limits,
    main: impl FnOnce() + Send + 'static,
) -> (End, u64, usize) {
    std::thread::spawn(move || {
        let kernel = Kernel::new(policy(), Trace::new(false));
        kernel.start_process(limits, main);
        let end = loop {
            if let Some(end) = kernel.run_slice(100) {
                break end;
            }
        };
        (end, kernel.with_trace(|trace| trace.hash()), kernel.live_blocks())
    })
    .join()
    .expect("the driver does not panic")
}

fn counter_program(threads: u64, rounds: u64) {
    let shared = Arc::new((Mutex::<SimThreads, u64>::new("count", 0), Condvar::new("changed")));
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let shared: Arc<(Mutex<SimThreads, u64>, Condvar<SimThreads>)> = Arc::clone(&shared);
            SimThreads::spawn("worker", move || {
                for _ in 0..rounds {
                    let mut count = shared.0.lock();
                    *count += 1;
                    drop(count);
                    shared.1.notify_all();
                }
            })
            .expect("a thread")
        })
        .collect();
    let mut count = shared.0.lock();
    while *count < threads * rounds {
        count = shared.1.wait(count);
    }
    drop(count);
    for worker in workers {
        SimThreads::join(worker).expect("workers return");
    }
}

#[test]
fn locks_exclude_and_nothing_is_left_behind() {
    for policy in &PolicyName::EACH {
        for seed in 0..50 {
            let (end, _, live) = run(policy, seed, Limits::NONE, || counter_program(4, 5));
            assert_eq!(end, End::Returned(vec![]), "{policy} {seed}");
            assert_eq!(live, 0, "{policy} {seed}: memory is left");
        }
    }
}

#[test]
fn one_seed_is_one_trace_and_seeds_differ() {
    for policy in &PolicyName::EACH {
        let hash = |seed| run(policy, seed, Limits::NONE, || counter_program(3, 4)).1;
        let hashes: BTreeSet<u64> = (0..20).map(hash).collect();
        // PCT has few priority orders to draw from; the others have the whole tree.
        let expected = if matches!(policy, PolicyName::Pct(_)) { 4 } else { 16 };
        assert!(hashes.len() > expected, "{policy}: {} distinct schedules", hashes.len());
        assert_eq!(hash(3), hash(3));
    }
}

#[test]
fn every_order_of_two_threads_comes_up() {
    let mut orders = BTreeSet::new();
    for seed in 0..200 {
        let seen = Arc::new(std::sync::Mutex::new(0));
        let result = Arc::clone(&seen);
        run(&PolicyName::Random, seed, Limits::NONE, move || {
            let word = Arc::new(SimAtomicU64::new(1));
            let other = Arc::clone(&word);
            let child = SimThreads::spawn("doubler", move || {
                let value = other.load();
                other.store(value * 2);
            })
            .expect("a thread");
            let value = word.load();
            word.store(value + 5);
            SimThreads::join(child).expect("returns");
            let _outside = crate::arena::Outside::enter();
            *seen.lock().expect("not poisoned") = word.fetch_add(0);
        });
        orders.insert(*result.lock().expect("not poisoned"));
    }
    // Both serial orders, and both lost updates.
    assert_eq!(orders, BTreeSet::from([12, 7, 2, 6]));
}

#[test]
fn a_cycle_of_locks_is_a_deadlock_with_names() {
    let mut deadlocks = (0..100).filter_map(|seed| {
        let (end, ..) = run(&PolicyName::Random, seed, Limits::NONE, || {
            let locks =
                Arc::new((Mutex::<SimThreads, ()>::new("left", ()), Mutex::new("right", ())));
            let other: Arc<(Mutex<SimThreads, ()>, Mutex<SimThreads, ()>)> = Arc::clone(&locks);
            let child = SimThreads::spawn("crosser", move || {
                let _right = other.1.lock();
                let _left = other.0.lock();
            })
            .expect("a thread");
            {
                let _left = locks.0.lock();
                let _right = locks.1.lock();
            }
            SimThreads::join(child).expect("returns");
        });
        match end {
            End::Deadlock(lines) => Some(lines),
            _ => None,
        }
    });
    let lines = deadlocks.next_back().expect("some seed deadlocks");
    assert_eq!(lines, ["main#1 waits: lock right", "crosser#2 waits: lock left"]);
}

#[test]
fn a_short_timeout_can_beat_a_thread_that_is_about_to_notify() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let timed_out = Arc::new(std::sync::Mutex::new(None));
        let result = Arc::clone(&timed_out);
        run(&PolicyName::Random, seed, Limits::NONE, move || {
            let shared =
                Arc::new((Mutex::<SimThreads, bool>::new("flag", false), Condvar::new("set")));
            let other: Arc<(Mutex<SimThreads, bool>, Condvar<SimThreads>)> = Arc::clone(&shared);
            let child = SimThreads::spawn("setter", move || {
                *other.0.lock() = true;
                other.1.notify_one();
            })
            .expect("a thread");
            let start = SimClock.now();
            let mut flag = shared.0.lock();
            let mut out = false;
            while !*flag && !out {
                (flag, out) = shared.1.wait_timeout(flag, Duration::from_nanos(1));
            }
            drop(flag);
            SimThreads::join(child).expect("returns");
            assert!(SimClock.now() > start);
            let _outside = crate::arena::Outside::enter();
            *timed_out.lock().expect("not poisoned") = Some(out);
        });
        outcomes.insert(*result.lock().expect("not poisoned"));
    }
    assert_eq!(outcomes, BTreeSet::from([Some(true), Some(false)]));
}

#[test]
fn a_panic_ends_the_process_at_once() {
    /// Needs another thread while it is dropped, which must not run any more.
    struct Needy(Arc<Mutex<SimThreads, ()>>);
    impl Drop for Needy {
        fn drop(&mut self) {
            let _guard = self.0.lock();
            std::process::abort();
        }
    }
    let (end, ..) = run(&PolicyName::Random, 1, Limits::NONE, || {
        let _needy = Needy(Arc::new(Mutex::new("lock", ())));
        SimThreads::yield_now();
        panic!("the answer is {}", 42);
    });
    match end {
        End::Panicked(message) => {
            assert!(message.starts_with("the answer is 42 at "), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_thread_that_spins_with_yield_starves_nobody() {
    for policy in &PolicyName::EACH {
        for seed in 0..20 {
            let (end, ..) = run(
                policy,
                seed,
                Limits { points_max: 100_000, fair_points: 0, ..Limits::NONE },
                || {
                    let word = Arc::new(SimAtomicU64::new(0));
                    let other = Arc::clone(&word);
                    let child =
                        SimThreads::spawn("late", move || other.store(1)).expect("a thread");
                    while word.load() == 0 {
                        SimThreads::yield_now();
                    }
                    SimThreads::join(child).expect("returns");
                },
            );
            assert_eq!(end, End::Returned(vec![]), "{policy} {seed}");
        }
    }
}

#[test]
fn a_crash_comes_at_its_point_and_runs_no_destructor() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    for at in 1..40 {
        let limits = Limits { crash_at_point: at, ..Limits::NONE };
        let (end, _, live) = run(&PolicyName::Random, 9, limits, || {
            let loud = Loud;
            counter_program(3, 5);
            std::mem::forget(loud);
        });
        assert_eq!(end, End::Crashed);
        assert!(live > 0 || at < 3, "a crash frees nothing by itself");
    }
}

#[test]
fn threads_left_behind_are_named() {
    let (end, ..) = run(&PolicyName::Random, 1, Limits::NONE, || {
        SimThreads::spawn("sleeper", || {
            let never =
                (Mutex::<SimThreads, ()>::new("lock", ()), Condvar::<SimThreads>::new("never"));
            let guard = never.0.lock();
            drop(never.1.wait(guard));
        })
        .expect("a thread");
    });
    assert_eq!(end, End::Returned(vec!["sleeper"]));
}

#[test]
fn a_recorded_schedule_replays_without_drift() {
    use crate::policy::Replay;
    std::thread::spawn(|| {
        let kernel = Kernel::new(PolicyName::Random.build(5), Trace::new(false));
        let go = |kernel: &Kernel| {
            kernel.start_process(Limits::NONE, || counter_program(4, 6));
            while kernel.run_slice(1000).is_none() {}
            kernel.with_trace(|trace| trace.hash())
        };
        kernel.record_schedule();
        let hash = go(&kernel);
        let schedule = kernel.take_schedule();
        assert!(schedule.len() > 50);
        kernel.reset(Box::new(Replay::new(schedule)), Trace::new(false));
        assert_eq!(go(&kernel), hash);
    })
    .join()
    .expect("no panic");
}

/// Runs itself again as a child, because the overflow ends the process.
#[test]
fn a_stack_overflow_names_thread_and_run() {
    const CHILD: &str = "FAULTLINE_OVERFLOW_CHILD";
    #[inline(never)]
    fn deeper(depth: u64) -> u64 {
        let frame = std::hint::black_box([depth; 64]);
        match frame[0] {
            u64::MAX => 0,
            _ => frame[(depth % 64) as usize] + deeper(depth + 1),
        }
    }
    if std::env::var_os(CHILD).is_some() {
        let kernel = Kernel::new(PolicyName::Random.build(1), Trace::new(false));
        kernel.set_run("somewhere:4711");
        kernel.start_process(Limits::NONE, || {
            let diver = SimThreads::spawn("diver", || {
                deeper(0);
            })
            .expect("a thread");
            SimThreads::join(diver).expect("never returns");
        });
        while kernel.run_slice(100).is_none() {}
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().expect("this test's binary"))
        .args(["--exact", "kernel::tests::a_stack_overflow_names_thread_and_run", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the child starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(
        words.contains("stack overflow in simulated thread diver#2 of run somewhere:4711"),
        "{words}"
    );
    assert_eq!(output.status.code(), Some(70));
}

/// Runs itself again as a child, because the access ends the process.
#[test]
fn a_bad_memory_access_names_thread_and_run() {
    const CHILD: &str = "FAULTLINE_ACCESS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let kernel = Kernel::new(PolicyName::Random.build(1), Trace::new(false));
        kernel.set_run("somewhere:4712");
        kernel.start_process(Limits::NONE, || {
            let nowhere = std::hint::black_box(64 as *const u8);
            #[expect(unsafe_code, reason = "the access that is tested")]
            // SAFETY: there is none; the process ends here.
            let byte = unsafe { nowhere.read_volatile() };
            assert_eq!(byte, 0, "unreachable");
        });
        while kernel.run_slice(100).is_none() {}
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().expect("this test's binary"))
        .args(["--exact", "kernel::tests::a_bad_memory_access_names_thread_and_run", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the child starts");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("bad memory access in simulated thread main#1 of run somewhere:4712"));
    assert_eq!(output.status.code(), None, "it ends by the signal");
}
