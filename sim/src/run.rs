//! One run: a seed of a scenario from an empty disk to the verdict.
//!
//! A run is a sequence of *incarnations*: each opens the database, shows what it recovered, lets
//! clients work, and ends with a close or a crash. After the last planned crash, one incarnation
//! finishes the work and closes, and one more opens what that left.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use crate::checker::{Checker, Ending, Image};
use crate::damage::Damaged;
use crate::disk::{Disk, POSIX_WEAK};
use crate::engine_events;
use crate::fault::{FaultCounts, FaultPlan, Phase};
use crate::history::Call;
use crate::host::Host;
use crate::kernel::{End, Kernel, Limits};
use crate::policy::{Decision, Policy, PolicyName, Replay};
use crate::probe::Probe;
use crate::process;
use crate::scenario::{CrashKind, Scenario};
use crate::steer::{Instant, Left, Steer};
use crate::trace::{Lane, Tag, Trace};
pub use crate::verdict::{DiskAtDeath, Verdict};
use crate::workload::{After, Custom, Plan, PlannedBatch};
use crate::world::{self, World};

/// Switches of stacks between two returns to the node's own executor.
const SLICE: u64 = 512;

/// How a run is carried out, apart from what it does.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that have nothing to do with each other"
)]
pub struct Mode {
    /// Keep every event in words, and the disk before and after each crash.
    pub keep_events: bool,
    /// Keep the choices of the scheduler among the events too.
    pub keep_choices: bool,
    /// Record the schedule.
    pub record_schedule: bool,
    /// Keep what the disk holds whenever no process runs on it.
    pub keep_images: bool,
    /// Follow this schedule instead of the plan's policy.
    pub schedule: Option<Vec<Decision>>,
    /// Die at this point of the first process and nowhere else, whatever is planned.
    pub steer: Option<Steer>,
    /// What drives the kernel. Decides nothing: the trace is the same.
    pub host: Host,
}

/// Runs seeds, one after another, on one OS thread.
///
/// If `std::thread::panicking()` is true after a run, that OS thread must not be used again: a
/// simulated thread panicked and will never finish unwinding.
#[derive(Debug)]
pub struct Runner {
    kernel: Rc<Kernel>,
    /// That of the last run: its memory is used again.
    disk: Disk,
}

impl Default for Runner {
    fn default() -> Self {
        let kernel = Kernel::new(PolicyName::Random.build(0), Trace::new(false));
        Runner { kernel: Rc::new(kernel), disk: Disk::new(&POSIX_WEAK) }
    }
}

impl Runner {
    /// Runs `seed` of `scenario` with the simulator's own checkers.
    pub fn run(&mut self, scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
        self.carry_out(scenario, seed, crate::checker::all(), None, mode)
    }

    /// As [`Runner::run`]; if the harness panics, the verdict says so, and the runner is of no use
    /// any more.
    pub fn run_caught(&mut self, scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
        let run = AssertUnwindSafe(|| self.run(scenario, seed, mode));
        #[expect(clippy::disallowed_methods, reason = "a panic of the harness is told as one")]
        let result = std::panic::catch_unwind(run);
        result.unwrap_or_else(|panic| {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
            let words = format!("it panicked: {}", words.unwrap_or("without words"));
            Verdict { harness_error: Some(words), ..Verdict::default() }
        })
    }

    /// Runs a workload, a fault hook and checkers of the caller's own on the disk, with the
    /// crashes, faults and schedule that `seed` draws from `scenario`. Its clients are not started.
    ///
    /// The simulator's own checkers judge its own clients: of them, only
    /// [`crate::checker::Liveness`] says something about another workload.
    pub fn run_custom(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        custom: Custom,
        checkers: Vec<Box<dyn Checker>>,
        mode: Mode,
    ) -> Verdict {
        self.carry_out(scenario, seed, checkers, Some(custom), mode)
    }

