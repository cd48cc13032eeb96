//! [`Loom`]: `Threads` over loom's primitives, with the memory orderings of `PosixThreads`. Shared
//! by the tests of the public parts and, inside the crate, those of the others.

use core::time::Duration;

use faultline::env::posix::PosixThreads;
use faultline::env::{Atomic, AtomicInt, Died, NoThread, Threads};

/// The world in which loom decides who runs next and what a load returns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loom;

/// A word of loom's.
pub(crate) struct Word<A>(A);

macro_rules! word {
    ([$($generics:tt)*] $value:ty, $inner:ty) => {
        impl<$($generics)*> Atomic<$value> for Word<$inner> {
            fn new(value: $value) -> Self {
                Word(<$inner>::new(value))
            }
            fn load(&self) -> $value {
                self.0.load(PosixThreads::LOAD)
            }
            fn store(&self, value: $value) {
                self.0.store(value, PosixThreads::STORE);
            }
            fn load_unsync(&self) -> $value {
                self.0.load(PosixThreads::UNSYNC)
            }
            fn store_unsync(&self, value: $value) {
                self.0.store(value, PosixThreads::UNSYNC);
            }
        }
    };
}

word!([] u32, loom::sync::atomic::AtomicU32);
word!([] u64, loom::sync::atomic::AtomicU64);
word!([T] *mut T, loom::sync::atomic::AtomicPtr<T>);

impl AtomicInt<u32> for Word<loom::sync::atomic::AtomicU32> {
    fn fetch_add(&self, value: u32) -> u32 {
        self.0.fetch_add(value, PosixThreads::ADD)
    }
}

impl AtomicInt<u64> for Word<loom::sync::atomic::AtomicU64> {
    fn fetch_add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, PosixThreads::ADD)
    }
}

impl Threads for Loom {
    type Mutex<T: Send> = loom::sync::Mutex<T>;
    type Guard<'a, T: Send + 'a> = loom::sync::MutexGuard<'a, T>;
    type Condvar = loom::sync::Condvar;
    type JoinHandle<T: Send + 'static> = loom::thread::JoinHandle<T>;
    type AtomicU32 = Word<loom::sync::atomic::AtomicU32>;
    type AtomicU64 = Word<loom::sync::atomic::AtomicU64>;
    type AtomicPtr<T> = Word<loom::sync::atomic::AtomicPtr<T>>;

    fn mutex<T: Send>(_name: &'static str, value: T) -> Self::Mutex<T> {
        loom::sync::Mutex::new(value)
    }

    fn condvar(_name: &'static str) -> Self::Condvar {
        loom::sync::Condvar::new()
    }

    fn lock<T: Send>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T> {
        mutex.lock().expect("a panic ends the model")
    }

    fn wait<'a, T: Send>(condvar: &Self::Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T> {
        condvar.wait(guard).expect("a panic ends the model")
    }

    fn wait_timeout<'a, T: Send>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
        _timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool) {
        // There is no time here; nothing under test waits for it.
        (Self::wait(condvar, guard), false)
    }

    fn notify_one(condvar: &Self::Condvar) {
        condvar.notify_one();
    }

    fn notify_all(condvar: &Self::Condvar) {
        condvar.notify_all();
    }

    fn sleep(_duration: Duration) {
        loom::thread::yield_now();
    }

    fn spawn<T, F>(_name: &'static str, body: F) -> Result<Self::JoinHandle<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        Ok(loom::thread::spawn(body))
    }

    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> Result<T, Died> {
        handle.join().map_err(|_panic| Died)
    }

    fn yield_now() {
        loom::thread::yield_now();
    }

    fn panicking() -> bool {
        false
    }
}
