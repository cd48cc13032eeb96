//! What to compact next, and at which level a flushed table may start.
//!
//! Source: LevelDB `db/version_set.cc`, `VersionSet::{Finalize, PickCompaction, CompactRange}` and
//! `Version::PickLevelForMemTableOutput`. Differs: fullness is compared as exact fractions.

use core::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::inputs::{complete, overlapping, overlaps, user_range};
use super::{Compaction, FLUSH_LEVEL_MAX, Limits, total_size};
use crate::key::{InternalKeyComparator, user_key};
use crate::version::Version;
use crate::version::edit::{FileMetaData, LEVEL_COUNT};

/// How full a level is.
#[derive(Clone, Copy, Debug)]
struct Fullness {
    has: u64,
    may_have: u64,
}

impl Fullness {
    fn of(version: &Version, level: usize, limits: &Limits) -> Self {
        let files = version.level(level);
        match level {
            // By number, not by size: every one of them is looked into by a read, and with large
            // memtables few bytes are many merges.
            0 => Fullness { has: files.len() as u64, may_have: limits.level0_trigger as u64 },
            _ => Fullness { has: total_size(files), may_have: limits.level_size_max(level) },
        }
    }

    fn is_due(self) -> bool {
        self.has >= self.may_have
    }

    fn compare(self, other: Self) -> Ordering {
        let left = u128::from(self.has) * u128::from(other.may_have);
        let right = u128::from(other.has) * u128::from(self.may_have);
        left.cmp(&right)
    }
}

/// The fullest level, if it is so full that a compaction is due. The last level is never too full.
fn fullest_level(version: &Version, limits: &Limits) -> Option<usize> {
    let levels = (0..LEVEL_COUNT - 1).map(|level| (level, Fullness::of(version, level, limits)));
    let due = levels.filter(|(_, fullness)| fullness.is_due());
    // Of equals the upper one: it holds up reads and writes more.
    let fuller = |best: (usize, Fullness), next: (usize, Fullness)| {
        if next.1.compare(best.1).is_gt() { next } else { best }
    };
    due.reduce(fuller).map(|(level, _)| level)
}

/// Whether a compaction is due.
pub fn is_due(version: &Version, limits: &Limits) -> bool {
    fullest_level(version, limits).is_some()
}

/// The compaction that is due, if one is. `pointers` has, by level, the internal key behind which
/// it starts; a level is gone through in turns, from its first table to its last.
pub fn pick(
    version: &Arc<Version>,
    pointers: &BTreeMap<usize, Vec<u8>>,
    limits: Limits,
    order: &InternalKeyComparator,
) -> Option<Compaction> {
    let level = fullest_level(version, &limits)?;
    let files = version.level(level);
    let is_next = |file: &&Arc<FileMetaData>| {
        pointers.get(&level).is_none_or(|after| order.compare(&file.largest, after).is_gt())
    };
    let chosen = files.iter().find(is_next).or(files.first())?;
    let mut first = vec![Arc::clone(chosen)];
    if level == 0 {
        let (begin, end) = user_range(&first, order);
        first = overlapping(version, 0, begin, end, order);
    }
    Some(complete(version, level, first, limits, order))
}

/// The next step of compacting the user keys from `begin` to `end`, both included, out of `level`;
/// `None` if there is nothing of them there. `None` as a bound is none.
///
/// From level 1 on a step takes in about one table's worth: what is left starts at the user key
/// of [`Compaction::next_start`].
pub fn pick_range(
    version: &Arc<Version>,
    level: usize,
    (begin, end): (Option<&[u8]>, Option<&[u8]>),
    limits: Limits,
    order: &InternalKeyComparator,
) -> Option<Compaction> {
    let mut first = overlapping(version, level, begin, end, order);
    if first.is_empty() {
        return None;
    }
    if level > 0 {
        let mut size = 0u64;
        let enough = first.iter().position(|file| {
            size = size.saturating_add(file.size);
            size >= limits.max_file_size
        });
        first.truncate(enough.map_or(first.len(), |at| at + 1));
    }
    Some(complete(version, level, first, limits, order))
}

/// The level at which a table that was flushed just now may join `version`, to spare it
/// compactions: above everything that it overlaps, and not so deep that overwriting it would leave
/// dead weight there for long.
///
/// Holds only while no compaction is running: one could put a table with the same keys there.
pub fn flush_level(
    version: &Version,
    table: &FileMetaData,
    limits: &Limits,
    order: &InternalKeyComparator,
) -> usize {
    let range = (Some(user_key(&table.smallest)), Some(user_key(&table.largest)));
    let is_in = |level| overlaps(version, level, range.0, range.1, order);
    if is_in(0) {
        return 0;
    }
    let mut level = 0;
    while level < FLUSH_LEVEL_MAX && !is_in(level + 1) {
        let grandparents = overlapping(version, level + 2, range.0, range.1, order);
        if total_size(&grandparents) > limits.grandparent_overlap_max() {
            break;
        }
        level += 1;
    }
    level
}
