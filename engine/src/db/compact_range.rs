//! [`Db::compact_range`](super::Db::compact_range): compacting what somebody asks for.
//!
//! The memtable goes first, then level after level. The compaction thread does the work, step by
//! step; who asked waits. One range at a time.
//!
//! Source: LevelDB `DBImpl::{CompactRange, TEST_CompactRange}`. Differs: which levels there are to
//! compact is looked up after the flush, so that what it wrote is among them; errors are returned;
//! level 0 is done in one step, and a range that writes keep adding to cannot hold up its caller.

use super::state::{Inner, Phase, State};
use crate::compaction::{self, Compaction};
use crate::env::{Env, Threads};
use crate::error::{Error, Result};
use crate::key::user_key;
use crate::version::edit::LEVEL_COUNT;

/// A part of a level that is to be compacted into the next.
#[derive(Clone, Debug)]
pub(super) struct RangeRequest {
    level: usize,
    begin: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    is_done: bool,
}

impl<R: Threads> State<R> {
    /// Notes that one step of the requested range has been made.
    pub(super) fn advance_range(&mut self, step: &Compaction) {
        let Some(range) = &mut self.range else { return };
        range.is_done |= range.level == 0;
        range.begin = Some(user_key(step.next_start()).to_vec());
    }
}

impl<E: Env> Inner<E> {
    /// The next step of the requested range, if one is requested; notes when there is none left.
    pub(super) fn pick_range_step(&self, state: &mut State<E::Threads>) -> Option<Compaction> {
        let range = state.range.as_mut().filter(|range| !range.is_done)?;
        let bounds = (range.begin.as_deref(), range.end.as_deref());
        let version = state.versions.current();
        let step = compaction::pick_range(version, range.level, bounds, self.limits(), &self.order);
        if step.is_none() {
            range.is_done = true;
            self.done.notify_all();
        }
        step
    }

    /// Compacts the user keys from `begin` to `end`, both included.
    pub(super) fn compact_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
        self.flush()?;
        let state = self.state.lock();
        let version = state.versions.current();
        let has_any =
            |&level: &usize| compaction::overlaps(version, level, begin, end, &self.order);
        let deepest = (1..LEVEL_COUNT).filter(has_any).max().unwrap_or(1);
        drop(state);
        for level in 0..deepest {
            self.compact_level(level, begin, end)?;
        }
        Ok(())
    }

    /// Compacts that part of `level` into the next.
    pub(super) fn compact_level(
        &self,
        level: usize,
        begin: Option<&[u8]>,
        end: Option<&[u8]>,
    ) -> Result<()> {
        let request = RangeRequest {
            level,
            begin: begin.map(<[u8]>::to_vec),
            end: end.map(<[u8]>::to_vec),
            is_done: false,
        };
        let mut request = Some(request);
        let mut state = self.state.lock();
        loop {
            let stopped = if state.phase == Phase::Closed {
                Some(Error::Closed)
            } else {
                state.write_error()
            };
            let is_mine = request.is_none();
            if is_mine && state.range.as_ref().is_some_and(|range| range.is_done) {
                state.range = None;
                drop(state);
                self.done.notify_all();
                return Ok(());
            }
            if let Some(error) = stopped {
                if is_mine {
                    state.range = None;
                }
                drop(state);
                self.done.notify_all();
                return Err(error);
            }
            if state.range.is_none() {
                state.range = request.take();
                self.compaction_work.notify_one();
            }
            state = self.done.wait(state);
        }
    }
}
