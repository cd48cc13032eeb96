//! Exhausting schedules: a crash at every point of them, and of each all that may be left.
//!
//! Scenario and seed give one schedule, or all that a [`Walk`] finds, each from the state at which
//! it parts from those before it. The points fall into instants: two points with the same
//! disk, the same operations pending and the same answers given are one. At each instant the
//! process may die, with any bytes of the writes in flight done; or the power may go, and leave any
//! legal image. Each is opened by the engine, worked on as planned, closed, and judged by all
//! checkers, unless the same image was judged under the same obligations before.
//!
//! What is exhausted is this: one crash, in the first process of a schedule, up to and including
//! the power loss after its close. What follows the crash takes one schedule each. On request there
//! are second and further crashes, each while what the one before left is opened. Where there are
//! more images than the bound, as many are tried, the telling ones first, and the instant is called
//! sampled.
//!
//! Source: the instants and images of ALICE (Pillai et al., OSDI'14), over many schedules.

use std::collections::{BTreeSet, VecDeque};

use xxhash_rust::xxh3::xxh3_64;

use crate::policy::{Guide, Passage, Walk};
use crate::rng::{Purpose, Stream};
use crate::run::{Mode, Runner, Verdict};
use crate::scenario::Scenario;
use crate::steer::{Instant, Left, Stage, Steer};

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exhausted {
    /// Schedules taken.
    pub schedules: u64,
    /// Happens-before classes met.
    pub classes: u64,
    /// Seeds of which no schedule with so few preemptions is left.
    pub within: u64,
    /// Seeds of which no schedule is left at all.
    pub whole: u64,
    /// Scheduling points of their first processes, ends included, each state once.
    pub points: u64,
    /// Instants: points that differ in what a crash may leave or must not lose.
    pub instants: u64,
    /// Those of which not all was tried, because it was too much.
    pub sampled: u64,
    /// Instants of processes that opened what a crash had left, and crashed too.
    pub nested_instants: u64,
    /// Deaths and images tried: opened by the engine and judged by all checkers.
    pub recoveries: u64,
    /// Those of them that followed a second or further crash.
    pub nested_recoveries: u64,
    /// Images that were not tried, because the same had been under the same obligations.
    pub seen_before: u64,
}

impl Exhausted {
    /// Deaths and images made: those tried, and those that were as one tried before.
    pub fn images(&self) -> u64 {
        self.recoveries + self.seen_before
    }

    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &Exhausted) {
        self.schedules += other.schedules;
        self.classes += other.classes;
        self.within += other.within;
        self.whole += other.whole;
        self.points += other.points;
        self.instants += other.instants;
        self.sampled += other.sampled;
        self.nested_instants += other.nested_instants;
        self.recoveries += other.recoveries;
        self.nested_recoveries += other.nested_recoveries;
        self.seen_before += other.seen_before;
    }
}

/// In place of a point: there is none.
const NONE: u64 = u64::MAX;

/// One crash by its place: the point, and which of all that may be left there, in the order in
/// which they are tried, from 0.
pub type Place = (u64, usize);

/// A run of a schedule in which a promise is broken.
#[derive(Debug)]
pub struct Counterexample {
    /// The seed of the schedule.
    pub seed: u64,
    /// The schedule; `None` if it is the one that the seed gives.
    pub schedule: Option<Guide>,
    /// Its crashes; empty if it takes none.
    pub crashes: Vec<Place>,
    /// What came of it.
    pub verdict: Verdict,
}

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Images at an instant, at most; as many deaths of the process.
    pub images: usize,
    /// Crashes, one after another: 1 for none but the first.
    pub crashes: usize,
    /// The schedules of the first process: all with at most so many preemptions, one of each
    /// happens-before class; `None` for the one that the seed gives.
    pub preemptions: Option<u32>,
    /// How many of these schedules, at most.
    pub schedules: u64,
}

/// What a step of a search has come to.
#[derive(Debug)]
pub enum Step {
    /// There is more to do.
    GoOn,
    /// A promise is broken. There may be more to do.
    Found(Box<Counterexample>),
    /// There is nothing left.
    Done,
}

/// The search through the schedules of one seed, step by step. After a counterexample it can go on,
/// if need be on another thread. If a promise is broken without a crash, that is the only
/// counterexample of its schedule.
#[derive(Debug)]
pub struct Search {
    course: Course,
    bounds: Bounds,
    done: Exhausted,
    walk: Option<Walk>,
    /// One for each crash, the first at the bottom.
    levels: Vec<Level>,
    instants: BTreeSet<u64>,
    /// Hashes of images with their obligations, and of the number of crashes before.
    judged: BTreeSet<u64>,
}

