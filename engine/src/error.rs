//! What can go wrong, as data.
//!
//! Every error is `Clone`, so that each writer of a failed group gets the real one, and names the
//! file it came from. Damage names the byte offset too.
//!
//! Source: LevelDB `include/leveldb/status.h`. Differs: kinds are told apart by type, `NotFound`
//! of a key is no error (`get` returns `None`), and "disk full", "locked" and "background error"
//! have kinds of their own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::BatchDefect;
use crate::db::WriteStall;
use crate::version::edit::EditDefect;

/// The result of every fallible operation of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// What was asked of the file system when an error came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the Env method of the same name")]
pub enum FileOp {
    Open,
    Create,
    Read,
    Append,
    Sync,
    Close,
    SyncDir,
    List,
    Exists,
    Size,
    Rename,
    Remove,
    Truncate,
    Link,
    CreateDir,
    RemoveDir,
    Lock,
}

impl FileOp {
    /// The operation as a lower-case word, as messages and traces show it.
    pub fn name(self) -> &'static str {
        match self {
            FileOp::Open => "open",
            FileOp::Create => "create",
            FileOp::Read => "read",
            FileOp::Append => "append",
            FileOp::Sync => "sync",
            FileOp::Close => "close",
            FileOp::SyncDir => "sync_dir",
            FileOp::List => "list",
            FileOp::Exists => "exists",
            FileOp::Size => "size",
            FileOp::Rename => "rename",
            FileOp::Remove => "remove",
            FileOp::Truncate => "truncate",
            FileOp::Link => "link",
            FileOp::CreateDir => "create_dir",
            FileOp::RemoveDir => "remove_dir",
            FileOp::Lock => "lock",
        }
    }
}

impl fmt::Display for FileOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an operation of the engine failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A file does not exist. Never returned for a missing key.
    NotFound {
        /// The file.
        path: Arc<Path>,
        /// What was tried on it.
        op: FileOp,
    },
    /// The file system has no room (`ENOSPC`, `EDQUOT`). `Db::resume` is the way on.
    NoSpace {
        /// The file.
        path: Arc<Path>,
        /// What was tried on it.
        op: FileOp,
    },
    /// The process, or the system, has no file descriptor left (`EMFILE`, `ENFILE`).
    TooManyOpen {
        /// The file.
        path: Arc<Path>,
        /// What was tried on it.
        op: FileOp,
    },
    /// Any other failure of the file system.
    Io {
        /// The operating system's kind of error.
        kind: io::ErrorKind,
        /// The file.
        path: Arc<Path>,
        /// What was tried on it.
        op: FileOp,
    },
    /// The environment cannot do this.
    NotSupported {
        /// The file.
        path: Arc<Path>,
        /// What was tried on it.
        op: FileOp,
    },
    /// The database is open, here or in another process.
    Locked {
        /// The lock file.
        path: Arc<Path>,
        /// The process that holds it, where the system tells.
        holder: Option<u32>,
    },
    /// The system has no thread left to give.
    NoThread {
        /// What it was wanted for.
        name: &'static str,
    },
    /// Bytes on disk are not what a writer of this format leaves.
    Corruption(Arc<Corruption>),
    /// The caller asked for something that cannot be.
    InvalidArgument(Arc<str>),
    /// An earlier failure stopped all writes. `Db::resume` or a reopen is the way on.
    Background(Arc<Error>),
    /// The write asked not to wait, and writes are held up. Nothing of it was written, and another
    /// try may succeed.
    HeldUp {
        /// What writes wait for.
        by: WriteStall,
    },
    /// The database was opened for reading alone.
    ReadOnly,
    /// The database has been closed.
    Closed,
}

/// Where bytes are damaged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: PathBuf,
    /// Offset in bytes of the first thing found wrong.
    pub offset: u64,
    /// What is wrong.
    pub defect: Defect,
}

