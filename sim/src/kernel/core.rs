//! What the kernel knows: threads, who is runnable, timers, and the choice of who goes on.
//!
//! Plain state: it switches no stack. Borrowed by [`super::sched`] for the length of one step.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ptr;
use std::time::Duration;

use corosensei::{Coroutine, Yielder};

use super::fair::{Moment, Turns};
use super::stack::PooledStack;
use super::{End, Limits, POINT_NANOS, Step, StepKind, ThreadId};
use crate::arena::Outside;
use crate::policy::{Decision, Policy, Watcher};
use crate::trace::{Event, Lane, Place, Tag, Trace};

pub(super) type Stackful = Coroutine<(), (), (), PooledStack>;

/// One simulated thread.
pub(super) struct Thread {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// Where it stands in `Core::runnable`.
    pub(super) position: usize,
    /// Boxed, so that a switch moves a pointer.
    pub(super) coroutine: Option<Box<Stackful>>,
    /// Lowest usable address of its stack.
    pub(super) stack_limit: usize,
    pub(super) yielder: *const Yielder<(), ()>,
    /// What it waits for while blocked; for a join, `object` is the thread.
    pub(super) waits_for: Step,
    /// Told apart from timers of earlier waits by this count.
    pub(super) wait: u64,
    pub(super) timer_set: bool,
    pub(super) timed_out: bool,
    /// Whether it is a client that waits for an answer of the engine.
    pub(super) awaits_answer: bool,
    /// Its last turn; 0 until the kernel is fair.
    pub(super) turn: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Runnable,
    Blocked,
    Done,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timer {
    pub(super) nanos: u64,
    pub(super) order: u64,
    pub(super) thread: ThreadId,
    pub(super) wait: u64,
}

/// A step as one number, never 0.
#[inline]
pub(super) fn wait_key(step: Step) -> u64 {
    (step.kind as u64) << 32 | u64::from(step.object)
}

/// What the kernel knows; borrowed for the length of one step, never across a switch.
pub(super) struct Core {
    pub(super) policy: Box<dyn Policy>,
    /// Whether `policy` has a watcher.
    pub(super) is_watched: bool,
    /// Whether `policy` rules time in the running process.
    pub(super) rules_time: bool,
    pub(super) threads: Vec<Thread>,
    /// By thread: [`wait_key`] of what it waits for while blocked, else 0. Apart from `threads`,
    /// because every release of a contended lock looks through it.
    pub(super) blocked_on: Vec<u64>,
    pub(super) runnable: Vec<ThreadId>,
    pub(super) current: ThreadId,
    pub(super) next: Option<ThreadId>,
    pub(super) nanos: u64,
    pub(super) points: u64,
    pub(super) switches: u64,
    pub(super) stop_at: u64,
    pub(super) limits: Limits,
    /// Set once the kernel is fair.
    pub(super) turns: Option<Turns>,
    /// When a client of the process was last told anything.
    pub(super) last_told: Moment,
    pub(super) process_start: u64,
    pub(super) timers: BinaryHeap<Reverse<Timer>>,
    pub(super) timers_set: u32,
    pub(super) timer_order: u64,
    pub(super) objects: u32,
    pub(super) object_names: Vec<&'static str>,
    pub(super) end: Option<End>,
    pub(super) trace: Trace,
    pub(super) schedule: Option<Vec<Decision>>,
}

impl Core {
    pub(super) fn make_runnable(&mut self, id: ThreadId) {
        let position = self.runnable.len();
        let thread = &mut self.threads[id.index()];
        if thread.state != State::Blocked {
            return;
        }
        thread.state = State::Runnable;
        self.blocked_on[id.index()] = 0;
        thread.wait += 1;
        thread.position = position;
        let had_timer = std::mem::take(&mut thread.timer_set);
        self.runnable.push(id);
        if had_timer {
            self.timers_set -= 1;
            if self.timers_set == 0 {
                self.take_out(ThreadId::CLOCK, State::Blocked);
            }
        }
    }

