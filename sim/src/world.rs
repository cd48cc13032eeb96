//! The world of one run: the disk, the streams that are drawn from while it runs, and what clients
//! have seen. Simulated code reaches it through [`with_world`].
//!
//! Architecture invariant: simulated code borrows from the world for the length of one call, and
//! copies what it takes away (see [`crate::arena`]).

#![expect(unsafe_code, reason = "simulated code must find its world")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::ptr;
use std::rc::Rc;
use std::time::Duration;

use crate::appended::Appended;
use crate::arena::Outside;
use crate::checker::{Checker, Excuse, Image, Met};
use crate::disk::{Disk, Ino, Op, Pick};
use crate::fault::{FaultPlan, FileRole, Operation, Phase};
use crate::found::Before;
use crate::history::{FileBreach, History, LogDone};
use crate::judge::Judge;
use crate::kernel::{Kernel, ThreadId};
use crate::naive;
use crate::probe::{Probe, ProbeSet};
use crate::rng::{Purpose, Stream};
use crate::scenario::CrashKind;
use crate::situation::LastCall;
use crate::syncs::SyncWatch;
use crate::told::{Failure, Form};
use crate::trace::{Lane, Tag};
use crate::workload::{FaultHook, Plan, PlannedCrash, Workload};

/// A wait that ends by itself does so before this many nanoseconds have passed.
const SPURIOUS_NANOS_MAX: u64 = 200_000;

/// Queues of the device.
pub(crate) const DEVICE_QUEUES: usize = 4;

/// A client's call of `resume` that is under way.
#[derive(Clone, Debug)]
pub struct Resuming {
    /// Point of the call.
    pub invoked: u64,
    /// The batches that had failed then.
    pub failed: Vec<u32>,
}

/// What simulated code acts upon. A clone is another world, in which the same has happened.
#[derive(Clone)]
pub struct World {
    /// What this run does.
    pub plan: Plan,
    /// The disk.
    pub disk: RefCell<Disk>,
    /// What fails.
    pub faults: RefCell<FaultPlan>,
    /// What clients and the engine's observer have seen.
    pub history: RefCell<History>,
    /// What clients do instead of the plan's.
    pub workload: Option<Rc<dyn Workload>>,
    /// Decides about faults before the plan does.
    pub fault_hook: RefCell<Option<Box<dyn FaultHook>>>,
    /// Who judges it.
    pub judge: RefCell<Judge>,
    /// How long calls take.
    pub latency: RefCell<Stream>,
    /// Until when each queue of the device stands still. A thread uses one of them.
    pub stalled_until: [Cell<Duration>; DEVICE_QUEUES],
    /// Which calls fail.
    pub fault_stream: RefCell<Stream>,
    /// What was known before what this process found, as long as a power loss may take that.
    pub before: RefCell<Option<Before>>,
    /// All logs but the newest, with their bytes, before the last power loss.
    pub older_logs: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Logs of which pages could not be written back, with their bytes before: such pages may leave
    /// the cache.
    pub lost_logs: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Logs of which an append or a sync failed, until an open has replayed them, with how many
    /// bytes had come into memtables for certain: what their last record holds behind them may be
    /// in none.
    pub failed_logs: RefCell<BTreeMap<String, u64>>,
    /// What this process has appended to its newest log.
    pub appended: RefCell<Appended>,
    /// How far the logs have come.
    pub log_done: Cell<LogDone>,
    /// The syncs, if they are watched.
    pub syncs: Option<RefCell<SyncWatch>>,
    /// By thread: the `resume` that it is in.
    pub resuming: RefCell<BTreeMap<ThreadId, Resuming>>,
    /// The calls of this process to its environment that came back with an error, in order.
    pub failures: RefCell<Vec<Failure>>,
    /// Set while the database is opened, read and dropped for reading alone.
    pub is_previewing: Cell<bool>,
    /// Set while the harness itself looks at the database: nothing fails then.
    pub is_looking: Cell<bool>,
    /// Calls that failed because the disk was full or took no changes, or to tell of a sync that
    /// had failed before.
    pub found_unable: Cell<u64>,
    /// Faults that the hook decided.
    pub found_hooked: Cell<u64>,
    /// Files that were damaged between processes.
    pub found_damaged: Cell<u64>,
    /// What such damage excuses, for the first open that shows it.
    pub excused: Cell<Excuse>,
    /// What promises broken by the disk excuse, for the first open that shows what is left.
    pub broken: Cell<Excuse>,
    /// Reads that met damage of the medium, and had no other fault.
    pub found_flawed: Cell<u64>,
    /// What this process has met of it.
    pub met: RefCell<Met>,
    /// How much of each file this process has read while it opened the database.
    pub cached: RefCell<Vec<(Ino, u64)>>,
    /// Logs of which an open was given other bytes than were written, with those bytes.
    pub rotten_logs: RefCell<BTreeMap<String, Vec<u8>>>,
    /// Damaged sectors of files that this open had read to there before: by file and number.
    pub unseen_flaws: RefCell<Vec<(Ino, u32)>>,
    /// Set when damage that had made a call fail was healed, until an open has returned.
    pub is_healed: Cell<bool>,
    /// How many of the next syncs the device lies about.
    pub lies_left: Cell<u32>,
    /// Set once nothing fails any more because a process had gone on for too long.
    pub is_spared: Cell<bool>,
    /// Whether the file system takes no changes.
    pub is_read_only: Cell<bool>,
    /// Places that this run has been at.
    pub probes: Cell<ProbeSet>,
    /// What a crash leaves.
    pub chance: RefCell<Stream>,
    /// What the process is doing.
    pub phase: Cell<Phase>,
    /// The crash of this incarnation that has not struck, while its phase lasts.
    pub crash: Cell<Option<PlannedCrash>>,
    /// Calls of the crash's set seen so far.
    pub calls_seen: Cell<u32>,
    /// Whether a compaction has begun to write tables that no MANIFEST names yet.
    pub is_compacting: Cell<bool>,
    /// The last call of this incarnation.
    pub last_call: Cell<Option<LastCall>>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World {{ seed: {} }}", self.plan.seed)
    }
}

