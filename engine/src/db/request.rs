//! [`Request`]: what a caller lines up for in the commit queue, and [`Write`], what it wants
//! written. They borrow from the caller and are never kept.

use crate::batch::{BATCH_HEADER_SIZE, WriteBatch};
use crate::codec::VARINT32_SIZE_MAX;
use crate::error::{Error, Result};

/// Bytes of a batch of one operation beyond key and value: header, tag and two lengths, at most.
const SINGLE_OVERHEAD: usize = BATCH_HEADER_SIZE + 1 + 2 * VARINT32_SIZE_MAX;
/// Most bytes of a single put, so that lengths on disk have 32 bits.
const SINGLE_SIZE_MAX: usize = u32::MAX as usize;

/// What a caller wants written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write<'a> {
    /// All of a batch.
    Batch(&'a WriteBatch),
    /// One put, which needs no batch of its own on its way.
    Put { key: &'a [u8], value: &'a [u8] },
    /// One delete.
    Delete { key: &'a [u8] },
}

impl Write<'_> {
    /// Adds the operations to `batch`.
    ///
    /// # Errors
    /// `InvalidArgument` if the batch has no room; it is unchanged then. An empty one has room for
    /// any write that passed [`Write::check`].
    pub(super) fn append_to(self, batch: &mut WriteBatch) -> Result<()> {
        match self {
            Write::Batch(write) => batch.append(write),
            Write::Put { key, value } => batch.put(key, value),
            Write::Delete { key } => batch.delete(key),
        }
    }

    /// Refuses what does not fit a batch, before anything is touched.
    pub(super) fn check(self) -> Result<()> {
        match self {
            Write::Put { .. } | Write::Delete { .. } if self.byte_size() > SINGLE_SIZE_MAX => {
                Err(Error::invalid("a key and its value must stay below 4 GiB"))
            }
            // A batch in hand is valid; see its invariant.
            Write::Batch(_) | Write::Put { .. } | Write::Delete { .. } => Ok(()),
        }
    }

    /// Bytes of a batch with only this in it; for a single operation, at most.
    pub(super) fn byte_size(self) -> usize {
        match self {
            Write::Batch(batch) => batch.byte_size(),
            Write::Put { key, value } => SINGLE_OVERHEAD + key.len() + value.len(),
            Write::Delete { key } => SINGLE_OVERHEAD + key.len(),
        }
    }

    /// Number of operations.
    pub(super) fn count(self) -> u32 {
        match self {
            Write::Batch(batch) => batch.count(),
            Write::Put { .. } | Write::Delete { .. } => 1,
        }
    }
}

/// What a caller lines up for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    /// To write; `sync` asks for it to be durable when the call returns, `no_wait` for an error
    /// where it would wait for room.
    Write { write: Write<'a>, sync: bool, no_wait: bool },
    /// To have everything acknowledged before made durable.
    Sync,
    /// To have the memtable switched. Leads alone.
    Switch,
    /// To repair what stopped the queue. Leads alone, and although the queue is stopped.
    Resume,
    /// To end the queue. Leads alone, and although the queue is stopped.
    Close,
}

impl Request<'_> {
    /// Whether the caller asks for durability.
    pub(super) fn is_sync(self) -> bool {
        match self {
            Request::Write { sync, .. } => sync,
            Request::Sync => true,
            Request::Switch | Request::Resume | Request::Close => false,
        }
    }

    /// Whether the caller does not stand in line while writes are held up.
    pub(super) fn is_impatient(self) -> bool {
        matches!(self, Request::Write { no_wait: true, .. })
    }

    /// Whether the caller may lead although writes are stopped.
    pub(super) fn leads_when_stopped(self) -> bool {
        matches!(self, Request::Resume | Request::Close)
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
