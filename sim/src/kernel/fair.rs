//! The fair end of a process: whether what goes on and on would end if nothing stood in its way.
//!
//! Under a policy that starves a thread a process may rightly go on for ever. So a process that has
//! used up its points is not judged yet. From there on the kernel asks no policy: each goes on in
//! turn, and who waits longest is woken first. Calls may still fail, and clients have to be told: a
//! client that waits while none is told anything within [`super::Limits::fair_points`] or
//! [`super::Limits::fair_time`] waits for ever, and this is a livelock.
//!
//! If nobody waits, or they are told on and on, it may be the disk that lets nobody end. So it is
//! calm from then on: the world lets nothing fail. What is still there after as many points or as
//! much time again is a livelock.

use super::core::{Core, State};
use super::{End, ThreadId};
use crate::policy::ClientWord;

/// So many of the threads that are left are named.
const SHOWN: usize = 8;

/// As long as clients are told something, the disk is not made calm for so many times the limits.
const PATIENCE: u64 = 2;

/// How the kernel chooses once it is fair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// Turns so far.
    turn: u64,
    /// When it began to be fair, or calm.
    since: Moment,
    /// Virtual time after which it has taken too long.
    deadline: u64,
    /// Whether nothing fails any more.
    pub(super) is_calm: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    points: u64,
    nanos: u64,
}

impl Core {
    /// The process has come to a limit: it ends, or goes on in a fair way.
    #[cold]
    pub(super) fn stop(&mut self) -> bool {
        if self.points >= self.limits.crash_at_point {
            self.end = Some(End::Crashed);
            return true;
        }
        if self.limits.fair_points == 0 {
            return self.is_livelock(false);
        }
        let Some(turns) = self.turns else { return self.go_on(false) };
        if turns.is_calm {
            return self.is_livelock(true);
        }
        if !self.threads.iter().any(|thread| thread.awaits_answer && thread.state != State::Done) {
            return self.go_on(true);
        }
        let last = self.last_told;
        if self.is_over(last, 1) {
            return self.is_livelock(false);
        }
        if self.is_over(turns.since, PATIENCE) {
            return self.go_on(true);
        }
        self.wait_until_over(last);
        false
    }

    /// Is fair, or calm, from now on.
    fn go_on(&mut self, is_calm: bool) -> bool {
        let since = self.now();
        let turn = self.turns.map_or(0, |turns| turns.turn);
        self.turns = Some(Turns { turn, since, deadline: u64::MAX, is_calm });
        self.last_told = since;
        self.rules_time = false;
        self.wait_until_over(since);
        if self.trace.keeps() {
            let points = self.points - self.process_start;
            let how = if is_calm { "nothing fails" } else { "each goes on in turn" };
            self.keep_schedule(format!("{points} points and no end: from here on {how}"));
        }
        false
    }

    fn now(&self) -> Moment {
        Moment { points: self.points, nanos: self.nanos }
    }

    fn fair_nanos(&self) -> u64 {
        u64::try_from(self.limits.fair_time.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether so many times as much as the limits say, in points or in time, has gone by.
    fn is_over(&self, since: Moment, times: u64) -> bool {
        let points = self.limits.fair_points.saturating_mul(times);
        self.points - since.points >= points
            || self.nanos - since.nanos > self.fair_nanos().saturating_mul(times)
    }

    /// Stops when as much as the limits say has gone by.
    fn wait_until_over(&mut self, since: Moment) {
        let last = since.points.saturating_add(self.limits.fair_points);
        self.stop_at = self.limits.crash_at_point.min(last);
        let deadline = since.nanos.saturating_add(self.fair_nanos());
        if let Some(turns) = &mut self.turns {
            turns.deadline = deadline;
        }
    }

    /// A client asks, or is told.
    pub(super) fn note_client(&mut self, word: ClientWord) {
        let current = self.current.index();
        self.threads[current].awaits_answer = word == ClientWord::Asks;
        if word == ClientWord::IsTold {
            self.last_told = self.now();
        }
    }

    fn is_livelock(&mut self, is_calm: bool) -> bool {
        self.end = Some(End::Livelock { is_calm, left: self.who_is_left() });
        true
    }

    /// Time has passed: lets a fair process stop at its next point if it has taken too long.
    pub(super) fn heed_deadline(&mut self) {
        if self.turns.is_some_and(|turns| turns.deadline < self.nanos) {
            self.stop_at = self.stop_at.min(self.points + 1);
        }
    }

    /// Whose turn it is: who has had none for longest.
    ///
    /// # Panics
    /// If there is nobody.
    pub(super) fn first_in_turn(&self, ids: impl Iterator<Item = ThreadId>) -> ThreadId {
        ids.min_by_key(|id| (self.threads[id.index()].turn, *id)).expect("somebody waits")
    }

    /// Notes that a thread goes on, if the kernel is fair.
    #[inline]
    pub(super) fn note_turn(&mut self, id: ThreadId) {
        if let Some(turns) = &mut self.turns {
            turns.turn += 1;
            self.threads[id.index()].turn = turns.turn;
        }
    }

    /// The threads that have not ended, a line each; of many only the first.
    fn who_is_left(&self) -> Vec<String> {
        let ids = (1..self.threads.len() as u32).map(ThreadId);
        let lines = ids.filter_map(|id| match self.threads[id.index()].state {
            State::Runnable => Some(format!("{} goes on", self.thread_name(id))),
            State::Blocked => Some(self.thread_line(id)),
            State::Done => None,
        });
        let mut lines: Vec<String> = lines.collect();
        let others = lines.len().saturating_sub(SHOWN);
        if others > 0 {
            lines.truncate(SHOWN);
            lines.push(format!("and {others} more"));
        }
        lines
    }
}
