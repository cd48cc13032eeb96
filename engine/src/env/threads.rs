//! [`Threads`]: everything by which one thread can affect or await another.
//!
//! In production each item is the plain primitive; in a simulator each is a *scheduling point*, at
//! which another thread may be chosen to run. Locks, condition variables and threads carry names,
//! which make a schedule readable and let it be replayed.

use core::fmt;
use core::ops::DerefMut;
use core::time::Duration;

/// A thread ended without a result: it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread died without a result")
    }
}

impl std::error::Error for Died {}

/// The system has no thread left to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoThread;

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system has no thread left to give")
    }
}

impl std::error::Error for NoThread {}

/// How a step touches its object: two reads commute, anything else does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The step only looks.
    Read,
    /// The step changes something.
    Write,
}

/// A step worth a switch that is no lock, wait or I/O: see [`Threads::point`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Name of the step, unique in the source.
    pub label: &'static str,
    /// What is touched: a number that is the same in every run of the same seed.
    pub object: u64,
    /// How it is touched.
    pub access: Access,
}

/// Locks, condition variables, atomics and threads of one world.
///
/// Call sites read better through [`super::Mutex`] and [`super::Condvar`].
pub trait Threads: Clone + fmt::Debug + Send + Sync + 'static {
    /// A mutual-exclusion lock around a `T`.
    type Mutex<T: Send>: Send + Sync;
    /// A held lock; released on drop.
    type Guard<'a, T: Send + 'a>: DerefMut<Target = T>;
    /// A condition variable.
    type Condvar: Send + Sync;
    /// A running thread.
    type JoinHandle<T: Send + 'static>: Send;
    /// A shared 32-bit word.
    type AtomicU32: AtomicInt<u32>;
    /// A shared 64-bit word.
    type AtomicU64: AtomicInt<u64>;
    /// A shared pointer.
    type AtomicPtr<T>: Atomic<*mut T>;

    /// Makes a lock.
    fn mutex<T: Send>(name: &'static str, value: T) -> Self::Mutex<T>;

    /// Makes a condition variable.
    fn condvar(name: &'static str) -> Self::Condvar;

    /// Waits for the lock and takes it. Ignores poison: a thread that panicked while it held the
    /// lock has released it.
    fn lock<T: Send>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T>;

    /// Releases the lock, waits for a notification, takes the lock again. May return without one.
    fn wait<'a, T: Send>(condvar: &Self::Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T>;

    /// Like [`Threads::wait`], for at most `timeout`. The flag says whether the time ran out.
    fn wait_timeout<'a, T: Send>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
        timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool);

    /// Wakes one waiter, if there is any.
    fn notify_one(condvar: &Self::Condvar);

    /// Wakes every waiter.
    fn notify_all(condvar: &Self::Condvar);

    /// Lets at least `duration` pass.
    fn sleep(duration: Duration);

    /// Starts a thread.
    ///
    /// # Errors
    /// [`NoThread`]; `body` is dropped then.
    fn spawn<T, F>(name: &'static str, body: F) -> Result<Self::JoinHandle<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static;

    /// Waits for a thread to end.
    ///
    /// # Errors
    /// [`Died`] if it panicked.
    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> Result<T, Died>;

    /// Gives way. In a simulator the caller is not chosen again before another thread has run.
    fn yield_now();

    /// Whether the calling thread is unwinding from a panic.
    fn panicking() -> bool;

    /// A step worth a switch; nothing in production.
    #[inline]
    fn point(_point: Point) {}
}

/// A shared word. `load` and `store` are acquire and release, and scheduling points in a
/// simulator; the `_unsync` forms are relaxed, no scheduling points, and right only where the
/// caller says why no other thread can tell the difference.
pub trait Atomic<V: Copy>: Send + Sync {
    /// A word that holds `value`.
    fn new(value: V) -> Self;
    /// Acquire load.
    fn load(&self) -> V;
    /// Release store.
    fn store(&self, value: V);
    /// Relaxed load, by the only writer of the word or where a stale value does no harm.
    fn load_unsync(&self) -> V;
    /// Relaxed store, before the word is published or where its value guards nothing.
    fn store_unsync(&self, value: V);
}

/// A shared word that counts.
pub trait AtomicInt<V: Copy>: Atomic<V> {
    /// Adds, wrapping around; returns the value before. Acquire and release.
    fn fetch_add(&self, value: V) -> V;
}
