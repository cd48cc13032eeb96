//! The incarnations of a run, one after another, and what is counted of them.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::checker::{Ending, Excuse, Image};
use crate::damage::Damaged;
use crate::disk::Disk;
use crate::fault::{FaultCounts, Phase};
use crate::history::Call;
use crate::host::Host;
use crate::judge::Seen;
use crate::kernel::{End, Kernel, Limits};
use crate::probe::Probe;
use crate::process;
use crate::scenario::CrashKind;
use crate::steer::{Left, Steer};
use crate::trace::{Lane, Tag, Trace};
use crate::verdict::Verdict;
use crate::workload::{After, PlannedBatch};
use crate::world::World;

use super::halt::Halt;

/// Switches of stacks between two returns to the node's own executor.
const SLICE: u64 = 512;

/// One run under way. A clone goes the same way, on the same kernel.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "switches, as in `Mode`")]
pub(super) struct Run {
    /// As `SCENARIO:SEED`.
    pub(super) name: String,
    pub(super) kernel: Rc<Kernel>,
    pub(super) world: World,
    pub(super) host: Host,
    pub(super) keep: bool,
    pub(super) keep_images: bool,
    pub(super) note_course: bool,
    /// After so many points a process is scheduled fairly.
    pub(super) points_max: u64,
    /// Nobody dies who is not steered to.
    pub(super) is_steered: bool,
    /// The deaths of this process and of those after it.
    pub(super) steers: VecDeque<Steer>,
    /// How many deaths were steered to from the beginning on.
    pub(super) steered: usize,
    pub(super) verdict: Verdict,
    /// What the last clean close left behind for nothing.
    pub(super) left_over: Vec<String>,
    /// Processes so far.
    pub(super) number: u32,
    pub(super) clean_closes: u32,
    /// What is left of a process that has ended, until it is judged.
    pub(super) ended: Option<Ended>,
}

/// A process that has ended.
#[derive(Clone)]
pub(super) struct Ended {
    end: End,
    /// How a caller wanted it to end.
    pub(super) steer: Option<Steer>,
    /// Blocks of memory that it had not given back.
    leaked: usize,
    /// What was done to files before it.
    damaged: Vec<Damaged>,
}

/// Incarnations at most, beside one for each planned crash: failed opens are tried again.
const SPARE_INCARNATIONS: u32 = 6;

impl Run {
    /// Runs it to its end, from where it stands. If that is the end of a process of which the
    /// caller wants to know what may be left, there is a halt: the run as it stood before anything
    /// was.
    pub(super) async fn incarnations(mut self: Box<Self>) -> (Verdict, Disk, Option<Halt>) {
        let mut halt = None;
        loop {
            if let Some(ended) = self.ended.take() {
                let is_asked = ended.steer.as_ref().is_some_and(Steer::is_open);
                halt = is_asked.then(|| Halt::of(&self, &ended));
                if self.conclude(ended) {
                    break;
                }
            }
            if self.number == self.most() {
                break;
            }
            self.ended = Some(self.incarnation().await);
            self.number += 1;
        }
        self.keep_image();
        let (verdict, disk) = self.finish();
        // It may have ended otherwise than it was asked to.
        let halt = halt.filter(|_| verdict.instant.is_some());
        (verdict, disk, halt)
    }

    /// How many processes there may be.
    fn most(&self) -> u32 {
        let plan = &self.world.plan;
        let ends = |batch: &&PlannedBatch| matches!(batch.after, After::Close | After::Crash(_));
        let scripted = plan.batches.iter().filter(ends).count();
        let deaths = plan.crashes.len() + scripted + self.steered;
        deaths as u32 + SPARE_INCARNATIONS
    }

