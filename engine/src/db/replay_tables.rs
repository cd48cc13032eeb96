//! [`ReplayTables`]: the tables that a replay leaves, made while it reads on.
//!
//! A memtable's worth goes to a thread, which makes it a table while the next gathers: one core
//! reads, checks and sorts, another builds and compresses, and only such a thread waits for the
//! disk. What is left at the end of a log is written by the caller itself, so that an open with
//! little to replay starts no thread; and everything, where the system has none to give.
//!
//! Invariants: two tables at most are being made, so three buffers are there at most; tables stand
//! in the order in which they were handed over; the threads have ended when this is gone.
//!
//! Source: none in LevelDB, which replays and writes by turns.

use std::collections::VecDeque;
use std::sync::Arc;

use super::flush::TableMaker;
use super::sort_buffer::Sorted;
use crate::env::{Env, NoThread, Threads};
use crate::error::{Error, Result};
use crate::filename::FileNumber;
use crate::version::edit::FileMetaData;

/// Tables that are made at once. While one waits for the disk, another is built.
const BESIDE_MAX: usize = 2;

type Running<E> = <<E as Env>::Threads as Threads>::JoinHandle<Result<Option<FileMetaData>>>;

/// The tables of one replay.
pub(super) struct ReplayTables<E: Env> {
    maker: Arc<TableMaker<E>>,
    /// In the order in which they were handed over.
    running: VecDeque<Running<E>>,
    done: Vec<FileMetaData>,
}

impl<E: Env> ReplayTables<E> {
    pub(super) fn new(maker: TableMaker<E>) -> Self {
        ReplayTables { maker: Arc::new(maker), running: VecDeque::new(), done: Vec::new() }
    }

    /// Makes table `number` of `entries`, and returns when it is durable but for its name.
    ///
    /// # Errors
    /// That of any file, of this table or those before.
    pub(super) fn write(&mut self, number: FileNumber, entries: &Arc<Sorted>) -> Result<()> {
        self.wait(0)?;
        self.done.extend(self.maker.write(number, &mut entries.iter())?);
        Ok(())
    }

    /// Begins to make table `number` of `entries`, once fewer than [`BESIDE_MAX`] are being made.
    /// If there is no thread for it, returns as late as [`ReplayTables::write`] does.
    ///
    /// # Errors
    /// That of any file of a table before; without a thread, of this one too.
    pub(super) fn write_beside(&mut self, number: FileNumber, entries: &Arc<Sorted>) -> Result<()> {
        self.wait(BESIDE_MAX - 1)?;
        let (maker, theirs) = (Arc::clone(&self.maker), Arc::clone(entries));
        match E::Threads::spawn("replay", move || maker.write(number, &mut theirs.iter())) {
            Ok(running) => self.running.push_back(running),
            Err(NoThread) => self.write(number, entries)?,
        }
        Ok(())
    }

    /// All tables, in order, when the last is done.
    ///
    /// # Errors
    /// That of any file of the last tables.
    pub(super) fn finish(&mut self) -> Result<Vec<FileMetaData>> {
        self.wait(0)?;
        Ok(core::mem::take(&mut self.done))
    }

    /// Waits until at most `most` tables are being made.
    fn wait(&mut self, most: usize) -> Result<()> {
        while self.running.len() > most
            && let Some(oldest) = self.running.pop_front()
        {
            let died = |_| Error::invalid("the thread that wrote a table died");
            self.done.extend(E::Threads::join(oldest).map_err(died)??);
        }
        Ok(())
    }
}

impl<E: Env> Drop for ReplayTables<E> {
    fn drop(&mut self) {
        // The replay has failed, and says why; what the threads have to say is of no more use.
        while self.wait(0).is_err() {}
    }
}

#[cfg(test)]
#[path = "replay_tables_tests.rs"]
mod tests;
