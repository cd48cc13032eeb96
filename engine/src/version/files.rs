//! [`Version`]: the tables of a database at one moment, by level. Never changes once made.
//!
//! Pure: knows no file system and opens nothing. Invariants, checked whenever a version is made:
//! every level is sorted by smallest key, then number; no table is listed twice; the ranges of two
//! tables of one level from 1 up do not overlap.
//!
//! Source: LevelDB `db/version_set.cc`, `Version` and `VersionSet::Builder`. Differs: overlap is
//! refused in release builds too.

use core::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::edit::{FileMetaData, LEVEL_COUNT, VersionEdit};
use crate::filename::FileNumber;
use crate::key::{InternalKeyComparator, SequenceNumber, ValueType, append_internal_key, user_key};

/// The tables of each level.
#[derive(Clone, Debug, Default)]
pub struct Version {
    levels: [Vec<Arc<FileMetaData>>; LEVEL_COUNT],
}

impl Version {
    /// The tables of `level`, sorted by smallest key, then number.
    pub fn level(&self, level: usize) -> &[Arc<FileMetaData>] {
        &self.levels[level]
    }

    /// All tables, with their levels.
    pub fn files(&self) -> impl Iterator<Item = (usize, &Arc<FileMetaData>)> {
        self.levels
            .iter()
            .enumerate()
            .flat_map(|(level, files)| files.iter().map(move |file| (level, file)))
    }

    /// The tables that can hold what `lookup` (see [`lookup_key`]) seeks, in the order in which
    /// they must be tried: level 0 from the newest number down, then at most one of each deeper
    /// level.
    pub fn candidates(
        &self,
        lookup: &[u8],
        order: &InternalKeyComparator,
    ) -> impl Iterator<Item = &Arc<FileMetaData>> {
        let key = user_key(lookup);
        let starts_by =
            |file: &FileMetaData| order.compare_user(user_key(&file.smallest), key).is_le();
        let ends_by =
            |file: &FileMetaData| order.compare_user(user_key(&file.largest), key).is_ge();
        let is_candidate = |file: &&Arc<FileMetaData>| starts_by(file) && ends_by(file);
        let mut level0: Vec<_> = self.levels[0].iter().filter(is_candidate).collect();
        level0.sort_unstable_by_key(|file| core::cmp::Reverse(file.number));
        let deeper = self.levels[1..].iter().filter_map(move |files| {
            // By internal key: two neighbours may share a user key, the first with newer entries.
            let at = files.partition_point(|file| order.compare(&file.largest, lookup).is_lt());
            files.get(at).filter(|file| starts_by(file))
        });
        level0.into_iter().chain(deeper)
    }

    /// A version of these tables alone, by level. They were in one version before.
    pub(crate) fn of_files(
        files: impl IntoIterator<Item = (usize, Arc<FileMetaData>)>,
        order: &InternalKeyComparator,
    ) -> Self {
        let mut builder = VersionBuilder::new(&Version::default());
        for (level, file) in files {
            builder.levels[level].insert(file.number, file);
        }
        Version { levels: builder.levels.map(|files| sorted(files, order)) }
    }

    /// The version after `edit`.
    ///
    /// # Errors
    /// In words, what would be wrong with it.
    pub fn apply(&self, edit: &VersionEdit, order: &InternalKeyComparator) -> Result<Self, String> {
        let mut builder = VersionBuilder::new(self);
        builder.apply(edit);
        builder.finish(order)
    }
}

/// Collects edits and makes one version of them.
#[derive(Debug)]
pub struct VersionBuilder {
    levels: [BTreeMap<FileNumber, Arc<FileMetaData>>; LEVEL_COUNT],
}

impl VersionBuilder {
    /// Starts from `base`.
    pub fn new(base: &Version) -> Self {
        let levels = core::array::from_fn(|level| {
            base.level(level).iter().map(|file| (file.number, Arc::clone(file))).collect()
        });
        VersionBuilder { levels }
    }

    /// Applies the files of one edit: those that leave, then those that join.
    pub fn apply(&mut self, edit: &VersionEdit) {
        for (level, number) in &edit.deleted_files {
            self.levels[*level].remove(number);
        }
        for (level, file) in &edit.new_files {
            self.levels[*level].insert(file.number, Arc::new(file.clone()));
        }
    }

    /// The version.
    ///
    /// # Errors
    /// In words, which invariant it would break.
    pub fn finish(self, order: &InternalKeyComparator) -> Result<Version, String> {
        let levels = self.levels.map(|files| sorted(files, order));
        for (level, files) in levels.iter().enumerate() {
            check_level(level, files, order)?;
        }
        Ok(Version { levels })
    }
}

