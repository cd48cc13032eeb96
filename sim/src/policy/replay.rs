//! A recorded schedule, again.

use super::Policy;
use crate::kernel::{Step, ThreadId};

/// One decision of a schedule: where it was taken, and what was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The thread at the scheduling point, if it could go on.
    pub current: Option<ThreadId>,
    /// What it was about to do.
    pub step: Step,
    /// The thread chosen; for a pick among waiters, the index chosen.
    pub chosen: u32,
}

/// Follows recorded decisions, and says how far a run has drifted from them.
///
/// Where the next decision was taken at another place than the one at hand, the nearest one ahead
/// that fits is taken (a replay survives small edits of the engine so); if none fits, the current
/// thread goes on. Guarantee: on the program that was recorded, the recorded schedule and a drift
/// of 0.
#[derive(Clone, Debug)]
pub struct Replay {
    decisions: Vec<Decision>,
    at: usize,
    drift: u64,
}

/// How far ahead a decision that fits is looked for.
const LOOKAHEAD: usize = 64;

impl Replay {
    /// Follows `decisions`.
    pub fn new(decisions: Vec<Decision>) -> Self {
        Replay { decisions, at: 0, drift: 0 }
    }

    fn take(&mut self, fits: impl Fn(&Decision) -> bool) -> Option<u32> {
        let ahead = self.decisions[self.at..].iter().take(LOOKAHEAD).position(&fits);
        let Some(skipped) = ahead else {
            self.drift += 1;
            return None;
        };
        self.drift += skipped as u64;
        self.at += skipped + 1;
        Some(self.decisions[self.at - 1].chosen)
    }
}

impl Policy for Replay {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        let fits = |decision: &Decision| {
            decision.current == current
                && decision.step == step
                && runnable.contains(&ThreadId(decision.chosen))
        };
        self.take(fits).map_or_else(|| current.unwrap_or(runnable[0]), ThreadId)
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.take(|decision| decision.step == Step::PICK && decision.chosen < n).unwrap_or(0)
    }

    fn drift(&self) -> u64 {
        self.drift
    }
}
