//! The binary `sim` as scripts and people meet it: texts, exit codes, JSON lines, signals.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "starts processes, and writes and reads the files that they are given"
)]

mod codes;
mod json;
mod minimise;
mod signals;
mod texts;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A scenario of no time at all: one writer, two batches, no fault and no crash.
const QUICK: &str = r#"
about = "One writer writes two batches."

[workload]
writers = 1
batches = 2
"#;

/// Loses what was synced, in every second run or so.
const LYING: &str = r#"
about = "Two writers sync all they write, to a disk that only says so."

[workload]
writers = 2
batches = 6
sync = 1.0

[disk]
swallow_syncs = true
"#;

/// Longer than any process may run, without an event worth a word.
const ENDLESS: &str = r#"
about = "Readers read until the limit of scheduling points."

[workload]
writers = 1
batches = 0
keys = 1
readers = 64
reads = 100000
"#;

/// A folder of one test, empty at first and gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        // Two runs of the tests may share the folder above.
        let name = format!("cli-{name}-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).expect("makes a folder");
        Folder(folder)
    }

    /// With this file in it.
    fn with(self, name: &str, text: &str) -> Folder {
        let file = self.0.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("makes a folder");
        std::fs::write(file, text).expect("writes a file");
        self
    }

    /// Runs `sim` in it.
    fn sim(&self, args: &[&str]) -> Ran {
        let output = self.command(args).output().expect("runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("ends by itself");
        Ran { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// The digest of a scenario file in it.
    fn digest(&self, file: &str) -> String {
        let checked = self.sim(&["scenario", "check", file]).ended(0).out;
        checked.trim().rsplit(' ').next().expect("a digest").to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.current_dir(&self.0);
        command
    }
}

/// The binary, in a world of its own.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(args).stdin(Stdio::null());
    // Help is wrapped at this width, whatever the terminal.
    command.env("COLUMNS", "100").env_remove("RUST_BACKTRACE");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SIM_")) {
        command.env_remove(name);
    }
    command
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the build folder, and does no harm.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// How a command ended, and what it said.
#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// The line of standard output that begins so, without that beginning.
    fn line(&self, beginning: &str) -> &str {
        let found = self.out.lines().find_map(|line| line.strip_prefix(beginning));
        found.unwrap_or_else(|| panic!("no line begins with `{beginning}`: {self:?}"))
    }

    #[track_caller]
    fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// What `sim --version` says, and the commit in it.
fn version() -> (String, String) {
    let output = command(&["--version"]).output().expect("runs");
    let version = String::from_utf8(output.stdout).expect("text");
    let in_brackets = version.trim_end().strip_suffix(')').and_then(|text| text.split_once(" ("));
    let commit = in_brackets.expect("sim VERSION (COMMIT)").1.to_owned();
    (version, commit)
}
