//! The command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use faultline::RecoveryPolicy;

use crate::exit::{Failure, Result};
use crate::text;

/// Looks into a Faultline or LevelDB database, changes it, checks it.
///
/// A database is a directory. One process at a time may have it open.
#[derive(Debug, Parser)]
#[command(
    name = "faultline",
    version,
    after_help = "Exit codes: 0 done; 1 no such key; 2 wrong usage; 3 damaged data; 4 the database \
        is open in another process; 75 a file could not be read or written; 141 nobody reads the \
        output."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the value of a key
    Get(GetArgs),
    /// Set a key to a value, durably; creates the database if there is none
    Put(PutArgs),
    /// Remove a key, durably; it need not be there
    Delete(DeleteArgs),
    /// Print keys and values in order
    Scan(ScanArgs),
    /// Write the keys and values that `scan` printed, from standard input; creates the database if
    /// there is none
    Load(LoadArgs),
    /// Rewrite the tables without what was overwritten or deleted
    Compact(CompactArgs),
    /// Remove the database and all that is in it
    Destroy(DestroyArgs),
    /// Print levels, logs, sizes and the last sequence number, as the files say; changes nothing
    Stats(StatsArgs),
    /// Print what a file holds, piece by piece: a log, a MANIFEST or a table; damage is shown
    Dump(DumpArgs),
    /// Check every checksum and every rule of the format; changes nothing
    Verify(VerifyArgs),
}

/// How a database is opened.
#[derive(Args, Debug)]
pub(crate) struct OpenArgs {
    /// The directory of the database
    pub(crate) dir: PathBuf,
    /// What to do with a damaged log: what is dropped is kept in the directory `lost`
    #[arg(long, value_name = "POLICY", default_value = "tolerate-tail")]
    pub(crate) recovery: Recovery,
}

/// How a database is opened by a command that only reads.
#[derive(Args, Debug)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// Write nothing at all: no log is replayed into tables, nothing goes to `lost`
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// [`RecoveryPolicy`] on a command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Recovery {
    /// Drop the end that a crash left unfinished; refuse other damage
    TolerateTail,
    /// Keep what stands before the first damage
    PointInTime,
    /// Keep all that can be read, with holes
    SkipCorrupt,
    /// Refuse any damage
    Absolute,
}

impl From<Recovery> for RecoveryPolicy {
    fn from(recovery: Recovery) -> Self {
        match recovery {
            Recovery::TolerateTail => RecoveryPolicy::TolerateTail,
            Recovery::PointInTime => RecoveryPolicy::PointInTime,
            Recovery::SkipCorrupt => RecoveryPolicy::SkipCorrupt,
            Recovery::Absolute => RecoveryPolicy::Absolute,
        }
    }
}

/// How bytes stand on the command line and in text.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct BytesArgs {
    /// Keys and values are hexadecimal, on the command line and in text
    #[arg(long)]
    pub(crate) hex: bool,
}

impl BytesArgs {
    /// Appends bytes as they stand in text.
    pub(crate) fn show(self, out: &mut String, bytes: &[u8]) {
        if self.hex {
            text::hex(out, bytes);
        } else {
            text::escape(out, bytes);
        }
    }

    /// The bytes that stand in text, or what is wrong with it.
    pub(crate) fn parse(self, text: &[u8]) -> std::result::Result<Vec<u8>, &'static str> {
        if self.hex {
            text::parse_hex(text).ok_or("is not hexadecimal")
        } else {
            text::unescape(text).ok_or("has a backslash that begins no escape")
        }
    }

    /// The bytes that an argument stands for.
    pub(crate) fn bytes(self, what: &str, word: &OsString) -> Result<Vec<u8>> {
        let word = word.as_bytes();
        if !self.hex {
            return Ok(word.to_vec());
        }
        text::parse_hex(word).ok_or_else(|| {
            let word = String::from_utf8_lossy(word);
            Failure::usage(format!("{what} {word}: not hexadecimal, which --hex asks for"))
        })
    }

    /// As [`BytesArgs::bytes`], of an argument that may be left out.
    pub(crate) fn optional(self, what: &str, word: Option<&OsString>) -> Result<Option<Vec<u8>>> {
        word.map(|word| self.bytes(what, word)).transpose()
    }
}

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// KEY, a tab, VALUE; what is not printable is escaped: \t, \n, \r, \\, \xNN
    Text,
    /// One object a line: {"key_base64":...,"value_base64":...}
    Json,
}

/// `get`.
#[derive(Args, Debug)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// The key
    pub(crate) key: OsString,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
    /// Print no newline behind the value
    #[arg(short = 'n', long)]
    pub(crate) no_newline: bool,
}

/// `put`.
#[derive(Args, Debug)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The key
    pub(crate) key: OsString,
    /// The value [default: all of standard input]
    pub(crate) value: Option<OsString>,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// `delete`.
#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The key
    pub(crate) key: OsString,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// `scan`.
#[derive(Args, Debug)]
pub(crate) struct ScanArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,
    /// Leave out keys before this one
    #[arg(long, value_name = "KEY")]
    pub(crate) from: Option<OsString>,
    /// Leave out this key and those behind it
    #[arg(long, value_name = "KEY")]
    pub(crate) to: Option<OsString>,
    /// Leave out keys that do not begin so
    #[arg(long, value_name = "BYTES")]
    pub(crate) prefix: Option<OsString>,
    /// From the last key to the first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Print so many entries at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Print keys alone
    #[arg(long, conflicts_with = "format")]
    pub(crate) keys_only: bool,
    /// How entries are printed
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// `load`.
#[derive(Args, Debug)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// How entries are written
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// `compact`.
#[derive(Args, Debug)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The first key to compact [default: that of the database]
    #[arg(long, value_name = "KEY")]
    pub(crate) from: Option<OsString>,
    /// The last key to compact [default: that of the database]
    #[arg(long, value_name = "KEY")]
    pub(crate) to: Option<OsString>,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// `destroy`.
#[derive(Args, Debug)]
pub(crate) struct DestroyArgs {
    /// The directory of the database; removed too if nothing else is in it
    pub(crate) dir: PathBuf,
    /// Do it; without this, only say what would be removed
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `stats`.
#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// The directory of the database
    pub(crate) dir: PathBuf,
}

/// `verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// The directory of the database
    pub(crate) dir: PathBuf,
}

/// `dump`.
#[derive(Args, Debug)]
pub(crate) struct DumpArgs {
    /// The file; its name tells what it is
    pub(crate) file: PathBuf,
    /// What it is, if its name does not tell
    #[arg(long = "as", value_name = "KIND")]
    pub(crate) kind: Option<Kind>,
    #[command(flatten)]
    pub(crate) bytes: BytesArgs,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A write-ahead log
    Log,
    /// A list of changes of the file set
    Manifest,
    /// A sorted table
    Table,
}
