//! A sweep: many seeds of many scenarios on all cores, with one result that depends on none of it.
//!
//! Worker threads pull runs from one counter. Reports are added up in the order of that counter,
//! and a sweep that stops at a failure counts nothing behind it, so the result is the same with one
//! worker and with many. A worker whose thread a simulated panic has used up is replaced; one that
//! makes no progress is reported and left behind.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the harness runs on the operating system's threads and clock"
)]

mod kinds;
mod totals;
mod watchdog;

pub use kinds::Kinds;
pub use totals::{Coverage, Failure, FailureKind, Totals};

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::watchdog::{At, Watchdog};
use crate::arena;
use crate::run::{Mode, Runner, Verdict, caught};
use crate::scenario::Scenario;

/// What to sweep.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The scenarios; every seed runs in each.
    pub scenarios: Arc<[Scenario]>,
    /// The seeds.
    pub seeds: Seeds,
    /// Worker threads, at least 1.
    pub jobs: usize,
    /// Start no further run after this.
    pub time_budget: Option<Duration>,
    /// Stop at this many failures, in the order of runs: what lies behind the last of them is not
    /// counted, even if it had begun.
    pub failures_max: u64,
    /// Share of runs that are run twice and compared.
    pub check_determinism: f64,
    /// Share of runs of which the happens-before class is noted.
    pub classed: f64,
    /// A run that takes longer than this on the wall has no scheduling point in some loop. Time in
    /// which the whole sweep was stopped, as by `Ctrl-Z`, does not count.
    pub run_timeout: Duration,
    /// Where the runs in flight are noted, if anywhere.
    pub out: Option<PathBuf>,
}

/// Carries out one run, as [`Runner::run`] does.
pub type CarryOut = dyn Fn(&mut Runner, &Scenario, u64, Mode) -> Verdict + Send + Sync;

/// A set of seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seeds {
    /// From the first to below the second.
    Range(u64, u64),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// How many.
    pub fn count(&self) -> u64 {
        match self {
            Seeds::Range(from, to) => to.saturating_sub(*from),
            Seeds::List(seeds) => seeds.len() as u64,
        }
    }

    /// The one at `index`, which is below [`Seeds::count`].
    pub fn get(&self, index: u64) -> u64 {
        match self {
            Seeds::Range(from, _) => from.wrapping_add(index),
            Seeds::List(seeds) => seeds[index as usize],
        }
    }
}

/// One run as its worker reports it.
struct Report {
    /// Its place in the order of runs.
    index: u64,
    scenario: usize,
    seed: u64,
    verdict: Verdict,
    second_hash: Option<u64>,
}

impl Report {
    /// A sum of these tells which runs were done, and each trace.
    fn mixed_hash(&self) -> u64 {
        let place = (self.scenario as u64) << 56 ^ self.seed;
        let mixed =
            u128::from(place ^ 0x5851_f42d_4c95_7f2d) * u128::from(self.verdict.trace_hash | 1);
        (mixed as u64) ^ ((mixed >> 64) as u64) ^ self.verdict.trace_hash
    }

    fn failure(&self) -> Option<FailureKind> {
        let verdict = &self.verdict;
        let first = verdict.trace_hash;
        match (&verdict.harness_error, self.second_hash) {
            (Some(message), _) => Some(FailureKind::Harness(message.clone())),
            _ if !verdict.violations.is_empty() => {
                Some(FailureKind::Violations(verdict.violations.clone()))
            }
            (None, Some(second)) if second != first => {
                Some(FailureKind::Nondeterminism { first, second })
            }
            _ => None,
        }
    }
}

/// What the workers share.
struct Shared {
    sweep: Sweep,
    carry_out: Box<CarryOut>,
    next: AtomicU64,
    stop: AtomicBool,
    watchdog: Watchdog,
    /// Runs done and not yet added up. A wake-up of the supervisor for every run would cost more
    /// than a small run.
    reports: Mutex<Vec<Report>>,
}

/// What a worker wakes the supervisor for.
enum Message {
    /// A run has failed.
    Failed,
    /// The worker is gone; its thread was used up by a panic if the flag is set.
    Gone(bool),
}

impl Sweep {
    /// Runs everything. `progress` is called now and then with what is done so far and decides
    /// whether to go on.
    pub fn run(self, progress: &mut dyn FnMut(&Totals) -> ControlFlow<()>) -> Totals {
        self.run_with(Box::new(Runner::run), progress)
    }

