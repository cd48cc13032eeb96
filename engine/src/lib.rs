//! Faultline: an embedded key-value engine with LevelDB's on-disk format and write path.
//!
//! The engine is written against three traits ([`mod@env`]), so that the same code runs at full
//! speed on the operating system and, unchanged, inside a deterministic simulator.

pub mod batch;
pub mod codec;
pub mod env;
mod error;
pub mod filename;
pub mod iterator;
pub mod key;
pub mod memtable;
pub mod record;
pub mod table;
pub mod version;

#[cfg(test)]
mod test_files;

pub use error::{Corruption, Defect, Error, FileOp, Result};
