//! The background thread: flushes the memtable that was switched, commits, sweeps, and starts over.
//!
//! There is one for each open database. Invariant: a log is needed until the edit that names a
//! newer one is durable; that edit adds the table with everything the log held.
//!
//! Source: LevelDB `DBImpl::{BackgroundCall, CompactMemTable}`. Differs: a thread per database, so
//! that one database never waits for another's work.

use std::sync::Arc;

use super::flush::TableMaker;
use super::state::{Inner, State};
use crate::env::{Env, Threads};
use crate::error::Error;
use crate::filename::FileNumber;
use crate::memtable::MemTable;
use crate::version::CommitError;
use crate::version::edit::VersionEdit;

/// A memtable to be flushed, and what follows from it.
struct FlushJob<E: Env> {
    imm: Arc<MemTable<E::Threads>>,
    log_number: FileNumber,
    table_number: FileNumber,
}

/// Frees those who wait for the background thread if it dies.
struct DeathGuard<'a, E: Env>(&'a Inner<E>);

impl<E: Env> Drop for DeathGuard<'_, E> {
    fn drop(&mut self) {
        if E::Threads::panicking() {
            let error = Error::invalid("the background thread died");
            self.0.set_background_error(&error, false);
            self.0.state.lock().is_flushing = false;
            self.0.done.notify_all();
        }
    }
}

impl<E: Env> Inner<E> {
    /// The body of the background thread. Returns when the database is closed.
    pub(super) fn work_in_background(&self) {
        let _guard = DeathGuard(self);
        while let Some(job) = self.next_job() {
            let result = self.run_flush(&job);
            self.end_job(&job, result.as_ref().err());
            if result.is_ok() {
                self.remove_obsolete_files();
            }
        }
    }

    /// Waits for something to do; `None` if there is nothing to do ever again.
    fn next_job(&self) -> Option<FlushJob<E>> {
        let mut state = self.state.lock();
        loop {
            if state.is_shutting_down {
                return None;
            }
            if let Some(imm) = &state.view.imm
                && state.background_error.is_none()
            {
                let imm = Arc::clone(imm);
                let log_number = state.imm_log_number;
                let table_number = state.versions.new_file_number();
                state.pending_outputs.insert(table_number);
                state.is_flushing = true;
                return Some(FlushJob { imm, log_number, table_number });
            }
            state = self.work.wait(state);
        }
    }

    fn run_flush(&self, job: &FlushJob<E>) -> Result<(), CommitError> {
        let known = |error| CommitError { error, current_unknown: false };
        tracing::info!(target: "faultline", table = job.table_number, "flush started");
        let table =
            self.table_maker().write(job.table_number, &mut job.imm.iter()).map_err(known)?;
        self.env.sync_dir(&self.dir).map_err(known)?;
        let edit = VersionEdit {
            log_number: Some(job.log_number),
            new_files: table.into_iter().map(|table| (0, table)).collect(),
            ..VersionEdit::new()
        };
        self.log_and_apply(edit, |state| {
            let mem = Arc::clone(&state.view.mem);
            state.set_view(mem, None);
        })?;
        tracing::info!(target: "faultline", log = job.log_number, "flush committed");
        Ok(())
    }

    fn end_job(&self, job: &FlushJob<E>, failure: Option<&CommitError>) {
        if let Some(CommitError { error, current_unknown }) = failure {
            self.set_background_error(error, !current_unknown);
        }
        let mut state = self.state.lock();
        // A failed table stays where it is until the next open: an edit may name it.
        state.pending_outputs.remove(&job.table_number);
        state.is_flushing = false;
        drop(state);
        self.done.notify_all();
    }

    /// Makes `edit` durable and installs what follows from it. `install` runs under the state lock
    /// right after the new version was put in place.
    ///
    /// # Errors
    /// Why the edit was not made; nothing is installed then.
    pub(super) fn log_and_apply(
        &self,
        edit: VersionEdit,
        install: impl FnOnce(&mut State<E::Threads>),
    ) -> Result<(), CommitError> {
        let mut state = self.state.lock();
        while state.versions.is_busy() {
            state = self.done.wait(state);
        }
        // Everything in a table has been published.
        let last_sequence = self.published();
        let job = state
            .versions
            .begin(edit, last_sequence, self.options.manifest_size_max)
            .map_err(|error| CommitError { error, current_unknown: false })?;
        drop(state);
        let written = job.write(&self.env, &self.dir);
        let mut state = self.state.lock();
        let result = state.versions.end(written);
        if result.is_ok() {
            install(&mut state);
        }
        drop(state);
        self.done.notify_all();
        result
    }

    pub(super) fn table_maker(&self) -> TableMaker<'_, E> {
        TableMaker {
            env: &self.env,
            dir: &self.dir,
            order: &self.order,
            table_options: self.options.table_options(),
            tables: &self.tables,
        }
    }
}
