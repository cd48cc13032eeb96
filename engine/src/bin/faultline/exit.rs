//! How the command ends: exit codes, and failures in words.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use faultline::Error;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked for.
    Done,
    /// There is no such key.
    NotFound,
    /// What was asked for cannot be.
    Usage,
    /// The data are damaged.
    Damaged,
    /// Another process has the database open.
    InUse,
    /// A file could not be read or written.
    Environment,
    /// Nobody reads the output any more.
    OutputClosed,
}

impl Exit {
    /// The exit code: part of the contract with scripts, and told by `--help`.
    fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::NotFound => 1,
            Exit::Usage => 2,
            Exit::Damaged => 3,
            Exit::InUse => 4,
            Exit::Environment => 75,
            // As if the signal had ended it.
            Exit::OutputClosed => 128 + 13,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// In one line: what is wrong, and what helps.
    Said {
        /// How the command ends.
        exit: Exit,
        /// The line.
        words: String,
    },
    /// Nobody reads the output any more: nothing to say, and nobody to say it to.
    OutputClosed,
}

/// What every command comes to.
pub(crate) type Result<T = Exit> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Failure::Said { exit: Exit::Usage, words: words.into() }
    }

    /// A failure to read or write what is no file of a database.
    pub(crate) fn stream(what: &str, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::OutputClosed;
        }
        Failure::Said { exit: Exit::Environment, words: format!("{what}: {error}") }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match error.root() {
            Error::Corruption(_) => "; `faultline verify` tells all that is wrong",
            Error::Locked { .. } => "; close it in the other process first",
            Error::NoSpace { .. } => "; make room and try again",
            _ => "",
        };
        let exit = match error.root() {
            Error::Corruption(_) => Exit::Damaged,
            Error::Locked { .. } => Exit::InUse,
            Error::InvalidArgument(_) => Exit::Usage,
            _ => Exit::Environment,
        };
        let words = match &error {
            Error::InvalidArgument(words) => words.to_string(),
            error => error.to_string(),
        };
        Failure::Said { exit, words: words + hint }
    }
}

/// That `dir` holds no database.
pub(crate) fn no_database(dir: &Path) -> Failure {
    let words = format!("{}: no database here: it has no file CURRENT", dir.display());
    Failure::usage(words)
}
