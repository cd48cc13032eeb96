//! Which files nothing needs any more, and their removal.
//!
//! Runs only after a durable commit: what an edit of unknown fate may name must stay. Foreign files
//! and directories are never touched. Failures are let pass: the next sweep tries again.
//!
//! Source: LevelDB `DBImpl::RemoveObsoleteFiles`. Differs: the directory is listed before the state
//! is looked at, so that a file is never taken for obsolete because it is too new; it is synced
//! before the commit, never after the removal.

use std::collections::BTreeSet;

use super::state::{Inner, State};
use crate::env::{Env, Threads};
use crate::error::Error;
use crate::filename::{FileKind, FileNumber, parse_file_name};

/// What must stay.
struct Needed {
    log_number: FileNumber,
    prev_log_number: FileNumber,
    manifest_number: FileNumber,
    tables: BTreeSet<FileNumber>,
}

impl Needed {
    fn new<R: Threads>(state: &State<R>) -> Self {
        let mut tables = state.pins.tables();
        tables.extend(&state.pending_outputs);
        Needed {
            log_number: state.versions.log_number(),
            prev_log_number: state.versions.prev_log_number(),
            manifest_number: state.versions.manifest_number(),
            tables,
        }
    }

    fn contains(&self, kind: FileKind) -> bool {
        match kind {
            FileKind::Log(number) => number >= self.log_number || number == self.prev_log_number,
            FileKind::Manifest(number) => number >= self.manifest_number,
            FileKind::Table(number) | FileKind::LegacyTable(number) => {
                self.tables.contains(&number)
            }
            // The pointer to a newer MANIFEST may be on its way.
            FileKind::Temp(number) => number > self.manifest_number,
            FileKind::Current | FileKind::Lock | FileKind::InfoLog | FileKind::OldInfoLog => true,
        }
    }
}

impl<E: Env> Inner<E> {
    /// Removes every file that nothing needs.
    pub(super) fn remove_obsolete_files(&self) {
        let names = match self.env.list(&self.dir) {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(target: "faultline", %error, "sweep gave up");
                return;
            }
        };
        let state = self.state.lock();
        if state.background_error.is_some() {
            return;
        }
        let needed = Needed::new(&state);
        drop(state);
        // In the order of their kinds and numbers, not in that of the directory.
        let files: BTreeSet<_> = names
            .into_iter()
            .filter_map(|name| parse_file_name(&name).map(|kind| (kind, name)))
            .filter(|(kind, _)| !needed.contains(*kind))
            .collect();
        for (kind, name) in files {
            if let FileKind::Table(number) | FileKind::LegacyTable(number) = kind {
                self.tables.evict(number);
            }
            match self.env.remove(&self.dir.join(name)) {
                Ok(()) => tracing::debug!(target: "faultline", file = %kind, "removed"),
                // By the sweep of another thread.
                Err(Error::NotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(target: "faultline", file = %kind, %error, "not removed");
                }
            }
        }
    }
}
