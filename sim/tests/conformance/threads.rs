//! Locks, condition variables, time, threads and words.

use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic, AtomicInt, Clock as _, Condvar, Env, Mutex, Threads};

pub(crate) fn mutexes_and_condvars<T: Threads>() {
    // Turns are taken in order; every step reads, waits and writes under the lock.
    let shared = Arc::new((Mutex::<T, u32>::new("turn", 0), Condvar::<T>::new("next")));
    let threads = [0, 1, 2].map(|me| {
        let shared = Arc::clone(&shared);
        T::spawn("player", move || {
            for round in 0..5 {
                let mut turn = shared.0.lock();
                while *turn != round * 3 + me {
                    turn = shared.1.wait(turn);
                }
                *turn += 1;
                drop(turn);
                shared.1.notify_all();
            }
            me
        })
        .expect("a thread")
    });
    assert_eq!(threads.map(T::join), [Ok(0), Ok(1), Ok(2)]);
    assert_eq!(*shared.0.lock(), 15);

    // Whoever holds the lock holds it alone, even if he gives way.
    let adders = [0; 3].map(|_| {
        let shared = Arc::clone(&shared);
        T::spawn("adder", move || {
            for _ in 0..4 {
                let mut count = shared.0.lock();
                let before = *count;
                T::yield_now();
                *count = before + 1;
            }
        })
        .expect("a thread")
    });
    assert_eq!(adders.map(T::join), [Ok(()); 3]);
    assert_eq!(*shared.0.lock(), 27);

    // A notification wakes one waiter at least; passed on, it reaches all.
    let waiters = [0; 3].map(|_| {
        let shared = Arc::clone(&shared);
        T::spawn("waiter", move || {
            let mut turn = shared.0.lock();
            while *turn < 100 {
                turn = shared.1.wait(turn);
            }
            *turn += 1;
            drop(turn);
            shared.1.notify_one();
        })
        .expect("a thread")
    });
    *shared.0.lock() = 100;
    shared.1.notify_one();
    for waiter in waiters {
        T::join(waiter).expect("returns");
    }
    assert_eq!(*shared.0.lock(), 103);
}

pub(crate) fn timeouts<E: Env>(env: &E) {
    let nobody = (Mutex::<E::Threads, u8>::new("lock", 7), Condvar::<E::Threads>::new("never"));
    let wait = Duration::from_millis(3);
    let start = env.clock().now();
    let mut guard = nobody.0.lock();
    // It may wake for nothing, and says so.
    loop {
        let (again, timed_out) = nobody.1.wait_timeout(guard, wait);
        guard = again;
        if timed_out {
            break;
        }
    }
    assert_eq!(*guard, 7, "the lock is held again");
    drop(guard);
    let waited = env.clock().now();
    assert!(waited >= start + wait, "{start:?} to {waited:?}");
    <E::Threads>::sleep(wait);
    assert!(env.clock().now() >= waited + wait);

    let flag = Arc::new((
        Mutex::<E::Threads, bool>::new("flag", false),
        Condvar::<E::Threads>::new("set"),
    ));
    let setter = Arc::clone(&flag);
    let setter = <E::Threads>::spawn("setter", move || {
        *setter.0.lock() = true;
        setter.1.notify_one();
    })
    .expect("a thread");
    let mut guard = flag.0.lock();
    while !*guard {
        let (start, hour) = (env.clock().now(), Duration::from_hours(1));
        let (again, timed_out) = flag.1.wait_timeout(guard, hour);
        // In the simulator an hour may pass before another thread gets to run.
        assert!(!timed_out || env.clock().now() >= start + hour);
        guard = again;
    }
    drop(guard);
    <E::Threads>::join(setter).expect("returns");
}

pub(crate) fn threads_and_words<T: Threads>() {
    let words = Arc::new((T::AtomicU32::new(u32::MAX - 1), T::AtomicU64::new(0)));
    let threads = [1, 2, 3].map(|by| {
        let words = Arc::clone(&words);
        T::spawn("adder", move || {
            for _ in 0..4 {
                words.1.fetch_add(by);
                T::yield_now();
            }
            words.0.fetch_add(1)
        })
        .expect("a thread")
    });
    let mut before = threads.map(|thread| T::join(thread).expect("returns"));
    before.sort_unstable();
    assert_eq!(before, [0, u32::MAX - 1, u32::MAX], "each got a number of its own");
    assert_eq!((words.0.load(), words.1.load()), (1, 24));
    words.1.store(5);
    assert_eq!((words.1.load(), words.1.load_unsync()), (5, 5));
    words.0.store_unsync(6);
    assert_eq!(words.0.load_unsync(), 6);
    let mut target = 1u8;
    let pointer = <T::AtomicPtr<u8> as Atomic<*mut u8>>::new(std::ptr::null_mut());
    assert!(pointer.load().is_null());
    pointer.store(&raw mut target);
    assert!(std::ptr::eq(pointer.load(), &raw const target));
    assert!(!T::panicking());
    // What a thread holds comes back through its handle.
    let text = T::spawn("talker", || vec!["text".to_owned(); 3]).expect("a thread");
    assert_eq!(T::join(text).map(|words| words.concat()), Ok("texttexttext".to_owned()));
}
