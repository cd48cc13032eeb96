//! [`Search`]: what is left to try of the schedules of a seed, and [`Explorer`], which tries it.

use std::collections::VecDeque;

use super::course::{Course, Remnant, everything_left, instant_at};
use super::{Bounds, Counterexample, Exhausted, Hashes, Place, Step};
use crate::policy::{Passage, Walk};
use crate::run::{Halt, Runner, Verdict};
use crate::scenario::Scenario;
use crate::steer::{Instant, Stage, Steer};

/// In place of a point: there is none.
const NONE: u64 = u64::MAX;

/// The search through the schedules of one seed, step by step: see [`Search::explore`]. After a
/// counterexample it can go on, if need be on another thread. If a promise is broken without a
/// crash, that is the only counterexample of its schedule.
#[derive(Debug)]
pub struct Search {
    course: Course,
    bounds: Bounds,
    done: Exhausted,
    walk: Option<Walk>,
    /// One for each crash, the first at the bottom.
    levels: Vec<Level>,
    instants: Hashes,
    /// Of images with their obligations and the number of crashes before.
    judged: Hashes,
    /// Of images alone.
    images: Hashes,
}

/// The points of one process, after the crashes of those before it.
#[derive(Debug)]
struct Level {
    before: Vec<(Place, Steer)>,
    /// The points looked at next; `None` for all from there on.
    telling: Option<VecDeque<u64>>,
    next: u64,
    /// What the instant before it may leave and was not tried yet.
    left: std::vec::IntoIter<Remnant>,
    /// Whether that was all that the instant may leave.
    are_all: bool,
    /// The point of that, and the points that the run has had then.
    point: u64,
    reached: u64,
}

impl Level {
    /// The process that begins after these crashes, when the run has had so many points.
    fn new(before: Vec<(Place, Steer)>, reached: u64) -> Self {
        let left = Vec::new().into_iter();
        let (telling, next, point) = (None, reached + 1, reached);
        Level { before, telling, next, left, are_all: true, point, reached }
    }

    /// The first process, of which the telling points are looked at that no other was at.
    fn first(passage: &Passage) -> Self {
        let telling = passage.telling().iter().copied().collect();
        let mut level = Level { telling: Some(telling), ..Level::new(Vec::new(), 0) };
        level.advance(false);
        level
    }

    /// Goes to the point looked at next.
    fn advance(&mut self, is_last: bool) {
        self.next = match &mut self.telling {
            _ if is_last => NONE,
            Some(telling) => telling.pop_front().unwrap_or(NONE),
            None => self.next + 1,
        };
    }
}

impl Search {
    /// The search through the schedules that `seed` gives in `scenario`.
    pub fn new(scenario: &Scenario, seed: u64, bounds: Bounds) -> Self {
        Search {
            course: Course { scenario: scenario.clone(), seed, schedule: None },
            bounds,
            done: Exhausted::default(),
            walk: bounds.preemptions.map(|_| Walk::new()),
            levels: Vec::new(),
            instants: Hashes::default(),
            judged: Hashes::default(),
            images: Hashes::default(),
        }
    }

    /// The seed of the schedules.
    pub fn seed(&self) -> u64 {
        self.course.seed
    }

    /// What has been done so far.
    pub fn done(&self) -> &Exhausted {
        &self.done
    }

    /// The images made so far, each once, whatever they must not have lost.
    pub fn images(&self) -> &Hashes {
        &self.images
    }

    /// As [`Search::images`], without the rest of what was remembered.
    pub fn into_images(self) -> Hashes {
        self.images
    }

    /// What has been done, if it is to end here: the instants of which something is left to try
    /// are sampled.
    pub fn cut_short(&self) -> Exhausted {
        let is_cut = |level: &&Level| level.are_all && level.left.len() > 0;
        let cut = self.levels.iter().filter(is_cut).count() as u64;
        Exhausted { sampled: self.done.sampled + cut, ..self.done.clone() }
    }

    /// Goes on with it on `runner`. Where it was on another, what was kept there is come to anew.
    pub fn explore<'a>(&'a mut self, runner: &'a mut Runner) -> Explorer<'a> {
        Explorer { search: self, runner, halts: Vec::new() }
    }

    fn found(&self, crashes: Vec<Place>, verdict: Verdict) -> Step {
        let Course { seed, ref schedule, .. } = self.course;
        let schedule = schedule.clone();
        Step::Found(Box::new(Counterexample { seed, schedule, crashes, verdict }))
    }

    /// Takes the next schedule, without a crash.
    fn take_schedule(&mut self, runner: &mut Runner) -> Result<Step, String> {
        let mut first = Level::new(Vec::new(), 0);
        let (verdict, is_new) = if let Some(walk) = &mut self.walk {
            let most = self.bounds.preemptions.unwrap_or(0);
            let is_within = self.done.schedules < self.bounds.schedules;
            let Some(guide) = is_within.then(|| walk.next(most)).flatten() else {
                self.done.within = u64::from(walk.is_done_with(most));
                self.done.whole = u64::from(walk.is_done_with(u32::MAX));
                return Ok(Step::Done);
            };
            let guided = Some((guide, walk.passage()));
            let mut verdict = self.course.run_guided(runner, guided, Vec::new(), false)?;
            let passage = std::mem::take(&mut verdict.passage);
            first = Level::first(&passage);
            self.done.points += passage.new_points();
            let (guide, is_new) = walk.learn(passage);
            self.course.schedule = Some(guide);
            (verdict, is_new)
        } else if self.done.schedules > 0 {
            return Ok(Step::Done);
        } else {
            (self.course.run(runner, Vec::new(), false)?, true)
        };
        self.done.schedules += 1;
        self.done.classes += u64::from(is_new);
        self.done.faults.add(&verdict.faults);
        if !verdict.violations.is_empty() {
            // Every run of the schedule would break it.
            return Ok(self.found(Vec::new(), verdict));
        }
        self.levels.push(first);
        Ok(Step::GoOn)
    }

