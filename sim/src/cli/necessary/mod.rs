//! `sim exhaust --necessary-syncs`: what breaks without each sync of the engine, as a table.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "syncs are left out on all cores"
)]

mod page;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use super::args::{ExhaustArgs, Format};
use super::kept::{Keep, Kept};
use super::output::{event, remark, say};
use super::run::cores;
use super::{Exit, Failed};
use crate::disk::{Device, PROFILES};
use crate::exhaust::Place;
use crate::necessary::{Effort, Finding, Needed, Sync, leave_out, syncs};
use crate::scenario::{Scenario, embedded};
use page::Page;

/// The profiles on which every promise must hold.
fn honest_profiles() -> Vec<&'static str> {
    let honest = PROFILES.into_iter().filter(|profile| profile.device == Device::Honest);
    honest.map(|profile| profile.name).collect()
}

/// Why the engine keeps a sync that no run needs, by label.
const REASONS: &str = include_str!("../../../necessary-syncs.toml");

#[derive(Deserialize)]
struct Reason {
    sync: String,
    why: String,
}

#[derive(Deserialize)]
struct Reasons {
    reason: Vec<Reason>,
}

/// What came of leaving a sync out on a profile of the disk.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Cell {
    sync: String,
    profile: String,
    /// The commit that was tried.
    commit: String,
    /// Runs without the sync, the one that breaks a promise included.
    runs: u64,
    broken: Option<Broken>,
}

/// The first run that breaks a promise.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Broken {
    scenario: String,
    seed: u64,
    /// The crash, if the schedule was exhausted.
    crash: Option<Vec<Place>>,
    checker: String,
    promise: String,
    expected: String,
    got: String,
}

impl Keep for Cell {
    type Key = (String, String);

    fn key(&self) -> Self::Key {
        (self.sync.clone(), self.profile.clone())
    }
}

impl Cell {
    fn new(sync: &Sync, profile: &str, finding: Finding, scenarios: &[Scenario]) -> Self {
        let broken = finding.needed.map(|needed| {
            let Needed { scenario, seed, crash, violation } = needed;
            Broken {
                scenario: scenarios[scenario].name.clone(),
                seed,
                crash,
                checker: violation.checker.to_owned(),
                promise: violation.promise.to_owned(),
                expected: violation.expected,
                got: violation.got,
            }
        });
        Cell {
            sync: sync.label.clone(),
            profile: profile.to_owned(),
            commit: env!("FAULTLINE_COMMIT").to_owned(),
            runs: finding.runs,
            broken,
        }
    }
}

/// Leaves out what has not been left out, keeping each result in the file that `args` name, and
/// prints the page. [`Exit::Incomplete`] if nothing needs a sync and nobody has said why it is
/// there.
pub(super) fn necessary_syncs(args: &ExhaustArgs) -> Result<Exit, Failed> {
    let internal = |words| Failed { exit: Exit::Internal, words };
    let reasons: Reasons =
        toml::from_str(REASONS).map_err(|error| internal(format!("its reasons: {error}")))?;
    let scenarios = embedded().map_err(|error| internal(error.to_string()))?;
    let effort = Effort::default();
    let mut kept = Kept::<Cell>::load(&args.cells).map_err(Failed::usage)?;
    let syncs = syncs(&scenarios, effort).map_err(internal)?;
    kept.retain(|cell| syncs.iter().any(|sync| sync.label == cell.sync));
    kept.save(&args.cells).map_err(Failed::environment)?;
    let profiles = honest_profiles();
    let missing = missing(&syncs, &profiles, &kept);
    let (all, left) = (syncs.len() * profiles.len(), missing.len());
    remark(format!(
        "{} syncs on {} profiles: {left} of {all} are left",
        syncs.len(),
        profiles.len()
    ));
    let mut work = Work { scenarios: &scenarios, effort, missing, file: &args.cells, kept };
    work.carry_out(args.jobs.unwrap_or_else(cores).max(1))?;
    for reason in &reasons.reason {
        if !syncs.iter().any(|sync| sync.label == reason.sync) {
            remark(format!("note: no run meets `{}`, of which a reason is given", reason.sync));
        }
    }
    let page = Page { profiles: &profiles, reasons: &reasons, effort, kept: &work.kept };
    match args.format {
        Format::Human => say(page.text().trim_end()),
        Format::Json => syncs.iter().for_each(|sync| event(&page.json(&sync.label, sync.met))),
    }
    Ok(if page.is_explained() { Exit::Clean } else { Exit::Incomplete })
}

/// What is not on file, in the order of the page.
fn missing<'a>(
    syncs: &'a [Sync],
    profiles: &[&'static str],
    kept: &Kept<Cell>,
) -> Vec<(&'a Sync, &'static str)> {
    let all = syncs.iter().flat_map(|sync| profiles.iter().map(move |profile| (sync, *profile)));
    let is_missing = |(sync, profile): &(&Sync, &str)| {
        kept.get(&(sync.label.clone(), (*profile).to_owned())).is_none()
    };
    all.filter(is_missing).collect()
}

