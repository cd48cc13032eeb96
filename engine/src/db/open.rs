//! Opening a database: from a directory to an [`Inner`] that serves.
//!
//! ```text
//! directory -> LOCK -> new database, if there is none (see `create`)
//!           -> CURRENT and MANIFEST -> logs to level-0 tables -> `lost` -> new log -> directory
//!           -> new MANIFEST -> directory -> CURRENT -> directory -> obsolete files
//! ```
//!
//! Invariants: nothing in the directory is touched before LOCK is held; no file of an earlier
//! incarnation is appended to or synced; until CURRENT is switched, what the directory held can be
//! opened again as if this open had never been; after it, all that was recovered is durable in
//! bytes that this incarnation wrote. An open that dropped anything removes nothing.
//!
//! Source: LevelDB `DB::Open`, `DBImpl::Recover`. Differs: as the rules above say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::create::{
    CREATION_MANIFEST, create_database, ensure_directory, is_new_database, make_name_durable,
};
use super::flush::TableMaker;
use super::lost::Lost;
use super::metrics::Counters;
use super::pins::Pins;
use super::queue::CommitQueue;
use super::replay::{LiveLog, Replay, Sink, live_logs};
use super::replay_tables::ReplayTables;
use super::report::{DroppedBytes, RecoveryReport};
use super::state::{Inner, Phase, State, View, WriteHalf};
use crate::batch::WriteBatch;
use crate::directory::Directory;
use crate::env::{Atomic, Condvar, Env, FileLock, Mutex, Threads};
use crate::error::{Defect, Error, Result};
use crate::filename::{
    FileKind, FileNumber, legacy_table_file_name, lock_file_name, log_file_name,
    manifest_file_name, parse_file_name, table_file_name,
};
use crate::key::InternalKeyComparator;
use crate::memtable::{MemTableWriter, Published};
use crate::options::{Options, RecoveryPolicy};
use crate::record::Writer;
use crate::table_cache::TableCache;
use crate::version::edit::VersionEdit;
use crate::version::{Recovered, VersionSet, recover, switch_current};

/// The most that an open may start counting from; far from where the counter would overflow.
const FILE_NUMBER_MAX: FileNumber = 1 << 62;

/// The files of a database's directory, by their names.
pub(super) struct Listing {
    kinds: BTreeSet<FileKind>,
    /// Whether there is anything whose name is not that of a database's file.
    has_others: bool,
}

impl Listing {
    /// Lists directory `dir`.
    pub(super) fn read<E: Env>(env: &E, dir: &Path) -> Result<Self> {
        let names = env.list(dir)?;
        let kinds: Vec<_> = names.iter().map(|name| parse_file_name(name)).collect();
        let has_others = kinds.contains(&None);
        Ok(Listing { kinds: kinds.into_iter().flatten().collect(), has_others })
    }

    /// A file of a kind, if there is one.
    pub(super) fn find(&self, is_sought: impl Fn(&FileKind) -> bool) -> Option<FileKind> {
        self.kinds.iter().copied().find(is_sought)
    }

    /// Whether LOCK is all there is.
    pub(super) fn is_lock_alone(&self) -> bool {
        !self.has_others && self.find(|kind| *kind != FileKind::Lock).is_none()
    }

    fn has_table(&self, number: FileNumber) -> bool {
        self.kinds.contains(&FileKind::Table(number))
            || self.kinds.contains(&FileKind::LegacyTable(number))
    }

    fn logs(&self) -> impl Iterator<Item = FileNumber> {
        self.kinds.iter().filter_map(|kind| match kind {
            FileKind::Log(number) => Some(*number),
            _ => None,
        })
    }

    fn last_number(&self) -> FileNumber {
        self.kinds.iter().filter_map(|kind| kind.number()).max().unwrap_or(0)
    }
}

