//! One run: a seed of a scenario from an empty disk to the verdict.
//!
//! A run is a sequence of *incarnations*: each opens the database, shows what it recovered, lets
//! clients work, and ends with a close or a crash. After the last planned crash, one incarnation
//! finishes the work and closes, and one more opens what that left.

mod death;
mod halt;
mod incarnations;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

pub use self::halt::Halt;
use self::incarnations::Run;
use crate::checker::Checker;
use crate::disk::{Device, Disk, POSIX_WEAK};
use crate::engine_events;
use crate::fault::{FaultKind, FaultPlan};
use crate::host::Host;
use crate::kernel::{Kernel, Limits};
use crate::policy::{
    Classed, Decision, Deviating, Deviation, Deviations, Exhaustive, Guide, Passage, Pilot, Policy,
    PolicyName, Profile, Replay,
};
use crate::rng::{Purpose, Stream};
use crate::scenario::Scenario;
use crate::steer::Steer;
use crate::syncs::SyncWatch;
use crate::trace::Trace;
pub use crate::verdict::{DiskAtDeath, Verdict};
use crate::workload::{Custom, Plan};
use crate::world::{self, World};

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
    /// Keep the events from the first of these numbers to the second as they are hashed.
    pub note_between: Option<(u64, u64)>,
    /// Record the schedule.
    pub record_schedule: bool,
    /// Keep what the disk holds whenever no process runs on it.
    pub keep_images: bool,
    /// Follow this schedule instead of the plan's policy.
    pub schedule: Option<Vec<Decision>>,
    /// Choose of itself but for these.
    pub deviations: Option<Vec<Deviation>>,
    /// Note what would have to be planned to have the same run again: the faults handed out, and
    /// where the policy's choice was not what comes of itself.
    pub note_course: bool,
    /// Follow this schedule through the first process instead; the verdict has the passage, with
    /// what it met.
    pub guide: Option<(Guide, Passage)>,
    /// Note the labels of syncs.
    pub note_syncs: bool,
    /// Note the happens-before class of the first process.
    pub note_class: bool,
    /// The first processes die so, in this order, and no other dies, whatever is planned.
    pub steer: Option<Vec<Steer>>,
    /// After so many points a process is scheduled fairly; `None` for the kernel's own limit.
    pub points_max: Option<u64>,
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
    /// Where the last run halted.
    halt: Option<Halt>,
}

impl Default for Runner {
    fn default() -> Self {
        let kernel = Kernel::new(PolicyName::Random.build(0), Trace::new(false));
        Runner { kernel: Rc::new(kernel), disk: Disk::new(&POSIX_WEAK), halt: None }
    }
}

impl Runner {
    /// Runs `seed` of `scenario` with the simulator's own checkers.
    pub fn run(&mut self, scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
        self.run_plan(scenario, Plan::draw(scenario, seed), mode)
    }

    /// As [`Runner::run`], with a plan that the caller may have changed; of the scenario, the
    /// faults and what it goes without are still of importance.
    pub fn run_plan(&mut self, scenario: &Scenario, plan: Plan, mut mode: Mode) -> Verdict {
        if let Some((guide, passage)) = mode.guide.take() {
            let passage = Rc::new(RefCell::new(passage));
            let behind = plan.policy.build(plan.seed);
            let policy = Box::new(Exhaustive::new(guide, Rc::clone(&passage), behind));
            let mut verdict = self.carry_out_own(scenario, plan, policy, mode);
            verdict.passage = passage.take();
            return verdict;
        }
        let policy: Box<dyn Policy> = match (mode.schedule.take(), mode.deviations.take()) {
            (Some(schedule), _) => Box::new(Replay::new(schedule)),
            (None, Some(deviations)) => Box::new(Deviations::new(&deviations)),
            (None, None) if plan.policy.wants_profile() => {
                match self.pilot(scenario, plan.clone(), &mode) {
                    Ok(profile) => plan.policy.build_with(plan.seed, profile),
                    Err(verdict) => return *verdict,
                }
            }
            (None, None) => plan.policy.build(plan.seed),
        };
        if !mode.note_class {
            return self.carry_out_own(scenario, plan, policy, mode);
        }
        let class = Rc::default();
        let policy = Box::new(Classed::new(policy, Rc::clone(&class)));
        let mut verdict = self.carry_out_own(scenario, plan, policy, mode);
        verdict.class = class.get();
        verdict
    }

    /// Counts the events of a run under [`PolicyName::Random`], for a policy that wants to know.
    ///
    /// # Errors
    /// The verdict, if that run already breaks a promise: it is that of the seed then.
    fn pilot(
        &mut self,
        scenario: &Scenario,
        plan: Plan,
        mode: &Mode,
    ) -> Result<Profile, Box<Verdict>> {
        let profile = Rc::default();
        let stream = Stream::new(plan.seed, Purpose::Pilot);
        let policy = Box::new(Pilot::new(stream, Rc::clone(&profile)));
        // One profile for all the deaths that a caller may choose.
        let steer = mode.steer.as_ref().map(|_| Vec::new());
        let mode = Mode { schedule: None, deviations: None, guide: None, steer, ..*mode };
        let verdict = self.carry_out_own(scenario, plan, policy, mode);
        if verdict.violations.is_empty() && verdict.harness_error.is_none() {
            return Ok(profile.take());
        }
        Err(Box::new(verdict))
    }

