//! Errors as data: what a client was told, and what the engine was told by its environment.
//!
//! Copied out of the engine's errors, whose memory is that of their process (see
//! [`crate::arena`]). A checker holds the one against the other; nothing here judges.

use std::fmt;
use std::io;

use faultline::{Error, FileOp};

use crate::kernel::ThreadId;

/// The kinds of [`faultline::Error`], less [`Error::Background`], which is around another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants of the engine's error, by their names")]
pub enum Kind {
    NotFound,
    NoSpace,
    TooManyOpen,
    Io(io::ErrorKind),
    NotSupported,
    Locked,
    NoThread,
    Corruption,
    InvalidArgument,
    HeldUp,
    ReadOnly,
    Closed,
    /// One that came into the engine after this list.
    Unknown,
}

/// What an error says, without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its kind; behind [`Error::Background`], that of the error that stopped writes.
    pub kind: Kind,
    /// The operation that failed, where it says so.
    pub op: Option<FileOp>,
    /// The file or directory, where it names one.
    pub file: Option<String>,
}

impl Form {
    /// What `error` says, or the error that it is around.
    pub fn of(error: &Error) -> Self {
        let (kind, op, path) = match error.root() {
            Error::NotFound { path, op } => (Kind::NotFound, Some(*op), Some(&**path)),
            Error::NoSpace { path, op } => (Kind::NoSpace, Some(*op), Some(&**path)),
            Error::TooManyOpen { path, op } => (Kind::TooManyOpen, Some(*op), Some(&**path)),
            Error::Io { kind, path, op } => (Kind::Io(*kind), Some(*op), Some(&**path)),
            Error::NotSupported { path, op } => (Kind::NotSupported, Some(*op), Some(&**path)),
            Error::Locked { path, .. } => (Kind::Locked, None, Some(&**path)),
            Error::Corruption(found) => (Kind::Corruption, None, Some(found.file.as_path())),
            Error::NoThread { .. } => (Kind::NoThread, None, None),
            Error::InvalidArgument(_) => (Kind::InvalidArgument, None, None),
            Error::HeldUp { .. } => (Kind::HeldUp, None, None),
            Error::ReadOnly => (Kind::ReadOnly, None, None),
            Error::Closed => (Kind::Closed, None, None),
            _ => (Kind::Unknown, None, None),
        };
        Form { kind, op, file: path.map(|path| path.display().to_string()) }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Io(kind) => write!(f, "Io ({kind})")?,
            kind => write!(f, "{kind:?}")?,
        }
        if let Some(op) = self.op {
            write!(f, " of {op}")?;
        }
        match &self.file {
            Some(file) => write!(f, " {file}"),
            None => Ok(()),
        }
    }
}

/// An error that a client was told.
#[derive(Clone, PartialEq, Eq)]
pub struct Told {
    /// Its words.
    pub words: String,
    /// What it says.
    pub form: Form,
    /// Whether it says that an earlier failure has stopped all writes, and `form` is of that one.
    pub is_background: bool,
    /// The thread that was told.
    pub thread: ThreadId,
}

impl Told {
    /// `error`, as `thread` was told it.
    pub fn of(error: &Error, thread: ThreadId) -> Self {
        Told {
            words: error.to_string(),
            form: Form::of(error),
            is_background: matches!(error, Error::Background(_)),
            thread,
        }
    }
}

/// Its words alone: what else there is of it follows from them and from the schedule, and moments
/// of a search count as one by what this shows (see [`crate::steer::Instant`]).
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.words, f)
    }
}

/// A call of the engine to its environment that came back with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Scheduling point at which the engine was told.
    pub point: u64,
    /// The thread that made the call.
    pub thread: ThreadId,
    /// What that thread is for, by the name that it was started under.
    pub role: &'static str,
    /// What it was told.
    pub form: Form,
}
