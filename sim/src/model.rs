//! The model: the batches in commit order, and what of them may be lost.
//!
//! A batch has its place by the sequence that the engine acknowledged it with. One whose call had
//! no answer, or an error, has no place until an open shows it; the model then finds it by its
//! contents.

use crate::history::{Entry, History, Opened, Status, ValueDigest};
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
        (count > 0).then_some(Commit { sequence, count, batch: batch as u32 })
    });
    let mut commits: Vec<Commit> = placed.collect();
    commits.sort_unstable_by_key(|commit| (commit.sequence, commit.batch));
    commits
}

/// What an open showed, against the commits that were known before it.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Batches shown whole, in commit order.
    pub present: Vec<Commit>,
    /// Batches without an answer that are among them.
    pub settled: Vec<Commit>,
    /// Batches of which only the first so many operations were shown.
    pub partial: Vec<(Commit, u64)>,
    /// Entries that no batch explains, in commit order.
    pub strangers: Vec<Entry>,
    /// Acknowledged batches that are missing though a later one is there.
    pub holes: Vec<Commit>,
    /// Acknowledged batches behind everything that was shown.
    pub lost: Vec<Commit>,
    /// Highest sequence shown.
    pub last: u64,
}

/// Explains the entries of an open.
pub fn settle(plan: &Plan, history: &History, opened: &Opened) -> Settlement {
    let known = commits(plan, history);
    let mut unanswered: Vec<u32> = history
        .batches
        .iter()
        .enumerate()
        .filter(|(_, state)| matches!(state.status, Status::InFlight | Status::Failed))
        .map(|(batch, _)| batch as u32)
        .filter(|&batch| !plan.batches[batch as usize].ops.is_empty())
        .collect();
    let mut entries: Vec<&Entry> = opened.entries.iter().collect();
    entries.sort_unstable_by(|a, b| a.by_sequence(b));
    let mut result = Settlement {
        last: entries.last().map_or(0, |entry| entry.sequence),
        ..Settlement::default()
    };
    let mut scratch = Vec::new();
    let mut rest = entries.as_slice();
    let mut next_known = 0;
    while let Some(first) = rest.first() {
        let sequence = first.sequence;
        while known.get(next_known).is_some_and(|commit| commit.end() <= sequence) {
            result.holes.push(known[next_known]);
            next_known += 1;
        }
        let expected = known.get(next_known).filter(|commit| commit.sequence == sequence);
        let found = match expected {
            Some(commit) => {
                next_known += 1;
                let matched = matching(plan, commit.batch, sequence, rest, &mut scratch);
                (matched > 0).then_some((*commit, matched, None))
            }
            None => unanswered
                .iter()
                .enumerate()
                .map(|(index, &batch)| {
                    let matched = matching(plan, batch, sequence, rest, &mut scratch);
                    let count = plan.batches[batch as usize].ops.len() as u64;
                    (Commit { sequence, count, batch }, matched, Some(index))
                })
                .filter(|(_, matched, _)| *matched > 0)
                // Whole ones before parts, and of those the longest.
                .max_by_key(|(commit, matched, _)| (*matched == commit.count, *matched)),
        };
        let Some((commit, matched, unanswered_index)) = found else {
            result.strangers.push((*first).clone());
            rest = &rest[1..];
            continue;
        };
        rest = &rest[matched as usize..];
        if matched < commit.count {
            result.partial.push((commit, matched));
        } else {
            result.present.push(commit);
            if unanswered_index.is_some() {
                result.settled.push(commit);
            }
        }
        if let Some(index) = unanswered_index {
            unanswered.remove(index);
        }
    }
    result.lost.extend(&known[next_known..]);
    result
}

/// How many of the first operations of `batch` stand at the front of `entries`, from `sequence` on.
fn matching(
    plan: &Plan,
    batch: u32,
    sequence: u64,
    entries: &[&Entry],
    scratch: &mut Vec<u8>,
) -> u64 {
    let ops = plan.batches[batch as usize].ops.clone();
    let stands = |(op, (entry, offset)): (u32, (&&Entry, u64))| {
        entry.sequence == sequence + offset
            && plan.op_matches(op, &entry.key, entry.value.as_deref(), scratch)
    };
    let pairs = ops.zip(entries.iter().zip(0u64..));
    pairs.map(stands).take_while(|stands| *stands).count() as u64
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
