//! [`Quiet`]: what a mutant shows in runs in which nothing fails and nobody dies.
//!
//! One that shows there would be found without a simulator of disks and crashes.

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::fault::FaultKind;

/// So many quiet runs a mutant gets at most.
pub(super) const RUNS_MAX: u64 = 1000;

/// What a quiet sweep came to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Quiet {
    /// Runs in which any checker fired.
    pub(super) hits: u64,
    pub(super) runs: u64,
}

impl Quiet {
    /// What this sweep of a mutant says, which was a quiet one.
    pub(super) fn of(row: &Row) -> Quiet {
        Quiet { hits: row.hits + row.others, runs: row.runs }
    }
}

/// The fields that leave nothing of a scenario but its clients, as `--set` takes them.
pub(super) fn settings() -> impl Iterator<Item = String> {
    let faults: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    let roomy = format!("disk.capacity={}", u32::MAX);
    ["without.crashes=true", "damage=[]", "disk.swallow_syncs=false"]
        .map(str::to_owned)
        .into_iter()
        .chain([roomy, format!("without.faults={faults:?}")])
}

#[cfg(test)]
mod tests {
    use super::super::super::select::select;
    use super::*;
    use crate::run::{Mode, on_fresh_thread};

    #[test]
    fn in_quiet_runs_of_any_scenario_nothing_fails_and_nobody_dies() {
        let settings: Vec<String> = settings().collect();
        let scenarios = select(&[], &settings, None).expect("each has these fields").scenarios;
        on_fresh_thread(move |runner| {
            for scenario in &scenarios {
                let mode = Mode { keep_events: true, ..Mode::default() };
                let verdict = runner.run(scenario, 7, mode);
                let name = &scenario.name;
                assert!(verdict.violations.is_empty(), "{name}: {:?}", verdict.violations);
                let faults: u64 = FaultKind::ALL.iter().map(|&kind| verdict.faults.of(kind)).sum();
                assert_eq!((verdict.crashes, faults), (0, 0), "{name}");
                // The power does not go behind a close either.
                assert!(verdict.disks.is_empty(), "{name}");
            }
        });
    }
}
