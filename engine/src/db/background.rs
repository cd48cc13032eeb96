//! The background threads of a database: one flushes memtables, one compacts; and the way in which
//! either changes the file set.
//!
//! A flush never waits for a compaction, only for the MANIFEST, which takes one change at a time.
//! Invariant: a log is needed until the edit that names a newer one is durable; that edit adds the
//! table with everything the log held.
//!
//! Source: LevelDB `DBImpl::{BackgroundCall, CompactMemTable}`. Differs: two threads per database,
//! so that no flush waits for a compaction and no database for another's work; a table that is
//! flushed while a compaction runs goes to level 0, where it cannot overlap the outputs.

use core::cell::Cell;
use std::sync::Arc;

use super::flush::TableMaker;
use super::state::{Inner, Phase, State};
use crate::compaction::flush_level;
use crate::env::{Atomic, Env, Threads};
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

/// Who changes the file set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Committer {
    /// A flush or a compaction. Refused once the MANIFEST has failed.
    Background,
    /// `resume`, which starts a new MANIFEST then.
    Resume,
}

/// Frees those who wait for a background thread if it dies.
pub(super) struct DeathGuard<'a, E: Env>(pub(super) &'a Inner<E>);

impl<E: Env> Drop for DeathGuard<'_, E> {
    fn drop(&mut self) {
        if E::Threads::panicking() {
            let error = Error::invalid("a background thread died");
            self.0.set_background_error(&error, false);
            let mut state = self.0.state.lock();
            state.is_flushing = false;
            state.is_compacting = false;
            drop(state);
            self.0.done.notify_all();
        }
    }
}

impl<E: Env> Inner<E> {
    /// The body of the flush thread. Returns when the database is closed.
    pub(super) fn flush_in_background(&self) {
        let _guard = DeathGuard(self);
        while let Some(job) = self.next_flush() {
            let result = self.run_flush(&job);
            self.end_flush(&job, result.as_ref().err());
            if result.is_ok() {
                self.remove_obsolete_files();
            }
        }
    }

    /// Waits for something to do; `None` if there is nothing to do ever again.
    fn next_flush(&self) -> Option<FlushJob<E>> {
        let mut state = self.state.lock();
        loop {
            if state.phase == Phase::Closed {
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
            state = self.flush_work.wait(state);
        }
    }

    fn run_flush(&self, job: &FlushJob<E>) -> Result<(), CommitError> {
        let known = |error| CommitError { error, current_unknown: false };
        tracing::info!(target: "faultline", table = job.table_number, "flush started");
        let (started, since) = (self.now(), self.directory.now());
        let table =
            self.table_maker().write(job.table_number, &mut job.imm.iter()).map_err(known)?;
        self.directory.sync(since).map_err(known)?;
        let took = self.now().saturating_sub(started);
        let size = table.as_ref().map_or(0, |table| table.size);
        let chosen = Cell::new(0);
        let edit = |state: &State<E::Threads>| {
            let level = match &table {
                // A running compaction may be about to put a table with the same keys deeper.
                Some(table) if !state.is_compacting => {
                    flush_level(state.versions.current(), table, &self.limits(), &self.order)
                }
                _ => 0,
            };
            chosen.set(level);
            VersionEdit {
                log_number: Some(job.log_number),
                new_files: table.into_iter().map(|table| (level, table)).collect(),
                ..VersionEdit::new()
            }
        };
        self.log_and_apply(Committer::Background, edit, |state| {
            let mem = Arc::clone(&state.view.mem);
            state.set_view(mem, None);
            state.counters.flush_ended(chosen.get(), size, took);
        })?;
        tracing::info!(target: "faultline", log = job.log_number, "flush committed");
        Ok(())
    }

    fn end_flush(&self, job: &FlushJob<E>, failure: Option<&CommitError>) {
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

    /// Makes an edit durable and installs what follows from it. `edit` is made under the state
    /// lock, for the file set as it is then; `install` runs under the same lock right after the new
    /// version was put in place.
    ///
    /// # Errors
    /// Why the edit was not made; nothing is installed then.
    pub(super) fn log_and_apply(
        &self,
        committer: Committer,
        edit: impl FnOnce(&State<E::Threads>) -> VersionEdit,
        install: impl FnOnce(&mut State<E::Threads>),
    ) -> Result<(), CommitError> {
        let known = |error| CommitError { error, current_unknown: false };
        let mut state = self.state.lock();
        while state.versions.is_busy() {
            state = self.done.wait(state);
        }
        if committer == Committer::Background
            && let Some(error) = state.versions.manifest_error()
        {
            // What a failed edit left behind is for `resume` or the next open to make up for.
            return Err(known(error.clone()));
        }
        let edit = edit(&state);
        let drops_tables = !edit.deleted_files.is_empty();
        // Everything in a table has been published.
        let last_sequence = self.published();
        let job = state
            .versions
            .begin(edit, last_sequence, self.options.manifest_size_max)
            .map_err(known)?;
        drop(state);
        let written = job.write(&self.directory);
        let mut state = self.state.lock();
        let result = state.versions.end(written);
        if result.is_ok() {
            let version = Arc::clone(state.versions.current());
            self.level0_hint.store_unsync(version.level(0).len() as u64);
            state.pins.advance(version, drops_tables);
            install(&mut state);
        }
        drop(state);
        self.done.notify_all();
        // A compaction may be due now, or one may have waited for the MANIFEST.
        self.compaction_work.notify_one();
        result
    }

    pub(super) fn table_maker(&self) -> TableMaker<E> {
        TableMaker {
            env: self.env.clone(),
            dir: self.dir.clone(),
            order: self.order.clone(),
            table_options: self.options.table_options(),
            tables: Arc::clone(&self.tables),
        }
    }
}
