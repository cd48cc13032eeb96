//! `sim doctor`: does the simulator itself work here?

use super::args::DoctorArgs;
use super::output::say;
use super::select::select;
use super::{Exit, Failed};
use crate::run::{Mode, on_fresh_thread, run_on_fresh_thread};
use crate::scenario::Scenario;

/// Runs in which the canary must be found.
const CANARY_RUNS: u64 = 200;

pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, Failed> {
    let scenarios = select(&[], &[], None)?.scenarios;
    let mut differing = 0;
    for scenario in &scenarios {
        for seed in 0..args.runs {
            let hash = |_| run_on_fresh_thread(scenario, seed, Mode::default()).trace_hash;
            let (first, second) = (hash(1), hash(2));
            if first != second {
                differing += 1;
                say(format!("{}:{seed}: {first:016x} and {second:016x}", scenario.token()));
            }
        }
    }
    let runs = args.runs * scenarios.len() as u64;
    say(format!("determinism: {runs} runs on fresh threads, {differing} differ"));
    let crashing = scenarios.iter().find(|scenario| scenario.name == "crash_mid_add_record");
    let found = crashing.is_some_and(canary);
    say(format!(
        "canary: a disk that swallows syncs is {}",
        if found { "found" } else { "MISSED" }
    ));
    Ok(match (differing, found) {
        (0, true) => Exit::Clean,
        (0, false) => Exit::Internal,
        _ => Exit::Nondeterminism,
    })
}

/// A bug planted in the disk: syncs that do nothing. Some seed must lose an acknowledged write.
fn canary(scenario: &Scenario) -> bool {
    let mut scenario = scenario.clone();
    scenario.spec.disk.swallow_syncs = true;
    on_fresh_thread(move |runner| {
        (0..CANARY_RUNS).any(|seed| {
            let verdict = runner.run(&scenario, seed, Mode::default());
            verdict.violations.iter().any(|violation| violation.checker == "durability")
        })
    })
}
