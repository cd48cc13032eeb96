//! The kernel: drives simulated threads, and switches from one stack to another.

#![expect(unsafe_code, reason = "switches stacks and reaches the kernel from simulated code")]

use std::cell::{Cell, RefCell, RefMut};
use std::collections::BinaryHeap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::time::Duration;

use corosensei::CoroutineResult;

use super::carried::Carried;
use super::core::{Core, Stackful, State, Thread, wait_key};
use super::fair::Moment;
use super::overflow;
use super::panics::install_panic_hook;
use super::stack::PooledStack;
use super::{End, Limits, Step, StepKind, ThreadId};
use crate::arena::{Outside, ProcessMemory};
use crate::policy::{Decision, Policy};
use crate::trace::{Tag, Trace};

/// Says of a wait whether it ends by itself, and after how long.
pub(crate) type SpuriousWakeup = fn(&Kernel) -> Option<Duration>;

/// The scheduler of one run.
///
/// Used by one OS thread. Simulated code reaches it through the primitives of
/// [`super::SimThreads`]; the harness drives it with [`Kernel::run_slice`].
pub struct Kernel {
    pub(super) core: RefCell<Core>,
    pub(super) memory: RefCell<ProcessMemory>,
    /// Apart from `Core`, which may be borrowed where a panic starts.
    panicked: RefCell<Option<End>>,
    /// Whether `panicked` is set: looked at at every point.
    has_panicked: Cell<bool>,
    /// Asked whether a wait that begins ends by itself, and after how long.
    pub(super) spurious_wakeup: Cell<Option<SpuriousWakeup>>,
    /// The same as `Core::current`, for a look without a borrow.
    pub(super) running: Cell<ThreadId>,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kernel { .. }")
    }
}

mod current {
    use super::{Cell, Kernel, ptr};
    thread_local! {
        pub(super) static KERNEL: Cell<*const Kernel> = const { Cell::new(ptr::null()) };
        /// Set while a simulated thread's stack is the running one.
        pub(super) static ON_COROUTINE: Cell<bool> = const { Cell::new(false) };
    }
}
use current::{KERNEL, ON_COROUTINE};

/// Whether the stack of a simulated thread is the running one on this OS thread.
pub(super) fn is_on_coroutine() -> bool {
    ON_COROUTINE.get()
}

/// Calls `f` with the kernel that drives this OS thread.
///
/// # Panics
/// Outside of a simulated process.
#[inline]
pub(crate) fn with_kernel<R>(f: impl FnOnce(&Kernel) -> R) -> R {
    let kernel = KERNEL.get();
    assert!(!kernel.is_null(), "a simulated primitive was used outside of a simulation");
    // SAFETY: set by `run_slice` for exactly as long as the kernel is borrowed by it.
    f(unsafe { &*kernel })
}
impl Kernel {
    /// A kernel with no process yet.
    pub fn new(mut policy: Box<dyn Policy>, trace: Trace) -> Self {
        install_panic_hook();
        overflow::install();
        let core = Core {
            is_watched: policy.watcher().is_some(),
            rules_time: false,
            policy,
            threads: Vec::with_capacity(16),
            blocked_on: Vec::with_capacity(16),
            runnable: Vec::with_capacity(16),
            current: ThreadId::CLOCK,
            next: None,
            nanos: 0,
            points: 0,
            switches: 0,
            stop_at: u64::MAX,
            limits: Limits::NONE,
            turns: None,
            last_told: Moment::default(),
            process_start: 0,
            timers: BinaryHeap::with_capacity(16),
            timers_set: 0,
            timer_order: 0,
            objects: 0,
            object_names: Vec::new(),
            end: None,
            trace,
            schedule: None,
        };
        Kernel {
            core: RefCell::new(core),
            memory: RefCell::new(ProcessMemory::new()),
            panicked: RefCell::new(None),
            has_panicked: Cell::new(false),
            spurious_wakeup: Cell::new(None),
            running: Cell::new(ThreadId::CLOCK),
        }
    }

    /// Makes the kernel new for another run: time, points, trace and policy start again. Memory
    /// and stacks are kept.
    pub fn reset(&self, policy: Box<dyn Policy>, trace: Trace) {
        self.reset_to(Carried::new(policy, trace));
    }

    /// Starts a process whose main thread runs `main`.
    ///
    /// `main` may borrow from the harness only what outlives the process: its destructor does not
    /// run if the process dies.
    pub fn start_process(&self, limits: Limits, main: impl FnOnce() + 'static) {
        self.clear_process();
        {
            let mut core = self.core.borrow_mut();
            core.limits = limits;
            core.turns = None;
            core.last_told = Moment::default();
            core.process_start = core.points;
            core.stop_at =
                limits.crash_at_point.min(core.process_start.saturating_add(limits.points_max));
            let clock = Thread::new("clock");
            core.threads.push(clock);
            core.blocked_on.push(0);
            core.tell_watcher(|watcher| watcher.process_starts());
            core.rules_time = core.policy.rules_time();
        }
        self.new_thread("main", main);
    }

