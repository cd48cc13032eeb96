//! The commit queue by itself: who leads, who rides along, and that nobody is left behind.

use std::sync::Arc;

use super::*;
use crate::db::request::Write;
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::loom_world::Loom;

type R = <PosixEnv as Env>::Threads;
type Queue = CommitQueue<R, Vec<u64>>;

/// Of a batch of one large value: the header, a tag, a key of 4 bytes with its length, and that of
/// a value of 16 KiB to 2 MiB.
const OVERHEAD: usize = 12 + 1 + 5 + 3;

fn batch(operations: u32, value_size: usize) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for i in 0..operations {
        batch.put(&i.to_le_bytes(), &vec![b'v'; value_size]).unwrap();
    }
    batch
}

fn lead<'q>(queue: &'q Queue, write: Write<'_>, sync: bool) -> Turn<'q, R, Vec<u64>> {
    match queue.enter(Request::Write { write, sync, no_wait: false }) {
        Entered::Leader(turn) => turn,
        Entered::Done(outcome) => panic!("not the leader: {outcome:?}"),
    }
}

impl<R: Threads, T: Send> CommitQueue<R, T> {
    /// How many stand in line behind who leads.
    pub(in crate::db) fn waiting(&self) -> usize {
        self.line.lock().waiting.len()
    }
}

#[derive(Clone, Debug)]
enum Job {
    Write { batch: WriteBatch, sync: bool },
    Impatient,
    Sync,
    Switch,
    Resume,
}

/// A write that does not wait for room.
const IMPATIENT: Request<'_> =
    Request::Write { write: Write::Delete { key: b"k" }, sync: false, no_wait: true };

/// What came of a caller: its outcome, and whether it was as a leader.
type Fate = (Result<SequenceNumber>, bool);

/// Lines up on a thread of its own, and returns once it is in line. A leader ends its turn with
/// sequence number 1000.
fn line_up(queue: &Arc<Queue>, job: Job) -> <R as Threads>::JoinHandle<Fate> {
    let before = queue.waiting();
    let handle = {
        let queue = Arc::clone(queue);
        R::spawn("follower", move || {
            let request = match &job {
                Job::Write { batch, sync } => {
                    Request::Write { write: Write::Batch(batch), sync: *sync, no_wait: false }
                }
                Job::Impatient => IMPATIENT,
                Job::Sync => Request::Sync,
                Job::Switch => Request::Switch,
                Job::Resume => Request::Resume,
            };
            match queue.enter(request) {
                Entered::Leader(turn) => (turn.finish(Ok(1000)), true),
                Entered::Done(outcome) => (outcome, false),
            }
        })
        .expect("a thread")
    };
    while queue.waiting() == before {
        R::yield_now();
    }
    handle
}

fn queue() -> Arc<Queue> {
    Arc::new(CommitQueue::new(Vec::new()))
}

fn fates(handles: Vec<<R as Threads>::JoinHandle<Fate>>) -> Vec<Fate> {
    handles.into_iter().map(|handle| R::join(handle).unwrap()).collect()
}

/// Which of `jobs`, in line behind a leader with a batch of `size` bytes, ride along.
fn riders(size: usize, sync: bool, jobs: &[Job]) -> usize {
    let queue = queue();
    let own = batch(1, size);
    let mut turn = lead(&queue, Write::Batch(&own), sync);
    let handles = jobs.iter().map(|job| line_up(&queue, job.clone())).collect();
    let mut group = own.clone();
    let riders = turn.gather(&mut group);
    turn.finish(Ok(1)).unwrap();
    let fates = fates(handles);
    for (index, (outcome, led)) in fates.iter().enumerate() {
        assert!(outcome.is_ok());
        assert_eq!(*led, index >= riders, "caller {index}");
    }
    riders
}

fn write(size: usize, sync: bool) -> Job {
    Job::Write { batch: batch(1, size), sync }
}

