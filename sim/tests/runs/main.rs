//! Whole runs: every scenario, on every host, with any number of workers, and the bugs that must be
//! found.

mod custom;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultline_sim::corpus::{Case, Expectation};
use faultline_sim::fault::FaultKind;
use faultline_sim::host::Host;
use faultline_sim::report;
use faultline_sim::run::{Mode, Runner, Verdict, on_fresh_thread, run_on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};
use faultline_sim::sweep::{FailureKind, Seeds, Sweep, Totals};
use faultline_sim::workload::{After, Plan};

fn prepared(scenarios: Vec<Scenario>, seeds: Seeds, jobs: usize, twice: f64) -> Sweep {
    Sweep {
        scenarios: Arc::from(scenarios),
        seeds,
        jobs,
        time_budget: None,
        failures_max: u64::MAX,
        check_determinism: twice,
        classed: 0.5,
        run_timeout: Duration::from_mins(1),
        out: None,
    }
}

fn sweep(scenarios: Vec<Scenario>, seeds: Seeds, jobs: usize, twice: f64) -> Totals {
    prepared(scenarios, seeds, jobs, twice).run(&mut |_| ControlFlow::Continue(()))
}

fn all() -> Vec<Scenario> {
    embedded().expect("every scenario of the repository is one")
}

#[test]
fn every_scenario_keeps_every_promise() {
    let totals = sweep(all(), Seeds::Range(0, 20), 2, 0.0);
    let words: Vec<String> = totals.failures.iter().map(|failure| format!("{failure:?}")).collect();
    assert!(words.is_empty(), "{}", words.join("\n"));
    assert!(totals.complete);
    assert!(totals.crashes > 100 && totals.acks > 10_000, "{totals:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the sweep looks at the system's clock")]
fn a_sweep_that_was_stopped_for_long_goes_on_where_it_was() {
    fn slow(runner: &mut Runner, scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
        std::thread::sleep(Duration::from_millis(if seed == 0 { 2500 } else { 0 }));
        runner.run(scenario, seed, mode)
    }
    let scenarios = all().into_iter().take(1).collect();
    let timeout = Duration::from_secs(2);
    let sweep = Sweep { run_timeout: timeout, ..prepared(scenarios, Seeds::Range(0, 9), 1, 0.0) };
    let mut is_stopped = false;
    let totals = sweep.run_with(Box::new(slow), &mut |_| {
        // Nobody looks for a while, as if all of it stood still.
        if !std::mem::replace(&mut is_stopped, true) {
            std::thread::sleep(Duration::from_millis(2200));
        }
        ControlFlow::Continue(())
    });
    assert!(totals.failures.is_empty(), "{:?}", totals.failures);
    assert!(totals.complete && is_stopped);
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let one = sweep(all(), Seeds::Range(100, 106), 1, 0.0);
    let two = sweep(all(), Seeds::Range(100, 106), 2, 1.0);
    assert_eq!(one.trace_hash, two.trace_hash);
    assert_eq!((one.runs, one.points, one.acks), (two.runs, two.points, two.acks));
    assert_eq!((&one.situations, &one.classes), (&two.situations, &two.classes));
    assert!(one.situations.distinct() > 50 && one.classes.distinct() > 50, "{one:?}");
    assert_eq!(two.determinism_checked, two.runs);
    let other = sweep(all(), Seeds::Range(101, 107), 1, 0.0);
    assert_ne!(one.trace_hash, other.trace_hash);
}

#[test]
fn a_madsim_node_and_a_bare_loop_give_the_same_trace() {
    for scenario in all() {
        for seed in 0..3 {
            let on = |host| {
                let mode = Mode { host, ..Mode::default() };
                run_on_fresh_thread(&scenario, seed, mode).trace_hash
            };
            assert_eq!(on(Host::Node), on(Host::Bare), "{}:{seed}", scenario.name);
        }
    }
}

#[test]
fn looking_on_changes_nothing() {
    for scenario in all() {
        let silent = run_on_fresh_thread(&scenario, 5, Mode::default());
        let mode = Mode { keep_events: true, record_schedule: true, ..Mode::default() };
        let loud = run_on_fresh_thread(&scenario, 5, mode);
        assert_eq!(silent.trace_hash, loud.trace_hash, "{}", scenario.name);
        assert!(!loud.events.is_empty() && !loud.schedule.is_empty());
    }
}

#[test]
fn a_recorded_schedule_brings_the_same_run_about() {
    for scenario in all() {
        let mode = Mode { record_schedule: true, ..Mode::default() };
        let first = run_on_fresh_thread(&scenario, 9, mode);
        let mode = Mode { schedule: Some(first.schedule), ..Mode::default() };
        let again = run_on_fresh_thread(&scenario, 9, mode);
        assert_eq!(first.trace_hash, again.trace_hash, "{}", scenario.name);
    }
}

