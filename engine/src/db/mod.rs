//! [`Db`]: the database as its user sees it.
//!
//! Reading order: `state` (what is shared, and under which lock), `queue` (who writes next),
//! `make_room` and `write` (one group, step by step), `background` and `flush` (memtable to table),
//! `compact` and `compact_range` (level to level), `pins` (who still reads what), `open`, `create`
//! and `replay` (recovery), `resume`, `close`.
//!
//! Source: LevelDB `include/leveldb/db.h`. Differs: every call takes `&self` on a handle that is
//! cheap to clone; snapshots and iterators own what they need; `write` returns a sequence number;
//! `sync`, `resume` and a `close` that can fail are there.

mod background;
mod close;
mod compact;
mod compact_range;
mod create;
mod destroy;
mod entries;
mod flush;
mod iter;
mod lost;
mod make_room;
mod metrics;
mod obsolete_files;
mod open;
mod pins;
mod properties;
mod queue;
mod range;
mod read;
mod read_only;
mod replay;
mod replay_tables;
mod report;
mod request;
mod resume;
mod snapshot;
mod sort_buffer;
mod state;
mod wake;
mod write;

pub use destroy::destroy;
pub use entries::DbEntries;
pub use iter::DbIterator;
pub use metrics::{LevelMetrics, Metrics, StallMetrics, WriteStall};
pub use range::KeyRange;
pub use read::EntryVisitor;
pub(crate) use read_only::lock_if_there;
pub use report::{DroppedBytes, RecoveryReport};
pub use snapshot::Snapshot;

use core::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use close::Handle;
use request::Write;

use crate::batch::WriteBatch;
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::error::{Error, Result};
use crate::key::SequenceNumber;
use crate::options::{Options, ReadOptions, WriteOptions};
use crate::table::BlockCacheStats;
use crate::table_cache::TableCacheStats;
use crate::value::Value;

/// An open database.
///
/// A handle: clones share the database, and all threads may use them at once. Writes of one thread
/// happen in its order; those of all threads in one order, that of their sequence numbers.
///
/// # Durability
/// A write that returned `Ok` survives the death of the process. It survives the loss of power if
/// it was a sync write, or if a later sync write or [`Db::sync`] returned `Ok`. What is recovered
/// is always all writes up to some point, and of each batch all or nothing.
///
/// # Errors
/// After a failed append, sync or close of a log or MANIFEST, or a failed flush, every write fails
/// with [`crate::Error::Background`] until [`Db::resume`] or the next open; reads go on. A write
/// that failed does not show while the database stays open; whether it is there after the next open
/// is decided by that open, for good, unless `resume` made it absent.
///
/// ```
/// use faultline::batch::WriteBatch;
/// use faultline::db::Db;
/// use faultline::env::posix::PosixEnv;
/// use faultline::options::{Options, WriteOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let root = tempfile::tempdir()?;
/// # let path = root.path().join("db");
/// let options = Options { create_if_missing: true, ..Options::default() };
/// let db = Db::open(PosixEnv::new(), path, options)?;
/// let mut batch = WriteBatch::new();
/// batch.put(b"alice", b"10")?;
/// batch.put(b"bob", b"20")?;
/// db.write(&batch, &WriteOptions { sync: true, ..WriteOptions::default() })?;
/// assert_eq!(db.get(b"alice")?.as_deref(), Some(&b"10"[..]));
/// for entry in db.iter()? {
///     let (key, value) = entry?;
///     assert!(key.len() >= value.len());
/// }
/// db.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Db<E: Env = PosixEnv> {
    handle: Arc<Handle<E>>,
}

impl<E: Env> Db<E> {
    /// Opens the database in the directory `path`, and creates it if there is none and
    /// `options` say so. What it recovered is durable when it returns.
    ///
    /// # Errors
    /// `Locked` if it is open already, here or in another process: nothing is touched then.
    /// `InvalidArgument` if it does not exist, exists against `error_if_exists`, or has another
    /// comparator. `Corruption` for damage that the recovery policy does not accept; where the
    /// damage is in a log, another [`crate::options::RecoveryPolicy`] may open the database without
    /// some of the data. `NoThread` if the system has none for the background. Any error of the
    /// file system. A fault-free open after a failed one finds what it would have found before.
    ///
    /// Source: LevelDB `DB::Open`.
    pub fn open(env: E, path: impl Into<PathBuf>, options: Options) -> Result<Self> {
        let inner = open::open(env, path.into(), options)?;
        if !inner.report.has_dropped() {
            inner.remove_obsolete_files();
        }
        if let Some(observer) = &inner.options.observer {
            observer.recovered(&|visit| inner.visit_entries(visit));
        }
        Ok(Db { handle: Arc::new(Handle::new(inner)?) })
    }

