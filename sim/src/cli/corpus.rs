//! `sim corpus`: list, add and replay cases.

use std::path::Path;

use super::args::{CorpusCommand, IMAGES_MAX, parse_only};
use super::exhaust::{command_of, words};
use super::output::{remark, say};
use super::select::select_one;
use super::{Exit, Failed};
use crate::corpus::{Case, CaseError, Expectation};
use crate::exhaust::Course;
use crate::policy::Guide;
use crate::report::{self, counted};
use crate::run::{Mode, Verdict, on_fresh_thread, run_on_fresh_thread};
use crate::scenario::Scenario;
use crate::token::Token;

impl From<CaseError> for Failed {
    fn from(error: CaseError) -> Self {
        Failed::usage(error.to_string())
    }
}

pub(super) fn corpus(command: &CorpusCommand) -> Result<Exit, Failed> {
    match command {
        CorpusCommand::List { dir } => {
            for file in Case::files(dir)? {
                let case = Case::load(&file)?;
                let name = file.file_stem().unwrap_or_default().to_string_lossy();
                say(format!("{name:<40} {}:{}  {}", case.scenario, case.seed, case.note));
            }
            Ok(Exit::Clean)
        }
        CorpusCommand::Replay { dir } => replay(dir, true),
        CorpusCommand::Add {
            token,
            name,
            note,
            policy,
            set,
            only,
            images,
            schedule,
            expect,
            dir,
        } => {
            let token: Token = token.parse().map_err(Failed::usage)?;
            let (scenario, _) = select_one(&token.scenario, set, policy.as_ref())?;
            let mut case = Case {
                format: Case::FORMAT,
                note: note.clone(),
                scenario: token.scenario.clone(),
                digest: scenario.digest.clone(),
                seed: token.seed,
                policy: policy.as_ref().map(ToString::to_string),
                set: set.clone(),
                only: only.clone(),
                images: *images,
                schedule: schedule.clone(),
                promise: "every promise holds".to_owned(),
                // A case goes in before its fix and must pass after it.
                expect: *expect,
                plan: None,
            };
            let verdict = run(&case, &scenario, Mode::default())?;
            let first = verdict.violations.first();
            if let Some(violation) = first {
                case.promise = format!("{}: {}", violation.checker, violation.promise);
            }
            let file = case.store(dir, name)?;
            let now = if first.is_some() { "fails now" } else { "passes now" };
            let must = match expect {
                Expectation::Pass => "pass",
                Expectation::Fail => "fail",
            };
            say(format!("{}: {now}, must {must} from here on", file.display()));
            Ok(Exit::Clean)
        }
    }
}

/// Replays every case of a folder.
pub(super) fn replay(dir: &Path, tell: bool) -> Result<Exit, Failed> {
    let files = Case::files(dir)?;
    let mut worst = Exit::Clean;
    for file in &files {
        let (exit, _) = replay_one(file, false, |_| {})?;
        if exit != Exit::Clean {
            worst = exit;
        }
    }
    if tell {
        remark(format!("corpus: {} replayed", counted(files.len(), "case")));
    }
    Ok(if files.is_empty() { Exit::Nothing } else { worst })
}

/// Replays one case and says what is not as expected, once `show` has seen the run; with the
/// choices of the scheduler among its events, if they are asked for.
pub(super) fn replay_one(
    file: &Path,
    keep_choices: bool,
    show: impl FnOnce(&Verdict),
) -> Result<(Exit, Verdict), Failed> {
    let case = Case::load(file)?;
    let (scenario, flags) = scenario_of(&case, file)?;
    let mode = Mode { keep_events: true, keep_choices, ..Mode::default() };
    let verdict = run(&case, &scenario, mode).map_err(|error| in_file(file, error))?;
    show(&verdict);
    if case.plan.is_some() && verdict.drift > 0 {
        let choices = counted(verdict.drift as usize, "choice");
        remark(format!("{}: {choices} of the schedule could not be followed", file.display()));
    }
    Ok((tell(file, &case, &scenario, &flags, &verdict)?, verdict))
}

