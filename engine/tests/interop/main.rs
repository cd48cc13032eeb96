//! Faultline and real LevelDB on one another's databases.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "copies and compares files")]

mod corpus;
mod killed;
#[path = "../support/leveldb/mod.rs"]
mod leveldb;
mod script;
