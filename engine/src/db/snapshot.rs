//! [`Snapshot`]: a state of the database that stays readable.
//!
//! Source: LevelDB `db/snapshot.h`. Differs: it owns its place in the list and gives it up when the
//! last copy is dropped, so it can neither be forgotten nor released twice.

use core::fmt;
use std::sync::Arc;

use super::state::{Inner, Phase};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::key::SequenceNumber;

/// The state of a database at one moment: everything up to one sequence number.
///
/// Cheap to clone; may be sent to other threads and outlive every handle of its database.
#[derive(Clone)]
pub struct Snapshot {
    sequence: SequenceNumber,
    _pin: Arc<dyn Pin>,
}

/// What keeps something of a database from being dropped, whatever its `Env`.
pub(super) trait Pin: Send + Sync {}

struct SnapshotPin<E: Env> {
    inner: Arc<Inner<E>>,
    sequence: SequenceNumber,
}

impl<E: Env> Pin for SnapshotPin<E> {}

impl<E: Env> Drop for SnapshotPin<E> {
    fn drop(&mut self) {
        let mut state = self.inner.state.lock();
        if let Some(count) = state.snapshots.get_mut(&self.sequence) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&self.sequence);
            }
        }
    }
}

impl Snapshot {
    /// The last sequence number that this state contains.
    pub fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    pub(super) fn new<E: Env>(inner: &Arc<Inner<E>>) -> Result<Self> {
        let mut state = inner.state.lock();
        if state.phase == Phase::Closed {
            return Err(Error::Closed);
        }
        let sequence = inner.published();
        *state.snapshots.entry(sequence).or_insert(0) += 1;
        drop(state);
        let inner = Arc::clone(inner);
        Ok(Snapshot { sequence, _pin: Arc::new(SnapshotPin { inner, sequence }) })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
