//! [`Row`]: what the sweep of one mutant came to, and how that compares with what is on record.
//!
//! Power is a rate. A first hit says little; hits of a fixed number of runs have an interval, and
//! two such numbers can be told apart or not.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::kept::{Keep, Kept};
use super::quiet::Quiet;
use crate::mutant::Mutant;
use crate::statistics;

/// Disjoint ranges of seeds over which the runs to a first hit are counted.
const RANGES: u64 = 5;

/// What a sweep of a mutant came to.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    /// The commit that was swept.
    pub(super) commit: String,
    pub(super) scenario: String,
    pub(super) runs: u64,
    /// Runs in which a checker fired that should.
    pub(super) hits: u64,
    /// Runs in which only others did.
    pub(super) others: u64,
    pub(super) first_seed: Option<u64>,
    /// Runs to the first hit: the median over five ranges of seeds. `None` if more than half of
    /// them have none.
    pub(super) median_runs: Option<u64>,
    /// Scheduling points to the violation: the median of the hits.
    pub(super) median_points: Option<u64>,
    /// Seconds of one core for one run.
    pub(super) seconds_per_run: f64,
    /// Runs by checker. Several may fire at the same event.
    pub(super) checkers: BTreeMap<String, u64>,
    /// What comes of runs in which nothing fails and nobody dies, if that was tried.
    #[serde(default)]
    pub(super) quiet: Option<Quiet>,
}

impl Row {
    /// Adds up the events of a sweep of `seeds` seeds by `jobs` workers; `None` if a line is not as
    /// it should be, or the last one is missing.
    pub(super) fn read(mutant: &Mutant, seeds: u64, jobs: usize, events: &str) -> Option<Row> {
        let mut row = Row {
            name: mutant.name.clone(),
            commit: env!("FAULTLINE_COMMIT").to_owned(),
            scenario: mutant.scenario.clone(),
            runs: 0,
            hits: 0,
            others: 0,
            first_seed: None,
            median_runs: None,
            median_points: None,
            seconds_per_run: 0.0,
            checkers: BTreeMap::new(),
            quiet: None,
        };
        let mut hit_seeds = Vec::new();
        let mut points = Vec::new();
        let mut is_finished = false;
        for line in events.lines() {
            let event: Value = serde_json::from_str(line).ok()?;
            match event["event"].as_str()? {
                "seed_failed" => {
                    let listed = event["checkers"].as_array().into_iter().flatten();
                    let mut checkers: Vec<&str> = listed.filter_map(Value::as_str).collect();
                    if event["hang"] == true {
                        checkers.push("liveness");
                    }
                    checkers.sort_unstable();
                    checkers.dedup();
                    for checker in &checkers {
                        *row.checkers.entry((*checker).to_owned()).or_default() += 1;
                    }
                    if checkers.iter().any(|fired| mutant.checkers.iter().any(|c| c == fired)) {
                        row.hits += 1;
                        hit_seeds.push(event["seed"].as_u64()?);
                        points.extend(event["point"].as_u64());
                    } else {
                        row.others += 1;
                    }
                }
                "run_finished" => {
                    is_finished = true;
                    row.runs = event["runs"].as_u64()?;
                    let seconds = event["wall_millis"].as_u64()? as f64 / 1000.0;
                    row.seconds_per_run = seconds * jobs as f64 / row.runs.max(1) as f64;
                }
                _ => {}
            }
        }
        row.first_seed = hit_seeds.iter().min().copied();
        row.median_runs = median_to_first(&hit_seeds, seeds).map(|median| {
            // A seed is a run in each scenario of a glob.
            median * row.runs.div_ceil(seeds.max(1))
        });
        points.sort_unstable();
        row.median_points = points.get(points.len() / 2).copied();
        is_finished.then_some(row)
    }

    /// Found, and by a checker that should find it.
    pub(super) fn is_found(&self) -> bool {
        self.hits > 0 && self.is_by_the_right_checker()
    }

    /// Not mostly found by checkers that have nothing to do with the promise that it breaks. If it
    /// is, either they speak of another promise than the one that is broken, or the header does.
    pub(super) fn is_by_the_right_checker(&self) -> bool {
        self.others <= self.hits
    }

    /// How likely as few hits as these were if the rate were the one on record.
    pub(super) fn p_of_so_few(&self, recorded: &Row) -> f64 {
        statistics::p_of_so_few((self.hits, self.runs), (recorded.hits, recorded.runs))
    }