impl World {
    /// The world of `plan` before anything has happened, on a disk made new out of `disk`.
    pub fn new(
        plan: Plan,
        faults: FaultPlan,
        checkers: Vec<Box<dyn Checker>>,
        mut disk: Disk,
    ) -> Self {
        disk.reset(plan.profile);
        disk.set_capacity(plan.capacity);
        World {
            disk: RefCell::new(disk),
            faults: RefCell::new(faults),
            history: RefCell::new(History::new(&plan)),
            latency: RefCell::new(Stream::new(plan.seed, Purpose::Latency)),
            fault_stream: RefCell::new(Stream::new(plan.seed, Purpose::Faults)),
            stalled_until: Default::default(),
            before: RefCell::default(),
            older_logs: RefCell::default(),
            lost_logs: RefCell::default(),
            failed_logs: RefCell::default(),
            appended: RefCell::default(),
            log_done: Cell::default(),
            syncs: None,
            resuming: RefCell::default(),
            failures: RefCell::default(),
            is_previewing: Cell::new(false),
            is_looking: Cell::new(false),
            found_hooked: Cell::new(0),
            found_damaged: Cell::new(0),
            excused: Cell::default(),
            broken: Cell::default(),
            found_flawed: Cell::new(0),
            met: RefCell::default(),
            cached: RefCell::default(),
            rotten_logs: RefCell::default(),
            unseen_flaws: RefCell::default(),
            is_healed: Cell::new(false),
            lies_left: Cell::new(0),
            is_spared: Cell::new(false),
            is_read_only: Cell::new(false),
            probes: Cell::new(ProbeSet::default()),
            found_unable: Cell::new(0),
            chance: RefCell::new(Stream::new(plan.seed, Purpose::Disk)),
            phase: Cell::new(Phase::Recovery),
            crash: Cell::new(None),
            calls_seen: Cell::new(0),
            is_compacting: Cell::new(false),
            last_call: Cell::new(None),
            workload: None,
            fault_hook: RefCell::new(None),
            judge: RefCell::new(Judge::new(checkers)),
            plan,
        }
    }