    /// Takes what an instant may leave, at the point of the last level that was looked at.
    fn enter(&mut self, instant: &Instant) {
        let depth = self.levels.len();
        let is_new = is_new(&mut self.instants, instant.fingerprint, depth);
        let Some(level) = self.levels.last_mut() else { return };
        let point = level.next;
        let is_first = level.before.is_empty();
        self.done.points += u64::from(is_first && level.telling.is_none());
        level.advance(matches!(instant.stage, Stage::Closed | Stage::Left));
        if is_new {
            let (left, are_all) = everything_left(instant, self.bounds.images);
            (level.left, level.are_all) = (left.into_iter(), are_all);
            (level.point, level.reached) = (point, instant.point);
            self.done.instants += u64::from(is_first);
            self.done.nested_instants += u64::from(!is_first);
            self.done.sampled += u64::from(!are_all);
        }
    }
}

/// A search on an OS thread. It goes on from where a process died, if it has been there; that
/// decides nothing but how long it takes.
#[derive(Debug)]
pub struct Explorer<'a> {
    search: &'a mut Search,
    runner: &'a mut Runner,
    /// By level: the run at the instant of which something is left, if this thread has been there.
    halts: Vec<Option<Halt>>,
}

impl Explorer<'_> {
    /// The search.
    pub fn search(&self) -> &Search {
        self.search
    }

    /// Takes one more schedule, tries one more crash, or looks at one more point.
    ///
    /// # Errors
    /// In words, if the simulator itself fails.
    pub fn step(&mut self) -> Result<Step, String> {
        let depth = self.search.levels.len();
        let Some(level) = self.search.levels.last_mut() else {
            return self.search.take_schedule(self.runner);
        };
        let Some(Remnant { nth, left, image, judged }) = level.left.next() else {
            self.look()?;
            return Ok(Step::GoOn);
        };
        self.search.images.insert(image);
        if judged.is_some_and(|judged| !is_new(&mut self.search.judged, judged, depth)) {
            self.search.done.seen_before += 1;
            return Ok(Step::GoOn);
        }
        let (point, reached) = (level.point, level.reached);
        let mut crashes = level.before.clone();
        crashes.push(((point, nth), Steer { point, left }));
        let verdict = (self.run(&crashes, None))
            .map_err(|words| format!("{words}, after crashes at {:?}", places(&crashes)))?;
        let done = &mut self.search.done;
        done.faults.add(&verdict.faults);
        if verdict.left_entries {
            done.recoveries += 1;
            done.nested_recoveries += u64::from(depth > 1);
        } else {
            done.opens_without_record += 1;
        }
        if !verdict.violations.is_empty() {
            return Ok(self.search.found(places(&crashes), verdict));
        }
        if depth < self.search.bounds.crashes {
            self.search.levels.push(Level::new(crashes, reached));
        }
        Ok(Step::GoOn)
    }

    /// Looks at the next point of the last level, or leaves the level if there is none.
    fn look(&mut self) -> Result<(), String> {
        let depth = self.search.levels.len();
        let Some(level) = self.search.levels.last() else { return Ok(()) };
        let (is_first, point) = (level.before.is_empty(), level.next);
        let instant = if point == NONE {
            None
        } else {
            let verdict = self.run(&level.before.clone(), Some(Steer::look(point)))?;
            instant_at(point, verdict)?
                .filter(|instant| is_first || instant.stage == Stage::Recovery)
        };
        self.halts.resize_with(depth - 1, || None);
        if let Some(instant) = instant {
            self.search.enter(&instant);
            self.halts.push(self.runner.take_halt());
        } else {
            self.search.levels.pop();
        }
        Ok(())
    }

    /// Runs the schedule with these crashes, and another if there is one.
    fn run(&mut self, crashes: &[(Place, Steer)], then: Option<Steer>) -> Result<Verdict, String> {
        let last = crashes.len().checked_sub(1);
        let halt = last.and_then(|last| self.halts.get(last).and_then(Option::as_ref));
        if let (Some(halt), Some((_, Steer { left, .. }))) = (halt, crashes.last()) {
            return self.runner.go_on(halt, left.clone(), Vec::from_iter(then)).sound();
        }
        let steers = crashes.iter().map(|(_, steer)| steer.clone()).chain(then).collect();
        self.search.course.run(self.runner, steers, false)
    }
}

/// Whether `hash` was met after no smaller number of crashes, `depth` included: what is below it is
/// tried to the same depth then.
fn is_new(met: &mut Hashes, hash: u64, depth: usize) -> bool {
    let key = |depth: usize| hash ^ (depth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    !(1..depth).any(|less| met.contains(key(less))) && met.insert(key(depth))
}

fn places(crashes: &[(Place, Steer)]) -> Vec<Place> {
    crashes.iter().map(|(place, _)| *place).collect()
}
