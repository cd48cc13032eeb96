//! [`RecoveryReport`]: what `open` found, wrote and dropped.
//!
//! Source: none in LevelDB, which writes such things into its info log.

use std::path::PathBuf;

use crate::error::Defect;
use crate::filename::{FileKind, FileNumber};
use crate::key::SequenceNumber;

/// Bytes of a log or MANIFEST that the recovered state does not contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedBytes {
    /// The file that they were in: a log or a MANIFEST.
    pub file: FileKind,
    /// Where they start.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
    /// The first thing wrong; `None` if they are dropped only because of what comes before them.
    pub defect: Option<Defect>,
    /// How many whole, valid batches are among them.
    pub batches: u64,
    /// The smallest and the largest sequence number of those batches.
    pub sequences: Option<(SequenceNumber, SequenceNumber)>,
    /// The file that holds them now; `None` if there are none to hold.
    pub kept_in: Option<PathBuf>,
}

/// What an `open` did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Whether the database was created.
    pub is_new: bool,
    /// The logs that were replayed, in order.
    pub logs: Vec<FileNumber>,
    /// How many batches were recovered from them.
    pub batches: u64,
    /// How many puts and deletes those batches held.
    pub operations: u64,
    /// The level-0 tables that now hold them.
    pub tables: Vec<FileNumber>,
    /// The largest sequence number met, dropped batches included. The next write gets the one
    /// after it.
    pub last_sequence: SequenceNumber,
    /// What the recovered state does not contain, in order of files and offsets.
    pub dropped: Vec<DroppedBytes>,
    /// Copies, in `lost`, of files that no readable edit of the MANIFEST knows: tables, then logs.
    pub set_aside: Vec<PathBuf>,
}

impl RecoveryReport {
    /// Whether anything that was on disk is not in the recovered state.
    pub fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }
}
