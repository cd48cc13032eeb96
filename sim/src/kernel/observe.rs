//! What the harness and simulated calls ask the kernel: time, counts, names, the trace.

use super::core::State;
use super::sched::{Kernel, SpuriousWakeup};
use super::{ThreadId, overflow};
use crate::arena::Outside;
use crate::policy::{ClientWord, Decision};
use crate::trace::{Event, Lane, Trace};

impl Kernel {
    /// From here on `ask` says of each wait whether it ends by itself.
    pub(crate) fn ask_for_spurious_wakeups(&self, ask: SpuriousWakeup) {
        self.spurious_wakeup.set(Some(ask));
    }

    /// Names the run in the message of a stack overflow or a bad memory access.
    pub fn set_run(&self, name: &str) {
        overflow::set_run(name);
    }

    /// Records every decision from here on, for [`crate::policy::Replay`].
    pub fn record_schedule(&self) {
        self.core.borrow_mut().schedule = Some(Vec::new());
    }

    /// The decisions recorded.
    pub fn take_schedule(&self) -> Vec<Decision> {
        self.core.borrow_mut().schedule.take().unwrap_or_default()
    }

    /// See [`crate::policy::Policy::drift`].
    pub fn drift(&self) -> u64 {
        self.core.borrow().policy.drift()
    }

    /// The running thread.
    #[inline]
    pub(crate) fn current(&self) -> ThreadId {
        self.running.get()
    }

    /// The name of a thread without its number: what threads that do the same have in common.
    pub fn thread_kind(&self, id: ThreadId) -> &'static str {
        self.core.borrow().thread_kind(id)
    }

    /// A thread as reports show it.
    pub fn thread_name(&self, id: ThreadId) -> String {
        self.core.borrow().thread_name(id)
    }

    /// Virtual time since the start of the run, in nanoseconds.
    pub fn nanos(&self) -> u64 {
        self.core.borrow().nanos
    }

    /// Scheduling points so far.
    pub fn points(&self) -> u64 {
        self.core.borrow().points
    }

    /// A client in the running thread asks the engine for something, or has got its answer: tells
    /// the policy, and returns the scheduling points so far.
    pub(crate) fn client(&self, word: ClientWord) -> u64 {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        let current = core.current;
        core.note_client(word);
        core.tell_watcher(|watcher| watcher.client(current, word));
        core.points
    }

    /// The running thread has got a lock: tells the policy.
    #[inline]
    pub(super) fn acquired(&self, lock: u32) {
        let mut core = self.core.borrow_mut();
        if core.is_watched {
            let _outside = Outside::enter();
            let current = core.current;
            core.tell_watcher(|watcher| watcher.acquires(current, lock));
        }
    }

    /// Switches from one stack to another so far.
    pub fn switches(&self) -> u64 {
        self.core.borrow().switches
    }

    /// Whether a thread has ended.
    pub(super) fn has_ended(&self, id: ThreadId) -> bool {
        self.core.borrow().threads[id.index()].state == State::Done
    }

    /// Blocks of memory that the process holds.
    pub fn live_blocks(&self) -> usize {
        self.memory.borrow().live_blocks()
    }

    /// Whether nothing may fail any more: the process has gone on for longer than
    /// [`super::Limits::points_max`], has been scheduled fairly since, and still goes on. What does
    /// not end now has nothing but itself to blame.
    pub fn is_calm(&self) -> bool {
        self.core.borrow().turns.is_some_and(|turns| turns.is_calm)
    }

    /// Calls `f` with the trace. Not from within `f`.
    pub fn with_trace<R>(&self, f: impl FnOnce(&mut Trace) -> R) -> R {
        let mut core = self.core.borrow_mut();
        core.tell_place();
        f(&mut core.trace)
    }

    /// Keeps an event in words, if the trace keeps events.
    pub(crate) fn tell(&self, lane: Lane, text: impl FnOnce() -> String) {
        let mut core = self.core.borrow_mut();
        if core.trace.keeps() {
            let _outside = Outside::enter();
            let (point, nanos, thread) = (core.points, core.nanos, core.current);
            let thread_name = core.thread_name(thread);
            core.trace.keep(|| Event { point, nanos, thread, thread_name, lane, text: text() });
        }
    }
}
