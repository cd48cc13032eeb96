//! A walk takes one schedule of every happens-before class, fewest preemptions first.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic as _, Threads as _};
use faultline_sim::kernel::{End, Kernel, Limits, SimAtomicU64, SimMutex, SimThreads};
use faultline_sim::policy::{Exhaustive, Guide, PolicyName, Walk};
use faultline_sim::run::on_fresh_thread;
use faultline_sim::trace::Trace;

use super::{Log, Program, carry_out, step_aside};

const ALL: u32 = u32::MAX;

/// What a walk has met.
struct Met {
    /// What was done in each schedule.
    orders: Vec<String>,
    /// The first schedule of each class, and what was done in it.
    classes: Vec<(Guide, String)>,
    is_done: bool,
}

impl Met {
    fn distinct(&self) -> BTreeSet<&str> {
        self.orders.iter().map(String::as_str).collect()
    }
}

/// Takes all schedules of `program` with at most so many preemptions.
fn walk(preemptions: u32, program: Program) -> Met {
    on_fresh_thread(move |_| {
        let kernel = Kernel::new(PolicyName::Random.build(0), Trace::new(false));
        let (mut walk, log) = (Walk::new(), Log::default());
        let mut met = Met { orders: Vec::new(), classes: Vec::new(), is_done: false };
        while let Some(guide) = walk.next(preemptions) {
            let passage = Rc::new(RefCell::new(walk.passage()));
            follow(&kernel, guide, &passage, program, &log);
            let order = log.take();
            let (guide, is_new) = walk.learn(passage.take());
            if is_new {
                met.classes.push((guide, order.clone()));
            }
            met.orders.push(order);
        }
        met.is_done = walk.is_done_with(ALL);
        met
    })
}

fn follow(
    kernel: &Kernel,
    guide: Guide,
    passage: &Rc<RefCell<faultline_sim::policy::Passage>>,
    program: Program,
    log: &Log,
) {
    let behind = PolicyName::Random.build(0);
    kernel.reset(Box::new(Exhaustive::new(guide, Rc::clone(passage), behind)), Trace::new(false));
    assert_eq!(carry_out(kernel, Limits::NONE, program, log), End::Returned(vec![]));
    // Another process says that the first has ended.
    carry_out(kernel, Limits::NONE, |_| (), log);
}

type Handle = <SimThreads as faultline::env::Threads>::JoinHandle<()>;

fn join(threads: impl IntoIterator<Item = Handle>) {
    for thread in threads {
        SimThreads::join(thread).expect("returns");
    }
}

/// A thread that stores `times` in one word, and notes it.
fn stores(log: &Log, word: &Arc<SimAtomicU64>, letter: char, times: u64) -> Handle {
    let (log, word) = (log.clone(), Arc::clone(word));
    let body = move || {
        for value in 0..times {
            word.store(value);
            log.note(letter);
        }
    };
    SimThreads::spawn("stores", body).expect("a thread")
}

pub(super) fn two_of_three(log: &Log) {
    let word = Arc::new(SimAtomicU64::new(0));
    join([stores(log, &word, 'a', 3), stores(log, &word, 'b', 3)]);
}

#[test]
fn each_order_of_conflicting_steps_is_a_class() {
    let met = walk(ALL, two_of_three);
    assert!(met.is_done);
    // C(6, 3) orders of the stores.
    assert_eq!(met.classes.len(), 20);
    assert_eq!(met.distinct().len(), 20);
    let of_classes: BTreeSet<&str> = met.classes.iter().map(|(_, order)| order.as_str()).collect();
    assert_eq!(of_classes, met.distinct());
}

