//! [`InternalIterator`]: a cursor over internal keys, the shape that memtables, blocks, tables and
//! merges of them share.
//!
//! Source: LevelDB `include/leveldb/iterator.h`.

use std::path::Path;

use crate::error::{Defect, Error, Result};

/// A cursor over entries in internal-key order, forwards and backwards.
///
/// A new cursor is not positioned; so is one that has run off either end, until the next `seek*`.
/// `key` and `value` may be called only while [`InternalIterator::valid`] and hold until the next
/// move. An error ends the walk: `valid` turns false and [`InternalIterator::status`] tells why.
pub trait InternalIterator: Send {
    /// Whether the cursor stands on an entry.
    fn valid(&self) -> bool;
    /// Moves to the first entry.
    fn seek_to_first(&mut self);
    /// Moves to the last entry.
    fn seek_to_last(&mut self);
    /// Moves to the first entry at or after the internal key `target`.
    fn seek(&mut self, target: &[u8]);
    /// Moves one entry on. Only while valid.
    fn next(&mut self);
    /// Moves one entry back. Only while valid.
    fn prev(&mut self);
    /// The internal key here.
    fn key(&self) -> &[u8];
    /// The value here.
    fn value(&self) -> &[u8];
    /// `Ok`, or the first error met.
    fn status(&self) -> Result<()>;

    /// The file that the entry here is in and its offset there, for messages. The empty path is
    /// memory, which holds no entry that a message could be about.
    fn place(&self) -> (&Path, u64) {
        (Path::new(""), 0)
    }
}

/// The error for a cursor that stands on a key which is no internal key.
pub(crate) fn corrupted_key(entries: &dyn InternalIterator) -> Error {
    let (file, offset) = entries.place();
    Error::corruption(file, offset, Defect::Other("corrupted internal key".into()))
}