    /// Drops what is left of the last process, without running any destructor.
    pub(super) fn clear_process(&self) {
        let mut core = self.core.borrow_mut();
        for thread in &mut core.threads {
            if let Some(mut coroutine) = thread.coroutine.take() {
                // SAFETY: what the stack owns lies in the arena emptied below, or is a reference
                // to the harness (see `start_process`); nothing else can reach the stack.
                unsafe { coroutine.force_reset() };
            }
        }
        core.threads.clear();
        core.blocked_on.clear();
        core.runnable.clear();
        core.timers.clear();
        core.timers_set = 0;
        core.next = None;
        core.end = None;
        core.objects = 0;
        core.object_names.clear();
        self.panicked.replace(None);
        self.has_panicked.set(false);
        self.memory.borrow_mut().reset();
    }

    /// Runs the process for at most `switches` switches of stacks; `None` if it has not ended.
    pub fn run_slice(&self, switches: u64) -> Option<End> {
        let before = KERNEL.replace(ptr::from_ref(self));
        let end = self.drive(switches);
        KERNEL.set(before);
        end
    }

    fn drive(&self, switches: u64) -> Option<End> {
        let mut core = self.core.borrow_mut();
        for _ in 0..switches {
            if core.next.is_none() {
                core.next = core.choose(None, Step::new(StepKind::Exit, 0));
            }
            let Some(id) = core.next.take() else {
                return Some(self.deadlock(&core));
            };
            core.current = id;
            self.running.set(id);
            let thread = &mut core.threads[id.index()];
            overflow::enter(thread.stack_limit, thread.name, id.0);
            let coroutine = thread.coroutine.as_mut().expect("a runnable thread has a stack");
            let coroutine: *mut Stackful = &raw mut **coroutine;
            drop(core);
            ON_COROUTINE.set(true);
            // SAFETY: the box stays with its thread while the stack runs: only what follows, and
            // `clear_process`, which nobody calls meanwhile, take it away.
            let result = unsafe { (*coroutine).resume(()) };
            ON_COROUTINE.set(false);
            if self.has_panicked.get()
                && let Some(end) = self.panicked.take()
            {
                // Its stack is not resumed: see `install_panic_hook`.
                return Some(end);
            }
            core = self.core.borrow_mut();
            match result {
                CoroutineResult::Yield(()) => {
                    if let Some(end) = core.end.take() {
                        return Some(end);
                    }
                }
                CoroutineResult::Return(()) => {
                    core.threads[id.index()].coroutine = None;
                    if let Some(end) = Self::finish(&mut core, id) {
                        return Some(end);
                    }
                }
            }
        }
        None
    }

    fn finish(core: &mut Core, id: ThreadId) -> Option<End> {
        core.take_out(id, State::Done);
        if id == ThreadId(1) {
            let left = core.threads.iter().skip(1).filter(|t| t.state != State::Done);
            return Some(End::Returned(left.map(|t| t.name).collect()));
        }
        core.wake_all(Step::new(StepKind::Join, id.0));
        None
    }

    #[expect(clippy::unused_self, reason = "reads better beside `drive`")]
    fn deadlock(&self, core: &Core) -> End {
        let blocked = (1..core.threads.len() as u32)
            .map(ThreadId)
            .filter(|id| core.threads[id.index()].state == State::Blocked);
        End::Deadlock(blocked.map(|id| core.thread_line(id)).collect())
    }

