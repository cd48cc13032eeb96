//! [`Inner`]: what all handles and the background threads of one database share, and [`State`], the
//! part of it that changes under a lock.
//!
//! There are two locks, never held together: that of the commit queue, which hands [`WriteHalf`]
//! from leader to leader, and that of the state. Neither is held across I/O. The published sequence
//! number is an atomic, stored only by the leader.
//!
//! Invariant: under the state lock, every entry whose number is at most the published one is in
//! the view's memtables or tables. So a reader that takes the view and the number under that lock
//! gets a pair that fit together: the leader switches memtables only under it, and publishes only
//! what it has inserted.
//!
//! Source: LevelDB `db/db_impl.h`, `DBImpl`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::compact_range::RangeRequest;
use super::metrics::Counters;
use super::pins::{Pins, VersionNumber};
use super::queue::CommitQueue;
use super::report::RecoveryReport;
use crate::batch::WriteBatch;
use crate::directory::Directory;
use crate::env::{Atomic, Condvar, Env, FileLock, Mutex, Threads};
use crate::error::Error;
use crate::filename::FileNumber;
use crate::key::{InternalKeyComparator, SequenceNumber};
use crate::memtable::{MemTable, MemTableWriter, Published};
use crate::options::Options;
use crate::record::Writer;
use crate::table_cache::TableCache;
use crate::version::{Version, VersionSet};

/// What a read looks into. Never changes once made.
#[derive(Debug)]
pub(super) struct View<R: Threads> {
    /// The memtable that is being written.
    pub(super) mem: Arc<MemTable<R>>,
    /// The one before, on its way to a table.
    pub(super) imm: Option<Arc<MemTable<R>>>,
    pub(super) version: Arc<Version>,
    pub(super) version_number: VersionNumber,
}

/// What the leader of the commit queue holds.
#[derive(Debug)]
pub(super) struct WriteHalf<R: Threads> {
    pub(super) log: Writer,
    pub(super) log_number: FileNumber,
    /// Whether the log has bytes that no sync covers.
    pub(super) log_is_dirty: bool,
    pub(super) mem: MemTableWriter<R>,
    /// The last number given to a write, failed ones included.
    pub(super) last_sequence: SequenceNumber,
    /// The record of a group on its way; kept for its memory. `None` while a leader uses it.
    pub(super) group: Option<WriteBatch>,
}

/// Why all writes fail.
#[derive(Clone, Debug)]
pub(super) struct BackgroundError {
    pub(super) error: Error,
    /// Whether `resume` can help.
    pub(super) is_resumable: bool,
}

/// How far a database is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Somebody wants to close it: nobody may wait for room any more.
    Closing,
    /// The background threads end, and everyone is refused.
    Closed,
}

/// What changes under the state lock.
#[derive(Debug)]
pub(super) struct State<R: Threads> {
    pub(super) view: Arc<View<R>>,
    /// With `imm`: the oldest log that is still needed once `imm` is in a table.
    pub(super) imm_log_number: FileNumber,
    pub(super) versions: VersionSet,
    /// Tables that are being written and in no version yet.
    pub(super) pending_outputs: BTreeSet<FileNumber>,
    /// The first error that stopped all writes; cleared by `resume` alone.
    pub(super) background_error: Option<BackgroundError>,
    /// Whether the flush thread has a memtable in its hands.
    pub(super) is_flushing: bool,
    /// Whether a compaction has been picked and is not over.
    pub(super) is_compacting: bool,
    /// What somebody wants compacted, besides what is due.
    pub(super) range: Option<RangeRequest>,
    pub(super) phase: Phase,
    /// How many snapshots there are of each sequence number.
    pub(super) snapshots: BTreeMap<SequenceNumber, usize>,
    /// Versions that are being read.
    pub(super) pins: Pins,
    pub(super) counters: Counters,
    /// Writes under way that asked not to wait.
    pub(super) impatient: usize,
}

/// What all handles of one database share.
pub(super) struct Inner<E: Env> {
    pub(super) env: E,
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) order: InternalKeyComparator,
    pub(super) tables: Arc<TableCache<E>>,
    pub(super) directory: Directory<E>,
    pub(super) queue: CommitQueue<E::Threads, Box<WriteHalf<E::Threads>>>,
    pub(super) state: Mutex<E::Threads, State<E::Threads>>,
    /// The last sequence number that readers may see.
    pub(super) last_sequence: Published<E::Threads>,
    /// The number of tables at level 0, for who need not know exactly.
    pub(super) level0_hint: <E::Threads as Threads>::AtomicU64,
    /// Not 0 if a running compaction is to be given up.
    pub(super) stop_compaction: <E::Threads as Threads>::AtomicU32,
    /// Told when there is a memtable to flush.
    pub(super) flush_work: Condvar<E::Threads>,
    /// Told when there may be something to compact or to sweep.
    pub(super) compaction_work: Condvar<E::Threads>,
    /// Told when a flush, a compaction, a commit or a failure may have changed what somebody waits
    /// for.
    pub(super) done: Condvar<E::Threads>,
    /// Taken when the database is closed.
    pub(super) lock: Mutex<E::Threads, Option<Box<dyn FileLock>>>,
    /// Whether the database was opened for reading alone: nobody ever gets a turn to write.
    pub(super) is_read_only: bool,
    pub(super) report: RecoveryReport,
}

impl<R: Threads> State<R> {
    /// Replaces the view by one that differs in the given parts.
    pub(super) fn set_view(&mut self, mem: Arc<MemTable<R>>, imm: Option<Arc<MemTable<R>>>) {
        let version = Arc::clone(self.versions.current());
        self.view = Arc::new(View { mem, imm, version, version_number: self.pins.current() });
    }

    /// The error for a write that cannot be done, if writes are stopped.
    pub(super) fn write_error(&self) -> Option<Error> {
        self.background_error.as_ref().map(|stopped| stopped.error.clone().into_background())
    }
}

impl<E: Env> Inner<E> {
    /// The sequence number up to which readers see everything.
    pub(super) fn published(&self) -> SequenceNumber {
        self.last_sequence.last()
    }

    /// Stops all writes: the first error counts, and stays until `resume`.
    pub(super) fn set_background_error(&self, error: &Error, is_resumable: bool) {
        tracing::warn!(target: "faultline", %error, is_resumable, "background error");
        // The queue first: once anybody can be told of the error, no later write may succeed.
        let stopped = self.queue.stop(error.clone().into_background());
        // Of two threads that fail at once, the first to stop the queue may come here second.
        let first = if let Error::Background(first) = &stopped { first } else { error };
        let mut state = self.state.lock();
        // Later failures of a sort that cannot be repaired must not hide behind a milder first.
        let is_resumable = is_resumable && !matches!(error.root(), Error::Corruption(_));
        let kept = state
            .background_error
            .get_or_insert_with(|| BackgroundError { error: first.clone(), is_resumable });
        kept.is_resumable &= is_resumable;
        self.stop_compaction.store(1);
        drop(state);
        self.done.notify_all();
    }
}
