//! What each checker and each kind of fault is needed for: the mutants that none finds without it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::output::{remark, say};
use super::super::{Exit, Failed};
use super::row::{Record, Row};
use super::scratch::Scratch;
use crate::checker;
use crate::fault::FaultKind;
use crate::mutant::Mutant;

/// So many hits a sweep is to have, by the record: none at all is then no chance.
const HITS: u64 = 20;
/// Runs of a sweep at most. A mutant that has fewer than [`HITS_MIN`] hits in them is left out.
const RUNS_MAX: u64 = 12_000;
const HITS_MIN: u64 = 8;

/// Why something is there that nothing needs.
const REASONS: &str = include_str!("../../../needs.toml");

#[derive(Deserialize)]
struct Reasons {
    #[serde(default)]
    reason: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    name: String,
    why: String,
}

/// By the name of a checker or a kind of fault: the mutants that need it.
type Needs = BTreeMap<&'static str, Vec<String>>;

/// Plants each mutant and sweeps it with each checker and each kind of fault switched off that has
/// to do with it. Prints two tables as Markdown. [`Exit::Broken`] if nothing needs one of them and
/// nobody has said why it is there.
pub(super) fn needs(
    scratch: &Scratch,
    mutants: &[Mutant],
    record: &Record,
    jobs: usize,
) -> Result<Exit, Failed> {
    let reasons: Reasons = toml::from_str(REASONS)
        .map_err(|error| Failed { exit: Exit::Internal, words: format!("needs.toml: {error}") })?;
    let names = checker::all();
    let mut checkers: Needs = names.iter().map(|checker| (checker.name(), vec![])).collect();
    let mut faults: Needs = FaultKind::ALL.iter().map(|kind| (kind.name(), vec![])).collect();
    let mut rare = Vec::new();
    for mutant in mutants {
        let runs = record.get(&mutant.name).map_or(mutant.runs, enough).min(RUNS_MAX);
        remark(format!("  building {}", mutant.name));
        scratch.plant(&mutant.file)?;
        let planted = Planted { scratch, mutant, runs, jobs };
        let needed = scratch.build().and_then(|()| planted.needs(&checkers, &faults));
        scratch.remove(&mutant.file)?;
        let Some(needed) = needed? else {
            rare.push(format!("`{}`", mutant.name));
            continue;
        };
        let words = if needed.is_empty() { "no one of them".into() } else { needed.join(", ") };
        remark(format!("  {} needs {words}", mutant.name));
        for name in needed {
            let list = checkers.get_mut(name).or_else(|| faults.get_mut(name));
            list.expect("one of their names").push(format!("`{}`", mutant.name));
        }
    }
    say("# What is needed for which mutant");
    say("");
    say(format!(
        "The output of `sim mutants --needs` at {}. Each mutant is swept with one\n\
         checker or one kind of fault switched off. Named are the mutants that are found with\n\
         all of them, and without this one by nobody, in as many runs as have about {HITS} hits\n\
         else.",
        env!("FAULTLINE_COMMIT")
    ));
    if !rare.is_empty() {
        say("");
        say(format!("Left out, because these runs, {RUNS_MAX} at most, had too few hits:"));
        say("");
        for name in rare {
            say(format!("- {name}"));
        }
    }
    let mut unexplained = 0;
    for (what, needs) in [("checker", &checkers), ("fault", &faults)] {
        say(format!("\n| {what} | needed for |\n|---|---|"));
        for (name, mutants) in needs {
            let reason = reasons.reason.iter().find(|reason| reason.name == *name);
            unexplained += u32::from(mutants.is_empty() && reason.is_none());
            let why = match reason {
                _ if !mutants.is_empty() => mutants.join(", "),
                Some(reason) => format!("no mutant. {}", reason.why),
                None => "no mutant. **Unexplained**".to_owned(),
            };
            say(format!("| `{name}` | {why} |"));
        }
    }
    Ok(if unexplained == 0 { Exit::Clean } else { Exit::Broken })
}

/// Runs that have about [`HITS`] hits.
fn enough(recorded: &Row) -> u64 {
    (HITS * recorded.runs).div_ceil(recorded.hits.max(1)).min(recorded.runs)
}

/// A mutant in the scratch copy, built.
struct Planted<'a> {
    scratch: &'a Scratch,
    mutant: &'a Mutant,
    runs: u64,
    jobs: usize,
}

impl Planted<'_> {
    /// What it needs; `None` if it is met too seldom to say.
    fn needs(&self, checkers: &Needs, faults: &Needs) -> Result<Option<Vec<&'static str>>, Failed> {
        let whole = self.sweep(&["--keep-going".to_owned()])?;
        let failed: Vec<&Value> =
            whole.iter().filter(|event| event["event"] == "seed_failed").collect();
        if (failed.len() as u64) < HITS_MIN {
            return Ok(None);
        }
        let mut needed = Vec::new();
        for &name in checkers.keys() {
            // Where another fires at the same event or elsewhere, that one finds it.
            let is_alone = |event: &&Value| {
                let fired = event["checkers"].as_array().map(Vec::as_slice).unwrap_or_default();
                fired.iter().all(|fired| fired == name)
            };
            if failed.iter().all(is_alone) && self.survives("checkers", &[name])? {
                needed.push(name);
            }
        }
        let delivered = whole.last().map(|event| event["faults"].clone()).unwrap_or_default();
        let strikes = |name: &str| {
            let phases = delivered[name].as_object().into_iter().flatten();
            phases.filter_map(|(_, count)| count.as_u64()).sum::<u64>() > 0
        };
        let striking: Vec<&'static str> =
            faults.keys().copied().filter(|name| strikes(name)).collect();
        // Mostly it is found without any.
        if !striking.is_empty() && self.survives("faults", &striking)? {
            for name in striking {
                if self.survives("faults", &[name])? {
                    needed.push(name);
                }
            }
        }
        Ok(Some(needed))
    }

    /// Whether nobody finds it with these switched off.
    fn survives(&self, what: &str, names: &[&str]) -> Result<bool, Failed> {
        let events = self.sweep(&[format!("--set=without.{what}={names:?}")])?;
        Ok(!events.iter().any(|event| event["event"] == "seed_failed"))
    }

    fn sweep(&self, flags: &[String]) -> Result<Vec<Value>, Failed> {
        let mut all = vec![
            "run".to_owned(),
            "--progress=none".to_owned(),
            format!("--scenario={}", self.mutant.scenario),
            format!("--seeds={}", self.runs),
            format!("--jobs={}", self.jobs),
        ];
        all.extend_from_slice(flags);
        let events = self.scratch.events(&self.mutant.name, &all, "run_finished")?;
        let parsed: Result<Vec<Value>, _> = events.lines().map(serde_json::from_str).collect();
        parsed.map_err(|error| Failed {
            exit: Exit::Internal,
            words: format!("{}: its sweep printed what is no event: {error}", self.mutant.name),
        })
    }
}
