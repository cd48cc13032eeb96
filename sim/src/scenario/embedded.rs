//! The scenarios of `scenarios/`, as part of the binary.

use super::{Scenario, ScenarioError};

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        /// Name and text of every scenario of the repository, in alphabetical order.
        pub const EMBEDDED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../scenarios/", $name, ".toml")))),*
        ];
    };
}

scenarios!(
    "block_edges",
    "compaction_under_writes",
    "crash_mid_add_record",
    "disk_full",
    "explicit_syncs",
    "first_open",
    "fsync_failure",
    "giant_batches",
    "holes_in_the_log",
    "io_errors",
    "iterators_across_compaction",
    "manifest_faults",
    "power_loss_at_log_switch",
    "process_kill",
    "readers_and_snapshots",
    "snapshot_against_compaction",
    "stalled_leader",
    "steady_writers",
    "torn_tail_then_crash_again",
);

/// Every scenario of the repository.
///
/// # Errors
/// If one of them is not a scenario: the tests see to it that none is.
pub fn embedded() -> Result<Vec<Scenario>, ScenarioError> {
    EMBEDDED
        .iter()
        .map(|(name, text)| Scenario::parse(name, &format!("scenarios/{name}.toml"), text))
        .collect()
}
