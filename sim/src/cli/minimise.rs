//! `sim minimise`: a failing run made small, and kept as a case.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "progress in wall time")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::MinimiseArgs;
use super::corpus::{in_file, scenario_of};
use super::output::{Meter, remark, say};
use super::run::cores;
use super::select::{remark_on_digest, select_one};
use super::{Exit, Failed, signal};
use crate::corpus::{Case, Expectation};
use crate::minimise::{Effort, minimise as make_small};
use crate::planned::{PlanFile, Planned, Size};
use crate::report::{self, counted};
use crate::run::Mode;
use crate::scenario::Scenario;
use crate::token::Token;

/// A run that is to be made small.
struct Subject {
    scenario: Scenario,
    planned: Planned,
    /// Where it comes from; its plan is still missing.
    case: Case,
}

pub(super) fn minimise(args: &MinimiseArgs) -> Result<Exit, Failed> {
    let Subject { scenario, planned, mut case } = subject(args)?;
    let file = args.out.clone().unwrap_or_else(|| {
        let name = Path::new(&scenario.name).file_stem().unwrap_or_default();
        PathBuf::from(format!("{}-{}.min.toml", name.to_string_lossy(), case.seed))
    });
    if file.exists() {
        let there = format!("{}: there is such a file; name another one by --out", file.display());
        return Err(Failed::usage(there));
    }
    let internal = |words: String| Failed { exit: Exit::Internal, words };
    let in_words = || Mode { keep_events: true, ..Mode::default() };
    let verdict = planned.run_on_fresh_thread(&scenario, in_words()).sound().map_err(internal)?;
    let Some(violation) = verdict.violations.first() else {
        say(format!("{}: no promise was broken, so there is nothing to minimise", args.what));
        return Ok(Exit::Nondeterminism);
    };
    signal::watch();
    remark(format!("{}  {}: {}", args.what, violation.checker, violation.promise));
    remark(format!("  from  {}", words(&planned.size(), verdict.points)));
    let started = Instant::now();
    let budget = Some(args.budget);
    let effort = Effort { jobs: args.jobs.unwrap_or_else(cores), budget };
    let mut meter = Meter::new(args.progress, None, budget);
    let small = make_small(&scenario, planned, violation, effort, &mut |best, tried| {
        meter.show(tried, started.elapsed(), || {
            format!("{}: {}", counted(tried as usize, "run"), parts(&best.size()))
        })
    });
    meter.finish();
    let verdict = small.planned.run_on_fresh_thread(&scenario, in_words());
    let verdict = verdict.sound().map_err(internal)?;
    let Some(violation) = verdict.violations.first() else {
        return Err(internal("the small run breaks no promise when it is run again".to_owned()));
    };
    remark(format!("  to    {}", words(&small.planned.size(), verdict.points)));
    let spent = started.elapsed().as_secs_f64();
    let end = if small.is_complete { "nothing more can go" } else { "ended before it was done" };
    remark(format!("  in    {} and {spent:.1} s: {end}", counted(small.tried as usize, "run")));
    case.promise = format!("{}: {}", violation.checker, violation.promise);
    case.plan = Some(PlanFile::of(&small.planned));
    let written = case.write(&file);
    say(report::planned_failure(&scenario, case.seed, &small.planned, &verdict, &file).trim_end());
    written.map_err(|error| Failed::environment(error.to_string()))?;
    Ok(signal::received().map_or(Exit::Broken, Exit::Signal))
}

fn subject(args: &MinimiseArgs) -> Result<Subject, Failed> {
    let path = Path::new(&args.what);
    if path.extension().is_some_and(|ext| ext == "toml") && !args.what.contains(':') {
        if args.policy.is_some() || !args.set.is_empty() {
            return Err(Failed::usage("a case file brings its own policy and fields"));
        }
        let case = Case::load(path)?;
        if case.only.is_some() {
            let words = "its crashes are chosen one by one, and its world is tiny: there is \
                         nothing to minimise";
            return Err(in_file(path, Failed::usage(words)));
        }
        let (scenario, _) = scenario_of(&case, path)?;
        let planned = match &case.plan {
            Some(plan) => plan.planned().map_err(|words| in_file(path, Failed::usage(words)))?,
            None => Planned::draw(&scenario, case.seed),
        };
        return Ok(Subject { scenario, planned, case });
    }
    let token: Token = args.what.parse().map_err(Failed::usage)?;
    let (scenario, _) = select_one(&token.scenario, &args.set, args.policy.as_ref())?;
    remark_on_digest(&token, &scenario);
    let case = Case {
        format: Case::FORMAT,
        note: String::new(),
        scenario: token.scenario,
        digest: scenario.digest.clone(),
        seed: token.seed,
        policy: args.policy.as_ref().map(ToString::to_string),
        set: args.set.clone(),
        only: None,
        images: None,
        schedule: None,
        promise: String::new(),
        // Once what is wrong is mended.
        expect: Expectation::Pass,
        plan: None,
    };
    Ok(Subject { planned: Planned::draw(&scenario, token.seed), scenario, case })
}

/// A run in a line.
fn words(size: &Size, points: u64) -> String {
    format!("{}; {}", parts(size), counted(points as usize, "scheduling point"))
}

fn parts(size: &Size) -> String {
    let readers = match size.readers {
        0 => String::new(),
        readers => format!(", {}", counted(readers, "reader")),
    };
    let faults =
        size.faults.map_or_else(String::new, |faults| format!(", {}", counted(faults, "fault")));
    let choices = size
        .choices
        .map_or_else(String::new, |choices| format!(", {}", counted(choices, "choice")));
    format!(
        "{}{readers}, {}, {}, {}{faults}{choices}",
        counted(size.writers, "writer"),
        counted(size.batches, "batch"),
        counted(size.ops, "operation"),
        counted(size.crashes, "crash"),
    )
}
