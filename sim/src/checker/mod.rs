//! Checkers: what the promises demand, one file each.
//!
//! Determinism has none: no checker sees two runs. The sweep, `doctor` and `replay` compare them.
//!
//! A checker looks at what clients were told and at what an open shows; it never looks into the
//! engine. The violation of a run is the earliest by event. A checker counts only because a
//! planted bug has made it fail: see `corpus/mutants/`.

mod atomicity;
mod contents;
mod durability;
mod errors;
mod image;
mod kinds;
mod liveness;
mod met;
mod reads;
mod recovery;
mod sequence;
mod structure;

pub use atomicity::Atomicity;
pub use contents::Contents;
pub use durability::Durability;
pub use errors::Errors;
pub use image::{Image, Recoverable};
pub use liveness::Liveness;
pub use met::Met;
pub use reads::Reads;
pub use recovery::Recovery;
pub use sequence::Sequence;
pub use structure::Structure;

use std::fmt;

use dyn_clone::DynClone;

use crate::history::{Call, History, Outcome};
use crate::kernel::End;
use crate::model::{Commit, Settlement};
use crate::report::counted;
use crate::scenario::CrashKind;
use crate::told::Failure;
use crate::workload::Plan;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The checker that found it.
    pub checker: &'static str,
    /// The promise, in one sentence.
    pub promise: &'static str,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub got: String,
    /// Scheduling point at which it showed.
    pub point: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (expected {}; got {})",
            self.checker, self.promise, self.expected, self.got
        )
    }
}

/// How an incarnation ended, for checkers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The database was closed with Ok, or the main thread gave up after an error.
    Returned {
        /// Whether `close` returned Ok.
        closed: bool,
        /// Threads still there when the main thread returned.
        left: Vec<&'static str>,
        /// Blocks of memory that the process had not given back by then.
        leaked: usize,
    },
    /// A crash.
    Crashed(CrashKind),
    /// Anything that is no end of a program: a deadlock, a panic, a livelock.
    Stuck(End),
}

/// What excuses the loss of synced bytes: the disk took them, and nobody above it is to blame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Nothing does.
    #[default]
    None,
    /// Bytes of logs, or of one file that was damaged, may be gone; what is left is a prefix.
    End,
    /// Bytes and names of any file may be gone. A table or a MANIFEST that lost some may take
    /// batches along out of the middle, and may not be readable.
    Anywhere,
}

/// What checkers look at when an incarnation has opened the database.
#[derive(Debug)]
pub struct AfterOpen<'a> {
    /// What the run does.
    pub plan: &'a Plan,
    /// What clients have seen; statuses are those before this open.
    pub history: &'a History,
    /// How the incarnation before this one ended; `None` for the first.
    pub before: Option<&'a Ending>,
    /// The entries shown, explained.
    pub settlement: &'a Settlement,
    /// What the disk held when the open began, as the independent decoder reads it.
    pub image: &'a Image,
    /// What excuses a loss.
    pub excuse: Excuse,
}

/// What checkers look at when an incarnation has ended.
#[derive(Debug)]
pub struct AfterEnd<'a> {
    /// What the run does.
    pub plan: &'a Plan,
    /// What clients have seen.
    pub history: &'a History,
    /// The batches with a place, in commit order.
    pub commits: &'a [Commit],
    /// How it ended.
    pub ending: &'a Ending,
    /// Files that were there behind a clean close though the MANIFEST does not need them.
    pub left_over: &'a [String],
    /// Names of files that were damaged before this incarnation.
    pub damaged: &'a [String],
    /// What it met of damage to the medium.
    pub met: &'a Met,
    /// The calls of the engine to its environment that came back with an error, in order.
    pub failures: &'a [Failure],
    /// The points at which a `resume` was called that did not return; see [`AfterEnd::resumes`].
    pub resuming: &'a [u64],
    /// What excused a loss that its open showed.
    pub excuse: Excuse,
    /// Faults delivered to this incarnation.
    pub faults: u64,
    /// Scheduling point of the end.
    pub point: u64,
}

impl AfterEnd<'_> {
    /// When each `resume` was called that may have had its effect, and when it returned: with Ok,
    /// or not before the end.
    pub fn resumes(&self) -> impl Iterator<Item = (u64, u64)> {
        let ok = |outcome: &&Outcome| outcome.call == Call::Resume && outcome.error.is_none();
        let returned = self.history.outcomes.iter().filter(ok).map(|o| (o.invoked, o.returned));
        returned.chain(self.resuming.iter().map(|&invoked| (invoked, u64::MAX)))
    }
}

/// Judges runs. One value judges one run, in order of events; a clone goes on where it stands.
pub trait Checker: DynClone {
    /// Its name, as reports and mutants use it.
    fn name(&self) -> &'static str;

    /// Judges what an open showed.
    ///
    /// # Errors
    /// The violation.
    fn after_open(&mut self, _open: &AfterOpen<'_>) -> Result<(), Violation> {
        Ok(())
    }

    /// Judges what clients were told until the incarnation ended.
    ///
    /// # Errors
    /// The violation.
    fn after_end(&mut self, _end: &AfterEnd<'_>) -> Result<(), Violation> {
        Ok(())
    }
}

dyn_clone::clone_trait_object!(Checker);

/// The checkers of the simulator itself.
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(Durability),
        Box::new(Sequence::default()),
        Box::new(Contents),
        Box::new(Atomicity),
        Box::new(Reads),
        Box::new(Errors),
        Box::new(Liveness),
        Box::new(Recovery),
        Box::new(Structure::default()),
    ]
}

/// A batch as violations name it.
pub(crate) fn name_batch(plan: &Plan, commit: &Commit) -> String {
    let batch = &plan.batches[commit.batch as usize];
    let first = plan.writers[batch.writer as usize].start;
    format!(
        "batch {} of writer {} ({} at sequence {}{})",
        commit.batch - first,
        batch.writer,
        counted(commit.count as usize, "operation"),
        commit.sequence,
        if batch.sync { ", sync" } else { "" }
    )
}
