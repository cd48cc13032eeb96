//! The judge of a run: asks the checkers when an open has shown something and when an incarnation
//! has ended, and keeps the earliest violation.

use std::collections::BTreeSet;
use std::fmt;

use crate::checker::{AfterEnd, AfterOpen, Checker, Ending, Excuse, Image, Met, Violation};
use crate::history::{Entry, History, Status};
use crate::model::{self, Settlement};
use crate::probe::{Probe, ProbeSet};
use crate::scenario::CrashKind;
use crate::told::Failure;
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

/// What the harness saw of an incarnation that has ended, beside what its clients were told.
#[derive(Debug)]
pub struct Seen<'a> {
    /// Faults delivered to the run up to its end.
    pub faults_so_far: u64,
    /// Files that the last clean close left behind for nothing.
    pub left_over: &'a [String],
    /// What it met of damage to the medium.
    pub met: &'a Met,
    /// The calls to its environment that came back with an error, in order.
    pub failures: &'a [Failure],
    /// The points at which a `resume` was called that did not return.
    pub resuming: &'a [u64],
    /// Scheduling point of the end.
    pub point: u64,
}

/// Judges one run, in order of events.
#[derive(Clone)]
pub struct Judge {
    checkers: Vec<Box<dyn Checker>>,
    violations: Vec<Violation>,
    image: Image,
    /// Names of the files that were damaged before it.
    damaged: Vec<String>,
    /// What excuses a loss in it.
    excuse: Excuse,
    /// What damage of the medium has to do with that.
    damage: Excuse,
    /// The image without that damage.
    pristine: Option<Image>,
    /// The sequences that damage has led an open to, and that the disk does not hold without it, or
    /// all that it holds if it broke a promise; until an open has shown what there is.
    strayed_to: BTreeSet<u64>,
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
            damage: Excuse::None,
            pristine: None,
            strayed_to: BTreeSet::new(),
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
        (self.damage, self.pristine) = (Excuse::None, None);
        if self.shown.take().is_some() {
            self.strayed_to.clear();
        }
        if excuse == Excuse::Anywhere {
            self.strayed_to.extend(self.image.sequences());
        }
        self.faults_before = faults_so_far;
    }

    /// What this incarnation reads is damaged: with that the disk holds `image`, and `excuse` is
    /// there for what is missing of it.
    pub fn note_damage(&mut self, image: Image, excuse: Excuse) {
        let before = std::mem::replace(&mut self.image, image);
        let pristine = self.pristine.get_or_insert(before);
        let led_to = self.image.sequences();
        self.strayed_to.extend(led_to.difference(&pristine.sequences()));
        self.damage = self.damage.max(excuse);
        self.excuse = self.excuse.max(excuse);
    }

    /// Forgets that some batches were never to be seen again: a MANIFEST or a CURRENT that shows
    /// the bytes of an older one leads to an older version, and no checksum tells; nor can anybody
    /// tell that the disk lost an edit of which it had said that it was synced. A log that this
    /// version needs may still hold what an open had left out, or a `resume` had made absent. So
    /// that may be shown once more, whole and at its place, if the independent decoder finds it
    /// where this open was led.
    fn find_again(&self, plan: &Plan, history: &mut History) {
        let Some(found) = self.image.recoverable.as_ref().filter(|_| !self.strayed_to.is_empty())
        else {
            return;
        };
        let placed = model::commits(plan, history);
        let is_sought = |entry: &&Entry| {
            let next = placed.partition_point(|commit| commit.end() <= entry.sequence);
            let has_place = placed.get(next).is_some_and(|it| it.sequence <= entry.sequence);
            !has_place && self.strayed_to.contains(&entry.sequence)
        };
        let entries = found.table_entries.iter().chain(&found.log_entries);
        let entries: Vec<Entry> = entries.filter(is_sought).cloned().collect();
        for commit in model::settle_again(plan, history, &entries) {
            let state = &mut history.batches[commit.batch as usize];
            (state.status, state.written_at) = (Status::Failed, Some(commit.sequence));
        }
    }

    /// What this incarnation has been given.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// What excuses a loss in this incarnation.
    pub fn excuse(&self) -> Excuse {
        self.excuse
    }

    /// If this incarnation was given less than was written and no open of it has returned: what the
    /// disk held without the damage, and what excuses a loss if it holds less now.
    pub fn undecided(&self) -> Option<(&Image, Excuse)> {
        let pristine = self.pristine.as_ref().filter(|_| self.shown.is_none())?;
        (self.damage != Excuse::None).then_some((pristine, self.damage))
    }

    /// Judges what an open showed, and gives every batch the place that it decides. False if a
    /// promise is broken: the run ends there.
    pub fn after_open(
        &mut self,
        plan: &Plan,
        history: &mut History,
        probes: &mut ProbeSet,
    ) -> bool {
        self.find_again(plan, history);
        let settlement = if self.excuse == Excuse::Anywhere {
            let settlement = model::settle_losses(plan, history, &history.opened);
            history.flushed_sequence = history.flushed_sequence.min(settlement.last);
            settlement
        } else {
            model::settle(plan, history, &history.opened)
        };
        if !settlement.settled.is_empty() {
            probes.hit(Probe::UnansweredRecovered);
        }
        if !settlement.lost.is_empty() {
            probes.hit(Probe::UnsyncedLost);
        }
        if self.damage != Excuse::None {
            probes.hit(Probe::DamageDropped);
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
        let point = history.opened.point;
        self.shown = Some(Shown { point, settlement, acknowledged, synced });
        self.violations.is_empty()
    }

    /// Judges what clients were told until the incarnation ended.
    pub fn after_end(&mut self, plan: &Plan, history: &History, ending: Ending, seen: &Seen<'_>) {
        if self.violations.is_empty() {
            let commits = model::commits(plan, history);
            let end = AfterEnd {
                plan,
                history,
                commits: &commits,
                ending: &ending,
                left_over: seen.left_over,
                damaged: &self.damaged,
                met: seen.met,
                failures: seen.failures,
                resuming: seen.resuming,
                excuse: self.excuse,
                faults: seen.faults_so_far - self.faults_before,
                point: seen.point,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::{Contents, Recoverable};
    use crate::history::Opened;
    use crate::workload::{After, PlannedBatch, PlannedOp, key_bytes};

    /// One delete, which may never be seen again.
    fn absent() -> (Plan, History, Entry) {
        let mut plan = Plan { keys: 1, ..Plan::idle() };
        plan.writers.push(0..1);
        plan.ops.push(PlannedOp { key: 0, value: None });
        plan.batches.push(PlannedBatch {
            writer: 0,
            ops: 0..1,
            sync: true,
            no_wait: false,
            after: After::Nothing,
        });
        let mut history = History::new(&plan);
        history.batches[0].status = Status::Absent;
        let mut key = Vec::new();
        key_bytes(0, &mut key);
        (plan, history, Entry::new(&key, 5, None))
    }

    fn image(log_entries: &[Entry]) -> Image {
        let log_entries = log_entries.to_vec();
        let recoverable = Some(Recoverable { log_entries, ..Recoverable::default() });
        Image { recoverable, ..Image::default() }
    }

    /// Whether an open may show these entries, out of a log.
    fn may_show(judge: &mut Judge, plan: &Plan, history: &mut History, shown: &[Entry]) -> bool {
        let replayed = shown.iter().map(|entry| (3, entry.clone())).collect();
        history.opened = Opened { replayed, entries: shown.to_vec(), ..Opened::default() };
        let is_kept = judge.after_open(plan, history, &mut ProbeSet::default());
        judge.take_violations();
        is_kept
    }

    #[test]
    fn what_was_left_out_may_show_where_damage_leads_to_an_older_version() {
        let (plan, mut history, entry) = absent();
        let shown = [entry];
        let older = image(&shown);
        let mut judge = Judge::new(vec![Box::new(Contents)]);
        judge.begin_incarnation(older.clone(), Vec::new(), Excuse::None, 0);
        assert!(!may_show(&mut judge, &plan, &mut history, &shown), "nothing has led it there");
        judge.begin_incarnation(image(&[]), Vec::new(), Excuse::None, 0);
        judge.note_damage(older.clone(), Excuse::Anywhere);
        assert!(may_show(&mut judge, &plan, &mut history, &shown));
        assert_eq!(history.batches[0].status, Status::Settled { sequence: 5 });
        history.batches[0].status = Status::Absent;
        judge.begin_incarnation(older.clone(), Vec::new(), Excuse::None, 0);
        assert!(!may_show(&mut judge, &plan, &mut history, &shown), "that open has decided");
    }

    #[test]
    fn an_open_that_damage_led_elsewhere_and_that_showed_nothing_leaves_it_to_the_next() {
        let (plan, mut history, entry) = absent();
        let shown = [entry];
        let mut judge = Judge::new(vec![Box::new(Contents)]);
        judge.begin_incarnation(image(&[]), Vec::new(), Excuse::None, 0);
        judge.note_damage(image(&shown), Excuse::Anywhere);
        judge.begin_incarnation(image(&shown), Vec::new(), Excuse::Anywhere, 0);
        assert!(may_show(&mut judge, &plan, &mut history, &shown), "CURRENT was switched");
        let (plan, mut history, _) = absent();
        judge.begin_incarnation(image(&[]), Vec::new(), Excuse::None, 0);
        judge.note_damage(image(&shown), Excuse::Anywhere);
        judge.begin_incarnation(image(&[]), Vec::new(), Excuse::None, 0);
        assert!(!may_show(&mut judge, &plan, &mut history, &shown), "it is nowhere any more");
        let (plan, mut history, _) = absent();
        judge.begin_incarnation(image(&shown), Vec::new(), Excuse::None, 0);
        judge.note_damage(image(&shown), Excuse::End);
        assert!(!may_show(&mut judge, &plan, &mut history, &shown), "it needed no damage");
    }
}
