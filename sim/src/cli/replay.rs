//! `sim replay`: one run again, with the same trace.

use std::path::Path;

use super::args::ReplayArgs;
use super::output::{remark, say};
use super::select::{remark_on_digest, select_one};
use super::{Exit, Failed, corpus};
use crate::policy::Decision;
use crate::report;
use crate::run::{Mode, Verdict, run_on_fresh_thread};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::token::Token;
use crate::trace::Lane;
use crate::workload::Plan;

pub(super) fn replay(args: &ReplayArgs) -> Result<Exit, Failed> {
    if Path::new(&args.what).extension().is_some_and(|ext| ext == "toml")
        && !args.what.contains(':')
    {
        return replay_case(args);
    }
    if is_schedule(&args.what) {
        return follow(args);
    }
    let token: Token = args.what.parse().map_err(Failed::usage)?;
    let (scenario, flags) = select_one(&token.scenario, &args.set, args.policy.as_ref())?;
    let (verdict, again) = run_twice(args, &token, &scenario, None);
    judge(args, &scenario, token.seed, &flags, &verdict, again)
}

/// Replays a case file, and shows its run as the flags ask.
fn replay_case(args: &ReplayArgs) -> Result<Exit, Failed> {
    if args.policy.is_some() || !args.set.is_empty() {
        return Err(Failed::usage("a case file brings its own policy and fields"));
    }
    let file = Path::new(&args.what);
    let (exit, verdict) = corpus::replay_one(file, args.schedule, |verdict| show(args, verdict))?;
    let hash = format!("{:016x}", verdict.trace_hash);
    if let Some(expected) = args.expect_hash.as_ref().filter(|expected| **expected != hash) {
        say(format!("the trace is {hash}, not {expected}"));
        return Ok(Exit::Nondeterminism);
    }
    Ok(exit)
}

/// Prints the events of a run, if that is asked for.
fn show(args: &ReplayArgs, verdict: &Verdict) {
    if args.trace {
        let shown = |lane: Lane| args.schedule || lane != Lane::Schedule;
        for event in verdict.events.iter().filter(|event| shown(event.lane)) {
            say(report::event_line(event));
        }
    }
}

fn is_schedule(what: &str) -> bool {
    Path::new(what).extension().is_some_and(|ext| ext == "schedule")
}

/// Follows the choices of a schedule file, as far as the engine still takes the same steps.
fn follow(args: &ReplayArgs) -> Result<Exit, Failed> {
    if args.policy.is_some() || !args.set.is_empty() {
        return Err(Failed::usage("a schedule file brings its own policy and fields"));
    }
    let schedule = Schedule::load(Path::new(&args.what)).map_err(Failed::usage)?;
    let token: Token = schedule.run.parse().map_err(Failed::usage)?;
    let policy = schedule.policy.as_deref().map(str::parse).transpose().map_err(Failed::usage)?;
    let (scenario, flags) = select_one(&token.scenario, &schedule.set, policy.as_ref())?;
    let decisions = schedule.decisions().map_err(Failed::usage)?;
    let count = decisions.len();
    let (verdict, again) = run_twice(args, &token, &scenario, Some(&decisions));
    let exit = judge(args, &scenario, token.seed, &flags, &verdict, again)?;
    let hash = format!("{:016x}", verdict.trace_hash);
    remark(if hash == schedule.trace {
        format!("the schedule: {count} decisions, followed to the same trace")
    } else {
        format!(
            "the schedule: {} of {count} decisions could not be followed as recorded; the trace \
             is {hash}, and was {}",
            verdict.drift, schedule.trace
        )
    });
    Ok(exit)
}

/// Runs it twice, and shows the first run as the flags ask. Returns it, and the hash of the second.
fn run_twice(
    args: &ReplayArgs,
    token: &Token,
    scenario: &Scenario,
    schedule: Option<&[Decision]>,
) -> (Verdict, u64) {
    remark_on_digest(token, scenario);
    let plan = Plan::draw(scenario, token.seed);
    remark(format!("{}:{}  {}", scenario.token(), token.seed, report::describe_plan(&plan)));
    let run = |keep_choices| {
        let schedule = schedule.map(<[Decision]>::to_vec);
        let mode = Mode { keep_events: true, keep_choices, schedule, ..Mode::default() };
        run_on_fresh_thread(scenario, token.seed, mode)
    };
    let verdict = run(args.schedule);
    let again = run(false);
    show(args, &verdict);
    (verdict, again.trace_hash)
}

fn judge(
    args: &ReplayArgs,
    scenario: &Scenario,
    seed: u64,
    flags: &str,
    verdict: &Verdict,
    second_hash: u64,
) -> Result<Exit, Failed> {
    let hash = format!("{:016x}", verdict.trace_hash);
    if second_hash != verdict.trace_hash {
        say(format!("two runs had the traces {hash} and {second_hash:016x}"));
        return Ok(Exit::Nondeterminism);
    }
    if let Some(expected) = args.expect_hash.as_ref().filter(|expected| **expected != hash) {
        say(format!("the trace is {hash}, not {expected}"));
        return Ok(Exit::Nondeterminism);
    }
    if let Some(message) = &verdict.harness_error {
        return Err(Failed { exit: Exit::Internal, words: format!("a bug of sim: {message}") });
    }
    if verdict.violations.is_empty() {
        say(format!(
            "no promise was broken: {} points, {} crashes, {} acknowledged writes, trace {hash}",
            verdict.points, verdict.crashes, verdict.acks
        ));
        return Ok(Exit::Clean);
    }
    say(report::failure(scenario, seed, verdict, flags).trim_end());
    Ok(Exit::Broken)
}
