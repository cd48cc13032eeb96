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

/// Switches of stacks between two returns to the node's own executor.
const SLICE: u64 = 512;

/// One run under way.
pub(super) struct Run {
    pub(super) kernel: Rc<Kernel>,
    pub(super) world: World,
    pub(super) host: Host,
    pub(super) keep: bool,
    pub(super) keep_images: bool,
    /// Nobody dies who is not steered to.
    pub(super) is_steered: bool,
    /// The deaths of this process and of those after it.
    pub(super) steers: VecDeque<Steer>,
    pub(super) verdict: Verdict,
    /// What the last clean close left behind for nothing.
    pub(super) left_over: Vec<String>,
}

/// Incarnations at most, beside one for each planned crash: failed opens are tried again.
const SPARE_INCARNATIONS: u32 = 6;

impl Run {
    /// Runs it to its end.
    pub(super) async fn incarnations(mut self) -> (Verdict, Disk) {
        let planned = self.world.plan.crashes.clone();
        let ends = |batch: &&PlannedBatch| matches!(batch.after, After::Close | After::Crash(_));
        let scripted = self.world.plan.batches.iter().filter(ends).count();
        let deaths = planned.len() + scripted + self.steers.len();
        let most = deaths as u32 + SPARE_INCARNATIONS;
        let mut clean_closes = 0;
        for number in 0..most {
            self.keep_image();
            let world = &self.world;
            world.begin_incarnation(number, planned.get(number as usize).copied());
            // The last incarnations show what is there with no fault in the way.
            if number + 3 >= most || clean_closes > 0 {
                world.heal();
            }
            let damaged = self.damage(number + 1);
            let ending = self.incarnation(&damaged).await;
            self.repair(&damaged);
            self.verdict.excused |= self.world.judge.borrow().excuse() != Excuse::None;
            self.count_acknowledged();
            if self.verdict.instant.is_some() {
                break;
            }
            let world = &self.world;
            let closed = matches!(ending, Ending::Returned { closed: true, .. });
            let is_returned = matches!(ending, Ending::Returned { .. });
            let is_stuck = matches!(ending, Ending::Stuck(_));
            let met = world.met.take();
            let seen = Seen {
                faults_so_far: world.provocations(),
                left_over: &self.left_over,
                met: &met,
                point: self.kernel.points(),
            };
            world.judge.borrow_mut().after_end(&world.plan, &world.history.borrow(), ending, &seen);
            world.end_damaged(is_returned && 0 < met.reads);
            let judged = !self.world.judge.borrow().violations().is_empty();
            if is_stuck && !judged {
                // No checker minds. It would hold its locks for ever.
                self.strike(&Left::Drawn(CrashKind::Kill), "killed: nobody in it went on");
            }
            clean_closes += u32::from(closed && !self.world.goes_on());
            if judged || clean_closes == 2 || self.verdict.harness_error.is_some() {
                break;
            }
        }
        self.keep_image();
        self.finish()
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
    async fn incarnation(&mut self, damaged: &[Damaged]) -> Ending {
        let world = &self.world;
        let mut image = Image::read(&world.disk.borrow(), process::DATABASE);
        for damaged in damaged.iter().filter(|damaged| damaged.is_refused()) {
            image.demand_refusal(damaged.to_string());
        }
        let faults = world.provocations();
        world.hit_all(image.probes);
        for log in &image.old_logs {
            world.note_old_log(&format!("{}/{log}", process::DATABASE));
        }
        world.older_logs.borrow_mut().clear();
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
        let is_broken = u64::from(world.broken.get() != Excuse::None);
        let found = world.found_damaged.get() + damaged.len() as u64 + is_broken;
        world.found_damaged.set(found);
        let steer = self.steers.pop_front();
        let limits = match &steer {
            Some(steer) => Limits { crash_at_point: steer.point, ..Limits::NONE },
            None => Limits::NONE,
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
        match end {
            End::Returned(left) => {
                let closed =
                    |o: &crate::history::Outcome| o.call == Call::Close && o.error.is_none();
                let closed = world.history.borrow().outcomes.iter().any(closed);
                self.left_over = world.left_over(process::DATABASE);
                self.after_return(steer, closed);
                Ending::Returned { closed, left, leaked: self.kernel.live_blocks() }
            }
            // The judge ended it, over what an open showed: nothing has died.
            End::Crashed if !world.judge.borrow().violations().is_empty() => {
                Ending::Crashed(CrashKind::Kill)
            }
            End::Crashed if steer.is_some() => self.crash_as_steered(steer),
            End::Crashed => {
                let kind = world.crash.get().map_or(CrashKind::Kill, |crash| crash.kind);
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
            let ops = plan.batches[batch as usize].ops.clone();
            let values = plan.ops[ops.start as usize..ops.end as usize].iter();
            self.verdict.acks += 1;
            self.verdict.ops += u64::from(ops.end - ops.start);
            self.verdict.bytes += values.map(|op| u64::from(op.value.unwrap_or(0))).sum::<u64>();
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
