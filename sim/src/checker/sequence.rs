//! Sequences: unique, rising with real time, never given twice, above everything on disk.

use super::{AfterEnd, AfterOpen, Checker, Violation, name_batch};
use crate::history::Status;

/// Checks the sequences that `write` returned against each other and against what was on disk.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    /// Nothing acknowledged in this incarnation may be at or below this.
    floor: u64,
}

impl Checker for Sequence {
    fn name(&self) -> &'static str {
        "sequence"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        let opened = &open.history.opened;
        let highest = open.settlement.last.max(open.image.highest_sequence);
        self.floor = highest;
        if opened.last_sequence >= highest {
            return Ok(());
        }
        Err(Violation {
            checker: self.name(),
            promise: "after an open the last sequence is at or above every record on disk",
            expected: format!("at least {highest}"),
            got: opened.last_sequence.to_string(),
            point: opened.point,
        })
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let violation = |point, promise, expected, got| {
            Err(Violation { checker: "sequence", promise, expected, got, point })
        };
        let state = |batch: u32| &end.history.batches[batch as usize];
        let ours = end.commits.iter().filter(|commit| {
            let state = state(commit.batch);
            state.incarnation == end.history.incarnation
                && matches!(state.status, Status::Acknowledged { .. })
        });
        let mut before: Option<&crate::model::Commit> = None;
        let mut last_invoked = (0, before);
        let mut earliest: Option<Violation> = None;
        for commit in ours {
            let answered = state(commit.batch).returned;
            let found = if commit.sequence <= self.floor {
                violation(
                    answered,
                    "a sequence is never given again once a record with it may be on disk",
                    format!("sequences above {} for {}", self.floor, name_batch(end.plan, commit)),
                    commit.sequence.to_string(),
                )
            } else if let Some(before) = before.filter(|before| before.end() > commit.sequence) {
                violation(
                    answered.max(state(before.batch).returned),
                    "no sequence is given twice within an incarnation",
                    format!("sequences that do not overlap for {}", name_batch(end.plan, commit)),
                    format!("the same as {}", name_batch(end.plan, before)),
                )
            } else if let (invoked, Some(later)) = last_invoked
                && answered < invoked
            {
                // `later` has the lower sequence, yet was asked for after this one was answered.
                violation(
                    state(later.batch).returned,
                    "sequences rise with real time",
                    format!(
                        "{} behind {}",
                        name_batch(end.plan, later),
                        name_batch(end.plan, commit)
                    ),
                    "it was asked for after that was acknowledged, and stands before it".to_owned(),
                )
            } else {
                Ok(())
            };
            if let Err(found) = found
                && earliest.as_ref().is_none_or(|earliest| found.point < earliest.point)
            {
                earliest = Some(found);
            }
            before = Some(commit);
            if state(commit.batch).invoked > last_invoked.0 {
                last_invoked = (state(commit.batch).invoked, Some(commit));
            }
        }
        earliest.map_or(Ok(()), Err)
    }
}