    pub(super) fn interval(&self) -> (f64, f64) {
        statistics::interval(self.hits, self.runs)
    }

    /// The checkers that fired, each with its runs.
    pub(super) fn found_by(&self) -> String {
        let by: Vec<String> =
            self.checkers.iter().map(|(name, hits)| format!("{name} {hits}")).collect();
        by.join(", ")
    }

    /// Seconds of one core to the first hit.
    pub(super) fn median_seconds(&self) -> Option<f64> {
        self.median_runs.map(|runs| runs as f64 * self.seconds_per_run)
    }
}

/// The median over the ranges of how many seeds it takes to the first of `hits`.
fn median_to_first(hits: &[u64], seeds: u64) -> Option<u64> {
    let range = (seeds / RANGES).max(1);
    let mut firsts: Vec<Option<u64>> = (0..RANGES)
        .map(|n| {
            let (from, to) = (n * range, (n + 1) * range);
            let within = hits.iter().filter(|&&seed| from <= seed && seed < to);
            within.min().map(|first| first - from + 1)
        })
        .collect();
    // A range without a hit would have taken longer than any other.
    firsts.sort_unstable_by_key(|first| first.unwrap_or(u64::MAX));
    firsts[firsts.len() / 2]
}

impl Keep for Row {
    type Key = String;

    fn key(&self) -> String {
        self.name.clone()
    }
}

/// The rows on record, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    rows: Kept<Row>,
}

impl Record {
    /// Reads `file`; empty if there is none.
    pub(super) fn load(file: &Path) -> Result<Record, String> {
        Ok(Record { rows: Kept::load(file)? })
    }

    pub(super) fn get(&self, name: &str) -> Option<&Row> {
        self.rows.get(&name.to_owned())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Puts `row` in the place of the one of its name, and writes `file`.
    pub(super) fn set(&mut self, row: Row, file: &Path) -> Result<(), String> {
        self.rows.add(row, file)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn mutant() -> Mutant {
        let text = "what: w\nsource: s\npromise: 2\nchecker: durability, errors\n\
                    scenario: disk_full\nruns: 20\n\n--- a/x\n";
        Mutant::parse("m".to_owned(), &PathBuf::from("m.patch"), text).expect("a header")
    }

    const EVENTS: &str = r#"{"event":"run_started"}
{"event":"seed_failed","seed":7,"checkers":["reads","durability"],"point":30}
{"event":"seed_failed","seed":3,"checkers":["errors"],"point":10}
{"event":"seed_failed","seed":9,"checkers":["reads"],"point":5}
{"event":"seed_failed","seed":12,"hang":true}
{"event":"run_finished","runs":20,"wall_millis":1000}"#;

    #[test]
    fn only_checkers_that_should_find_it_count_as_hits() {
        let row = Row::read(&mutant(), 20, 2, EVENTS).expect("whole");
        assert_eq!((row.runs, row.hits, row.others, row.first_seed), (20, 2, 2, Some(3)));
        assert_eq!(row.checkers["reads"], 2);
        assert_eq!(row.checkers["liveness"], 1);
        assert_eq!(row.median_points, Some(30));
        assert!((row.seconds_per_run - 0.1).abs() < 1e-12);
        // Hits in two ranges of five: more than half have none.
        assert_eq!((row.median_runs, row.median_seconds()), (None, None));
        let cut_off: Vec<&str> = EVENTS.lines().take(5).collect();
        assert_eq!(Row::read(&mutant(), 20, 2, &cut_off.join("\n")), None);
    }

    #[test]
    fn the_median_counts_a_range_without_a_hit_as_the_longest() {
        assert_eq!(median_to_first(&[0, 12, 23], 50), Some(4));
        assert_eq!(median_to_first(&[0, 12, 23, 30, 49], 50), Some(3));
        assert_eq!(median_to_first(&[0, 12], 50), None);
        assert_eq!(median_to_first(&[0], 1), None);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("record");
        let mut record = Record::load(&file).expect("none yet");
        let row = Row::read(&mutant(), 20, 2, EVENTS).expect("whole");
        let row = Row { quiet: Some(Quiet { hits: 4, runs: 20 }), ..row };
        record.set(row.clone(), &file).expect("writes");
        assert_eq!(Record::load(&file).expect("reads").get("m"), Some(&row));
    }
}
