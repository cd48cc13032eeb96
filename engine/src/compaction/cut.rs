//! [`OutputCut`]: where one output of a compaction ends and the next begins.
//!
//! Source: LevelDB `db/version_set.cc`, `Compaction::ShouldStopBefore`.

use super::{File, Limits};
use crate::key::InternalKeyComparator;

/// Watches the keys of a compaction go by, in order.
#[derive(Clone, Debug)]
pub struct OutputCut {
    grandparents: Vec<File>,
    limits: Limits,
    // The first grandparent that does not end before the last key seen.
    at: usize,
    has_seen_key: bool,
    // Bytes of grandparents that the current output overlaps.
    overlap: u64,
}

impl OutputCut {
    pub(super) fn new(grandparents: Vec<File>, limits: Limits) -> Self {
        OutputCut { grandparents, limits, at: 0, has_seen_key: false, overlap: 0 }
    }

    /// Whether the output must end before `internal_key`, because it overlaps too many
    /// grandparents. To be asked of every key that comes by, whether it is dropped or not.
    pub fn is_before(&mut self, internal_key: &[u8], order: &InternalKeyComparator) -> bool {
        while let Some(file) = self.grandparents.get(self.at)
            && order.compare(internal_key, &file.largest).is_gt()
        {
            if self.has_seen_key {
                self.overlap += file.size;
            }
            self.at += 1;
        }
        self.has_seen_key = true;
        let is_too_much = self.overlap > self.limits.grandparent_overlap_max();
        if is_too_much {
            self.overlap = 0;
        }
        is_too_much
    }

    /// Whether an output of `size` bytes is large enough.
    pub fn is_full(&self, size: u64) -> bool {
        size >= self.limits.max_file_size
    }
}
