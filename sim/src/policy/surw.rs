//! A walk in which every order of the interesting events is equally likely.

use super::profile::{Countdown, Profile, draw};
use super::{Policy, Watcher};
use crate::kernel::{Step, ThreadId};
use crate::rng::Stream;

/// Selectively uniform random walk: uniform over the orders of the events on one thing that several
/// threads touch, which each seed draws; a uniform choice among all else.
///
/// One thread is *intended*: the next interesting event is to be its own. It is drawn in proportion
/// to the interesting events that each thread has still to come. Until it has come, others run too,
/// but halt before interesting events of theirs.
///
/// Guarantee (Zhao, Wolff, Mathur, Roychoudhury: "Selectively Uniform Concurrency Testing", 2025):
/// if threads do not block and their numbers of interesting events are known, each order of these
/// comes up with the same probability, whatever else the threads do between them. A race that lies
/// in them is then found with a probability that does not depend on the length of the run.
///
/// What is of interest ([`super::Shared`]) is one lock, one condition variable, all atomic words,
/// one of the engine's points or the disk: drawn from those that at least two threads of the
/// [`super::Pilot`]'s run touched. The numbers are from there, and are estimates where threads
/// block. An intended thread that cannot go on loses its part to another; so does one that keeps
/// others halted for longer than the whole process should take, because it must be waiting for one
/// of them. So no thread that spins can keep another from running for good. Without a profile this
/// is a uniform choice at every point.
#[derive(Clone, Debug)]
pub struct Surw {
    stream: Stream,
    walk: Walk,
}

/// Where the walk stands. Apart from the stream, because it is what is told of events.
#[derive(Clone, Debug)]
struct Walk {
    countdown: Countdown,
    intended: Option<ThreadId>,
    /// The intended thread and one that it has started since: the part is drawn among them again.
    heirs: Option<[ThreadId; 2]>,
    /// Choices in which the intended thread has kept others halted.
    halted_for: u64,
    /// How many of them there may be; halved each time they are used up.
    patience: u64,
    /// The threads that may be chosen. Kept for its memory.
    free: Vec<ThreadId>,
}

const PATIENCE_MIN: u64 = 16;

impl Surw {
    /// Draws from `stream`; `profile` says what is shared and how many events there are.
    pub fn new(mut stream: Stream, profile: Profile) -> Self {
        let shared = profile.shared();
        let nth = stream.below(shared.len() as u32) as usize;
        let walk = Walk {
            countdown: Countdown::new(profile, shared.get(nth).copied()),
            intended: None,
            heirs: None,
            halted_for: 0,
            patience: PATIENCE_MIN,
            free: Vec::new(),
        };
        Surw { stream, walk }
    }
}

impl Walk {
    fn is_interesting(&self, thread: ThreadId) -> bool {
        self.countdown.only().is_some() && self.countdown.is_counted(thread)
    }

    /// Draws who is to have the next interesting event, if one is known to come.
    fn intend(&mut self, stream: &mut Stream, among: &[ThreadId]) {
        // One that stands before such an event has at least that one to come.
        let weight = |id: ThreadId| self.countdown.left(id).max(u64::from(self.is_interesting(id)));
        self.intended = draw(stream, among, weight);
        self.halted_for = 0;
    }

    /// Draws it where it is open: the intended thread has had its event, or cannot go on.
    fn intend_one_of(&mut self, stream: &mut Stream, runnable: &[ThreadId]) {
        if let Some(heirs) = self.heirs.take()
            && heirs.iter().all(|id| runnable.contains(id))
        {
            self.intend(stream, &heirs);
        }
        if self.intended.is_none_or(|id| !runnable.contains(&id)) {
            self.intend(stream, runnable);
        }
    }

    fn find_free(&mut self, runnable: &[ThreadId]) {
        let mut free = std::mem::take(&mut self.free);
        let is_free = |id: &ThreadId| Some(*id) == self.intended || !self.is_interesting(*id);
        free.clear();
        free.extend(runnable.iter().copied().filter(is_free));
        self.free = free;
    }

    /// Whether the intended thread has kept others halted for too long. Called once a choice.
    fn loses_patience(&mut self) -> bool {
        self.halted_for += 1;
        let loses = self.halted_for > self.patience;
        if loses {
            self.patience = (self.patience / 2).max(PATIENCE_MIN);
        }
        loses
    }
}

impl Policy for Surw {
    fn next(&mut self, runnable: &[ThreadId], _current: Option<ThreadId>, _step: Step) -> ThreadId {
        let Surw { stream, walk } = self;
        walk.intend_one_of(stream, runnable);
        walk.find_free(runnable);
        if walk.free.len() < runnable.len() && walk.loses_patience() {
            let is_halted = |id: &ThreadId| !walk.free.contains(id);
            let halted: Vec<_> = runnable.iter().copied().filter(is_halted).collect();
            walk.intend(stream, &halted);
            walk.find_free(runnable);
        }
        walk.free[stream.below(walk.free.len() as u32) as usize]
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        Some(&mut self.walk)
    }
}

impl Watcher for Walk {
    fn process_starts(&mut self) {
        self.countdown.process_starts();
        self.intended = None;
        self.heirs = None;
        self.patience = self.countdown.events().max(PATIENCE_MIN);
    }

    fn spawned(&mut self, parent: ThreadId, child: ThreadId) {
        self.countdown.spawned(parent, child);
        if self.intended == Some(parent) {
            self.heirs = Some([parent, child]);
        }
    }

    fn arrives(&mut self, thread: ThreadId, step: Step) {
        self.countdown.arrives(thread, step);
    }

    fn goes(&mut self, thread: ThreadId) {
        if self.is_interesting(thread) {
            self.intended = None;
        }
        self.countdown.goes(thread);
    }
}
