//! The names of a database's files.
//!
//! ```text
//! CURRENT             the name of the live MANIFEST and a newline
//! LOCK                empty; locked by the process that has the database open
//! LOG, LOG.old        messages for people (LevelDB writes them)
//! MANIFEST-000002     the changes of the file set, framed as log records
//! 000003.log          a write-ahead log
//! 000005.ldb          a table; LevelDB before 1.14 called it 000005.sst
//! 000006.dbtmp        a file on its way to another name
//! ```
//!
//! One counter numbers logs, tables, MANIFESTs and temporary files, from 1. Six digits are the
//! least, not the most. Any other name is foreign: it is neither read nor removed. Pure: nothing
//! here touches a file.
//!
//! Source: LevelDB `db/filename.cc`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The number in the name of a file. No file is ever given 0.
pub type FileNumber = u64;

/// What a file of a database is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A write-ahead log.
    Log(FileNumber),
    /// A table, `.ldb`.
    Table(FileNumber),
    /// A table under its old name, `.sst`; read, never written.
    LegacyTable(FileNumber),
    /// A file of version edits.
    Manifest(FileNumber),
    /// A file on its way to another name.
    Temp(FileNumber),
    /// The pointer to the live MANIFEST.
    Current,
    /// The lock file.
    Lock,
    /// The messages of the last LevelDB to open the database.
    InfoLog,
    /// The messages of the one before.
    OldInfoLog,
}

impl FileKind {
    /// The number in the name, of those kinds that have one.
    pub fn number(self) -> Option<FileNumber> {
        match self {
            FileKind::Log(number)
            | FileKind::Table(number)
            | FileKind::LegacyTable(number)
            | FileKind::Manifest(number)
            | FileKind::Temp(number) => Some(number),
            FileKind::Current | FileKind::Lock | FileKind::InfoLog | FileKind::OldInfoLog => None,
        }
    }
}

/// The name of such a file as this engine gives it.
impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileKind::Log(number) => write!(f, "{number:06}.log"),
            FileKind::Table(number) => write!(f, "{number:06}.ldb"),
            FileKind::LegacyTable(number) => write!(f, "{number:06}.sst"),
            FileKind::Manifest(number) => write!(f, "MANIFEST-{number:06}"),
            FileKind::Temp(number) => write!(f, "{number:06}.dbtmp"),
            FileKind::Current => f.write_str("CURRENT"),
            FileKind::Lock => f.write_str("LOCK"),
            FileKind::InfoLog => f.write_str("LOG"),
            FileKind::OldInfoLog => f.write_str("LOG.old"),
        }
    }
}

/// Path of log `number` of the database in `dir`.
pub fn log_file_name(dir: &Path, number: FileNumber) -> PathBuf {
    path(dir, FileKind::Log(number))
}

/// Path of table `number` of the database in `dir`.
pub fn table_file_name(dir: &Path, number: FileNumber) -> PathBuf {
    path(dir, FileKind::Table(number))
}

/// Path of table `number` as LevelDB before 1.14 named it: the second place to look.
pub fn legacy_table_file_name(dir: &Path, number: FileNumber) -> PathBuf {
    path(dir, FileKind::LegacyTable(number))
}

/// Path of the temporary file `number` of the database in `dir`.
pub fn temp_file_name(dir: &Path, number: FileNumber) -> PathBuf {
    path(dir, FileKind::Temp(number))
}

/// Path of MANIFEST `number` of the database in `dir`.
pub fn manifest_file_name(dir: &Path, number: FileNumber) -> PathBuf {
    path(dir, FileKind::Manifest(number))
}

/// Path of the pointer to the live MANIFEST.
pub fn current_file_name(dir: &Path) -> PathBuf {
    path(dir, FileKind::Current)
}

/// Path of the lock file.
pub fn lock_file_name(dir: &Path) -> PathBuf {
    path(dir, FileKind::Lock)
}

fn path(dir: &Path, kind: FileKind) -> PathBuf {
    dir.join(kind.to_string())
}

/// What CURRENT holds when MANIFEST `number` is the live one.
pub fn current_contents(number: FileNumber) -> String {
    format!("{}\n", FileKind::Manifest(number))
}

/// The number of the live MANIFEST, from what CURRENT holds.
///
/// `None` unless that is the name of a MANIFEST and exactly one newline: without the newline the
/// name may have been cut short. LevelDB takes any name here; no writer leaves another.
pub fn parse_current(contents: &[u8]) -> Option<FileNumber> {
    let name = core::str::from_utf8(contents).ok()?.strip_suffix('\n')?;
    match parse(name)? {
        // No file has number 0.
        FileKind::Manifest(number) if number > 0 => Some(number),
        _ => None,
    }
}

/// Tells what a name in a database directory stands for; `None` if it is foreign.
///
/// The match is exact, but for the number of digits: `7.log` is a log too. Numbers that overflow
/// 64 bits are foreign.
pub fn parse_file_name(name: &OsStr) -> Option<FileKind> {
    parse(name.to_str()?)
}

fn parse(name: &str) -> Option<FileKind> {
    match name {
        "CURRENT" => return Some(FileKind::Current),
        "LOCK" => return Some(FileKind::Lock),
        "LOG" => return Some(FileKind::InfoLog),
        "LOG.old" => return Some(FileKind::OldInfoLog),
        _ => {}
    }
    if let Some(digits) = name.strip_prefix("MANIFEST-") {
        return parse_number(digits).map(FileKind::Manifest);
    }
    let (digits, suffix) = name.split_once('.')?;
    let number = parse_number(digits)?;
    match suffix {
        "log" => Some(FileKind::Log(number)),
        "ldb" => Some(FileKind::Table(number)),
        "sst" => Some(FileKind::LegacyTable(number)),
        "dbtmp" => Some(FileKind::Temp(number)),
        _ => None,
    }
}

fn parse_number(digits: &str) -> Option<FileNumber> {
    // `parse` alone would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests;
