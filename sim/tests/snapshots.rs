//! What runs look like to a person: verdict and disk around each crash for every scenario, two
//! tiny traces whole, and the report of a failure.
//!
//! The texts change with the engine's calls and are looked at when they do: `INSTA_UPDATE=always`
//! writes them anew. None holds wall time, a path of this machine or the commit.

#![cfg(test)]

use std::fmt::Write as _;

use faultline_sim::fault::FaultKind;
use faultline_sim::report;
use faultline_sim::run::{Mode, Verdict, on_fresh_thread, run_on_fresh_thread};
use faultline_sim::scenario::{Count, Scenario, embedded};

/// A seed of every scenario; where a scenario crashes at all, this seed does.
const SEEDS: [(&str, u64); 61] = [
    ("bit_rot", 10),
    ("block_edges", 1),
    ("compaction_under_writes", 1),
    ("crash_mid_add_record", 8),
    ("creation_loses_current", 1),
    ("creation_loses_directory", 1),
    ("creation_loses_manifest", 1),
    ("device_lies", 1),
    ("directory_syncs_fail", 2),
    ("disk_full", 8),
    ("errors_at_open", 2),
    ("explicit_syncs", 1),
    ("file_systems", 83),
    ("first_open", 1),
    ("fsync_failure", 1),
    ("gathered_tables", 1),
    ("giant_batches", 10),
    ("holes_in_the_log", 1),
    ("impatient_writers", 4),
    ("io_errors", 6),
    ("iterators_across_compaction", 1),
    ("latent_errors", 10),
    ("leveldb_append_error", 1),
    ("leveldb_current_missing", 1),
    ("leveldb_failed_sync_forgotten", 1),
    ("leveldb_flush_below_compaction", 1),
    ("leveldb_flush_request_merged", 1),
    ("leveldb_log_name_not_synced", 1),
    ("leveldb_log_not_openable", 1),
    ("leveldb_log_not_readable", 1),
    ("leveldb_old_log_not_synced", 1),
    ("leveldb_old_manifest_removed_early", 1),
    ("leveldb_older_log_cut", 1),
    ("leveldb_rename_reported_failed", 1),
    ("leveldb_torn_log_reused", 1),
    ("leveldb_torn_manifest_reused", 1),
    ("leveldb_zeroed_block", 1),
    ("long_replays", 3),
    ("manifest_faults", 1),
    ("misdirected_io", 18),
    ("narrow_tables", 4),
    ("power_loss_at_log_switch", 2),
    ("process_kill", 1),
    ("read_only_first", 1),
    ("readers_and_snapshots", 7),
    ("snapshot_against_compaction", 59),
    ("stalled_leader", 10),
    ("steady_writers", 1),
    ("swarm", 4),
    ("tiny_append_fails", 2),
    ("tiny_compaction", 2),
    ("tiny_directory_sync_fails", 2),
    ("tiny_explicit_sync", 2),
    ("tiny_failed_sync", 2),
    ("tiny_flush", 2),
    ("tiny_log_switch", 2),
    ("tiny_reader", 2),
    ("tiny_two_syncs", 2),
    ("torn_tail_then_crash_again", 1),
    ("turns_read_only", 10),
    ("write_back_fails", 1),
];

/// Everything is synced; the power goes in the middle of a record.
const TINY_POWER_LOSS: &str = r#"
about = "Two writers, two batches each, all synced; the power goes in the middle of AddRecord."
policy = "random"

[workload]
writers = 2
batches = 2
ops = [1, 2]
sync = 1.0
empty = 0.0
value = [3, 9]
keys = 4

[disk]
profiles = ["posix-weak"]

[crash]
count = 1
kind = "power_loss"
at = "log_append"
"#;

/// Little is synced; the process dies in the middle of a record.
const TINY_KILL: &str = r#"
about = "Two writers, three batches each, one in three synced; the process dies in AddRecord."
policy = "pct:2"

[workload]
writers = 2
batches = 3
ops = 1
sync = 0.3
deletes = 0.3
empty = 0.0
value = 5
keys = 3

[disk]
profiles = ["ext4-ordered"]

