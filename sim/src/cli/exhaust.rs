//! `sim exhaust`: every crash of a schedule, and all that it may leave.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "schedules are exhausted on all cores, and the time is told"
)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::Scope;
use std::time::{Duration, Instant};

use serde_json::json;

use super::args::{ExhaustArgs, Format, IMAGES_MAX};
use super::output::{Meter, event, remark, say};
use super::run::cores;
use super::select::select_one;
use super::{Exit, Failed, necessary, signal};
use crate::exhaust::{Bounds, Counterexample, Course, Exhausted, Place, Search, Step};
use crate::policy::Guide;
use crate::report::{self, counted};
use crate::run::{Runner, Verdict, on_fresh_thread};
use crate::scenario::Scenario;

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
    let mut done = Exhausted::default();
    let mut found = 0;
    for ended in ended.into_iter().filter(|ended| ended.index <= last) {
        done.add(&ended.done);
        found += ended.found.len();
        for counterexample in &ended.found {
            teller.tell(counterexample);
        }
        if let Some(words) = ended.failed {
            return Err(Failed { exit: Exit::Internal, words });
        }
    }
    let is_cut = whole.is_cut.load(Ordering::Relaxed);
    if done.schedules == 0 {
        remark(if is_cut {
            "no schedule ended in time"
        } else {
            "there is no seed, so no schedule"
        });
        return Ok(Exit::Nothing);
    }
    teller.summarize(&done, found, started.elapsed(), is_cut);
    match signal::received() {
        _ if found > 0 => Ok(Exit::Broken),
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
            let step = explorer.step();
            let search = explorer.search();
            let before = std::mem::replace(&mut ended.done, search.done());
            let count = |sum: &AtomicU64, more: u64| sum.fetch_add(more, Ordering::Relaxed);
            count(&self.schedules, ended.done.schedules - before.schedules);
            count(&self.recoveries, ended.done.recoveries - before.recoveries);
            match step {
                Ok(Step::GoOn) => {}
                Ok(Step::Done) => return true,
                Ok(Step::Found(counterexample)) => {
                    ended.found.push(*counterexample);
                    if !self.args.keep_going {
                        self.last.fetch_min(ended.index, Ordering::Relaxed);
                        return true;
                    }
                }
                Err(words) => {
                    ended.failed = Some(format!("seed {}: {words}", search.seed()));
                    self.last.fetch_min(ended.index, Ordering::Relaxed);
                    return true;
                }
            }
            if ended.index > self.last.load(Ordering::Relaxed) {
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

/// Says what came of it, in words or as events.
struct Teller<'a> {
    args: &'a ExhaustArgs,
    scenario: &'a Scenario,
    flags: &'a str,
}

impl Teller<'_> {
    /// Runs one counterexample of an earlier search again.
    fn show_again(&self, places: &[Place]) -> Result<Exit, Failed> {
        if self.args.seeds.count() != 1 {
            return Err(Failed::usage("--only is about one schedule: name one seed with --seeds"));
        }
        let seed = self.args.seeds.get(0);
        let (scenario, images) = (self.scenario.clone(), self.args.images.max(1));
        let schedule = self.args.schedule.as_ref().map(|schedule| schedule.0.clone());
        let (course, crashes) = (Course { scenario, seed, schedule }, places.to_vec());
        let again = course.clone();
        let again = on_fresh_thread(move |runner| again.again(runner, images, &crashes));
        let verdict = again.map_err(|words| Failed { exit: Exit::Internal, words })?;
        let Some(verdict) = verdict else {
            remark("there is no such crash: the process has fewer points, or leaves less there");
            return Ok(Exit::Nothing);
        };
        if verdict.violations.is_empty() {
            let Verdict { points, crashes, acks, trace_hash, .. } = verdict;
            if self.args.format == Format::Human {
                say(format!(
                    "no promise was broken: {points} points, {crashes} crashes, {acks} \
                     acknowledged writes, trace {trace_hash:016x}"
                ));
            }
            return Ok(Exit::Clean);
        }
        if self.args.format == Format::Json {
            let (schedule, crashes) = (course.schedule, places.to_vec());
            self.tell(&Counterexample { seed, schedule, crashes, verdict });
        } else {
            let command = self.command(seed, course.schedule.as_ref(), places);
            let words = words(places);
            let told = report::steered_failure(self.scenario, seed, &verdict, &words, &command);
            say(told.trim_end());
        }
        Ok(Exit::Broken)
    }

    /// The command that shows a run again.
    fn command(&self, seed: u64, schedule: Option<&Guide>, crashes: &[Place]) -> String {
        let bound = match self.args.images {
            IMAGES_MAX => String::new(),
            images => format!(" --images {images}"),
        };
        let places: Vec<String> =
            crashes.iter().map(|(point, nth)| format!("{point}:{nth}")).collect();
        let schedule = schedule.map_or(String::new(), |schedule| format!(" --schedule {schedule}"));
        let only = if places.is_empty() { "none".to_owned() } else { places.join(",") };
        format!(
            "cargo run --release --bin sim -- exhaust {} --seeds {seed}..{}{bound}{schedule} \
             --only {only}{}",
            self.scenario.name,
            seed.saturating_add(1),
            self.flags
        )
    }

    fn tell(&self, found: &Counterexample) {
        let Counterexample { seed, schedule, crashes, verdict } = found;
        let command = self.command(*seed, schedule.as_ref(), crashes);
        let Some(first) = verdict.violations.first() else { return };
        if self.args.format == Format::Human {
            let token = format!("{}:{seed}", self.scenario.token());
            say(format!("FAIL {}  {token}, {}", first.checker, sentence(crashes)));
            say(format!("  promise    {}", first.promise));
            say(format!("  expected   {}", first.expected));
            say(format!("  got        {}", first.got));
            say(format!("  see it     {command}"));
            return;
        }
        let checkers: Vec<&str> = verdict.violations.iter().map(|found| found.checker).collect();
        let crashes: Vec<_> = crashes
            .iter()
            .map(|(point, number)| json!({ "point": point, "number": number }))
            .collect();
        event(&json!({
            "v": 1, "event": "counterexample", "scenario": self.scenario.token(), "seed": seed,
            "crashes": crashes, "checkers": checkers, "promise": first.promise,
            "expected": first.expected, "got": first.got,
            "trace_hash": format!("{:016x}", verdict.trace_hash), "replay": command,
        }));
    }

    /// Which schedules were exhausted.
    fn schedules(&self, done: &Exhausted) -> String {
        let Exhausted { schedules, classes, within, whole, .. } = *done;
        let Some(most) = self.args.preemptions else {
            return format!(
                "{} of all there are: total unknown",
                counted(schedules as usize, "schedule")
            );
        };
        let seeds = counted(self.args.seeds.count() as usize, "seed");
        let taken = counted(schedules as usize, "schedule");
        if whole == self.args.seeds.count() {
            return format!(
                "{seeds}, every schedule\n{classes} of {classes} happens-before classes in {taken}"
            );
        }
        let preemptions = match most.0 {
            u32::MAX => "any number of preemptions".to_owned(),
            most => format!("at most {}", counted(most as usize, "preemption")),
        };
        let not = if within == self.args.seeds.count() { "" } else { "not " };
        format!(
            "{seeds}, {not}every schedule of {preemptions}\n{classes} happens-before classes in \
             {taken}, total unknown"
        )
    }

    fn summarize(&self, done: &Exhausted, found: usize, elapsed: Duration, is_cut: bool) {
        let Exhausted { schedules, points, instants, sampled, recoveries, .. } = *done;
        let stopped = found > 0 && !self.args.keep_going;
        if self.args.format == Format::Json {
            event(&json!({
                "v": 1, "event": "exhaust_finished", "schedules": schedules,
                "classes": done.classes, "preemptions": self.args.preemptions.map(|most| most.0),
                "are_all_within_preemptions": self.args.seeds.count() == done.within,
                "are_all_classes": self.args.seeds.count() == done.whole, "points": points,
                "instants": instants, "nested_instants": done.nested_instants,
                "sampled_instants": sampled, "recoveries": recoveries,
                "nested_recoveries": done.nested_recoveries, "seen_before": done.seen_before,
                "images": done.images(),
                "counterexamples": found, "stopped_at_counterexample": stopped,
                "ended_early": is_cut,
                "wall_millis": elapsed.as_millis() as u64,
            }));
            return;
        }
        if stopped {
            say("stopped at the first counterexample, having tried:");
        }
        if is_cut && !stopped {
            say("ended before everything was tried, having tried:");
        }
        say(self.schedules(done));
        say(format!("a crash in the first process: {points} points, {instants} instants"));
        if self.args.nested > 0 {
            let further = match self.args.nested {
                1 => "a second crash".to_owned(),
                more => format!("up to {more} further crashes"),
            };
            say(format!("{further}, while opening: {} instants", done.nested_instants));
        }
        let whole = instants + done.nested_instants - sampled;
        say(format!("{whole} instants exhausted, {sampled} sampled"));
        let nested = match self.args.nested {
            0 => String::new(),
            _ => format!(", {} of them after a further crash", done.nested_recoveries),
        };
        say(format!(
            "{recoveries} recoveries judged{nested}; {} images were as one judged before",
            done.seen_before
        ));
        let seconds = elapsed.as_secs_f64();
        let rate = |count: u64| count as f64 / seconds.max(1e-9);
        say(format!(
            "{seconds:.1} s, {:.0} images/s, {:.0} recoveries/s",
            rate(done.images()),
            rate(recoveries)
        ));
        say(match found {
            0 => "no promise was broken".to_owned(),
            _ => counted(found, "counterexample"),
        });
    }
}

fn sentence(crashes: &[Place]) -> String {
    match crashes {
        [] => "without a crash".to_owned(),
        crashes => words(crashes).join(", then "),
    }
}

/// Crashes in words, one by one.
pub(super) fn words(crashes: &[Place]) -> Vec<String> {
    let words = crashes.iter().map(|(point, nth)| format!("at point {point}, number {nth}"));
    words.collect()
}
