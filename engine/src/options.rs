//! What a caller can choose: [`Options`] for a database, [`ReadOptions`] and [`WriteOptions`] for
//! a call, and the read-only [`Observer`].
//!
//! Nothing here acts. Numbers outside their range are moved to its nearer end at open, as LevelDB
//! does; nothing is refused.
//!
//! Source: LevelDB `include/leveldb/options.h` and `SanitizeOptions` in `db/db_impl.cc`. Differs:
//! damage in logs is met by a named policy, not by `paranoid_checks`; logs and MANIFESTs of an
//! earlier incarnation are never appended to, so there is no `reuse_logs`; checksums are verified
//! unless the caller opts out; the level-0 triggers and the size of level 1 are options.

use core::fmt;
use std::sync::Arc;

use crate::db::{EntryVisitor, Snapshot, WriteStall};
use crate::error::Result;
use crate::filename::FileNumber;
use crate::iterator::InternalIterator;
use crate::key::{BytewiseComparator, Comparator};
use crate::table::{BlockCache, BlockReads, Compression, FilterPolicy, TableOptions};

/// What `open` does with a log that is not whole. An I/O error fails the open under each of them.
///
/// Whatever is dropped is kept in the directory `lost` and told in the
/// [`crate::db::RecoveryReport`], and such an open removes no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RecoveryPolicy {
    /// In the newest log that has any bytes, everything from the first bad byte on is taken for
    /// the tail that a crash left, and dropped. Damage in an older log, or a gap between two logs,
    /// fails the open: those bytes had been made durable.
    #[default]
    TolerateTail,
    /// Stops at the first thing wrong in any log, or the first gap between two logs, and drops
    /// everything from there on, later logs included.
    PointInTime,
    /// Drops what is damaged and goes on behind it, holes and all. What is recovered need not be
    /// any state that the database ever had. LevelDB's default.
    SkipCorrupt,
    /// Anything wrong fails the open, the torn tail of an interrupted write included, in a log or
    /// in the MANIFEST.
    Absolute,
}

/// Hooks that look on at well-defined places and can change nothing. For tools and checkers.
///
/// They are called without any lock held, but the caller waits; they must not call into the same
/// database.
pub trait Observer: Send + Sync + fmt::Debug {
    /// During `open`, before a memtable filled from log `log` is written to a table: the entries
    /// as replay left them, in internal-key order. One log can fill several memtables.
    fn replayed(&self, log: FileNumber, entries: &mut dyn InternalIterator) {
        // By default nobody looks.
        let _ = (log, entries);
    }

    /// Whether [`Observer::write_stalled`] is to be called. It costs a write that is held up a lock
    /// more.
    fn wants_stalls(&self) -> bool {
        false
    }

    /// Writes are held up from now on, by what `stall` says, or go on if that is
    /// [`WriteStall::None`]. Whoever is told may be behind: it is [`crate::db::Metrics`] that knows
    /// how it is now. The write that is held up makes the call, and the ones behind it wait.
    fn write_stalled(&self, stall: WriteStall) {
        // By default nobody looks.
        let _ = stall;
    }

