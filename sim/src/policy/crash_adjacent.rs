//! Random, with more switches where crashes hurt.

use super::Policy;
use crate::kernel::{Step, StepKind, ThreadId};
use crate::rng::Stream;

/// Switches at nearly every step within three points of an I/O operation, and seldom elsewhere.
///
/// Syncs, renames and log switches are where the order of two threads decides what a crash leaves;
/// this policy spends its switches there. Guarantee: none that is published.
#[derive(Clone, Debug)]
pub struct CrashAdjacent {
    stream: Stream,
    /// Points left in the neighbourhood of the last I/O.
    near: u32,
}

/// How many points after an I/O still count as near it.
const NEIGHBOURHOOD: u32 = 3;

impl CrashAdjacent {
    /// Draws from `stream`.
    pub fn new(stream: Stream) -> Self {
        CrashAdjacent { stream, near: 0 }
    }
}

impl Policy for CrashAdjacent {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        if step.kind == StepKind::Io {
            self.near = NEIGHBOURHOOD;
        } else if self.near > 0 {
            self.near -= 1;
        }
        if let Some(current) = current
            && self.near == 0
            && self.stream.below(8) != 0
        {
            return current;
        }
        runnable[self.stream.below(runnable.len() as u32) as usize]
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }
}
