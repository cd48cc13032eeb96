//! `sim run`: the corpus, then every seed in every selected scenario.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{Format, RunArgs};
use super::output::{Meter, counted, event, remark, say};
use super::select::{Selection, select};
use super::{Exit, Failed, corpus, signal};
use crate::fault::{FaultKind, Phase};
use crate::probe::Probe;
use crate::report;
use crate::run::{Mode, run_on_fresh_thread};
use crate::scenario::Scenario;
use crate::sweep::{Failure, FailureKind, Seeds, Sweep, Totals};

/// What bare `sim` spends on fresh seeds.
const FRESH_BUDGET: Duration = Duration::from_secs(30);
/// A run longer than this has a loop without a scheduling point.
const RUN_TIMEOUT: Duration = Duration::from_secs(30);
/// Fewer runs of a scenario than this need not meet all that it demands.
const RUNS_THAT_SAY_SOMETHING: u64 = 200;
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
    let wanted = time_budget.is_none().then(|| seeds.count() * selection.scenarios.len() as u64);
    let mut meter = Meter::new(args.progress, wanted, time_budget);
    let sweep = Sweep {
        scenarios: Arc::from(selection.scenarios.as_slice()),
        seeds,
        jobs: args.jobs.unwrap_or_else(cores),
        time_budget,
        failures_max: if args.keep_going { u64::MAX } else { args.fail_fast.unwrap_or(1) },
        check_determinism: args.check_determinism.unwrap_or(0.0) / 100.0,
        run_timeout: RUN_TIMEOUT,
        out: args.out.clone(),
    };
    let totals = sweep.run(&mut |totals| meter.show(totals));
    meter.finish();
    for failure in &totals.failures {
        tell_failure(args, &selection, failure);
    }
    finish(args, &selection, &totals, time_budget.is_some())
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

fn tell_failure(args: &RunArgs, selection: &Selection, failure: &Failure) {
    let scenario = &selection.scenarios[failure.scenario];
    let token = format!("{}:{}", scenario.token(), failure.seed);
    let command = report::replay_command(&token, &selection.flags);
    let words = match &failure.what {
        FailureKind::Violations(_) => {
            let mode = Mode { keep_events: true, ..Mode::default() };
            let verdict = run_on_fresh_thread(scenario, failure.seed, mode);
            report::failure(scenario, failure.seed, &verdict, &selection.flags)
        }
        FailureKind::Harness(message) => {
            format!("BUG OF sim  {token}\n  {message}\n  reproduce  {command}\n")
        }
        FailureKind::Hang => format!(
            "FAIL liveness  {token}\n  a loop without a scheduling point: no progress for {} s\n  \
             reproduce  {command}\n",
            RUN_TIMEOUT.as_secs()
        ),
        FailureKind::Nondeterminism { first, second } => format!(
            "NONDETERMINISM  {token}\n  two runs had the traces {first:016x} and {second:016x}\n  \
             reproduce  {command}\n"
        ),
    };
    if let Some(out) = &args.out {
        let name = format!("{}-{}.txt", scenario.name.replace('/', "_"), failure.seed);
        #[expect(clippy::disallowed_methods, reason = "the folder that the user names")]
        if let Err(error) = std::fs::write(out.join(&name), &words) {
            remark(format!("{}: {error}", out.join(&name).display()));
        }
    }
    if args.format == Format::Human {
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
        FailureKind::Hang => object["hang"] = true.into(),
        FailureKind::Nondeterminism { first, second } => {
            object["hashes"] = json!([format!("{first:016x}"), format!("{second:016x}")]);
        }
    }
    event(&object);
}

fn finish(
    args: &RunArgs,
    selection: &Selection,
    totals: &Totals,
    budgeted: bool,
) -> Result<Exit, Failed> {
    let missing = missing(selection, totals);
    let violations = totals
        .failures
        .iter()
        .filter(|f| matches!(f.what, FailureKind::Violations(_) | FailureKind::Hang))
        .count();
    if args.format == Format::Json {
        event(&run_finished(selection, totals, violations));
    } else {
        summary(totals);
    }
    for name in &missing {
        remark(format!("incomplete: no run met {name}, which its scenario demands"));
    }
    let has = |wanted: fn(&FailureKind) -> bool| totals.failures.iter().any(|f| wanted(&f.what));
    Ok(if has(|what| matches!(what, FailureKind::Harness(_))) {
        Exit::Internal
    } else if violations > 0 {
        Exit::Broken
    } else if has(|what| matches!(what, FailureKind::Nondeterminism { .. })) {
        Exit::Nondeterminism
    } else if let Some(signal) = signal::received() {
        return Err(Failed {
            exit: Exit::Signal(signal),
            words: format!("ended by signal {signal}"),
        });
    } else if totals.runs == 0 {
        Exit::Nothing
    } else if !missing.is_empty() || !(totals.complete || budgeted) {
        Exit::Incomplete
    } else {
        Exit::Clean
    })
}

