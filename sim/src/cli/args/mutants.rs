//! The flags of `sim mutants`.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use crate::disk::Profile;
use crate::mutant::TestedSet;
use crate::policy::PolicyName;

/// Flags of `mutants`.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct MutantsArgs {
    /// Names of mutants [default: every mutant of the set]
    pub names: Vec<String>,
    /// Worker threads of each sweep [default: one a core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Seeds of each mutant, from 0, instead of the number its header names
    #[arg(long, value_name = "N")]
    pub runs: Option<u64>,
    /// Scheduling policy of the sweeps, if not the scenario's own
    #[arg(long, value_name = "NAME")]
    pub policy: Option<PolicyName>,
    /// Profile of the disk in all sweeps, if not those of the scenario: device-lies, posix-weak,
    /// xfs, ext4-ordered, btrfs, ext4-journal
    #[arg(long, value_name = "NAME", value_parser = Profile::find)]
    pub profile: Option<&'static Profile>,
    /// Set a field of the scenarios, such as crash.count=2
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Write what comes of it to record.jsonl in the folder of patches, mutant by mutant
    #[arg(long, conflicts_with_all = ["check", "runs", "policy", "profile", "set"])]
    pub record: bool,
    /// Leave out those that the record has
    #[arg(long)]
    pub unrecorded: bool,
    /// Instead of a sweep: print what is on record, as a table in Markdown
    #[arg(long, conflicts_with_all = [
        "check", "exhaust", "needs", "matrix", "disk", "record", "unrecorded", "runs", "policy",
        "profile", "set", "jobs", "format",
    ])]
    pub recorded: bool,
    /// Instead of a sweep: exhaust some schedules of each tiny scenario, and print a page of which
    /// of them find which mutant; goes on where it was ended, by tiny.jsonl
    #[arg(long, conflicts_with_all = [
        "check", "record", "runs", "policy", "profile", "set", "format",
    ])]
    pub exhaust: bool,
    /// Instead of one sweep: sweeps without each checker and each kind of fault that has to do with
    /// the mutant, and tell which of them which mutant needs; goes on where it was ended, by
    /// needs.jsonl
    #[arg(long, conflicts_with_all = [
        "check", "exhaust", "disk", "record", "runs", "policy", "profile", "set", "format",
    ])]
    pub needs: bool,
    /// Instead of one sweep: one with each policy on posix-weak and on ext4-ordered, of 1000 runs
    /// at most, and a page about it; goes on where it was ended, by matrix.jsonl
    #[arg(long, conflicts_with_all = [
        "check", "exhaust", "needs", "disk", "record", "policy", "profile", "set", "format",
    ])]
    pub matrix: bool,
    /// Draw the page as an SVG image, too
    #[arg(long, value_name = "FILE", requires = "matrix")]
    pub plot: Option<PathBuf>,
    /// Instead of those that a sweep must find: plant the mistakes of the simulated disk, which the
    /// disk's own tests must find
    #[arg(long, conflicts_with_all = [
        "exhaust", "record", "unrecorded", "runs", "policy", "profile", "set", "jobs",
    ])]
    pub disk: bool,
    /// Instead of those that a sweep must find: plant bugs that no simulated run can see, of memory
    /// orderings and of the engine's way to Linux, which loom and the tests on the real file system
    /// must find
    #[arg(long, conflicts_with_all = [
        "disk", "exhaust", "needs", "matrix", "record", "recorded", "unrecorded", "runs", "policy",
        "profile", "set", "jobs",
    ])]
    pub unseen: bool,
    /// Only check that every patch applies and compiles
    #[arg(long, conflicts_with_all = ["unrecorded", "runs", "policy", "profile", "set", "jobs"])]
    pub check: bool,
    /// What standard output carries
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// The folder of patches; those of `--disk` and `--unseen` are in its folders of these names
    #[arg(long, default_value = "corpus/mutants")]
    pub dir: PathBuf,
}

impl MutantsArgs {
    /// The set of those that tests must find, if it is one of them.
    pub(crate) fn tested_set(&self) -> Option<TestedSet> {
        match (self.disk, self.unseen) {
            (true, _) => Some(TestedSet::Disk),
            (_, true) => Some(TestedSet::Unseen),
            (false, false) => None,
        }
    }
}
