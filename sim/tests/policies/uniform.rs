//! `urw` is uniform over interleavings, `surw` over those of the interesting events.

use std::collections::BTreeMap;
use std::sync::Arc;

use faultline::env::{Atomic as _, Threads as _};
use faultline_sim::kernel::{End, Limits, SimAtomicU64, SimThreads};
use faultline_sim::policy::PolicyName;
use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::{Log, runs, runs_after_main, step_aside};

/// How likely counts as uneven as these are, if all `cells` outcomes are equally likely.
fn p_of_uniform(outcomes: Vec<(End, String)>, cells: usize) -> f64 {
    let mut counts = BTreeMap::<String, u64>::new();
    let all = outcomes.len() as f64;
    for (end, order) in outcomes {
        assert_eq!(end, End::Returned(vec![]));
        *counts.entry(order).or_default() += 1;
    }
    assert!(counts.len() <= cells, "{cells} orders are possible, not {}", counts.len());
    let expected = all / cells as f64;
    assert!(expected >= 10.0, "too few runs for the test");
    let missing = (cells - counts.len()) as f64 * expected;
    let seen = counts.values().map(|&count| (count as f64 - expected).powi(2) / expected);
    let distance = seen.sum::<f64>() + missing;
    ChiSquared::new((cells - 1) as f64).expect("degrees of freedom").sf(distance)
}

fn assert_uniform(p: f64) {
    assert!(p > 0.001, "uniform only with p = {p:e}");
}

fn assert_not_uniform(p: f64) {
    assert!(p < 1e-9, "uniform with p = {p:e}");
}

/// A thread that notes `letter` in each of its `events` events.
fn chain(
    log: &Log,
    letter: char,
    events: u64,
) -> <SimThreads as faultline::env::Threads>::JoinHandle<()> {
    let log = log.clone();
    let body = move || {
        log.note(letter);
        for _ in 1..events {
            step_aside(u64::from(letter));
            log.note(letter);
        }
    };
    SimThreads::spawn("chain", body).expect("a thread")
}

fn two_chains(log: &Log) {
    for thread in [chain(log, 'a', 4), chain(log, 'b', 2)] {
        SimThreads::join(thread).expect("returns");
    }
}

#[test]
fn urw_takes_each_interleaving_of_two_threads_alike() {
    // C(6, 2) = 15 of them.
    assert_uniform(p_of_uniform(runs_after_main(PolicyName::Urw, 20_000, two_chains), 15));
    assert_not_uniform(p_of_uniform(runs_after_main(PolicyName::Random, 20_000, two_chains), 15));
}

#[test]
fn urw_takes_each_interleaving_of_three_threads_alike() {
    fn three_chains(log: &Log) {
        for thread in [chain(log, 'a', 3), chain(log, 'b', 2), chain(log, 'c', 1)] {
            SimThreads::join(thread).expect("returns");
        }
    }
    // 6! / (3! 2! 1!) = 60 of them.
    assert_uniform(p_of_uniform(runs_after_main(PolicyName::Urw, 30_000, three_chains), 60));
    assert_not_uniform(p_of_uniform(runs_after_main(PolicyName::Random, 30_000, three_chains), 60));
}

/// A thread that starts a third one, and then the two go on side by side with the second.
fn fork(log: &Log) {
    let inside = log.clone();
    let parent = SimThreads::spawn("parent", move || {
        inside.note('p');
        let child = chain(&inside, 'c', 2);
        inside.note('p');
        child
    });
    let other = chain(log, 'q', 2);
    let child = SimThreads::join(parent.expect("a thread")).expect("returns");
    SimThreads::join(child).expect("returns");
    SimThreads::join(other).expect("returns");
}

#[test]
fn urw_counts_the_threads_that_a_thread_will_start() {
    // A forest of 6 events, in whose trees 4, 1, 2, 1 and 2, 1 are: 6! / (4*1*2*1*2*1) = 45.
    assert_uniform(p_of_uniform(runs_after_main(PolicyName::Urw, 30_000, fork), 45));
    assert_not_uniform(p_of_uniform(runs_after_main(PolicyName::Random, 30_000, fork), 45));
}

/// A thread that stores `stores` times in one word, and notes it, after steps aside each time.
fn stores(
    log: &Log,
    word: &Arc<SimAtomicU64>,
    letter: char,
    stores: u64,
    aside: u64,
) -> <SimThreads as faultline::env::Threads>::JoinHandle<()> {
    let (log, word) = (log.clone(), Arc::clone(word));
    let body = move || {
        for value in 0..stores {
            for _ in 0..aside {
                step_aside(u64::from(letter));
            }
            word.store(value);
            log.note(letter);
        }
    };
    SimThreads::spawn("stores", body).expect("a thread")
}

fn two_writers<const ASIDE: u64>(log: &Log) {
    let word = Arc::new(SimAtomicU64::new(0));
    for thread in [stores(log, &word, 'a', 3, ASIDE), stores(log, &word, 'b', 2, 0)] {
        SimThreads::join(thread).expect("returns");
    }
}

#[test]
fn surw_takes_each_order_of_the_interesting_events_alike() {
    // C(5, 2) = 10 of them, however much lies between.
    let p = |policy, program| p_of_uniform(runs(policy, 10_000, Limits::NONE, program), 10);
    assert_uniform(p(PolicyName::Surw, two_writers::<0>));
    assert_uniform(p(PolicyName::Surw, two_writers::<3>));
    assert_uniform(p(PolicyName::Surw, two_writers::<40>));
    assert_not_uniform(p(PolicyName::Random, two_writers::<3>));
    assert_not_uniform(p(PolicyName::Urw, two_writers::<3>));
}

#[test]
fn surw_splits_a_part_among_a_thread_and_those_that_it_starts() {
    fn late_child(log: &Log) {
        let word = Arc::new(SimAtomicU64::new(0));
        let (inside, shared) = (log.clone(), Arc::clone(&word));
        let parent = SimThreads::spawn("parent", move || {
            for _ in 0..20 {
                step_aside(1);
            }
            let child = stores(&inside, &shared, 'c', 1, 2);
            let twin = stores(&inside, &shared, 'd', 1, 0);
            shared.store(9);
            inside.note('p');
            [child, twin]
        });
        let other = stores(log, &word, 'q', 2, 1);
        for child in SimThreads::join(parent.expect("a thread")).expect("returns") {
            SimThreads::join(child).expect("returns");
        }
        SimThreads::join(other).expect("returns");
    }
    // c, d and p in any order, and two q that are the same: 5! / 2!.
    let p = |policy| p_of_uniform(runs(policy, 20_000, Limits::NONE, late_child), 60);
    assert_uniform(p(PolicyName::Surw));
    assert_not_uniform(p(PolicyName::Random));
}

/// Of eight threads a short one must be the last to do anything.
#[test]
fn urw_lets_a_short_thread_be_late() {
    fn starved(log: &Log) {
        let long: Vec<_> = (0..7).map(|_| chain(log, '.', 10)).collect();
        let short = chain(log, 's', 1);
        for thread in long.into_iter().chain([short]) {
            SimThreads::join(thread).expect("returns");
        }
    }
    let hits = |policy| {
        let orders = runs_after_main(policy, 7100, starved);
        orders.iter().filter(|(_, order)| order.ends_with('s')).count()
    };
    // In one of its 71 places: 100 are expected, with a standard deviation below 10.
    assert!((70..=130).contains(&hits(PolicyName::Urw)), "{}", hits(PolicyName::Urw));
    assert_eq!(hits(PolicyName::Random), 0);
}