/// Faults and probes that a scenario demands and that no run met. Asked only of sweeps long enough
/// to say.
fn missing(selection: &Selection, totals: &Totals) -> BTreeSet<String> {
    let runs_of = |index: usize| totals.runs_by_scenario.get(&index).copied().unwrap_or(0);
    let long = |(index, _): &(usize, &Scenario)| runs_of(*index) >= RUNS_THAT_SAY_SOMETHING;
    let demanding = selection.scenarios.iter().enumerate().filter(long);
    let mut missing = BTreeSet::new();
    for (_, scenario) in demanding {
        let met = |name: &str| {
            FaultKind::ALL.iter().any(|kind| kind.name() == name && totals.faults.of(*kind) > 0)
                || Probe::ALL
                    .iter()
                    .any(|probe| probe.name() == name && totals.probes.of(*probe) > 0)
        };
        let expect = &scenario.spec.expect;
        let unmet = expect.faults.iter().chain(&expect.probes).filter(|name| !met(name));
        missing.extend(unmet.cloned());
    }
    missing
}

fn run_finished(selection: &Selection, totals: &Totals, violations: usize) -> serde_json::Value {
    let faults: serde_json::Map<String, serde_json::Value> = FaultKind::ALL
        .iter()
        .map(|&kind| {
            let by_phase = json!({
                "run": totals.faults.get(kind, Phase::Run),
                "recovery": totals.faults.get(kind, Phase::Recovery),
                "close": totals.faults.get(kind, Phase::Close),
            });
            (kind.name().to_owned(), by_phase)
        })
        .collect();
    let probes: serde_json::Map<String, serde_json::Value> = Probe::ALL
        .iter()
        .map(|&probe| (probe.name().to_owned(), totals.probes.of(probe).into()))
        .collect();
    json!({
        "v": 1, "event": "run_finished",
        "seeds": totals.runs / (selection.scenarios.len() as u64).max(1),
        "runs": totals.runs,
        "points": totals.points,
        "virtual_micros": totals.virtual_micros,
        "crashes": totals.crashes,
        "acks": totals.acks,
        "ops": totals.ops,
        "bytes": totals.bytes,
        "violations": violations,
        "determinism_checked": totals.determinism_checked,
        "faults": faults,
        "probes": probes,
        "complete": totals.complete,
        "trace_hash": format!("{:016x}", totals.trace_hash),
        "wall_millis": totals.elapsed.as_millis() as u64,
    })
}

fn summary(totals: &Totals) {
    let seconds = totals.elapsed.as_secs_f64().max(1e-9);
    let per_run = |n: u64| n as f64 / totals.runs.max(1) as f64;
    say(format!(
        "{} runs in {seconds:.1} s ({:.0} runs/s, {:.1} M points/s), {:.1} virtual seconds",
        totals.runs,
        totals.runs as f64 / seconds,
        totals.points as f64 / seconds / 1e6,
        totals.virtual_micros as f64 / 1e6
    ));
    say(format!(
        "{} crashes, {} acknowledged writes ({:.0} a run, {:.0} operations, {:.1} KiB)",
        totals.crashes,
        totals.acks,
        per_run(totals.acks),
        per_run(totals.ops),
        per_run(totals.bytes) / 1024.0
    ));
    let delivered: Vec<String> = FaultKind::ALL
        .iter()
        .filter(|kind| totals.faults.of(**kind) > 0)
        .map(|kind| format!("{} {}", kind.name(), totals.faults.of(*kind)))
        .collect();
    if !delivered.is_empty() {
        say(format!("faults delivered: {}", delivered.join(", ")));
    }
    let hits: Vec<String> = Probe::ALL
        .iter()
        .map(|&probe| (probe.name(), totals.probes.of(probe)))
        .map(
            |(name, runs)| {
                if runs == 0 { format!("{name} MISSED") } else { format!("{name} {runs}") }
            },
        )
        .collect();
    say(format!("runs by probe: {}", hits.join(", ")));
    if totals.determinism_checked > 0 {
        say(format!("{} runs were run twice and compared", totals.determinism_checked));
    }
    say(format!("trace hash {:016x}", totals.trace_hash));
    let failures = totals.failures.len();
    say(if failures == 0 {
        "no promise was broken".to_owned()
    } else {
        counted(failures, "failure")
    });
}
