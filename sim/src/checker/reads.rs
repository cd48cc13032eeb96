//! Promise 7: every read sees one moment of the commit order, and the right one.

use super::{AfterEnd, Checker, Violation};
use crate::history::{Read, Status, ValueDigest};
use crate::model::{Versions, visible};
use crate::workload::Plan;

/// Compares every read with the model at the sequence it was made at.
#[derive(Clone, Debug)]
pub struct Reads;

impl Checker for Reads {
    fn name(&self) -> &'static str {
        "reads"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        if end.history.reads.is_empty() {
            return Ok(());
        }
        let versions = Versions::new(end.plan, end.commits);
        let mut scratch = Vec::new();
        let mut last_by_reader = vec![0; end.plan.readers.len()];
        for read in &end.history.reads {
            check_interval(end, read, &mut last_by_reader)?;
            let explained = if let Some(sequence) = read.sequence {
                visible(end.plan, versions.at(read.key, sequence), &mut scratch) == read.found
            } else {
                let first = versions.at(read.key, read.acknowledged);
                let later = versions.between(read.key, read.acknowledged, u64::MAX).map(Some);
                std::iter::once(first)
                    .chain(later)
                    .any(|op| visible(end.plan, op, &mut scratch) == read.found)
            };
            if !explained && !by_unanswered(end, read, &mut scratch) {
                let at = read.sequence.unwrap_or(read.acknowledged);
                let expected = visible(end.plan, versions.at(read.key, at), &mut scratch);
                return Err(Violation {
                    checker: self.name(),
                    promise: "a read sees the newest value at its own sequence",
                    expected: format!("{} for key {} at {at}", words(expected), read.key),
                    got: words(read.found),
                    point: read.returned,
                });
            }
        }
        Ok(())
    }
}

/// A snapshot is at or above all acknowledged before, below all begun after, and never goes back.
fn check_interval(end: &AfterEnd<'_>, read: &Read, last: &mut [u64]) -> Result<(), Violation> {
    let Some(sequence) = read.sequence else { return Ok(()) };
    let violation = |expected: String| {
        Err(Violation {
            checker: "reads",
            promise: "a snapshot stands between what was acknowledged before and begun after it",
            expected,
            got: sequence.to_string(),
            point: read.returned,
        })
    };
    if sequence < read.acknowledged {
        return violation(format!("a sequence at or above {}", read.acknowledged));
    }
    let begun_after = |commit: &&crate::model::Commit| {
        let state = &end.history.batches[commit.batch as usize];
        state.incarnation == end.history.incarnation && state.invoked > read.returned
    };
    if let Some(later) = end.commits.iter().filter(begun_after).map(|commit| commit.sequence).min()
        && sequence >= later
    {
        return violation(format!("a sequence below {later}, which was begun after it"));
    }
    let last = &mut last[read.reader as usize];
    if sequence < *last {
        return violation(format!("at or above {last}, which the same thread saw before"));
    }
    *last = sequence;
    Ok(())
}

/// Whether a batch without an answer explains the read: it may have been published, and its place
/// is not known. One that returned an error may not be visible.
fn by_unanswered(end: &AfterEnd<'_>, read: &Read, scratch: &mut Vec<u8>) -> bool {
    let plan: &Plan = end.plan;
    end.history.batches.iter().zip(&plan.batches).any(|(state, batch)| {
        state.status == Status::InFlight
            && state.incarnation == end.history.incarnation
            && state.invoked < read.returned
            && batch.ops.clone().any(|op| {
                plan.ops[op as usize].key == read.key
                    && visible(plan, Some(op), scratch) == read.found
            })
    })
}

fn words(found: Option<ValueDigest>) -> String {
    found.map_or("nothing".to_owned(), |digest| {
        format!("a value of {} B with hash {:08x}", digest.len, digest.hash >> 32)
    })
}
