//! The fair end of a process: whether what goes on and on would end if nothing stood in its way.
//!
//! Under a policy that starves a thread a process may rightly go on for ever. So a process that has
//! used up its points is not judged yet. From there on the kernel asks no policy: each goes on in
//! turn, and who waits longest is woken first. Calls may still fail, and clients have to be told: a
//! client that waits while none is answered within [`super::Limits::fair_points`] or
//! [`super::Limits::fair_time`] waits for ever, and this is a livelock.
//!
//! Otherwise it may be the disk that lets nobody end, so it is calm from then on: the world lets
//! nothing fail. What is still there after as many points or as much time again is a livelock.

use super::core::{Core, State};
use super::{End, ThreadId};
use crate::policy::ClientWord;

/// So many of the threads that are left are named.
const SHOWN: usize = 8;

/// How the kernel chooses once it is fair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// Turns so far.
    turn: u64,
    /// Virtual time after which it has taken too long.
    deadline: u64,
    /// What clients had asked for and been told when it began.
    clients: Clients,
    /// Whether nothing fails any more.
    pub(super) is_calm: bool,
}

/// The calls of the clients of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clients {
    pub(super) asked: u64,
    pub(super) told: u64,
}

impl Clients {
    pub(super) fn note(&mut self, word: ClientWord) {
        match word {
            ClientWord::Asks => self.asked += 1,
            ClientWord::IsTold => self.told += 1,
        }
    }

    /// Whether one waits although none was told anything since `before`.
    fn wait_in_vain(self, before: Clients) -> bool {
        self.told < self.asked && self.told == before.told
    }
}

impl Core {
    /// The process has come to a limit: it ends, or goes on in a fair way.
    #[cold]
    pub(super) fn stop(&mut self) -> bool {
        if self.points >= self.limits.crash_at_point {
            self.end = Some(End::Crashed);
            return true;
        }
        let is_calm = match self.turns {
            _ if self.limits.fair_points == 0 => return self.is_livelock(false),
            None => false,
            Some(turns) if turns.is_calm => return self.is_livelock(true),
            Some(turns) if self.clients.wait_in_vain(turns.clients) => {
                return self.is_livelock(false);
            }
            Some(_) => true,
        };
        let time = u64::try_from(self.limits.fair_time.as_nanos()).unwrap_or(u64::MAX);
        let turn = self.turns.map_or(0, |turns| turns.turn);
        let deadline = self.nanos.saturating_add(time);
        self.turns = Some(Turns { turn, deadline, clients: self.clients, is_calm });
        let last = self.points.saturating_add(self.limits.fair_points);
        self.stop_at = self.limits.crash_at_point.min(last);
        self.rules_time = false;
        if self.trace.keeps() {
            let points = self.points - self.process_start;
            let how = if is_calm { "nothing fails" } else { "each goes on in turn" };
            self.keep_schedule(format!("{points} points and no end: from here on {how}"));
        }
        false
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