    /// Another process starts on the same disk, to die of `crash` if it comes to that.
    pub fn begin_incarnation(&self, number: u32, crash: Option<PlannedCrash>) {
        self.history.borrow_mut().begin_incarnation(number);
        self.crash.set(crash);
        self.calls_seen.set(0);
        if let Some(syncs) = &self.syncs {
            syncs.borrow_mut().begin_incarnation();
        }
        self.is_compacting.set(false);
        self.last_call.set(None);
        self.is_looking.set(false);
        self.is_previewing.set(false);
        self.resuming.borrow_mut().clear();
        self.failures.borrow_mut().clear();
        *self.appended.borrow_mut() = Appended::default();
        *self.met.borrow_mut() = Met::default();
        self.cached.borrow_mut().clear();
        self.unseen_flaws.borrow_mut().clear();
    }

    /// From here on nothing fails: no fault strikes, a full disk has room again, a file system that
    /// had turned read-only takes changes, and no sector is damaged.
    pub fn heal(&self) {
        self.faults.borrow_mut().heal();
        self.disk.borrow_mut().set_capacity(None);
        self.disk.borrow_mut().heal_all();
        self.begin_device();
    }

    /// As [`World::heal`], once the kernel is calm: a process is not to blame for what the disk
    /// keeps it from, or a fault hook.
    pub fn heal_if_calm(&self, kernel: &Kernel) {
        if kernel.is_calm() && !self.is_spared.replace(true) {
            self.heal();
            self.fault_hook.take();
        }
    }

    /// What excuses a loss that the next open shows.
    pub fn excuse(&self) -> Excuse {
        self.excused.get().max(self.broken.get())
    }

    /// The power went: device and file system begin anew.
    pub fn note_power_loss(&self) {
        self.begin_device();
    }

    fn begin_device(&self) {
        self.lies_left.set(0);
        self.is_read_only.set(false);
        self.stalled_until.iter().for_each(|until| until.set(Duration::ZERO));
    }

    /// After a crash: what the disk broke of its promises about files that the database in `dir`
    /// still needs excuses a loss. If only logs lost bytes behind which no log holds any, it is
    /// still a prefix that is left. Of what failed syncs took back, only logs held what clients had
    /// been told of.
    pub fn note_broken_promises(&self, dir: &str, kind: CrashKind) {
        let disk = self.disk.borrow();
        let broken = disk.broken_promises();
        if broken.is_empty() {
            return;
        }
        let folder = disk.folder(dir);
        let is_log = |name: &str| FileRole::of_file(name) == FileRole::Log;
        let has_bytes = |name: &str| folder.bytes(name).is_some_and(|bytes| !bytes.is_empty());
        let newest = folder.names().into_iter().rfind(|name| is_log(name) && has_bytes(name));
        // Where the database cannot be read, it may need anything.
        let is_needed = |op: &&Op| {
            let is_told = kind == CrashKind::PowerLoss || is_log(op.name(&disk));
            is_told
                && naive::left_over(&[op.name(&disk)], &|name| folder.bytes(name))
                    .map_or(true, |names| names.is_empty())
        };
        let needed: Vec<&Op> = broken.iter().filter(is_needed).collect();
        let is_last = |op: &&Op| {
            let name = op.name(&disk);
            op.is_of_content() && is_log(name) && newest.is_none_or(|last| last <= name)
        };
        if !needed.is_empty() {
            let excuse = if needed.iter().all(is_last) { Excuse::End } else { Excuse::Anywhere };
            self.broken.set(self.broken.get().max(excuse));
            self.hit(Probe::PromiseBroken);
        }
    }

    /// Whether a script has steps left.
    pub fn goes_on(&self) -> bool {
        let history = self.history.borrow();
        let mut writers = self.plan.writers.iter().zip(&history.next_batch);
        self.plan.is_scripted && writers.any(|(batches, next)| *next < batches.end)
    }

    /// Notes that this run has been at a place.
    pub fn hit(&self, probe: Probe) {
        let mut probes = self.probes.get();
        probes.hit(probe);
        self.probes.set(probes);
    }

    /// Notes that this run has been at all of these.
    pub fn hit_all(&self, probes: ProbeSet) {
        self.probes.set(self.probes.get().with(probes));
    }

    /// How often the disk gave the engine a reason to fail.
    pub fn provocations(&self) -> u64 {
        u64::from(self.faults.borrow().errors_delivered())
            + self.found_unable.get()
            + self.found_hooked.get()
            + self.found_damaged.get()
            + self.found_flawed.get()
    }

