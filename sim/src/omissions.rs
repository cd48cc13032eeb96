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

use std::collections::BTreeMap;

use crate::history::Entry;
use crate::model::{Commit, Placed};
use crate::workload::{Plan, key_bytes};

/// What may be missing from what an open shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Omissions {
    /// By number of the key: the highest sequence shown.
    shown: BTreeMap<u32, u64>,
    /// By number of the key: the highest sequence of a delete that came into tables.
    deleted: BTreeMap<u32, u64>,
    /// Everything up to this sequence had come into tables.
    flushed: u64,
}

impl Omissions {
    /// Looks at the entries that are shown, and at the batches whose places are known.
    pub(crate) fn new(plan: &Plan, placed: &[Placed], entries: &[Entry], flushed: u64) -> Self {
        let mut omissions = Omissions { flushed, ..Omissions::default() };
        if flushed == 0 {
            return omissions;
        }
        let mut by_key: BTreeMap<&[u8], u64> = BTreeMap::new();
        for entry in entries {
            let highest = by_key.entry(&entry.key).or_default();
            *highest = entry.sequence.max(*highest);
        }
        let mut key = Vec::new();
        for number in 0..plan.keys {
            key.clear();
            key_bytes(number, &mut key);
            if let Some(&highest) = by_key.get(&key[..]) {
                omissions.shown.insert(number, highest);
            }
        }
        for placed in placed {
            for (op, sequence) in operations(plan, &placed.commit) {
                let planned = plan.ops[op as usize];
                if planned.value.is_none() && sequence <= flushed {
                    let last = omissions.deleted.entry(planned.key).or_default();
                    *last = sequence.max(*last);
                }
            }
        }
        omissions
    }

    /// Whether operation `op`, which has this sequence and is not shown, may be missing.
    pub(crate) fn allow(&self, plan: &Plan, op: u32, sequence: u64) -> bool {
        if sequence > self.flushed {
            return false;
        }
        let key = plan.ops[op as usize].key;
        match self.shown.get(&key) {
            Some(&newest) => newest > sequence,
            None => self.deleted.get(&key).is_some_and(|&deleted| deleted >= sequence),
        }
    }

    /// Whether all of a batch, of which nothing is shown, may be missing.
    pub(crate) fn hide(&self, plan: &Plan, commit: &Commit) -> bool {
        operations(plan, commit).all(|(op, sequence)| self.allow(plan, op, sequence))
    }
}

/// The operations of a batch, with their sequences.
fn operations(plan: &Plan, commit: &Commit) -> impl Iterator<Item = (u32, u64)> {
    plan.batches[commit.batch as usize].ops.clone().zip(commit.sequence..)
}