/// Opens the database in `dir`; see the module.
pub(super) fn open<E: Env>(env: E, dir: PathBuf, options: Options) -> Result<Inner<E>> {
    let options = options.clipped();
    let order = InternalKeyComparator::new(Arc::clone(&options.comparator));
    let is_created = ensure_directory(&env, &dir, &options)?;
    let mut lock = env.lock(&lock_file_name(&dir))?;
    tracing::debug!(target: "faultline", dir = %dir.display(), "locked");
    let listing = Listing::read(&env, &dir)?;
    let is_new = is_new_database(&env, &dir, &options, &listing)?;
    if is_new {
        lock = make_name_durable(&env, &dir, lock, is_created, &listing)?;
        create_database(&env, &dir, &order, &listing)?;
    }
    let mut report = RecoveryReport { is_new, ..RecoveryReport::default() };
    Recovery { env, dir, options, order, listing }.run(lock, &mut report)
}

/// What every step of a recovery needs.
pub(super) struct Recovery<E: Env> {
    pub(super) env: E,
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) order: InternalKeyComparator,
    pub(super) listing: Listing,
}

impl<E: Env> Recovery<E> {
    /// What CURRENT and the MANIFEST say, if the policy accepts it.
    fn read_manifest(&self) -> Result<Recovered> {
        let recovered = recover(&self.env, &self.dir, &self.order)?;
        tracing::debug!(
            target: "faultline",
            manifest = recovered.manifest_number,
            log = recovered.log_number,
            last_sequence = recovered.last_sequence,
            "MANIFEST read"
        );
        if let (Some(tail), RecoveryPolicy::Absolute) =
            (&recovered.tail, self.options.recovery_policy)
        {
            let path = manifest_file_name(&self.dir, tail.number);
            return Err(Error::corruption(path, tail.offset, tail.defect.clone()));
        }
        Ok(recovered)
    }

    /// Reads everything and writes nothing: the database for readers alone.
    pub(super) fn look(
        self,
        lock: Option<Box<dyn FileLock>>,
        report: &mut RecoveryReport,
    ) -> Result<Inner<E>> {
        let recovered = self.read_manifest()?;
        self.check_tables(&recovered)?;
        report.last_sequence = recovered.last_sequence;
        let logs = self.needed_logs(&recovered)?;
        let next_file_number = self.next_file_number(&recovered)?;
        let torn_end = Evidence::new(&self, &recovered, &logs).manifest;
        let versions = VersionSet::new(self.order.clone(), recovered, next_file_number);
        let mut mem = MemTableWriter::new(self.order.clone());
        let sink = Sink::Memory(&mut mem);
        Replay::new(&self.env, &self.order, &self.options, sink, report).run(&logs)?;
        report.dropped.extend(torn_end.map(|(_, dropped)| dropped));
        tracing::info!(target: "faultline", batches = report.batches, "opened for reading");
        let tables = Arc::new(self.table_cache());
        Ok(self.into_inner(lock, versions, tables, mem, None, report.clone()))
    }

    fn table_cache(&self) -> TableCache<E> {
        let (env, dir, order) = (self.env.clone(), self.dir.clone(), self.order.clone());
        TableCache::new(env, dir, order, &self.options)
    }

