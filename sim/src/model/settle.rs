//! Explains what an open showed by the batches that were written.
//!
//! A batch with a place is looked for there; an entry of it may be missing if a compaction could
//! drop it, see [`Omissions`]. Any other entry belongs to a batch without an answer, which is told
//! by its contents; where several would do, a choice may turn out wrong many entries later, and is
//! taken back.
//!
//! Invariant: if some choice of batches explains every entry, the result has no stranger, no part
//! and no hole, unless that takes more than [`TURNS_MAX`] choices to find.

use std::collections::BTreeSet;

use super::omissions::Omissions;
use super::{Commit, commits};
use crate::commit_order::in_commit_order;
use crate::history::{Entry, History, Opened, Status};
use crate::workload::Plan;

/// Choices that are taken back before the best explanation so far must do.
///
/// A choice arises only where one batch without an answer begins with the whole of another, so a
/// run needs none or one. What it costs at most: so many walks over the entries behind a choice,
/// each of which ends where it explains no more than the best one did.
const TURNS_MAX: u32 = 1000;

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
    /// Batches without an answer whose place a log had told, and that are not there.
    pub absent: Vec<Commit>,
    /// Highest sequence that is there: shown, or dropped by a compaction.
    pub last: u64,
}

/// Explains the entries of an open: with the fewest holes, parts and strangers, and among such
/// explanations with the longest batches first.
pub fn settle(plan: &Plan, history: &History, opened: &Opened) -> Settlement {
    settle_without(plan, history, opened, &BTreeSet::new())
}

/// The same, where it is known already of some batches, by number, that they are not there.
pub(super) fn settle_without(
    plan: &Plan,
    history: &History,
    opened: &Opened,
    gone: &BTreeSet<u32>,
) -> Settlement {
    let mut placed = answered(plan, history);
    placed.retain(|placed| !gone.contains(&placed.commit.batch));
    let known = placed.len();
    for batch in unanswered(plan, history).filter(|batch| !gone.contains(batch)) {
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
    explain(plan, unanswered(plan, history), &placed, &opened.entries, &omissions)
}

/// The batches without an answer that `entries` of a log hold whole, with their places. `entries`
/// are those that no batch with a place explains.
pub fn settle_log(plan: &Plan, history: &History, entries: &[Entry]) -> Vec<Commit> {
    whole(plan, unanswered(plan, history), entries)
}

/// The batches that may never be seen again, and that `entries` hold whole all the same, with
/// their places. `entries` are as for [`settle_log`].
pub fn settle_again(plan: &Plan, history: &History, entries: &[Entry]) -> Vec<Commit> {
    let is_absent = |batch: &u32| history.batches[*batch as usize].status == Status::Absent;
    let absent = (0..history.batches.len() as u32).filter(is_absent);
    let candidates = unanswered(plan, history).chain(with_operations(plan, absent));
    let mut found = whole(plan, candidates, entries);
    found.retain(|commit| is_absent(&commit.batch));
    found
}

/// Those of `batches` that `entries` hold whole, with their places.
fn whole(plan: &Plan, batches: impl Iterator<Item = u32>, entries: &[Entry]) -> Vec<Commit> {
    explain(plan, batches, &[], entries, &Omissions::new(plan, &[], entries, 0)).settled
}

/// A batch whose place is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) commit: Commit,
    /// Whether its call was answered with Ok, or an open has shown it.
    pub(crate) is_answered: bool,
}

fn answered(plan: &Plan, history: &History) -> Vec<Placed> {
    let known = commits(plan, history).into_iter();
    known.map(|commit| Placed { commit, is_answered: true }).collect()
}

fn unanswered(plan: &Plan, history: &History) -> impl Iterator<Item = u32> {
    let states = history.batches.iter().enumerate();
    let unanswered = states
        .filter(|(_, state)| matches!(state.status, Status::InFlight | Status::Failed))
        .map(|(batch, _)| batch as u32);
    with_operations(plan, unanswered)
}

fn with_operations(plan: &Plan, batches: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    batches.filter(|&batch| !plan.batches[batch as usize].ops.is_empty())
}

