//! `sim mutants --exhaust`: which tiny scenarios find which mutants, when schedules of them are
//! exhausted.

mod page;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::args::MutantsArgs;
use super::super::kept::{Keep, Kept};
use super::super::output::{remark, say};
use super::super::run::cores;
use super::super::{Exit, Failed};
use super::scratch::Scratch;
use crate::mutant::Mutant;
use crate::scenario::{Scenario, embedded};
use page::Page;

/// How much of each scenario is exhausted, as the gate does it too. What is on file was tried with
/// these flags: with others it is to be removed.
const FLAGS: &str = "--seeds 24 --preemptions 0 --schedules 8 --images 16";

/// What came of exhausting a scenario with a mutant planted.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Cell {
    name: String,
    scenario: String,
    /// Digest of the scenario's text.
    digest: String,
    /// The commit that was tried.
    commit: String,
    /// Deaths and images tried, up to the counterexample, if there is one. It was written down
    /// under another name before images without a record were counted apart.
    #[serde(alias = "recoveries")]
    tried: u64,
    found: Option<Found>,
}

/// The first counterexample.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Found {
    seed: u64,
    /// Those that fired at the violation.
    checkers: Vec<String>,
}

impl Keep for Cell {
    type Key = (String, String);

    fn key(&self) -> Self::Key {
        (self.name.clone(), self.scenario.clone())
    }
}

impl Cell {
    /// What the events of `sim exhaust` say; `None` if a line is not as it should be, or the last
    /// one is missing.
    fn read(name: &str, scenario: &Scenario, events: &str) -> Option<Cell> {
        let mut cell = Cell {
            name: name.to_owned(),
            scenario: scenario.name.clone(),
            digest: scenario.digest.clone(),
            commit: env!("FAULTLINE_COMMIT").to_owned(),
            tried: 0,
            found: None,
        };
        let mut is_finished = false;
        for line in events.lines() {
            let event: Value = serde_json::from_str(line).ok()?;
            match event["event"].as_str()? {
                "counterexample" => {
                    let checkers = event["checkers"].as_array()?.iter();
                    let mut checkers: Vec<String> =
                        checkers.filter_map(Value::as_str).map(str::to_owned).collect();
                    checkers.sort_unstable();
                    checkers.dedup();
                    cell.found = Some(Found { seed: event["seed"].as_u64()?, checkers });
                }
                "exhaust_finished" => {
                    is_finished = true;
                    let count = |name: &str| event[name].as_u64();
                    cell.tried = count("recoveries")? + count("opens_without_record")?;
                }
                _ => {}
            }
        }
        is_finished.then_some(cell)
    }

    /// Whether mutant and scenario are still what they were.
    fn is_fresh(&self, zoo: &[Mutant], tiny: &[Scenario]) -> bool {
        let is_there = zoo.iter().any(|mutant| mutant.name == self.name);
        let is_same = |scenario: &Scenario| {
            (&scenario.name, &scenario.digest) == (&self.scenario, &self.digest)
        };
        is_there && tiny.iter().any(is_same)
    }
}

/// The scenarios that are meant to be exhausted.
fn tiny() -> Result<Vec<Scenario>, Failed> {
    let mut scenarios = embedded().map_err(|error| Failed::usage(error.to_string()))?;
    scenarios.retain(|scenario| scenario.name.starts_with("tiny_"));
    Ok(scenarios)
}

/// The scenarios that were not tried with a mutant, in the order of the page.
fn missing<'a>(name: &str, tiny: &'a [Scenario], kept: &Kept<Cell>) -> Vec<&'a Scenario> {
    let is_missing =
        |scenario: &&Scenario| kept.get(&(name.to_owned(), scenario.name.clone())).is_none();
    tiny.iter().filter(is_missing).collect()
}