#[test]
fn nobody_impatient_stands_in_line_while_a_turn_is_held_up() {
    let queue = queue();
    let mut turn = lead(&queue, Write::Delete { key: b"k" }, false);
    let jobs = [write(10, false), Job::Impatient, write(20, false), Job::Impatient, Job::Sync];
    let handles = jobs.map(|job| line_up(&queue, job)).into();
    let error = Error::HeldUp { by: crate::db::WriteStall::Flush };
    turn.hold_up(&error);
    assert_eq!(queue.waiting(), 3, "they are refused");
    let late = queue.enter(IMPATIENT);
    assert!(matches!(late, Entered::Done(Err(refusal)) if refusal == error), "and who comes is");
    let mut group = batch(1, 1);
    assert_eq!(turn.gather(&mut group), 2, "a sync does not ride with those who do not ask for it");
    assert_eq!((group.count(), turn.finish(Ok(7))), (3, Ok(7)));
    let outcomes: Vec<_> = fates(handles).into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, [Ok(8), Err(error.clone()), Ok(9), Err(error), Ok(1000)]);
    let Entered::Leader(turn) = queue.enter(IMPATIENT) else { panic!("nothing holds it up") };
    turn.finish(Ok(1)).unwrap();
}

#[test]
fn one_caller_after_the_other_leads() {
    let queue = queue();
    assert_eq!(format!("{queue:?}"), "CommitQueue { .. }");
    for i in 0..3 {
        let own = batch(2, 10);
        let mut turn = lead(&queue, Write::Batch(&own), false);
        turn.push(i);
        assert_eq!(turn.finish(Ok(2 * i)).unwrap(), 2 * i);
    }
    let turn = lead(&queue, Write::Delete { key: b"k" }, false);
    assert_eq!(*turn, [0, 1, 2]);
    turn.finish(Ok(0)).unwrap();
}

#[test]
fn a_group_is_in_order_and_each_rider_gets_its_own_first_sequence() {
    let queue = queue();
    let own = batch(3, 1);
    let mut turn = lead(&queue, Write::Batch(&own), false);
    let sizes = [2, 0, 5];
    let handles = sizes
        .iter()
        .map(|&count| line_up(&queue, Job::Write { batch: batch(count, 1), sync: false }))
        .collect();
    let mut group = own.clone();
    assert_eq!(turn.gather(&mut group), 3);
    assert_eq!(group.count(), 10);
    turn.finish(Ok(100)).unwrap();
    let firsts: Vec<_> = fates(handles).into_iter().map(|(outcome, _)| outcome.unwrap()).collect();
    assert_eq!(firsts, [103, 105, 105]);
}

#[test]
fn riders_get_the_error_of_their_leader() {
    let queue = queue();
    let own = batch(1, 1);
    let mut turn = lead(&queue, Write::Batch(&own), false);
    let handles = vec![line_up(&queue, write(1, false)), line_up(&queue, write(1, false))];
    assert_eq!(turn.gather(&mut own.clone()), 2);
    let error = Error::invalid("no");
    assert_eq!(turn.finish(Err(error.clone())), Err(error.clone()));
    assert!(fates(handles).iter().all(|(outcome, led)| *outcome == Err(error.clone()) && !led));
    // It was no stop: the next one leads.
    lead(&queue, Write::Batch(&own), false).finish(Ok(1)).unwrap();
}

#[test]
fn a_small_leader_takes_little_more_than_its_own_size() {
    const KIB: usize = 1 << 10;
    let small = |n| vec![write(40 * KIB, false); n];
    // 1 KiB + 128 KiB: three of 40 KiB fit, a fourth does not.
    assert_eq!(riders(KIB, false, &small(4)), 3);
    assert_eq!(riders(100 * KIB, false, &small(4)), 3);
    // Above 128 KiB the cap is 1 MiB in all.
    assert_eq!(riders(200 * KIB, false, &vec![write(300 * KIB, false); 4]), 2);
    assert_eq!(riders(1100 * KIB, false, &small(1)), 0);
    // Who does not fit keeps those behind it out.
    assert_eq!(riders(KIB, false, &[write(200 * KIB, false), write(1, false)]), 0);
}