/// The other order of the same runs on one thread: nothing of a run is left for the next.
#[test]
fn no_run_depends_on_the_one_before() {
    let scenario = all().into_iter().find(|s| s.name == "io_errors").expect("it exists");
    let hashes = |seeds: Vec<u64>| {
        let scenario = scenario.clone();
        on_fresh_thread(move |runner| {
            let hash = |seed| (seed, runner.run(&scenario, seed, Mode::default()).trace_hash);
            let mut hashes: Vec<(u64, u64)> = seeds.into_iter().map(hash).collect();
            hashes.sort_unstable();
            hashes
        })
    };
    assert_eq!(hashes((0..30).collect()), hashes((0..30).rev().collect()));
}

#[test]
fn a_disk_that_swallows_syncs_is_found_out() {
    let found = all().into_iter().find(|scenario| scenario.name == "crash_mid_add_record");
    let mut scenario = found.expect("it exists");
    scenario.spec.disk.swallow_syncs = true;
    let found = on_fresh_thread(move |runner| {
        (0..200).find_map(|seed| {
            runner.run(&scenario, seed, Mode::default()).violations.into_iter().next()
        })
    });
    assert_eq!(found.map(|violation| violation.checker), Some("durability"));
}

#[test]
fn what_is_switched_off_neither_judges_nor_strikes() {
    let mut scenario = all().into_iter().find(|s| s.name == "fsync_failure").expect("is there");
    scenario.spec.disk.swallow_syncs = true;
    let met = |scenario: Scenario| {
        let totals = sweep(vec![scenario], Seeds::Range(0, 100), 2, 0.0);
        let mut checkers = BTreeSet::new();
        for failure in &totals.failures {
            let FailureKind::Violations(violations) = &failure.what else { panic!("{failure:?}") };
            checkers.extend(violations.iter().map(|violation| violation.checker));
        }
        (checkers, totals.faults)
    };
    let (checkers, faults) = met(scenario.clone());
    assert!(checkers.contains("durability") && 1 < checkers.len(), "{checkers:?}");
    assert!(0 < faults.of(FaultKind::SyncError) && 0 < faults.of(FaultKind::SyncDirError));
    scenario.spec.without.checkers = vec!["durability".to_owned()];
    scenario.spec.without.faults = vec![FaultKind::SyncError];
    let (others, faults) = met(scenario.clone());
    assert!(!others.contains("durability") && !others.is_empty(), "{others:?}");
    assert_eq!(faults.of(FaultKind::SyncError), 0);
    assert!(0 < faults.of(FaultKind::SyncDirError));
    let text = "about = \"x\"\n[without]\n";
    for (field, complaint) in [
        ("checkers = [\"durable\"]", "without.checkers: there is no checker `durable`"),
        ("faults = [\"sync\"]", "unknown variant `sync`, expected one of `short_append`"),
    ] {
        let refused = Scenario::parse("x", "x.toml", &format!("{text}{field}")).expect_err("no");
        assert!(refused.to_string().contains(complaint), "{refused}");
    }
}

#[test]
fn what_a_seed_of_a_swarm_omits_is_not_in_its_run() {
    let swarm = all().into_iter().find(|s| s.name == "swarm").expect("is there");
    let mut met = BTreeSet::new();
    for seed in 0..120 {
        let plan = Plan::draw(&swarm, seed);
        let verdict = run_on_fresh_thread(&swarm, seed, Mode::default());
        assert!(verdict.violations.is_empty(), "{seed}: {:?}", verdict.violations);
        for &kind in FaultKind::ALL {
            let struck = 0 < verdict.faults.of(kind);
            assert!(!(struck && plan.omitted.faults.contains(&kind)), "{seed}: {}", kind.name());
            if struck {
                met.insert(kind.name());
            }
        }
        let has_flush = plan.batches.iter().any(|batch| batch.after == After::Flush);
        assert!(!(has_flush && plan.omitted.fields.contains(&"flushes")), "{seed}");
        assert_eq!(plan.readers.is_empty(), plan.omitted.fields.contains(&"readers"), "{seed}");
        let words = report::describe_plan(&plan);
        assert!(words.ends_with(&format!("; without {}", plan.omitted)), "{words}");
    }
    // Left out of half of the runs is not left out of all of them.
    assert!(15 < met.len(), "{met:?}");
}

