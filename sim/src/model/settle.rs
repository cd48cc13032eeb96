//! Explains what an open showed by the batches that were written.
//!
//! A batch with a place is looked for there. Any other entry belongs to a batch without an answer,
//! which is told by its contents; where several would do, a choice may turn out wrong many entries
//! later, and is taken back.
//!
//! Invariant: if some choice of batches explains every entry, the result has no stranger, no part
//! and no hole, unless that takes more than [`TURNS_MAX`] choices to find.

use super::{Commit, commits};
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

/// Explains the entries of an open: with the fewest holes, parts and strangers, and among such
/// explanations with the longest batches first.
pub fn settle(plan: &Plan, history: &History, opened: &Opened) -> Settlement {
    let mut entries: Vec<&Entry> = opened.entries.iter().collect();
    entries.sort_unstable_by(|a, b| a.by_sequence(b));
    let is_unanswered = |batch: &u32| {
        let status = history.batches[*batch as usize].status;
        let is_empty = plan.batches[*batch as usize].ops.is_empty();
        matches!(status, Status::InFlight | Status::Failed) && !is_empty
    };
    let mut walk = Walk {
        plan,
        entries: &entries,
        known: &commits(plan, history),
        unanswered: (0..history.batches.len() as u32).filter(is_unanswered).collect(),
        at: 0,
        next_known: 0,
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
    Known(Commit),
    /// A batch without an answer.
    Unanswered(Commit),
    /// The first so many operations of a batch; whether it had no answer.
    Part(Commit, u64, bool),
    /// The entry with this index has no explanation.
    Stranger(usize),
    /// A batch is not where it should be.
    Hole(Commit),
}

/// A place where more than one batch would do.
struct Turn {
    at: usize,
    next_known: usize,
    defects: u32,
    pieces: usize,
    /// Those not tried yet, shortest first.
    others: Vec<Commit>,
}

/// A walk over the entries, in commit order.
struct Walk<'a> {
    plan: &'a Plan,
    entries: &'a [&'a Entry],
    known: &'a [Commit],
    /// Batches without an answer that explain nothing yet.
    unanswered: Vec<u32>,
    /// The entry to explain next.
    at: usize,
    next_known: usize,
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
    /// The first commit behind all entries.
    next_known: usize,
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
                let (defects, next_known) = (self.defects, self.next_known);
                best = Some(Explanation { defects, pieces: self.pieces.clone(), next_known });
            }
            if best.as_ref().is_some_and(|best| best.defects == 0) || !self.turn_back() {
                break;
            }
        }
        best.expect("the first walk reaches the end")
    }

    fn explain_next(&mut self) {
        let sequence = self.entries[self.at].sequence;
        while let Some(missing) = self.known.get(self.next_known).filter(|c| c.end() <= sequence) {
            self.defect(Piece::Hole(*missing));
            self.next_known += 1;
        }
        let expected = self.known.get(self.next_known).filter(|c| c.sequence == sequence).copied();
        if let Some(commit) = expected {
            self.next_known += 1;
            match self.matching(&commit) {
                0 => self.stranger(),
                matched if matched < commit.count => self.part(commit, matched, false),
                _ => self.take(Piece::Known(commit), commit.count),
            }
            return;
        }
        let (mut whole, mut part) = (Vec::<Commit>::new(), None);
        for index in 0..self.unanswered.len() {
            let batch = self.unanswered[index];
            let count = self.plan.batches[batch as usize].ops.len() as u64;
            let commit = Commit { sequence, count, batch };
            let matched = self.matching(&commit);
            if matched == count {
                // Two of one length hold the same: either will do, here and anywhere.
                if !whole.iter().any(|other| other.count == count) {
                    whole.push(commit);
                }
            } else if matched > part.map_or(0, |(_, most)| most) {
                part = Some((commit, matched));
            }
        }
        whole.sort_unstable_by_key(|commit| commit.count);
        match (whole.pop(), part) {
            (Some(longest), _) => {
                if !whole.is_empty() {
                    self.turns.push(Turn {
                        at: self.at,
                        next_known: self.next_known,
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
        (self.at, self.next_known, self.defects) = (turn.at, turn.next_known, turn.defects);
        let next = turn.others.pop();
        if !turn.others.is_empty() {
            self.turns.push(turn);
        }
        self.take_unanswered(next.expect("a turn has another way"));
        true
    }

    fn take_unanswered(&mut self, commit: Commit) {
        self.unanswered.retain(|batch| *batch != commit.batch);
        self.take(Piece::Unanswered(commit), commit.count);
    }

    fn part(&mut self, commit: Commit, matched: u64, was_unanswered: bool) {
        self.defect(Piece::Part(commit, matched, was_unanswered));
        self.at += matched as usize;
    }

    fn stranger(&mut self) {
        self.defect(Piece::Stranger(self.at));
        self.at += 1;
    }

    fn take(&mut self, piece: Piece, entries: u64) {
        self.pieces.push(piece);
        self.at += entries as usize;
    }

    fn defect(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.defects += 1;
    }

    /// How many of the first operations of `commit` stand where the walk is.
    fn matching(&mut self, commit: &Commit) -> u64 {
        let ops = self.plan.batches[commit.batch as usize].ops.clone();
        let (plan, scratch) = (self.plan, &mut self.scratch);
        let stands = |(op, (entry, offset)): (u32, (&&Entry, u64))| {
            entry.sequence == commit.sequence + offset
                && plan.op_matches(op, &entry.key, entry.value.as_deref(), scratch)
        };
        let pairs = ops.zip(self.entries[self.at..].iter().zip(0u64..));
        pairs.map(stands).take_while(|stands| *stands).count() as u64
    }
}

impl Explanation {
    fn settlement(self, walk: &Walk<'_>) -> Settlement {
        let mut found = Settlement {
            last: walk.entries.last().map_or(0, |entry| entry.sequence),
            lost: walk.known[self.next_known..].to_vec(),
            ..Settlement::default()
        };
        for piece in self.pieces {
            match piece {
                Piece::Known(commit) => found.present.push(commit),
                Piece::Unanswered(commit) => {
                    found.present.push(commit);
                    found.settled.push(commit);
                }
                Piece::Part(commit, matched, _) => found.partial.push((commit, matched)),
                Piece::Stranger(index) => found.strangers.push(walk.entries[index].clone()),
                Piece::Hole(commit) => found.holes.push(commit),
            }
        }
        found
    }
}
