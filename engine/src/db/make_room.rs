//! Room in the memtable: waiting for it, and switching to a fresh memtable and log.
//!
//! All of it happens in the turn of a leader, so the whole queue waits with it, and nobody else
//! appends meanwhile.
//!
//! Invariant: before the first append to a new log, the old log has been synced, and so has the
//! directory with the names of both. So only the newest log with any bytes can have bytes that are
//! not durable.
//!
//! Source: LevelDB `DBImpl::MakeRoomForWrite`. Differs: that invariant; an empty memtable is never
//! switched; the level-0 triggers
//! are options; no lock is held while files are created.

use core::mem;
use core::time::Duration;
use std::sync::Arc;

use super::metrics::WriteStall;
use super::queue::Entered;
use super::request::Request;
use super::state::{Inner, Phase, State};
use super::write::{LeaderTurn, sync_log};
use crate::env::{Access, Atomic, Env, Point, Threads};
use crate::error::{Error, Result};
use crate::filename::{FileNumber, log_file_name};
use crate::memtable::MemTableWriter;
use crate::record::Writer;

/// How long a write is held up when there are many tables at level 0.
const SLOWDOWN: Duration = Duration::from_millis(1);

/// What room is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// One more group, if the memtable is not full.
    ForWrite {
        /// Whether to fail where there is something to wait for.
        no_wait: bool,
    },
    /// A fresh memtable, unless it is empty anyway.
    ForSwitch,
}

/// What a leader must do first.
enum Next {
    Go,
    Slow,
    /// For the flush of the memtable before, or for fewer tables at level 0.
    Wait(WriteStall),
    Switch,
}

impl<E: Env> Inner<E> {
    /// Returns once the leader may write, or, for a switch, once the memtable is empty.
    ///
    /// # Errors
    /// What stopped all writes; that of creating a log, after which the next write tries again;
    /// `HeldUp` instead of a wait.
    pub(super) fn make_room(&self, turn: &mut LeaderTurn<'_, E>, room: Room) -> Result<()> {
        let mut told = WriteStall::None;
        let outcome = self.wait_for_room(turn, room, &mut told);
        if told != WriteStall::None {
            self.state.lock().counters.set_stalled(WriteStall::None);
            self.observe_stall(WriteStall::None);
        }
        outcome
    }

    /// The same. `told` is what those who asked for it have been told that writes wait for.
    fn wait_for_room(
        &self,
        turn: &mut LeaderTurn<'_, E>,
        room: Room,
        told: &mut WriteStall,
    ) -> Result<()> {
        let no_wait = room == Room::ForWrite { no_wait: true };
        let mut may_delay = matches!(room, Room::ForWrite { .. });
        // The queue gives no turn to a write while writes are stopped, so the first look at the
        // memtable needs no lock, and a number of tables that is about to change will do. After
        // any wait the state is looked at again.
        let level0 = self.level0_hint.load_unsync();
        let slowdown = self.options.level0_slowdown_writes_trigger;
        let mut must_look = may_delay && slowdown.is_some_and(|trigger| level0 >= trigger as u64);
        loop {
            let mem = turn.mem.table();
            let is_switch_due = match room {
                Room::ForWrite { .. } => {
                    mem.approximate_memory_usage() > self.options.write_buffer_size as u64
                }
                Room::ForSwitch => !mem.is_empty(),
            };
            if !is_switch_due && !must_look {
                return Ok(());
            }
            must_look = true;
            let mut state = self.state.lock();
            match self.next_step(&state, is_switch_due, may_delay)? {
                Next::Go => return Ok(()),
                Next::Slow if no_wait => {
                    return Err(Error::HeldUp { by: WriteStall::Slowdown });
                }
                Next::Slow => {
                    state.counters.stall_began(WriteStall::Slowdown);
                    let is_asked_for = self.is_stall_asked_for(&state);
                    drop(state);
                    if is_asked_for {
                        self.tell_of_stall(turn, WriteStall::Slowdown, told);
                    }
                    tracing::debug!(target: "faultline", "write delayed");
                    let began = self.now();
                    E::Threads::sleep(SLOWDOWN);
                    let took = self.now().saturating_sub(began);
                    self.state.lock().counters.stall_ended(took);
                    // Once a write: many short delays instead of one long one.
                    may_delay = false;
                }
                // Closing must not wait for somebody who waits for room.
                Next::Wait(_) if state.phase != Phase::Open => return Err(Error::Closed),
                Next::Wait(by) if no_wait => return Err(Error::HeldUp { by }),
                // Nobody is told under a lock, and without it the reason may go away.
                Next::Wait(reason) if *told != reason && self.is_stall_asked_for(&state) => {
                    state.counters.set_stalled(reason);
                    drop(state);
                    self.tell_of_stall(turn, reason, told);
                }
                Next::Wait(reason) => {
                    tracing::debug!(target: "faultline", ?reason, "write waits");
                    state.counters.stall_began(reason);
                    let began = self.now();
                    state = self.done.wait(state);
                    state.counters.stall_ended(self.now().saturating_sub(began));
                    drop(state);
                }
                Next::Switch => {
                    let number = state.versions.new_file_number();
                    drop(state);
                    self.switch(turn, number)?;
                }
            }
        }
    }

