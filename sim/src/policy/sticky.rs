//! Random, with threads that run long and threads that are parked long.

use super::Policy;
use crate::kernel::{Step, ThreadId};
use crate::rng::Stream;

/// Keeps the current thread running for a drawn number of points, and now and then parks one
/// thread while the others go on.
///
/// Several historic bugs need one thread to stand in a window of a few instructions while another
/// does a whole flush or compaction; a uniform choice at every point almost never does that.
/// Guarantee: none that is published. A parked thread runs again when nobody else can or when its
/// time is up, so nothing starves for good.
#[derive(Clone, Debug)]
pub struct Sticky {
    stream: Stream,
    /// Points for which the current thread still keeps running.
    hold: u32,
    parked: Option<ThreadId>,
    /// Points for which `parked` still stands.
    parked_for: u32,
}

impl Sticky {
    /// Draws from `stream`.
    pub fn new(stream: Stream) -> Self {
        Sticky { stream, hold: 0, parked: None, parked_for: 0 }
    }
}

impl Policy for Sticky {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, _step: Step) -> ThreadId {
        if self.parked_for > 0 {
            self.parked_for -= 1;
        } else {
            self.parked = None;
        }
        if let Some(current) = current {
            if self.parked.is_none() && self.stream.below(64) == 0 {
                self.parked = Some(current);
                self.parked_for = 1 << self.stream.between(3, 9);
            } else if self.hold > 0 && self.parked != Some(current) {
                self.hold -= 1;
                return current;
            }
        }
        // Half of all holds are short, a few last for hundreds of points.
        self.hold = 0;
        if self.stream.below(2) == 1 {
            let longest = 1 << self.stream.between(2, 8);
            self.hold = self.stream.below(longest);
        }
        let free = |id: &ThreadId| Some(*id) != self.parked;
        let count = runnable.iter().filter(|id| free(id)).count() as u32;
        let nth = if count == 0 { 0 } else { self.stream.below(count) as usize };
        runnable.iter().copied().filter(free).nth(nth).unwrap_or(runnable[0])
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }
}
