//! From a run that breaks a promise to a small one that breaks the same.
//!
//! A failure of eight writers, two hundred batches and four faults is mostly noise. The faults that
//! struck take the place of rates; then parts are taken out (crashes, readers, faults, writers,
//! batches, operations), and the rest is made simpler. At last the choices of the scheduler take
//! the place of its policy, and of these, too, goes what can. Delta debugging (Zeller, Hildebrandt,
//! "Simplifying and isolating failure-inducing input", TSE 2002), over the structure of a
//! [`Planned`] run instead of its text.
//!
//! A smaller run meets other interleavings, other latencies and other images of a power loss, and a
//! crash that counts calls strikes elsewhere in it. So each is tried with several seeds of what is
//! drawn during a run, and with its crashes earlier. The same promise must be broken, as the same
//! checker finds it.
//!
//! Architecture invariant: what comes out is a function of what goes in. Candidates are tried on
//! all cores, and of those that fail the first in their order is taken; only a budget of time that
//! runs out makes a difference.

mod parts;
mod search;
mod simpler;

use std::ops::ControlFlow;
use std::time::Duration;

use self::search::Search;
use crate::checker::Violation;
use crate::planned::Planned;
use crate::scenario::Scenario;

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Worker threads, at least 1.
    pub jobs: usize,
    /// End after this, with the best so far.
    pub budget: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// The small run.
    pub planned: Planned,
    /// Runs that were tried.
    pub tried: u64,
    /// Whether nothing more can be taken out or made simpler; not if the time was over or the
    /// caller had enough. In a run that is still large, single values and what follows single
    /// batches were left as they are.
    pub is_complete: bool,
}

/// Makes `planned`, which breaks the promise of `violation`, as small as can be. `progress` is
/// called now and then with the best so far and how many runs were tried, and says whether to go
/// on.
pub fn minimise(
    scenario: &Scenario,
    planned: Planned,
    violation: &Violation,
    effort: Effort,
    progress: &mut dyn FnMut(&Planned, u64) -> ControlFlow<()>,
) -> Minimised {
    let mut search = Search::new(scenario, planned, violation, effort, progress);
    search.run();
    search.into_minimised()
}
