//! [`CommitQueue`]: who writes next, and which waiting batches ride along.
//!
//! Callers line up in the order in which they come. The first in line is the *leader*: it alone
//! holds `T`, the things that writing needs (log, memtable), until it ends its [`Turn`]. A leader
//! may take the batches of those right behind it into its own group; they are then done when it is.
//! What a leader does with its turn is not the queue's business.
//!
//! Invariants:
//! - At most one turn exists. While it does, `T` is out of the queue.
//! - However a turn ends, also by an early return or a panic, every member of its group gets an
//!   outcome and is woken, and the next in line is woken to lead.
//! - Once the queue is stopped no waiting write is left to lead: each gets the error that stopped
//!   it. Only `resume` and `close` still get a turn.
//!
//! Source: LevelDB `db/db_impl.cc`, `Write` and `BuildBatchGroup`. Differs: a lock of its own; a
//! switch request never rides in another's group (LevelDB counts it in, and it does nothing); a
//! sync request without a batch can; waiting places are kept and used again.

use core::fmt;
use core::mem;
use core::ops::{Deref, DerefMut};
use std::collections::VecDeque;
use std::sync::Arc;

use super::request::Request;
use super::wake::Wake;
use crate::batch::WriteBatch;
use crate::env::{Condvar, Mutex, Threads};
use crate::error::{Error, Result};
use crate::key::SequenceNumber;

/// Most bytes of a group, by the size of its first batch.
const GROUP_SIZE_MAX: usize = 1 << 20;
/// A batch up to this size does not wait for more than about as much again.
const SMALL_BATCH_SIZE_MAX: usize = 128 << 10;

/// What came of lining up.
pub(super) enum Entered<'q, R: Threads, T: Send> {
    /// The caller leads.
    Leader(Turn<'q, R, T>),
    /// A leader did the work: the first sequence number of the caller's batch.
    Done(Result<SequenceNumber>),
}

/// How a waiting place stands.
#[derive(Debug)]
enum Progress {
    Waiting,
    Leads,
    Done(Result<SequenceNumber>),
}

/// A waiting place.
struct Place<R: Threads> {
    condvar: Arc<Condvar<R>>,
    progress: Progress,
    kind: Kind,
    is_sync: bool,
    is_impatient: bool,
    // A copy of the caller's batch: the leader may not look into the caller's stack.
    batch: WriteBatch,
}

/// A [`Request`] without what it borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Write,
    Sync,
    Alone { leads_when_stopped: bool },
}

struct Line<R: Threads, T> {
    // Invariant: `None` exactly while a turn exists, and for good once the queue is ended.
    resource: Option<T>,
    has_leader: bool,
    places: Vec<Place<R>>,
    free: Vec<usize>,
    // Those behind the leader, in the order in which they came.
    waiting: VecDeque<usize>,
    stopped: Option<Error>,
    // What the impatient get instead of a place, while a turn is held up.
    held_up: Option<Error>,
    // Whether the leader's thread died in its turn: what it left half done cannot be repaired.
    is_abandoned: bool,
}

/// The line, and what its leader holds.
pub(super) struct CommitQueue<R: Threads, T: Send> {
    line: Mutex<R, Line<R, T>>,
}

impl<R: Threads, T: Send> CommitQueue<R, T> {
    pub(super) fn new(resource: T) -> Self {
        Self::with(Some(resource), None)
    }

    /// A queue that has ended: everyone gets `error`.
    pub(super) fn ended(error: Error) -> Self {
        Self::with(None, Some(error))
    }

    fn with(resource: Option<T>, stopped: Option<Error>) -> Self {
        let line = Line {
            resource,
            has_leader: false,
            places: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            stopped,
            held_up: None,
            is_abandoned: false,
        };
        CommitQueue { line: Mutex::new("commit queue", line) }
    }

