//! The command `faultline` as scripts and people meet it: texts, exit codes, pipes.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes, and writes and reads the files that they are given"
)]

mod check;
mod dump;
mod entries;
mod keys;
mod texts;
mod whole;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder of one test. The command runs in it, so that what it says does not depend on where
/// that is.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// The command, in a world of its own.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultline"));
        command.args(args).current_dir(self.0.path()).stdin(Stdio::null());
        // Help is wrapped at this width, whatever the terminal.
        command.env("COLUMNS", "100").env_remove("RUST_BACKTRACE");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("runs"))
    }

    fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        // It may end before it has read everything.
        pipe.write_all(input).ok();
        drop(pipe);
        Ran::of(child.wait_with_output().expect("ends"))
    }

    /// Names of the files in a folder below, sorted.
    fn names(&self, below: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(below)).expect("a folder");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = names.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The one file in a folder below whose name ends so.
    fn only(&self, below: &str, ending: &str) -> String {
        let found: Vec<_> =
            self.names(below).into_iter().filter(|name| name.ends_with(ending)).collect();
        let [name] = &found[..] else { panic!("{ending} in {found:?}") };
        format!("{below}/{name}")
    }
}

/// How a command ended, and what it said.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    out: Vec<u8>,
    err: String,
}

impl Ran {
    fn of(output: std::process::Output) -> Self {
        let err = String::from_utf8(output.stderr).expect("text");
        Ran { code: output.status.code(), out: output.stdout, err }
    }

    #[track_caller]
    fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out.escape_ascii(), self.err);
        self
    }

    /// Standard output, where it is text.
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("text")
    }
}
