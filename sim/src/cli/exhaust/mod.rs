//! `sim exhaust`: every crash of a schedule, and all that it may leave.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "schedules are exhausted on all cores, and the time is told"
)]

mod teller;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::args::ExhaustArgs;
use super::output::{Meter, remark};
use super::run::cores;
use super::select::select_one;
use super::{Exit, Failed, necessary, signal};
use crate::exhaust::{Bounds, Counterexample, Exhausted, Hashes, Search, Step};
use crate::run::Runner;
use crate::scenario::Scenario;
use teller::{Sum, Teller};
pub(super) use teller::{command_of, words};

/// How often it is looked whether to go on.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn exhaust(args: &ExhaustArgs) -> Result<Exit, Failed> {
    let Some(name) = args.scenario.as_ref().filter(|_| !args.necessary_syncs) else {
        return necessary::necessary_syncs(args);
    };
    let (scenario, flags) = select_one(name, &args.set, args.policy.as_ref())?;
    let teller = Teller { args, scenario: &scenario, flags: &flags };
    if let Some(only) = &args.only {
        return teller.show_again(&only.0);
    }
    let started = Instant::now();
    signal::watch();
    let whole = Whole::new(args, &scenario);
    let mut meter = Meter::new(args.progress, Some(args.seeds.count()), None);
    std::thread::scope(|scope| {
        let workers = args.jobs.unwrap_or_else(cores).max(1);
        *whole.working.lock().expect("no worker panics") = workers;
        for _ in 0..workers {
            whole.start_worker(scope, Vec::new());
        }
        whole.watch(started, &mut meter);
    });
    meter.finish();
    let last = whole.last.load(Ordering::Relaxed);
    let mut ended = whole.ended.into_inner().expect("no worker panics");
    ended.sort_by_key(|ended| ended.index);
    let mut sum = Sum { is_cut: whole.is_cut.load(Ordering::Relaxed), ..Sum::default() };
    for ended in ended.into_iter().filter(|ended| ended.index <= last) {
        sum.done.add(&ended.done);
        sum.images.extend(ended.images);
        sum.found += ended.found.len();
        for counterexample in &ended.found {
            teller.tell(counterexample);
        }
        if let Some(words) = ended.failed {
            return Err(Failed { exit: Exit::Internal, words });
        }
    }
    sum.elapsed = started.elapsed();
    if sum.done.schedules == 0 {
        remark(if sum.is_cut {
            "no schedule ended in time"
        } else {
            "there is no seed, so no schedule"
        });
        return Ok(Exit::Nothing);
    }
    teller.summarize(&sum);
    match signal::received() {
        _ if sum.found > 0 => Ok(Exit::Broken),
        Some(signal) => {
            Err(Failed { exit: Exit::Signal(signal), words: format!("ended by signal {signal}") })
        }
        None => Ok(Exit::Clean),
    }
}

/// What the workers share.
struct Whole<'a> {
    args: &'a ExhaustArgs,
    scenario: &'a Scenario,
    bounds: Bounds,
    /// The schedule that begins next, by its place among the seeds.
    next: AtomicU64,
    /// What comes behind this one is not wanted any more.
    last: AtomicU64,
    ended: Mutex<Vec<Ended>>,
    /// Workers that have something to do.
    working: Mutex<usize>,
    /// There are none any more.
    all_done: Condvar,
    /// Set when it is to end before everything was tried.
    is_cut: AtomicBool,
    /// Schedules and recoveries so far.
    schedules: AtomicU64,
    recoveries: AtomicU64,
}

/// What came of one schedule.
#[derive(Default)]
struct Ended {
    index: u64,
    done: Exhausted,
    images: Hashes,
    found: Vec<Counterexample>,
    /// How the simulator failed.
    failed: Option<String>,
}

impl<'a> Whole<'a> {
    fn new(args: &'a ExhaustArgs, scenario: &'a Scenario) -> Self {
        let bounds = Bounds {
            images: args.images.max(1),
            crashes: args.nested + 1,
            preemptions: args.preemptions.map(|most| most.0),
            schedules: args.schedules.unwrap_or(u64::MAX),
        };
        let (next, last) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Whole {
            args,
            scenario,
            bounds,
            next,
            last,
            ended: Mutex::default(),
            working: Mutex::default(),
            all_done: Condvar::new(),
            is_cut: AtomicBool::new(false),
            schedules: AtomicU64::new(0),
            recoveries: AtomicU64::new(0),
        }
    }