    fn run(self, lock: Box<dyn FileLock>, report: &mut RecoveryReport) -> Result<Inner<E>> {
        let directory = Directory::new(self.env.clone(), &self.dir);
        let recovered = self.read_manifest()?;
        if recovered.manifest_number == CREATION_MANIFEST && !report.is_new {
            // No open has come to its end since the creation, whose last directory sync may have
            // failed: this CURRENT may be in the page cache alone. A power loss could then keep a
            // log made now and lose CURRENT, which nobody could tell from damage.
            switch_current(&directory, CREATION_MANIFEST).map_err(|(error, _)| error)?;
        }
        self.check_tables(&recovered)?;
        report.last_sequence = recovered.last_sequence;
        let logs = self.needed_logs(&recovered)?;
        let next_file_number = self.next_file_number(&recovered)?;
        let mut lost = Lost::new(&self.env, &self.dir);
        let plan = Evidence::new(&self, &recovered, &logs);
        let mut versions = VersionSet::new(self.order.clone(), recovered, next_file_number);

        let tables = Arc::new(self.table_cache());
        let mut writer = ReplayTables::new(TableMaker {
            env: self.env.clone(),
            dir: self.dir.clone(),
            order: self.order.clone(),
            table_options: self.options.table_options(),
            tables: Arc::clone(&tables),
        });
        let sink = Sink::Tables {
            filling: None,
            writer: &mut writer,
            versions: &mut versions,
            lost: &mut lost,
        };
        Replay::new(&self.env, &self.order, &self.options, sink, report).run(&logs)?;
        let new_tables = writer.finish()?;
        report.tables.extend(new_tables.iter().map(|table| table.number));
        plan.keep(&mut lost, report)?;
        lost.finish()?;

        let since = directory.now();
        let log_number = versions.new_file_number();
        let log = Writer::new(self.env.create(&log_file_name(&self.dir, log_number))?);
        directory.sync(since)?;
        let edit = VersionEdit {
            log_number: Some(log_number),
            new_files: new_tables.into_iter().map(|table| (0, table)).collect(),
            ..VersionEdit::new()
        };
        let size_max = self.options.manifest_size_max;
        let job = versions.begin(edit, report.last_sequence, size_max)?;
        let written = job.write(&directory);
        versions.end(written).map_err(|failure| failure.error)?;
        tracing::info!(
            target: "faultline",
            log = log_number,
            batches = report.batches,
            dropped = report.dropped.len(),
            "recovered"
        );
        let mem = MemTableWriter::new(self.order.clone());
        let log = Some((log, log_number));
        Ok(self.into_inner(Some(lock), versions, tables, mem, log, report.clone()))
    }

    /// A number above that of every file that is there or is known.
    fn next_file_number(&self, recovered: &Recovered) -> Result<FileNumber> {
        let beyond =
            |path, words: &str| Err(Error::corruption(path, 0, Defect::Other(words.into())));
        let is_beyond = |kind: &FileKind| kind.number() >= Some(FILE_NUMBER_MAX);
        if let Some(kind) = self.listing.find(is_beyond) {
            return beyond(self.dir.join(kind.to_string()), "its number is beyond all bounds");
        }
        let taken = [recovered.log_number, recovered.prev_log_number, self.listing.last_number()];
        let taken = taken.into_iter().max().unwrap_or(0);
        let next = recovered.next_file_number.max(taken.saturating_add(1));
        if next > FILE_NUMBER_MAX {
            let manifest = manifest_file_name(&self.dir, recovered.manifest_number);
            return beyond(manifest, "a file number in an edit is beyond all bounds");
        }
        Ok(next)
    }

    /// Refuses a database that lacks a table.
    fn check_tables(&self, recovered: &Recovered) -> Result<()> {
        let files = recovered.version.files().map(|(_, file)| file.number);
        let missing: Vec<_> = files.filter(|&number| !self.listing.has_table(number)).collect();
        let Some(first) = missing.first() else { return Ok(()) };
        let words = format!("{} missing files; this is one", missing.len());
        let path = table_file_name(&self.dir, *first);
        Err(Error::corruption(path, 0, Defect::Other(words.into())))
    }

    fn needed_logs(&self, recovered: &Recovered) -> Result<Vec<LiveLog>> {
        let (oldest, previous) = (recovered.log_number, recovered.prev_log_number);
        let is_needed =
            |number: &FileNumber| *number >= oldest || (*number == previous && previous != 0);
        live_logs(&self.env, &self.dir, self.listing.logs().filter(is_needed))
    }

