//! [`VersionSet`]: the current [`Version`], the counters, and the way from one version to the
//! next.
//!
//! A change is made in three steps, so that nobody holds a lock during I/O:
//! [`VersionSet::begin`] makes the new version and takes the MANIFEST, [`CommitJob::write`] makes
//! the edit durable, [`VersionSet::end`] installs the version. Whoever owns the set calls the first
//! and last under its lock.
//!
//! Invariants: one job at a time; a version is installed only after its edit is durable; after an
//! error of the MANIFEST no edit is appended to it ever again.
//!
//! Source: LevelDB `db/version_set.cc`, `LogAndApply`. Differs: a MANIFEST that failed is latched
//! instead of being appended to again; one that grew too large is replaced.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use super::edit::VersionEdit;
use super::files::Version;
use super::manifest::{Manifest, Recovered, switch_current};
use crate::directory::Directory;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::filename::{FileNumber, manifest_file_name};
use crate::key::{InternalKeyComparator, SequenceNumber};

/// Where the MANIFEST is.
#[derive(Debug)]
enum Descriptor {
    /// At rest, whole up to its end.
    Idle(Manifest),
    /// With a job.
    Busy,
    /// That of an earlier incarnation, or of none: the next job starts a new one.
    Foreign,
    /// An edit failed: it may be in the file or not. Only a new MANIFEST helps.
    Latched(Error),
    /// A switch of CURRENT failed: it may name the old MANIFEST or the new one.
    Unknown(Error),
}

/// Why a change was not made.
#[derive(Clone, Debug)]
pub struct CommitError {
    /// What happened.
    pub error: Error,
    /// Whether CURRENT may name either of two MANIFESTs now: only the next open can tell.
    pub current_unknown: bool,
}

/// The bookkeeping of a database's files.
#[derive(Debug)]
pub struct VersionSet {
    order: InternalKeyComparator,
    current: Arc<Version>,
    next_file_number: FileNumber,
    log_number: FileNumber,
    prev_log_number: FileNumber,
    manifest_number: FileNumber,
    compact_pointers: BTreeMap<usize, Vec<u8>>,
    descriptor: Descriptor,
    // Kept for the first job, so that file numbers come in LevelDB's order.
    first_manifest_number: Option<FileNumber>,
}

impl VersionSet {
    /// Takes over what [`super::recover`] read. `next_file_number` is above the number of every
    /// file that is there; the first number is set aside for the new MANIFEST that the first job
    /// starts.
    pub fn new(
        order: InternalKeyComparator,
        recovered: Recovered,
        next_file_number: FileNumber,
    ) -> Self {
        VersionSet {
            order,
            current: Arc::new(recovered.version),
            next_file_number: next_file_number + 1,
            log_number: recovered.log_number,
            prev_log_number: recovered.prev_log_number,
            manifest_number: recovered.manifest_number,
            compact_pointers: recovered.compact_pointers.into_iter().collect(),
            // The file of an earlier incarnation is never appended to.
            descriptor: Descriptor::Foreign,
            first_manifest_number: Some(next_file_number),
        }
    }

    /// The tables now.
    pub fn current(&self) -> &Arc<Version> {
        &self.current
    }

    /// Takes a number for a new file.
    pub fn new_file_number(&mut self) -> FileNumber {
        let number = self.next_file_number;
        self.next_file_number += 1;
        number
    }

    /// Gives a number back whose file could not be created, unless another was taken since: else
    /// a full disk would use them up in a loop.
    pub fn reuse_file_number(&mut self, number: FileNumber) {
        if self.next_file_number == number + 1 {
            self.next_file_number = number;
        }
    }

    /// The oldest log that is still needed.
    pub fn log_number(&self) -> FileNumber {
        self.log_number
    }

    /// An older log that is needed besides; 0 is none.
    pub fn prev_log_number(&self) -> FileNumber {
        self.prev_log_number
    }

    /// The MANIFEST that CURRENT names.
    pub fn manifest_number(&self) -> FileNumber {
        self.manifest_number
    }

    /// By level: the internal key behind which its next compaction starts.
    pub fn compact_pointers(&self) -> &BTreeMap<usize, Vec<u8>> {
        &self.compact_pointers
    }

    /// The error after which the MANIFEST takes no more edits, if there was one.
    pub fn manifest_error(&self) -> Option<&Error> {
        match &self.descriptor {
            Descriptor::Latched(error) | Descriptor::Unknown(error) => Some(error),
            Descriptor::Idle(_) | Descriptor::Busy | Descriptor::Foreign => None,
        }
    }

    /// Whether a job has the MANIFEST.
    pub fn is_busy(&self) -> bool {
        matches!(self.descriptor, Descriptor::Busy)
    }

