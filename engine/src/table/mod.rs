//! Tables: sorted entries in a file that is written once.
//!
//! ```text
//! table   = data block*  metaindex block  index block  footer
//!
//! block, as stored
//! +---------------------+------------------+------------------------------+
//! | contents            | 1-byte           | fixed32 crc, masked,         |
//! | (size of the handle)| compression type | over contents || type        |
//! +---------------------+------------------+------------------------------+
//!
//! handle  = varint64 offset, varint64 size of the contents
//! footer  = metaindex handle, index handle, zeros up to 40 bytes, fixed64 magic: 48 bytes
//!
//! index      separator key -> handle, one entry for each data block: at or above every key of the
//!            block, below every key of the next one
//! metaindex  "filter." and a policy's name -> handle of its block; no filter is written yet
//!
//! block contents
//! +---------+---------------------+-----------+
//! | entries | fixed32 restart ... | fixed32 n |    n restarts, offsets of entries
//! +---------+---------------------+-----------+
//! entry   = varint32 shared, varint32 unshared, varint32 value size,
//!           unshared bytes of key, value
//! ```
//!
//! A key is the first `shared` bytes of the key before it and then its own; at a restart `shared`
//! is 0. Keys in data and index blocks are internal keys.
//!
//! Compression is not there yet: blocks are written as they are, and a compressed one is an error
//! of its own ([`crate::Error::NotSupported`]), not damage.
//!
//! Source: LevelDB `doc/table_format.md`, `table/format.cc`. Differs: every checksum is verified,
//! a handle is checked against the size of the file before anything is allocated for it, and keys
//! too short to be internal keys are refused.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

mod block;
mod block_builder;
mod builder;
mod format;
mod reader;

pub use block::{Block, BlockIter};
pub use builder::{BlockOptions, TableBuilder};
pub use format::{BlockHandle, FOOTER_SIZE, TABLE_MAGIC};
pub use reader::{Table, TableIter};

#[cfg(test)]
mod tests;
