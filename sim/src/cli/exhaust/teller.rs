//! What `sim exhaust` says: counterexamples, and what was tried.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::args::{ExhaustArgs, Format, IMAGES_MAX};
use super::super::output::{event, remark, say};
use super::super::{Exit, Failed, faults};
use crate::exhaust::{Counterexample, Course, Exhausted, Hashes, Place};
use crate::policy::Guide;
use crate::report::{self, counted};
use crate::run::{Verdict, on_fresh_thread};
use crate::scenario::Scenario;

/// What was done, all seeds together.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) done: Exhausted,
    /// One that several seeds made is one.
    pub(super) images: Hashes,
    /// Counterexamples.
    pub(super) found: usize,
    pub(super) elapsed: Duration,
    /// Whether it ended before everything was tried.
    pub(super) is_cut: bool,
}

/// Says what came of it, in words or as events.
pub(super) struct Teller<'a> {
    pub(super) args: &'a ExhaustArgs,
    pub(super) scenario: &'a Scenario,
    /// Those that change the scenario, as they were given.
    pub(super) flags: &'a str,
}

impl Teller<'_> {
    /// Runs one counterexample of an earlier search again.
    pub(super) fn show_again(&self, places: &[Place]) -> Result<Exit, Failed> {
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
        let places: Vec<String> =
            crashes.iter().map(|(point, nth)| format!("{point}:{nth}")).collect();
        let only = if places.is_empty() { "none".to_owned() } else { places.join(",") };
        let schedule = schedule.map(ToString::to_string);
        let (name, images) = (&self.scenario.name, self.args.images);
        command_of(name, seed, images, schedule.as_deref(), &only) + self.flags
    }

    pub(super) fn tell(&self, found: &Counterexample) {
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

    /// The last event.
    fn exhaust_finished(&self, sum: &Sum, stopped: bool) -> Value {
        let done = &sum.done;
        json!({
            "v": 1, "event": "exhaust_finished", "schedules": done.schedules,
            "classes": done.classes, "preemptions": self.args.preemptions.map(|most| most.0),
            "are_all_within_preemptions": self.args.seeds.count() == done.within,
            "are_all_classes": self.args.seeds.count() == done.whole, "points": done.points,
            "instants": done.instants, "nested_instants": done.nested_instants,
            "sampled_instants": done.sampled, "images": done.images(),
            "unique_images": sum.images.len(), "seen_before": done.seen_before,
            "recoveries": done.recoveries, "nested_recoveries": done.nested_recoveries,
            "opens_without_record": done.opens_without_record,
            "faults": faults::by_kind(&done.faults),
            "counterexamples": sum.found, "stopped_at_counterexample": stopped,
            "ended_early": sum.is_cut,
            "wall_millis": sum.elapsed.as_millis() as u64,
        })
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

    pub(super) fn summarize(&self, sum: &Sum) {
        let Sum { ref done, found, is_cut, .. } = *sum;
        let stopped = found > 0 && !self.args.keep_going;
        if self.args.format == Format::Json {
            event(&self.exhaust_finished(sum, stopped));
            return;
        }
        if stopped {
            say("stopped at the first counterexample, having tried:");
        }
        if is_cut && !stopped {
            say("ended before everything was tried, having tried:");
        }
        say(self.schedules(done));
        let Exhausted { points, instants, sampled, recoveries, seen_before, .. } = *done;
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
        let unique = sum.images.len();
        say(format!(
            "{} images generated, {unique} of them unique; {seen_before} were as one judged before",
            done.images()
        ));
        let nested = match self.args.nested {
            0 => String::new(),
            _ => format!(", {} of them after a further crash", done.nested_recoveries),
        };
        say(format!(
            "{recoveries} recoveries judged{nested}; {} opens of an image without a record",
            done.opens_without_record
        ));
        if let Some(words) = faults::delivered(&done.faults) {
            say(words);
        }
        let seconds = sum.elapsed.as_secs_f64();
        let rate = |count: u64| count as f64 / seconds.max(1e-9);
        say(format!(
            "{seconds:.1} s, {:.0} images/s, {:.0} opens/s, {:.0} recoveries/s",
            rate(done.images()),
            rate(done.tried()),
            rate(recoveries)
        ));
        say(match found {
            0 => "no promise was broken".to_owned(),
            _ => counted(found, "counterexample"),
        });
    }
}

/// The command that shows one run again, less the flags of its scenario.
pub(in crate::cli) fn command_of(
    scenario: &str,
    seed: u64,
    images: usize,
    schedule: Option<&str>,
    only: &str,
) -> String {
    let bound = match images {
        IMAGES_MAX => String::new(),
        images => format!(" --images {images}"),
    };
    let schedule = schedule.map(|schedule| format!(" --schedule {schedule}")).unwrap_or_default();
    let end = seed.saturating_add(1);
    format!(
        "cargo run --release --bin sim -- exhaust {scenario} --seeds {seed}..{end}{bound}\
         {schedule} --only {only}"
    )
}

fn sentence(crashes: &[Place]) -> String {
    match crashes {
        [] => "without a crash".to_owned(),
        crashes => words(crashes).join(", then "),
    }
}

/// Crashes in words, one by one.
pub(in super::super) fn words(crashes: &[Place]) -> Vec<String> {
    let words = crashes.iter().map(|(point, nth)| format!("at point {point}, number {nth}"));
    words.collect()
}
