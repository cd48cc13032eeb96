//! [`SimThreads`]: locks, condition variables, atomics and threads as scheduling points.

#![expect(unsafe_code, reason = "shares data between simulated threads, of which one runs")]

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic, AtomicInt, Clock, Died, NoThread, Point, Threads};

use super::sched::with_kernel;
use super::{Step, StepKind, ThreadId};

/// [`Threads`] of the simulator. Every operation but an unlock is a scheduling point.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimThreads;

/// Virtual time of the running kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimClock;

impl Clock for SimClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(with_kernel(super::Kernel::nanos))
    }
}

/// No thread: 0 is the clock, which owns nothing.
const NOBODY: ThreadId = ThreadId::CLOCK;

/// A simulated lock.
pub struct SimMutex<T> {
    object: u32,
    owner: Cell<ThreadId>,
    waiters: Cell<u32>,
    data: UnsafeCell<T>,
}

// SAFETY: simulated threads of one kernel run one at a time on one OS thread, and the lock hands
// out `&mut T` to one of them at a time.
unsafe impl<T: Send> Send for SimMutex<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SimMutex<T> {}

impl<T> fmt::Debug for SimMutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimMutex {{ object: {}, owner: {} }}", self.object, self.owner.get().0)
    }
}

impl<T> SimMutex<T> {
    fn acquire(&self) {
        let step = Step::new(StepKind::Lock, self.object);
        with_kernel(|kernel| {
            let me = kernel.current();
            while self.owner.get() != NOBODY {
                assert!(self.owner.get() != me, "a thread locks a mutex that it holds");
                self.waiters.set(self.waiters.get() + 1);
                kernel.block(step, None);
                self.waiters.set(self.waiters.get() - 1);
            }
            self.owner.set(me);
            kernel.acquired(self.object);
        });
    }

    fn release(&self) {
        self.owner.set(NOBODY);
        if self.waiters.get() > 0 {
            with_kernel(|kernel| kernel.wake_one(Step::new(StepKind::Lock, self.object)));
        }
    }
}

/// A held simulated lock.
#[derive(Debug)]
pub struct SimGuard<'a, T>(&'a SimMutex<T>);

impl<T> Deref for SimGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard's thread owns the lock.
        unsafe { &*self.0.data.get() }
    }
}

impl<T> DerefMut for SimGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard's thread owns the lock, and the guard is borrowed mutably.
        unsafe { &mut *self.0.data.get() }
    }
}

impl<T> Drop for SimGuard<'_, T> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A simulated condition variable.
#[derive(Debug)]
pub struct SimCondvar {
    object: u32,
}

impl SimCondvar {
    fn step(&self) -> Step {
        Step::new(StepKind::Wait, self.object)
    }
}

/// A simulated thread, to be joined.
pub struct SimJoin<T> {
    thread: ThreadId,
    result: Arc<ResultSlot<T>>,
}

impl<T> fmt::Debug for SimJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimJoin {{ thread: {} }}", self.thread.0)
    }
}

struct ResultSlot<T>(UnsafeCell<Option<T>>);

// SAFETY: written by the thread that ends, read by the one that has seen it end; one runs at a
// time.
unsafe impl<T: Send> Send for ResultSlot<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for ResultSlot<T> {}

impl Threads for SimThreads {
    type Mutex<T: Send> = SimMutex<T>;
    type Guard<'a, T: Send + 'a> = SimGuard<'a, T>;
    type Condvar = SimCondvar;
    type JoinHandle<T: Send + 'static> = SimJoin<T>;
    type AtomicU32 = SimAtomicU32;
    type AtomicU64 = SimAtomicU64;
    type AtomicPtr<T> = SimAtomicPtr<T>;

    fn mutex<T: Send>(name: &'static str, value: T) -> SimMutex<T> {
        SimMutex {
            object: with_kernel(|kernel| kernel.new_object(name)),
            owner: Cell::new(NOBODY),
            waiters: Cell::new(0),
            data: UnsafeCell::new(value),
        }
    }

    fn condvar(name: &'static str) -> SimCondvar {
        SimCondvar { object: with_kernel(|kernel| kernel.new_object(name)) }
    }