    /// At the end of `open`, when all that was recovered is durable and nobody can change it yet.
    /// `_visit` is [`crate::Db::visit_entries`] on the database that is being opened. Its errors do
    /// not fail the open.
    fn recovered(&self, _visit: &dyn Fn(&mut EntryVisitor<'_>) -> Result<()>) {
        // By default nobody looks.
    }
}

/// How a database is opened and run.
///
/// # Memory
/// Whatever the size of its logs and tables, while it is opened too, a database holds no more than
/// the sum of
/// - two memtables, each of `write_buffer_size` and one group of writes: 1 MiB, or the largest
///   batch if that is larger; while it is opened three, of which two are becoming tables;
/// - the record of a group, twice while it grows;
/// - the block cache: `block_cache_capacity`, and about 200 bytes for each block;
/// - of `max_open_files` - 10 tables the index, which is a key and at most 56 bytes for each data
///   block, and the filter;
/// - for each cursor, and for the running compaction, two blocks for each table of level 0 and for
///   each deeper level: one as it is stored and one unpacked;
/// - for each table that is being written, by a flush or a compaction, the same two blocks, its
///   index and its filter, and twice `table_append_size` while that is gathered;
/// - for each table of each version that somebody reads, its two bounds and about 400 bytes;
/// - 1 MiB for everything else.
///
/// A block is of `block_size`, or of its one entry if that is larger. Values, snapshots and batches
/// are their callers'. [`crate::Db::open_read_only`] is the exception: it keeps all that the logs
/// hold in one memtable.
#[derive(Clone, Debug)]
pub struct Options {
    /// The order of user keys. It must be the one that the database was created with.
    /// Default: plain byte order.
    pub comparator: Arc<dyn Comparator>,
    /// Whether to create a database that does not exist. Default: no.
    pub create_if_missing: bool,
    /// Whether to refuse a database that exists. Default: no.
    pub error_if_exists: bool,
    /// Bytes of memory after which a memtable is switched: 4 KiB to 1 GiB, default 4 MiB. A
    /// memtable exceeds it by at most one group of batches. LevelDB's least is 64 KiB; the smaller
    /// one lets a simulator reach many switches cheaply.
    pub write_buffer_size: usize,
    /// Most files open at once: 74 to 50000, default 1000. Ten of them are for LOCK, logs,
    /// MANIFESTs, tables being written and directories, the others for tables to read. Neither the
    /// number of tables nor that of cursors counts: a file that others have pushed out is opened
    /// again when it is needed. Only a thread that is inside a read when that happens keeps its
    /// file open to the end of the read, beyond the limit. So many tables, less ten, also keep
    /// their indexes in memory.
    pub max_open_files: usize,
    /// Where data blocks that were read are kept, if not in a cache of this database's own: clones
    /// of one cache serve several databases. Default: its own.
    pub block_cache: Option<BlockCache>,
    /// Bytes of the database's own block cache, if `block_cache` is `None`; 0 is no cache.
    /// Default: 8 MiB.
    pub block_cache_capacity: usize,
    /// Bytes of contents at which a data block of a table ends, before compression: 1 KiB to
    /// 4 MiB, default 4096.
    pub block_size: usize,
    /// Every how many entries of a block a key is stored whole: at least 1, default 16.
    pub block_restart_interval: usize,
    /// How blocks of new tables are stored; old ones are read whatever they are. Default: Snappy.
    pub compression: Compression,
    /// What makes the filters of new tables and reads those of old ones, so that most gets of
    /// absent keys read no data block: [`crate::table::BloomFilter`], or one of the caller's own.
    /// Default: none.
    pub filter_policy: Option<Arc<dyn FilterPolicy>>,
    /// Bytes of a new table that are gathered before the operating system gets them: 1 to 4 MiB,
    /// default 256 KiB. Fewer are more calls, and on Linux make later reads of the table slower.
    /// 1 is an append for each block, so that a simulator has more places to crash at.
    pub table_append_size: usize,
    /// Bytes after which a MANIFEST is replaced by a fresh one, if that would be at most half its
    /// size: at least 4 KiB, default 64 MiB. LevelDB lets it grow for the life of the process.
    pub manifest_size_max: u64,
    /// Bytes at which a table that a compaction writes is ended: 1 KiB to 1 GiB, default 2 MiB.
    /// LevelDB's least is 1 MiB; the smaller one lets a simulator reach many tables cheaply.
    pub max_file_size: u64,
    /// Bytes at level 1 beyond which it is compacted; each deeper level may hold ten times as much
    /// as the one above. At least 1, default 10 MiB, which in LevelDB is fixed.
    pub level1_size_max: u64,
    /// Number of level-0 tables at which they are compacted: at least 1, default 4. With
    /// `usize::MAX` they never are, unless [`crate::Db::compact_range`] asks for it.
    pub level0_compaction_trigger: usize,
    /// Number of level-0 tables at which each write is delayed by 1 ms, once. `None` is never;
    /// default 8.
    pub level0_slowdown_writes_trigger: Option<usize>,
    /// Number of level-0 tables at which writes wait for a compaction; no fewer than make one due.
    /// `None` is never; default 12.
    pub level0_stop_writes_trigger: Option<usize>,
    /// What to do with damaged logs. Default: [`RecoveryPolicy::TolerateTail`].
    pub recovery_policy: RecoveryPolicy,
    /// Who looks on. Default: nobody.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            comparator: Arc::new(BytewiseComparator),
            create_if_missing: false,
            error_if_exists: false,
            write_buffer_size: 4 << 20,
            max_open_files: 1000,
            block_cache: None,
            block_cache_capacity: 8 << 20,
            block_size: 4096,
            block_restart_interval: 16,
            compression: Compression::default(),
            filter_policy: None,
            table_append_size: TableOptions::default().append_size,
            manifest_size_max: 64 << 20,
            max_file_size: 2 << 20,
            level1_size_max: 10 << 20,
            level0_compaction_trigger: 4,
            level0_slowdown_writes_trigger: Some(8),
            level0_stop_writes_trigger: Some(12),
            recovery_policy: RecoveryPolicy::default(),
            observer: None,
        }
    }
}