    fn into_inner(
        self,
        lock: Option<Box<dyn FileLock>>,
        versions: VersionSet,
        tables: Arc<TableCache<E>>,
        mem: MemTableWriter<E::Threads>,
        log: Option<(Writer, FileNumber)>,
        report: RecoveryReport,
    ) -> Inner<E> {
        let version = Arc::clone(versions.current());
        let level0 = version.level(0).len() as u64;
        let pins = Pins::new(Arc::clone(&version));
        let version_number = pins.current();
        let view = View { mem: Arc::clone(mem.table()), imm: None, version, version_number };
        let is_read_only = log.is_none();
        let imm_log_number = log.as_ref().map_or(versions.log_number(), |(_, number)| *number);
        let queue = match log {
            Some((log, log_number)) => CommitQueue::new(Box::new(WriteHalf {
                log,
                log_number,
                log_is_dirty: false,
                mem,
                last_sequence: report.last_sequence,
                group: Some(WriteBatch::new()),
            })),
            None => CommitQueue::ended(Error::ReadOnly),
        };
        let state = State {
            view: Arc::new(view),
            imm_log_number,
            versions,
            pending_outputs: BTreeSet::new(),
            background_error: None,
            is_flushing: false,
            is_compacting: false,
            range: None,
            phase: Phase::Open,
            snapshots: BTreeMap::new(),
            pins,
            counters: Counters::default(),
            impatient: 0,
        };
        Inner {
            directory: Directory::new(self.env.clone(), &self.dir),
            env: self.env,
            dir: self.dir,
            options: self.options,
            order: self.order,
            tables,
            queue,
            state: Mutex::new("state", state),
            last_sequence: Published::new(report.last_sequence),
            level0_hint: <E::Threads as Threads>::AtomicU64::new(level0),
            stop_compaction: <E::Threads as Threads>::AtomicU32::new(0),
            flush_work: Condvar::new("flush work"),
            compaction_work: Condvar::new("compaction work"),
            done: Condvar::new("done"),
            lock: Mutex::new("lock file", lock),
            is_read_only,
            report,
        }
    }
}

/// What must be kept because the MANIFEST has a torn end: the end itself, and the files that only
/// the edits in it could have named.
struct Evidence {
    manifest: Option<(PathBuf, DroppedBytes)>,
    tables: Vec<PathBuf>,
    logs: Vec<PathBuf>,
}

impl Evidence {
    fn new<E: Env>(recovery: &Recovery<E>, recovered: &Recovered, logs: &[LiveLog]) -> Self {
        let mut evidence = Evidence { manifest: None, tables: Vec::new(), logs: Vec::new() };
        let Some(tail) = &recovered.tail else { return evidence };
        let dir = &recovery.dir;
        let known: BTreeSet<_> = recovered.version.files().map(|(_, file)| file.number).collect();
        let unknown =
            |number: FileNumber| number >= recovered.next_file_number && !known.contains(&number);
        evidence.manifest = Some((
            manifest_file_name(dir, tail.number),
            DroppedBytes {
                file: FileKind::Manifest(tail.number),
                offset: tail.offset,
                bytes: tail.bytes,
                defect: Some(tail.defect.clone()),
                batches: 0,
                sequences: None,
                kept_in: None,
            },
        ));
        for kind in &recovery.listing.kinds {
            match kind {
                FileKind::Table(number) if unknown(*number) => {
                    evidence.tables.push(table_file_name(dir, *number));
                }
                FileKind::LegacyTable(number) if unknown(*number) => {
                    evidence.tables.push(legacy_table_file_name(dir, *number));
                }
                _ => {}
            }
        }
        let unknown_logs = logs.iter().filter(|log| unknown(log.number) && log.size > 0);
        evidence.logs = unknown_logs.map(|log| log.path.clone()).collect();
        evidence
    }

    fn keep<E: Env>(self, lost: &mut Lost<'_, E>, report: &mut RecoveryReport) -> Result<()> {
        if let Some((path, dropped)) = self.manifest {
            let kept_in = Some(lost.keep(&path, dropped.offset)?);
            report.dropped.push(DroppedBytes { kept_in, ..dropped });
        }
        // What tables hold was replayed from their logs, if those are still there.
        for file in self.tables.into_iter().chain(self.logs) {
            report.set_aside.push(lost.keep(&file, 0)?);
        }
        Ok(())
    }
}