    #[inline]
    fn lock<T: Send>(mutex: &SimMutex<T>) -> SimGuard<'_, T> {
        with_kernel(|kernel| kernel.point(Step::new(StepKind::Lock, mutex.object)));
        mutex.acquire();
        SimGuard(mutex)
    }

    fn wait<'a, T: Send>(condvar: &SimCondvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T> {
        let mutex = guard.0;
        drop(guard);
        with_kernel(|kernel| {
            if !kernel.wakes_spuriously() {
                kernel.block(condvar.step(), None);
            }
        });
        mutex.acquire();
        SimGuard(mutex)
    }

    fn wait_timeout<'a, T: Send>(
        condvar: &SimCondvar,
        guard: Self::Guard<'a, T>,
        timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool) {
        let mutex = guard.0;
        drop(guard);
        let timed_out = with_kernel(|kernel| {
            !kernel.wakes_spuriously() && kernel.block(condvar.step(), Some(timeout))
        });
        mutex.acquire();
        (SimGuard(mutex), timed_out)
    }

    fn notify_one(condvar: &SimCondvar) {
        with_kernel(|kernel| {
            kernel.point(Step::new(StepKind::Notify, condvar.object));
            kernel.wake_one(condvar.step());
        });
    }

    fn notify_all(condvar: &SimCondvar) {
        with_kernel(|kernel| {
            kernel.point(Step::new(StepKind::Notify, condvar.object));
            kernel.wake_all(condvar.step());
        });
    }

    fn sleep(duration: Duration) {
        with_kernel(|kernel| kernel.block(Step::new(StepKind::Sleep, 0), Some(duration)));
    }

    fn spawn<T, F>(name: &'static str, body: F) -> Result<SimJoin<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let result = Arc::new(ResultSlot(UnsafeCell::new(None)));
        let slot = Arc::clone(&result);
        let thread = with_kernel(|kernel| {
            let outside = crate::arena::Outside::enter();
            let thread = kernel.new_thread(name, move || {
                let value = body();
                // SAFETY: nobody reads the slot before this thread has ended.
                unsafe { *slot.0.get() = Some(value) };
            });
            drop(outside);
            kernel.point(Step::new(StepKind::Spawn, thread.0));
            thread
        });
        Ok(SimJoin { thread, result })
    }

    fn join<T: Send + 'static>(handle: SimJoin<T>) -> Result<T, Died> {
        with_kernel(|kernel| {
            while !kernel.has_ended(handle.thread) {
                kernel.block(Step::new(StepKind::Join, handle.thread.0), None);
            }
        });
        // SAFETY: the thread that wrote the slot has ended.
        unsafe { (*handle.result.0.get()).take() }.ok_or(Died)
    }

    fn yield_now() {
        with_kernel(super::Kernel::yield_now);
    }

    fn panicking() -> bool {
        // A simulated thread never unwinds: its process ends at the panic.
        false
    }

    fn point(point: Point) {
        with_kernel(|kernel| {
            kernel.tell(crate::trace::Lane::Schedule, || format!("at {}", point.label));
            kernel.point(Step::new(StepKind::Point, point.object as u32));
        });
    }
}

/// A simulated word; each access is a scheduling point.
macro_rules! atomic {
    ($(#[$doc:meta])* $name:ident $(<$param:ident>)?, $value:ty) => {
        $(#[$doc])*
        pub struct $name $(<$param>)? {
            object: u32,
            value: Cell<$value>,
        }

        // SAFETY: simulated threads of one kernel run one at a time on one OS thread.
        unsafe impl $(<$param>)? Send for $name $(<$param>)? {}
        // SAFETY: as above.
        unsafe impl $(<$param>)? Sync for $name $(<$param>)? {}

        impl $(<$param>)? fmt::Debug for $name $(<$param>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {{ object: {} }}", stringify!($name), self.object)
            }
        }

        impl $(<$param>)? Atomic<$value> for $name $(<$param>)? {
            fn new(value: $value) -> Self {
                // Words are too many to number one by one; they share the object 0.
                $name { object: 0, value: Cell::new(value) }
            }

            #[inline]
            fn load(&self) -> $value {
                with_kernel(|kernel| kernel.point(Step::new(StepKind::Load, self.object)));
                self.value.get()
            }

            #[inline]
            fn store(&self, value: $value) {
                with_kernel(|kernel| kernel.point(Step::new(StepKind::Store, self.object)));
                self.value.set(value);
            }

            #[inline]
            fn load_unsync(&self) -> $value {
                self.value.get()
            }

            #[inline]
            fn store_unsync(&self, value: $value) {
                self.value.set(value);
            }
        }
    };
}

atomic! {
    /// A simulated 32-bit word; each access is a scheduling point.
    SimAtomicU32, u32
}
atomic! {
    /// A simulated 64-bit word; each access is a scheduling point.
    SimAtomicU64, u64
}
atomic! {
    /// A simulated pointer; each access is a scheduling point.
    SimAtomicPtr<T>, *mut T
}

impl AtomicInt<u32> for SimAtomicU32 {
    fn fetch_add(&self, value: u32) -> u32 {
        with_kernel(|kernel| kernel.point(Step::new(StepKind::Store, self.object)));
        self.value.replace(self.value.get().wrapping_add(value))
    }
}

impl AtomicInt<u64> for SimAtomicU64 {
    fn fetch_add(&self, value: u64) -> u64 {
        with_kernel(|kernel| kernel.point(Step::new(StepKind::Store, self.object)));
        self.value.replace(self.value.get().wrapping_add(value))
    }
}