    /// Lines up and waits until the caller leads or its work was done by another.
    ///
    /// # Errors
    /// In [`Entered::Done`]: that of the group, or what stopped the queue.
    pub(super) fn enter(&self, request: Request<'_>) -> Entered<'_, R, T> {
        let mut line = self.line.lock();
        if let Some(error) = line.refusal(request.leads_when_stopped()) {
            return Entered::Done(Err(error));
        }
        if let Some(error) = line.held_up.as_ref().filter(|_| request.is_impatient()) {
            return Entered::Done(Err(error.clone()));
        }
        if !line.has_leader {
            line.has_leader = true;
            return Entered::Leader(self.turn(&mut line, request));
        }
        let place = line.wait_in_line(request);
        let condvar = Arc::clone(&line.places[place].condvar);
        loop {
            line = condvar.wait(line);
            match mem::replace(&mut line.places[place].progress, Progress::Waiting) {
                Progress::Waiting => {}
                Progress::Leads => {
                    line.leave(place);
                    return Entered::Leader(self.turn(&mut line, request));
                }
                Progress::Done(outcome) => {
                    line.leave(place);
                    return Entered::Done(outcome);
                }
            }
        }
    }

    fn turn(&self, line: &mut Line<R, T>, request: Request<'_>) -> Turn<'_, R, T> {
        let resource = line.resource.take();
        assert!(resource.is_some(), "the last leader gave back what it held");
        let (size, count) = match request {
            Request::Write { write, .. } => (write.byte_size(), write.count()),
            Request::Sync | Request::Switch | Request::Resume | Request::Close => (0, 0),
        };
        let is_sync = request.is_sync();
        Turn { queue: self, resource, size, count, is_sync, followers: 0, ended: false }
    }

    /// Stops the queue: every waiting and later write fails with `error`. The first error stays,
    /// and is returned.
    pub(super) fn stop(&self, error: Error) -> Error {
        let mut line = self.line.lock();
        line.stopped.get_or_insert(error).clone()
    }

    /// What stopped the queue, if it is stopped.
    pub(super) fn stopped(&self) -> Option<Error> {
        self.line.lock().stopped.clone()
    }
}

impl<R: Threads, T> Line<R, T> {
    /// Why a request gets no turn.
    fn refusal(&self, leads_when_stopped: bool) -> Option<Error> {
        let is_ended = !self.has_leader && self.resource.is_none();
        if leads_when_stopped && !self.is_abandoned && !is_ended {
            return None;
        }
        self.stopped.clone()
    }

    fn wait_in_line(&mut self, request: Request<'_>) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                condvar: Arc::new(Condvar::new("commit turn")),
                progress: Progress::Waiting,
                kind: Kind::Sync,
                is_sync: false,
                is_impatient: false,
                batch: WriteBatch::new(),
            });
            self.places.len() - 1
        });
        let waiting = &mut self.places[place];
        waiting.progress = Progress::Waiting;
        waiting.is_sync = request.is_sync();
        waiting.is_impatient = request.is_impatient();
        waiting.kind = match request {
            Request::Write { write, .. } => {
                waiting.batch.clear();
                write.append_to(&mut waiting.batch).expect("checked before it lined up");
                Kind::Write
            }
            Request::Sync => Kind::Sync,
            Request::Switch | Request::Resume | Request::Close => {
                Kind::Alone { leads_when_stopped: request.leads_when_stopped() }
            }
        };
        self.waiting.push_back(place);
        place
    }

    /// Gives a place back for the next who waits.
    fn leave(&mut self, place: usize) {
        let batch = &mut self.places[place].batch;
        if batch.byte_size() > SMALL_BATCH_SIZE_MAX {
            // Too much memory to keep for who may never need it.
            *batch = WriteBatch::new();
        }
        self.free.push(place);
    }

    /// Takes the first in line out of it with this outcome.
    fn settle_front(&mut self, progress: Progress) -> Option<Arc<Condvar<R>>> {
        let place = self.waiting.pop_front()?;
        Some(self.settle(place, progress))
    }

    /// Gives a place that is not in line any more its outcome.
    fn settle(&mut self, place: usize, progress: Progress) -> Arc<Condvar<R>> {
        let place = &mut self.places[place];
        place.progress = progress;
        Arc::clone(&place.condvar)
    }

    fn front(&self) -> Option<&Place<R>> {
        self.waiting.front().map(|&place| &self.places[place])
    }

    /// Settles everyone who cannot lead and promotes the first who can.
    fn promote(&mut self, wake: &mut Wake<R>) {
        self.has_leader = false;
        while let Some(front) = self.front() {
            let leads_when_stopped = front.kind == Kind::Alone { leads_when_stopped: true };
            if let Some(error) = self.refusal(leads_when_stopped) {
                wake.push(self.settle_front(Progress::Done(Err(error))));
            } else {
                wake.push(self.settle_front(Progress::Leads));
                self.has_leader = true;
                return;
            }
        }
    }
}

/// The right to write, and the things that it takes.
pub(super) struct Turn<'q, R: Threads, T: Send> {
    queue: &'q CommitQueue<R, T>,
    // Invariant: `Some` until the turn ends.
    resource: Option<T>,
    /// Bytes and operations of the leader's own batch.
    size: usize,
    count: u32,
    is_sync: bool,
    /// How many of those in line ride along; they stay in line until the turn ends.
    followers: usize,
    ended: bool,
}