    /// Does to the disk what the end of a process does, and judges it; true if the run ends there.
    fn conclude(&mut self, ended: Ended) -> bool {
        let Ended { end, steer, leaked, damaged } = ended;
        let ending = self.leave(end, steer, leaked);
        self.repair(&damaged);
        self.verdict.excused |= self.world.judge.borrow().excuse() != Excuse::None;
        self.count_acknowledged();
        if self.verdict.instant.is_some() {
            return true;
        }
        let world = &self.world;
        let closed = matches!(ending, Ending::Returned { closed: true, .. });
        let is_returned = matches!(ending, Ending::Returned { .. });
        let is_stuck = matches!(ending, Ending::Stuck(_));
        let (met, failures) = (world.met.take(), world.failures.take());
        let resuming = world.resuming.take();
        let resuming: Vec<u64> = resuming.values().map(|resuming| resuming.invoked).collect();
        let seen = Seen {
            faults_so_far: world.provocations(),
            left_over: &self.left_over,
            met: &met,
            failures: &failures,
            resuming: &resuming,
            point: self.kernel.points(),
        };
        world.judge.borrow_mut().after_end(&world.plan, &world.history.borrow(), ending, &seen);
        world.end_damaged(is_returned && 0 < met.reads);
        let judged = !self.world.judge.borrow().violations().is_empty();
        if is_stuck && !judged {
            // No checker minds. It would hold its locks for ever.
            self.strike(&Left::Drawn(CrashKind::Kill), "killed: nobody in it went on");
        }
        self.clean_closes += u32::from(closed && !self.world.goes_on());
        judged || self.clean_closes == 2 || self.verdict.harness_error.is_some()
    }

    fn keep_image(&mut self) {
        if self.keep_images {
            self.verdict.images.push(self.world.disk.borrow().image());
        }
    }

    /// Does to the files what is planned before this process.
    fn damage(&self, process: u32) -> Vec<Damaged> {
        let world = &self.world;
        let due = world.plan.damages.iter().filter(|damage| damage.process == process);
        let mut disk = world.disk.borrow_mut();
        due.filter_map(|damage| {
            let damaged = Damaged::strike(&mut disk, process::DATABASE, damage)?;
            self.kernel.tell(Lane::Fault, || format!("DAMAGE: {damaged}"));
            world.hit(Probe::Damaged);
            if !damaged.is_refused() {
                world.excused.set(Excuse::End);
            }
            Some(damaged)
        })
        .collect()
    }

    /// Puts back what an open had to refuse.
    fn repair(&self, damaged: &[Damaged]) {
        let world = &self.world;
        for damaged in damaged.iter().filter(|damaged| damaged.is_refused()) {
            damaged.repair(&mut world.disk.borrow_mut());
        }
        if world.judge.borrow().shown().is_some() {
            world.excused.set(Excuse::None);
        }
    }

    /// Runs one process to its end.
    async fn incarnation(&mut self) -> Ended {
        self.keep_image();
        let (world, number) = (&self.world, self.number);
        world.begin_incarnation(number, world.plan.crashes.get(number as usize).copied());
        // The last incarnations show what is there with no fault in the way.
        if number + 3 >= self.most() || self.clean_closes > 0 {
            world.heal();
        }
        let damaged = self.damage(number + 1);
        let mut image = Image::read(&world.disk.borrow(), process::DATABASE);
        for damaged in damaged.iter().filter(|damaged| damaged.is_refused()) {
            image.demand_refusal(damaged.to_string());
        }
        let faults = world.provocations();
        world.hit_all(image.probes);
        world.keep_before();
        world.begin_logs(&image.old_logs);
        // Memtables become tables in their order, so all up to there was in one. The log that a
        // `resume` has made superfluous may be gone before anybody has read it.
        let in_tables = image.recoverable.iter().flat_map(|found| &found.table_entries);
        if let Some(last) = in_tables.map(|entry| entry.sequence).max() {
            let flushed = &mut world.history.borrow_mut().flushed_sequence;
            *flushed = last.max(*flushed);
        }
        let names = damaged.iter().map(|damaged| damaged.name().to_owned()).collect();
        let excuse = world.excuse();
        world.judge.borrow_mut().begin_incarnation(image, names, excuse, faults);
        if !world.disk.borrow().flaws().is_empty() {
            world.note_damaged(&world.disk.borrow());
        }
        if number as usize <= self.steered {
            self.verdict.left_entries = world.judge.borrow().image().holds_entries();
        }
        let is_broken = u64::from(world.broken.get() != Excuse::None);
        let found = world.found_damaged.get() + damaged.len() as u64 + is_broken;
        world.found_damaged.set(found);
        let steer = self.steers.pop_front();
        let limits = Limits {
            crash_at_point: steer.as_ref().map_or(u64::MAX, |steer| steer.point),
            points_max: self.points_max,
            ..Limits::NONE
        };
        self.kernel.start_process(limits, process::main);
        process::enter_phase(&self.kernel, world, Phase::Recovery);
        let end = loop {
            let before = self.kernel.nanos();
            if let Some(end) = world.enter(|| self.kernel.run_slice(SLICE)) {
                break end;
            }
            self.host.pause(self.kernel.nanos() - before).await;
        };
        Ended { end, steer, leaked: self.kernel.live_blocks(), damaged }
    }