/// By smallest key, then number.
fn sorted(
    files: BTreeMap<FileNumber, Arc<FileMetaData>>,
    order: &InternalKeyComparator,
) -> Vec<Arc<FileMetaData>> {
    let mut files: Vec<_> = files.into_values().collect();
    files.sort_by(|a, b| order.compare(&a.smallest, &b.smallest).then(a.number.cmp(&b.number)));
    files
}

fn check_level(
    level: usize,
    files: &[Arc<FileMetaData>],
    order: &InternalKeyComparator,
) -> Result<(), String> {
    for file in files {
        if order.compare(&file.smallest, &file.largest) == Ordering::Greater {
            return Err(format!("table {} ends before it starts", file.number));
        }
    }
    if level == 0 {
        return Ok(());
    }
    for pair in files.windows(2) {
        if let [left, right] = pair
            && order.compare(&left.largest, &right.smallest).is_ge()
        {
            return Err(format!(
                "tables {} and {} overlap at level {level}",
                left.number, right.number
            ));
        }
    }
    Ok(())
}

/// The internal key that sorts before every entry of `key` visible at `sequence`.
pub fn lookup_key(key: &[u8], sequence: SequenceNumber) -> Vec<u8> {
    let mut lookup = Vec::with_capacity(key.len() + 8);
    append_internal_key(&mut lookup, key, sequence, ValueType::FOR_SEEK);
    lookup
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: FileNumber, smallest: &str, largest: &str) -> FileMetaData {
        FileMetaData {
            number,
            size: 1,
            smallest: lookup_key(smallest.as_bytes(), 100),
            largest: lookup_key(largest.as_bytes(), 100),
        }
    }

    fn version(files: &[(usize, FileMetaData)]) -> Result<Version, String> {
        let edit = VersionEdit { new_files: files.to_vec(), ..VersionEdit::new() };
        Version::default().apply(&edit, &InternalKeyComparator::bytewise())
    }

    fn candidates(version: &Version, key: &str) -> Vec<FileNumber> {
        let order = InternalKeyComparator::bytewise();
        version
            .candidates(&lookup_key(key.as_bytes(), 100), &order)
            .map(|file| file.number)
            .collect()
    }

    #[test]
    fn a_lookup_tries_level_0_newest_first_then_one_table_a_level() {
        let version = version(&[
            (0, file(7, "a", "m")),
            (0, file(9, "c", "d")),
            (0, file(8, "n", "z")),
            (1, file(3, "a", "c")),
            (1, file(4, "e", "h")),
            (2, file(1, "b", "y")),
        ])
        .unwrap();
        assert_eq!(candidates(&version, "c"), [9, 7, 3, 1]);
        assert_eq!(candidates(&version, "d"), [9, 7, 1]);
        assert_eq!(candidates(&version, "e"), [7, 4, 1]);
        assert_eq!(candidates(&version, "z"), [8]);
        assert_eq!(candidates(&version, ""), [0; 0]);
    }

    #[test]
    fn overlap_below_level_0_is_refused() {
        assert!(version(&[(0, file(1, "a", "c")), (0, file(2, "b", "d"))]).is_ok());
        assert!(version(&[(1, file(1, "a", "c")), (1, file(2, "d", "e"))]).is_ok());
        let overlap = version(&[(1, file(1, "a", "c")), (1, file(2, "c", "e"))]);
        assert_eq!(overlap.unwrap_err(), "tables 1 and 2 overlap at level 1");
        assert!(version(&[(3, file(1, "b", "a"))]).is_err());
    }

    #[test]
    fn a_table_leaves_before_another_joins() {
        let first = version(&[(0, file(1, "a", "b"))]).unwrap();
        let mut edit = VersionEdit::new();
        edit.deleted_files.insert((0, 1));
        edit.new_files.push((1, file(1, "a", "b")));
        let moved = first.apply(&edit, &InternalKeyComparator::bytewise()).unwrap();
        assert_eq!(
            moved.files().map(|(level, file)| (level, file.number)).collect::<Vec<_>>(),
            [(1, 1)]
        );
        // Removing and adding in one edit keeps it.
        edit.new_files[0].0 = 0;
        let kept = first.apply(&edit, &InternalKeyComparator::bytewise()).unwrap();
        assert_eq!(kept.level(0).len(), 1);
    }
}
