//! A walk in which every interleaving is equally likely.

use super::profile::{Countdown, Profile, draw};
use super::{Policy, Watcher};
use crate::kernel::{Step, ThreadId};
use crate::rng::Stream;

/// Uniform random walk: a thread is chosen in proportion to the events that it has still to come.
///
/// Guarantee (Zhao, Wolff, Mathur, Roychoudhury: "Selectively Uniform Concurrency Testing", 2025):
/// if threads do not block and their numbers of events are known, each interleaving comes up with
/// the same probability: for two threads of `n` and `m` events 1 / C(n+m, n). [`super::Random`]
/// instead runs short threads to their end early, and meets the schedules in which they are late
/// exponentially seldom.
///
/// The numbers are those of a [`super::Pilot`], a run of the same seed; locks, timeouts and crashes
/// make them estimates. A thread that outlives its number counts as one with one event left, so
/// that every thread has a chance at every point, and none that spins can keep another from running
/// for good. Without a profile this is a uniform choice at every point.
#[derive(Clone, Debug)]
pub struct Urw {
    stream: Stream,
    countdown: Countdown,
}

impl Urw {
    /// Draws from `stream`; `profile` says how many events there are.
    pub fn new(stream: Stream, profile: Profile) -> Self {
        Urw { stream, countdown: Countdown::new(profile, None) }
    }
}

impl Policy for Urw {
    fn next(&mut self, runnable: &[ThreadId], _current: Option<ThreadId>, _step: Step) -> ThreadId {
        let countdown = &self.countdown;
        draw(&mut self.stream, runnable, |id| countdown.left(id).max(1))
            .expect("no weight is 0, and a choice has candidates")
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        Some(&mut self.countdown)
    }
}
