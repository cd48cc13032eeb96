//! Exhausted schedules: what is tried is all there is, and a planted bug is found and shown again.

use std::ops::ControlFlow;

use faultline_sim::exhaust::{Bounds, Counterexample, Exhausted, exhaust};
use faultline_sim::run::{Mode, Runner, on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};
use faultline_sim::steer::{Left, Steer};

const FEW: Bounds = Bounds { images: 64, only: None };

fn tiny(name: &str) -> Scenario {
    let all = embedded().expect("they are right");
    all.into_iter().find(|scenario| scenario.name == name).expect("it is there")
}

/// What was done, and the counterexamples, up to the first.
fn search(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    bounds: Bounds,
) -> (Exhausted, Option<Counterexample>) {
    let mut found = None;
    let done = exhaust(runner, scenario, seed, bounds, &mut |counterexample| {
        found = Some(counterexample);
        ControlFlow::Break(())
    });
    (done.expect("the harness works"), found)
}

#[test]
fn no_crash_of_a_tiny_schedule_breaks_a_promise() {
    for name in ["tiny_two_syncs", "tiny_log_switch", "tiny_failed_sync"] {
        let scenario = tiny(name);
        let (first, again) = on_fresh_thread(move |runner| {
            // A runner that was used for other things comes to the same.
            let first = search(runner, &scenario, 3, FEW);
            runner.run(&tiny("crash_mid_add_record"), 1, Mode::default());
            (first, search(runner, &scenario, 3, FEW))
        });
        assert!(first.1.is_none(), "{name}: {:?}", first.1);
        assert_eq!(first.0, again.0, "{name}");
        let Exhausted { points, instants, sampled, generated, recoveries, .. } = first.0;
        assert!(100 < points && 30 < instants && instants < points, "{name}: {:?}", first.0);
        assert!(sampled < instants / 2, "{name}: {:?}", first.0);
        assert!(500 < recoveries && recoveries < generated, "{name}: {:?}", first.0);
    }
}

#[test]
fn a_disk_that_swallows_syncs_is_found_and_shown_again() {
    let mut scenario = tiny("tiny_two_syncs");
    scenario.spec.disk.swallow_syncs = true;
    on_fresh_thread(move |runner| {
        let (_, found) = search(runner, &scenario, 0, FEW);
        let found = found.expect("an acknowledged write is lost");
        let only = Bounds { only: Some((found.point, found.nth)), ..FEW };
        let (done, again) = search(runner, &scenario, 0, only);
        let again = again.expect("the same crash");
        assert_eq!((done.instants, done.recoveries), (1, 1));
        assert_eq!((again.point, again.nth), (found.point, found.nth));
        assert_eq!(again.verdict.trace_hash, found.verdict.trace_hash);
        let checkers = |found: &Counterexample| {
            found.verdict.violations.iter().map(|v| v.checker).collect::<Vec<_>>()
        };
        assert_eq!(checkers(&again), checkers(&found));
        assert!(!again.verdict.events.is_empty(), "it is told in full");
    });
}

#[test]
fn a_dying_process_has_done_any_number_of_bytes_of_its_writes() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let mut lone_writes = 0;
        for point in 1.. {
            let steer = Some(Steer { point, left: Left::Anything });
            let verdict = runner.run(&scenario, 0, Mode { steer, ..Mode::default() });
            let Some(instant) = verdict.instant else { break };
            let (deaths, are_all) = instant.deaths(4096);
            assert!(are_all);
            let most = |at: usize| {
                let chosen = deaths.iter().map(|death| match death {
                    Left::Written(bytes) => bytes.get(at).copied(),
                    other => panic!("no death: {other:?}"),
                });
                chosen.max().flatten()
            };
            match (most(0), most(1)) {
                (None, _) => assert_eq!(deaths, [Left::Written(Vec::new())]),
                (Some(most), None) => {
                    let each = (0..=most).map(|bytes| Left::Written(vec![bytes]));
                    assert_eq!(deaths, each.collect::<Vec<_>>());
                    lone_writes += 1;
                }
                _ => assert!(deaths.len() > 4),
            }
            let (some, are_all) = instant.deaths(1);
            assert_eq!((some.len(), are_all), (1, deaths.len() == 1));
        }
        assert!(lone_writes > 5, "{lone_writes}");
    });
}
