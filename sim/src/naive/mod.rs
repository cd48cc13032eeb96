//! A second opinion on a database directory: a decoder that shares no code with the engine.
//!
//! The checkers compare what the engine recovers with what this decoder reads from the same image.
//! It is written plainly, from the description of the format, in the order of the description; it
//! has no options, no iterators over lazily read blocks, no caches. It reads tables that are plain
//! or compressed with Snappy, and walks past filters. It never writes, and no input makes it panic.
//!
//! It says what is there, and leaves what follows from it to the checkers: for a log, the batches
//! before the first thing that is wrong and where that is; for a table, its entries or why they
//! cannot be read; and the highest sequence number that any of the files shows.
//!
//! All integers are little-endian; a varint is base 128, low group first.

mod batch;
mod bytes;
mod database;
mod framing;
mod manifest;
mod table;
mod tells;

#[cfg(test)]
pub(crate) mod tests;

pub use batch::{Batch, Operation};
pub use database::{Database, Log, TableFile, decode, decode_log, first_in_logs, left_over, needs};
pub use framing::Stop;
pub use manifest::{Manifest, NewFile};
pub use table::Entry;
pub use tells::{log_tells, table_tells};

/// Why something cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Name of the file.
    pub file: String,
    /// What is wrong with it.
    pub what: &'static str,
}
