//! [`DropRule`]: which entries a compaction need not write again.
//!
//! An entry is dropped if
//! - a newer entry of its user key is visible at the oldest snapshot, and so at every one; or
//! - it is a deletion that is visible at the oldest snapshot, and no deeper level than that of the
//!   outputs has any table whose range its user key is in. Older entries of the key then are among
//!   the inputs, where the first rule drops them, or nowhere.
//!
//! What is at the level of the inputs or above, outside of them, is newer.
//!
//! Source: LevelDB `DBImpl::DoCompactionWork`, `Compaction::IsBaseLevelForKey`.

use std::sync::Arc;

use super::Compaction;
use crate::key::{InternalKeyComparator, ParsedInternalKey, SequenceNumber, ValueType, user_key};
use crate::version::Version;
use crate::version::edit::LEVEL_COUNT;

/// Watches the entries of a compaction go by, in internal-key order.
#[derive(Clone, Debug)]
pub struct DropRule {
    version: Arc<Version>,
    order: InternalKeyComparator,
    output_level: usize,
    oldest_snapshot: SequenceNumber,
    // The user key of the last entry, and its sequence number.
    last: Option<(Vec<u8>, SequenceNumber)>,
    // By level: the first table that does not end before the last user key asked about.
    at: [usize; LEVEL_COUNT],
}

impl DropRule {
    /// The rule for `compaction`, where every snapshot there is, and every reader without one, sees
    /// all up to `oldest_snapshot`.
    pub fn new(
        compaction: &Compaction,
        oldest_snapshot: SequenceNumber,
        order: InternalKeyComparator,
    ) -> Self {
        DropRule {
            version: Arc::clone(compaction.version()),
            order,
            output_level: compaction.level() + 1,
            oldest_snapshot,
            last: None,
            at: [0; LEVEL_COUNT],
        }
    }

    /// Whether this entry, the next one, can be dropped.
    pub fn drops(&mut self, entry: &ParsedInternalKey<'_>) -> bool {
        let newer = match &mut self.last {
            Some((key, sequence)) if self.order.compare_user(key, entry.user_key).is_eq() => {
                Some(core::mem::replace(sequence, entry.sequence))
            }
            Some((key, sequence)) => {
                key.clear();
                key.extend_from_slice(entry.user_key);
                *sequence = entry.sequence;
                None
            }
            none => {
                *none = Some((entry.user_key.to_vec(), entry.sequence));
                None
            }
        };
        if newer.is_some_and(|newer| newer <= self.oldest_snapshot) {
            return true;
        }
        entry.value_type == ValueType::Deletion
            && entry.sequence <= self.oldest_snapshot
            && self.is_base_level(entry.user_key)
    }

    /// Whether no level deeper than that of the outputs can hold `key`. Keys ascend from call to
    /// call.
    fn is_base_level(&mut self, key: &[u8]) -> bool {
        for level in self.output_level + 1..LEVEL_COUNT {
            let files = self.version.level(level);
            let at = &mut self.at[level];
            while let Some(file) = files.get(*at)
                && self.order.compare_user(key, user_key(&file.largest)).is_gt()
            {
                *at += 1;
            }
            if let Some(file) = files.get(*at)
                && self.order.compare_user(key, user_key(&file.smallest)).is_ge()
            {
                return false;
            }
        }
        true
    }
}
