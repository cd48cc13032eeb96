//! How many events each thread has: counted in one run, counted down in another.
//!
//! An event of a thread is what it does from one scheduling point to the next; it is named after
//! the point before it. That the clock lets a timer fire is an event of the clock. Threads are told
//! apart by how they came to be (the second thread that the main thread started), which is the same
//! under every schedule as long as each thread starts its own in the same order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Policy, Random, Watcher};
use crate::kernel::{Step, StepKind, ThreadId};
use crate::rng::Stream;

/// Something whose events may be of interest when several threads touch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// One lock, by number.
    Lock(u32),
    /// One condition variable, by number.
    Condvar(u32),
    /// Every atomic word: the kernel does not tell them apart.
    Words,
    /// One of the engine's own points, by number.
    Place(u32),
    /// Every file: a crash cuts through the order of their calls.
    Disk,
}

impl Shared {
    /// What `step` touches, if that can be of interest.
    pub fn of(step: Step) -> Option<Shared> {
        match step.kind {
            StepKind::Lock => Some(Shared::Lock(step.object)),
            StepKind::Wait | StepKind::Notify => Some(Shared::Condvar(step.object)),
            StepKind::Load | StepKind::Store => Some(Shared::Words),
            StepKind::Point => Some(Shared::Place(step.object)),
            StepKind::Io => Some(Shared::Disk),
            _ => None,
        }
    }
}

/// A thread by how it came to be: its place among the children of each of its ancestors.
type Descent = Vec<u32>;

/// No thread descends from the clock.
const CLOCK: [u32; 1] = [u32::MAX];
const MAIN: [u32; 1] = [0];

/// The events of one thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    all: u64,
    shared: BTreeMap<Shared, u64>,
}

/// The events of every thread of every process of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    processes: Vec<BTreeMap<Descent, Counts>>,
}

impl Profile {
    /// What at least two threads of one process touched, in a fixed order.
    pub fn shared(&self) -> Vec<Shared> {
        let mut found = BTreeSet::new();
        for process in &self.processes {
            let mut once = BTreeSet::new();
            for shared in process.values().flat_map(|counts| counts.shared.keys()) {
                if !once.insert(*shared) {
                    found.insert(*shared);
                }
            }
        }
        found.into_iter().collect()
    }

    fn note(&mut self, descent: &Descent, step: Step) {
        let process = self.processes.last_mut().expect("threads run in a process");
        let counts = process.entry(descent.clone()).or_default();
        counts.all += 1;
        if let Some(shared) = Shared::of(step) {
            *counts.shared.entry(shared).or_default() += 1;
        }
    }
}

/// The threads of the running process.
#[derive(Clone, Debug, Default)]
struct Family {
    /// By thread id.
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    descent: Descent,
    children: u32,
    /// What it is about to do.
    pending: Step,
}

impl Family {
    fn process_starts(&mut self) {
        self.members.clear();
        self.add(CLOCK.to_vec());
    }

    fn add(&mut self, descent: Descent) {
        let pending = Step::new(StepKind::Start, 0);
        self.members.push(Member { descent, children: 0, pending });
    }

    fn spawned(&mut self, parent: ThreadId) {
        let descent = if parent == ThreadId::CLOCK {
            MAIN.to_vec()
        } else {
            let parent = &mut self.members[parent.index()];
            parent.children += 1;
            let mut descent = parent.descent.clone();
            descent.push(parent.children - 1);
            descent
        };
        self.add(descent);
    }
}

/// [`Random`], counting. Its run makes the [`Profile`] with which another begins.
#[derive(Clone, Debug)]
pub struct Pilot {
    random: Random,
    family: Family,
    profile: Rc<RefCell<Profile>>,
}

impl Pilot {
    /// Draws from `stream`, and adds what it counts to `profile`.
    pub fn new(stream: Stream, profile: Rc<RefCell<Profile>>) -> Self {
        Pilot { random: Random::new(stream), family: Family::default(), profile }
    }
}

impl Policy for Pilot {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        self.random.next(runnable, current, step)
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.random.pick(n)
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        Some(self)
    }
}

impl Watcher for Pilot {
    fn process_starts(&mut self) {
        self.family.process_starts();
        self.profile.borrow_mut().processes.push(BTreeMap::new());
    }

