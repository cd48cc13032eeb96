//! The compaction thread: merges tables into the next level, and sweeps when readers let go.
//!
//! One compaction at a time. It is picked under the state lock, while no change of the file set is
//! on its way; from then until its own edit, flushes add tables to level 0 and nothing else
//! changes, so the inputs and all deeper levels stay as they are.
//!
//! Invariants: the inputs are removed only after the edit that replaces them is durable; outputs
//! are synced, and their names, before that edit; when a compaction gives up before it, its outputs
//! are removed, and once the edit has been tried, never: the MANIFEST may name them.
//!
//! Source: LevelDB `DBImpl::{BackgroundCompaction, DoCompactionWork, InstallCompactionResults}`.
//! Differs: a thread of its own, which no flush interrupts; inputs are always verified; a
//! compaction stops at the next entry when any background error is set.

use std::sync::Arc;

use super::background::{Committer, DeathGuard};
use super::flush::OpenTable;
use super::state::{Inner, Phase, State};
use crate::compaction::{self, Compaction, DropRule, Limits};
use crate::env::{Atomic, Env};
use crate::error::Error;
use crate::filename::FileNumber;
use crate::iterator::{InternalIterator, corrupted_key};
use crate::key::{ParsedInternalKey, SequenceNumber};
use crate::merging::MergingIterator;
use crate::options::Options;
use crate::table::BlockReads;
use crate::version::edit::FileMetaData;
use crate::version::{CommitError, Version};

/// What the compaction thread does next.
enum Task {
    Compact(Job),
    Sweep,
}

/// A compaction that has been picked.
struct Job {
    compaction: Compaction,
    /// Every reader there is, or will be, sees everything up to here.
    oldest_snapshot: SequenceNumber,
    /// Whether somebody asked for it: then no table is merely moved.
    is_for_range: bool,
}

/// Why a compaction did not happen.
enum Failure {
    /// The database is being closed, or writes are stopped.
    Stopped,
    /// Nothing can name its outputs.
    Work(Error),
    /// Its edit was tried.
    Commit(CommitError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Work(error)
    }
}

/// The tables of a compaction that exist so far.
#[derive(Default)]
struct Outputs {
    numbers: Vec<FileNumber>,
    open: Option<OpenTable>,
    finished: Vec<FileMetaData>,
}

impl Options {
    /// The sizes that decide about compactions.
    fn limits(&self) -> Limits {
        Limits {
            level0_trigger: self.level0_compaction_trigger,
            level1_size_max: self.level1_size_max,
            max_file_size: self.max_file_size,
        }
    }
}

impl<E: Env> Inner<E> {
    pub(super) fn limits(&self) -> Limits {
        self.options.limits()
    }

    /// The body of the compaction thread. Returns when the database is closed.
    pub(super) fn compact_in_background(&self) {
        let _guard = DeathGuard(self);
        while let Some(task) = self.next_task() {
            match task {
                Task::Compact(job) => self.compact(&job),
                Task::Sweep => self.remove_obsolete_files(),
            }
        }
    }

    /// Waits for something to do; `None` if there is nothing to do ever again.
    fn next_task(&self) -> Option<Task> {
        let mut state = self.state.lock();
        loop {
            if state.phase == Phase::Closed {
                let is_sweep_due = state.background_error.is_none() && state.pins.take_sweep_due();
                return is_sweep_due.then_some(Task::Sweep);
            }
            if state.background_error.is_none() {
                // While a change is on its way, what it adds is not in the current version.
                if !state.versions.is_busy()
                    && let Some(job) = self.pick(&mut state)
                {
                    state.is_compacting = true;
                    return Some(Task::Compact(job));
                }
                if state.pins.take_sweep_due() {
                    return Some(Task::Sweep);
                }
            }
            state = self.compaction_work.wait(state);
        }
    }

    fn pick(&self, state: &mut State<E::Threads>) -> Option<Job> {
        let oldest_snapshot = state.snapshots.keys().next().copied();
        let oldest_snapshot = oldest_snapshot.unwrap_or_else(|| self.published());
        let level0 = state.versions.current().level(0).len();
        let slowdown = self.options.level0_slowdown_writes_trigger;
        // What holds up writes goes before what somebody asked for.
        let is_urgent = slowdown.is_some_and(|trigger| level0 >= trigger);
        let due = |state: &State<E::Threads>| {
            let (version, pointers) = (state.versions.current(), state.versions.compact_pointers());
            let compaction = compaction::pick(version, pointers, self.limits(), &self.order)?;
            Some(Job { compaction, oldest_snapshot, is_for_range: false })
        };
        if is_urgent && let Some(job) = due(state) {
            return Some(job);
        }
        if let Some(compaction) = self.pick_range_step(state) {
            return Some(Job { compaction, oldest_snapshot, is_for_range: true });
        }
        due(state)
    }