    /// Whether anybody wants to know that writes are held up.
    fn is_stall_asked_for(&self, state: &State<E::Threads>) -> bool {
        let wants = self.options.observer.as_ref().is_some_and(|observer| observer.wants_stalls());
        wants || 0 < state.impatient
    }

    fn tell_of_stall(
        &self,
        turn: &mut LeaderTurn<'_, E>,
        stall: WriteStall,
        told: &mut WriteStall,
    ) {
        *told = stall;
        turn.hold_up(&Error::HeldUp { by: stall });
        self.observe_stall(stall);
    }

    fn observe_stall(&self, stall: WriteStall) {
        if let Some(observer) = self.options.observer.as_ref().filter(|o| o.wants_stalls()) {
            observer.write_stalled(stall);
        }
    }

    fn next_step(
        &self,
        state: &State<E::Threads>,
        is_switch_due: bool,
        may_delay: bool,
    ) -> Result<Next> {
        if let Some(error) = state.write_error() {
            return Err(error);
        }
        let level0 = state.versions.current().level(0).len();
        let reached = |trigger: Option<usize>| trigger.is_some_and(|trigger| level0 >= trigger);
        Ok(if may_delay && reached(self.options.level0_slowdown_writes_trigger) {
            Next::Slow
        } else if !is_switch_due {
            Next::Go
        } else if state.view.imm.is_some() {
            Next::Wait(WriteStall::Flush)
        } else if reached(self.options.level0_stop_writes_trigger) {
            Next::Wait(WriteStall::Level0)
        } else {
            Next::Switch
        })
    }

    /// Makes log `number` and an empty memtable the live ones, and the old memtable the one to be
    /// flushed.
    fn switch(&self, turn: &mut LeaderTurn<'_, E>, number: FileNumber) -> Result<()> {
        tracing::debug!(target: "faultline", from = turn.log_number, to = number, "switch");
        let since = self.directory.now();
        let log = match self.env.create(&log_file_name(&self.dir, number)) {
            Ok(file) => Writer::new(file),
            Err(error) => {
                // Nothing has changed, so the next write may try again, under the same number.
                self.state.lock().versions.reuse_file_number(number);
                return Err(error);
            }
        };
        let durable = sync_log(turn).and_then(|()| self.directory.sync(since));
        if let Err(error) = durable {
            self.set_background_error(&error, true);
            return Err(error);
        }
        let old_log = mem::replace(&mut turn.log, log);
        turn.log_number = number;
        turn.mem = MemTableWriter::new(self.order.clone());
        let mut state = self.state.lock();
        let imm = Arc::clone(&state.view.mem);
        state.imm_log_number = number;
        state.set_view(Arc::clone(turn.mem.table()), Some(imm));
        drop(state);
        E::Threads::point(Point { label: "switched", object: number, access: Access::Write });
        self.flush_work.notify_one();
        if let Err(error) = old_log.close() {
            // What it held is durable, as far as its sync can be trusted. LevelDB stops here too.
            self.set_background_error(&error, true);
            return Err(error);
        }
        Ok(())
    }

    /// Returns once the memtable that was live is in a table.
    ///
    /// # Errors
    /// What stopped all writes, before or meanwhile.
    pub(super) fn flush(&self) -> Result<()> {
        match self.queue.enter(Request::Switch) {
            Entered::Leader(mut turn) => {
                let outcome = self.make_room(&mut turn, Room::ForSwitch);
                let log_number = turn.log_number;
                let last_sequence = turn.last_sequence;
                turn.finish(outcome.map(|()| last_sequence))?;
                self.wait_for_flush(log_number)
            }
            Entered::Done(outcome) => outcome.map(drop),
        }
    }

    /// Waits until no log before `log_number` is needed any more.
    fn wait_for_flush(&self, log_number: FileNumber) -> Result<()> {
        let mut state = self.state.lock();
        while state.versions.log_number() < log_number {
            if let Some(error) = state.write_error() {
                return Err(error);
            }
            if state.phase == Phase::Closed {
                return Err(Error::Closed);
            }
            state = self.done.wait(state);
        }
        Ok(())
    }
}