/// Explains `entries` by batches whose places are known, and by those of `others` without one.
fn explain(
    plan: &Plan,
    others: impl Iterator<Item = u32>,
    placed: &[Placed],
    entries: &[Entry],
    omissions: &Omissions<'_>,
) -> Settlement {
    let entries = in_commit_order(entries);
    let is_placed = |batch: &u32| placed.iter().any(|placed| placed.commit.batch == *batch);
    let mut walk = Walk {
        plan,
        entries: &entries,
        placed,
        omissions,
        unanswered: others.filter(|batch| !is_placed(batch)).collect(),
        at: 0,
        next_placed: 0,
        defects: 0,
        pieces: Vec::new(),
        turns: Vec::new(),
        scratch: Vec::new(),
    };
    walk.best().settlement(&walk)
}

/// What explains one or more entries, or fails to.
#[derive(Clone, Copy, Debug)]
enum Piece {
    /// A batch that has its place.
    Placed(Placed),
    /// A batch without an answer.
    Unanswered(Commit),
    /// The first so many operations of a batch; whether it had no place.
    Part(Commit, u64, bool),
    /// The entry with this index has no explanation.
    Stranger(usize),
    /// A batch is not where it should be.
    Hole(Commit),
    /// A batch without an answer is not where a log had told that it is.
    Absent(Commit),
}

/// A place where more than one batch would do.
struct Turn {
    at: usize,
    next_placed: usize,
    defects: u32,
    pieces: usize,
    /// Those not tried yet, shortest first, with how many entries each explains.
    others: Vec<(Commit, usize)>,
}

/// A walk over the entries, in commit order.
struct Walk<'a> {
    plan: &'a Plan,
    entries: &'a [&'a Entry],
    placed: &'a [Placed],
    omissions: &'a Omissions<'a>,
    /// Batches without an answer or a place that explain nothing yet.
    unanswered: Vec<u32>,
    /// The entry to explain next.
    at: usize,
    next_placed: usize,
    /// Pieces that explain nothing whole.
    defects: u32,
    pieces: Vec<Piece>,
    turns: Vec<Turn>,
    scratch: Vec<u8>,
}

/// A whole explanation.
struct Explanation {
    defects: u32,
    pieces: Vec<Piece>,
    /// The first placed batch behind all entries.
    next_placed: usize,
}

