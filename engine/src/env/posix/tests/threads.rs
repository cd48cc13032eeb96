//! Locks, threads and atomics through the methods that the engine calls.

use std::sync::Arc;

use super::*;
use crate::env::{Atomic, AtomicInt, Condvar, Died, Mutex, Threads};

type World = PosixThreads;

#[test]
fn a_waiter_is_woken() {
    let shared = Arc::new((Mutex::<World, u32>::new("count", 0), Condvar::<World>::new("changed")));
    let theirs = Arc::clone(&shared);
    let thread = World::spawn("counter", move || {
        for _ in 0..3 {
            *theirs.0.lock() += 1;
            theirs.1.notify_all();
        }
        theirs.1.notify_one();
        "done"
    })
    .expect("a thread");
    let mut count = shared.0.lock();
    while *count < 3 {
        count = shared.1.wait(count);
    }
    drop(count);
    assert_eq!(World::join(thread), Ok("done"));
}

#[test]
fn a_wait_ends_with_its_time() {
    let (mutex, condvar) = (Mutex::<World, ()>::new("m", ()), Condvar::<World>::new("c"));
    let mut guard = mutex.lock();
    loop {
        let (again, timed_out) = condvar.wait_timeout(guard, Duration::from_millis(1));
        guard = again;
        if timed_out {
            break;
        }
    }
}

#[test]
fn a_panic_is_a_death_and_releases_the_lock() {
    let mutex = Arc::new(Mutex::<World, u32>::new("m", 7));
    let theirs = Arc::clone(&mutex);
    let thread = World::spawn("doomed", move || {
        let _held = theirs.lock();
        assert!(!World::panicking());
        panic!("as planned");
    })
    .expect("a thread");
    assert_eq!(World::join::<()>(thread), Err(Died));
    assert_eq!(*mutex.lock(), 7, "poison is ignored");
}

#[test]
fn atomics_hold_what_they_are_given() {
    let word = <World as Threads>::AtomicU32::new(u32::MAX);
    assert_eq!(AtomicInt::fetch_add(&word, 2), u32::MAX);
    assert_eq!(Atomic::load(&word), 1);
    let word = <World as Threads>::AtomicU64::new(5);
    Atomic::store(&word, 9);
    assert_eq!((AtomicInt::fetch_add(&word, 1), word.load_unsync()), (9, 10));
    word.store_unsync(3);
    assert_eq!(Atomic::load(&word), 3);
    let mut target = 0_u8;
    let pointer: <World as Threads>::AtomicPtr<u8> = Atomic::new(core::ptr::null_mut());
    Atomic::store(&pointer, &raw mut target);
    assert_eq!(Atomic::load(&pointer), &raw mut target);
    World::sleep(Duration::ZERO);
    World::yield_now();
}
