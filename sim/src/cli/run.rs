//! `sim run`: the corpus, then every seed in every selected scenario.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{Format, RunArgs};
use super::output::{Meter, event, remark, say};
use super::select::{Selection, select};
use super::{Exit, Failed, corpus, signal, summary};
use crate::canary;
use crate::report::{self, counted};
use crate::run::{Mode, Runner, run_on_fresh_thread};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::sweep::{CarryOut, Failure, FailureKind, Seeds, Sweep, Totals};

/// What bare `sim` spends on fresh seeds.
const FRESH_BUDGET: Duration = Duration::from_secs(30);
/// A run longer than this has a loop without a scheduling point.
const RUN_TIMEOUT: Duration = Duration::from_secs(30);
/// Share of runs that are looked at for the class of their schedule: not all, as every step is told
/// of then.
const CLASSED: f64 = 1.0 / 16.0;
/// A schedule of more decisions than this is not left: nobody follows it.
const DECISIONS_MAX: usize = 1_000_000;
/// Cases of the repository, replayed first.
const CORPUS: &str = "corpus/regressions";

pub(super) fn run(args: &RunArgs) -> Result<Exit, Failed> {
    let selection = select(&args.scenarios, &args.set, args.policy.as_ref())?;
    let fresh = args.seeds.is_none();
    let seeds = args.seeds.clone().unwrap_or_else(fresh_seeds);
    let time_budget = args.time_budget.or(fresh.then_some(FRESH_BUDGET));
    signal::watch();
    if let Some(out) = &args.out {
        #[expect(clippy::disallowed_methods, reason = "the folder that the user names")]
        std::fs::create_dir_all(out)
            .map_err(|error| Failed::environment(format!("{}: {error}", out.display())))?;
    }
    announce(args, &selection, &seeds);
    if fresh && args.scenarios.is_empty() && Path::new(CORPUS).read_dir().is_ok() {
        let exit = corpus::replay(Path::new(CORPUS), args.format == Format::Human)?;
        if exit != Exit::Clean {
            return Ok(exit);
        }
    }
    let sweep = Sweep {
        scenarios: Arc::from(selection.scenarios.as_slice()),
        seeds,
        jobs: args.jobs.unwrap_or_else(cores),
        time_budget,
        failures_max: if args.keep_going { u64::MAX } else { args.fail_fast.unwrap_or(1) },
        check_determinism: args.check_determinism.unwrap_or(0.0) / 100.0,
        classed: CLASSED,
        run_timeout: RUN_TIMEOUT,
        out: args.out.clone(),
    };
    carry_out(args, &selection, sweep, Box::new(Runner::run))
}

/// Sweeps, tells of failures as they come, and sums up.
fn carry_out(
    args: &RunArgs,
    selection: &Selection,
    sweep: Sweep,
    one: Box<CarryOut>,
) -> Result<Exit, Failed> {
    let runs = sweep.seeds.count() * sweep.scenarios.len() as u64;
    let wanted = sweep.time_budget.is_none().then_some(runs);
    let mut meter = Meter::new(args.progress, wanted, sweep.time_budget);
    // Told as they come: a long sweep may be ended before it is done.
    let mut told = 0;
    let mut tell_more = |meter: &Meter, failures: &[Failure]| {
        for failure in failures.iter().skip(told) {
            meter.aside(|| tell_failure(args, selection, failure));
        }
        told = failures.len();
    };
    let totals = sweep.run_with(one, &mut |totals| {
        tell_more(&meter, &totals.failures);
        meter.show(totals.runs, totals.elapsed, || words(totals))
    });
    meter.finish();
    tell_more(&meter, &totals.failures);
    summary::finish(args.format, selection, &totals, wanted, canary::find())
}

/// The totals so far.
fn words(totals: &Totals) -> String {
    let rate = totals.runs as f64 / totals.elapsed.as_secs_f64().max(0.001);
    format!(
        "{} runs  {rate:.0}/s  {} crashes  {} acknowledgements  {} failures",
        totals.runs,
        totals.crashes,
        totals.acks,
        totals.failures.len()
    )
}