    /// As [`Sweep::run`], with runs of the caller's own: those of [`Runner::run_custom`], say.
    pub fn run_with(
        self,
        carry_out: Box<CarryOut>,
        progress: &mut dyn FnMut(&Totals) -> ControlFlow<()>,
    ) -> Totals {
        let started = Instant::now();
        let wanted = self.seeds.count() * self.scenarios.len() as u64;
        let jobs = self.jobs.max(1);
        let shared = Arc::new(Shared {
            sweep: self,
            carry_out,
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            watchdog: Watchdog::new(started),
            reports: Mutex::new(Vec::new()),
        });
        let (sender, receiver) = channel();
        let threads = (0..jobs).map(|worker| (worker, start_worker(worker, &shared, &sender)));
        let threads = threads.collect();
        let mut supervisor = Supervisor {
            shared,
            sender,
            totals: Totals::default(),
            ended: BTreeMap::new(),
            next: 0,
            alive: jobs,
            next_worker: jobs,
            threads,
        };
        supervisor.watch(&receiver, started, progress);
        supervisor.take_reports();
        for thread in std::mem::take(&mut supervisor.threads).into_values() {
            thread.join().ok();
        }
        let mut totals = supervisor.totals;
        totals.complete = totals.runs + hangs(&totals) == wanted;
        totals.elapsed = started.elapsed();
        totals.resident_when_done = arena::resident_when_idle();
        totals
    }
}

fn hangs(totals: &Totals) -> u64 {
    totals.failures.iter().filter(|f| matches!(f.what, FailureKind::Hang(_))).count() as u64
}

/// A run that has ended, one way or the other.
enum Ended {
    Reported(Box<Report>),
    Hung(At),
}

impl Ended {
    fn has_failed(&self) -> bool {
        match self {
            Ended::Reported(report) => report.failure().is_some(),
            Ended::Hung(_) => true,
        }
    }
}

struct Supervisor {
    shared: Arc<Shared>,
    sender: Sender<Message>,
    totals: Totals,
    /// By index: runs that wait for those before them.
    ended: BTreeMap<u64, Ended>,
    /// Index of the next run to add.
    next: u64,
    alive: usize,
    next_worker: usize,
    /// By worker: the threads that will end.
    threads: BTreeMap<usize, JoinHandle<()>>,
}

