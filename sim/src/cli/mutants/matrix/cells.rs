//! [`Cells`]: the hits of each mutant, policy and profile that have been counted so far.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::super::kept::{Keep, Kept, commits};
use super::super::row::Row;
use crate::policy::PolicyName;

/// What one sweep came to.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) policy: String,
    pub(super) profile: String,
    /// The commit that was swept.
    pub(super) commit: String,
    pub(super) runs: u64,
    /// Runs in which a checker fired that should.
    pub(super) hits: u64,
}

impl Cell {
    pub(super) fn tally(&self) -> Tally {
        Tally { hits: self.hits, runs: self.runs }
    }

    pub(super) fn new(row: &Row, policy: &PolicyName, profile: &str) -> Cell {
        Cell {
            name: row.name.clone(),
            policy: policy.to_string(),
            profile: profile.to_owned(),
            commit: row.commit.clone(),
            runs: row.runs,
            hits: row.hits,
        }
    }
}

/// Hits of runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) hits: u64,
    pub(super) runs: u64,
}

impl Tally {
    /// 0 if there were no runs.
    pub(super) fn rate(self) -> f64 {
        self.hits as f64 / self.runs.max(1) as f64
    }
}

impl Keep for Cell {
    type Key = (String, String, String);

    fn key(&self) -> Self::Key {
        (self.name.clone(), self.policy.clone(), self.profile.clone())
    }
}

/// The cells on file.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    cells: Kept<Cell>,
}

impl Cells {
    /// Reads `file`; empty if there is none.
    pub(super) fn load(file: &Path) -> Result<Cells, String> {
        Ok(Cells { cells: Kept::load(file)? })
    }

    #[cfg(test)]
    pub(super) fn insert(&mut self, cell: Cell) {
        self.cells.insert(cell);
    }

    pub(super) fn get(&self, name: &str, policy: &PolicyName, profile: &str) -> Option<&Cell> {
        self.cells.get(&(name.to_owned(), policy.to_string(), profile.to_owned()))
    }

    /// Adds `cell`, and writes `file`.
    pub(super) fn add(&mut self, cell: Cell, file: &Path) -> Result<(), String> {
        self.cells.add(cell, file)
    }

    /// The sum over the cells of `name` that `is_meant`.
    pub(super) fn tally(&self, name: &str, is_meant: impl Fn(&Cell) -> bool) -> Tally {
        let meant = self.cells.all().filter(|cell| cell.name == name && is_meant(cell));
        meant.fold(Tally::default(), |sum, cell| Tally {
            hits: sum.hits + cell.hits,
            runs: sum.runs + cell.runs,
        })
    }

    fn of(&self, names: &[&str]) -> impl Iterator<Item = &Cell> {
        self.cells.all().filter(|cell| names.contains(&cell.name.as_str()))
    }

    /// The most runs that a cell of `names` has.
    pub(super) fn most_runs(&self, names: &[&str]) -> u64 {
        self.of(names).map(|cell| cell.runs).max().unwrap_or(0)
    }

    /// The commits that were swept for `names`.
    pub(super) fn commits(&self, names: &[&str]) -> String {
        commits(self.of(names).map(|cell| &cell.commit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(policy: &str, profile: &str, hits: u64) -> Cell {
        Cell {
            name: "m".to_owned(),
            policy: policy.to_owned(),
            profile: profile.to_owned(),
            commit: "c".to_owned(),
            runs: 100,
            hits,
        }
    }

    #[test]
    fn what_was_swept_is_found_again_and_added_up() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("cells");
        let mut cells = Cells::load(&file).expect("none yet");
        cells.add(cell("random", "posix-weak", 3), &file).expect("writes");
        cells.add(cell("random", "xfs", 5), &file).expect("writes");
        cells.add(cell("sticky", "xfs", 7), &file).expect("writes");
        let read = Cells::load(&file).expect("reads");
        assert_eq!(read.get("m", &PolicyName::Random, "xfs"), Some(&cell("random", "xfs", 5)));
        assert_eq!(read.get("m", &PolicyName::Sticky, "posix-weak"), None);
        let tally = read.tally("m", |cell| cell.policy == "random");
        assert_eq!(tally, Tally { hits: 8, runs: 200 });
        assert_eq!(read.commits(&["m"]), "c");
        let other =
            |name: &str, runs| Cell { name: name.to_owned(), runs, ..cell("random", "x", 0) };
        let mut more = Cells::default();
        for cell in [other("m", 100), other("n", 300), other("o", 900)] {
            more.insert(cell);
        }
        assert_eq!((more.most_runs(&["m", "n"]), more.most_runs(&["none"])), (300, 0));
    }
}