#[test]
fn a_file_system_stays_read_only_until_the_machine_starts_again() {
    let refused_after = |death: &str| {
        let text = format!(
            "about = \"x\"\n[[script]]\nsteps = [{{ key = 2, value = 9, then = \"{death}\" }}]\n\
             [[faults.script]]\nkind = \"read_only\"\nphase = \"run\"\n"
        );
        let scenario = Scenario::parse("x", "x.toml", &text).expect("a scenario");
        let mode = Mode { keep_events: true, ..Mode::default() };
        let verdict = run_on_fresh_thread(&scenario, 1, mode);
        assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
        let texts = verdict.events.iter().map(|event| event.text.as_str());
        let after: Vec<&str> = texts.skip_while(|text| !text.starts_with("CRASH")).collect();
        assert!(after.iter().any(|text| text.starts_with("append ")), "{after:?}");
        after.iter().filter(|text| text.contains("ReadOnly")).count()
    };
    assert!(0 < refused_after("kill"));
    assert_eq!(refused_after("power_loss"), 0);
}

/// A scenario that no file can hold, so that the harness stumbles over it.
#[test]
fn a_panic_of_the_harness_is_told_and_ends_no_sweep() {
    let mut broken = all().swap_remove(0);
    broken.spec.disk.profiles = vec!["nobody's".to_owned()];
    let steady = all().into_iter().find(|s| s.name == "steady_writers").expect("it exists");
    let totals = sweep(vec![broken, steady], Seeds::Range(0, 3), 2, 0.0);
    assert_eq!((totals.runs, totals.complete), (6, true));
    let mut told = Vec::new();
    for failure in &totals.failures {
        let FailureKind::Harness(words) = &failure.what else { panic!("{failure:?}") };
        assert!(words.starts_with("it panicked: checked when the scenario was read"), "{words}");
        told.push((failure.scenario, failure.seed));
    }
    assert_eq!(told, [(0, 0), (0, 1), (0, 2)]);
}

#[test]
fn the_corpus_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/regressions");
    let files = Case::files(&dir).expect("the folder is there");
    assert!(!files.is_empty());
    for file in files {
        let case = Case::load(&file).expect("a case");
        if !case.set.is_empty() || case.policy.is_some() {
            // Changed fields are the command line's to put in; `sim corpus replay` does.
            continue;
        }
        let scenario = all().into_iter().find(|s| s.name == case.scenario).expect("it exists");
        let verdict = run_on_fresh_thread(&scenario, case.seed, Mode::default());
        assert_eq!(case.expect, Expectation::Pass);
        assert!(verdict.violations.is_empty(), "{}: {:?}", file.display(), verdict.violations);
    }
}

#[test]
fn a_disk_that_is_full_from_the_start_is_survived() {
    let text = "about = \"A disk too small for anything.\"\n[disk]\ncapacity = 60\n";
    let scenario = Scenario::parse("tiny_disk", "tiny_disk.toml", text).expect("a scenario");
    // Full from the start: opens fail, are tried again, and the last ones have room.
    let totals = sweep(vec![scenario], Seeds::List(vec![7, 3]), 2, 0.0);
    let bad = |f: &&faultline_sim::sweep::Failure| matches!(f.what, FailureKind::Harness(_));
    assert_eq!(totals.failures.iter().filter(bad).count(), 0, "{:?}", totals.failures);
    assert_eq!(totals.runs, 2);
}

/// Where the processes of some runs of `scenario` died and what they left.
fn situations(name: &'static str) -> BTreeSet<String> {
    on_fresh_thread(move |runner| {
        let scenario = all().into_iter().find(|one| one.name == name).expect("is there");
        let situations = (0..60).flat_map(|seed| {
            let verdict = runner.run(&scenario, seed, Mode::default());
            assert!(verdict.crashes as usize <= verdict.situations.len());
            verdict.situations
        });
        situations.map(|situation| situation.to_string()).collect()
    })
}

#[test]
fn deaths_are_told_apart_by_their_place_and_by_what_they_left() {
    let met = situations("crash_mid_add_record");
    for expected in [
        "run/writer: append log under way; power loss; write log lost",
        "run/writer: append log under way; power loss; write log torn",
        "close/main: close log done; power loss; nothing pending",
    ] {
        assert!(met.contains(expected), "{expected} is not among {met:#?}");
    }
    // All but the power losses behind a close strike in the middle of a record.
    let elsewhere: Vec<&String> = met.iter().filter(|met| !met.contains("append log")).collect();
    assert!(elsewhere.iter().all(|met| met.starts_with("close/")), "{elsewhere:?}");
    let met = situations("process_kill");
    assert!(met.iter().any(|met| met.starts_with("open/main: ")), "{met:#?}");
    let killed = "run/writer: append log under way; process death";
    assert!(met.contains(killed), "{met:#?}");
}
