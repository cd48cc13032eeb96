//! A uniform choice at every scheduling point.

use super::Policy;
use crate::kernel::{Step, ThreadId};
use crate::rng::Stream;

/// Random walk: every runnable thread, and the clock, is equally likely at every point.
///
/// Guarantee: none that is published; the chance of one given schedule falls exponentially with
/// its length. In practice a strong baseline (Thomson, Donaldson, Betts: "Concurrency testing
/// using controlled schedulers", 2016).
#[derive(Clone, Debug)]
pub struct Random(Stream);

impl Random {
    /// Draws from `stream`.
    pub fn new(stream: Stream) -> Self {
        Random(stream)
    }
}

impl Policy for Random {
    #[inline]
    fn next(&mut self, runnable: &[ThreadId], _current: Option<ThreadId>, _step: Step) -> ThreadId {
        runnable[self.0.below(runnable.len() as u32) as usize]
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.0.below(n)
    }
}