    /// As [`Runner::run`]; if the harness panics, the verdict says so, and the runner is of no use
    /// any more.
    pub fn run_caught(&mut self, scenario: &Scenario, seed: u64, mode: Mode) -> Verdict {
        caught(|| self.run(scenario, seed, mode))
    }

    /// Runs a workload, a fault hook and checkers of the caller's own on the disk, with the
    /// crashes, faults and schedule that `seed` draws from `scenario`. Its clients are not started.
    ///
    /// The simulator's own checkers judge its own clients: of them, only
    /// [`crate::checker::Liveness`] says something about another workload. The workload is run
    /// once: a policy that wants a [`Profile`] does without.
    pub fn run_custom(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        custom: Custom,
        checkers: Vec<Box<dyn Checker>>,
        mut mode: Mode,
    ) -> Verdict {
        let plan = Plan::draw(scenario, seed);
        let policy: Box<dyn Policy> = match mode.schedule.take() {
            Some(schedule) => Box::new(Replay::new(schedule)),
            None => plan.policy.build(plan.seed),
        };
        self.carry_out(scenario, plan, policy, checkers, Some(custom), mode)
    }

    /// As [`Runner::carry_out`], with the simulator's own clients and checkers.
    fn carry_out_own(
        &mut self,
        scenario: &Scenario,
        plan: Plan,
        policy: Box<dyn Policy>,
        mode: Mode,
    ) -> Verdict {
        let checkers = scenario.spec.without.checkers();
        if !mode.note_course {
            return self.carry_out(scenario, plan, policy, checkers, None, mode);
        }
        let noted = Rc::default();
        let policy = Box::new(Deviating::new(policy, Rc::clone(&noted)));
        let mut verdict = self.carry_out(scenario, plan, policy, checkers, None, mode);
        verdict.deviations = noted.take();
        verdict
    }

    fn carry_out(
        &mut self,
        scenario: &Scenario,
        mut plan: Plan,
        policy: Box<dyn Policy>,
        checkers: Vec<Box<dyn Checker>>,
        custom: Option<Custom>,
        mode: Mode,
    ) -> Verdict {
        let is_steered = mode.steer.is_some() || scenario.spec.without.crashes;
        if is_steered {
            plan.leave_out_crashes();
        }
        let off = scenario.spec.without.faults.iter().chain(&plan.omitted.faults).copied();
        let faults = off.fold(FaultPlan::new(&scenario.spec.faults), FaultPlan::without);
        let faults = match plan.profile.device {
            Device::Honest => faults.without(FaultKind::SyncLie),
            Device::MayLie => faults,
        };
        let mut trace =
            if mode.keep_choices { Trace::with_choices() } else { Trace::new(mode.keep_events) };
        if let Some(numbers) = mode.note_between {
            trace.note_between(numbers);
        }
        self.kernel.reset(policy, trace);
        self.kernel.ask_for_spurious_wakeups(world::spurious_wakeup);
        if mode.record_schedule {
            self.kernel.record_schedule();
        }
        let disk = std::mem::replace(&mut self.disk, Disk::new(plan.profile));
        let mut world = World::new(plan, faults, checkers, disk);
        if mode.note_syncs || world.plan.leave_out.is_some() {
            world.syncs = Some(RefCell::new(SyncWatch::new(world.plan.leave_out.clone())));
        }
        if let Some(custom) = custom {
            world.workload = Some(custom.workload);
            world.fault_hook = RefCell::new(custom.fault_hook);
        }
        let steers: VecDeque<Steer> = mode.steer.unwrap_or_default().into();
        let run = Box::new(Run {
            name: format!("{}:{}", scenario.token(), world.plan.seed),
            kernel: Rc::clone(&self.kernel),
            host: mode.host,
            keep: mode.keep_events,
            keep_images: mode.keep_images,
            note_course: mode.note_course,
            points_max: mode.points_max.unwrap_or(Limits::NONE.points_max),
            is_steered,
            steered: steers.len(),
            steers,
            verdict: Verdict::default(),
            left_over: Vec::new(),
            number: 0,
            clean_closes: 0,
            ended: None,
            world,
        });
        self.drive(run)
    }

    /// Takes a run from where it stands to its end.
    fn drive(&mut self, run: Box<Run>) -> Verdict {
        self.kernel.set_run(&run.name);
        let _listening = run.keep.then(engine_events::listen);
        let (host, seed) = (run.host, run.world.plan.seed);
        let (verdict, disk, halt) = host.drive(seed, run.incarnations());
        (self.disk, self.halt) = (disk, halt);
        verdict
    }
}

/// Runs; a panic of the harness is in the verdict.
pub(crate) fn caught(run: impl FnOnce() -> Verdict) -> Verdict {
    #[expect(clippy::disallowed_methods, reason = "a panic of the harness is told as one")]
    let result = std::panic::catch_unwind(AssertUnwindSafe(run));
    result.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        let words = format!("it panicked: {}", words.unwrap_or("without words"));
        Verdict { harness_error: Some(words), ..Verdict::default() }
    })
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