[crash]
count = 1
kind = "kill"
at = "log_append"
"#;

fn keeping() -> Mode {
    Mode { keep_events: true, ..Mode::default() }
}

fn parsed(name: &str, text: &str) -> Scenario {
    Scenario::parse(name, name, text).expect("a scenario")
}

/// The verdict in words, and the disk around each crash.
fn describe(verdict: &Verdict) -> String {
    let mut out = String::new();
    let mut line = |words: String| writeln!(out, "{}", words.trim_end()).expect("writes to text");
    assert_eq!(verdict.harness_error, None);
    for violation in &verdict.violations {
        line(format!("VIOLATION {violation}"));
    }
    if verdict.violations.is_empty() {
        line("no promise was broken".to_owned());
    }
    line(format!("{} writes acknowledged, {} operations", verdict.acks, verdict.ops));
    for kind in FaultKind::ALL.iter().filter(|kind| verdict.faults.of(**kind) > 0) {
        line(format!("{} times {}", verdict.faults.of(*kind), kind.name()));
    }
    for disk in &verdict.disks {
        line(format!("\n{}", report::disk_at_death(disk).join("\n")));
    }
    out
}

#[test]
fn every_scenario_has_its_verdict_and_its_disk_around_each_crash() {
    let scenarios = embedded().expect("the scenarios of the repository");
    let named: Vec<&str> = SEEDS.iter().map(|(name, _)| *name).collect();
    let known: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(known, named, "a new scenario needs a seed here");
    for (scenario, (name, seed)) in scenarios.iter().zip(SEEDS) {
        let verdict = run_on_fresh_thread(scenario, seed, keeping());
        let crashes = verdict.disks.iter().filter(|disk| !disk.what.contains("close"));
        assert_eq!(verdict.crashes as usize, crashes.count(), "{name}");
        // A script says itself whether there is one.
        let is_planned = scenario.spec.crash.count != Count::Exactly(0);
        assert!(
            (verdict.crashes > 0) == is_planned || !scenario.spec.script.is_empty(),
            "{name}:{seed} shows no crash any more: name a seed that does"
        );
        insta::assert_snapshot!(format!("{name}-{seed}"), describe(&verdict));
    }
}

/// The whole trace of a tiny scenario, every choice of the scheduler included.
fn tiny_trace(name: &str, text: &str, seed: u64) -> String {
    let verdict = run_on_fresh_thread(&parsed(name, text), seed, keeping());
    assert_eq!(verdict.crashes, 1, "{name}:{seed} shows no crash any more: name a seed that does");
    let mut out: Vec<String> = verdict.events.iter().map(report::event_line).collect();
    out.push(String::new());
    out.push(describe(&verdict));
    out.join("\n")
}

#[test]
fn a_tiny_power_loss_is_this_trace() {
    insta::assert_snapshot!(tiny_trace("tiny_power_loss", TINY_POWER_LOSS, 130));
}

#[test]
fn a_tiny_kill_is_this_trace() {
    insta::assert_snapshot!(tiny_trace("tiny_kill", TINY_KILL, 14));
}

#[test]
fn the_report_of_a_disk_that_swallows_syncs_shows_what_was_lost() {
    let mut scenario = parsed("tiny_power_loss", TINY_POWER_LOSS);
    scenario.spec.disk.swallow_syncs = true;
    let looked_at = scenario.clone();
    let found = on_fresh_thread(move |runner| {
        (0..500)
            .map(|seed| (seed, runner.run(&looked_at, seed, keeping())))
            .find(|(_, verdict)| verdict.violations.iter().any(|v| v.checker == "durability"))
    });
    let (seed, verdict) = found.expect("some seed loses an acknowledged write");
    insta::assert_snapshot!(report::failure(
        &scenario,
        seed,
        &verdict,
        " --set disk.swallow_syncs=true"
    ));
}

#[test]
fn the_report_of_a_clean_run_says_so() {
    let scenario = parsed("tiny_kill", TINY_KILL);
    let verdict = run_on_fresh_thread(&scenario, 1, keeping());
    let words = report::failure(&scenario, 1, &verdict, "");
    assert!(words.ends_with(":1: no violation\n"), "{words}");
}
