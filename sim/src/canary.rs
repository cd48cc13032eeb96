//! The canary: a bug planted in the harness, which every sweep must find.
//!
//! A sweep that finds nothing says something only if it could have found something. So each looks,
//! beside its own runs and not counted among them, for an acknowledged write that a disk without
//! working syncs has lost.

use crate::run::{Mode, on_fresh_thread};
use crate::scenario::{Scenario, embedded};

/// What is planted, in words.
pub(crate) const WHAT: &str = "a disk that swallows syncs";

/// Runs in which it must be found. It mostly is in one of the first.
const RUNS: u64 = 200;

/// Runs until the canary was found, or `None` if it was not.
pub(crate) fn find() -> Option<u64> {
    let mut scenario = honest()?;
    scenario.spec.disk.swallow_syncs = true;
    search(scenario)
}

/// The scenario in whose disk it is planted.
fn honest() -> Option<Scenario> {
    embedded().ok()?.into_iter().find(|scenario| scenario.name == "crash_mid_add_record")
}

fn search(scenario: Scenario) -> Option<u64> {
    on_fresh_thread(move |runner| {
        (0..RUNS)
            .find(|&seed| {
                let verdict = runner.run(&scenario, seed, Mode::default());
                verdict.violations.iter().any(|violation| violation.checker == "durability")
            })
            .map(|seed| seed + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_because_it_is_there() {
        assert!(find().is_some());
        assert_eq!(search(honest().expect("is there")), None);
    }
}
