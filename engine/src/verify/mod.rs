//! [`verify`]: reads all of a database that is not open, and says what is wrong with it.
//!
//! Changes nothing, repairs nothing, and goes on behind whatever it finds. What it holds a database
//! to:
//!
//! - CURRENT names a MANIFEST; its edits are whole, and the tables they add up to can be.
//! - Every table is there, has the size and the range that the MANIFEST says, and ends in a
//!   footer; every block of it has its checksum, keys ascend through all of them, each block stays
//!   within its keys of the index, no sequence number is above that of the MANIFEST, and no filter
//!   denies a key of its block.
//! - The logs that an open would replay are whole, their batches too, and their sequence numbers
//!   go on where those before end.
//!
//! Source: none in LevelDB.

mod logs;
mod tables;

use std::collections::BTreeSet;
use std::path::Path;

use crate::db::lock_if_there;
use crate::env::Env;
use crate::error::{Corruption, Error, Result};
use crate::filename::{FileKind, FileNumber, manifest_file_name, parse_file_name};
use crate::key::{InternalKeyComparator, SequenceNumber};
use crate::options::Options;
use crate::version::{Recovered, recover};

/// What to make of something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The end of the newest log or of the MANIFEST, as an interrupted write leaves it. By default
    /// the next open drops it and keeps it in the directory `lost`. Whether it had ever been
    /// durable cannot be told from the files.
    UnfinishedEnd,
    /// Bytes that were durable are not what was written.
    Damage,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What to make of it.
    pub severity: Severity,
    /// Where it is, and what.
    pub corruption: Corruption,
}

/// What [`verify`] has read, and found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// The MANIFEST that CURRENT names; `None` if that could not be read.
    pub manifest: Option<FileNumber>,
    /// How many tables were read, each from end to end.
    pub tables: u64,
    /// Their data blocks that could be read.
    pub blocks: u64,
    /// The entries in those.
    pub entries: u64,
    /// How many logs were read.
    pub logs: u64,
    /// The batches in them that an open would replay.
    pub batches: u64,
    /// The largest sequence number of the MANIFEST and of those batches.
    pub last_sequence: SequenceNumber,
    /// Everything wrong, by file in the order of reading, by offset in a file.
    pub findings: Vec<Finding>,
    /// Files that the database does not need: the next open removes them.
    pub leftovers: Vec<FileKind>,
}

impl VerifyReport {
    /// Whether nothing is damaged. An unfinished end is no damage.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Damage)
    }

    /// Takes note of a `Corruption`; passes any other error on.
    fn find(&mut self, severity: Severity, error: Error) -> Result<()> {
        let Error::Corruption(corruption) = error else { return Err(error) };
        let corruption = Corruption::clone(&corruption);
        self.findings.push(Finding { severity, corruption });
        Ok(())
    }

    fn damage(&mut self, error: Error) -> Result<()> {
        self.find(Severity::Damage, error)
    }
}

/// What every step needs.
struct Scope<'a, E: Env> {
    env: &'a E,
    dir: &'a Path,
    options: &'a Options,
    order: InternalKeyComparator,
}

/// Checks the database in `dir`. Of `options` the comparator counts, and the filter policy beside
/// LevelDB's own.
///
/// Takes LOCK as a reader for as long as it lasts, if that file is there: others can have the
/// database open for reading alone. Memory: one block of a table, or one record of a log, at a
/// time, and the list of findings.
///
/// # Errors
/// `Locked` if the database is open for writing; `InvalidArgument` if it has another comparator;
/// any error of the file system, after which nothing is known of the rest. Damage is no error but
/// a finding.
pub fn verify<E: Env>(env: &E, dir: &Path, options: &Options) -> Result<VerifyReport> {
    let _lock = lock_if_there(env, dir)?;
    let order = InternalKeyComparator::new(options.comparator.clone());
    let scope = Scope { env, dir, options, order };
    let names = env.list(dir)?;
    let files: BTreeSet<_> = names.iter().filter_map(|name| parse_file_name(name)).collect();
    let mut report = VerifyReport::default();
    match recover(env, dir, &scope.order) {
        Ok(recovered) => scope.check_all(&recovered, &files, &mut report)?,
        // Without it nobody knows which tables and logs belong together.
        Err(error) => {
            report.damage(error)?;
            scope.check_loose_tables(&files, &mut report)?;
        }
    }
    Ok(report)
}

impl<E: Env> Scope<'_, E> {
    fn check_all(
        &self,
        recovered: &Recovered,
        files: &BTreeSet<FileKind>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        report.manifest = Some(recovered.manifest_number);
        report.last_sequence = recovered.last_sequence;
        if let Some(tail) = &recovered.tail {
            let path = manifest_file_name(self.dir, tail.number);
            let error = Error::corruption(path, tail.offset, tail.defect.clone());
            report.find(Severity::UnfinishedEnd, error)?;
        }
        let mut needed = BTreeSet::new();
        for (_, table) in recovered.version.files() {
            needed.insert(table.number);
            self.check_table_of_version(table, files, recovered.last_sequence, report)?;
        }
        let (oldest, previous) = (recovered.log_number, recovered.prev_log_number);
        let is_live = |number: FileNumber| number >= oldest || (number == previous && number != 0);
        let logs = files.iter().filter_map(|kind| match kind {
            FileKind::Log(number) if is_live(*number) => Some(*number),
            _ => None,
        });
        self.check_logs(logs, report)?;
        // As an open decides. Behind an unfinished end it removes nothing.
        let is_leftover = |kind: &&FileKind| match **kind {
            FileKind::Log(number) => !is_live(number),
            FileKind::Manifest(number) => number != recovered.manifest_number,
            FileKind::Table(number) | FileKind::LegacyTable(number) => !needed.contains(&number),
            FileKind::Temp(_) => true,
            FileKind::Current | FileKind::Lock | FileKind::InfoLog | FileKind::OldInfoLog => false,
        };
        report.leftovers = files.iter().filter(is_leftover).copied().collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
