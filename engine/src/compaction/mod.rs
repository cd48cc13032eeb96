//! Compaction, as decisions: which tables are merged, which entries are dropped on the way, and
//! where one output ends and the next begins.
//!
//! ```text
//! level n    ......[=====][===]..........   the inputs: some tables of one level, and all tables
//! level n+1  ...[====]..[=======][==]....   of the next that overlap them, become new tables of
//!                    |                      the next level
//! level n+1  ...[====][====][====][==]...
//! level n+2  .[===]....[==][==]....[===]    the grandparents: no output overlaps too many of them
//! ```
//!
//! Pure: knows no file system, lock or clock; it works on one [`Version`], which never changes.
//! Invariants, on which reads rely:
//! - of two entries of one user key, the newer is never at a deeper level than the older. So all
//!   tables of level 0 that overlap go together, and a table whose neighbour goes on with the same
//!   user key takes it along ([`inputs`]);
//! - an entry is dropped only if no reader, now or later, at any snapshot, can tell
//!   ([`DropRule`]).
//!
//! Source: LevelDB `db/version_set.cc`, `Compaction` and what picks it, and `DoCompactionWork` in
//! `db/db_impl.cc`. Differs: no seek is charged to a table, so none makes a compaction.

mod cut;
mod drop_rule;
mod inputs;
mod picker;

#[cfg(test)]
mod tests;

pub use cut::OutputCut;
pub use drop_rule::DropRule;
pub(crate) use inputs::overlaps;
pub use picker::{flush_level, is_due, pick, pick_range};

use std::sync::Arc;

use crate::version::Version;
use crate::version::edit::{FileMetaData, VersionEdit};

/// The deepest level that a flush may choose.
pub const FLUSH_LEVEL_MAX: usize = 2;

/// A table of a version.
pub type File = Arc<FileMetaData>;

/// The sizes that decide about compactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of tables at level 0 that makes a compaction due.
    pub level0_trigger: usize,
    /// Bytes at level 1 beyond which a compaction is due; each deeper level may hold ten times as
    /// much as the one above.
    pub level1_size_max: u64,
    /// Bytes at which a table that a compaction writes is ended.
    pub max_file_size: u64,
}

impl Limits {
    /// Bytes at `level`, from 1, beyond which a compaction is due.
    pub fn level_size_max(&self, level: usize) -> u64 {
        (1..level).fold(self.level1_size_max, |size, _| size.saturating_mul(10))
    }

    /// Most bytes of grandparents that one output may overlap.
    pub fn grandparent_overlap_max(&self) -> u64 {
        self.max_file_size.saturating_mul(10)
    }

    /// Bytes of inputs up to which more tables of the upper level are taken in.
    pub fn expanded_size_max(&self) -> u64 {
        self.max_file_size.saturating_mul(25)
    }
}

/// Tables to be merged into the next level.
#[derive(Clone, Debug)]
pub struct Compaction {
    version: Arc<Version>,
    level: usize,
    inputs: [Vec<File>; 2],
    grandparents: Vec<File>,
    limits: Limits,
    next_start: Vec<u8>,
}

impl Compaction {
    /// The level of the upper inputs; outputs go to the one below.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The tables of [`Compaction::level`], never none, and those of the level below.
    pub fn inputs(&self) -> &[Vec<File>; 2] {
        &self.inputs
    }

    /// The version that the tables are of.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// The largest internal key among the upper inputs: the next compaction of this level starts
    /// behind it.
    pub fn next_start(&self) -> &[u8] {
        &self.next_start
    }

    /// The table that can be moved to the next level as it is, if that is all there is to do.
    ///
    /// `None` also if it would overlap so much of the level after the next that it could not be
    /// merged there at a bearable price.
    pub fn trivial_move(&self) -> Option<&File> {
        match (self.inputs[0].as_slice(), self.inputs[1].as_slice()) {
            ([file], [])
                if total_size(&self.grandparents) <= self.limits.grandparent_overlap_max() =>
            {
                Some(file)
            }
            _ => None,
        }
    }

    /// Where its outputs end.
    pub fn output_cut(&self) -> OutputCut {
        OutputCut::new(self.grandparents.clone(), self.limits)
    }

    /// The change of the file set: the inputs leave, `outputs` join the next level.
    pub fn edit(&self, outputs: impl IntoIterator<Item = FileMetaData>) -> VersionEdit {
        let mut edit = VersionEdit::new();
        edit.compact_pointers.push((self.level, self.next_start.clone()));
        for (level, files) in (self.level..).zip(&self.inputs) {
            edit.deleted_files.extend(files.iter().map(|file| (level, file.number)));
        }
        edit.new_files.extend(outputs.into_iter().map(|file| (self.level + 1, file)));
        edit
    }

    /// Bytes of all inputs.
    pub fn input_size(&self) -> u64 {
        self.inputs.iter().map(|files| total_size(files)).sum()
    }
}

/// Bytes of all of `files`.
pub(crate) fn total_size(files: &[File]) -> u64 {
    files.iter().map(|file| file.size).sum()
}
