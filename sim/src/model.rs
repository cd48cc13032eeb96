//! The model: the batches in commit order, and what of them may be lost.
//!
//! A batch has its place by the sequence that the engine acknowledged it with. One whose call had
//! no answer, or an error, has no place until an open shows it; the model then finds it by its
//! contents.

use crate::history::{Entry, History, Opened, Status, ValueDigest};
use crate::omissions::Omissions;
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
    /// Batches that are there whole, in commit order: shown, but for what a compaction may drop.
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
    /// Highest sequence that is there.
    pub last: u64,
}

/// Explains the entries of an open.
///
/// An entry may be missing if a compaction could drop it: see [`Omissions`].
pub fn settle(plan: &Plan, history: &History, opened: &Opened) -> Settlement {
    let mut placed: Vec<Placed> = commits(plan, history)
        .into_iter()
        .map(|commit| Placed { commit, is_answered: true })
        .collect();
    let known = placed.len();
    for batch in unanswered(plan, history) {
        // Of one that is in no log any more, the log has told where it stands.
        let Some(sequence) = history.batches[batch as usize].written_at else { continue };
        let count = plan.batches[batch as usize].ops.len() as u64;
        let commit = Commit { sequence, count, batch };
        let is_free = |other: &Placed| {
            other.commit.end() <= sequence || commit.end() <= other.commit.sequence
        };
        if placed[..known].iter().all(is_free) {
            placed.push(Placed { commit, is_answered: false });
        }
    }
    placed.sort_unstable_by_key(|placed| (placed.commit.sequence, placed.commit.batch));
    let omissions = Omissions::new(plan, &placed, &opened.entries, history.flushed_sequence);
    explain(plan, history, &placed, &opened.entries, &omissions)
}

/// The batches without an answer that `entries` of a log hold whole, with their places.
pub fn settle_log(plan: &Plan, history: &History, entries: &[Entry]) -> Vec<Commit> {
    let known = commits(plan, history);
    let placed: Vec<Placed> =
        known.into_iter().map(|commit| Placed { commit, is_answered: true }).collect();
    explain(plan, history, &placed, entries, &Omissions::default()).settled
}

fn unanswered(plan: &Plan, history: &History) -> impl Iterator<Item = u32> {
    let states = history.batches.iter().enumerate();
    states
        .filter(|(_, state)| matches!(state.status, Status::InFlight | Status::Failed))
        .map(|(batch, _)| batch as u32)
        .filter(|&batch| !plan.batches[batch as usize].ops.is_empty())
}

/// A batch whose place is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) commit: Commit,
    /// Whether its call was answered with Ok, or an open has shown it.
    pub(crate) is_answered: bool,
}

fn explain(
    plan: &Plan,
    history: &History,
    placed: &[Placed],
    entries: &[Entry],
    omissions: &Omissions,
) -> Settlement {
    let is_placed = |batch: &u32| placed.iter().any(|placed| placed.commit.batch == *batch);
    let mut unanswered: Vec<u32> =
        unanswered(plan, history).filter(|batch| !is_placed(batch)).collect();
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_unstable_by(|a, b| a.by_sequence(b));
    let mut result = Settlement {
        last: entries.last().map_or(0, |entry| entry.sequence),
        ..Settlement::default()
    };
    let mut scratch = Vec::new();
    let mut rest = entries.as_slice();
    let mut placed = placed;
    while let Some(first) = rest.first() {
        let sequence = first.sequence;
        while let Some((passed, others)) = placed.split_first()
            && passed.commit.end() <= sequence
        {
            placed = others;
            if omissions.hide(plan, &passed.commit) {
                result.add_whole(*passed);
            } else if passed.is_answered {
                result.holes.push(passed.commit);
            }
        }
        let expected = placed.first().filter(|placed| placed.commit.sequence <= sequence);
        let found = match expected {
            Some(&expected) => {
                placed = &placed[1..];
                let matched = match_batch(plan, &expected.commit, rest, omissions, &mut scratch);
                (matched.entries > 0).then_some((expected, matched))
            }
            None => unanswered
                .iter()
                .map(|&batch| {
                    let count = plan.batches[batch as usize].ops.len() as u64;
                    let commit = Commit { sequence, count, batch };
                    let matched = match_batch(plan, &commit, rest, omissions, &mut scratch);
                    (Placed { commit, is_answered: false }, matched)
                })
                .filter(|(_, matched)| matched.entries > 0)
                // Whole ones before parts, and of those the longest.
                .max_by_key(|(placed, matched)| {
                    (matched.operations == placed.commit.count, matched.operations)
                }),
        };
        let Some((batch, matched)) = found else {
            result.strangers.push((*first).clone());
            rest = &rest[1..];
            continue;
        };
        rest = &rest[matched.entries..];
        if matched.operations < batch.commit.count {
            result.partial.push((batch.commit, matched.operations));
        } else {
            result.add_whole(batch);
        }
        unanswered.retain(|&other| other != batch.commit.batch);
    }
    // Behind everything that was shown: what a compaction dropped, and then what was lost.
    let hidden = placed.iter().take_while(|p| omissions.hide(plan, &p.commit)).count();
    for placed in &placed[..hidden] {
        result.add_whole(*placed);
        result.last = result.last.max(placed.commit.end() - 1);
    }
    let lost = placed[hidden..].iter().filter(|placed| placed.is_answered);
    result.lost.extend(lost.map(|placed| placed.commit));
    result
}

impl Settlement {
    fn add_whole(&mut self, batch: Placed) {
        self.present.push(batch.commit);
        if !batch.is_answered {
            self.settled.push(batch.commit);
        }
    }
}

/// How much of a batch stands at the front of some entries.
#[derive(Clone, Copy, Debug)]
struct Matched {
    /// How many of its first operations are there, or may be missing.
    operations: u64,
    /// How many entries they take.
    entries: usize,
}

fn match_batch(
    plan: &Plan,
    commit: &Commit,
    entries: &[&Entry],
    omissions: &Omissions,
    scratch: &mut Vec<u8>,
) -> Matched {
    let mut matched = Matched { operations: 0, entries: 0 };
    let ops = plan.batches[commit.batch as usize].ops.clone();
    for (op, sequence) in ops.zip(commit.sequence..) {
        match entries.get(matched.entries).filter(|entry| entry.sequence == sequence) {
            Some(entry) if plan.op_matches(op, &entry.key, entry.value.as_deref(), scratch) => {
                matched.entries += 1;
            }
            None if omissions.allow(plan, op, sequence) => {}
            _ => break,
        }
        matched.operations += 1;
    }
    matched
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