/// The points of one process, after the crashes of those before it.
#[derive(Debug)]
struct Level {
    before: Vec<(Place, Steer)>,
    /// The points looked at next; `None` for all from there on.
    telling: Option<VecDeque<u64>>,
    next: u64,
    /// What the instant before it may leave and was not tried yet.
    left: std::vec::IntoIter<(usize, Left, Option<u64>)>,
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

    fn steers(&self) -> Vec<Steer> {
        self.before.iter().map(|(_, steer)| steer.clone()).collect()
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
            instants: BTreeSet::new(),
            judged: BTreeSet::new(),
        }
    }

    /// The seed of the schedules.
    pub fn seed(&self) -> u64 {
        self.course.seed
    }

    /// What has been done so far.
    pub fn done(&self) -> Exhausted {
        self.done
    }

    /// What has been done, if it is to end here: the instants of which something is left to try
    /// are sampled.
    pub fn cut_short(&self) -> Exhausted {
        let is_cut = |level: &&Level| level.are_all && level.left.len() > 0;
        let cut = self.levels.iter().filter(is_cut).count() as u64;
        Exhausted { sampled: self.done.sampled + cut, ..self.done }
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
        if !verdict.violations.is_empty() {
            // Every run of the schedule would break it.
            return Ok(self.found(Vec::new(), verdict));
        }
        self.levels.push(first);
        Ok(Step::GoOn)
    }

    /// Takes one more schedule, tries one more crash, or looks at one more point.
    ///
    /// # Errors
    /// In words, if the simulator itself fails.
    pub fn step(&mut self, runner: &mut Runner) -> Result<Step, String> {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return self.take_schedule(runner) };
        let Some((nth, left, image)) = level.left.next() else {
            self.look(runner)?;
            return Ok(Step::GoOn);
        };
        // What a dead process leaves pending is not in the image: each is tried.
        if image.is_some_and(|image| !is_new(&mut self.judged, image, depth)) {
            self.done.seen_before += 1;
            return Ok(Step::GoOn);
        }
        let (point, reached) = (level.point, level.reached);
        let mut crashes = level.before.clone();
        crashes.push(((point, nth), Steer { point, left }));
        let steers = crashes.iter().map(|(_, steer)| steer.clone()).collect();
        let verdict = (self.course.run(runner, steers, false))
            .map_err(|words| format!("{words}, after crashes at {:?}", places(&crashes)))?;
        self.done.recoveries += 1;
        self.done.nested_recoveries += u64::from(depth > 1);
        if !verdict.violations.is_empty() {
            return Ok(self.found(places(&crashes), verdict));
        }
        if depth < self.bounds.crashes {
            self.levels.push(Level::new(crashes, reached));
        }
        Ok(Step::GoOn)
    }

    fn found(&self, crashes: Vec<Place>, verdict: Verdict) -> Step {
        let Course { seed, ref schedule, .. } = self.course;
        let schedule = schedule.clone();
        Step::Found(Box::new(Counterexample { seed, schedule, crashes, verdict }))
    }

    /// Looks at the next point of the last level, or leaves the level if there is none.
    fn look(&mut self, runner: &mut Runner) -> Result<(), String> {
        let depth = self.levels.len();
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        let is_first = level.before.is_empty();
        let point = level.next;
        let instant = if point == NONE {
            None
        } else {
            (self.course.look(runner, level.steers(), point)?)
                .filter(|instant| is_first || instant.stage == Stage::Recovery)
        };
        let Some(instant) = instant else {
            self.levels.pop();
            return Ok(());
        };
        let is_last = matches!(instant.stage, Stage::Closed | Stage::Left);
        self.done.points += u64::from(is_first && level.telling.is_none());
        level.advance(is_last);
        if is_new(&mut self.instants, instant.fingerprint, depth) {
            let (left, are_all) = everything_left(&instant, self.bounds.images);
            (level.left, level.are_all) = (left.into_iter(), are_all);
            (level.point, level.reached) = (point, instant.point);
            self.done.instants += u64::from(is_first);
            self.done.nested_instants += u64::from(!is_first);
            self.done.sampled += u64::from(!are_all);
        }
        Ok(())
    }
}