impl Supervisor {
    fn watch(
        &mut self,
        receiver: &Receiver<Message>,
        started: Instant,
        progress: &mut dyn FnMut(&Totals) -> ControlFlow<()>,
    ) {
        let tick = Duration::from_millis(100);
        let mut last_tick = Instant::now();
        while self.alive > 0 {
            match receiver.recv_timeout(tick) {
                Ok(Message::Gone(used_up)) => {
                    self.alive -= 1;
                    if used_up {
                        self.replace();
                    }
                }
                Ok(Message::Failed)
                | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            self.take_reports();
            let budget = self.shared.sweep.time_budget;
            if budget.is_some_and(|budget| started.elapsed() >= budget) {
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            if last_tick.elapsed() >= tick {
                last_tick = Instant::now();
                self.totals.elapsed = started.elapsed();
                if progress(&self.totals).is_break() {
                    self.shared.stop.store(true, Ordering::Relaxed);
                }
                self.abandon_hung();
            }
        }
    }

    /// Adds up what has ended, in order.
    fn take_reports(&mut self) {
        let reports = std::mem::take(&mut *lock(&self.shared.reports));
        let reports =
            reports.into_iter().map(|report| (report.index, Ended::Reported(Box::new(report))));
        self.ended.extend(reports);
        let most = self.shared.sweep.failures_max;
        let waiting = self.ended.values().filter(|ended| ended.has_failed()).count() as u64;
        if self.totals.failures.len() as u64 + waiting >= most {
            self.shared.stop.store(true, Ordering::Relaxed);
        }
        while !self.totals.stopped_at_failure
            && let Some(ended) = self.ended.remove(&self.next)
        {
            self.next += 1;
            match ended {
                Ended::Reported(report) => self.totals.add(&report),
                Ended::Hung(at) => {
                    let what = FailureKind::Hang(self.shared.sweep.run_timeout);
                    self.totals.fail(at.scenario, at.seed, what);
                }
            }
            self.totals.stopped_at_failure = self.totals.failures.len() as u64 >= most;
        }
    }

    /// A loop without a scheduling point cannot be stopped from outside: its thread is left alone.
    fn abandon_hung(&mut self) {
        let timeout = self.shared.sweep.run_timeout;
        for (worker, at) in self.shared.watchdog.hung(timeout, Instant::now()) {
            self.threads.remove(&worker);
            self.ended.insert(at.index, Ended::Hung(at));
            self.alive -= 1;
            self.replace();
        }
    }

    fn replace(&mut self) {
        let thread = start_worker(self.next_worker, &self.shared, &self.sender);
        self.threads.insert(self.next_worker, thread);
        self.next_worker += 1;
        self.alive += 1;
    }
}

fn start_worker(worker: usize, shared: &Arc<Shared>, sender: &Sender<Message>) -> JoinHandle<()> {
    let (shared, sender) = (Arc::clone(shared), sender.clone());
    let body = move || {
        let used_up = match work(worker, &shared, &sender) {
            Exit::Finished => false,
            Exit::UsedUp => true,
            Exit::GivenUp => return,
        };
        // Nobody listens any more once the sweep has been abandoned.
        sender.send(Message::Gone(used_up)).ok();
    };
    std::thread::Builder::new()
        .name(format!("worker-{worker}"))
        .spawn(body)
        .expect("a thread for a worker")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a worker ends.
enum Exit {
    /// There is nothing left to do.
    Finished,
    /// A panic, simulated or of the harness, has used up its thread.
    UsedUp,
    /// The watchdog has reported it and started another in its place.
    GivenUp,
}

/// Runs seeds until there are none.
fn work(worker: usize, shared: &Shared, sender: &Sender<Message>) -> Exit {
    let sweep = &shared.sweep;
    let mut runner = Runner::default();
    let mut note = sweep.out.as_ref().and_then(|out| {
        let folder = out.join("inflight");
        std::fs::create_dir_all(&folder).ok()?;
        File::create(folder.join(format!("worker-{worker}"))).ok()
    });
    let scenarios = sweep.scenarios.len() as u64;
    let wanted = sweep.seeds.count() * scenarios;
    while !shared.stop.load(Ordering::Relaxed) {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if index >= wanted {
            break;
        }
        let (scenario, seed) = ((index % scenarios) as usize, sweep.seeds.get(index / scenarios));
        begin(worker, shared, (index, scenario, seed), note.as_mut());
        let mode = Mode { note_class: is_sampled(!seed, sweep.classed), ..Mode::default() };
        let mut run =
            |mode| (shared.carry_out)(&mut runner, &sweep.scenarios[scenario], seed, mode);
        let verdict = caught(|| run(mode));
        let is_broken = verdict.harness_error.is_some();
        let used_up = is_broken || std::thread::panicking();
        let again = !used_up && is_sampled(seed, sweep.check_determinism);
        let second_hash = again.then(|| run(Mode::default()).trace_hash);
        if !shared.watchdog.end(worker) {
            return Exit::GivenUp;
        }
        let report = Report { index, scenario, seed, verdict, second_hash };
        let has_failed = report.failure().is_some();
        lock(&shared.reports).push(report);
        // Nobody listens any more once the sweep has been abandoned.
        if has_failed && sender.send(Message::Failed).is_err() {
            return Exit::Finished;
        }
        if is_broken {
            // Whatever state the panic left it in, nothing may look at it again.
            std::mem::forget(runner);
            return Exit::UsedUp;
        }
        if used_up || std::thread::panicking() {
            return Exit::UsedUp;
        }
    }
    if let Some(file) = &mut note {
        file.set_len(0).ok();
    }
    Exit::Finished
}

/// Notes the run in flight.
fn begin(
    worker: usize,
    shared: &Shared,
    (index, scenario, seed): (u64, usize, u64),
    note: Option<&mut File>,
) {
    if let Some(file) = note {
        // Fixed width, so that one write replaces the line before.
        let line = format!("{}:{seed:<20}\n", shared.sweep.scenarios[scenario].token());
        let written = file.rewind().and_then(|()| file.write_all(line.as_bytes()));
        let end = line.len() as u64;
        written.and_then(|()| file.set_len(end)).ok();
    }
    shared.watchdog.begin(worker, At { index, scenario, seed, since: Instant::now() });
}

/// Whether a seed is one of the share that is run twice; a function of the seed alone.
fn is_sampled(seed: u64, share: f64) -> bool {
    let mixed = (seed ^ 0x2545_f491_4f6c_dd1d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 40) as f64) < share * f64::from(1 << 24)
}
