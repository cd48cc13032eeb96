//! Which files make up a database, and how that changes.
//!
//! [`edit`] is one change as it is stored, [`Version`] the tables at one moment, `manifest` the
//! files MANIFEST and CURRENT, and [`VersionSet`] the whole bookkeeping. None of them takes a lock
//! or knows of threads: who may change a set, and when, is the business of `db`.

pub mod edit;
mod files;
mod manifest;
mod set;

pub use files::{Version, VersionBuilder, lookup_key};
pub use manifest::{Manifest, ManifestTail, Recovered, recover, switch_current};
pub use set::{CommitError, CommitJob, VersionSet};
