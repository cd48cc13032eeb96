//! [`Directory`]: the names of a database's files, and when they are durable.
//!
//! A sync that fails may leave the directory clean in the cache: a later one then says Ok and has
//! written nothing, also not the names that others had made meanwhile. It writes all of them once
//! the directory has changed again. So whoever wants names to be durable says since when he has
//! made them, and if a sync has failed since, his own is not believed.
//!
//! Invariant: one sync runs at a time, so that each knows of every failure before it. No lock is
//! held while it runs.
//!
//! Source: none in LevelDB, which syncs the directory for a new MANIFEST alone.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::env::{Condvar, Env, Mutex};
use crate::error::{Error, Result};

/// A moment in the life of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamesSince(u64);

/// The directory of a database. Any number of threads may use it.
pub struct Directory<E: Env> {
    env: E,
    path: PathBuf,
    syncs: Mutex<E::Threads, Syncs>,
    ended: Condvar<E::Threads>,
}

#[derive(Debug, Default)]
struct Syncs {
    is_running: bool,
    failures: u64,
    last_failure: Option<Error>,
}

impl<E: Env> Directory<E> {
    /// The directory `path`.
    pub fn new(env: E, path: &Path) -> Self {
        let syncs = Mutex::new("directory", Syncs::default());
        Directory { env, path: path.into(), syncs, ended: Condvar::new("directory synced") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The environment that it is in.
    pub fn env(&self) -> &E {
        &self.env
    }

    /// Now: to be asked for before the first name is made that a sync is to cover.
    pub fn now(&self) -> NamesSince {
        NamesSince(self.syncs.lock().failures)
    }

    /// Makes durable what was done to names since then. Waits for a sync that another thread has
    /// under way.
    ///
    /// # Errors
    /// That of the sync, or of another that has failed since then: the names may be lost, and no
    /// later sync tells. Those made from now on are not concerned.
    pub fn sync(&self, since: NamesSince) -> Result<()> {
        let mut syncs = self.syncs.lock();
        while syncs.is_running {
            syncs = self.ended.wait(syncs);
        }
        if let Some(error) = syncs.last_failure.as_ref().filter(|_| syncs.failures > since.0) {
            return Err(error.clone());
        }
        syncs.is_running = true;
        drop(syncs);
        let result = self.env.sync_dir(&self.path);
        let mut syncs = self.syncs.lock();
        syncs.is_running = false;
        if let Err(error) = &result {
            syncs.failures += 1;
            syncs.last_failure = Some(error.clone());
        }
        drop(syncs);
        self.ended.notify_all();
        result
    }
}

impl<E: Env> fmt::Debug for Directory<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("path", &self.path).finish_non_exhaustive()
    }
}