impl Options {
    /// These options with every number moved into its range.
    #[must_use]
    pub fn clipped(mut self) -> Self {
        self.write_buffer_size = self.write_buffer_size.clamp(4 << 10, 1 << 30);
        self.max_open_files = self.max_open_files.clamp(74, 50_000);
        self.block_size = self.block_size.clamp(1 << 10, 4 << 20);
        self.block_restart_interval = self.block_restart_interval.max(1);
        self.table_append_size = self.table_append_size.clamp(1, 4 << 20);
        self.manifest_size_max = self.manifest_size_max.max(4 << 10);
        self.max_file_size = self.max_file_size.clamp(1 << 10, 1 << 30);
        self.level1_size_max = self.level1_size_max.max(1);
        self.level0_compaction_trigger = self.level0_compaction_trigger.max(1);
        self.level0_slowdown_writes_trigger = self.level0_slowdown_writes_trigger.map(|n| n.max(1));
        // With fewer, writes would wait for a compaction that nothing makes due.
        let least = self.level0_compaction_trigger;
        self.level0_stop_writes_trigger = self.level0_stop_writes_trigger.map(|n| n.max(least));
        self
    }

    /// How tables are written under these options.
    pub fn table_options(&self) -> TableOptions {
        TableOptions {
            block_size: self.block_size,
            block_restart_interval: self.block_restart_interval,
            compression: self.compression,
            filter_policy: self.filter_policy.clone(),
            append_size: self.table_append_size,
        }
    }
}

/// How one read is done.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Whether the checksum of every block that is read from a file is verified. Default: yes.
    /// LevelDB's is no.
    pub verify_checksums: bool,
    /// Whether blocks that are read go into the block cache. Default: yes; no is for large scans,
    /// which would drive out everything else.
    pub fill_cache: bool,
    /// The state to read: that at this snapshot of the same database, or, if `None`, the state
    /// when the read begins.
    pub snapshot: Option<Snapshot>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { verify_checksums: true, fill_cache: true, snapshot: None }
    }
}

impl ReadOptions {
    /// How data blocks are read under these options.
    pub(crate) fn block_reads(&self) -> BlockReads {
        BlockReads { verify_checksums: self.verify_checksums, fill_cache: self.fill_cache }
    }
}

/// How one write is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether the write, and with it everything before it, is durable when the call returns.
    /// Otherwise it survives the death of the process, but not the loss of power. Default: no.
    pub sync: bool,
    /// Whether the write fails with [`crate::Error::HeldUp`] where it would have to wait for room:
    /// for a flush, for fewer tables at level 0, or behind a write that does. It waits its turn
    /// behind others all the same. Default: no.
    ///
    /// Source: none in LevelDB; RocksDB's `WriteOptions::no_slowdown`.
    pub no_wait: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_moved_into_their_ranges() {
        let small = Options {
            write_buffer_size: 0,
            max_open_files: 0,
            manifest_size_max: 0,
            level0_compaction_trigger: 0,
            level0_stop_writes_trigger: Some(0),
            ..Options::default()
        }
        .clipped();
        assert_eq!((small.write_buffer_size, small.max_open_files), (4096, 74));
        assert_eq!((small.manifest_size_max, small.level0_stop_writes_trigger), (4096, Some(1)));
        let large = Options {
            write_buffer_size: usize::MAX,
            max_open_files: usize::MAX,
            ..Options::default()
        }
        .clipped();
        assert_eq!((large.write_buffer_size, large.max_open_files), (1 << 30, 50_000));
    }
}
