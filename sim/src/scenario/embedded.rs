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
    "bit_rot",
    "block_edges",
    "compaction_under_writes",
    "crash_mid_add_record",
    "creation_loses_current",
    "creation_loses_directory",
    "creation_loses_manifest",
    "device_lies",
    "directory_syncs_fail",
    "disk_full",
    "errors_at_open",
    "explicit_syncs",
    "file_systems",
    "first_open",
    "fsync_failure",
    "gathered_tables",
    "giant_batches",
    "holes_in_the_log",
    "impatient_writers",
    "io_errors",
    "iterators_across_compaction",
    "latent_errors",
    "leveldb_append_error",
    "leveldb_current_missing",
    "leveldb_failed_sync_forgotten",
    "leveldb_flush_below_compaction",
    "leveldb_flush_request_merged",
    "leveldb_log_name_not_synced",
    "leveldb_log_not_openable",
    "leveldb_log_not_readable",
    "leveldb_old_log_not_synced",
    "leveldb_old_manifest_removed_early",
    "leveldb_older_log_cut",
    "leveldb_rename_reported_failed",
    "leveldb_torn_log_reused",
    "leveldb_torn_manifest_reused",
    "leveldb_zeroed_block",
    "long_replays",
    "manifest_faults",
    "misdirected_io",
    "narrow_tables",
    "power_loss_at_log_switch",
    "process_kill",
    "read_only_first",
    "readers_and_snapshots",
    "snapshot_against_compaction",
    "stalled_leader",
    "steady_writers",
    "swarm",
    "tiny_append_fails",
    "tiny_compaction",
    "tiny_directory_sync_fails",
    "tiny_explicit_sync",
    "tiny_failed_sync",
    "tiny_flush",
    "tiny_log_switch",
    "tiny_reader",
    "tiny_two_syncs",
    "torn_tail_then_crash_again",
    "turns_read_only",
    "write_back_fails",
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
