//! The inputs of a compaction, once its first tables are chosen.
//!
//! Source: LevelDB `db/version_set.cc`, `Version::GetOverlappingInputs`, `AddBoundaryInputs` and
//! `VersionSet::SetupOtherInputs`.

use std::sync::Arc;

use super::{Compaction, File, Limits, total_size};
use crate::key::{InternalKeyComparator, user_key};
use crate::version::Version;
use crate::version::edit::LEVEL_COUNT;

/// The tables of `level` that hold any user key from `begin` to `end`, both included; `None` is no
/// bound. At level 0 also those that overlap one of these, and so on: they go together.
pub(crate) fn overlapping(
    version: &Version,
    level: usize,
    begin: Option<&[u8]>,
    end: Option<&[u8]>,
    order: &InternalKeyComparator,
) -> Vec<File> {
    let (mut begin, mut end) = (begin, end);
    let files = version.level(level);
    loop {
        let (old_begin, old_end) = (begin, end);
        let mut found = Vec::new();
        for file in files {
            let (first, last) = (user_key(&file.smallest), user_key(&file.largest));
            let is_before = begin.is_some_and(|begin| order.compare_user(last, begin).is_lt());
            let is_after = end.is_some_and(|end| order.compare_user(first, end).is_gt());
            if is_before || is_after {
                continue;
            }
            found.push(Arc::clone(file));
            if level == 0 {
                begin = begin.map(|b| if order.compare_user(first, b).is_lt() { first } else { b });
                end = end.map(|e| if order.compare_user(last, e).is_gt() { last } else { e });
            }
        }
        // A wider range may reach further tables.
        if (begin, end) == (old_begin, old_end) {
            return found;
        }
    }
}

/// Whether any table of `level` holds a user key from `begin` to `end`, both included.
pub(crate) fn overlaps(
    version: &Version,
    level: usize,
    begin: Option<&[u8]>,
    end: Option<&[u8]>,
    order: &InternalKeyComparator,
) -> bool {
    version.level(level).iter().any(|file| {
        let (first, last) = (user_key(&file.smallest), user_key(&file.largest));
        begin.is_none_or(|begin| order.compare_user(last, begin).is_ge())
            && end.is_none_or(|end| order.compare_user(first, end).is_le())
    })
}

/// Adds every table of `level_files` that goes on, with older entries, where the user key at the
/// end of `files` leaves off.
///
/// Were such a neighbour left behind, the newer entries would go below the older, and a lookup
/// would find the older first.
pub(crate) fn add_boundary_files(
    level_files: &[File],
    files: &mut Vec<File>,
    order: &InternalKeyComparator,
) {
    let Some(mut largest) = largest_key(files, order).map(<[u8]>::to_vec) else { return };
    loop {
        let goes_on = |file: &&File| {
            order.compare(&file.smallest, &largest).is_gt()
                && order.compare_user(user_key(&file.smallest), user_key(&largest)).is_eq()
        };
        let next = level_files
            .iter()
            .filter(goes_on)
            .min_by(|a, b| order.compare(&a.smallest, &b.smallest));
        let Some(next) = next else { return };
        largest.clone_from(&next.largest);
        files.push(Arc::clone(next));
    }
}

/// Makes a compaction out of the first tables chosen of `level`; there is at least one.
pub(crate) fn complete(
    version: &Arc<Version>,
    level: usize,
    first: Vec<File>,
    limits: Limits,
    order: &InternalKeyComparator,
) -> Compaction {
    let (upper_files, lower_files) = (version.level(level), version.level(level + 1));
    let below = |files: &[File]| {
        let (begin, end) = user_range(files, order);
        let mut lower = overlapping(version, level + 1, begin, end, order);
        add_boundary_files(lower_files, &mut lower, order);
        lower
    };
    let mut upper = first;
    add_boundary_files(upper_files, &mut upper, order);
    let mut lower = below(&upper);
    if !lower.is_empty() {
        // More of the upper level may fit in without drawing in more of the lower one.
        let both: Vec<File> = upper.iter().chain(&lower).cloned().collect();
        let (begin, end) = user_range(&both, order);
        let mut wider = overlapping(version, level, begin, end, order);
        add_boundary_files(upper_files, &mut wider, order);
        let size = total_size(&lower).saturating_add(total_size(&wider));
        if wider.len() > upper.len() && size < limits.expanded_size_max() {
            let lower_of_wider = below(&wider);
            if lower_of_wider.len() == lower.len() {
                (upper, lower) = (wider, lower_of_wider);
            }
        }
    }
    let both: Vec<File> = upper.iter().chain(&lower).cloned().collect();
    let (begin, end) = user_range(&both, order);
    let grandparents = if level + 2 < LEVEL_COUNT {
        overlapping(version, level + 2, begin, end, order)
    } else {
        Vec::new()
    };
    let next_start = largest_key(&upper, order).unwrap_or_default().to_vec();
    Compaction {
        version: Arc::clone(version),
        level,
        inputs: [upper, lower],
        grandparents,
        limits,
        next_start,
    }
}

fn largest_key<'a>(files: &'a [File], order: &InternalKeyComparator) -> Option<&'a [u8]> {
    files.iter().map(|file| &file.largest[..]).max_by(|a, b| order.compare(a, b))
}

/// The smallest and the largest user key of `files`; no bound where there are none.
pub(crate) fn user_range<'a>(
    files: &'a [File],
    order: &InternalKeyComparator,
) -> (Option<&'a [u8]>, Option<&'a [u8]>) {
    let smallest = files.iter().map(|file| &file.smallest[..]).min_by(|a, b| order.compare(a, b));
    (smallest.map(user_key), largest_key(files, order).map(user_key))
}