#[test]
fn a_group_may_be_as_large_as_its_cap() {
    let small = SMALL_BATCH_SIZE_MAX - OVERHEAD;
    assert_eq!(riders(100, false, &[write(small, false)]), 1);
    assert_eq!(riders(100, false, &[write(small + 1, false)]), 0);
    let leader = 200 << 10;
    let rest = GROUP_SIZE_MAX - (leader + OVERHEAD) - OVERHEAD;
    assert_eq!(riders(leader, false, &[write(rest, false)]), 1);
    assert_eq!(riders(leader, false, &[write(rest + 1, false)]), 0);
}

#[test]
fn a_sync_writer_never_rides_with_a_leader_that_does_not_sync() {
    assert_eq!(riders(1, false, &[write(1, false), write(1, true), write(1, false)]), 1);
    assert_eq!(riders(1, true, &[write(1, false), write(1, true), write(1, false)]), 3);
    assert_eq!(riders(1, false, &[Job::Sync, write(1, false)]), 0);
    assert_eq!(riders(1, true, &[Job::Sync, write(1, false)]), 2);
}

#[test]
fn a_switch_and_a_resume_ride_with_nobody() {
    assert_eq!(riders(1, true, &[Job::Switch, write(1, false)]), 0);
    assert_eq!(riders(1, true, &[write(1, false), Job::Resume]), 1);
}

#[test]
fn a_stop_fails_who_waits_and_who_comes_but_not_a_resume() {
    let queue = queue();
    let own = batch(1, 1);
    let turn = lead(&queue, Write::Batch(&own), false);
    let jobs = [write(1, false), Job::Switch, Job::Resume, write(1, true)];
    let handles = jobs.into_iter().map(|job| line_up(&queue, job)).collect();
    let error = Error::invalid("first").into_background();
    queue.stop(error.clone());
    queue.stop(Error::invalid("second"));
    turn.finish(Ok(1)).unwrap();
    let outcomes: Vec<_> = fates(handles);
    assert_eq!(outcomes[0], (Err(error.clone()), false));
    assert_eq!(outcomes[1], (Err(error.clone()), false));
    assert_eq!(outcomes[2], (Ok(1000), true));
    assert_eq!(outcomes[3], (Err(error.clone()), false));
    let Entered::Done(outcome) = queue.enter(Request::Sync) else { panic!("stopped") };
    assert_eq!(outcome, Err(error));

    let Entered::Leader(mut turn) = queue.enter(Request::Resume) else { panic!("may lead") };
    turn.restart();
    turn.finish(Ok(0)).unwrap();
    lead(&queue, Write::Batch(&own), false).finish(Ok(1)).unwrap();
}

#[test]
fn a_place_keeps_no_large_batch_and_is_used_again() {
    let queue = queue();
    let own = batch(1, 1);
    let most = SMALL_BATCH_SIZE_MAX - OVERHEAD;
    for (value_size, kept) in
        [(1, 12 + 1 + 5 + 1 + 1), (most, SMALL_BATCH_SIZE_MAX), (most + 1, 12), (1, 20)]
    {
        let mut turn = lead(&queue, Write::Batch(&own), false);
        let handles = vec![line_up(&queue, write(value_size, false))];
        turn.gather(&mut own.clone());
        turn.finish(Ok(1)).unwrap();
        fates(handles).pop().expect("one").0.unwrap();
        let line = queue.line.lock();
        assert_eq!((line.places.len(), &line.free[..]), (1, &[0][..]));
        assert_eq!(line.places[0].batch.byte_size(), kept, "a value of {value_size} bytes");
    }
}

#[test]
fn an_ended_queue_gives_up_what_it_holds() {
    let queue = queue();
    let own = batch(1, 1);
    let mut turn = lead(&queue, Write::Batch(&own), false);
    turn.push(7);
    let handles = vec![line_up(&queue, write(1, false)), line_up(&queue, Job::Resume)];
    assert_eq!(turn.end_queue(Error::Closed), Some(vec![7]));
    assert!(fates(handles).iter().all(|fate| *fate == (Err(Error::Closed), false)));
    for request in [Request::Sync, Request::Resume, Request::Close] {
        let Entered::Done(outcome) = queue.enter(request) else { panic!("nobody leads") };
        assert_eq!(outcome, Err(Error::Closed));
    }
}

