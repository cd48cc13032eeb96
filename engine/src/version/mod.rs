//! Which files make up a database, and how that changes.

pub mod edit;
