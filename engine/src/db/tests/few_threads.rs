//! An open in a system that has no thread left to give.

use core::time::Duration;

use super::faulty_env::FaultyEnv;
use super::{R, TestDb, options};
use crate::db::Db;
use crate::env::{Died, NoThread, Threads};
use crate::error::Error;
use crate::options::Options;

/// What replay wants threads for, and the background.
const NAMES: [&str; 3] = ["replay", "flush", "compaction"];

/// The real threads, but none for number `N` of [`NAMES`].
#[derive(Clone, Debug)]
struct NoneFor<const N: usize>;

impl<const N: usize> Threads for NoneFor<N> {
    type Mutex<T: Send> = <R as Threads>::Mutex<T>;
    type Guard<'a, T: Send + 'a> = <R as Threads>::Guard<'a, T>;
    type Condvar = <R as Threads>::Condvar;
    type JoinHandle<T: Send + 'static> = <R as Threads>::JoinHandle<T>;
    type AtomicU32 = <R as Threads>::AtomicU32;
    type AtomicU64 = <R as Threads>::AtomicU64;
    type AtomicPtr<T> = <R as Threads>::AtomicPtr<T>;

    fn mutex<T: Send>(name: &'static str, value: T) -> Self::Mutex<T> {
        R::mutex(name, value)
    }

    fn condvar(name: &'static str) -> Self::Condvar {
        R::condvar(name)
    }

    fn lock<T: Send>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T> {
        R::lock(mutex)
    }

    fn wait<'a, T: Send>(condvar: &Self::Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T> {
        R::wait(condvar, guard)
    }

    fn wait_timeout<'a, T: Send>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
        timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool) {
        R::wait_timeout(condvar, guard, timeout)
    }

    fn notify_one(condvar: &Self::Condvar) {
        R::notify_one(condvar);
    }

    fn notify_all(condvar: &Self::Condvar) {
        R::notify_all(condvar);
    }

    fn sleep(duration: Duration) {
        R::sleep(duration);
    }

    fn spawn<T, F>(name: &'static str, body: F) -> Result<Self::JoinHandle<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        assert!(NAMES.contains(&name), "a thread called {name}");
        if name == NAMES[N] { Err(NoThread) } else { R::spawn(name, body) }
    }

    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> Result<T, Died> {
        R::join(handle)
    }

    fn yield_now() {
        R::yield_now();
    }

    fn panicking() -> bool {
        R::panicking()
    }
}

/// A log of several memtables' worth, for an open with smaller ones.
fn closed() -> (TestDb, Options) {
    let mut test = TestDb::new();
    for i in 0..90 {
        test.put(&format!("k{i:02}"), &"v".repeat(1000));
    }
    test.close();
    (test, Options { write_buffer_size: 4096, ..options() })
}

fn open<const N: usize>(
    test: &TestDb,
    options: &Options,
) -> crate::Result<Db<FaultyEnv<NoneFor<N>>>> {
    Db::open(FaultyEnv::with_threads(), test.path(), options.clone())
}

#[test]
fn replay_without_threads_writes_its_tables_itself() {
    let (test, options) = closed();
    let db = open::<0>(&test, &options).unwrap();
    assert!(db.report().tables.len() > 3, "{:?}", db.report());
    assert!(db.report().tables.is_sorted());
    assert_eq!(db.iter().unwrap().into_iter().count(), 90);
    db.close().unwrap();
}

#[test]
fn an_open_without_background_threads_is_refused_and_leaves_nothing_held() {
    let (mut test, options) = closed();
    for _ in 0..2 {
        let refused = open::<1>(&test, &options).unwrap_err();
        assert_eq!(refused, Error::NoThread { name: "flush" });
        // The other one runs by then, and has to end.
        let refused = open::<2>(&test, &options).unwrap_err();
        assert_eq!(refused, Error::NoThread { name: "compaction" });
        assert_eq!(refused.to_string(), "no thread left (compaction)");
    }
    test.open();
    assert_eq!(test.db().iter().unwrap().into_iter().count(), 90);
}
