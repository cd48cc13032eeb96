//! One group of writes: appended to the log, made durable if asked, put into the memtable, and
//! published. In that order, by the leader of the commit queue.
//!
//! Invariants:
//! - A group is published only after its record is in the log and, for a sync write, durable; all
//!   of it at once.
//! - Sequence numbers are given once: also a group that failed uses up its numbers, for its record
//!   may be on disk.
//! - After a failed append or sync the log is never touched again, and nothing is acknowledged
//!   until `resume` or the next open.
//!
//! Source: LevelDB `DBImpl::Write`. Differs: a failed append stops all writes, as a failed sync
//! does; a batch is valid before it lines up.

use super::make_room::Room;
use super::metrics::WriteStall;
use super::queue::{Entered, Turn};
use super::request::{Request, Write};
use super::state::{Inner, WriteHalf};
use crate::batch::WriteBatch;
use crate::env::{Access, Env, Point, Threads};
use crate::error::{Error, Result};
use crate::key::{MAX_SEQUENCE, SequenceNumber};
use crate::options::WriteOptions;

/// The turn of a leader of database `E`.
pub(super) type LeaderTurn<'q, E> =
    Turn<'q, <E as Env>::Threads, Box<WriteHalf<<E as Env>::Threads>>>;

/// A record whose memory is kept for the next group.
const GROUP_MEMORY_MAX: usize = 2 << 20;

impl<E: Env> Inner<E> {
    /// Writes; returns the first sequence number of the write.
    pub(super) fn write(&self, write: Write<'_>, options: WriteOptions) -> Result<SequenceNumber> {
        write.check()?;
        if !options.no_wait {
            return self.line_up(write, options);
        }
        // A leader that is held up from here on sees that somebody does not want to wait for it;
        // one that is already says so here.
        let mut state = self.state.lock();
        match state.counters.stalled() {
            WriteStall::None => state.impatient += 1,
            by => return Err(Error::HeldUp { by }),
        }
        drop(state);
        let outcome = self.line_up(write, options);
        self.state.lock().impatient -= 1;
        outcome
    }

    fn line_up(&self, write: Write<'_>, options: WriteOptions) -> Result<SequenceNumber> {
        let WriteOptions { sync, no_wait } = options;
        match self.queue.enter(Request::Write { write, sync, no_wait }) {
            Entered::Leader(turn) => self.lead(turn, write, options),
            Entered::Done(outcome) => outcome,
        }
    }

    fn lead(
        &self,
        mut turn: LeaderTurn<'_, E>,
        write: Write<'_>,
        options: WriteOptions,
    ) -> Result<SequenceNumber> {
        let WriteOptions { sync, no_wait } = options;
        if let Err(error) = self.make_room(&mut turn, Room::ForWrite { no_wait }) {
            return turn.finish(Err(error));
        }
        let mut group = turn.group.take().unwrap_or_default();
        group.clear();
        let outcome = match write.append_to(&mut group) {
            Ok(()) => {
                let followers = turn.gather(&mut group);
                tracing::debug!(
                    target: "faultline", followers, bytes = group.byte_size(), sync, "group formed"
                );
                self.commit(&mut turn, &mut group, sync)
            }
            Err(error) => Err(Failure::Refused(error)),
        };
        turn.group = (group.byte_size() <= GROUP_MEMORY_MAX).then_some(group);
        match outcome {
            Ok(first) => turn.finish(Ok(first)),
            Err(Failure::Refused(error)) => turn.finish(Err(error)),
            Err(Failure::Fatal(error)) => {
                self.set_background_error(&error, true);
                turn.finish(Err(error))
            }
        }
    }

    fn commit(
        &self,
        half: &mut WriteHalf<E::Threads>,
        group: &mut WriteBatch,
        sync: bool,
    ) -> core::result::Result<SequenceNumber, Failure> {
        let before = half.last_sequence;
        let last = before + SequenceNumber::from(group.count());
        if last > MAX_SEQUENCE {
            return Err(Failure::Refused(Error::invalid("the sequence numbers are used up")));
        }
        group.set_sequence(before + 1);
        let logged = log_group(half, group, sync);
        if logged.is_ok() {
            for (sequence, op) in (before + 1..).zip(&*group) {
                half.mem.add(sequence, op.value_type(), op.key(), op.value());
            }
            E::Threads::point(Point { label: "publish", object: last, access: Access::Write });
        }
        // Also after a failure: the record may be on disk, so its numbers are spent. Nothing of it
        // is in the memtable, so nobody can see it.
        half.last_sequence = last;
        self.last_sequence.publish(last);
        tracing::debug!(target: "faultline", last, ok = logged.is_ok(), "group ended");
        logged.map(|()| before + 1).map_err(Failure::Fatal)
    }

    /// Makes everything acknowledged so far durable.
    pub(super) fn sync(&self) -> Result<()> {
        match self.queue.enter(Request::Sync) {
            Entered::Leader(mut turn) => match sync_log(&mut turn) {
                Ok(()) => {
                    let sequence = turn.last_sequence;
                    turn.finish(Ok(sequence)).map(drop)
                }
                Err(error) => {
                    self.set_background_error(&error, true);
                    turn.finish(Err(error)).map(drop)
                }
            },
            Entered::Done(outcome) => outcome.map(drop),
        }
    }
}

/// Why a group was not committed.
enum Failure {
    /// Nothing was touched; the next write may succeed.
    Refused(Error),
    /// The log is in an unknown state.
    Fatal(Error),
}

fn log_group<R: Threads>(half: &mut WriteHalf<R>, group: &WriteBatch, sync: bool) -> Result<()> {
    half.log_is_dirty = true;
    half.log.add_record(group.contents())?;
    if sync { sync_log(half) } else { Ok(()) }
}

/// Syncs the log if it has anything that is not durable.
pub(super) fn sync_log<R: Threads>(half: &mut WriteHalf<R>) -> Result<()> {
    if half.log_is_dirty {
        half.log.sync()?;
        half.log_is_dirty = false;
        tracing::debug!(target: "faultline", log = half.log_number, "log synced");
    }
    Ok(())
}
