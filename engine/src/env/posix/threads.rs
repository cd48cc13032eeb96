//! [`PosixThreads`]: the standard library's locks, threads and atomics.
//!
//! Adds nothing to them: each item compiles to the plain primitive. Poison is ignored, as
//! [`Threads`] demands.
//!
//! Source: none in LevelDB, which keeps these outside of its `Env` (`port/port_stdcxx.h`).

use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::env::{Atomic, AtomicInt, Died, NoThread, Threads};

/// Locks, threads and atomics of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct PosixThreads;

/// The orderings of the accesses: loom tries the engine's lock-free code with these.
impl PosixThreads {
    /// Of `load`.
    pub const LOAD: Ordering = Ordering::Acquire;
    /// Of `store`.
    pub const STORE: Ordering = Ordering::Release;
    /// Of `load_unsync` and `store_unsync`.
    pub const UNSYNC: Ordering = Ordering::Relaxed;
    /// Of `fetch_add`.
    pub const ADD: Ordering = Ordering::AcqRel;
}

impl Threads for PosixThreads {
    type Mutex<T: Send> = Mutex<T>;
    type Guard<'a, T: Send + 'a> = MutexGuard<'a, T>;
    type Condvar = Condvar;
    type JoinHandle<T: Send + 'static> = thread::JoinHandle<T>;
    type AtomicU32 = AtomicU32;
    type AtomicU64 = AtomicU64;
    type AtomicPtr<T> = AtomicPtr<T>;

    fn mutex<T: Send>(_name: &'static str, value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn condvar(_name: &'static str) -> Condvar {
        Condvar::new()
    }

    #[inline]
    fn lock<T: Send>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a, T: Send>(condvar: &Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T> {
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_timeout<'a, T: Send>(
        condvar: &Condvar,
        guard: Self::Guard<'a, T>,
        timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool) {
        let woken = condvar.wait_timeout(guard, timeout);
        let (guard, result) = woken.unwrap_or_else(PoisonError::into_inner);
        (guard, result.timed_out())
    }

    fn notify_one(condvar: &Condvar) {
        condvar.notify_one();
    }

    fn notify_all(condvar: &Condvar) {
        condvar.notify_all();
    }

    fn sleep(duration: Duration) {
        thread::sleep(duration);
    }

    fn spawn<T, F>(name: &'static str, body: F) -> Result<thread::JoinHandle<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        thread.map_err(|_reason| NoThread)
    }

    fn join<T: Send + 'static>(handle: thread::JoinHandle<T>) -> Result<T, Died> {
        // The payload of the panic was shown when it happened.
        handle.join().map_err(|_payload| Died)
    }

    fn yield_now() {
        thread::yield_now();
    }

    fn panicking() -> bool {
        thread::panicking()
    }
}

/// The accesses that all the atomics have in common.
macro_rules! atomic {
    ($atomic:ty, $value:ty $(, $parameter:ident)?) => {
        impl$(<$parameter>)? Atomic<$value> for $atomic {
            fn new(value: $value) -> Self {
                Self::new(value)
            }

            #[inline]
            fn load(&self) -> $value {
                self.load(PosixThreads::LOAD)
            }

            #[inline]
            fn store(&self, value: $value) {
                self.store(value, PosixThreads::STORE);
            }

            #[inline]
            fn load_unsync(&self) -> $value {
                self.load(PosixThreads::UNSYNC)
            }

            #[inline]
            fn store_unsync(&self, value: $value) {
                self.store(value, PosixThreads::UNSYNC);
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicPtr<T>, *mut T, T);

impl AtomicInt<u32> for AtomicU32 {
    #[inline]
    fn fetch_add(&self, value: u32) -> u32 {
        self.fetch_add(value, PosixThreads::ADD)
    }
}

impl AtomicInt<u64> for AtomicU64 {
    #[inline]
    fn fetch_add(&self, value: u64) -> u64 {
        self.fetch_add(value, PosixThreads::ADD)
    }
}
