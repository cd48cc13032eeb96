//! Lock-free code under loom, which tries every interleaving and every value that a load may
//! return under the memory model, not only under that of the machine.
//!
//! The memtable is compiled for [`Loom`], an implementation of `Threads` over loom's primitives.
//! The entries themselves are plain memory, which loom does not watch; but a node's own links are
//! atomics set by relaxed stores before the node is published, so a publication that is too weak
//! shows as a list cut short.

#![cfg(test)]

use core::time::Duration;
use std::sync::Arc;

use faultline::env::{Atomic, AtomicInt, Died, Threads};
use faultline::iterator::InternalIterator;
use faultline::key::{InternalKeyComparator, ValueType, user_key};
use faultline::memtable::{Lookup, MemTable, MemTableWriter};
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

#[derive(Clone, Copy, Debug)]
struct Loom;

struct Word<A>(A);

macro_rules! word {
    ([$($generics:tt)*] $value:ty, $inner:ty) => {
        impl<$($generics)*> Atomic<$value> for Word<$inner> {
            fn new(value: $value) -> Self {
                Word(<$inner>::new(value))
            }
            fn load(&self) -> $value {
                self.0.load(Acquire)
            }
            fn store(&self, value: $value) {
                self.0.store(value, Release);
            }
            fn load_unsync(&self) -> $value {
                self.0.load(Relaxed)
            }
            fn store_unsync(&self, value: $value) {
                self.0.store(value, Relaxed);
            }
        }
    };
}

word!([] u32, loom::sync::atomic::AtomicU32);
word!([] u64, loom::sync::atomic::AtomicU64);
word!([T] *mut T, loom::sync::atomic::AtomicPtr<T>);

impl AtomicInt<u32> for Word<loom::sync::atomic::AtomicU32> {
    fn fetch_add(&self, value: u32) -> u32 {
        self.0.fetch_add(value, AcqRel)
    }
}

impl AtomicInt<u64> for Word<loom::sync::atomic::AtomicU64> {
    fn fetch_add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, AcqRel)
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

    fn spawn<T, F>(_name: &'static str, body: F) -> Self::JoinHandle<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        loom::thread::spawn(body)
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

fn writer() -> MemTableWriter<Loom> {
    MemTableWriter::new(InternalKeyComparator::bytewise())
}

fn walk(table: &Arc<MemTable<Loom>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut iter = table.iter();
    let mut found = Vec::new();
    iter.seek_to_first();
    while iter.valid() {
        found.push((user_key(iter.key()).to_vec(), iter.value().to_vec()));
        iter.next();
    }
    found
}

#[test]
fn a_walk_never_loses_an_entry_that_was_there_before() {
    loom::model(|| {
        let mut writer = writer();
        writer.add(1, ValueType::Value, b"m", b"1");
        let table = Arc::clone(writer.table());
        let reader = Loom::spawn("reader", move || walk(&table));
        writer.add(2, ValueType::Value, b"a", b"2");
        let found = Loom::join(reader).unwrap();
        let old = (b"m".to_vec(), b"1".to_vec());
        let new = (b"a".to_vec(), b"2".to_vec());
        assert!(found == [old.clone()] || found == [new, old], "{found:?}");
    });
}

#[test]
fn a_lookup_sees_all_that_the_published_sequence_covers() {
    type Sequence = <Loom as Threads>::AtomicU64;
    loom::model(|| {
        let mut writer = writer();
        let published = Arc::new(Sequence::new(0));
        let table = Arc::clone(writer.table());
        let reader = {
            let published = Arc::clone(&published);
            Loom::spawn("reader", move || {
                let sequence = published.load();
                let one = table.get(b"one", sequence) == Lookup::Value(b"x");
                let two = table.get(b"two", sequence) == Lookup::Value(b"y");
                assert_eq!((one, two), (sequence == 2, sequence == 2));
            })
        };
        writer.add(1, ValueType::Value, b"two", b"y");
        writer.add(2, ValueType::Value, b"one", b"x");
        published.store(2);
        Loom::join(reader).unwrap();
    });
}
