//! Exhausting schedules: a crash at every point of them, and of each all that may be left.
//!
//! Scenario and seed give one schedule, or all that a [`crate::policy::Walk`] finds, each from the
//! state at which it parts from those before it. The points fall into instants: two points with the
//! same disk, the same operations pending and the same answers given are one. At each instant the
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

mod course;
mod hashes;
mod search;

pub use course::Course;
pub use hashes::Hashes;
pub use search::{Explorer, Search};

use crate::fault::FaultCounts;
use crate::policy::Guide;
use crate::run::Verdict;

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Deaths and images tried, opened by the engine and judged by all checkers, that held an entry
    /// to recover.
    pub recoveries: u64,
    /// Those of them that followed a second or further crash.
    pub nested_recoveries: u64,
    /// Deaths and images tried that held none: their opens had nothing to recover.
    pub opens_without_record: u64,
    /// Images that were not tried, because the same had been under the same obligations.
    pub seen_before: u64,
    /// Faults delivered, summed over the runs: schedules without a crash, and all that was tried.
    /// Each run has those before its crash too.
    pub faults: FaultCounts,
}

impl Exhausted {
    /// Deaths and images tried.
    pub fn tried(&self) -> u64 {
        self.recoveries + self.opens_without_record
    }

    /// Deaths and images made: those tried, and those that were as one tried before.
    pub fn images(&self) -> u64 {
        self.tried() + self.seen_before
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
        self.opens_without_record += other.opens_without_record;
        self.seen_before += other.seen_before;
        self.faults.add(&other.faults);
    }
}

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
