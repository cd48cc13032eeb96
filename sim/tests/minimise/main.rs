//! Runs by their plans, and the way from a failure to a small one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use faultline_sim::fault::FaultConfig;
use faultline_sim::minimise::{Effort, Minimised, minimise};
use faultline_sim::planned::{PlanFile, Planned, batch_words};
use faultline_sim::run::{Mode, Verdict, run_on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};

fn scenarios() -> Vec<Scenario> {
    embedded().expect("the scenarios of the binary")
}

fn scenario(name: &str) -> Scenario {
    scenarios().into_iter().find(|scenario| scenario.name == name).expect(name)
}

fn told(scenario: &Scenario, planned: &Planned) -> Verdict {
    planned.run_on_fresh_thread(scenario, Mode { keep_events: true, ..Mode::default() })
}

/// Through the text of a case file.
fn read_back(planned: &Planned) -> Planned {
    let text = toml::to_string(&PlanFile::of(planned)).expect("a plan is TOML");
    let file: PlanFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    file.planned().unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_plan_with_its_faults_and_choices_is_the_same_run_without_any_generator() {
    let mut deviating = 0;
    let mut struck = 0;
    for scenario in scenarios() {
        for seed in 3..6 {
            let drawn = run_on_fresh_thread(&scenario, seed, Mode::default()).trace_hash;
            let planned = read_back(&Planned::draw(&scenario, seed));
            let mode = Mode { note_course: true, ..Mode::default() };
            let verdict = planned.run_on_fresh_thread(&scenario, mode);
            assert_eq!(verdict.trace_hash, drawn, "{}:{seed} by its plan", scenario.name);
            deviating += verdict.deviations.len();
            struck += verdict.handed_out.len();
            let named = read_back(&Planned {
                faults: FaultConfig::of_script(verdict.handed_out),
                deviations: Some(verdict.deviations),
                ..planned
            });
            let verdict = named.run_on_fresh_thread(&scenario, Mode::default());
            assert_eq!(verdict.trace_hash, drawn, "{}:{seed} fault by fault", scenario.name);
            assert_eq!(verdict.drift, 0, "{}:{seed}", scenario.name);
        }
    }
    assert!(struck > 500 && deviating > 10_000, "{struck} faults, {deviating} choices");
}

/// On a disk whose syncs do nothing, the first seed that loses an acknowledged write.
fn loses(name: &str) -> (Scenario, Planned, Verdict) {
    let mut scenario = scenario(name);
    scenario.spec.disk.swallow_syncs = true;
    (0..500)
        .map(|seed| Planned::draw(&scenario, seed))
        .map(|planned| (told(&scenario, &planned), planned))
        .find(|(verdict, _)| verdict.violations.first().is_some_and(|v| v.checker == "durability"))
        .map(|(verdict, planned)| (scenario, planned, verdict))
        .expect("a write is lost")
}

fn minimised(scenario: &Scenario, planned: &Planned, verdict: &Verdict, jobs: usize) -> Minimised {
    let effort = Effort { jobs, budget: None };
    let go_on = &mut |_: &Planned, _| ControlFlow::Continue(());
    minimise(scenario, planned.clone(), &verdict.violations[0], effort, go_on)
}

#[test]
fn what_is_left_of_a_lost_write_is_a_write_and_a_power_loss() {
    for name in ["crash_mid_add_record", "torn_tail_then_crash_again", "swarm"] {
        let (scenario, planned, verdict) = loses(name);
        let small = minimised(&scenario, &planned, &verdict, 2);
        assert!(small.is_complete);
        let small = small.planned;
        let size = small.size();
        assert_eq!((size.writers, size.readers, size.faults), (1, 0, Some(0)), "{name}");
        let batches = &small.plan.batches;
        let words: Vec<String> = batches.iter().map(|of| batch_words(&small.plan, of)).collect();
        assert_eq!(words, ["put 2 0; sync; then power_loss"], "{name}");
        let again = told(&scenario, &read_back(&small));
        assert_eq!(again.violations[0].promise, verdict.violations[0].promise, "{name}");
        assert_eq!(again.drift, 0, "{name}");
    }
}

#[test]
fn the_promise_that_is_broken_is_the_one_that_was() {
    // Of the many things that go wrong where syncs do nothing, each stays what it is.
    let mut scenario = scenario("power_loss_at_log_switch");
    scenario.spec.disk.swallow_syncs = true;
    let mut promises = BTreeSet::new();
    for seed in 0..40 {
        let planned = Planned::draw(&scenario, seed);
        let verdict = told(&scenario, &planned);
        let Some(violation) = verdict.violations.first() else { continue };
        if !promises.insert((violation.checker, violation.promise)) {
            continue;
        }
        let small = minimised(&scenario, &planned, &verdict, 2).planned;
        let again = told(&scenario, &small);
        let found = again.violations.first().map(|v| (v.checker, v.promise));
        assert_eq!(found, Some((violation.checker, violation.promise)), "seed {seed}");
        assert!(small.size().ops < planned.size().ops);
    }
    assert!(promises.len() > 1, "only {promises:?}");
}

#[test]
fn it_ends_when_the_caller_has_enough_or_the_time_is_over() {
    let (scenario, planned, verdict) = loses("crash_mid_add_record");
    let violation = &verdict.violations[0];
    let effort = Effort { jobs: 1, budget: Some(Duration::ZERO) };
    let mut calls = 0;
    let mut count = |_: &Planned, _| {
        calls += 1;
        ControlFlow::Continue(())
    };
    let ended = minimise(&scenario, planned.clone(), violation, effort, &mut count);
    assert!(!ended.is_complete);
    assert_eq!(PlanFile::of(&ended.planned), PlanFile::of(&planned), "what was given");
}
