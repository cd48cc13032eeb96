//! The model: the batches in commit order, and what of them may be lost.
//!
//! A batch has its place by the sequence that the engine acknowledged it with. One whose call had
//! no answer, or an error, has no place until an open shows it; the model then finds it by its
//! contents.

mod losses;
mod omissions;
mod settle;

pub use losses::settle_losses;
pub(crate) use settle::Placed;
pub use settle::{Settlement, settle, settle_again, settle_log};

use crate::commit_order::in_sequence;
use crate::history::{History, Status, ValueDigest};
use crate::workload::{Plan, value_bytes};

/// A batch with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// First sequence.
    pub sequence: u64,
    /// Sequences that it takes.
    pub count: u64,
    /// The batch.
    pub batch: u32,
}

impl Commit {
    /// First sequence behind it.
    pub fn end(&self) -> u64 {
        self.sequence + self.count
    }
}

/// The batches with a place, in commit order. Empty ones have none.
pub fn commits(plan: &Plan, history: &History) -> Vec<Commit> {
    let placed = history.batches.iter().enumerate().filter_map(|(batch, state)| {
        let (Status::Acknowledged { sequence } | Status::Settled { sequence }) = state.status
        else {
            return None;
        };
        let count = plan.batches[batch].ops.len() as u64;
        (count > 0).then_some((sequence, Commit { sequence, count, batch: batch as u32 }))
    });
    in_sequence(placed.collect(), |a, b| a.batch.cmp(&b.batch))
}

/// The versions of every key in commit order, for reads.
#[derive(Clone, Debug)]
pub struct Versions {
    /// By key: sequence and operation.
    by_key: Vec<Vec<(u64, u32)>>,
}

impl Versions {
    /// The versions that `commits` make.
    pub fn new(plan: &Plan, commits: &[Commit]) -> Self {
        let mut by_key = vec![Vec::new(); plan.keys as usize];
        for commit in commits {
            let ops = plan.batches[commit.batch as usize].ops.clone();
            for (op, sequence) in ops.zip(commit.sequence..) {
                by_key[plan.ops[op as usize].key as usize].push((sequence, op));
            }
        }
        Versions { by_key }
    }

    /// The operation that a read of `key` at `sequence` sees, if any does.
    pub fn at(&self, key: u32, sequence: u64) -> Option<u32> {
        let versions = &self.by_key[key as usize];
        let after = versions.partition_point(|(at, _)| *at <= sequence);
        after.checked_sub(1).map(|index| versions[index].1)
    }

    /// The operations on `key` in `low < sequence <= high`.
    pub fn between(&self, key: u32, low: u64, high: u64) -> impl Iterator<Item = u32> + '_ {
        let versions = &self.by_key[key as usize];
        let from = versions.partition_point(|(at, _)| *at <= low);
        versions[from..].iter().take_while(move |(at, _)| *at <= high).map(|(_, op)| *op)
    }
}

/// What a read sees where `op` is the newest: the digest of its value, or nothing for a delete.
pub fn visible(plan: &Plan, op: Option<u32>, scratch: &mut Vec<u8>) -> Option<ValueDigest> {
    let op = op?;
    let len = plan.ops[op as usize].value?;
    scratch.clear();
    value_bytes(op, len, scratch);
    Some(ValueDigest::of(scratch))
}
