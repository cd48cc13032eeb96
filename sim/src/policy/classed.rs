//! [`Classed`]: another policy, and the happens-before class of what it chose.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::order::Order;
use super::{ClientWord, Policy, Watcher};
use crate::kernel::{Step, StepKind, ThreadId};

/// Chooses as another policy does, and tells in which order the first process of a run took its
/// conflicting steps.
///
/// Two runs of a seed whose first processes are of one class differ in nothing that the engine, a
/// client or the disk could see up to the end of that process, but for how long things took: a
/// timeout and a wake-up that came to the same are not told apart.
#[derive(Clone)]
pub struct Classed {
    behind: Box<dyn Policy>,
    class: Rc<Cell<Option<u64>>>,
    order: Order,
    processes: u32,
}

impl Classed {
    /// Chooses as `behind` does. When the second process of the run starts, `class` is set.
    pub fn new(behind: Box<dyn Policy>, class: Rc<Cell<Option<u64>>>) -> Self {
        Classed { behind, class, order: Order::default(), processes: 0 }
    }

    /// Tells the other policy, if it wants to know.
    fn tell(&mut self, tell: impl FnOnce(&mut dyn Watcher)) {
        if let Some(watcher) = self.behind.watcher() {
            tell(watcher);
        }
    }
}

impl Policy for Classed {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        self.behind.next(runnable, current, step)
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.behind.pick(n)
    }

    fn drift(&self) -> u64 {
        self.behind.drift()
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        if self.processes > 1 { self.behind.watcher() } else { Some(self) }
    }

    fn rules_time(&self) -> bool {
        self.behind.rules_time()
    }

    fn timer(&mut self) -> ThreadId {
        self.behind.timer()
    }
}

/// It watches until the second process has started.
impl Watcher for Classed {
    fn process_starts(&mut self) {
        self.processes += 1;
        if self.processes == 1 {
            self.order.process_starts();
        } else {
            self.class.set(Some(self.order.class()));
        }
        self.tell(|watcher| watcher.process_starts());
    }

    fn spawned(&mut self, parent: ThreadId, child: ThreadId) {
        self.order.spawned(parent);
        self.tell(|watcher| watcher.spawned(parent, child));
    }

    fn arrives(&mut self, thread: ThreadId, step: Step) {
        self.order.arrives(thread, step);
        self.tell(|watcher| watcher.arrives(thread, step));
    }

    fn goes(&mut self, thread: ThreadId) {
        if thread != ThreadId::CLOCK {
            let _: StepKind = self.order.goes(thread);
        }
        self.tell(|watcher| watcher.goes(thread));
    }

    fn sets_timer(&mut self, thread: ThreadId) {
        self.tell(|watcher| watcher.sets_timer(thread));
    }

    fn acquires(&mut self, thread: ThreadId, lock: u32) {
        self.order.acquires(thread, lock);
        self.tell(|watcher| watcher.acquires(thread, lock));
    }

    fn client(&mut self, thread: ThreadId, word: ClientWord) {
        self.order.client(thread, word);
        self.tell(|watcher| watcher.client(thread, word));
    }
}

impl fmt::Debug for Classed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Classed {{ processes: {} }}", self.processes)
    }
}
