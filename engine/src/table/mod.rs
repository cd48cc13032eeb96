//! Tables: sorted entries in a file that is written once.
//!
//! ```text
//! table   = data block*  filter block?  metaindex block  index block  footer
//!
//! block, as stored
//! +---------------------+------------------+------------------------------+
//! | contents, perhaps   | 1-byte           | fixed32 crc, masked,         |
//! | compressed          | compression type | over contents || type        |
//! +---------------------+------------------+------------------------------+
//!
//! handle  = varint64 offset, varint64 size of the contents as they are stored
//! footer  = metaindex handle, index handle, zeros up to 40 bytes, fixed64 magic: 48 bytes
//!
//! index      separator key -> handle, one entry for each data block: at or above every key of the
//!            block, below every key of the next one
//! metaindex  "filter." and a policy's name -> handle of the filter block, never compressed
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
//! Which compression a block has is its writer's choice, and stored with it ([`Compression`]).
//! Filters save reads and are never needed: a damaged filter is noted and not used.
//!
//! Source: LevelDB `doc/table_format.md`, `table/format.cc`. Differs: every checksum is verified
//! unless a caller opts out, sizes are held against the file before anything is allocated for them,
//! and keys too short to be internal keys are refused.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

mod block;
mod block_builder;
mod block_cache;
mod builder;
mod compression;
mod filter_block;
mod filter_policy;
mod format;
mod index_search;
mod layout;
mod reader;

pub use block::{Block, BlockIter};
pub use block_cache::{BlockCache, BlockCacheStats};
pub use builder::{TableBuilder, TableOptions};
pub use compression::Compression;
pub use filter_policy::{BloomFilter, FilterPolicy};
pub use format::{BlockHandle, FOOTER_SIZE, TABLE_MAGIC};
pub use layout::{TableFilters, TableLayout};
pub use reader::{BlockReads, Table, TableContext, TableIter};

#[cfg(test)]
mod tests;
