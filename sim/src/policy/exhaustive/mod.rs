//! Every schedule of one process, one of each happens-before class, fewest preemptions first.
//!
//! A schedule is what was chosen at each of its *turns*: the points at which more than one thread
//! can go on, and the wake-ups of one among several. Where a schedule says no more, nobody is
//! preempted: the running thread goes on while it can, and after it the one of the lowest number.
//! (One that goes on for ever, because it waits for another, is held up after [`ROW_MAX`] steps.) A
//! [`Walk`] gives out schedules; the [`Exhaustive`] policy follows one and reports, at each turn
//! behind what it said, what else could have been chosen. To choose another thread than the running
//! one, which could go on, is a *preemption*; the walk takes schedules with few of them first, so
//! that what it has done can be said in words: all with at most so many. Among those with equally
//! many it takes first what differs least from what nobody said (as in Emmi, Qadeer, Rakamaric:
//! "Delay-bounded scheduling", 2011), so that one cut short has looked everywhere a little.
//!
//! Two schedules that order the same conflicting steps alike lead to the same state ([`Order`]), so
//! only the first that comes to a state goes on to all that can follow it. This is the caching of
//! happens-before prefixes of CHESS (Musuvathi, Qadeer: "Partial-order reduction for
//! context-bounded state exploration", 2007). The state is known by the order of the steps before
//! it, by who can go on, and by who runs; that the preemptions left over belong to it too (Coons,
//! Musuvathi, McKinley: "Bounded partial-order reduction", 2013) is seen to by the order of the
//! walk: the first that comes to a state has most of them left.
//!
//! Time decides nothing here. A call to the disk, a sleep or a timeout ends at any moment, before
//! or after those that began earlier, so no schedule is left out because of how long a simulated
//! disk takes. It is an assumption that the engine asks the clock for its figures alone.

mod walk;

pub use walk::{Guide, Passage, Walk};

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use self::walk::Turn;
use super::order::Order;
use super::{ClientWord, Policy, Watcher};
use crate::kernel::{Step, StepKind, ThreadId};

/// Follows a schedule through the first process of a run, and another policy behind it.
#[derive(Clone)]
pub struct Exhaustive {
    guide: Guide,
    passage: Rc<RefCell<Passage>>,
    behind: Box<dyn Policy>,
    watch: Watch,
    /// Turns so far.
    turns: usize,
    /// Preemptions so far.
    preemptions: u32,
    /// Whose timer fires next, and who then goes on.
    due: Option<ThreadId>,
    /// Choices in a row of the thread that ran, though others could go on.
    row: u32,
}

/// So long a thread goes on of itself.
const ROW_MAX: u32 = 2000;

/// What is known of the threads. Apart from the rest, because it is what is told of events.
#[derive(Clone, Debug, Default)]
struct Watch {
    processes: u32,
    order: Order,
    /// Threads that go on when their timer fires.
    sleepers: BTreeSet<ThreadId>,
    /// Points so far.
    points: u64,
    /// Whether the disk or a client's knowledge may have changed since the last of them.
    is_news: bool,
}

impl Exhaustive {
    /// Follows `guide`, notes in `passage` what it meets, and leaves all later processes to
    /// `behind`.
    pub fn new(guide: Guide, passage: Rc<RefCell<Passage>>, behind: Box<dyn Policy>) -> Self {
        let watch = Watch { is_news: true, ..Watch::default() };
        Exhaustive { guide, passage, behind, watch, turns: 0, preemptions: 0, due: None, row: 0 }
    }

    fn is_followed(&self) -> bool {
        self.watch.processes == 1
    }

    fn has_left(&self) -> bool {
        self.watch.processes > 1
    }

    /// Who can go on, in order of number; a thread that sleeps can.
    fn candidates(&self, runnable: &[ThreadId]) -> Vec<ThreadId> {
        let awake = runnable.iter().filter(|id| **id != ThreadId::CLOCK);
        let candidates: BTreeSet<ThreadId> = awake.chain(&self.watch.sleepers).copied().collect();
        candidates.into_iter().collect()
    }

