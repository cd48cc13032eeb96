//! What each checker and each kind of fault is needed for: the mutants that none finds without it.
//!
//! What each mutant needs is kept in `needs.jsonl` beside the patches as soon as it is known.

mod page;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::args::MutantsArgs;
use super::super::kept::{Keep, Kept};
use super::super::output::{remark, say};
use super::super::run::cores;
use super::super::{Exit, Failed};
use super::row::{Record, Row};
use super::scratch::Scratch;
use crate::checker;
use crate::fault::FaultKind;
use crate::mutant::Mutant;
use page::{Page, Reasons};

/// So many hits a sweep is to have, by the record: none at all is then no chance.
const HITS: u64 = 20;
/// Runs of a sweep at most. A mutant that has fewer than [`HITS_MIN`] hits in them is left out.
const RUNS_MAX: u64 = 12_000;
const HITS_MIN: u64 = 8;

/// What the sweeps of one mutant came to.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Needed {
    name: String,
    /// The commit that was swept.
    commit: String,
    /// The checkers and kinds of faults without which nobody finds it; `None` if it is met too
    /// seldom to say.
    needs: Option<Vec<String>>,
}

impl Keep for Needed {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// Plants those of `mutants` in turn that have no result on file, and sweeps each with each checker
/// and each kind of fault switched off that has to do with it. Prints the page of all there is on
/// file. [`Exit::Broken`] if nothing needs one of them and nobody has said why it is there.
pub(super) fn needs(
    scratch: &Scratch,
    mutants: &[Mutant],
    record: &Record,
    args: &MutantsArgs,
) -> Result<Exit, Failed> {
    let reasons = Reasons::load()
        .map_err(|error| Failed { exit: Exit::Internal, words: format!("needs.toml: {error}") })?;
    let file = args.dir.join("needs.jsonl");
    let jobs = args.jobs.unwrap_or_else(cores);
    let zoo = Mutant::all(&args.dir).map_err(Failed::usage)?;
    let mut kept = Kept::<Needed>::load(&file).map_err(Failed::usage)?;
    for (nth, mutant) in mutants.iter().enumerate() {
        if kept.get(&mutant.name).is_some() {
            continue;
        }
        let runs = record.get(&mutant.name).map_or(mutant.runs, enough).min(RUNS_MAX);
        remark(format!("  building {} ({} of {})", mutant.name, nth + 1, mutants.len()));
        scratch.plant(&mutant.file)?;
        let planted = Planted { scratch, mutant, runs, jobs };
        let needed = scratch.build().and_then(|()| planted.needs());
        scratch.remove(&mutant.file)?;
        kept.add(needed?, &file).map_err(Failed::environment)?;
    }
    let names: Vec<&str> = zoo.iter().map(|mutant| mutant.name.as_str()).collect();
    let page = Page { names: &names, kept: &kept, reasons: &reasons };
    say(page.text().trim_end());
    Ok(if page.is_explained() { Exit::Clean } else { Exit::Broken })
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
    fn needs(&self) -> Result<Needed, Failed> {
        let whole = self.sweep(&["--keep-going".to_owned()])?;
        let commit = whole.first().and_then(|event| event["commit"].as_str());
        let commit = commit.unwrap_or_default().to_owned();
        let needs = self.needs_beside(&whole)?;
        let needs = needs.map(|names| names.into_iter().map(str::to_owned).collect());
        Ok(Needed { name: self.mutant.name.clone(), commit, needs })
    }

    /// What it needs, if these are the events of a sweep with everything.
    fn needs_beside(&self, whole: &[Value]) -> Result<Option<Vec<&'static str>>, Failed> {
        let failed: Vec<&Value> =
            whole.iter().filter(|event| event["event"] == "seed_failed").collect();
        if (failed.len() as u64) < HITS_MIN {
            return Ok(None);
        }
        let mut needed = Vec::new();
        for name in checker::all().iter().map(|checker| checker.name()) {
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
            FaultKind::ALL.iter().map(|kind| kind.name()).filter(|name| strikes(name)).collect();
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
            format!("--seeds={}", self.runs),
            format!("--jobs={}", self.jobs),
        ];
        all.extend(self.mutant.scenario_flags());
        all.extend_from_slice(flags);
        let events = self.scratch.events(&self.mutant.name, &all, "run_finished")?;
        let parsed: Result<Vec<Value>, _> = events.lines().map(serde_json::from_str).collect();
        parsed.map_err(|error| Failed {
            exit: Exit::Internal,
            words: format!("{}: its sweep printed what is no event: {error}", self.mutant.name),
        })
    }
}
