//! What a process met of damage to the medium.

use std::collections::BTreeSet;

/// The reads of one process that were given other bytes than were written, or an error instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    /// How many there were.
    pub reads: u64,
    /// The names of the files that they read.
    pub files: BTreeSet<String>,
}
