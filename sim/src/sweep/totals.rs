//! What a sweep adds up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Kinds, Report};
use crate::checker::Violation;
use crate::fault::FaultCounts;
use crate::policy::PolicyName;
use crate::probe::ProbeCounts;
use crate::situation::Situation;

/// A run that broke a promise, or could not be judged.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Index of its scenario.
    pub scenario: usize,
    /// Its seed.
    pub seed: u64,
    /// What happened.
    pub what: FailureKind,
}

/// The ways a run fails.
#[derive(Clone, Debug)]
pub enum FailureKind {
    /// Promises were broken.
    Violations(Vec<Violation>),
    /// The simulator itself failed.
    Harness(String),
    /// No end for this long on the wall clock.
    Hang(Duration),
    /// Two runs of the seed had different traces.
    Nondeterminism {
        /// Hash of the first.
        first: u64,
        /// Hash of the second.
        second: u64,
    },
}

/// What a sweep added up.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Runs done.
    pub runs: u64,
    /// Runs done twice.
    pub determinism_checked: u64,
    /// Scheduling points.
    pub points: u64,
    /// Virtual microseconds.
    pub virtual_micros: u64,
    /// Crashes.
    pub crashes: u64,
    /// Acknowledged writes.
    pub acks: u64,
    /// Acknowledged operations.
    pub ops: u64,
    /// Bytes of acknowledged values.
    pub bytes: u64,
    /// Resident bytes of the process when all workers have ended and freed memory has been given
    /// back, if the system says: what a sweep leaks, it shows.
    pub resident_when_done: Option<u64>,
    /// Faults delivered.
    pub faults: FaultCounts,
    /// Runs by the profile of their disk.
    pub profiles: BTreeMap<&'static str, u64>,
    /// Runs by the policy that scheduled their threads.
    pub policies: BTreeMap<PolicyName, u64>,
    /// Runs in which the disk took or damaged synced bytes, so that less was demanded of some open.
    pub excused: u64,
    /// Runs that hit each probe.
    pub probes: ProbeCounts,
    /// Where processes died, and what they left.
    pub situations: Kinds,
    /// The happens-before classes of the first processes of some runs.
    pub classes: Kinds,
    /// Sum over all runs of a mix of scenario, seed and trace hash.
    pub trace_hash: u64,
    /// Failures, in the order of runs.
    pub failures: Vec<Failure>,
    /// Whether every run that was asked for was done.
    pub complete: bool,
    /// Whether it ended at [`super::Sweep::failures_max`].
    pub stopped_at_failure: bool,
    /// Wall time.
    pub elapsed: Duration,
    /// By index of the scenario: what its runs met.
    pub by_scenario: BTreeMap<usize, Coverage>,
}

/// What the runs of one scenario met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Runs done.
    pub runs: u64,
    /// Faults delivered.
    pub faults: FaultCounts,
    /// Runs that hit each probe.
    pub probes: ProbeCounts,
}

impl Totals {
    pub(super) fn add(&mut self, report: &Report) {
        let verdict = &report.verdict;
        self.runs += 1;
        let coverage = self.by_scenario.entry(report.scenario).or_default();
        coverage.runs += 1;
        coverage.faults.add(&verdict.faults);
        coverage.probes.add(verdict.probes);
        self.points += verdict.points;
        self.virtual_micros += verdict.virtual_nanos / 1000;
        self.crashes += u64::from(verdict.crashes);
        self.acks += verdict.acks;
        self.ops += verdict.ops;
        self.bytes += verdict.bytes;
        self.faults.add(&verdict.faults);
        if let Some((profile, policy)) = &verdict.world {
            *self.profiles.entry(profile).or_default() += 1;
            *self.policies.entry(policy.clone()).or_default() += 1;
        }
        self.excused += u64::from(verdict.excused);
        self.probes.add(verdict.probes);
        let situations = verdict.situations.iter().map(Situation::number);
        situations.for_each(|situation| self.situations.add(situation));
        verdict.class.iter().for_each(|class| self.classes.add(*class));
        self.trace_hash = self.trace_hash.wrapping_add(report.mixed_hash());
        self.determinism_checked += u64::from(report.second_hash.is_some());
        if let Some(what) = report.failure() {
            self.fail(report.scenario, report.seed, what);
        }
    }

    pub(super) fn fail(&mut self, scenario: usize, seed: u64, what: FailureKind) {
        self.failures.push(Failure { scenario, seed, what });
    }
}
