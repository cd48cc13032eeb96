//! `sim exhaust`: every crash of a schedule, and all that it may leave.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "schedules are exhausted on all cores, and the time is told"
)]

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::args::{ExhaustArgs, Format};
use super::output::{event, remark, say};
use super::run::cores;
use super::select::select_one;
use super::{Exit, Failed};
use crate::exhaust::{self, Bounds, Counterexample, Exhausted};
use crate::report::{self, counted};
use crate::run::Runner;
use crate::scenario::Scenario;

pub(super) fn exhaust(args: &ExhaustArgs) -> Result<Exit, Failed> {
    let (scenario, flags) = select_one(&args.scenario, &args.set, args.policy.as_ref())?;
    let bounds = Bounds { images: args.images.max(1), only: args.only };
    let started = Instant::now();
    let whole =
        Whole { next: AtomicU64::new(0), stop: AtomicBool::new(false), done: Mutex::default() };
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.unwrap_or_else(cores).max(1) {
            scope.spawn(|| whole.work(&scenario, args, bounds));
        }
    });
    let mut schedules = whole.done.into_inner().expect("no worker panics");
    schedules.sort_by_key(|schedule| schedule.index);
    let mut done = Exhausted::default();
    let mut found = 0;
    for schedule in schedules {
        done.add(&schedule.done?);
        found += schedule.found.len();
        for counterexample in &schedule.found {
            tell(args, &scenario, &flags, counterexample);
        }
    }
    if done.recoveries == 0 {
        remark("there is no such crash: the schedule has fewer points, or leaves less at that one");
        return Ok(Exit::Nothing);
    }
    summarize(args, &done, found, started.elapsed());
    Ok(if found == 0 { Exit::Clean } else { Exit::Broken })
}

struct Whole {
    next: AtomicU64,
    stop: AtomicBool,
    done: Mutex<Vec<Schedule>>,
}

/// What came of one schedule.
struct Schedule {
    index: u64,
    done: Result<Exhausted, Failed>,
    found: Vec<Counterexample>,
}

impl Whole {
    fn work(&self, scenario: &Scenario, args: &ExhaustArgs, bounds: Bounds) {
        let mut runner = Runner::default();
        while !self.stop.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= args.seeds.count() {
                return;
            }
            let mut found = Vec::new();
            let seed = args.seeds.get(index);
            let done = exhaust::exhaust(&mut runner, scenario, seed, bounds, &mut |one| {
                found.push(one);
                // A simulated panic has used up this thread.
                if args.keep_going && !std::thread::panicking() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            let failed = |words| Failed { exit: Exit::Internal, words };
            if done.is_err() || !(found.is_empty() || args.keep_going) {
                self.stop.store(true, Ordering::Relaxed);
            }
            let done = done.map_err(failed);
            self.done.lock().expect("no worker panics").push(Schedule { index, done, found });
            if std::thread::panicking() {
                return;
            }
        }
    }
}

/// One counterexample, in words or as an event.
fn tell(args: &ExhaustArgs, scenario: &Scenario, flags: &str, found: &Counterexample) {
    let Counterexample { seed, point, nth, verdict } = found;
    let bound =
        if args.images == 4096 { String::new() } else { format!(" --images {}", args.images) };
    let command = format!(
        "sim exhaust {} --seeds {seed}..{}{bound} --only {point}:{nth}{flags}",
        scenario.name,
        seed + 1
    );
    if args.format == Format::Human {
        if args.only.is_some() {
            say(report::failure(scenario, *seed, verdict, flags).trim_end());
        } else if let Some(first) = verdict.violations.first() {
            say(format!(
                "FAIL {}  crash at point {point} of seed {seed}, number {nth}",
                first.checker
            ));
            say(format!("  promise    {}", first.promise));
            say(format!("  expected   {}", first.expected));
            say(format!("  got        {}", first.got));
        }
        say(format!("  see it     {command}"));
        return;
    }
    let checkers: Vec<&str> =
        verdict.violations.iter().map(|violation| violation.checker).collect();
    let first = verdict.violations.first();
    event(&json!({
        "v": 1, "event": "counterexample", "scenario": scenario.token(), "seed": seed,
        "point": point, "number": nth, "checkers": checkers,
        "promise": first.map(|first| first.promise),
        "expected": first.map(|first| first.expected.clone()),
        "got": first.map(|first| first.got.clone()), "replay": command,
    }));
}

fn summarize(args: &ExhaustArgs, done: &Exhausted, found: usize, elapsed: Duration) {
    let Exhausted { schedules, points, instants, sampled, generated, recoveries } = *done;
    if args.format == Format::Json {
        event(&json!({
            "v": 1, "event": "exhaust_finished", "schedules": schedules, "points": points,
            "instants": instants, "sampled_instants": sampled, "generated": generated,
            "recoveries": recoveries, "counterexamples": found,
            "stopped_at_counterexample": found > 0 && !args.keep_going,
            "wall_millis": elapsed.as_millis() as u64,
        }));
        return;
    }
    let whole = instants - sampled;
    let seconds = elapsed.as_secs_f64();
    say(format!("{} of all there are: total unknown", counted(schedules as usize, "schedule")));
    say(format!(
        "one crash, in the first process: {points} points, {instants} instants; {whole} exhausted, \
         {sampled} sampled"
    ));
    say(format!(
        "{generated} deaths and images; {recoveries} recovered and judged, the others seen before"
    ));
    say(format!("{seconds:.1} s, {:.0} recoveries/s", recoveries as f64 / seconds.max(1e-9)));
    say(match found {
        0 => "no promise was broken".to_owned(),
        _ => counted(found, "counterexample"),
    });
}