    fn carry_out(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        checkers: Vec<Box<dyn Checker>>,
        custom: Option<Custom>,
        mode: Mode,
    ) -> Verdict {
        let mut plan = Plan::draw(scenario, seed);
        if mode.steer.is_some() {
            plan.crashes.clear();
        }
        let faults = FaultPlan::new(&scenario.spec.faults);
        let policy: Box<dyn Policy> = match mode.schedule {
            Some(schedule) => Box::new(Replay::new(schedule)),
            None => plan.policy.build(plan.seed),
        };
        let trace =
            if mode.keep_choices { Trace::with_choices() } else { Trace::new(mode.keep_events) };
        self.kernel.reset(policy, trace);
        self.kernel.set_run(&format!("{}:{seed}", scenario.token()));
        self.kernel.ask_for_spurious_wakeups(world::spurious_wakeup);
        if mode.record_schedule {
            self.kernel.record_schedule();
        }
        let disk = std::mem::replace(&mut self.disk, Disk::new(plan.profile));
        let mut world = World::new(plan, faults, checkers, disk);
        if let Some(custom) = custom {
            world.workload = Some(custom.workload);
            world.fault_hook = RefCell::new(custom.fault_hook);
        }
        let _listening = mode.keep_events.then(engine_events::listen);
        let run = Run {
            kernel: Rc::clone(&self.kernel),
            host: mode.host,
            keep: mode.keep_events,
            keep_images: mode.keep_images,
            steer: mode.steer,
            verdict: Verdict::default(),
            left_over: Vec::new(),
            world,
        };
        let seed = run.world.plan.seed;
        let (verdict, disk) = mode.host.drive(seed, run.incarnations());
        self.disk = disk;
        verdict
    }
}

struct Run {
    kernel: Rc<Kernel>,
    world: World,
    host: Host,
    keep: bool,
    keep_images: bool,
    /// Until it has struck.
    steer: Option<Steer>,
    verdict: Verdict,
    /// What the last clean close left behind for nothing.
    left_over: Vec<String>,
}

/// Incarnations at most, beside one for each planned crash: failed opens are tried again.
const SPARE_INCARNATIONS: u32 = 6;

