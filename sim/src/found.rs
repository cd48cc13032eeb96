//! What a process finds on the disk, until it is certain that no crash takes it.
//!
//! Tables and old logs tell which batches have come into tables, and a compaction may have dropped
//! what they held: from then on it need not be shown any more. But a process that follows a killed
//! one finds what that one left in the cache, such as a CURRENT whose new name is not durable. If
//! the power takes it again, nothing of what it told is true. So what was known before is kept
//! until an open has returned, or removes a log, before which it makes all that it needs durable.

use crate::history::History;
use crate::world::World;

/// What was known before a process looked.
#[derive(Clone, Debug)]
pub struct Before {
    flushed_sequence: u64,
    /// By batch: see [`crate::history::BatchState::written_at`].
    written_at: Vec<Option<u64>>,
}

impl Before {
    fn of(history: &History) -> Self {
        let written_at = history.batches.iter().map(|batch| batch.written_at).collect();
        Before { flushed_sequence: history.flushed_sequence, written_at }
    }
}

impl World {
    /// A process is about to look at what it finds.
    pub(crate) fn keep_before(&self) {
        let mut before = self.before.borrow_mut();
        before.get_or_insert_with(|| Before::of(&self.history.borrow()));
    }

    /// What was found is durable.
    pub(crate) fn trust_found(&self) {
        self.before.replace(None);
    }

    /// The power went: the next process looks at what is left.
    pub(crate) fn forget_found(&self) {
        let Some(before) = self.before.take() else { return };
        let mut history = self.history.borrow_mut();
        history.flushed_sequence = before.flushed_sequence;
        for (batch, written_at) in history.batches.iter_mut().zip(before.written_at) {
            batch.written_at = written_at;
        }
    }
}