#[test]
fn steps_that_are_not_in_conflict_are_one_class_in_any_order() {
    fn aside(log: &Log) {
        let thread = |letter: char| {
            let log = log.clone();
            SimThreads::spawn("aside", move || {
                for _ in 0..4 {
                    step_aside(u64::from(letter));
                    log.note(letter);
                }
            })
            .expect("a thread")
        };
        join([thread('a'), thread('b'), thread('c')]);
    }
    let met = walk(ALL, aside);
    assert!(met.is_done);
    assert_eq!(met.classes.len(), 1);
    // Of the 12! / 4!^3 = 34,650 orders most are cut where they come to a known state.
    assert!(met.orders.len() < 34_650 / 10, "{}", met.orders.len());
}

#[test]
fn loads_commute_and_stores_do_not() {
    fn readers(log: &Log) {
        let word = Arc::new(SimAtomicU64::new(0));
        let reader = |letter: char| {
            let (log, word) = (log.clone(), Arc::clone(&word));
            SimThreads::spawn("loads", move || {
                for _ in 0..2 {
                    log.note(if word.load() == 0 { letter } else { letter.to_ascii_uppercase() });
                }
            })
            .expect("a thread")
        };
        join([reader('a'), reader('b'), stores(log, &word, 'w', 1)]);
    }
    fn one_store(log: &Log) {
        // What is stored must differ from what was there.
        let word = Arc::new(SimAtomicU64::new(7));
        let thread = |value| {
            let word = Arc::clone(&word);
            SimThreads::spawn("once", move || word.store(value)).expect("a thread")
        };
        join([thread(1), thread(2)]);
        log.note(if word.load() == 1 { '1' } else { '2' });
    }
    // The store comes after 0, 1 or 2 loads of each of two threads, independently.
    assert_eq!(walk(ALL, readers).classes.len(), 9);
    let met = walk(ALL, one_store);
    assert_eq!(met.distinct(), BTreeSet::from(["1", "2"]));
    assert_eq!(met.classes.len(), 2);
}

/// Two threads add 1 to a word by a load and a store: one addition is lost if both load first.
fn lost_update(log: &Log) {
    let word = Arc::new(SimAtomicU64::new(0));
    let thread = || {
        let word = Arc::clone(&word);
        let body = move || word.store(word.load() + 1);
        SimThreads::spawn("adds", body).expect("a thread")
    };
    join([thread(), thread()]);
    log.note(if word.load() == 2 { '2' } else { '1' });
}

#[test]
fn fewer_preemptions_come_first() {
    let none = walk(0, lost_update);
    assert!(!none.is_done);
    assert_eq!(none.distinct(), BTreeSet::from(["2"]), "nobody is preempted, so nothing is lost");
    let one = walk(1, lost_update);
    assert_eq!(one.distinct(), BTreeSet::from(["1", "2"]));
    let all = walk(ALL, lost_update);
    assert!(all.is_done);
    assert!(none.classes.len() < one.classes.len() && one.classes.len() <= all.classes.len());
    // A load or a store of each, in orders that differ in what a load sees: 2 where one thread is
    // first, and 2 where both load first, by who stores first.
    assert_eq!(all.classes.len(), 4);
    // Who goes first when main waits is a choice, and preempts nobody.
    assert_eq!(walk(0, two_of_three).distinct(), BTreeSet::from(["aaabbb", "bbbaaa"]));
}

/// Two threads that wait, in either order, until main wakes one of them and then the other.
fn wakes(log: &Log) {
    let lock = Arc::new(SimThreads::mutex("registered and woken", (0, 0)));
    let (go, news) = (Arc::new(SimThreads::condvar("go")), Arc::new(SimThreads::condvar("news")));
    let waiter = |letter: char| {
        let (log, lock) = (log.clone(), Arc::clone(&lock));
        let (go, news) = (Arc::clone(&go), Arc::clone(&news));
        let body = move || {
            let mut counts = SimThreads::lock(&lock);
            log.note(letter);
            counts.0 += 1;
            SimThreads::notify_one(&news);
            counts = SimThreads::wait(&go, counts);
            log.note(letter.to_ascii_uppercase());
            counts.1 += 1;
            SimThreads::notify_one(&news);
        };
        SimThreads::spawn("waits", body).expect("a thread")
    };
    let threads = [waiter('a'), waiter('b')];
    let mut counts = SimThreads::lock(&lock);
    for expected in [(2, 0), (2, 1)] {
        while *counts != expected {
            counts = SimThreads::wait(&news, counts);
        }
        SimThreads::notify_one(&go);
        // Here main or the woken thread can go on, and nothing else tells who it is.
        step_aside(0);
    }
    drop(counts);
    join(threads);
}