    /// Leaves of a process what its end leaves.
    fn leave(&mut self, end: End, steer: Option<Steer>, leaked: usize) -> Ending {
        match end {
            End::Returned(left) => {
                let closed =
                    |o: &crate::history::Outcome| o.call == Call::Close && o.error.is_none();
                let closed = self.world.history.borrow().outcomes.iter().any(closed);
                self.left_over = self.world.left_over(process::DATABASE);
                self.after_return(steer, closed);
                Ending::Returned { closed, left, leaked }
            }
            // The judge ended it, over what an open showed: nothing has died.
            End::Crashed if !self.world.judge.borrow().violations().is_empty() => {
                Ending::Crashed(CrashKind::Kill)
            }
            End::Crashed if steer.is_some() => self.crash_as_steered(steer),
            End::Crashed => {
                let kind = self.world.crash.get().map_or(CrashKind::Kill, |crash| crash.kind);
                self.crash_disk(kind);
                Ending::Crashed(kind)
            }
            End::HarnessPanicked(message) => {
                self.verdict.harness_error = Some(message.clone());
                Ending::Stuck(End::HarnessPanicked(message))
            }
            stuck => Ending::Stuck(stuck),
        }
    }

    fn count_acknowledged(&mut self) {
        let plan = &self.world.plan;
        for &batch in &self.world.history.borrow().acknowledged {
            let ops = plan.ops_of(&plan.batches[batch as usize]);
            self.verdict.acks += 1;
            self.verdict.ops += ops.len() as u64;
            self.verdict.bytes +=
                ops.iter().map(|op| u64::from(op.value.unwrap_or(0))).sum::<u64>();
        }
    }

    fn finish(self) -> (Verdict, Disk) {
        let mut verdict = self.verdict;
        let mut judge = self.world.judge.borrow_mut();
        verdict.shown = judge.shown().filter(|_| self.keep).cloned();
        verdict.violations = judge.take_violations();
        drop(judge);
        for violation in &verdict.violations {
            let words = violation.to_string();
            self.kernel.with_trace(|trace| trace.note_bytes(Tag::Verdict, words.as_bytes()));
        }
        verdict.trace_hash = self.kernel.with_trace(|trace| trace.hash());
        verdict.world = Some((self.world.plan.profile.name, self.world.plan.policy.clone()));
        verdict.points = self.kernel.points();
        verdict.refuse_emptiness();
        verdict.virtual_nanos = self.kernel.nanos();
        verdict.faults = FaultCounts::of_plan(&self.world.faults.borrow());
        if self.note_course {
            verdict.handed_out = self.world.faults.borrow().handed_out();
        }
        verdict.probes = self.world.probes.get();
        verdict.checkpoints = self.kernel.with_trace(Trace::take_checkpoints);
        verdict.noted = self.kernel.with_trace(Trace::take_noted);
        verdict.events = self.kernel.with_trace(Trace::take_events);
        verdict.drift = self.kernel.drift();
        verdict.schedule = self.kernel.take_schedule();
        verdict.syncs =
            self.world.syncs.map(|syncs| syncs.into_inner().into_met()).unwrap_or_default();
        (verdict, self.world.disk.into_inner())
    }
}