    pub(super) fn take_out(&mut self, id: ThreadId, state: State) {
        let thread = &mut self.threads[id.index()];
        debug_assert_eq!(thread.state, State::Runnable);
        thread.state = state;
        let position = thread.position;
        self.runnable.swap_remove(position);
        if let Some(&moved) = self.runnable.get(position) {
            self.threads[moved.index()].position = position;
        }
    }

    pub(super) fn set_timer(&mut self, after: Duration) {
        let id = self.current;
        let nanos = self.nanos.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX));
        self.timer_order += 1;
        let thread = &mut self.threads[id.index()];
        thread.timer_set = true;
        thread.timed_out = false;
        let wait = thread.wait;
        self.timers.push(Reverse(Timer { nanos, order: self.timer_order, thread: id, wait }));
        self.timers_set += 1;
        if self.timers_set == 1 {
            self.make_runnable(ThreadId::CLOCK);
        }
    }

    /// Lets the earliest timer fire, or the one that the policy says.
    #[inline(never)]
    pub(super) fn fire_timer(&mut self) {
        if self.rules_time {
            let id = self.policy.timer();
            return self.fire_timer_of(id);
        }
        while let Some(Reverse(timer)) = self.timers.pop() {
            let thread = &mut self.threads[timer.thread.index()];
            if thread.state == State::Blocked && thread.wait == timer.wait && thread.timer_set {
                thread.timed_out = true;
                self.nanos = self.nanos.max(timer.nanos);
                let nanos = self.nanos;
                self.note(Tag::Clock, nanos);
                self.heed_deadline();
                self.make_runnable(timer.thread);
                return;
            }
        }
        unreachable!("the clock is runnable only while a timer is set");
    }

    fn fire_timer_of(&mut self, id: ThreadId) {
        let thread = &mut self.threads[id.index()];
        debug_assert!(thread.state == State::Blocked && thread.timer_set, "no timer of {}", id.0);
        thread.timed_out = true;
        let wait = thread.wait;
        let is_its = |timer: &&Reverse<Timer>| timer.0.thread == id && timer.0.wait == wait;
        let due = self.timers.iter().find(is_its).map_or(0, |timer| timer.0.nanos);
        self.nanos = self.nanos.max(due);
        self.note(Tag::Clock, self.nanos);
        self.make_runnable(id);
    }

    /// Asks the policy who goes on; `None` if nobody can.
    pub(super) fn choose(&mut self, may_go_on: Option<ThreadId>, step: Step) -> Option<ThreadId> {
        if step.kind != StepKind::Exit {
            let current = self.current;
            self.tell_watcher(|watcher| watcher.arrives(current, step));
        }
        loop {
            let chosen = match self.runnable.as_slice() {
                [] => return None,
                [only] if !(self.rules_time && *only == ThreadId::CLOCK) => *only,
                several if self.turns.is_some() => self.first_in_turn(several.iter().copied()),
                several => {
                    let chosen = self.policy.next(several, may_go_on, step);
                    debug_assert!(several.contains(&chosen));
                    if let Some(schedule) = &mut self.schedule {
                        schedule.push(Decision { current: may_go_on, step, chosen: chosen.0 });
                    }
                    if self.trace.keeps_choices() {
                        self.keep_choice(step, chosen);
                    }
                    chosen
                }
            };
            self.note_turn(chosen);
            self.tell_watcher(|watcher| watcher.goes(chosen));
            self.note(Tag::Choice, u64::from(chosen.0) << 32 | (step.kind as u64));
            if chosen == ThreadId::CLOCK {
                self.fire_timer();
            } else {
                return Some(chosen);
            }
        }
    }

    /// Tells the policy of an event, if it wants to be told.
    #[inline]
    pub(super) fn tell_watcher(&mut self, tell: impl FnOnce(&mut dyn Watcher)) {
        if self.is_watched
            && let Some(watcher) = self.policy.watcher()
        {
            tell(watcher);
        }
    }

    /// Adds one event to the trace.
    #[inline]
    pub(super) fn note(&mut self, tag: Tag, word: u64) {
        self.tell_place();
        self.trace.note(tag, word);
    }

    /// Tells the trace where the run is, if it wants to know.
    #[inline]
    pub(super) fn tell_place(&mut self) {
        if self.trace.wants_place() {
            self.say_place();
        }
    }

    #[cold]
    fn say_place(&mut self) {
        let _outside = Outside::enter();
        let thread_name = self.thread_name(self.current);
        let place = Place { point: self.points, nanos: self.nanos, thread_name };
        self.trace.set_place(place);
    }

    pub(super) fn note_spawn(&mut self, child: ThreadId) {
        self.note(Tag::Spawn, u64::from(child.0));
        // The main thread is the first: whoever ran last is of another process.
        let parent = if child == ThreadId(1) { ThreadId::CLOCK } else { self.current };
        self.tell_watcher(|watcher| watcher.spawned(parent, child));
    }

    /// Keeps a choice among the runnable threads in words.
    #[cold]
    fn keep_choice(&mut self, step: Step, chosen: ThreadId) {
        let others: Vec<String> = self
            .runnable
            .iter()
            .filter(|id| **id != chosen)
            .map(|id| self.thread_name(*id))
            .collect();
        let step = step.kind.name();
        let text =
            format!("{step}: {} goes on, not {}", self.thread_name(chosen), others.join(" "));
        self.keep_schedule(text);
    }

    /// Keeps a decision of the scheduler in words.
    pub(super) fn keep_schedule(&mut self, text: String) {
        let (point, nanos, thread) = (self.points, self.nanos, self.current);
        let thread_name = self.thread_name(thread);
        self.trace.keep(|| Event { point, nanos, thread, thread_name, lane: Lane::Schedule, text });
    }

    /// Makes every thread runnable that waits for `step`.
    pub(super) fn wake_all(&mut self, step: Step) {
        let key = wait_key(step);
        for index in 1..self.blocked_on.len() {
            if self.blocked_on[index] == key {
                self.make_runnable(ThreadId(index as u32));
            }
        }
    }

    /// Counts a point; true if the process ends here.
    #[inline]
    pub(super) fn count_point(&mut self) -> bool {
        self.points += 1;
        self.nanos += POINT_NANOS;
        if self.points < self.stop_at {
            return false;
        }
        self.stop()
    }

    pub(super) fn thread_line(&self, id: ThreadId) -> String {
        let thread = &self.threads[id.index()];
        let object = thread.waits_for.object;
        let what = match thread.waits_for.kind {
            StepKind::Join => self.threads.get(object as usize).map_or("?", |joined| joined.name),
            _ => self.object_names.get(object as usize).copied().unwrap_or("?"),
        };
        format!("{} waits: {} {what}", self.thread_name(id), thread.waits_for.kind.name())
    }

    pub(super) fn thread_name(&self, id: ThreadId) -> String {
        match self.threads.get(id.index()) {
            Some(thread) if id != ThreadId::CLOCK => format!("{}#{}", thread.name, id.0),
            _ => "clock".to_owned(),
        }
    }

    pub(super) fn thread_kind(&self, id: ThreadId) -> &'static str {
        self.threads.get(id.index()).map_or("clock", |thread| thread.name)
    }
}

impl Thread {
    pub(super) fn new(name: &'static str) -> Self {
        Thread {
            name,
            state: State::Blocked,
            position: 0,
            coroutine: None,
            stack_limit: 0,
            yielder: ptr::null(),
            waits_for: Step::new(StepKind::Start, 0),
            wait: 0,
            timer_set: false,
            timed_out: false,
            awaits_answer: false,
            turn: 0,
        }
    }
}