impl Walk<'_> {
    fn best(&mut self) -> Explanation {
        let mut best: Option<Explanation> = None;
        for _ in 0..=TURNS_MAX {
            let bound = best.as_ref().map_or(u32::MAX, |best| best.defects);
            while self.at < self.entries.len() && self.defects < bound {
                self.explain_next();
            }
            if self.defects < bound {
                let (defects, next_placed) = (self.defects, self.next_placed);
                best = Some(Explanation { defects, pieces: self.pieces.clone(), next_placed });
            }
            if best.as_ref().is_some_and(|best| best.defects == 0) || !self.turn_back() {
                break;
            }
        }
        best.expect("the first walk reaches the end")
    }

    fn explain_next(&mut self) {
        let sequence = self.entries[self.at].sequence;
        while let Some(passed) = self.placed.get(self.next_placed)
            && passed.commit.end() <= sequence
        {
            if self.omissions.hide(&passed.commit) {
                self.pieces.push(Piece::Placed(*passed));
            } else if passed.is_answered {
                self.defect(Piece::Hole(passed.commit));
            } else {
                self.pieces.push(Piece::Absent(passed.commit));
            }
            self.next_placed += 1;
        }
        let expected = self.placed.get(self.next_placed);
        if let Some(&placed) = expected.filter(|placed| placed.commit.sequence <= sequence) {
            self.next_placed += 1;
            let matched = self.matching(&placed.commit);
            match matched.entries {
                0 => self.stranger(),
                _ if matched.operations < placed.commit.count => {
                    self.part(placed.commit, matched, false);
                }
                entries => self.take(Piece::Placed(placed), entries),
            }
            return;
        }
        let (mut whole, mut part) = (Vec::<(Commit, usize)>::new(), None::<(Commit, Matched)>);
        for index in 0..self.unanswered.len() {
            let batch = self.unanswered[index];
            let count = self.plan.batches[batch as usize].ops.len() as u64;
            let commit = Commit { sequence, count, batch };
            let matched = self.matching(&commit);
            if matched.entries == 0 {
                continue;
            }
            if matched.operations == count {
                // Two of one length hold the same: either will do, here and anywhere.
                if !whole.iter().any(|other| (other.0.count, other.1) == (count, matched.entries)) {
                    whole.push((commit, matched.entries));
                }
            } else if part.is_none_or(|(_, most)| matched.operations > most.operations) {
                part = Some((commit, matched));
            }
        }
        whole.sort_unstable_by_key(|(commit, entries)| (commit.count, *entries));
        match (whole.pop(), part) {
            (Some(longest), _) => {
                if !whole.is_empty() {
                    self.turns.push(Turn {
                        at: self.at,
                        next_placed: self.next_placed,
                        defects: self.defects,
                        pieces: self.pieces.len(),
                        others: whole,
                    });
                }
                self.take_unanswered(longest);
            }
            (None, Some((commit, matched))) => {
                self.unanswered.retain(|batch| *batch != commit.batch);
                self.part(commit, matched, true);
            }
            (None, None) => self.stranger(),
        }
    }

    /// Goes back to the last choice and takes the next one; false if there is none.
    fn turn_back(&mut self) -> bool {
        let Some(mut turn) = self.turns.pop() else { return false };
        for piece in self.pieces.drain(turn.pieces..) {
            if let Piece::Unanswered(commit) | Piece::Part(commit, _, true) = piece {
                self.unanswered.push(commit.batch);
            }
        }
        (self.at, self.next_placed, self.defects) = (turn.at, turn.next_placed, turn.defects);
        let next = turn.others.pop();
        if !turn.others.is_empty() {
            self.turns.push(turn);
        }
        self.take_unanswered(next.expect("a turn has another way"));
        true
    }

    fn take_unanswered(&mut self, (commit, entries): (Commit, usize)) {
        self.unanswered.retain(|batch| *batch != commit.batch);
        self.take(Piece::Unanswered(commit), entries);
    }

    fn part(&mut self, commit: Commit, matched: Matched, had_no_place: bool) {
        self.defect(Piece::Part(commit, matched.operations, had_no_place));
        self.at += matched.entries;
    }

    fn stranger(&mut self) {
        self.defect(Piece::Stranger(self.at));
        self.at += 1;
    }

    fn take(&mut self, piece: Piece, entries: usize) {
        self.pieces.push(piece);
        self.at += entries;
    }

    fn defect(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.defects += 1;
    }

    /// How much of `commit` stands where the walk is.
    fn matching(&mut self, commit: &Commit) -> Matched {
        let mut matched = Matched { operations: 0, entries: 0 };
        let entries = &self.entries[self.at..];
        let ops = self.plan.batches[commit.batch as usize].ops.clone();
        for (op, sequence) in ops.zip(commit.sequence..) {
            let (plan, scratch) = (self.plan, &mut self.scratch);
            match entries.get(matched.entries).filter(|entry| entry.sequence == sequence) {
                Some(entry) if plan.op_matches(op, entry.key(), entry.value(), scratch) => {
                    matched.entries += 1;
                }
                None if self.omissions.allow(op, sequence) => {}
                _ => break,
            }
            matched.operations += 1;
        }
        matched
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

impl Explanation {
    fn settlement(self, walk: &Walk<'_>) -> Settlement {
        let mut found = Settlement {
            last: walk.entries.last().map_or(0, |entry| entry.sequence),
            ..Settlement::default()
        };
        for piece in self.pieces {
            match piece {
                Piece::Placed(placed) => found.add_whole(placed),
                Piece::Unanswered(commit) => {
                    found.add_whole(Placed { commit, is_answered: false });
                }
                Piece::Part(commit, matched, _) => found.partial.push((commit, matched)),
                Piece::Stranger(index) => found.strangers.push(walk.entries[index].clone()),
                Piece::Hole(commit) => found.holes.push(commit),
                Piece::Absent(commit) => found.absent.push(commit),
            }
        }
        // Behind everything that was shown: what a compaction dropped, and then what was lost.
        let rest = &walk.placed[self.next_placed..];
        let is_hidden = |placed: &&Placed| walk.omissions.hide(&placed.commit);
        let hidden = rest.iter().take_while(is_hidden).count();
        for placed in &rest[..hidden] {
            found.add_whole(*placed);
        }
        for Placed { commit, is_answered } in &rest[hidden..] {
            let behind = if *is_answered { &mut found.lost } else { &mut found.absent };
            behind.push(*commit);
        }
        found
    }
}

impl Settlement {
    fn add_whole(&mut self, batch: Placed) {
        // Its own last operations, too, may be among those that a compaction dropped.
        self.last = self.last.max(batch.commit.end() - 1);
        self.present.push(batch.commit);
        if !batch.is_answered {
            self.settled.push(batch.commit);
        }
    }
}