/// Whether `hash` was met after no smaller number of crashes, `depth` included: what is below it is
/// tried to the same depth then.
fn is_new(met: &mut BTreeSet<u64>, hash: u64, depth: usize) -> bool {
    let key = |depth: usize| hash ^ (depth as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    !(1..depth).any(|less| met.contains(&key(less))) && met.insert(key(depth))
}

fn places(crashes: &[(Place, Steer)]) -> Vec<Place> {
    crashes.iter().map(|(place, _)| *place).collect()
}

/// One schedule of one seed, which can be taken as often as one likes.
#[derive(Clone, Debug)]
pub struct Course {
    /// What runs.
    pub scenario: Scenario,
    /// Its seed.
    pub seed: u64,
    /// The schedule of the first process; `None` for the one that the seed gives.
    pub schedule: Option<Guide>,
}

impl Course {
    /// One run of the schedule again, all of it kept, with the crashes at `places`; `None` if there
    /// is no such crash. `images` is the bound of the search that found them.
    ///
    /// # Errors
    /// In words, if the simulator itself fails.
    pub fn again(
        &self,
        runner: &mut Runner,
        images: usize,
        places: &[Place],
    ) -> Result<Option<Verdict>, String> {
        let mut steers: Vec<Steer> = Vec::new();
        for &(point, nth) in places {
            let Some(instant) = self.look(runner, steers.clone(), point)? else { return Ok(None) };
            let (mut left, _) = everything_left(&instant, images);
            if nth >= left.len() {
                return Ok(None);
            }
            let (_, left, _) = left.swap_remove(nth);
            steers.push(Steer { point, left });
        }
        self.run(runner, steers, true).map(Some)
    }

    fn run(
        &self,
        runner: &mut Runner,
        steers: Vec<Steer>,
        keep_events: bool,
    ) -> Result<Verdict, String> {
        let guided = self.schedule.clone().map(|guide| (guide, Passage::default()));
        self.run_guided(runner, guided, steers, keep_events)
    }

    fn run_guided(
        &self,
        runner: &mut Runner,
        guide: Option<(Guide, Passage)>,
        steers: Vec<Steer>,
        keep_events: bool,
    ) -> Result<Verdict, String> {
        let mode = Mode { keep_events, guide, steer: Some(steers), ..Mode::default() };
        let verdict = runner.run_caught(&self.scenario, self.seed, mode);
        match verdict.harness_error {
            Some(words) => Err(words),
            None => Ok(verdict),
        }
    }

    /// The instant at `point` of the process after these crashes, or at its end, if that is the
    /// point behind its last; `None` if the process has fewer.
    fn look(
        &self,
        runner: &mut Runner,
        mut steers: Vec<Steer>,
        point: u64,
    ) -> Result<Option<Instant>, String> {
        steers.push(Steer { point, left: Left::Anything });
        let verdict = self.run(runner, steers, false)?;
        let Some(instant) = verdict.instant else {
            return Err(format!("no process runs at point {point}, nor ends before it"));
        };
        Ok(Some(instant).filter(|instant| point <= instant.point + 1))
    }
}

/// All that a crash may leave, numbered, with the hash of the image after a power loss and of what
/// it must not have lost; and whether it is all.
fn everything_left(instant: &Instant, most: usize) -> (Vec<(usize, Left, Option<u64>)>, bool) {
    let (deaths, all_deaths) = instant.deaths(most);
    let deaths = deaths.into_iter().map(|death| (death, None));
    // A process that left without a close is dead already, and its disk is that of its last point.
    if instant.stage == Stage::Left {
        let left = deaths.enumerate().map(|(nth, (death, image))| (nth, death, image));
        return (left.collect(), all_deaths);
    }
    let space = instant.disk.crash_space();
    let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
    let (images, all_images) = space.images(most, &mut stream);
    let images = images.into_iter().map(|fates| {
        let disk = space.disk(&fates);
        // A promise that the device broke excuses a loss, so the same image is judged otherwise.
        let broken = if disk.broken_promises().is_empty() { "" } else { " broken" };
        let text = format!("{:x} {:x}{broken}", disk.image_hash(), instant.obligations);
        (Left::Image(fates), Some(xxh3_64(text.as_bytes())))
    });
    let left = deaths.chain(images).enumerate().map(|(nth, (left, image))| (nth, left, image));
    (left.collect(), all_deaths && all_images)
}
