//! Which syncs of the engine are necessary: each is left out in turn, on each profile of the disk.
//!
//! The labels ([`crate::syncs`]) are those that some seeds of all scenarios meet. For each, the
//! search goes from small to large, so that the first counterexample is a small one: first every
//! crash of some schedules of the tiny scenarios, then seeds of every other scenario that meets the
//! sync, those with the fewest scheduling points first. A sync for which nothing is found is not
//! proved useless: no run needed it.

use std::collections::BTreeMap;

use crate::checker::Violation;
use crate::exhaust::{Bounds, Place, Search, Step};
use crate::run::{Mode, Runner, on_fresh_thread};
use crate::scenario::Scenario;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Seeds of each scenario that are run to see which syncs there are.
    pub looks: u64,
    /// Schedules of each tiny scenario that are exhausted.
    pub schedules: u64,
    /// Images at an instant of these, at most.
    pub images: usize,
    /// Seeds of each other scenario.
    pub seeds: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { looks: 40, schedules: 4, images: 64, seeds: 400 }
    }
}

/// A sync of the engine, and where it is met.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Its label.
    pub label: String,
    /// How often it was met.
    pub met: u64,
    /// The scenarios that meet it, by their indices, small ones first.
    pub scenarios: Vec<usize>,
}

/// Finds the syncs that seeds of `scenarios` meet.
///
/// # Errors
/// In words, if the simulator itself fails.
pub fn syncs(scenarios: &[Scenario], effort: Effort) -> Result<Vec<Sync>, String> {
    let mut met: BTreeMap<String, (u64, Vec<usize>)> = BTreeMap::new();
    let mut points = vec![0; scenarios.len()];
    for (index, scenario) in scenarios.iter().enumerate() {
        for seed in 0..effort.looks {
            let scenario = scenario.clone();
            let verdict = on_fresh_thread(move |runner| {
                let mode = Mode { note_syncs: true, ..Mode::default() };
                runner.run_caught(&scenario, seed, mode)
            });
            if let Some(words) = verdict.harness_error {
                return Err(words);
            }
            points[index] += verdict.points;
            for (label, count) in verdict.syncs {
                let entry = met.entry(label).or_default();
                entry.0 += count;
                if entry.1.last() != Some(&index) {
                    entry.1.push(index);
                }
            }
        }
    }
    let syncs = met.into_iter().map(|(label, (met, mut scenarios))| {
        scenarios.sort_by_key(|&index| points[index]);
        Sync { label, met, scenarios }
    });
    Ok(syncs.collect())
}

/// The first run that needs a sync.
#[derive(Clone, Debug)]
pub struct Needed {
    /// The scenario, by its index.
    pub scenario: usize,
    /// The seed.
    pub seed: u64,
    /// The crash, if the schedule was exhausted; else the one that the seed plans.
    pub crash: Option<Vec<Place>>,
    /// What is broken without the sync.
    pub violation: Violation,
}

/// What came of leaving a sync out.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// The first run that needs it.
    pub needed: Option<Needed>,
    /// Runs without it, this one included.
    pub runs: u64,
}

/// Leaves `sync` out on a disk of `profile`.
///
/// # Errors
/// In words, if the simulator itself fails.
pub fn leave_out(
    scenarios: &[Scenario],
    sync: &Sync,
    profile: &str,
    effort: Effort,
) -> Result<Finding, String> {
    let mut finding = Finding::default();
    let (tiny, others): (Vec<usize>, Vec<usize>) =
        sync.scenarios.iter().partition(|&&index| is_tiny(&scenarios[index]));
    for index in tiny {
        let scenario = without(&scenarios[index], sync, profile);
        for seed in 0..effort.schedules {
            let bounds =
                Bounds { images: effort.images, crashes: 1, preemptions: None, schedules: 1 };
            let search = Search::new(&scenario, seed, bounds);
            let (runs, found) = on_fresh_thread(move |runner| exhaust(runner, search))?;
            finding.runs += runs;
            if let Some((crash, violation)) = found {
                let crash = Some(crash);
                finding.needed = Some(Needed { scenario: index, seed, crash, violation });
                return Ok(finding);
            }
        }
    }
    for index in others {
        let scenario = without(&scenarios[index], sync, profile);
        let seeds = effort.seeds;
        let (runs, found) = on_fresh_thread(move |runner| sweep(runner, &scenario, seeds))?;
        finding.runs += runs;
        if let Some((seed, violation)) = found {
            finding.needed = Some(Needed { scenario: index, seed, crash: None, violation });
            return Ok(finding);
        }
    }
    Ok(finding)
}

/// Whether its schedules can be exhausted.
fn is_tiny(scenario: &Scenario) -> bool {
    scenario.name.starts_with("tiny_")
}

fn without(scenario: &Scenario, sync: &Sync, profile: &str) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.spec.disk.profiles = vec![profile.to_owned()];
    scenario.spec.disk.leave_out = Some(sync.label.clone());
    scenario
}

/// How many runs, and the first that breaks a promise.
type Tried<T> = Result<(u64, Option<(T, Violation)>), String>;

fn exhaust(runner: &mut Runner, mut search: Search) -> Tried<Vec<Place>> {
    let mut explorer = search.explore(runner);
    loop {
        match explorer.step()? {
            Step::GoOn => {}
            Step::Done => return Ok((explorer.search().done().tried() + 1, None)),
            Step::Found(mut found) => {
                let violation = found.verdict.violations.swap_remove(0);
                let runs = explorer.search().done().tried() + 1;
                return Ok((runs, Some((found.crashes, violation))));
            }
        }
    }
}

fn sweep(runner: &mut Runner, scenario: &Scenario, seeds: u64) -> Tried<u64> {
    for seed in 0..seeds {
        let mut verdict = runner.run_caught(scenario, seed, Mode::default());
        if let Some(words) = verdict.harness_error {
            return Err(format!("{}:{seed}: {words}", scenario.token()));
        }
        if !verdict.violations.is_empty() {
            return Ok((seed + 1, Some((seed, verdict.violations.swap_remove(0)))));
        }
    }
    Ok((seeds, None))
}
