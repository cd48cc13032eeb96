//! What the commands print.

#![expect(clippy::print_stderr, reason = "the one place that prints")]

use std::io::{self, BufWriter, StdoutLock, Write as _};

use crate::exit::{Failure, Result};

/// Standard output, for results.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn new() -> Self {
        Output(BufWriter::with_capacity(64 << 10, io::stdout().lock()))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(|error| Failure::stream("standard output", &error))
    }

    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<()> {
        self.bytes(line.as_ref().as_bytes())?;
        self.bytes(b"\n")
    }

    /// Hands over what is left.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.0.flush().map_err(|error| Failure::stream("standard output", &error))
    }
}

/// A line beside the result.
pub(crate) fn remark(line: impl AsRef<str>) {
    eprintln!("{}", line.as_ref());
}

/// An error that ends the command.
pub(crate) fn complain(words: &str) {
    eprintln!("error: {words}");
}

/// A number with its noun.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if count == 1 => format!("1 {noun}"),
        Some(stem) => format!("{count} {stem}ies"),
        None if noun.ends_with("ch") => format!("{count} {noun}es"),
        None => format!("{count} {noun}s"),
    }
}
