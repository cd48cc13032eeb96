//! Where a fault may strike: the operation, the role of the file, the phase of the run.

use serde::{Deserialize, Serialize};

/// A call of the environment, or a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Opens a file for reading.
    Open,
    /// Creates or empties a file.
    Create,
    /// Reads from a file.
    Read,
    /// Appends to a file.
    Append,
    /// Syncs a file.
    Sync,
    /// Closes a file that was written.
    Close,
    /// Renames a file.
    Rename,
    /// Removes a file.
    Remove,
    /// Lists a directory.
    List,
    /// Syncs a directory.
    SyncDir,
    /// Asks for the size of a file.
    Size,
    /// Asks whether a file exists.
    Exists,
    /// Truncates a file.
    Truncate,
    /// Gives a file a second name.
    Link,
    /// Creates a directory.
    CreateDir,
    /// Removes a directory.
    RemoveDir,
    /// Takes a lock on a file.
    Lock,
    /// Waits for a condition variable. No call to the disk: it has no file, and so the role
    /// `other`.
    Wait,
}

impl Operation {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Wait as usize + 1;

    /// In reports.
    pub fn words(self) -> &'static str {
        match self {
            Operation::Open => "open",
            Operation::Create => "create",
            Operation::Read => "read",
            Operation::Append => "append",
            Operation::Sync => "sync",
            Operation::Close => "close",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::List => "list",
            Operation::SyncDir => "directory sync",
            Operation::Size => "size",
            Operation::Exists => "exists",
            Operation::Truncate => "truncate",
            Operation::Link => "link",
            Operation::CreateDir => "creation of a directory",
            Operation::RemoveDir => "removal of a directory",
            Operation::Lock => "lock",
            Operation::Wait => "wait",
        }
    }
}

/// What a file is for, told from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileRole {
    /// A write-ahead log, `NNNNNN.log`.
    Log,
    /// A table, `NNNNNN.ldb` or `NNNNNN.sst`.
    Table,
    /// `MANIFEST-NNNNNN`.
    Manifest,
    /// `CURRENT`.
    Current,
    /// A file on its way to another name, `NNNNNN.dbtmp`.
    Temp,
    /// `LOCK`.
    Lock,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

impl FileRole {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Other as usize + 1;

    /// In labels.
    pub fn words(self) -> &'static str {
        match self {
            FileRole::Log => "log",
            FileRole::Table => "table",
            FileRole::Manifest => "MANIFEST",
            FileRole::Current => "CURRENT",
            FileRole::Temp => "dbtmp",
            FileRole::Lock => "LOCK",
            FileRole::Directory => "directory",
            FileRole::Other => "other file",
        }
    }

    /// The role of the file at `path`. Directories cannot be told by their name: the caller knows
    /// them by the operation.
    pub fn of_file(path: &str) -> Self {
        let name = &path[path.bytes().rposition(|byte| byte == b'/').map_or(0, |at| at + 1)..];
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        match (digits, &name[digits..]) {
            (0, "CURRENT") => Self::Current,
            (0, "LOCK") => Self::Lock,
            (0, name) if name.strip_prefix("MANIFEST-").is_some_and(is_number) => Self::Manifest,
            (1.., ".log") => Self::Log,
            (1.., ".ldb" | ".sst") => Self::Table,
            (1.., ".dbtmp") => Self::Temp,
            _ => Self::Other,
        }
    }
}

/// What the database is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is open and working.
    Run,
    /// It is being opened.
    Recovery,
    /// It is being closed.
    Close,
}

impl Phase {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Close as usize + 1;

    /// All phases.
    pub const ALL: [Self; Self::COUNT] = [Self::Run, Self::Recovery, Self::Close];

    /// In labels.
    pub fn words(self) -> &'static str {
        match self {
            Phase::Run => "run",
            Phase::Recovery => "open",
            Phase::Close => "close",
        }
    }
}
