//! [`Mutex`] and [`Condvar`]: the locks of [`Threads`] with methods, for readable call sites.

use core::fmt;
use core::time::Duration;

use super::threads::Threads;

/// A lock around a `T`; [`Threads::Mutex`] with methods.
pub struct Mutex<R: Threads, T: Send>(R::Mutex<T>);

/// A held lock.
pub type MutexGuard<'a, R, T> = <R as Threads>::Guard<'a, T>;

impl<R: Threads, T: Send> Mutex<R, T> {
    /// Makes a lock. The name shows in schedules.
    pub fn new(name: &'static str, value: T) -> Self {
        Mutex(R::mutex(name, value))
    }

    /// Waits for the lock and takes it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, R, T> {
        R::lock(&self.0)
    }
}

impl<R: Threads, T: Send> fmt::Debug for Mutex<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Looking inside would lock, which in a simulator is an event.
        f.write_str("Mutex { .. }")
    }
}

/// A condition variable; [`Threads::Condvar`] with methods.
pub struct Condvar<R: Threads>(R::Condvar);

impl<R: Threads> Condvar<R> {
    /// Makes a condition variable. The name shows in schedules.
    pub fn new(name: &'static str) -> Self {
        Condvar(R::condvar(name))
    }

    /// Releases the lock, waits for a notification, takes the lock again. May return without one,
    /// so the caller checks its condition in a loop.
    pub fn wait<'a, T: Send>(&self, guard: MutexGuard<'a, R, T>) -> MutexGuard<'a, R, T> {
        R::wait(&self.0, guard)
    }

    /// Like [`Condvar::wait`], for at most `timeout`. The flag says whether the time ran out.
    pub fn wait_timeout<'a, T: Send>(
        &self,
        guard: MutexGuard<'a, R, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, R, T>, bool) {
        R::wait_timeout(&self.0, guard, timeout)
    }

    /// Wakes one waiter, if there is any.
    pub fn notify_one(&self) {
        R::notify_one(&self.0);
    }

    /// Wakes every waiter.
    pub fn notify_all(&self) {
        R::notify_all(&self.0);
    }
}

impl<R: Threads> fmt::Debug for Condvar<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar { .. }")
    }
}
