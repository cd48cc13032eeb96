//! The kernel: simulated threads, and who of them runs.
//!
//! A simulated thread is a stackful coroutine that runs ordinary blocking code. At every
//! *scheduling point* (lock, wait, notify, I/O, sleep, spawn, join, atomic access, [`Step`]s of the
//! engine's own) the kernel asks the [`crate::policy`] who goes on. Time is virtual: every point
//! costs [`POINT_NANOS`], and "let the next timer fire" is one of the choices at every point, even
//! while threads are runnable, so a timeout can beat a thread that is about to finish.
//!
//! A run ends in one of the ways of [`End`]. A crash, a panic and a deadlock end alike: no
//! destructor runs, the stacks are dropped as they are and the memory of the process is emptied
//! ([`crate::arena`]).
//!
//! Architecture invariant: exactly one simulated thread of a kernel runs at a time, on the OS
//! thread that drives the kernel; every decision comes from the policy, but in a process that has
//! gone on for too long: see [`Limits`].

mod carried;
mod core;
mod fair;
#[cfg(test)]
mod fair_tests;
mod observe;
mod overflow;
mod panics;
mod sched;
mod stack;
mod sync;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use carried::Carried;
pub use sched::Kernel;
pub use sync::{
    SimAtomicPtr, SimAtomicU32, SimAtomicU64, SimClock, SimCondvar, SimGuard, SimJoin, SimMutex,
    SimThreads,
};

pub(crate) use sched::with_kernel;

/// Virtual nanoseconds that one scheduling point takes.
pub const POINT_NANOS: u64 = 100;

/// A simulated thread, numbered by creation within its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

impl ThreadId {
    /// Not a thread: the choice that the next timer fires.
    pub const CLOCK: ThreadId = ThreadId(0);

    /// The id as an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a thread is about to do at a scheduling point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The kind of step.
    pub kind: StepKind,
    /// The lock, condition variable, word, thread or file touched, by number.
    pub object: u32,
}

impl Step {
    /// The pseudo-step under which a choice among waiters is recorded.
    pub const PICK: Step = Step { kind: StepKind::Pick, object: 0 };

    /// A step of this kind on this object.
    #[inline]
    pub fn new(kind: StepKind, object: u32) -> Self {
        Step { kind, object }
    }
}

/// Defines the kinds of steps: for each its variant, number in the trace and word.
macro_rules! step_kinds {
    ($($variant:ident = $number:literal $word:literal,)*) => {
        /// The kinds of steps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum StepKind {
            $($variant = $number,)*
        }

        impl StepKind {
            /// The kind as a word.
            pub fn name(self) -> &'static str {
                match self {
                    $(StepKind::$variant => $word,)*
                }
            }

            /// The kind of this name.
            pub fn named(name: &str) -> Option<StepKind> {
                [$(StepKind::$variant),*].into_iter().find(|kind| kind.name() == name)
            }
        }
    };
}

step_kinds! {
    Start = 1 "start",
    Lock = 2 "lock",
    Wait = 3 "wait",
    Notify = 4 "notify",
    Load = 5 "load",
    Store = 6 "store",
    Point = 7 "point",
    Io = 8 "io",
    Sleep = 9 "sleep",
    Spawn = 10 "spawn",
    Join = 11 "join",
    Yield = 12 "yield",
    Exit = 13 "exit",
    Pick = 14 "pick",
}

/// How far one process may run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The process dies at this scheduling point of the run, whatever goes on.
    pub crash_at_point: u64,
    /// After so many points in one process the policy is asked no more: each goes on in turn.
    pub points_max: u64,
    /// So many more, and some client must have been told something, if any waits. From then on
    /// nothing fails ([`Kernel::is_calm`]), and with so many again all must have ended. 0 for a
    /// process that is never scheduled fairly.
    pub fair_points: u64,
    /// So much virtual time is as good as [`Limits::fair_points`].
    pub fair_time: Duration,
}

impl Limits {
    /// No crash, and limits that only a livelock reaches: a run of the scenarios takes some
    /// thousands of points.
    pub const NONE: Limits = Limits {
        crash_at_point: u64::MAX,
        points_max: 5_000_000,
        fair_points: 1_000_000,
        fair_time: Duration::from_hours(1),
    };
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its main thread returned. The names are those of threads it left behind.
    Returned(Vec<&'static str>),
    /// It was killed at a scheduling point.
    Crashed,
    /// Nobody can run and no timer is set. One line per thread says what it waits for.
    Deadlock(Vec<String>),
    /// It went on and on although it was scheduled fairly: see [`Limits`].
    Livelock {
        /// Whether nothing failed any more. Otherwise no client was told anything.
        is_calm: bool,
        /// One line per thread that is left says what it does.
        left: Vec<String>,
    },
    /// A simulated thread panicked; the message, with its place.
    Panicked(String),
    /// The harness itself panicked on a simulated thread: a bug of the simulator.
    HarnessPanicked(String),
}