impl<R: Threads, T: Send> Turn<'_, R, T> {
    /// Appends the batches that may ride along to `group`, which holds the leader's own. Returns
    /// how many callers do.
    ///
    /// The rules: not past 1 MiB, nor past the leader's size + 128 KiB if that is at most 128 KiB;
    /// no sync writer behind a leader that does not sync; nothing out of order.
    pub(super) fn gather(&mut self, group: &mut WriteBatch) -> usize {
        debug_assert_eq!(self.followers, 0, "a turn gathers once");
        let size_max = if self.size <= SMALL_BATCH_SIZE_MAX {
            self.size + SMALL_BATCH_SIZE_MAX
        } else {
            GROUP_SIZE_MAX
        };
        let mut size = self.size;
        let mut riders = 0;
        let line = self.queue.line.lock();
        for &place in &line.waiting {
            let place = &line.places[place];
            if place.is_sync && !self.is_sync {
                break;
            }
            match place.kind {
                Kind::Write => {
                    size += place.batch.byte_size();
                    // The second never holds: both caps are far below that of a batch.
                    if size > size_max || group.append(&place.batch).is_err() {
                        break;
                    }
                }
                Kind::Sync => {}
                Kind::Alone { .. } => break,
            }
            riders += 1;
        }
        drop(line);
        self.followers = riders;
        riders
    }

    /// Ends the turn. `outcome` is the group's: the first sequence number of the leader's own
    /// batch, from which the others' follow, or the error that all of them get.
    pub(super) fn finish(mut self, outcome: Result<SequenceNumber>) -> Result<SequenceNumber> {
        self.end(&outcome);
        outcome
    }

    /// Until this turn ends nobody impatient stands in line: those who do get `error` at once, and
    /// so do those who come.
    pub(super) fn hold_up(&mut self, error: &Error) {
        debug_assert_eq!(self.followers, 0, "who rides along is not refused");
        let mut wake = Wake::new();
        let mut line = self.queue.line.lock();
        line.held_up = Some(error.clone());
        let waiting = mem::take(&mut line.waiting);
        for place in waiting {
            if line.places[place].is_impatient {
                wake.push(Some(line.settle(place, Progress::Done(Err(error.clone())))));
            } else {
                line.waiting.push_back(place);
            }
        }
        drop(line);
        wake.notify();
    }

    /// Lets the queue go on again. Takes effect when the turn ends.
    pub(super) fn restart(&mut self) {
        self.queue.line.lock().stopped = None;
    }

    /// Ends the turn and the queue: everyone, now and later, gets `error`. Returns what the leader
    /// held.
    pub(super) fn end_queue(mut self, error: Error) -> Option<T> {
        let resource = self.resource.take();
        let mut line = self.queue.line.lock();
        line.stopped = Some(error);
        drop(line);
        self.end(&Ok(0));
        resource
    }

    fn end(&mut self, outcome: &Result<SequenceNumber>) {
        self.ended = true;
        let mut wake = Wake::new();
        let mut line = self.queue.line.lock();
        let mut next = outcome.as_ref().map(|first| first + SequenceNumber::from(self.count));
        for _ in 0..self.followers {
            let progress = Progress::Done(match &mut next {
                Ok(sequence) => {
                    let first = *sequence;
                    *sequence += line.front().map_or(0, Place::operations);
                    Ok(first)
                }
                Err(error) => Err(error.clone()),
            });
            wake.push(line.settle_front(progress));
        }
        line.resource = self.resource.take();
        line.held_up = None;
        line.promote(&mut wake);
        drop(line);
        wake.notify();
    }
}

impl<R: Threads> Place<R> {
    fn operations(&self) -> SequenceNumber {
        if self.kind == Kind::Write { self.batch.count().into() } else { 0 }
    }
}

impl<R: Threads, T: Send> Drop for Turn<'_, R, T> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Only a panic comes here. The log may end anywhere and the memtable may hold half a
        // batch; nobody may build on that.
        let error = Error::invalid("a thread died in the middle of a write").into_background();
        let mut line = self.queue.line.lock();
        line.is_abandoned = true;
        line.stopped.get_or_insert_with(|| error.clone());
        drop(line);
        self.end(&Err(error));
    }
}

impl<R: Threads, T: Send> Deref for Turn<'_, R, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.resource.as_ref().expect("held until the turn ends")
    }
}

impl<R: Threads, T: Send> DerefMut for Turn<'_, R, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.resource.as_mut().expect("held until the turn ends")
    }
}

impl<R: Threads, T: Send> fmt::Debug for CommitQueue<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommitQueue { .. }")
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