    /// Notes what the running thread is told by its environment.
    pub fn note_failure(&self, kernel: &Kernel, error: &faultline::Error) {
        let thread = kernel.current();
        let (point, role) = (kernel.points(), kernel.thread_kind(thread));
        let failure = Failure { point, thread, role, form: Form::of(error) };
        self.failures.borrow_mut().push(failure);
    }

    /// Notes a file that is created over another: its number has been given before.
    pub fn note_create(&self, name: &str, point: u64) {
        if self.disk.borrow().lookup(name).is_ok() {
            let what = format!("{name} is created, and was there");
            self.history.borrow_mut().file_breaches.push(FileBreach { point, what });
        }
    }

    /// Notes a file that goes although the database needs it; `how` says what is done to it.
    pub fn note_gone(&self, name: &str, how: &str, point: u64) {
        let disk = self.disk.borrow();
        let Some((dir, short)) = name.rsplit_once('/') else { return };
        let folder = disk.folder(dir);
        // A log that was created and then given up holds nothing that anybody could need.
        let has_bytes = folder.bytes(short).is_some_and(|bytes| !bytes.is_empty());
        if has_bytes && naive::needs(short, &|other| folder.bytes(other)) == Ok(true) {
            let what = format!("{name} is {how}, and the MANIFEST needs it");
            self.history.borrow_mut().file_breaches.push(FileBreach { point, what });
        }
    }

    /// Whether this process opens the database for reading alone first: there must be one.
    pub fn previews(&self, dir: &str) -> bool {
        if self.plan.previews == 0.0 {
            return false;
        }
        let number = u64::from(self.history.borrow().incarnation);
        let is_drawn =
            Stream::new(self.plan.seed ^ number << 40, Purpose::Preview).chance(self.plan.previews);
        is_drawn && Image::read(&self.disk.borrow(), dir).recoverable.is_some()
    }

    /// What of directory `dir` belongs to the database and is not needed.
    pub fn left_over(&self, dir: &str) -> Vec<String> {
        let disk = self.disk.borrow();
        let folder = disk.folder(dir);
        naive::left_over(&folder.names(), &|name| folder.bytes(name)).unwrap_or_default()
    }

    /// Notes that an open has replayed a log: all of it is in a memtable now.
    pub fn note_replayed(&self, name: &str) {
        self.failed_logs.borrow_mut().remove(name);
    }

    /// Calls `f` with this world as the one that simulated code finds.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let before = current::WORLD.replace(ptr::from_ref(self));
        let result = f();
        current::WORLD.set(before);
        result
    }
}

/// Whether a wait of the running thread that begins now ends by itself, and after how long.
pub(crate) fn spurious_wakeup(kernel: &Kernel) -> Option<Duration> {
    let _outside = Outside::enter();
    with_world(|world| {
        world.heal_if_calm(kernel);
        let mut stream = world.fault_stream.borrow_mut();
        let mut faults = world.faults.borrow_mut();
        let (role, phase) = (FileRole::Other, world.phase.get());
        let fault = faults.decide(Operation::Wait, role, phase, &mut *stream)?;
        let word = fault.word();
        kernel.with_trace(|trace| trace.note(Tag::Fault, word));
        kernel.tell(Lane::Fault, || "wakes up without a notification".to_owned());
        Some(Duration::from_nanos(fault.scaled(SPURIOUS_NANOS_MAX)))
    })
}

mod current {
    use super::{Cell, World, ptr};
    thread_local! {
        pub(super) static WORLD: Cell<*const World> = const { Cell::new(ptr::null()) };
    }
}

/// Calls `f` with the world of the run.
///
/// # Panics
/// Outside of a run.
#[inline]
pub fn with_world<R>(f: impl FnOnce(&World) -> R) -> R {
    let world = current::WORLD.get();
    assert!(!world.is_null(), "the world was used outside of a run");
    // SAFETY: set by `World::enter` for exactly as long as the world is borrowed by it.
    f(unsafe { &*world })
}

impl Pick for Stream {
    fn pick(&mut self, n: u32) -> u32 {
        self.below(n)
    }
}
