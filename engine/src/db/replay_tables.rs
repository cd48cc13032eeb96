//! [`ReplayTables`]: the tables that a replay leaves, made while it reads on.
//!
//! A memtable that is full goes to a thread, which makes it a table while the next one fills: one
//! core reads, checks and sorts, another builds and compresses, and nobody waits for the disk but
//! that thread. What is left at the end of a log is written by the caller itself, so that an open
//! with little to replay starts no thread.
//!
//! Invariants: one table is being made at a time, so there are two memtables at most; tables stand
//! in the order in which they were handed over; the thread has ended when this is gone.
//!
//! Source: none in LevelDB, which replays and writes by turns.

use std::path::PathBuf;
use std::sync::Arc;

use super::flush::TableMaker;
use crate::env::{Env, Threads};
use crate::error::{Error, Result};
use crate::filename::FileNumber;
use crate::key::InternalKeyComparator;
use crate::memtable::MemTable;
use crate::table::TableOptions;
use crate::table_cache::TableCache;
use crate::version::edit::FileMetaData;

/// What a table is made with.
pub(super) struct Workshop<E: Env> {
    pub(super) env: E,
    pub(super) dir: PathBuf,
    pub(super) order: InternalKeyComparator,
    pub(super) table_options: TableOptions,
    pub(super) tables: Arc<TableCache<E>>,
}

impl<E: Env> Workshop<E> {
    fn write(
        &self,
        number: FileNumber,
        mem: &Arc<MemTable<E::Threads>>,
    ) -> Result<Option<FileMetaData>> {
        let maker = TableMaker {
            env: &self.env,
            dir: &self.dir,
            order: &self.order,
            table_options: self.table_options.clone(),
            tables: &self.tables,
        };
        maker.write(number, &mut mem.iter())
    }
}

type Running<E> = <<E as Env>::Threads as Threads>::JoinHandle<Result<Option<FileMetaData>>>;

/// The tables of one replay.
pub(super) struct ReplayTables<E: Env> {
    workshop: Arc<Workshop<E>>,
    running: Option<Running<E>>,
    done: Vec<FileMetaData>,
}

impl<E: Env> ReplayTables<E> {
    pub(super) fn new(workshop: Workshop<E>) -> Self {
        ReplayTables { workshop: Arc::new(workshop), running: None, done: Vec::new() }
    }

    /// Makes table `number` of `mem`, and returns when it is durable but for its name.
    ///
    /// # Errors
    /// That of any file, of this table or the one before.
    pub(super) fn write(
        &mut self,
        number: FileNumber,
        mem: &Arc<MemTable<E::Threads>>,
    ) -> Result<()> {
        self.wait()?;
        self.done.extend(self.workshop.write(number, mem)?);
        Ok(())
    }

    /// Begins to make table `number` of `mem`, once the one before is done.
    ///
    /// # Errors
    /// That of any file of the table before.
    pub(super) fn write_beside(
        &mut self,
        number: FileNumber,
        mem: Arc<MemTable<E::Threads>>,
    ) -> Result<()> {
        self.wait()?;
        let workshop = Arc::clone(&self.workshop);
        let body = move || workshop.write(number, &mem);
        self.running = Some(E::Threads::spawn("replay", body));
        Ok(())
    }

    /// All tables, in order, when the last is done.
    ///
    /// # Errors
    /// That of any file of the last table.
    pub(super) fn finish(&mut self) -> Result<Vec<FileMetaData>> {
        self.wait()?;
        Ok(core::mem::take(&mut self.done))
    }

    fn wait(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let died = |_| Error::invalid("the thread that wrote a table died");
        self.done.extend(E::Threads::join(running).map_err(died)??);
        Ok(())
    }
}

impl<E: Env> Drop for ReplayTables<E> {
    fn drop(&mut self) {
        // The replay has failed, and says why; what the thread has to say is of no more use.
        drop(self.wait());
    }
}