impl Run {
    async fn incarnations(mut self) -> (Verdict, Disk) {
        let planned = self.world.plan.crashes.clone();
        let ends = |batch: &&PlannedBatch| matches!(batch.after, After::Close | After::Crash(_));
        let scripted = self.world.plan.batches.iter().filter(ends).count();
        let most = (planned.len() + scripted) as u32 + SPARE_INCARNATIONS;
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
            if self.verdict.instant.is_some() {
                break;
            }
            let world = &self.world;
            let closed = matches!(ending, Ending::Returned { closed: true, .. });
            world.judge.borrow_mut().after_end(
                &world.plan,
                &world.history.borrow(),
                ending,
                world.provocations(),
                &self.left_over,
                self.kernel.points(),
            );
            self.count_acknowledged();
            let judged = !self.world.judge.borrow().violations().is_empty();
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
                world.excused.set(true);
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
            world.excused.set(false);
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
        // Memtables become tables in their order, so all up to there was in one. The log that a
        // `resume` has made superfluous may be gone before anybody has read it.
        let in_tables = image.recoverable.iter().flat_map(|found| &found.table_entries);
        if let Some(last) = in_tables.map(|entry| entry.sequence).max() {
            let flushed = &mut world.history.borrow_mut().flushed_sequence;
            *flushed = last.max(*flushed);
        }
        let names = damaged.iter().map(|damaged| damaged.name().to_owned()).collect();
        world.judge.borrow_mut().begin_incarnation(image, names, faults);
        world.found_damaged.set(world.found_damaged.get() + damaged.len() as u64);
        let limits = match &self.steer {
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
                // A closed database has nothing to lose, so the power may go. Otherwise its page
                // cache stays, and what it had in flight may not.
                let goes = closed && world.chance.borrow_mut().below(2) == 0;
                if goes {
                    let left = Left::Drawn(CrashKind::PowerLoss);
                    self.strike(&left, "power loss after the close");
                } else {
                    let mut chance = world.chance.borrow_mut();
                    world.disk.borrow_mut().process_death(&mut *chance);
                    self.kernel.tell(Lane::End, || "the process ends".to_owned());
                }
                Ending::Returned { closed, left, leaked: self.kernel.live_blocks() }
            }
            // The judge ended it, over what an open showed: nothing has died.
            End::Crashed if !world.judge.borrow().violations().is_empty() => {
                Ending::Crashed(CrashKind::Kill)
            }
            End::Crashed if self.steer.is_some() => self.crash_as_steered(),
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

    /// Leaves what the caller chose, or shows what could be left.
    fn crash_as_steered(&mut self) -> Ending {
        let Some(Steer { left, .. }) = self.steer.take() else {
            unreachable!("asked only where a crash is steered");
        };
        let kind = left.kind();
        if left == Left::Anything {
            self.verdict.instant = Some(Instant::of(&self.world));
        } else {
            self.note_crash();
            self.strike(&left, kind.words());
            self.note_image();
        }
        Ending::Crashed(kind)
    }

    fn crash_disk(&mut self, kind: CrashKind) {
        self.note_crash();
        self.strike(&Left::Drawn(kind), kind.words());
        self.note_image();
    }

    fn note_crash(&mut self) {
        self.verdict.crashes += 1;
        match self.world.phase.get() {
            Phase::Run if self.world.is_compacting.get() => {
                self.world.hit(Probe::CrashInCompaction);
            }
            Phase::Run => {}
            Phase::Recovery => self.world.hit(Probe::CrashInRecovery),
            Phase::Close => self.world.hit(Probe::CrashInClose),
        }
    }

    fn note_image(&self) {
        let hash = self.world.disk.borrow_mut().image_hash();
        self.kernel.with_trace(|trace| trace.note(Tag::Crash, hash));
    }

    /// Does to the disk what this death does.
    fn strike(&mut self, left: &Left, what: &'static str) {
        let mut disk = self.world.disk.borrow_mut();
        let mut chance = self.world.chance.borrow_mut();
        let past = self.keep.then(|| disk.clone());
        let report = left.strike(&mut disk, &mut *chance);
        self.kernel.tell(Lane::End, || format!("CRASH: {what}"));
        if let Some(past) = past {
            let fates = match report {
                Some(report) => report.describe(&past),
                None => "every completed call survives".to_owned(),
            };
            self.verdict.disks.push(DiskAtDeath {
                point: self.kernel.points(),
                what,
                profile: self.world.plan.profile.name,
                before: past.files(),
                fates: fates.lines().map(str::to_owned).collect(),
                after: disk.files(),
            });
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
        verdict.points = self.kernel.points();
        verdict.refuse_emptiness();
        verdict.virtual_nanos = self.kernel.nanos();
        verdict.faults = FaultCounts::of_plan(&self.world.faults.borrow());
        verdict.probes = self.world.probes.get();
        verdict.events = self.kernel.with_trace(Trace::take_events);
        verdict.drift = self.kernel.drift();
        verdict.schedule = self.kernel.take_schedule();
        (verdict, self.world.disk.into_inner())
    }
}

/// Calls `f` with a runner on an OS thread of its own, which a simulated panic may use up.
///
/// # Panics
/// If `f` panics.
pub fn on_fresh_thread<R: Send + 'static>(f: impl FnOnce(&mut Runner) -> R + Send + 'static) -> R {
    #[expect(clippy::disallowed_methods, reason = "the harness runs on the system's threads")]
    let thread = std::thread::spawn(move || f(&mut Runner::default()));
    thread.join().expect("the harness does not panic")
}

/// Runs `seed` of `scenario` on an OS thread of its own. A panic of the harness is in the verdict.
pub fn run_on_fresh_thread(scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
    let scenario = scenario.clone();
    on_fresh_thread(move |runner| runner.run_caught(&scenario, seed, mode))
}
