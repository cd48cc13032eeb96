//! [`Metrics`]: what a database has done since it was opened, and how it is doing.
//!
//! Source: LevelDB `DBImpl::CompactionStats`. Differs: numbers instead of a text; stalls, flushes
//! and caches are counted.

use core::fmt;
use core::time::Duration;

use super::state::{Inner, Phase};
use crate::env::{Clock, Env};
use crate::error::{Error, Result};
use crate::key::SequenceNumber;
use crate::table::BlockCacheStats;
use crate::table_cache::TableCacheStats;
use crate::version::edit::LEVEL_COUNT;

/// Why a write does not go on at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteStall {
    /// Nothing holds writes up.
    #[default]
    None,
    /// A write is being delayed because level 0 has many tables.
    Slowdown,
    /// A write waits for the flush of the memtable before.
    Flush,
    /// A write waits for fewer tables at level 0.
    Level0,
}

impl fmt::Display for WriteStall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WriteStall::None => "by nothing",
            WriteStall::Slowdown => "level 0 has many tables",
            WriteStall::Flush => "the memtable before is still being flushed",
            WriteStall::Level0 => "level 0 has too many tables",
        })
    }
}

/// How much writes were held up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StallMetrics {
    /// What holds up a write now.
    pub now: WriteStall,
    /// How often a write was delayed because level 0 had many tables.
    pub slowdowns: u64,
    /// How often a write waited for a flush.
    pub flush_waits: u64,
    /// How often a write waited for fewer tables at level 0.
    pub level0_waits: u64,
    /// For how long all of these together.
    pub time: Duration,
}

/// One level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelMetrics {
    /// Tables there now.
    pub files: usize,
    /// Their bytes.
    pub size: u64,
    /// Time spent on flushes and compactions that wrote to this level.
    pub time: Duration,
    /// Bytes that those compactions read.
    pub bytes_read: u64,
    /// Bytes that those flushes and compactions wrote.
    pub bytes_written: u64,
}

/// What a database has done since it was opened, and how it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Memtables written to tables, those of `open` and `resume` not included.
    pub flushes: u64,
    /// Compactions that wrote tables.
    pub compactions: u64,
    /// Tables that were moved to the next level as they were.
    pub moved_tables: u64,
    /// By level.
    pub levels: [LevelMetrics; LEVEL_COUNT],
    /// How much writes were held up.
    pub stalls: StallMetrics,
    /// Bytes of the memtables.
    pub memtable_size: u64,
    /// Snapshots that are held.
    pub snapshots: usize,
    /// The oldest of them.
    pub oldest_snapshot: Option<SequenceNumber>,
    /// What stopped all writes, if anything did.
    pub background_error: Option<Error>,
    /// The open tables.
    pub table_cache: TableCacheStats,
    /// The data blocks in memory; `None` without a block cache.
    pub block_cache: Option<BlockCacheStats>,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    flushes: u64,
    compactions: u64,
    moved_tables: u64,
    levels: [LevelMetrics; LEVEL_COUNT],
    stalls: StallMetrics,
}

impl Counters {
    /// A memtable became a table of `size` bytes at `level`; 0 is none.
    pub(super) fn flush_ended(&mut self, level: usize, size: u64, took: Duration) {
        self.flushes += 1;
        self.levels[level].bytes_written += size;
        self.levels[level].time += took;
    }

    /// A compaction wrote to `level`.
    pub(super) fn compaction_ended(
        &mut self,
        level: usize,
        read: u64,
        written: u64,
        took: Duration,
    ) {
        self.compactions += 1;
        self.levels[level].bytes_read += read;
        self.levels[level].bytes_written += written;
        self.levels[level].time += took;
    }

    pub(super) fn table_moved(&mut self) {
        self.moved_tables += 1;
    }

    /// What holds up a write now.
    pub(super) fn stalled(&self) -> WriteStall {
        self.stalls.now
    }

    /// A write is about to be held up, or is not any more.
    pub(super) fn set_stalled(&mut self, stall: WriteStall) {
        self.stalls.now = stall;
    }

    /// A write is held up from now on.
    pub(super) fn stall_began(&mut self, stall: WriteStall) {
        self.stalls.now = stall;
        match stall {
            WriteStall::None => {}
            WriteStall::Slowdown => self.stalls.slowdowns += 1,
            WriteStall::Flush => self.stalls.flush_waits += 1,
            WriteStall::Level0 => self.stalls.level0_waits += 1,
        }
    }

    /// The write goes on.
    pub(super) fn stall_ended(&mut self, took: Duration) {
        self.stalls.now = WriteStall::None;
        self.stalls.time += took;
    }
}

impl<E: Env> Inner<E> {
    pub(super) fn now(&self) -> Duration {
        self.env.clock().now()
    }

    pub(super) fn metrics(&self) -> Result<Metrics> {
        let table_cache = self.tables.stats();
        let block_cache = self.tables.block_cache_stats();
        let state = self.state.lock();
        if state.phase == Phase::Closed {
            return Err(Error::Closed);
        }
        let Counters { flushes, compactions, moved_tables, mut levels, stalls } =
            state.counters.clone();
        for (level, file) in state.versions.current().files() {
            levels[level].files += 1;
            levels[level].size += file.size;
        }
        let memtables = core::iter::once(&state.view.mem).chain(&state.view.imm);
        Ok(Metrics {
            flushes,
            compactions,
            moved_tables,
            levels,
            stalls,
            memtable_size: memtables.map(|mem| mem.approximate_memory_usage()).sum(),
            snapshots: state.snapshots.values().sum(),
            oldest_snapshot: state.snapshots.keys().next().copied(),
            background_error: state.background_error.as_ref().map(|stopped| stopped.error.clone()),
            table_cache,
            block_cache,
        })
    }
}
