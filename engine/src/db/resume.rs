//! `resume`: the way on after an error that stopped all writes, without closing the database.
//!
//! Everything acknowledged is in the memtables or in tables. So: a new log, the memtables to new
//! tables, and one edit that makes both count and all older logs obsolete. What failed is then
//! absent for ever: its bytes are in files that nothing reads any more.
//!
//! Invariants: all or nothing; writes are rejected until the edit is durable; a file that failed
//! is neither appended to nor synced. All of it happens in one turn of the commit queue.
//!
//! Source: none in LevelDB, where only a reopen helps; compare `DBImpl::Resume` of RocksDB.

use std::sync::Arc;

use super::background::Committer;
use super::queue::Entered;
use super::request::Request;
use super::state::{Inner, State};
use super::write::LeaderTurn;
use crate::env::{Atomic, Env};
use crate::error::Result;
use crate::filename::{FileNumber, log_file_name};
use crate::memtable::{MemTable, MemTableWriter};
use crate::record::Writer;
use crate::version::edit::{FileMetaData, VersionEdit};

/// The files of an attempt that nothing names yet.
struct Attempt {
    log: Writer,
    log_number: FileNumber,
    tables: Vec<FileMetaData>,
}

impl<E: Env> Inner<E> {
    /// Repairs what stopped all writes; `Ok` at once if nothing did.
    pub(super) fn resume(&self) -> Result<()> {
        match self.queue.enter(Request::Resume) {
            Entered::Leader(mut turn) => {
                let outcome = self.resume_in_turn(&mut turn);
                let last_sequence = turn.last_sequence;
                turn.finish(outcome.map(|()| last_sequence)).map(drop)
            }
            Entered::Done(outcome) => outcome.map(drop),
        }
    }

    fn resume_in_turn(&self, turn: &mut LeaderTurn<'_, E>) -> Result<()> {
        // Whoever has stopped the queue is about to say why.
        let is_stopped = self.queue.stopped().is_some();
        let mut state = self.state.lock();
        // What the background threads have begun they end, well or not; they begin nothing new.
        while state.is_flushing
            || state.is_compacting
            || state.versions.is_busy()
            || (is_stopped && state.background_error.is_none())
        {
            state = self.done.wait(state);
        }
        let Some(stopped) = state.background_error.clone() else { return Ok(()) };
        if !stopped.is_resumable {
            return Err(stopped.error.into_background());
        }
        let log_number = state.versions.new_file_number();
        let memtables = [state.view.imm.clone(), Some(Arc::clone(&state.view.mem))];
        drop(state);
        tracing::info!(target: "faultline", error = %stopped.error, "resume started");

        let mut numbers = Vec::new();
        let prepared = self.prepare(log_number, memtables, &mut numbers);
        let committed = match prepared {
            Ok(attempt) => self.commit_resume(turn, attempt),
            Err(error) => {
                self.discard(log_number, &numbers);
                Err(error)
            }
        };
        let mut state = self.state.lock();
        for number in &numbers {
            state.pending_outputs.remove(number);
        }
        drop(state);
        match &committed {
            Ok(()) => {
                tracing::info!(target: "faultline", log = log_number, "resumed");
                self.remove_obsolete_files();
            }
            Err(error) => tracing::warn!(target: "faultline", %error, "resume failed"),
        }
        committed
    }

    /// Writes the new files, all of them durable, names too.
    fn prepare(
        &self,
        log_number: FileNumber,
        memtables: [Option<Arc<MemTable<E::Threads>>>; 2],
        numbers: &mut Vec<FileNumber>,
    ) -> Result<Attempt> {
        let since = self.directory.now();
        let log = Writer::new(self.env.create(&log_file_name(&self.dir, log_number))?);
        let mut tables = Vec::new();
        for memtable in memtables.into_iter().flatten() {
            let mut state = self.state.lock();
            let number = state.versions.new_file_number();
            state.pending_outputs.insert(number);
            drop(state);
            numbers.push(number);
            tables.extend(self.table_maker().write(number, &mut memtable.iter())?);
        }
        self.directory.sync(since)?;
        Ok(Attempt { log, log_number, tables })
    }

    fn commit_resume(&self, turn: &mut LeaderTurn<'_, E>, attempt: Attempt) -> Result<()> {
        let Attempt { log, log_number, tables } = attempt;
        let edit = VersionEdit {
            log_number: Some(log_number),
            new_files: tables.into_iter().map(|table| (0, table)).collect(),
            ..VersionEdit::new()
        };
        let mem = MemTableWriter::new(self.order.clone());
        let fresh = Arc::clone(mem.table());
        let install = |state: &mut State<E::Threads>| {
            state.imm_log_number = log_number;
            state.background_error = None;
            self.stop_compaction.store(0);
            state.set_view(fresh, None);
            // At once: a failure from here on must find a queue that it can stop.
            turn.restart();
        };
        if let Err(failure) = self.log_and_apply(Committer::Resume, |_| edit, install) {
            // The edit may be durable: its files must stay.
            self.set_background_error(&failure.error, !failure.current_unknown);
            return Err(failure.error);
        }
        // The old log is dropped, not closed: whatever that would tell is about obsolete bytes.
        turn.log = log;
        turn.log_number = log_number;
        turn.log_is_dirty = false;
        turn.mem = mem;
        Ok(())
    }

    /// Removes the files of an attempt that was given up before anything could name them. Best
    /// effort: a full disk needs the room.
    fn discard(&self, log_number: FileNumber, tables: &[FileNumber]) {
        drop(self.env.remove(&log_file_name(&self.dir, log_number)));
        for &number in tables {
            self.table_maker().discard(number);
        }
    }
}
