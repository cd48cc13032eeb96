//! A thread that spins may keep nobody from running for good, whatever the policy.

use std::sync::Arc;

use faultline::env::{Atomic as _, AtomicInt as _, Mutex, Threads as _};
use faultline_sim::kernel::{End, Limits, SimAtomicU64, SimThreads};
use faultline_sim::policy::PolicyName;

use super::{Log, Program, runs, step_aside};

/// Far more points than any of the programs needs.
const LIMITS: Limits = Limits { points_max: 200_000, fair_points: 0, ..Limits::NONE };

fn assert_ends(policies: impl Iterator<Item = PolicyName>, program: Program) {
    for policy in policies {
        for (seed, (end, _)) in runs(policy.clone(), 60, LIMITS, program).into_iter().enumerate() {
            assert_eq!(end, End::Returned(vec![]), "{policy} {seed}");
        }
    }
}

/// Four threads wait, each with a word and a lock in hand now and then, until a fifth, which needs
/// the same word and lock, has come to the end of a long way.
fn wait_for_a_slow_one<const YIELDS: bool>(_: &Log) {
    let shared = Arc::new((SimAtomicU64::new(0), Mutex::<SimThreads, u64>::new("looks", 0)));
    let mut threads = Vec::new();
    for number in 0..5 {
        let shared: Arc<(SimAtomicU64, Mutex<SimThreads, u64>)> = Arc::clone(&shared);
        let body = move || {
            if number == 3 {
                for _ in 0..30 {
                    step_aside(number);
                    *shared.1.lock() += 1;
                    shared.0.fetch_add(1);
                }
            }
            while shared.0.load() < 30 {
                *shared.1.lock() += 1;
                if YIELDS {
                    SimThreads::yield_now();
                }
            }
        };
        threads.push(SimThreads::spawn("waits", body).expect("a thread"));
    }
    for thread in threads {
        SimThreads::join(thread).expect("returns");
    }
}

#[test]
fn nobody_starves_beside_threads_that_spin_and_yield() {
    assert_ends(PolicyName::EACH.into_iter(), wait_for_a_slow_one::<true>);
}

/// PCT runs the thread of the highest priority as long as it can, and one that never yields always
/// can: its paper asks for yields in such loops.
#[test]
fn nobody_starves_beside_threads_that_only_spin_unless_priorities_decide() {
    let others = PolicyName::EACH.into_iter().filter(|p| !matches!(p, PolicyName::Pct(_)));
    assert_ends(others, wait_for_a_slow_one::<false>);
}

/// The thread that waits has looks at the word still to come by the profile, so it is drawn for the
/// next of them; the one that it waits for stands before a store.
#[test]
fn nobody_starves_who_is_halted_for_a_thread_that_waits_for_it() {
    fn turns(_: &Log) {
        let words = Arc::new((SimAtomicU64::new(0), SimAtomicU64::new(0)));
        let other = Arc::clone(&words);
        let child = SimThreads::spawn("answers", move || {
            for turn in 1..=20 {
                while other.0.load_unsync() < turn {
                    step_aside(2);
                }
                other.1.store(turn);
            }
        });
        for turn in 1..=20 {
            words.0.store(turn);
            while words.1.load_unsync() < turn {
                step_aside(1);
            }
        }
        SimThreads::join(child.expect("a thread")).expect("returns");
    }
    let others = PolicyName::EACH.into_iter().filter(|p| !matches!(p, PolicyName::Pct(_)));
    assert_ends(others, turns);
}
