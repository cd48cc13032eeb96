//! Promises 1 to 4: nothing that had to survive is missing, what survives is a prefix, and what was
//! flushed is in tables.

use super::{AfterEnd, AfterOpen, Checker, Ending, Excuse, Violation, name_batch};
use crate::history::Flushed;
use crate::scenario::CrashKind;

/// Compares what an open shows with what clients had been promised.
#[derive(Clone, Debug)]
pub struct Durability;

impl Checker for Durability {
    fn name(&self) -> &'static str {
        "durability"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        let (plan, settlement) = (open.plan, open.settlement);
        let hole = settlement.holes.first();
        if let Some(hole) = hole.filter(|_| open.excuse < Excuse::Anywhere) {
            return Err(Violation {
                checker: self.name(),
                promise: "what is recovered is a prefix of the commit order",
                expected: format!("{}, or nothing behind it", name_batch(plan, hole)),
                got: format!("entries up to sequence {} without it", settlement.last),
                point: open.history.opened.point,
            });
        }
        if open.excuse != Excuse::None {
            return Ok(());
        }
        // What had to survive ends with this sequence.
        let (floor, promise) = match open.before {
            None => return Ok(()),
            Some(Ending::Crashed(CrashKind::PowerLoss) | Ending::Stuck(_)) => (
                open.history.synced_sequence,
                "a power loss loses nothing ordered at or before an acknowledged sync write",
            ),
            Some(Ending::Crashed(_) | Ending::Returned { .. }) => (
                open.history.acknowledged_sequence,
                "the death of the process, or a close, loses nothing acknowledged",
            ),
        };
        match settlement.lost.iter().find(|commit| commit.end() - 1 <= floor) {
            None => Ok(()),
            Some(lost) => Err(Violation {
                checker: self.name(),
                promise,
                expected: format!(
                    "{}; everything up to {floor} was promised",
                    name_batch(plan, lost)
                ),
                got: format!("entries up to sequence {} only", settlement.last),
                point: open.history.opened.point,
            }),
        }
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let is_left = |flushed: &&Flushed| {
            flushed.first_in_logs.is_some_and(|first| first <= flushed.acknowledged)
        };
        match end.history.flushes.iter().find(is_left) {
            None => Ok(()),
            Some(flushed) => Err(Violation {
                checker: self.name(),
                promise: "a flush puts everything acknowledged before it into tables",
                expected: format!("nothing up to sequence {} in a log", flushed.acknowledged),
                got: format!("sequence {}", flushed.first_in_logs.unwrap_or_default()),
                point: flushed.returned,
            }),
        }
    }
}