    fn compact(&self, job: &Job) {
        let compaction = &job.compaction;
        let [upper, lower] = compaction.inputs();
        tracing::info!(
            target: "faultline", level = compaction.level(), upper = upper.len(),
            lower = lower.len(), "compaction started"
        );
        let mut outputs = Outputs::default();
        let result = self.run_compaction(job, &mut outputs);
        if let Err(failure) = &result {
            // An unfinished file is closed before it is removed.
            outputs.open = None;
            self.give_up(failure, &outputs);
        }
        let mut state = self.state.lock();
        for number in &outputs.numbers {
            state.pending_outputs.remove(number);
        }
        state.is_compacting = false;
        if result.is_ok() && job.is_for_range {
            state.advance_range(compaction);
        }
        drop(state);
        self.done.notify_all();
        if result.is_ok() {
            tracing::info!(target: "faultline", level = compaction.level(), "compaction committed");
            self.remove_obsolete_files();
        }
    }

    fn run_compaction(&self, job: &Job, outputs: &mut Outputs) -> Result<(), Failure> {
        let compaction = &job.compaction;
        let moved = compaction.trivial_move().filter(|_| !job.is_for_range);
        let started = self.now();
        let files = if let Some(file) = moved {
            vec![FileMetaData::clone(file)]
        } else {
            let since = self.directory.now();
            self.merge_inputs(job, outputs)?;
            if !outputs.finished.is_empty() {
                self.directory.sync(since)?;
            }
            core::mem::take(&mut outputs.finished)
        };
        let written = files.iter().map(|file| file.size).sum();
        let took = self.now().saturating_sub(started);
        let edit = compaction.edit(files);
        self.log_and_apply(
            Committer::Background,
            |_| edit,
            |state| {
                let (mem, imm) = (Arc::clone(&state.view.mem), state.view.imm.clone());
                state.set_view(mem, imm);
                if moved.is_some() {
                    state.counters.table_moved();
                } else {
                    let (level, read) = (compaction.level() + 1, compaction.input_size());
                    state.counters.compaction_ended(level, read, written, took);
                }
            },
        )
        .map_err(Failure::Commit)
    }

    /// Writes what is left of the inputs to new tables, which are durable but for their names.
    fn merge_inputs(&self, job: &Job, outputs: &mut Outputs) -> Result<(), Failure> {
        let compaction = &job.compaction;
        let levels = (compaction.level()..).zip(compaction.inputs());
        let files = levels
            .flat_map(|(level, files)| files.iter().map(move |file| (level, Arc::clone(file))));
        let inputs = Arc::new(Version::of_files(files, &self.order));
        // What a compaction reads once would drive out of the cache what others read often.
        let reads = BlockReads { verify_checksums: true, fill_cache: false };
        let mut children = Vec::new();
        self.add_tables(&inputs, &self.tables, reads, &mut children)?;
        let mut entries = MergingIterator::new(self.order.clone(), children);
        let mut rule = DropRule::new(compaction, job.oldest_snapshot, self.order.clone());
        let mut cut = compaction.output_cut();
        let maker = self.table_maker();
        entries.seek_to_first();
        while entries.valid() {
            // Nobody can tell whether it is seen one entry sooner or later.
            if self.stop_compaction.load_unsync() != 0 {
                return Err(Failure::Stopped);
            }
            let key = entries.key();
            if cut.is_before(key, &self.order)
                && let Some(table) = outputs.open.take()
            {
                outputs.finished.push(maker.finish(table)?);
            }
            let Some(parsed) = ParsedInternalKey::parse(key) else {
                return Err(corrupted_key(&entries).into());
            };
            if !rule.drops(&parsed) {
                let mut table = match outputs.open.take() {
                    Some(table) => table,
                    None => maker.start(self.new_output(outputs))?,
                };
                table.add(key, entries.value())?;
                if cut.is_full(table.size()) {
                    outputs.finished.push(maker.finish(table)?);
                } else {
                    outputs.open = Some(table);
                }
            }
            entries.next();
        }
        entries.status()?;
        if let Some(table) = outputs.open.take() {
            outputs.finished.push(maker.finish(table)?);
        }
        Ok(())
    }

    fn new_output(&self, outputs: &mut Outputs) -> FileNumber {
        let mut state = self.state.lock();
        let number = state.versions.new_file_number();
        state.pending_outputs.insert(number);
        drop(state);
        outputs.numbers.push(number);
        number
    }

    fn give_up(&self, failure: &Failure, outputs: &Outputs) {
        match failure {
            Failure::Stopped => {
                tracing::info!(target: "faultline", "compaction stopped");
            }
            Failure::Work(error) => self.set_background_error(error, true),
            Failure::Commit(CommitError { error, current_unknown }) => {
                self.set_background_error(error, !current_unknown);
                // An edit may name them.
                return;
            }
        }
        for &number in &outputs.numbers {
            self.table_maker().discard(number);
        }
    }
}