#[test]
fn a_leader_that_dies_leaves_nobody_waiting() {
    let queue = queue();
    let handles: Arc<Mutex<R, Vec<_>>> = Arc::new(Mutex::new("handles", Vec::new()));
    let dying = {
        let (queue, handles) = (Arc::clone(&queue), Arc::clone(&handles));
        R::spawn("dying", move || {
            let own = batch(1, 1);
            let mut turn = lead(&queue, Write::Batch(&own), true);
            for job in [write(1, true), write(1, true), Job::Switch, Job::Resume] {
                let waiting = line_up(&queue, job);
                handles.lock().push(waiting);
            }
            assert_eq!(turn.gather(&mut own.clone()), 2);
            panic!("on purpose: a leader dies");
        })
        .expect("a thread")
    };
    assert!(R::join(dying).is_err());
    let handles = mem::take(&mut *handles.lock());
    let dead = |outcome: &Result<SequenceNumber>| matches!(outcome, Err(Error::Background(_)));
    assert!(fates(handles).iter().all(|(outcome, led)| dead(outcome) && !led));
    for request in [Request::Sync, Request::Resume, Request::Close] {
        let Entered::Done(outcome) = queue.enter(request) else { panic!("nobody leads") };
        assert!(dead(&outcome));
    }
}

/// Every interleaving of a leader and two others that line up meanwhile: each ends once, with its
/// own place in the order, and nobody sleeps for ever.
#[test]
fn under_loom_everyone_gets_a_place_of_its_own() {
    loom::model(|| {
        type Queue = CommitQueue<Loom, SequenceNumber>;
        fn write(queue: &Queue) -> SequenceNumber {
            let write = Write::Put { key: b"k", value: b"v" };
            match queue.enter(Request::Write { write, sync: false, no_wait: false }) {
                Entered::Done(outcome) => outcome.unwrap(),
                Entered::Leader(mut turn) => {
                    let mut group = WriteBatch::new();
                    write.append_to(&mut group).unwrap();
                    turn.gather(&mut group);
                    let first = *turn + 1;
                    *turn += SequenceNumber::from(group.count());
                    turn.finish(Ok(first)).unwrap()
                }
            }
        }
        let queue = Arc::new(Queue::new(0));
        let others: Vec<_> = (0..2)
            .map(|_| {
                let queue = Arc::clone(&queue);
                Loom::spawn("writer", move || write(&queue)).expect("a thread")
            })
            .collect();
        let mut given = vec![write(&queue)];
        given.extend(others.into_iter().map(|other| Loom::join(other).unwrap()));
        given.sort_unstable();
        assert_eq!(given, [1, 2, 3]);
    });
}

/// Every interleaving of a writer with a leader that fails and stops the queue.
#[test]
fn under_loom_a_stop_reaches_everyone() {
    loom::model(|| {
        let queue = Arc::new(CommitQueue::<Loom, ()>::new(()));
        let other = {
            let queue = Arc::clone(&queue);
            Loom::spawn("writer", move || match queue.enter(Request::Sync) {
                Entered::Done(outcome) => outcome.is_err(),
                Entered::Leader(turn) => turn.finish(Ok(0)).is_err(),
            })
            .expect("a thread")
        };
        match queue.enter(Request::Switch) {
            Entered::Leader(turn) => {
                queue.stop(Error::Closed);
                turn.finish(Err(Error::Closed)).unwrap_err();
            }
            Entered::Done(outcome) => panic!("a switch leads or waits: {outcome:?}"),
        }
        // It came first, or it was refused; it does not hang.
        Loom::join(other).unwrap();
        assert!(matches!(queue.enter(Request::Sync), Entered::Done(Err(Error::Closed))));
    });
}
