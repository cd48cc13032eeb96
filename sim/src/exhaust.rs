//! Exhausting one schedule: a crash at every point of it, and of each all that may be left.
//!
//! Scenario and seed give one schedule. Its points fall into instants: two points with the same
//! disk, the same operations pending and the same answers given are one. At each instant the
//! process may die, with any bytes of the writes in flight done; or the power may go, and leave any
//! legal image. Each is opened by the engine, worked on as planned, closed, and judged by all
//! checkers, unless the same image was judged under the same obligations before.
//!
//! What is exhausted is this: one crash, in the first process of one schedule. What follows the
//! crash takes one schedule each. Where there are more images than the bound, as many are drawn by
//! the strategies of the disk, and the instant is called sampled.
//!
//! Source: the instants and images of ALICE (Pillai et al., OSDI'14), for one schedule at a time.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::disk::{CrashSpace, Fates};
use crate::rng::{Purpose, Stream};
use crate::run::{Mode, Runner, Verdict};
use crate::scenario::Scenario;
use crate::steer::{Instant, Left, Steer};

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exhausted {
    /// Schedules.
    pub schedules: u64,
    /// Scheduling points of them.
    pub points: u64,
    /// Instants: points that differ in what a crash may leave or must not lose.
    pub instants: u64,
    /// Those of which not all was tried, because it was too much.
    pub sampled: u64,
    /// Deaths and images tried or found to have been tried before.
    pub generated: u64,
    /// Deaths and images tried: opened by the engine and judged by all checkers.
    pub recoveries: u64,
}

impl Exhausted {
    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &Exhausted) {
        self.schedules += other.schedules;
        self.points += other.points;
        self.instants += other.instants;
        self.sampled += other.sampled;
        self.generated += other.generated;
        self.recoveries += other.recoveries;
    }
}

/// A crash after which a promise is broken.
#[derive(Debug)]
pub struct Counterexample {
    /// The seed of the schedule.
    pub seed: u64,
    /// The point of the crash.
    pub point: u64,
    /// Which of all that may be left there, in the order in which they are tried, from 0.
    pub nth: usize,
    /// What came of it.
    pub verdict: Verdict,
}

/// Bounds and choices.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Images at an instant, at most; as many deaths of the process.
    pub images: usize,
    /// Only this point, and of it only this, if given: a counterexample again.
    pub only: Option<(u64, usize)>,
}

/// Exhausts the schedule of `seed`, until `each` breaks: it is shown every counterexample as it is
/// found.
///
/// # Errors
/// In words, if the simulator itself fails.
pub fn exhaust(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    bounds: Bounds,
    each: &mut dyn FnMut(Counterexample) -> ControlFlow<()>,
) -> Result<Exhausted, String> {
    let mut done = Exhausted { schedules: 1, ..Exhausted::default() };
    let mut instants = BTreeSet::new();
    let mut judged = BTreeSet::new();
    let points = bounds.only.map_or(1..u64::MAX, |(point, _)| point..point + 1);
    for point in points {
        let Some(instant) = look(runner, scenario, seed, point)? else { break };
        done.points += 1;
        if !instants.insert(instant.fingerprint) {
            continue;
        }
        done.instants += 1;
        let left = everything_left(&instant, bounds.images, seed ^ point << 32, &mut done);
        for (nth, (left, image)) in left.into_iter().enumerate() {
            done.generated += 1;
            let is_asked = bounds.only.is_none_or(|(_, only)| only == nth);
            // What a dead process leaves pending is not in the image: each is tried.
            let is_new = image.is_none_or(|image| judged.insert((image, instant.obligations)));
            if !(is_asked && is_new) {
                continue;
            }
            let keep_events = bounds.only.is_some();
            let steer = Some(Steer { point, left });
            let verdict =
                runner.run_caught(scenario, seed, Mode { keep_events, steer, ..Mode::default() });
            done.recoveries += 1;
            if let Some(words) = &verdict.harness_error {
                return Err(format!("point {point}, number {nth}: {words}"));
            }
            if !verdict.violations.is_empty()
                && each(Counterexample { seed, point, nth, verdict }).is_break()
            {
                return Ok(done);
            }
        }
    }
    Ok(done)
}

/// The instant at `point`; `None` if the first process has ended before.
fn look(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    point: u64,
) -> Result<Option<Instant>, String> {
    let steer = Some(Steer { point, left: Left::Anything });
    let verdict = runner.run_caught(scenario, seed, Mode { steer, ..Mode::default() });
    match verdict.harness_error {
        Some(words) => Err(format!("point {point}: {words}")),
        None => Ok(verdict.instant),
    }
}

/// All that a crash may leave, with the hash of the image after a power loss.
fn everything_left(
    instant: &Instant,
    most: usize,
    seed: u64,
    done: &mut Exhausted,
) -> Vec<(Left, Option<u64>)> {
    let (deaths, all_deaths) = instant.deaths(most);
    let mut left: Vec<_> = deaths.into_iter().map(|death| (death, None)).collect();
    let space = instant.disk.crash_space();
    let (images, all_images) = images(&space, most, seed);
    done.sampled += u64::from(!(all_deaths && all_images));
    left.extend(images.into_iter().map(|fates| {
        let hash = space.disk(&fates).image_hash();
        (Left::Image(fates), Some(hash))
    }));
    left
}

/// Every image of `space`, or `most` drawn ones; the flag says whether it is every.
fn images(space: &CrashSpace, most: usize, seed: u64) -> (Vec<Fates>, bool) {
    let mut images = Vec::new();
    let walked = space.walk(&mut |fates| {
        if images.len() == most {
            return ControlFlow::Break(());
        }
        images.push(fates.clone());
        ControlFlow::Continue(())
    });
    if walked.is_continue() {
        return (images, true);
    }
    let mut stream = Stream::new(seed, Purpose::Disk);
    for fates in &mut images {
        *fates = space.draw(&mut stream);
    }
    (images, false)
}
