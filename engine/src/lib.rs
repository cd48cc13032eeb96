//! Faultline: an embedded key-value engine with LevelDB's on-disk format and write path.
//!
//! The engine is written against three traits ([`mod@env`]), so that the same code runs at full
//! speed on the operating system and, unchanged, inside a deterministic simulator.

pub mod batch;
pub mod codec;
pub mod compaction;
pub mod db;
pub mod directory;
pub mod env;
mod error;
pub mod filename;
pub mod iterator;
pub mod key;
mod level_iterator;
mod lru;
pub mod memtable;
mod merging;
mod open_files;
pub mod options;
pub mod record;
pub mod table;
mod table_cache;
mod value;
pub mod verify;
pub mod version;

// Test support that is shared with `tests/` names the crate as they do.
#[cfg(test)]
extern crate self as faultline;
#[cfg(test)]
#[path = "../tests/support/loom_world.rs"]
mod loom_world;
#[cfg(test)]
mod test_files;

pub use batch::WriteBatch;
pub use db::{Db, DbEntries, DbIterator, KeyRange, Metrics, RecoveryReport, Snapshot, destroy};
pub use error::{Corruption, Defect, Error, FileOp, Result};
pub use key::{SequenceNumber, ValueType};
pub use options::{Observer, Options, ReadOptions, RecoveryPolicy, WriteOptions};
pub use table_cache::TableCacheStats;
pub use value::{Found, Value};
