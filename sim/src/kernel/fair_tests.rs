//! Tests of the fair end of a process: who is starved, who goes on for ever, and who may.

use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic, Mutex, Threads};

use super::tests::{run, run_under};
use super::{End, Limits, SimAtomicU64, SimThreads, Step, ThreadId, with_kernel};
use crate::policy::{ClientWord, Policy, PolicyName};

/// Lets whoever runs go on for as long as it can, and wakes always the same.
#[derive(Clone)]
struct Stubborn;

impl Policy for Stubborn {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, _: Step) -> ThreadId {
        current.unwrap_or(*runnable.iter().min().expect("somebody"))
    }

    fn pick(&mut self, _n: u32) -> u32 {
        0
    }
}

fn run_stubbornly(fair_points: u64, main: impl FnOnce() + Send + 'static) -> End {
    let limits = Limits { points_max: 1000, fair_points, ..Limits::NONE };
    run_under(|| Box::new(Stubborn), limits, main).0
}

#[test]
fn a_thread_that_is_starved_has_its_turn_in_the_end() {
    fn starves() {
        let word = Arc::new(SimAtomicU64::new(0));
        let other = Arc::clone(&word);
        let child = SimThreads::spawn("late", move || other.store(1)).expect("a thread");
        while word.load() == 0 {}
        SimThreads::join(child).expect("returns");
    }
    assert_eq!(run_stubbornly(1000, starves), End::Returned(vec![]));
    let left = vec!["main#1 goes on".to_owned(), "late#2 goes on".to_owned()];
    assert_eq!(run_stubbornly(0, starves), End::Livelock { is_calm: false, left });
}

/// Three threads pass a lock round; the one that `pick` never gives it to has the last word.
#[test]
fn who_waits_longest_is_woken_first() {
    fn passes_on() {
        let shared = Arc::new((Mutex::<SimThreads, ()>::new("lock", ()), SimAtomicU64::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let shared: Arc<(Mutex<SimThreads, ()>, SimAtomicU64)> = Arc::clone(&shared);
                SimThreads::spawn("waits", move || {
                    while shared.1.load() == 0 {
                        let _guard = shared.0.lock();
                        SimThreads::yield_now();
                        if number == 2 {
                            shared.1.store(1);
                        }
                    }
                })
                .expect("a thread")
            })
            .collect();
        for thread in threads {
            SimThreads::join(thread).expect("returns");
        }
    }
    assert_eq!(run_stubbornly(1000, passes_on), End::Returned(vec![]));
    assert!(matches!(run_stubbornly(0, passes_on), End::Livelock { .. }));
}

#[test]
fn what_goes_on_for_ever_in_a_fair_schedule_is_a_livelock() {
    let left = || End::Livelock { is_calm: true, left: vec!["main#1 goes on".to_owned()] };
    let end = run_stubbornly(1000, || {
        let word = SimAtomicU64::new(0);
        while word.load() == 0 {}
    });
    assert_eq!(end, left());
    // Few points, and days between them.
    let fair_time = Duration::from_hours(1);
    let limits = Limits { points_max: 1000, fair_points: u64::MAX, fair_time, ..Limits::NONE };
    let (end, ..) = run(&PolicyName::Random, 1, limits, || {
        loop {
            SimThreads::sleep(Duration::from_mins(1));
        }
    });
    assert_eq!(end, left());
}

#[test]
fn of_many_threads_that_are_left_eight_are_named() {
    let end = run_stubbornly(0, || {
        for _ in 0..9 {
            SimThreads::spawn("idle", SimThreads::yield_now).expect("a thread");
        }
        let word = SimAtomicU64::new(0);
        while word.load() == 0 {}
    });
    let End::Livelock { left, .. } = end else { panic!("{end:?}") };
    assert_eq!((left.len(), left[0].as_str()), (9, "main#1 goes on"));
    assert_eq!((left[7].as_str(), left[8].as_str()), ("idle#8 goes on", "and 2 more"));
}

/// Whether it is calm when nobody ends a loop, while another thread asks and is told or `waits` for
/// ever, and the one in the loop asks and is told so many times.
fn is_calm_in_the_end(waits: bool, answers: u64) -> bool {
    fn call(word: ClientWord) {
        with_kernel(|kernel| _ = kernel.client(word));
    }
    let end = run_stubbornly(1000, move || {
        let client = move || {
            call(ClientWord::Asks);
            if !waits {
                call(ClientWord::IsTold);
            }
            loop {
                SimThreads::yield_now();
            }
        };
        SimThreads::spawn("client", client).expect("a thread");
        for turn in 0.. {
            SimThreads::yield_now();
            if turn < answers {
                call(ClientWord::Asks);
                call(ClientWord::IsTold);
            }
        }
    });
    match end {
        End::Livelock { is_calm, .. } => is_calm,
        end => panic!("{end:?}"),
    }
}

#[test]
fn a_client_that_waits_while_none_is_told_anything_need_not_wait_for_a_calm_disk() {
    assert!(!is_calm_in_the_end(true, 0));
    // Others were told something for a while, also when it was fair already.
    assert!(!is_calm_in_the_end(true, 1300));
    // Nobody waits, or others are told for ever.
    assert!(is_calm_in_the_end(false, 0));
    assert!(is_calm_in_the_end(true, u64::MAX));
}
