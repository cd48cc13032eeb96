//! `sim doctor`: does the simulator itself work here?

use super::args::DoctorArgs;
use super::output::say;
use super::select::select;
use super::{Exit, Failed};
use crate::canary;
use crate::divergence;
use crate::run::{Mode, run_on_fresh_thread};

pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, Failed> {
    let scenarios = select(&[], &[], None)?.scenarios;
    let mut differing = 0;
    for scenario in &scenarios {
        for seed in 0..args.runs {
            let run = |mode| run_on_fresh_thread(scenario, seed, mode);
            let (one, other) = (run(Mode::default()), run(Mode::default()));
            let (first, second) = (one.trace_hash, other.trace_hash);
            if first != second {
                differing += 1;
                say(format!("{}:{seed}: {first:016x} and {second:016x}", scenario.token()));
                let again = |span| {
                    let (keep_events, note_between) = (true, Some(span));
                    run(Mode { keep_events, note_between, ..Mode::default() })
                };
                say(divergence::find(&one, &other, again).to_string());
            }
        }
    }
    let runs = args.runs * scenarios.len() as u64;
    say(format!("determinism: {runs} runs on fresh threads, {differing} differ"));
    let found = canary::find();
    say(match found {
        Some(runs) => format!("canary: {} is found, in run {runs}", canary::WHAT),
        None => format!("canary: {} is MISSED", canary::WHAT),
    });
    Ok(match (differing, found.is_some()) {
        (0, true) => Exit::Clean,
        (0, false) => Exit::Internal,
        _ => Exit::Nondeterminism,
    })
}