fn announce(args: &RunArgs, selection: &Selection, seeds: &Seeds) {
    let tokens: Vec<String> = selection.scenarios.iter().map(Scenario::token).collect();
    let shown = match seeds {
        Seeds::Range(from, to) if to - from >= FRESH_COUNT => format!("{from}.."),
        Seeds::Range(from, to) => format!("{from}..{to}"),
        Seeds::List(list) => format!("{} listed", list.len()),
    };
    if args.format == Format::Json {
        event(&json!({
            "v": 1, "event": "run_started", "version": env!("CARGO_PKG_VERSION"),
            "commit": env!("FAULTLINE_COMMIT"), "scenarios": tokens, "seeds": shown,
        }));
        return;
    }
    remark(format!(
        "sim {} ({})  seeds {shown}  {}",
        env!("CARGO_PKG_VERSION"),
        env!("FAULTLINE_COMMIT"),
        counted(tokens.len(), "scenario")
    ));
    let example = tokens.first().map_or("", String::as_str);
    remark(format!(
        "replay any run: sim replay SCENARIO:SEED, such as {example}:SEED{}",
        selection.flags
    ));
}

/// Fresh seeds start anywhere below 2^40 and go on for as long as the time lasts.
const FRESH_COUNT: u64 = 1 << 40;

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "fresh seeds are fresh")]
fn fresh_seeds() -> Seeds {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos() as u64);
    let start = nanos.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
    Seeds::Range(start, start + FRESH_COUNT)
}

#[expect(clippy::disallowed_methods, reason = "results do not depend on the number of workers")]
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The file that a failure leaves under `--out`, if that is given.
fn left_file(args: &RunArgs, scenario: &Scenario, seed: u64, ending: &str) -> Option<PathBuf> {
    let name = format!("{}-{seed}.{ending}", scenario.name.replace('/', "_"));
    args.out.as_ref().map(|out| out.join(name))
}

fn tell_failure(args: &RunArgs, selection: &Selection, failure: &Failure) {
    let scenario = &selection.scenarios[failure.scenario];
    let token = format!("{}:{}", scenario.token(), failure.seed);
    let command = report::replay_command(&token, &selection.flags);
    // Nobody would read them: they take a run of their own, and a sweep of a mutant many of them.
    let has_words = args.format == Format::Human || args.out.is_some();
    let words = has_words.then(|| in_words(args, selection, failure, &token, &command));
    if let Some(words) = &words
        && let Some(file) = left_file(args, scenario, failure.seed, "txt")
    {
        #[expect(clippy::disallowed_methods, reason = "the folder that the user names")]
        if let Err(error) = std::fs::write(&file, words) {
            remark(format!("{}: {error}", file.display()));
        }
    }
    if let Some(words) = words.filter(|_| args.format == Format::Human) {
        say(words.trim_end());
        return;
    }
    let mut object = json!({
        "v": 1, "event": "seed_failed", "scenario": scenario.token(), "seed": failure.seed,
        "replay": command,
    });
    match &failure.what {
        FailureKind::Violations(violations) => {
            object["checkers"] = violations.iter().map(|v| v.checker).collect();
            if let Some(first) = violations.first() {
                object["promise"] = first.promise.into();
                object["expected"] = first.expected.clone().into();
                object["got"] = first.got.clone().into();
                object["point"] = first.point.into();
            }
        }
        FailureKind::Harness(message) => object["harness"] = message.clone().into(),
        FailureKind::Hang(_) => object["hang"] = true.into(),
        FailureKind::Nondeterminism { first, second } => {
            object["hashes"] = json!([format!("{first:016x}"), format!("{second:016x}")]);
        }
    }
    event(&object);
}

