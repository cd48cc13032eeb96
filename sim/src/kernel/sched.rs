//! The scheduler: runnable threads, timers, and the switch from one stack to another.

#![expect(unsafe_code, reason = "switches stacks and reaches the kernel from simulated code")]
#![expect(clippy::disallowed_types, reason = "the panic hook is installed once a process")]

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::ptr;
use std::sync::Once;
use std::time::Duration;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::overflow;
use super::stack::PooledStack;
use super::{End, Limits, POINT_NANOS, Step, StepKind, ThreadId};
use crate::arena::{Outside, ProcessMemory};
use crate::policy::{Decision, Policy};
use crate::trace::{Event, Lane, Tag, Trace};

type Stackful = Coroutine<(), (), (), PooledStack>;

/// One simulated thread.
struct Thread {
    name: &'static str,
    state: State,
    /// Where it stands in `Core::runnable`.
    position: usize,
    coroutine: Option<Stackful>,
    /// Lowest usable address of its stack.
    stack_limit: usize,
    yielder: *const Yielder<(), ()>,
    /// What it waits for while blocked; for a join, `object` is the thread.
    waits_for: Step,
    /// Told apart from timers of earlier waits by this count.
    wait: u64,
    timer_set: bool,
    timed_out: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Runnable,
    Blocked,
    Done,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Timer {
    nanos: u64,
    order: u64,
    thread: ThreadId,
    wait: u64,
}

/// What the kernel knows; borrowed for the length of one step, never across a switch.
struct Core {
    policy: Box<dyn Policy>,
    threads: Vec<Thread>,
    runnable: Vec<ThreadId>,
    current: ThreadId,
    next: Option<ThreadId>,
    nanos: u64,
    points: u64,
    switches: u64,
    stop_at: u64,
    limits: Limits,
    process_start: u64,
    timers: BinaryHeap<Reverse<Timer>>,
    timers_set: u32,
    timer_order: u64,
    objects: u32,
    object_names: Vec<&'static str>,
    end: Option<End>,
    trace: Trace,
    schedule: Option<Vec<Decision>>,
}

/// The scheduler of one run.
///
/// Used by one OS thread. Simulated code reaches it through the primitives of
/// [`super::SimThreads`]; the harness drives it with [`Kernel::run_slice`].
pub struct Kernel {
    core: RefCell<Core>,
    memory: RefCell<ProcessMemory>,
    /// Apart from `Core`, which may be borrowed where a panic starts.
    panicked: RefCell<Option<End>>,
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

impl Core {
    fn make_runnable(&mut self, id: ThreadId) {
        let position = self.runnable.len();
        let thread = &mut self.threads[id.index()];
        if thread.state != State::Blocked {
            return;
        }
        thread.state = State::Runnable;
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

    fn take_out(&mut self, id: ThreadId, state: State) {
        let thread = &mut self.threads[id.index()];
        debug_assert_eq!(thread.state, State::Runnable);
        thread.state = state;
        let position = thread.position;
        self.runnable.swap_remove(position);
        if let Some(&moved) = self.runnable.get(position) {
            self.threads[moved.index()].position = position;
        }
    }

    fn set_timer(&mut self, after: Duration) {
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

    /// Lets the earliest timer fire.
    fn fire_timer(&mut self) {
        while let Some(Reverse(timer)) = self.timers.pop() {
            let thread = &mut self.threads[timer.thread.index()];
            if thread.state == State::Blocked && thread.wait == timer.wait && thread.timer_set {
                thread.timed_out = true;
                self.nanos = self.nanos.max(timer.nanos);
                let nanos = self.nanos;
                self.trace.note(Tag::Clock, nanos);
                self.make_runnable(timer.thread);
                return;
            }
        }
        unreachable!("the clock is runnable only while a timer is set");
    }

    /// Asks the policy who goes on; `None` if nobody can.
    fn choose(&mut self, may_go_on: Option<ThreadId>, step: Step) -> Option<ThreadId> {
        loop {
            let chosen = match self.runnable.as_slice() {
                [] => return None,
                [only] => *only,
                several => {
                    let chosen = self.policy.next(several, may_go_on, step);
                    debug_assert!(several.contains(&chosen));
                    if let Some(schedule) = &mut self.schedule {
                        schedule.push(Decision { current: may_go_on, step, chosen: chosen.0 });
                    }
                    chosen
                }
            };
            self.trace.note(Tag::Choice, u64::from(chosen.0) << 32 | (step.kind as u64));
            if chosen == ThreadId::CLOCK {
                self.fire_timer();
            } else {
                return Some(chosen);
            }
        }
    }

    /// Counts a point; true if the process ends here.
    fn count_point(&mut self) -> bool {
        self.points += 1;
        self.nanos += POINT_NANOS;
        if self.points < self.stop_at {
            return false;
        }
        self.end = Some(if self.points >= self.limits.crash_at_point {
            End::Crashed
        } else {
            End::PointLimit
        });
        true
    }

    fn thread_line(&self, id: ThreadId) -> String {
        let thread = &self.threads[id.index()];
        let object = thread.waits_for.object;
        let what = match thread.waits_for.kind {
            StepKind::Join => self.threads.get(object as usize).map_or("?", |joined| joined.name),
            _ => self.object_names.get(object as usize).copied().unwrap_or("?"),
        };
        format!("{} waits: {} {what}", self.thread_name(id), thread.waits_for.kind.name())
    }

    fn thread_name(&self, id: ThreadId) -> String {
        match self.threads.get(id.index()) {
            Some(thread) if id != ThreadId::CLOCK => format!("{}#{}", thread.name, id.0),
            _ => "clock".to_owned(),
        }
    }
}

impl Kernel {
    /// A kernel with no process yet.
    pub fn new(policy: Box<dyn Policy>, trace: Trace) -> Self {
        install_panic_hook();
        overflow::install();
        let core = Core {
            policy,
            threads: Vec::with_capacity(16),
            runnable: Vec::with_capacity(16),
            current: ThreadId::CLOCK,
            next: None,
            nanos: 0,
            points: 0,
            switches: 0,
            stop_at: u64::MAX,
            limits: Limits::NONE,
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
        }
    }

    /// Makes the kernel new for another run: time, points, trace and policy start again. Memory
    /// and stacks are kept.
    pub fn reset(&self, policy: Box<dyn Policy>, trace: Trace) {
        self.clear_process();
        let mut core = self.core.borrow_mut();
        core.policy = policy;
        core.trace = trace;
        core.nanos = 0;
        core.points = 0;
        core.switches = 0;
        core.schedule = None;
    }

    /// Names the run in the message of a stack overflow.
    pub fn set_seed(&self, seed: u64) {
        overflow::set_seed(seed);
    }

    /// Records every decision from here on, for [`crate::policy::Replay`].
    pub fn record_schedule(&self) {
        self.core.borrow_mut().schedule = Some(Vec::new());
    }

    /// The decisions recorded.
    pub fn take_schedule(&self) -> Vec<Decision> {
        self.core.borrow_mut().schedule.take().unwrap_or_default()
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
            core.process_start = core.points;
            core.stop_at =
                limits.crash_at_point.min(core.process_start.saturating_add(limits.points_max));
            let clock = Thread::new("clock");
            core.threads.push(clock);
        }
        self.new_thread("main", main);
    }

    /// Drops what is left of the last process, without running any destructor.
    fn clear_process(&self) {
        let mut core = self.core.borrow_mut();
        for thread in &mut core.threads {
            if let Some(mut coroutine) = thread.coroutine.take() {
                // SAFETY: what the stack owns lies in the arena emptied below, or is a reference
                // to the harness (see `start_process`); nothing else can reach the stack.
                unsafe { coroutine.force_reset() };
            }
        }
        core.threads.clear();
        core.runnable.clear();
        core.timers.clear();
        core.timers_set = 0;
        core.next = None;
        core.end = None;
        core.objects = 0;
        core.object_names.clear();
        self.panicked.replace(None);
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
        for _ in 0..switches {
            let (id, name, stack_limit, mut coroutine) = {
                let mut core = self.core.borrow_mut();
                if core.next.is_none() {
                    core.next = core.choose(None, Step::new(StepKind::Exit, 0));
                }
                let Some(id) = core.next.take() else {
                    return Some(self.deadlock(&core));
                };
                core.current = id;
                let thread = &mut core.threads[id.index()];
                let coroutine = thread.coroutine.take().expect("a runnable thread has a stack");
                (id, thread.name, thread.stack_limit, coroutine)
            };
            ON_COROUTINE.set(true);
            overflow::enter(stack_limit, name, id.0);
            let result = coroutine.resume(());
            overflow::leave();
            ON_COROUTINE.set(false);
            if let Some(end) = self.panicked.take() {
                // Its stack is not resumed: see `install_panic_hook`.
                self.core.borrow_mut().threads[id.index()].coroutine = Some(coroutine);
                return Some(end);
            }
            let mut core = self.core.borrow_mut();
            match result {
                CoroutineResult::Yield(()) => {
                    core.threads[id.index()].coroutine = Some(coroutine);
                    if let Some(end) = core.end.take() {
                        return Some(end);
                    }
                }
                CoroutineResult::Return(()) => {
                    drop(coroutine);
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
        let joined = Step::new(StepKind::Join, id.0);
        for index in 1..core.threads.len() {
            if core.threads[index].state == State::Blocked
                && core.threads[index].waits_for == joined
            {
                core.make_runnable(ThreadId(index as u32));
            }
        }
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
        thread.coroutine = Some(coroutine);
        thread.stack_limit = stack_limit;
        core.threads.push(thread);
        core.trace.note(Tag::Spawn, u64::from(id.0));
        core.make_runnable(id);
        id
    }

    /// Leaves the running stack until the thread is chosen again; for ever if the process ends.
    fn suspend(&self) {
        let core = self.core.borrow();
        let yielder = core.threads[core.current.index()].yielder;
        drop(core);
        // SAFETY: the yielder lives on the running stack, which stays while it is suspended.
        unsafe { (*yielder).suspend(()) };
    }

    /// The last step of a thread that panicked and whose destructors reach the kernel.
    #[inline]
    fn leave_if_panicked(&self) {
        if self.panicked.borrow().is_some() {
            self.suspend();
            unreachable!("a thread that panicked is not resumed");
        }
    }

    /// A scheduling point after which the running thread can go on.
    #[inline]
    pub(crate) fn point(&self, step: Step) {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        {
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
        }
        self.suspend();
    }

    /// A scheduling point at which the running thread is not chosen unless it is alone.
    pub(super) fn yield_now(&self) {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        {
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
        }
        self.suspend();
    }

    /// Blocks the running thread until `wake` or its timer, if it has one. True if the timer fired.
    pub(crate) fn block(&self, step: Step, timeout: Option<Duration>) -> bool {
        let _outside = Outside::enter();
        self.leave_if_panicked();
        {
            let mut core = self.core.borrow_mut();
            if !core.count_point() {
                let current = core.current;
                core.threads[current.index()].waits_for = step;
                core.threads[current.index()].timed_out = false;
                if let Some(timeout) = timeout {
                    core.set_timer(timeout);
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
        }
        self.suspend();
        let core = self.core.borrow();
        core.threads[core.current.index()].timed_out
    }

    /// Wakes one of the threads that wait for `step`, by the policy's choice.
    pub(super) fn wake_one(&self, step: Step) {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        let core = &mut *core;
        let waits = |thread: &Thread| thread.state == State::Blocked && thread.waits_for == step;
        let count = core.threads.iter().filter(|thread| waits(thread)).count() as u32;
        let nth = match count {
            0 => return,
            1 => 0,
            _ => {
                let nth = core.policy.pick(count);
                if let Some(schedule) = &mut core.schedule {
                    let current = Some(core.current);
                    schedule.push(Decision { current, step: Step::PICK, chosen: nth });
                }
                nth
            }
        };
        let found = core.threads.iter().enumerate().filter(|(_, thread)| waits(thread));
        let id = found.map(|(index, _)| ThreadId(index as u32)).nth(nth as usize);
        let id = id.expect("there are `count` waiters");
        core.trace.note(Tag::Pick, u64::from(id.0));
        core.make_runnable(id);
    }

    /// Wakes every thread that waits for `step`.
    pub(super) fn wake_all(&self, step: Step) {
        let _outside = Outside::enter();
        let mut core = self.core.borrow_mut();
        for index in 1..core.threads.len() {
            let thread = &core.threads[index];
            if thread.state == State::Blocked && thread.waits_for == step {
                core.make_runnable(ThreadId(index as u32));
            }
        }
    }

    /// Whether a thread has ended.
    pub(super) fn has_ended(&self, id: ThreadId) -> bool {
        self.core.borrow().threads[id.index()].state == State::Done
    }

    /// Ends the process here, as a crash: does not return to simulated code.
    pub(crate) fn crash(&self) -> ! {
        let _outside = Outside::enter();
        self.core.borrow_mut().end = Some(End::Crashed);
        self.suspend();
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

    /// The running thread.
    pub(crate) fn current(&self) -> ThreadId {
        self.core.borrow().current
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

    /// Switches from one stack to another so far.
    pub fn switches(&self) -> u64 {
        self.core.borrow().switches
    }

    /// Blocks of memory that the process holds.
    pub fn live_blocks(&self) -> usize {
        self.memory.borrow().live_blocks()
    }

    /// Calls `f` with the trace. Not from within `f`.
    pub fn with_trace<R>(&self, f: impl FnOnce(&mut Trace) -> R) -> R {
        f(&mut self.core.borrow_mut().trace)
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

impl Drop for Kernel {
    fn drop(&mut self) {
        self.clear_process();
    }
}

impl Thread {
    fn new(name: &'static str) -> Self {
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
        }
    }
}

/// Makes a panic of a simulated thread end its process.
///
/// The hook takes down the message; from then on the first step of that thread that reaches the
/// kernel is its last, so no destructor can wait for a thread that will never run. If it got that
/// far, the OS thread's panic count stays raised: whoever drives the kernel must retire that OS
/// thread when `std::thread::panicking()` says so after a run.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if ON_COROUTINE.get() {
                note_panic(info);
            } else {
                before(info);
            }
        }));
    });
}

fn note_panic(info: &PanicHookInfo<'_>) {
    let by_harness = !crate::arena::is_inside();
    let _outside = Outside::enter();
    let words = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line()));
    let message = format!("{words}{}", place.unwrap_or_default());
    let end = if by_harness { End::HarnessPanicked(message) } else { End::Panicked(message) };
    with_kernel(|kernel| {
        // The first panic is the cause; one in a destructor is a consequence.
        kernel.panicked.borrow_mut().get_or_insert(end);
    });
}