    /// Shows how far it is, and ends it in time, until no worker has anything to do.
    fn watch(&self, started: Instant, meter: &mut Meter) {
        let budget = self.args.time_budget.unwrap_or(Duration::MAX);
        loop {
            let tick = TICK.min(budget.saturating_sub(started.elapsed()));
            let working = self.working.lock().expect("no worker panics");
            let waited = self.all_done.wait_timeout_while(working, tick, |working| 0 < *working);
            if *waited.expect("no worker panics").0 == 0 {
                return;
            }
            let ended = self.ended.lock().expect("no worker panics").len() as u64;
            let words = || {
                let schedules = self.schedules.load(Ordering::Relaxed);
                let recoveries = self.recoveries.load(Ordering::Relaxed);
                let seeds = self.args.seeds.count();
                format!("{ended} of {seeds} seeds  {schedules} schedules  {recoveries} recoveries")
            };
            let goes_on = meter.show(ended, started.elapsed(), words).is_continue();
            if !goes_on || budget <= started.elapsed() {
                self.is_cut.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Starts a thread that goes on with the schedules in `begun` and takes new ones after them.
    fn start_worker<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        begun: Vec<(Ended, Search)>,
    ) {
        scope.spawn(move || {
            let mut runner = Runner::default();
            let mut begun = begun;
            while let Some((mut ended, mut search)) = begun.pop().or_else(|| self.begin()) {
                if self.go_on(&mut runner, &mut ended, &mut search) {
                    ended.images = search.into_images();
                    self.ended.lock().expect("no worker panics").push(ended);
                } else {
                    begun.push((ended, search));
                }
                // A simulated panic has used up this thread.
                if std::thread::panicking() {
                    return self.start_worker(scope, begun);
                }
            }
            *self.working.lock().expect("no worker panics") -= 1;
            self.all_done.notify_one();
        });
    }

    fn begin(&self) -> Option<(Ended, Search)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let is_cut = self.is_cut.load(Ordering::Relaxed);
        if is_cut || index >= self.args.seeds.count() || index > self.last.load(Ordering::Relaxed) {
            return None;
        }
        let search = Search::new(self.scenario, self.args.seeds.get(index), self.bounds);
        Some((Ended { index, ..Ended::default() }, search))
    }

    /// Searches on; true if the schedule has ended, false if it needs another thread.
    fn go_on(&self, runner: &mut Runner, ended: &mut Ended, search: &mut Search) -> bool {
        let mut explorer = search.explore(runner);
        loop {
            let count = |done: &Exhausted| [done.schedules, done.recoveries];
            let before = count(explorer.search().done());
            let step = explorer.step();
            let search = explorer.search();
            let [schedules, recoveries] = count(search.done());
            self.schedules.fetch_add(schedules - before[0], Ordering::Relaxed);
            self.recoveries.fetch_add(recoveries - before[1], Ordering::Relaxed);
            let mut is_over = false;
            match step {
                Ok(Step::GoOn) => {}
                Ok(Step::Done) => is_over = true,
                Ok(Step::Found(counterexample)) => {
                    ended.found.push(*counterexample);
                    is_over = !self.args.keep_going;
                    if is_over {
                        self.last.fetch_min(ended.index, Ordering::Relaxed);
                    }
                }
                Err(words) => {
                    ended.failed = Some(format!("seed {}: {words}", search.seed()));
                    self.last.fetch_min(ended.index, Ordering::Relaxed);
                    is_over = true;
                }
            }
            if is_over || ended.index > self.last.load(Ordering::Relaxed) {
                ended.done = search.done().clone();
                return true;
            }
            if self.is_cut.load(Ordering::Relaxed) {
                ended.done = search.cut_short();
                return true;
            }
            if std::thread::panicking() {
                return false;
            }
        }
    }
}
