//! The judge of a run: asks the checkers when an open has shown something and when an incarnation
//! has ended, and keeps the earliest violation.

use std::fmt;

use crate::checker::{AfterEnd, AfterOpen, Checker, Ending, Excuse, Image, Violation};
use crate::history::{History, Status};
use crate::model::{self, Settlement};
use crate::probe::{Probe, ProbeSet};
use crate::scenario::CrashKind;
use crate::workload::Plan;

/// What an open showed, against what had been promised before it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Scheduling point at which the open returned.
    pub point: u64,
    /// What it showed.
    pub settlement: Settlement,
    /// Highest sequence that had been acknowledged.
    pub acknowledged: u64,
    /// Everything up to this sequence had been synced.
    pub synced: u64,
}

/// Judges one run, in order of events.
pub struct Judge {
    checkers: Vec<Box<dyn Checker>>,
    violations: Vec<Violation>,
    image: Image,
    /// Names of the files that were damaged before it.
    damaged: Vec<String>,
    /// What excuses a loss in it.
    excuse: Excuse,
    before: Option<Ending>,
    /// What this incarnation's open showed; with that it has decided what is there.
    shown: Option<Shown>,
    faults_before: u64,
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Judge {{ violations: {:?} }}", self.violations)
    }
}

impl Judge {
    /// A judge with these checkers.
    pub fn new(checkers: Vec<Box<dyn Checker>>) -> Self {
        Judge {
            checkers,
            violations: Vec::new(),
            image: Image::default(),
            damaged: Vec::new(),
            excuse: Excuse::None,
            before: None,
            shown: None,
            faults_before: 0,
        }
    }

    /// An incarnation begins on a disk that holds `image`; the files `damaged` were damaged before,
    /// and `excuse` is there for what is missing.
    pub fn begin_incarnation(
        &mut self,
        image: Image,
        damaged: Vec<String>,
        excuse: Excuse,
        faults_so_far: u64,
    ) {
        self.image = image;
        self.damaged = damaged;
        self.excuse = excuse;
        self.shown = None;
        self.faults_before = faults_so_far;
    }

    /// Judges what an open showed, and gives every batch the place that it decides. False if a
    /// promise is broken: the run ends there.
    pub fn after_open(
        &mut self,
        plan: &Plan,
        history: &mut History,
        probes: &mut ProbeSet,
    ) -> bool {
        let mut settlement = model::settle(plan, history, &history.opened);
        let mut given_up = Vec::new();
        if self.excuse == Excuse::Anywhere {
            // Tables may be gone, and what was in them was not for that reason dropped by a
            // compaction.
            given_up = settlement.keep_seen(&history.opened.entries);
            history.flushed_sequence = history.flushed_sequence.min(settlement.last);
        }
        if !settlement.settled.is_empty() {
            probes.hit(Probe::UnansweredRecovered);
        }
        if !settlement.lost.is_empty() {
            probes.hit(Probe::UnsyncedLost);
        }
        let open = AfterOpen {
            plan,
            history,
            before: self.before.as_ref(),
            settlement: &settlement,
            image: &self.image,
            excuse: self.excuse,
        };
        for checker in &mut self.checkers {
            self.violations.extend(checker.after_open(&open).err());
        }
        let (acknowledged, synced) = (history.acknowledged_sequence, history.synced_sequence);
        decide(history, &settlement);
        for commit in given_up {
            // As one without an answer of which the place is known: what it hides is explained.
            let state = &mut history.batches[commit.batch as usize];
            (state.status, state.written_at) = (Status::InFlight, Some(commit.sequence));
        }
        let point = history.opened.point;
        self.shown = Some(Shown { point, settlement, acknowledged, synced });
        self.violations.is_empty()
    }

    /// Judges what clients were told until the incarnation ended.
    pub fn after_end(
        &mut self,
        plan: &Plan,
        history: &History,
        ending: Ending,
        faults_so_far: u64,
        left_over: &[String],
        point: u64,
    ) {
        if self.violations.is_empty() {
            let commits = model::commits(plan, history);
            let end = AfterEnd {
                plan,
                history,
                commits: &commits,
                ending: &ending,
                left_over,
                damaged: &self.damaged,
                excuse: self.excuse,
                faults: faults_so_far - self.faults_before,
                point,
            };
            for checker in &mut self.checkers {
                self.violations.extend(checker.after_end(&end).err());
            }
        }
        let first = self.violations.iter().map(|violation| violation.point).min();
        self.violations.retain(|violation| Some(violation.point) == first);
        // What a power loss took stays taken, however an open that never returned ended.
        let lost_power = Ending::Crashed(CrashKind::PowerLoss);
        if self.shown.is_some() || self.before != Some(lost_power) {
            self.before = Some(ending);
        }
    }

    /// The violations at the earliest event that has any.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// What the last open showed, if it returned Ok.
    pub fn shown(&self) -> Option<&Shown> {
        self.shown.as_ref()
    }

    /// Gives the violations away.
    pub fn take_violations(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.violations)
    }
}

/// An open decides: what it shows is there for good, what it does not show never will be.
fn decide(history: &mut History, settlement: &Settlement) {
    for commit in &settlement.settled {
        history.batches[commit.batch as usize].status =
            Status::Settled { sequence: commit.sequence };
    }
    for commit in settlement.lost.iter().chain(&settlement.holes) {
        history.batches[commit.batch as usize].status = Status::Absent;
    }
    for state in &mut history.batches {
        if matches!(state.status, Status::InFlight | Status::Failed) {
            state.status = Status::Absent;
        }
    }
    history.acknowledged_sequence = settlement.last;
    history.synced_sequence = settlement.last;
}