    /// Opens the database in the directory `path` for reading alone, and writes nothing at all: it
    /// is left as it was, also what no open has decided about yet. The right to read is enough, and
    /// it works on media that cannot be written.
    ///
    /// Every call that would write returns [`crate::Error::ReadOnly`]. Others may open the database
    /// for reading meanwhile, and none for writing: LOCK sees to that. A database without that file
    /// can be read, but is not protected. All that the logs hold is kept in memory, whatever their
    /// size.
    ///
    /// # Errors
    /// `Locked` if it is open for writing; else as for [`Db::open`].
    ///
    /// Source: none in LevelDB; compare RocksDB's `DB::OpenForReadOnly`.
    pub fn open_read_only(env: E, path: impl Into<PathBuf>, options: Options) -> Result<Self> {
        let inner = read_only::open_read_only(env, path.into(), options)?;
        Ok(Db { handle: Arc::new(Handle::new(inner)?) })
    }

    /// Sets `key` to `value`. Not durable by itself; see [`Db`]. Returns the sequence number.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<SequenceNumber> {
        self.put_with(key, value, &WriteOptions::default())
    }

    /// Sets `key` to `value`.
    pub fn put_with(
        &self,
        key: &[u8],
        value: &[u8],
        options: &WriteOptions,
    ) -> Result<SequenceNumber> {
        self.handle.inner.write(Write::Put { key, value }, *options)
    }

    /// Removes `key`, which need not be there. Not durable by itself. Returns the sequence number.
    pub fn delete(&self, key: &[u8]) -> Result<SequenceNumber> {
        self.delete_with(key, &WriteOptions::default())
    }

    /// Removes `key`, which need not be there.
    pub fn delete_with(&self, key: &[u8], options: &WriteOptions) -> Result<SequenceNumber> {
        self.handle.inner.write(Write::Delete { key }, *options)
    }

    /// Applies all operations of `batch`, or none. Returns the sequence number of the first; the
    /// others follow it. An empty batch occupies none and gets the number that comes next.
    ///
    /// Blocks while the memtable is full and the one before is still being written out.
    ///
    /// # Errors
    /// `Background` if writes are stopped; the error itself if this write met it, or if it was in
    /// one group with it. An error of creating a log leaves writes possible. `HeldUp` instead of a
    /// wait for room, if the options ask for that. `Closed`.
    ///
    /// Source: LevelDB `DB::Write`.
    pub fn write(&self, batch: &WriteBatch, options: &WriteOptions) -> Result<SequenceNumber> {
        self.handle.inner.write(Write::Batch(batch), *options)
    }

    /// The value of `key` now, if it has one.
    pub fn get(&self, key: &[u8]) -> Result<Option<Value>> {
        self.get_with(key, &ReadOptions::default())
    }

    /// The value of `key` in the state that `options` name, if it has one.
    ///
    /// # Errors
    /// `Corruption` of a table, a missing one included; that of reading one; `Closed`.
    pub fn get_with(&self, key: &[u8], options: &ReadOptions) -> Result<Option<Value>> {
        self.handle.inner.get(key, options)
    }

    /// A cursor over the state now, not positioned.
    #[expect(clippy::iter_not_returning_iterator, reason = "a cursor that turns into one")]
    pub fn iter(&self) -> Result<DbIterator> {
        self.iter_with(&ReadOptions::default())
    }

    /// A cursor over the state that `options` name, not positioned.
    ///
    /// # Errors
    /// As for [`Db::get_with`].
    pub fn iter_with(&self, options: &ReadOptions) -> Result<DbIterator> {
        self.range_with(.., options)
    }

    /// A cursor over the keys of `range` now, not positioned.
    pub fn range(&self, range: impl Into<KeyRange>) -> Result<DbIterator> {
        self.range_with(range, &ReadOptions::default())
    }

    /// A cursor over the keys of `range` in the state that `options` name, not positioned.
    ///
    /// # Errors
    /// As for [`Db::get_with`].
    pub fn range_with(
        &self,
        range: impl Into<KeyRange>,
        options: &ReadOptions,
    ) -> Result<DbIterator> {
        self.handle.inner.cursor(range.into(), options)
    }

    /// A cursor over the keys that start with `prefix` now, not positioned.
    pub fn prefix(&self, prefix: &[u8]) -> Result<DbIterator> {
        self.prefix_with(prefix, &ReadOptions::default())
    }

    /// A cursor over the keys that start with `prefix` in the state that `options` name, not
    /// positioned.
    ///
    /// # Errors
    /// `InvalidArgument` if the comparator's order is not plain byte order, in which alone such
    /// keys are sure to be neighbours; else as for [`Db::get_with`].
    pub fn prefix_with(&self, prefix: &[u8], options: &ReadOptions) -> Result<DbIterator> {
        if !self.handle.inner.order.is_bytewise() {
            return Err(Error::invalid("prefixes need plain byte order"));
        }
        self.range_with(KeyRange::of_prefix(prefix), options)
    }

    /// The state now, to be read later.
    ///
    /// # Errors
    /// `Closed`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::new(&self.handle.inner)
    }

    /// Writes the memtable to a table. Returns once everything acknowledged before the call is in
    /// durable tables.
    ///
    /// # Errors
    /// What stopped all writes, before or meanwhile; that of creating a log; `Closed`.
    pub fn flush(&self) -> Result<()> {
        self.handle.inner.flush()
    }

    /// Compacts all entries of user keys from `begin` to `end`, both included, down to the deepest
    /// level that holds any of them, and what was overwritten or deleted out of existence. `None`
    /// is no bound. The memtable is flushed first. Reads and writes go on meanwhile.
    ///
    /// # Errors
    /// As for [`Db::flush`]. What was compacted before it stays so.
    ///
    /// Source: LevelDB `DB::CompactRange`.
    pub fn compact_range(&self, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
        self.handle.inner.compact_range(begin, end)
    }

    /// What the database has done since it was opened, and how it is doing.
    ///
    /// # Errors
    /// `Closed`.
    pub fn metrics(&self) -> Result<Metrics> {
        self.handle.inner.metrics()
    }

    /// A property by the name that LevelDB gives it; `None` if there is none of that name.
    ///
    /// - `leveldb.num-files-at-level<N>`: the number of tables at level N, from 0 to 6
    /// - `leveldb.stats`: a table of levels, with what was compacted into each
    /// - `leveldb.sstables`: every table, with its size in bytes and its range
    /// - `leveldb.approximate-memory-usage`: bytes of memtables and block cache
    ///
    /// # Errors
    /// `Closed`.
    ///
    /// Source: LevelDB `DB::GetProperty`.
    pub fn property(&self, name: &str) -> Result<Option<String>> {
        self.handle.inner.property(name)
    }

    /// About how many bytes of tables each range of keys takes, from its start to before its end.
    /// What is in memtables does not count.
    ///
    /// # Errors
    /// As for [`Db::get_with`].
    ///
    /// Source: LevelDB `DB::GetApproximateSizes`.
    pub fn approximate_sizes(&self, ranges: &[Range<&[u8]>]) -> Result<Vec<u64>> {
        self.handle.inner.approximate_sizes(ranges)
    }

    /// Makes everything acknowledged before the call durable.
    ///
    /// # Errors
    /// `Background` if writes are stopped; that of the sync, which stops them; `Closed`.
    pub fn sync(&self) -> Result<()> {
        self.handle.inner.sync()
    }

    /// Makes writes possible again after an error that stopped them, without closing the database.
    ///
    /// Everything acknowledged stays; writes that failed are absent for ever after. `Ok` at once if
    /// writes are not stopped. Writes that wait meanwhile go on when it is done.
    ///
    /// # Errors
    /// That of writing the new files: all stays as it was, and `resume` may be tried again. The
    /// error that stopped writes, if only the next open can help: damage, or a switch of CURRENT
    /// whose outcome is not known.
    pub fn resume(&self) -> Result<()> {
        self.handle.inner.resume()
    }

    /// Closes the database, for all clones of this handle: makes everything acknowledged durable,
    /// waits for running background work, and releases LOCK last.
    ///
    /// Iterators and snapshots stay readable, as long as nobody who opens the database afterwards
    /// removes their tables; every other call returns `Closed` from now on.
    ///
    /// # Errors
    /// What stopped writes before; that of syncing or closing the log; `Closed` if a clone was
    /// closed before. The database is closed in any case.
    pub fn close(self) -> Result<()> {
        self.handle.close(true)
    }

    /// What `open` found, wrote and dropped.
    pub fn report(&self) -> &RecoveryReport {
        &self.handle.inner.report
    }

    /// The sequence number up to which everything is visible.
    pub fn last_sequence(&self) -> SequenceNumber {
        self.handle.inner.published()
    }

    /// How the block cache is doing, if there is one; a shared one, for all its databases.
    pub fn block_cache_stats(&self) -> Option<BlockCacheStats> {
        self.handle.inner.tables.block_cache_stats()
    }

    /// How the cache of open tables is doing.
    pub fn table_cache_stats(&self) -> TableCacheStats {
        self.handle.inner.tables.stats()
    }

    /// Shows every visible entry of memtables and tables to `visit`, overwritten ones and deletions
    /// included, in internal-key order. For tools and checkers: reads the tables anew, and leaves
    /// the caches as they are. While it runs it has a table cache of its own, so that as many files
    /// and indexes again may be open as [`Options::max_open_files`] allows.
    ///
    /// # Errors
    /// As for [`Db::get_with`].
    pub fn visit_entries(&self, visit: &mut EntryVisitor<'_>) -> Result<()> {
        self.handle.inner.visit_entries(visit)
    }
}

#[cfg(test)]
mod tests;