/// The ways in which bytes on disk can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// A physical record runs past its block.
    BadRecordLength,
    /// A stored CRC-32C differs from that of the bytes.
    ChecksumMismatch,
    /// A physical record has a type that no writer of this format writes.
    UnknownRecordType(u8),
    /// A physical record of type 0 and length 0: space set aside and never written, or wiped.
    ZeroedBlock,
    /// A fragmented record that damage cuts off in the middle.
    InterruptedRecord,
    /// The file ends in the header of a physical record.
    TornHeader,
    /// The file ends in the payload of a physical record, or its length is wrong.
    TornRecord,
    /// A middle or last fragment without a first one.
    MissingStart,
    /// A first fragment without its last one.
    MissingEnd,
    /// The payload of an intact log record is no batch.
    Batch(BatchDefect),
    /// The payload of an intact MANIFEST record is no version edit.
    Edit(EditDefect),
    /// A table is too short for its footer.
    TableTooShort,
    /// The last bytes of a table are not those of a table.
    BadTableMagic,
    /// The footer of a table does not hold two handles.
    BadTableFooter,
    /// A table is shorter than its size when it was opened.
    TruncatedTable,
    /// A handle is malformed or leads out of its table.
    BadBlockHandle,
    /// The restart offsets of a block do not fit into it.
    BadBlockContents,
    /// An entry of a block runs past its end, or its key is no internal key.
    BadBlockEntry,
    /// The bytes of a compressed block are not what the compression makes of anything.
    BadCompressedBlock,
    /// A block has a compression type that does not exist.
    UnknownCompression(u8),
    /// Anything else, in words.
    Other(Arc<str>),
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::BadRecordLength => f.write_str("bad record length"),
            Defect::ChecksumMismatch => f.write_str("checksum mismatch"),
            Defect::UnknownRecordType(t) => write!(f, "unknown record type {t}"),
            Defect::ZeroedBlock => f.write_str("zeros where a record should start"),
            Defect::InterruptedRecord => f.write_str("error in middle of record"),
            Defect::TornHeader => f.write_str("file ends in the header of a record"),
            Defect::TornRecord => f.write_str("file ends in the middle of a record"),
            Defect::MissingStart => f.write_str("missing start of fragmented record"),
            Defect::MissingEnd => f.write_str("partial record without end"),
            Defect::Batch(defect) => defect.fmt(f),
            Defect::Edit(defect) => defect.fmt(f),
            Defect::TableTooShort => f.write_str("file is too short to be a table"),
            Defect::BadTableMagic => f.write_str("not a table (bad magic number)"),
            Defect::BadTableFooter => f.write_str("bad table footer"),
            Defect::TruncatedTable => f.write_str("truncated table"),
            Defect::BadBlockHandle => f.write_str("bad block handle"),
            Defect::BadBlockContents => f.write_str("bad block contents"),
            Defect::BadBlockEntry => f.write_str("bad entry in block"),
            Defect::BadCompressedBlock => f.write_str("bad compressed block"),
            Defect::UnknownCompression(t) => write!(f, "unknown compression type {t}"),
            Defect::Other(words) => f.write_str(words),
        }
    }
}

impl Error {
    /// An [`Error::InvalidArgument`] with these words.
    pub fn invalid(words: impl Into<Arc<str>>) -> Self {
        Error::InvalidArgument(words.into())
    }

    /// An [`Error::Corruption`] of `file` at `offset`.
    pub fn corruption(file: impl Into<PathBuf>, offset: u64, defect: Defect) -> Self {
        Error::Corruption(Arc::new(Corruption { file: file.into(), offset, defect }))
    }

    /// The failure that stopped the database, for [`Error::Background`]; else the error itself.
    pub fn root(&self) -> &Error {
        match self {
            Error::Background(original) => original.root(),
            other => other,
        }
    }

    /// This error as every later write reports it: [`Error::Background`] around the original.
    #[must_use]
    pub fn into_background(self) -> Self {
        match self {
            Error::Background(_) => self,
            original => Error::Background(Arc::new(original)),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound { path, op } => write!(f, "{op} {}: not found", path.display()),
            Error::NoSpace { path, op } => {
                write!(f, "{op} {}: no space left on device", path.display())
            }
            Error::TooManyOpen { path, op } => {
                write!(f, "{op} {}: too many open files", path.display())
            }
            Error::Io { kind, path, op } => write!(f, "{op} {}: {kind}", path.display()),
            Error::NotSupported { path, op } => {
                write!(f, "{op} {}: not supported here", path.display())
            }
            Error::Locked { path, holder: Some(pid) } => {
                write!(f, "{}: the database is open in process {pid}", path.display())
            }
            Error::Locked { path, holder: None } => {
                write!(f, "{}: the database is already open", path.display())
            }
            Error::NoThread { name } => write!(f, "no thread left ({name})"),
            Error::Corruption(c) => {
                write!(f, "{}: corrupt at offset {}: {}", c.file.display(), c.offset, c.defect)
            }
            Error::InvalidArgument(words) => write!(f, "invalid argument: {words}"),
            Error::Background(original) => {
                write!(f, "writes are stopped by an earlier error: {original}")
            }
            Error::HeldUp { by } => write!(f, "writes are held up: {by}"),
            Error::ReadOnly => f.write_str("the database was opened for reading alone"),
            Error::Closed => f.write_str("the database is closed"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Background(original) => Some(&**original),
            _ => None,
        }
    }
}
