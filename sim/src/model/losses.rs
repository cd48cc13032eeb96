//! Explains what an open showed of a disk that took synced bytes: tables may be gone, and batches
//! with them, out of the middle.
//!
//! A batch of which nothing is shown may have been dropped by a compaction, which leaves what hides
//! it, or it may be gone. If it is gone it hides nothing: an older entry that only its delete would
//! hide is gone as well. So batches are given up until what is left explains what is missing.

use std::collections::BTreeSet;

use super::settle::settle_without;
use super::{Commit, Settlement};
use crate::history::{History, Opened};
use crate::workload::Plan;

/// Explains the entries of an open as [`super::settle()`] does, with every batch that is gone
/// among the lost, wherever it stood. None whose place is given again is kept: one that ends
/// behind the engine's last sequence is gone if nothing of it is shown.
pub fn settle_losses(plan: &Plan, history: &History, opened: &Opened) -> Settlement {
    let shown: BTreeSet<u64> = opened.entries.iter().map(|entry| entry.sequence).collect();
    let is_free = |commit: &&Commit| {
        commit.end() - 1 > opened.last_sequence
            && shown.range(commit.sequence..commit.end()).next().is_none()
    };
    let (mut lost, mut gone) = (Vec::<Commit>::new(), BTreeSet::<u32>::new());
    loop {
        let mut found = settle_without(plan, history, opened, &gone);
        let before = gone.len();
        let free = found.present.iter().filter(is_free);
        for commit in found.holes.iter().chain(&found.lost).chain(free) {
            if gone.insert(commit.batch) {
                lost.push(*commit);
            }
        }
        // Nobody was promised those without an answer; but they hide nothing either.
        gone.extend(found.absent.iter().map(|commit| commit.batch));
        if gone.len() == before {
            lost.sort_unstable_by_key(|commit| (commit.sequence, commit.batch));
            found.lost = lost;
            return found;
        }
    }
}
