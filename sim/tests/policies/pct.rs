//! `pct:D` finds a bug of depth D with probability 1 / (n * k^(D-1)) at least.

use faultline::env::Threads as _;
use faultline_sim::kernel::{Limits, SimThreads};
use faultline_sim::policy::PolicyName;

use super::{Log, runs, step_aside};

/// Threads of both programs, the main thread included.
const THREADS: f64 = 3.0;
/// Steps among which the policy looks for its first change points.
const WINDOW: f64 = 1024.0;

/// How many of `seeds` runs end in an order that `is_bug` is true of.
fn hits(policy: PolicyName, seeds: u64, is_bug: fn(&str) -> bool) -> f64 {
    fn long_and_short(log: &Log) {
        let (long, short) = (log.clone(), log.clone());
        let long = SimThreads::spawn("long", move || {
            for _ in 0..200 {
                step_aside(1);
                long.note('.');
            }
        });
        let short = SimThreads::spawn("short", move || short.note('s'));
        SimThreads::join(long.expect("a thread")).expect("returns");
        SimThreads::join(short.expect("a thread")).expect("returns");
    }
    let orders = runs(policy, seeds, Limits::NONE, long_and_short);
    orders.iter().filter(|(_, order)| is_bug(order)).count() as f64
}

/// So few that, of `runs` runs that each hit with probability `p`, fewer hit in one set of seeds of
/// thirty thousand.
fn four_deviations_below(p: f64, runs: u64) -> f64 {
    let runs = runs as f64;
    runs * p - 4.0 * (runs * p * (1.0 - p)).sqrt()
}

#[test]
fn a_bug_of_depth_one_is_found_in_one_run_of_n() {
    // The last thread to be started goes first; the first goes first to its end.
    for is_bug in [|order: &str| order.starts_with('s'), |order: &str| order.ends_with('s')] {
        let found = hits(PolicyName::Pct(1), 3000, is_bug);
        assert!(found > four_deviations_below(1.0 / THREADS, 3000), "{found} of 3000");
    }
}

#[test]
fn a_bug_of_depth_two_is_found_in_one_run_of_n_times_k() {
    let in_the_middle = |order: &str| order.find('s') == Some(100);
    let runs = 100_000;
    let found = hits(PolicyName::Pct(2), runs, in_the_middle);
    let few = four_deviations_below(1.0 / (THREADS * WINDOW), runs);
    assert!(few > 1.0 && found > few, "{found} of {runs}");
    assert!(hits(PolicyName::Random, runs, in_the_middle) < 1.0, "it is hard to find");
}