/// The cells that are still to be filled.
struct Work<'a> {
    scenarios: &'a [Scenario],
    effort: Effort,
    missing: Vec<(&'a Sync, &'a str)>,
    file: &'a Path,
    kept: Kept<Cell>,
}

impl Work<'_> {
    /// Fills all of them, or ends with the first that fails.
    fn carry_out(&mut self, jobs: usize) -> Result<(), Failed> {
        let next = AtomicUsize::new(0);
        let has_failed = AtomicBool::new(false);
        let results = Mutex::new(std::mem::take(&mut self.kept));
        let failures = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while !has_failed.load(Ordering::Relaxed)
                        && let Some((sync, profile)) =
                            self.missing.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if let Err(failed) = self.fill(sync, profile, &results) {
                            has_failed.store(true, Ordering::Relaxed);
                            failures.lock().expect("no worker panics").push(failed);
                        }
                    }
                });
            }
        });
        self.kept = results.into_inner().expect("no worker panics");
        let failed = failures.into_inner().expect("no worker panics").pop();
        failed.map_or(Ok(()), Err)
    }

    fn fill(&self, sync: &Sync, profile: &str, results: &Mutex<Kept<Cell>>) -> Result<(), Failed> {
        let finding = leave_out(self.scenarios, sync, profile, self.effort)
            .map_err(|words| Failed { exit: Exit::Internal, words })?;
        let cell = Cell::new(sync, profile, finding, self.scenarios);
        let came = cell.broken.as_ref().map_or("nothing", |broken| broken.checker.as_str());
        remark(format!("{} on {profile}: {came} in {} runs", cell.sync, cell.runs));
        let mut results = results.lock().expect("no worker panics");
        results.add(cell, self.file).map_err(Failed::environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILES: [&str; 2] = ["posix-weak", "btrfs"];

    fn sync(label: &str, scenarios: &[Scenario]) -> Sync {
        let at = scenarios.iter().position(|scenario| scenario.name == "tiny_two_syncs");
        Sync { label: label.to_owned(), met: 1, scenarios: vec![at.expect("it is there")] }
    }

    #[test]
    fn what_is_on_file_is_not_tried_again() {
        let scenarios = embedded().expect("they are right");
        let syncs = ["close/main: sync log", "run/writer: sync log"].map(|l| sync(l, &scenarios));
        let effort = Effort { looks: 0, schedules: 1, images: 8, seeds: 0 };
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("cells");
        let fill = |kept: Kept<Cell>, file: &Path, jobs| {
            let missing = missing(&syncs, &PROFILES, &kept);
            let mut work = Work { scenarios: &scenarios, effort, missing, file, kept };
            work.carry_out(jobs).map(|()| work.kept)
        };
        let all: Vec<Cell> =
            fill(Kept::default(), &file, 2).expect("works").all().cloned().collect();
        assert_eq!(all.len(), 4);
        let of_log = |cell: &&Cell| cell.sync == "run/writer: sync log";
        for cell in all.iter().filter(of_log) {
            let broken = cell.broken.as_ref().expect("it is needed");
            assert_eq!((broken.checker.as_str(), broken.seed), ("durability", 0), "{cell:?}");
            assert!(broken.scenario == "tiny_two_syncs" && broken.crash.is_some(), "{cell:?}");
        }

        // One is as nobody would find it; another is missing.
        let load = || Kept::<Cell>::load(&file).expect("reads");
        let mut kept = load();
        assert!(kept.all().eq(&all), "every cell is on file");
        let changed = Cell { runs: 1 << 40, ..all[0].clone() };
        kept.retain(|cell| *cell != all[3]);
        kept.add(changed.clone(), &file).expect("writes");
        let again = fill(load(), &file, 1).expect("works");
        let expected = [&changed, &all[1], &all[2], &all[3]];
        assert!(again.all().eq(expected), "{again:?}");
        assert!(load().all().eq(expected));
    }

    #[test]
    fn a_cell_that_cannot_be_kept_ends_the_command() {
        let scenarios = embedded().expect("they are right");
        let syncs = [sync("run/writer: sync log", &scenarios)];
        let effort = Effort { looks: 0, schedules: 1, images: 8, seeds: 0 };
        let missing = missing(&syncs, &PROFILES, &Kept::default());
        let file = Path::new("/nowhere/at/all");
        let mut work = Work { scenarios: &scenarios, effort, missing, file, kept: Kept::default() };
        let failed = work.carry_out(1).expect_err("there is no such folder");
        assert_eq!(failed.exit, Exit::Environment, "{}", failed.words);
        assert_eq!(work.kept.len(), 1, "the first cell, and no other");
    }
}
