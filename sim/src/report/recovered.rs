//! What the last open showed, batch by batch.

use super::counted;
use crate::checker::name_batch;
use crate::judge::Shown;
use crate::model::Commit;
use crate::workload::Plan;

/// Batches named of each kind.
const NAMED: usize = 5;

/// What was recovered, against what clients had been told.
pub(super) fn lines(plan: &Plan, shown: Option<&Shown>) -> Vec<String> {
    let Some(shown) = shown else {
        return vec!["  recovered  nothing: no open of this process returned Ok".to_owned()];
    };
    let found = &shown.settlement;
    let mut lines = vec![
        format!(
            "  recovered  {}, up to sequence {}, by the open at point {}",
            counted(found.present.len(), "whole batch"),
            found.last,
            shown.point
        ),
        format!(
            "  promised   acknowledged up to sequence {}, and synced up to {}",
            shown.acknowledged, shown.synced
        ),
    ];
    let name = |commit: &Commit| name_batch(plan, commit);
    let mut list = |head: &str, batches: Vec<String>| {
        for (index, batch) in batches.iter().take(NAMED).enumerate() {
            let head = if index == 0 { head } else { "" };
            lines.push(format!("  {head:<10} {batch}"));
        }
        if batches.len() > NAMED {
            lines.push(format!("  {:<10} and {} more", "", batches.len() - NAMED));
        }
    };
    list(
        "missing",
        found.holes.iter().map(|c| name(c) + ", though later ones are there").collect(),
    );
    list("missing", found.lost.iter().map(name).collect());
    let part =
        |(commit, ops): &(Commit, u64)| format!("the first {ops} operations of {}", name(commit));
    list("in part", found.partial.iter().map(part).collect());
    let stranger = |entry: &crate::history::Entry| {
        format!("an entry that nobody wrote there, at sequence {}", entry.sequence)
    };
    list("foreign", found.strangers.iter().map(stranger).collect());
    list("unanswered", found.settled.iter().map(|c| name(c) + ", which had no Ok").collect());
    lines
}
