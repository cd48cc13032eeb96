//! [`Omissions`]: which entries an open need not show, because a compaction may have dropped them.
//!
//! Nothing that was open survives a crash, so no snapshot protects an entry of an earlier
//! incarnation. Of those that had come into tables, one may be missing if
//! - an entry of the same key with a higher sequence is shown; or
//! - no entry of its key is shown at all, and it is a delete, or a delete of the key with a higher
//!   sequence had come into tables too. Had that delete gone while anything older stayed, the older
//!   would be shown.
//!
//! No other entry may be missing. What was only ever in a log that an open still reads, no
//! compaction has seen.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::{Commit, Placed};
use crate::history::Entry;
use crate::workload::{Plan, key_bytes};

/// What may be missing from what an open shows.
#[derive(Debug)]
pub(super) struct Omissions<'a> {
    plan: &'a Plan,
    placed: &'a [Placed],
    entries: &'a [Entry],
    /// Everything up to this sequence had come into tables.
    flushed: u64,
    /// Made when the first entry is missing: most opens show everything.
    by_key: OnceCell<ByKey>,
}

/// The newest entries, by number of the key.
#[derive(Debug, Default)]
struct ByKey {
    /// The highest sequence shown.
    shown: BTreeMap<u32, u64>,
    /// The highest sequence of a delete that came into tables.
    deleted: BTreeMap<u32, u64>,
}

impl<'a> Omissions<'a> {
    /// What may be missing from `entries`, which are shown. `placed` are the batches whose places
    /// are known; everything up to sequence `flushed` had come into tables.
    pub(super) fn new(
        plan: &'a Plan,
        placed: &'a [Placed],
        entries: &'a [Entry],
        flushed: u64,
    ) -> Self {
        Omissions { plan, placed, entries, flushed, by_key: OnceCell::new() }
    }

    /// Whether operation `op`, which has this sequence and is not shown, may be missing.
    pub(super) fn allow(&self, op: u32, sequence: u64) -> bool {
        if sequence > self.flushed {
            return false;
        }
        let by_key = self.by_key.get_or_init(|| self.look());
        let key = self.plan.ops[op as usize].key;
        match by_key.shown.get(&key) {
            Some(&newest) => newest > sequence,
            None => by_key.deleted.get(&key).is_some_and(|&deleted| deleted >= sequence),
        }
    }

    /// Whether all of a batch, of which nothing is shown, may be missing.
    pub(super) fn hide(&self, commit: &Commit) -> bool {
        operations(self.plan, commit).all(|(op, sequence)| self.allow(op, sequence))
    }

    fn look(&self) -> ByKey {
        let mut newest: BTreeMap<&[u8], u64> = BTreeMap::new();
        for entry in self.entries {
            let highest = newest.entry(entry.key()).or_default();
            *highest = entry.sequence.max(*highest);
        }
        let mut by_key = ByKey::default();
        let mut key = Vec::new();
        for number in 0..self.plan.keys {
            key.clear();
            key_bytes(number, &mut key);
            if let Some(&highest) = newest.get(&key[..]) {
                by_key.shown.insert(number, highest);
            }
        }
        for placed in self.placed {
            for (op, sequence) in operations(self.plan, &placed.commit) {
                let planned = self.plan.ops[op as usize];
                if planned.value.is_none() && sequence <= self.flushed {
                    let last = by_key.deleted.entry(planned.key).or_default();
                    *last = sequence.max(*last);
                }
            }
        }
        by_key
    }
}

/// The operations of a batch, with their sequences.
fn operations(plan: &Plan, commit: &Commit) -> impl Iterator<Item = (u32, u64)> {
    plan.batches[commit.batch as usize].ops.clone().zip(commit.sequence..)
}