/// Plants those of `mutants` in turn of which something is not on file, exhausts what was not,
/// keeping each result in `tiny.jsonl` beside the patches, and prints the page of all there is on
/// file. [`Exit::Broken`] if a scenario finds fewer mutants than it has to, [`Exit::Incomplete`]
/// if that may be because some were not tried.
pub(super) fn exhaust(
    scratch: &Scratch,
    mutants: &[Mutant],
    args: &MutantsArgs,
) -> Result<Exit, Failed> {
    let file = args.dir.join("tiny.jsonl");
    let jobs = args.jobs.unwrap_or_else(cores);
    let zoo = Mutant::all(&args.dir).map_err(Failed::usage)?;
    let tiny = tiny()?;
    let mut kept = Kept::<Cell>::load(&file).map_err(Failed::usage)?;
    kept.retain(|cell| cell.is_fresh(&zoo, &tiny));
    kept.save(&file).map_err(Failed::environment)?;
    for (nth, mutant) in mutants.iter().enumerate() {
        let missing = missing(&mutant.name, &tiny, &kept);
        if missing.is_empty() {
            continue;
        }
        remark(format!("  building {} ({} of {})", mutant.name, nth + 1, mutants.len()));
        scratch.plant(&mutant.file)?;
        let tried = scratch.build().and_then(|()| {
            for scenario in missing {
                let cell = try_one(scratch, &mutant.name, scenario, jobs)?;
                kept.add(cell, &file).map_err(Failed::environment)?;
            }
            Ok(())
        });
        scratch.remove(&mutant.file)?;
        tried?;
    }
    let zoo: Vec<&str> = zoo.iter().map(|mutant| mutant.name.as_str()).collect();
    let tiny: Vec<&str> = tiny.iter().map(|scenario| scenario.name.as_str()).collect();
    let page = Page { zoo: &zoo, tiny: &tiny, kept: &kept };
    say(page.text().trim_end());
    Ok(match (page.is_enough(), page.untried().is_empty()) {
        (true, _) => Exit::Clean,
        (false, true) => Exit::Broken,
        (false, false) => Exit::Incomplete,
    })
}

/// Exhausts `scenario` with what is planted and built.
fn try_one(
    scratch: &Scratch,
    name: &str,
    scenario: &Scenario,
    jobs: usize,
) -> Result<Cell, Failed> {
    let flags = format!("exhaust {} {FLAGS} --progress none --jobs {jobs}", scenario.name);
    let flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
    let events = scratch.events(name, &flags, "exhaust_finished")?;
    Cell::read(name, scenario, &events).ok_or_else(|| Failed {
        exit: Exit::Internal,
        words: format!("{name}: sim exhaust printed what is no event of it"),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const EVENTS: &str = r#"{"event":"counterexample","seed":3,"checkers":["reads","contents"]}
{"event":"exhaust_finished","recoveries":1234,"opens_without_record":5,"counterexamples":1}"#;

    fn mutant(name: &str) -> Mutant {
        let text = "what: w\nsource: s\npromise: 2\nchecker: reads\nscenario: disk_full\nruns: 20\n\
                    \n--- a/x\n";
        Mutant::parse(name.to_owned(), Path::new("m.patch"), text).expect("a header")
    }

    #[test]
    fn a_cell_has_the_first_counterexample_or_none() {
        let tiny = tiny().expect("they are right");
        let cell = Cell::read("m", &tiny[0], EVENTS).expect("whole");
        let checkers = vec!["contents".to_owned(), "reads".to_owned()];
        assert_eq!(cell.found, Some(Found { seed: 3, checkers }));
        assert_eq!((cell.tried, &cell.digest), (1239, &tiny[0].digest));
        let last = EVENTS.lines().last().expect("a line");
        assert_eq!(Cell::read("m", &tiny[0], last).expect("whole").found, None);
        let first = EVENTS.lines().next().expect("a line");
        assert_eq!(Cell::read("m", &tiny[0], first), None);
    }

    #[test]
    fn what_is_on_file_is_not_tried_again() {
        let tiny = tiny().expect("they are right");
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("tiny");
        let mut kept = Kept::load(&file).expect("none yet");
        assert_eq!(missing("m", &tiny, &kept).len(), tiny.len());
        for scenario in &tiny[1..] {
            let cell = Cell::read("m", scenario, EVENTS).expect("whole");
            kept.add(cell, &file).expect("writes");
        }
        let read = Kept::<Cell>::load(&file).expect("reads");
        assert!(read.all().eq(kept.all()), "{read:?}");
        let names = |name: &str| -> Vec<String> {
            missing(name, &tiny, &read).iter().map(|scenario| scenario.name.clone()).collect()
        };
        assert_eq!(names("m"), [tiny[0].name.clone()]);
        assert_eq!(names("n").len(), tiny.len());
    }

    #[test]
    fn what_was_changed_or_removed_is_not_fresh() {
        let tiny = tiny().expect("they are right");
        let zoo = [mutant("l"), mutant("m")];
        let cell = Cell::read("m", &tiny[1], EVENTS).expect("whole");
        assert!(cell.is_fresh(&zoo, &tiny));
        assert!(!cell.is_fresh(&zoo[..1], &tiny), "its patch is gone");
        assert!(!cell.is_fresh(&zoo, &tiny[..1]), "its scenario is gone");
        let changed = Scenario { digest: "00000000".to_owned(), ..tiny[1].clone() };
        assert!(!cell.is_fresh(&zoo, &[changed]), "its scenario is another");
    }
}