    fn spawned(&mut self, parent: ThreadId, _child: ThreadId) {
        self.family.spawned(parent);
    }

    fn arrives(&mut self, thread: ThreadId, step: Step) {
        self.family.members[thread.index()].pending = step;
    }

    fn goes(&mut self, thread: ThreadId) {
        let member = &self.family.members[thread.index()];
        self.profile.borrow_mut().note(&member.descent, member.pending);
    }
}

/// The events that each thread has still to come, by a profile: its own, and those of threads that
/// it, or they, have still to start.
///
/// In a program that forks and never blocks, the share of a thread in all of them is the chance
/// that the next event is its own, if all interleavings are equally likely: the events form a
/// forest, and the interleavings of a forest begin in one of its trees in proportion to its size.
#[derive(Clone, Debug)]
pub(super) struct Countdown {
    profile: Profile,
    /// What is counted; `None` is every event.
    only: Option<Shared>,
    /// Processes that have started.
    processes: usize,
    family: Family,
    /// By thread id.
    left: Vec<u64>,
}

impl Countdown {
    pub(super) fn new(profile: Profile, only: Option<Shared>) -> Self {
        Countdown { profile, only, processes: 0, family: Family::default(), left: Vec::new() }
    }

    pub(super) fn only(&self) -> Option<Shared> {
        self.only
    }

    /// The events that `thread` has still to come; 0 if it has more than the profile says.
    #[inline]
    pub(super) fn left(&self, thread: ThreadId) -> u64 {
        self.left[thread.index()]
    }

    /// Whether the next event of `thread` is one that is counted.
    #[inline]
    pub(super) fn is_counted(&self, thread: ThreadId) -> bool {
        self.only.is_none() || Shared::of(self.family.members[thread.index()].pending) == self.only
    }

    /// Events of all threads of this process, counted or not.
    pub(super) fn events(&self) -> u64 {
        self.process().map_or(0, |process| process.values().map(|counts| counts.all).sum())
    }

    /// The profile of the running process. One more than there were is taken for the last.
    fn process(&self) -> Option<&BTreeMap<Descent, Counts>> {
        let processes = &self.profile.processes;
        processes.get(self.processes.saturating_sub(1)).or(processes.last())
    }

    /// Events of the thread of this descent and of all that descend from it.
    fn events_from(&self, descent: &Descent) -> u64 {
        let Some(process) = self.process() else { return 0 };
        let counted = |counts: &Counts| match self.only {
            None => counts.all,
            Some(shared) => counts.shared.get(&shared).copied().unwrap_or(0),
        };
        let from = process.range(descent.clone()..);
        let tree = from.take_while(|(other, _)| other.starts_with(descent));
        tree.map(|(_, counts)| counted(counts)).sum()
    }
}

impl Watcher for Countdown {
    fn process_starts(&mut self) {
        self.processes += 1;
        self.family.process_starts();
        self.left.clear();
        self.left.push(self.events_from(&CLOCK.to_vec()));
    }

    fn spawned(&mut self, parent: ThreadId, child: ThreadId) {
        self.family.spawned(parent);
        let tree = self.events_from(&self.family.members[child.index()].descent);
        if parent != ThreadId::CLOCK {
            let left = &mut self.left[parent.index()];
            *left = left.saturating_sub(tree);
        }
        self.left.push(tree);
    }

    fn arrives(&mut self, thread: ThreadId, step: Step) {
        self.family.members[thread.index()].pending = step;
    }

    fn goes(&mut self, thread: ThreadId) {
        if self.is_counted(thread) {
            let left = &mut self.left[thread.index()];
            *left = left.saturating_sub(1);
        }
    }
}

/// Draws one of `among` by `weight`; `None` if every weight is 0. Its bias is below the sum of the
/// weights / 2^64.
pub(super) fn draw(
    stream: &mut Stream,
    among: &[ThreadId],
    weight: impl Fn(ThreadId) -> u64,
) -> Option<ThreadId> {
    let sum: u64 = among.iter().map(|id| weight(*id)).sum();
    if sum == 0 {
        return None;
    }
    let mut at = ((u128::from(stream.next_u64()) * u128::from(sum)) >> 64) as u64;
    among.iter().copied().find(|id| match at.checked_sub(weight(*id)) {
        Some(rest) => {
            at = rest;
            false
        }
        None => true,
    })
}
