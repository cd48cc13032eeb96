//! The fair end of a process: whether what goes on and on would end if nothing stood in its way.
//!
//! Under a policy that starves a thread, or while every sync fails, a process may rightly go on for
//! ever. So a process that has used up its points is not judged yet. From there on the kernel asks
//! no policy: each goes on in turn, who waits longest is woken first, and the world lets nothing
//! fail. What is still there after [`super::Limits::fair_points`] or
//! [`super::Limits::fair_time`] is a livelock.

use super::core::{Core, State};
use super::{End, ThreadId};

/// So many of the threads that are left are named.
const SHOWN: usize = 8;

/// How the kernel chooses once it is fair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// Turns so far.
    turn: u64,
    /// Virtual time after which it has taken too long.
    deadline: u64,
}

impl Core {
    /// The process has come to a limit: it ends, or goes on in a fair way.
    #[cold]
    pub(super) fn stop(&mut self) -> bool {
        if self.points >= self.limits.crash_at_point {
            self.end = Some(End::Crashed);
            return true;
        }
        if self.turns.is_some() || self.limits.fair_points == 0 {
            self.end = Some(End::Livelock(self.who_is_left()));
            return true;
        }
        let time = u64::try_from(self.limits.fair_time.as_nanos()).unwrap_or(u64::MAX);
        self.turns = Some(Turns { turn: 0, deadline: self.nanos.saturating_add(time) });
        let last = self.points.saturating_add(self.limits.fair_points);
        self.stop_at = self.limits.crash_at_point.min(last);
        self.rules_time = false;
        if self.trace.keeps() {
            let points = self.limits.points_max;
            self.keep_schedule(format!(
                "{points} points and no end: from here on each goes on in turn, and nothing fails"
            ));
        }
        false
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
