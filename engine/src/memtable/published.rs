//! [`Published`]: the sequence number up to which readers see everything.
//!
//! It is how a reader without a lock knows that entries are linked: the writer publishes a number
//! once all entries up to it are in the memtable, with a release store that the reader's load
//! acquires. Whoever looks entries up by a number from here finds all of them.
//!
//! Source: LevelDB `VersionSet::last_sequence_`. Differs: no lock is needed to read it.

use core::fmt;

use crate::env::{Atomic, Threads};
use crate::key::SequenceNumber;

/// A sequence number that one thread raises and any thread reads.
pub struct Published<R: Threads>(R::AtomicU64);

impl<R: Threads> Published<R> {
    /// Everything up to `last` can be seen.
    pub fn new(last: SequenceNumber) -> Self {
        Published(R::AtomicU64::new(last))
    }

    /// The last number of which this thread sees the entry, and those of all before it.
    pub fn last(&self) -> SequenceNumber {
        self.0.load()
    }

    /// Lets readers see everything up to `last`, all of which is in place.
    pub fn publish(&self, last: SequenceNumber) {
        self.0.store(last);
    }
}

impl<R: Threads> fmt::Debug for Published<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Published").field(&self.0.load_unsync()).finish()
    }
}