/// A failure as a person reads it; with `--out`, leaves its schedule there.
fn in_words(
    args: &RunArgs,
    selection: &Selection,
    failure: &Failure,
    token: &str,
    command: &str,
) -> String {
    let scenario = &selection.scenarios[failure.scenario];
    match &failure.what {
        FailureKind::Violations(_) => {
            let record_schedule = args.out.is_some();
            let mode = Mode { keep_events: true, record_schedule, ..Mode::default() };
            let verdict = run_on_fresh_thread(scenario, failure.seed, mode);
            if let Some(file) = left_file(args, scenario, failure.seed, "schedule")
                && verdict.schedule.len() <= DECISIONS_MAX
            {
                let policy = args.policy.as_ref().map(ToString::to_string);
                let (set, decisions) = (args.set.clone(), &verdict.schedule);
                let hash = verdict.trace_hash;
                let schedule = Schedule::new(token.to_owned(), policy, set, hash, decisions);
                schedule.store(&file).unwrap_or_else(remark);
            }
            report::failure(scenario, failure.seed, &verdict, &selection.flags)
        }
        FailureKind::Harness(message) => {
            format!("BUG OF sim  {token}\n  {message}\n  reproduce  {command}\n")
        }
        FailureKind::Hang(timeout) => format!(
            "FAIL liveness  {token}\n  a loop without a scheduling point: no end within {} s\n  \
             reproduce  {command}\n",
            timeout.as_secs_f64()
        ),
        FailureKind::Nondeterminism { first, second } => format!(
            "NONDETERMINISM  {token}\n  two runs had the traces {first:016x} and {second:016x}\n  \
             reproduce  {command}\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::ops::ControlFlow;
    use std::rc::Rc;

    use clap::Parser as _;
    use faultline::Db;

    use super::super::args::{Cli, Command};
    use super::*;
    use crate::env::SimEnv;
    use crate::run::Verdict;
    use crate::workload::{Custom, Workload};

    const RUNS: u64 = 6;
    /// A seed with others before it and behind it.
    const HUNG: u64 = 2;
    const TIMEOUT: Duration = Duration::from_secs(2);

    /// A loop without a scheduling point.
    struct Spins;

    impl Workload for Spins {
        fn run(&self, _: &Db<SimEnv>, _: u32) {
            loop {
                std::hint::spin_loop();
            }
        }
    }

    fn with_one_that_hangs(
        runner: &mut Runner,
        scenario: &Scenario,
        seed: u64,
        mode: Mode,
    ) -> Verdict {
        if seed != HUNG {
            return runner.run(scenario, seed, mode);
        }
        let custom = Custom { workload: Rc::new(Spins), fault_hook: None };
        runner.run_custom(scenario, seed, custom, Vec::new(), mode)
    }

    fn sweep(selection: &Selection, seeds: Seeds, out: Option<PathBuf>) -> Sweep {
        Sweep {
            scenarios: Arc::from(selection.scenarios.as_slice()),
            seeds,
            // Who goes on with the next seeds is not another worker that was there all along.
            jobs: 1,
            time_budget: None,
            failures_max: u64::MAX,
            check_determinism: 0.0,
            classed: 0.0,
            run_timeout: TIMEOUT,
            out,
        }
    }

    /// What `sim run` does, with the hung run and a timeout that a test can wait for.
    fn run_as_a_process(out: &OsStr) -> ! {
        let words = ["sim", "run", "--scenario", "steady_writers", "--progress", "none", "--out"];
        let cli = Cli::try_parse_from(words.iter().map(OsStr::new).chain([out]));
        let Some(Command::Run(args)) = cli.expect("a command line").command else {
            panic!("not `run`");
        };
        let selection = select(&args.scenarios, &args.set, None).expect("a scenario");
        let sweep = sweep(&selection, Seeds::Range(0, RUNS), args.out.clone());
        let exit =
            carry_out(&args, &selection, sweep, Box::new(with_one_that_hangs)).expect("a sweep");
        std::process::exit(exit.code().into());
    }

    /// Runs itself again as a child, because the hung thread ends with the process alone.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "starts a process, and reads what it left")]
    fn a_hung_run_is_told_and_dumped_and_the_others_are_run() {
        const CHILD: &str = "FAULTLINE_HANG_CHILD";
        if let Some(out) = std::env::var_os(CHILD) {
            run_as_a_process(&out);
        }
        let out = tempfile::tempdir().expect("a folder");
        let this = "cli::run::tests::a_hung_run_is_told_and_dumped_and_the_others_are_run";
        let child = std::process::Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", this, "--nocapture"])
            .env(CHILD, out.path())
            .output()
            .expect("the child starts");
        let said = String::from_utf8(child.stdout).expect("text");
        assert_eq!(child.status.code(), Some(1), "{said}");

        let selection = select(&["steady_writers".to_owned()], &[], None).expect("a scenario");
        let token = format!("{}:{HUNG}", selection.scenarios[0].token());
        let report = format!(
            "FAIL liveness  {token}\n  a loop without a scheduling point: no end within 2 s\n  \
             reproduce  {}\n",
            report::replay_command(&token, "")
        );
        let read = |file: &str| std::fs::read_to_string(out.path().join(file)).expect(file);
        assert!(said.contains(&report), "{said}");
        assert_eq!(read(&format!("steady_writers-{HUNG}.txt")), report);
        // Of the worker that hangs, and of the one that has taken its place.
        assert_eq!(read("inflight/worker-0").trim(), token);
        assert_eq!(read("inflight/worker-1"), "");

        let others = (0..RUNS).filter(|seed| *seed != HUNG).collect();
        let others = sweep(&selection, Seeds::List(others), None);
        let others = others.run(&mut |_| ControlFlow::Continue(()));
        assert_eq!(others.runs, RUNS - 1);
        for words in [
            format!("\n{} runs in ", others.runs),
            format!("\ntrace hash {:016x}\n1 failure\n", others.trace_hash),
        ] {
            assert!(said.contains(&words), "no `{words}`: {said}");
        }
    }
}