    pub(super) fn new_thread(&self, name: &'static str, body: impl FnOnce() + 'static) -> ThreadId {
        let kernel = ptr::from_ref(self);
        let mut core = self.core.borrow_mut();
        let id = ThreadId(core.threads.len() as u32);
        let stack = PooledStack::take();
        let stack_limit = stack.lowest_usable();
        let coroutine = Stackful::with_stack(stack, move |yielder, ()| {
            // SAFETY: the kernel drives this stack, so it is alive.
            let kernel = unsafe { &*kernel };
            kernel.core.borrow_mut().threads[id.index()].yielder = ptr::from_ref(yielder);
            let inside = kernel.memory.borrow().enter();
            // The kernel has the message of a panic; the payload says no more.
            #[expect(
                clippy::disallowed_methods,
                reason = "a panic ends one process, not the sweep"
            )]
            catch_unwind(AssertUnwindSafe(body)).ok();
            drop(inside);
        });
        let mut thread = Thread::new(name);
        thread.coroutine = Some(Box::new(coroutine));
        thread.stack_limit = stack_limit;
        core.threads.push(thread);
        core.blocked_on.push(0);
        core.note_spawn(id);
        core.make_runnable(id);
        id
    }

    /// Leaves the running stack until the thread is chosen again; for ever if the process ends.
    #[inline]
    fn suspend(core: RefMut<'_, Core>) {
        let yielder = core.threads[core.current.index()].yielder;
        drop(core);
        // SAFETY: the yielder lives on the running stack, which stays while it is suspended.
        unsafe { (*yielder).suspend(()) };
    }

    /// Notes why a simulated thread panics. The first panic is the cause; one in a destructor is a
    /// consequence.
    pub(super) fn note_panic(&self, end: End) {
        self.panicked.borrow_mut().get_or_insert(end);
        self.has_panicked.set(true);
    }

    /// The last step of a thread that panicked and whose destructors reach the kernel.
    #[inline]
    fn leave_if_panicked(&self) {
        if self.has_panicked.get() {
            Self::suspend(self.core.borrow_mut());
            unreachable!("a thread that panicked is not resumed");
        }
    }

    /// A scheduling point after which the running thread can go on.
    #[inline]
    pub(crate) fn point(&self, step: Step) {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        let mut core = self.core.borrow_mut();
        if !core.count_point() {
            let current = core.current;
            let chosen = core.choose(Some(current), step);
            if chosen == Some(current) {
                return;
            }
            core.next = chosen;
            core.switches += 1;
        }
        Self::suspend(core);
    }

    /// A scheduling point at which the running thread is not chosen unless it is alone.
    pub(super) fn yield_now(&self) {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        let mut core = self.core.borrow_mut();
        if !core.count_point() {
            let current = core.current;
            core.take_out(current, State::Blocked);
            let chosen = core.choose(None, Step::new(StepKind::Yield, 0));
            core.make_runnable(current);
            if chosen.is_none() {
                return;
            }
            core.next = chosen;
            core.switches += 1;
        }
        Self::suspend(core);
    }

    /// Lets a wait of the running thread end by itself, if the harness says so.
    pub(super) fn wakes_spuriously(&self) -> bool {
        let Some(after) = self.spurious_wakeup.get().and_then(|ask| ask(self)) else {
            return false;
        };
        self.block(Step::new(StepKind::Sleep, 0), Some(after));
        true
    }

    /// Blocks the running thread until `wake` or its timer, if it has one. True if the timer fired.
    pub(crate) fn block(&self, step: Step, timeout: Option<Duration>) -> bool {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        let mut core = self.core.borrow_mut();
        if !core.count_point() {
            let current = core.current;
            let thread = &mut core.threads[current.index()];
            thread.waits_for = step;
            thread.timed_out = false;
            core.blocked_on[current.index()] = wait_key(step);
            if let Some(timeout) = timeout {
                core.set_timer(timeout);
                core.tell_watcher(|watcher| watcher.sets_timer(current));
            }
            core.take_out(current, State::Blocked);
            let chosen = core.choose(None, step);
            if chosen == Some(current) {
                // Its own timer fired first: no switch is needed.
                return core.threads[current.index()].timed_out;
            }
            core.next = chosen;
            core.switches += 1;
        }
        Self::suspend(core);
        let core = self.core.borrow();
        core.threads[core.current.index()].timed_out
    }

    /// Wakes one of the threads that wait for `step`, by the policy's choice.
    pub(super) fn wake_one(&self, step: Step) {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        let core = &mut *core;
        let key = wait_key(step);
        let (mut first, mut count) = (0, 0);
        for (index, on) in core.blocked_on.iter().enumerate() {
            if *on == key {
                first = if count == 0 { index } else { first };
                count += 1;
            }
        }
        let index = match count {
            0 => return,
            1 => first,
            _ if core.turns.is_some() => {
                let waiting = core.blocked_on.iter().enumerate().filter(|(_, on)| **on == key);
                core.first_in_turn(waiting.map(|(index, _)| ThreadId(index as u32))).index()
            }
            _ => {
                let nth = core.policy.pick(count);
                if let Some(schedule) = &mut core.schedule {
                    let current = Some(core.current);
                    schedule.push(Decision { current, step: Step::PICK, chosen: nth });
                }
                let waiting = core.blocked_on.iter().enumerate().filter(|(_, on)| **on == key);
                waiting.map(|(index, _)| index).nth(nth as usize).expect("there are `count`")
            }
        };
        let id = ThreadId(index as u32);
        core.note(Tag::Pick, u64::from(id.0));
        if count > 1 && core.trace.keeps_choices() {
            let (woken, step) = (core.thread_name(id), step.kind.name());
            core.keep_schedule(format!("{step}: wakes {woken}, one of {count} that wait"));
        }
        core.make_runnable(id);
    }

    /// Wakes every thread that waits for `step`.
    pub(super) fn wake_all(&self, step: Step) {
        let _outside = Outside::enter();
        self.core.borrow_mut().wake_all(step);
    }

    /// Ends the process here, as a crash: does not return to simulated code.
    pub(crate) fn crash(&self) -> ! {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        core.end = Some(End::Crashed);
        Self::suspend(core);
        unreachable!("a crashed thread is not resumed");
    }

    /// Moves the crash of the process to `points` scheduling points from now, if that is earlier.
    pub(crate) fn crash_within(&self, points: u64) {
        let mut core = self.core.borrow_mut();
        let at = core.points.saturating_add(points);
        if at < core.limits.crash_at_point {
            core.limits.crash_at_point = at;
            core.stop_at = core.stop_at.min(at);
        }
    }

    /// A number for a new lock, condition variable or word, in order of creation.
    pub(super) fn new_object(&self, name: &'static str) -> u32 {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        core.object_names.push(name);
        core.objects += 1;
        core.objects - 1
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.clear_process();
    }
}