#[test]
fn either_of_two_waiters_may_be_woken() {
    let met = walk(ALL, wakes);
    assert!(met.is_done);
    // Two that differ in nothing but who was woken are two classes, whoever came first.
    let of_classes: BTreeSet<&str> = met.classes.iter().map(|(_, order)| order.as_str()).collect();
    assert_eq!(of_classes, BTreeSet::from(["abAB", "abBA", "baAB", "baBA"]));
}

/// Threads that sleep for very different times and then hold one lock for a moment.
fn locks(log: &Log) {
    let lock = Arc::new(SimThreads::mutex("shared", ()));
    let thread = |letter: char| {
        let (log, lock): (Log, Arc<SimMutex<()>>) = (log.clone(), Arc::clone(&lock));
        let body = move || {
            SimThreads::sleep(Duration::from_millis(if letter == 'a' { 1 } else { 900 }));
            let guard = SimThreads::lock(&lock);
            log.note(letter);
            step_aside(u64::from(letter));
            log.note(letter.to_ascii_uppercase());
            drop(guard);
        };
        SimThreads::spawn("locks", body).expect("a thread")
    };
    join([thread('a'), thread('b')]);
}

#[test]
fn a_lock_excludes_in_every_schedule_and_a_sleep_takes_any_time() {
    let met = walk(ALL, locks);
    assert!(met.is_done);
    assert_eq!(met.distinct(), BTreeSet::from(["aAbB", "bBaA"]));
}

#[test]
fn a_schedule_in_words_is_the_same_schedule() {
    let met = walk(1, two_of_three);
    let orders = on_fresh_thread(move |_| {
        let kernel = Kernel::new(PolicyName::Random.build(0), Trace::new(false));
        let log = Log::default();
        let again = |(guide, order): (Guide, String)| {
            let read: Guide = guide.to_string().parse().expect("what was written");
            assert_eq!(read, guide);
            follow(&kernel, read, &Rc::default(), two_of_three, &log);
            (log.take(), order)
        };
        met.classes.into_iter().map(again).collect::<Vec<_>>()
    });
    assert!(orders.len() > 2);
    for (order, expected) in orders {
        assert_eq!(order, expected);
    }
    for wrong in ["", "3", "3:", "4:1,3:1", "3:1,3:2", "a:b", "-1:2"] {
        assert!(wrong.parse::<Guide>().is_err(), "{wrong}");
    }
}

/// A thread that looks again and again whether the other has stored, and maybe lets others go on.
fn spins<const YIELDS: bool>(log: &Log) {
    let word = Arc::new(SimAtomicU64::new(0));
    let (seen, stored) = (Arc::clone(&word), Arc::clone(&word));
    let spinner = SimThreads::spawn("spins", move || {
        while seen.load() == 0 {
            if YIELDS {
                SimThreads::yield_now();
            }
        }
    });
    let other = SimThreads::spawn("stores", move || {
        step_aside(1);
        stored.store(1);
    });
    join([spinner.expect("a thread"), other.expect("a thread")]);
    log.note('.');
}

#[test]
fn a_thread_that_spins_keeps_nobody_from_going_on() {
    let met = walk(ALL, spins::<true>);
    assert!(met.is_done && met.classes.len() > 2);
    let met = walk(0, spins::<false>);
    assert!(!met.orders.is_empty());
}

#[test]
fn two_walks_are_alike() {
    let (one, other) = (walk(2, locks), walk(2, locks));
    assert_eq!(one.orders, other.orders);
    assert_eq!(one.classes, other.classes);
}