    /// Starts to make the change `edit`, which need not name the counters. `last_sequence` is at
    /// least that of every entry in the tables that the edit adds. No other job may be running.
    ///
    /// # Errors
    /// `InvalidArgument` if the new version cannot be; nothing is changed then.
    pub fn begin(
        &mut self,
        mut edit: VersionEdit,
        last_sequence: SequenceNumber,
        manifest_size_max: u64,
    ) -> Result<CommitJob> {
        assert!(!self.is_busy(), "one change at a time");
        let version = self.current.apply(&edit, &self.order).map_err(Error::invalid)?;
        let manifest = match mem::replace(&mut self.descriptor, Descriptor::Busy) {
            Descriptor::Idle(manifest) => Some(manifest),
            Descriptor::Busy
            | Descriptor::Foreign
            | Descriptor::Latched(_)
            | Descriptor::Unknown(_) => None,
        };
        let is_too_big = |manifest: &Manifest| {
            let size = manifest.size();
            size > manifest_size_max && size > 2 * encoded_size(&self.snapshot())
        };
        let renewal = if manifest.as_ref().is_none_or(is_too_big) {
            let number = self.first_manifest_number.take();
            let number = number.unwrap_or_else(|| self.new_file_number());
            Some((number, self.snapshot()))
        } else {
            None
        };
        edit.log_number = Some(edit.log_number.unwrap_or(self.log_number));
        // Only LevelDB before 2010 had two logs to name.
        edit.prev_log_number = Some(0);
        edit.next_file_number = Some(self.next_file_number);
        edit.last_sequence = Some(last_sequence);
        Ok(CommitJob { version, edit, manifest, renewal })
    }

    /// Ends a job: installs its version, or keeps what there was.
    ///
    /// # Errors
    /// That of [`CommitJob::write`].
    pub fn end(&mut self, written: WrittenJob) -> core::result::Result<(), CommitError> {
        let WrittenJob { job, result } = written;
        let Err(failure) = result else {
            let manifest = job.manifest.expect("a job that succeeded has a MANIFEST");
            self.manifest_number = manifest.number();
            self.descriptor = Descriptor::Idle(manifest);
            self.current = Arc::new(job.version);
            self.log_number = job.edit.log_number.unwrap_or(self.log_number);
            self.prev_log_number = 0;
            self.compact_pointers.extend(job.edit.compact_pointers);
            return Ok(());
        };
        self.descriptor = match job.manifest {
            _ if failure.current_unknown => Descriptor::Unknown(failure.error.clone()),
            // A renewal failed before CURRENT was touched: the old file is whole.
            Some(manifest) if job.renewal.is_some() => Descriptor::Idle(manifest),
            Some(_) | None => Descriptor::Latched(failure.error.clone()),
        };
        Err(failure)
    }

    /// The file set as one edit, without the counters.
    fn snapshot(&self) -> VersionEdit {
        VersionEdit {
            comparator: Some(self.order.user().name().as_bytes().to_vec()),
            compact_pointers: self.compact_pointers.clone().into_iter().collect(),
            new_files: (self.current.files())
                .map(|(level, file)| (level, (**file).clone()))
                .collect(),
            ..VersionEdit::new()
        }
    }
}

fn encoded_size(edit: &VersionEdit) -> u64 {
    let mut bytes = Vec::new();
    edit.encode(&mut bytes);
    bytes.len() as u64
}

/// A change on its way to the MANIFEST.
#[derive(Debug)]
pub struct CommitJob {
    version: Version,
    edit: VersionEdit,
    // The MANIFEST to append to, or that a renewal replaces.
    manifest: Option<Manifest>,
    // Number and first record of the MANIFEST to start.
    renewal: Option<(FileNumber, VersionEdit)>,
}

/// A job that has been to the disk.
#[derive(Debug)]
pub struct WrittenJob {
    job: CommitJob,
    result: core::result::Result<(), CommitError>,
}

impl CommitJob {
    /// Makes the edit durable: appended to the MANIFEST and synced, or in a new MANIFEST that
    /// CURRENT then names. The names of the tables that it adds must be durable.
    pub fn write<E: Env>(mut self, directory: &Directory<E>) -> WrittenJob {
        let result = match (&self.renewal, self.manifest.as_mut()) {
            (Some((number, snapshot)), _) => renew(directory, *number, &[snapshot, &self.edit])
                .map(|manifest| self.manifest = Some(manifest)),
            (None, Some(manifest)) => manifest
                .add_edit(&self.edit)
                .map_err(|error| CommitError { error, current_unknown: false }),
            (None, None) => unreachable!("a job without a MANIFEST starts one"),
        };
        WrittenJob { job: self, result }
    }
}

/// Starts a MANIFEST with these edits and makes it the live one.
fn renew<E: Env>(
    directory: &Directory<E>,
    number: FileNumber,
    edits: &[&VersionEdit],
) -> core::result::Result<Manifest, CommitError> {
    let (env, dir) = (directory.env(), directory.path());
    let since = directory.now();
    let created = Manifest::create(env, dir, number, edits)
        .and_then(|manifest| directory.sync(since).map(|()| manifest));
    let (error, current_unknown) = match created {
        Ok(manifest) => match switch_current(directory, number) {
            Ok(()) => {
                tracing::debug!(target: "faultline", manifest = number, "CURRENT switched");
                return Ok(manifest);
            }
            Err(failure) => failure,
        },
        Err(error) => (error, false),
    };
    if !current_unknown {
        // Nothing names it. Best effort: the next open sweeps it otherwise.
        drop(env.remove(&manifest_file_name(dir, number)));
    }
    Err(CommitError { error, current_unknown })
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
