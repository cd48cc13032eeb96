//! One side of the comparison: a process that does what the lines of its standard input say.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

fn binary() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("leveldb-bench-peer")
}

/// Compiles LevelDB's, `peer.cc` beside this file, or says what is missing.
pub(crate) fn compile() -> Result<(), String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/leveldb/peer.cc");
    let compiled = Command::new("c++")
        .args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(binary())
        .args([source, "-lleveldb"])
        .output()
        .map_err(|error| format!("no C++ compiler: {error}"))?;
    if compiled.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&compiled.stderr);
    let first = said.lines().find(|line| line.contains("error")).unwrap_or_default();
    Err(format!("{first} (Debian: libleveldb-dev)"))
}

/// The process.
pub(crate) struct Side {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Side {
    /// Faultline, which is this program again, and LevelDB.
    pub(crate) fn start_both(snappy: bool, cache: usize) -> [Side; 2] {
        let (snappy, cache) = (u8::from(snappy), cache.to_string());
        let this = std::env::current_exe().expect("this program is somewhere");
        let mut ours = Command::new(this);
        ours.args(["--serve", &format!("{snappy} {cache}")]);
        let mut theirs = Command::new(binary());
        theirs.args([snappy.to_string(), cache]);
        [ours, theirs].map(Side::start)
    }

    fn start(mut command: Command) -> Side {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the process starts");
        let to = child.stdin.take().expect("a pipe");
        let from = BufReader::new(child.stdout.take().expect("a pipe"));
        Side { child, to, from }
    }

    /// Has it carry out a line; returns the nanoseconds that took and the entries that it met.
    pub(crate) fn ask(&mut self, line: &str) -> (u64, u64) {
        writeln!(self.to, "{line}").expect("it listens");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("it answers");
        let mut numbers = answer.split_whitespace().map(|n| n.parse().expect("a number"));
        (numbers.next().expect("a time"), numbers.next().expect("a count"))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It may have ended.
        self.child.kill().ok();
        self.child.wait().expect("is a child");
    }
}