pub(super) fn in_file(file: &Path, Failed { exit, words }: Failed) -> Failed {
    Failed { exit, words: format!("{}: {words}", file.display()) }
}

/// The scenario of a case, as it is now, with the flags that its run needs. A case with a plan
/// needs none of it but the name.
pub(super) fn scenario_of(case: &Case, file: &Path) -> Result<(Scenario, String), Failed> {
    if case.plan.is_some() {
        return Ok((Scenario::bare(&case.scenario, &case.digest), String::new()));
    }
    let policy = case.policy.as_deref().map(str::parse).transpose().map_err(Failed::usage)?;
    let (scenario, flags) = select_one(&case.scenario, &case.set, policy.as_ref())?;
    if scenario.digest != case.digest {
        remark(format!(
            "{}: the scenario has changed since ({} then, {} now): the run may not be what it was",
            file.display(),
            case.digest,
            scenario.digest
        ));
    }
    Ok((scenario, flags))
}

/// Says what a case has come to.
fn tell(
    file: &Path,
    case: &Case,
    scenario: &Scenario,
    flags: &str,
    verdict: &Verdict,
) -> Result<Exit, Failed> {
    match (case.expect, verdict.violations.is_empty()) {
        (Expectation::Pass, true) => {
            remark(format!("{}: as expected", file.display()));
            Ok(Exit::Clean)
        }
        (Expectation::Fail, false) => {
            remark(format!("{}: fails, as is known: {}", file.display(), case.note));
            Ok(Exit::Clean)
        }
        (Expectation::Pass, false) => {
            say(format!("{}: {}", file.display(), case.note));
            say(match (&case.plan, &case.only) {
                (Some(plan), _) => {
                    let planned = plan.planned().map_err(Failed::usage)?;
                    report::planned_failure(scenario, case.seed, &planned, verdict, file)
                }
                (None, None) => report::failure(scenario, case.seed, verdict, flags),
                (None, Some(only)) => {
                    let (crashes, command) = again(case, only, flags)?;
                    report::steered_failure(scenario, case.seed, verdict, &crashes, &command)
                }
            }
            .trim_end());
            Ok(Exit::Broken)
        }
        (Expectation::Fail, true) => {
            say(format!("{}: expected to fail, and passes", file.display()));
            Ok(Exit::Nondeterminism)
        }
    }
}

/// Runs a case.
fn run(case: &Case, scenario: &Scenario, mode: Mode) -> Result<Verdict, Failed> {
    let failed = |words: String| Failed { exit: Exit::Internal, words };
    if let Some(plan) = &case.plan {
        let planned = plan.planned().map_err(Failed::usage)?;
        return planned.run_on_fresh_thread(scenario, mode).sound().map_err(failed);
    }
    if let Some(only) = &case.only {
        let crashes = parse_only(only).map_err(Failed::usage)?.0;
        let schedule = case.schedule.as_deref().map(str::parse).transpose();
        let schedule: Option<Guide> = schedule.map_err(Failed::usage)?;
        let course = Course { scenario: scenario.clone(), seed: case.seed, schedule };
        let images = case.images.unwrap_or(IMAGES_MAX);
        let again = on_fresh_thread(move |runner| course.again(runner, images, &crashes));
        again.map_err(failed)?.ok_or_else(|| {
            Failed::usage(format!("there is no crash {only}: the run has fewer, or leaves less"))
        })
    } else {
        run_on_fresh_thread(scenario, case.seed, mode).sound().map_err(failed)
    }
}

/// The crashes of a case in words, and the command that shows it.
fn again(case: &Case, only: &str, flags: &str) -> Result<(Vec<String>, String), Failed> {
    let crashes = words(&parse_only(only).map_err(Failed::usage)?.0);
    let schedule = case.schedule.as_deref();
    let images = case.images.unwrap_or(IMAGES_MAX);
    Ok((crashes, command_of(&case.scenario, case.seed, images, schedule, only) + flags))
}