    /// Takes the next turn: one of `among`, of which the first is what is taken if nobody says
    /// otherwise; `cost` are the preemptions that the others take.
    fn turn(&mut self, among: &[u32], cost: u32, state: Option<u64>) -> u32 {
        let turn = self.turns;
        self.turns += 1;
        let said = self.guide.at(turn).filter(|said| among.contains(said));
        let chosen = said.unwrap_or(among[0]);
        self.passage.borrow_mut().take(
            Turn { chosen, among, preemptions: self.preemptions, cost },
            state,
            self.guide.is_behind(turn),
        );
        self.preemptions += if chosen == among[0] { 0 } else { cost };
        chosen
    }
}

impl Policy for Exhaustive {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        if !self.is_followed() {
            return self.behind.next(runnable, current, step);
        }
        if let Some(due) = self.due.filter(|due| runnable.contains(due)) {
            return due;
        }
        let mut candidates = self.candidates(runnable);
        let place = candidates.iter().position(|id| Some(*id) == current);
        candidates[..=place.unwrap_or(0)].rotate_right(1);
        if self.row >= ROW_MAX {
            candidates.rotate_left(1);
        }
        let chosen = if let [only] = candidates.as_slice() {
            *only
        } else {
            let state = self.watch.order.state(&candidates, current);
            let among: Vec<u32> = candidates.iter().map(|id| id.0).collect();
            ThreadId(self.turn(&among, u32::from(place.is_some()), Some(state)))
        };
        self.row = if Some(chosen) == current { self.row + 1 } else { 0 };
        if runnable.contains(&chosen) {
            return chosen;
        }
        self.due = Some(chosen);
        ThreadId::CLOCK
    }

    fn pick(&mut self, n: u32) -> u32 {
        if !self.is_followed() {
            return self.behind.pick(n);
        }
        let among: Vec<u32> = (0..n).collect();
        self.turn(&among, 0, None)
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        if self.has_left() { self.behind.watcher() } else { Some(self) }
    }

    fn rules_time(&self) -> bool {
        self.is_followed()
    }

    fn timer(&mut self) -> ThreadId {
        let fires = self.due.expect("the clock is chosen for one whose timer is set");
        self.watch.order.fires(fires);
        fires
    }
}

/// It watches until the second process has started.
impl Watcher for Exhaustive {
    fn process_starts(&mut self) {
        self.watch.processes += 1;
        if self.is_followed() {
            self.watch.order.process_starts();
        } else {
            self.passage.borrow_mut().end(self.watch.order.class(), self.watch.points);
            if let Some(watcher) = self.behind.watcher() {
                watcher.process_starts();
            }
        }
    }

    fn spawned(&mut self, parent: ThreadId, _child: ThreadId) {
        self.watch.order.spawned(parent);
    }

    fn arrives(&mut self, thread: ThreadId, step: Step) {
        self.watch.order.arrives(thread, step);
        self.watch.points += 1;
        // A call was submitted before its thread arrived at the wait for it.
        let is_news = std::mem::take(&mut self.watch.is_news) || step.kind == StepKind::Io;
        if self.guide.is_behind(self.turns) {
            self.passage.borrow_mut().comes_to(self.watch.points, is_news);
        }
    }

    fn goes(&mut self, thread: ThreadId) {
        if thread != ThreadId::CLOCK {
            self.due = None;
            self.watch.sleepers.remove(&thread);
            self.watch.is_news |= self.watch.order.goes(thread) == StepKind::Io;
        }
    }

    fn sets_timer(&mut self, thread: ThreadId) {
        self.watch.sleepers.insert(thread);
    }

    fn acquires(&mut self, thread: ThreadId, lock: u32) {
        self.watch.order.acquires(thread, lock);
    }

    fn client(&mut self, thread: ThreadId, word: ClientWord) {
        self.watch.order.client(thread, word);
        self.watch.is_news = true;
    }
}

impl fmt::Debug for Exhaustive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exhaustive { guide, turns, preemptions, .. } = self;
        write!(f, "Exhaustive {{ {guide:?}, turns: {turns}, preemptions: {preemptions} }}")
    }
}
