//! A process is killed while it writes, and LevelDB opens what it leaves.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::corpus::{assert_same, read_all};
use crate::leveldb::{Entries, Peer, copy_dir, parse_dump};

/// Lines for `faultline load`, some of them far longer than a block of a log.
fn lines() -> Vec<String> {
    let value =
        |number: usize| "v".repeat(if number.is_multiple_of(97) { 70_000 } else { number % 300 });
    (0..60_000).map(|number| format!("key{number:06}\t{}\n", value(number))).collect()
}

/// Both find the same, and it is what a prefix of the lines says.
#[test]
fn leveldb_recovers_a_killed_process() {
    let Some(peer) = Peer::find() else { return };
    let lines = lines();
    let mut unfinished = 0;
    for given in [1, 700, 5_000, 20_000, 60_000] {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("db");
        let mut load = Command::new(env!("CARGO_BIN_EXE_faultline"))
            .arg("load")
            .arg(&dir)
            .stdin(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut input = load.stdin.take().expect("a pipe");
        input.write_all(lines[..given].concat().as_bytes()).expect("it reads");
        // SIGKILL. Of the last lines, some are in the pipe and some in the process.
        load.kill().expect("is there");
        load.wait().expect("ends");
        if !fs::exists(dir.join("CURRENT")).expect("can be seen") {
            continue;
        }
        let copy = root.path().join("copy");
        copy_dir(&dir, &copy);
        let found = peer.dump(&copy).expect("LevelDB reads it");
        let expected: Entries = parse_dump(&lines[..found.len()].concat());
        assert_same("LevelDB finds a prefix", &found, &expected);
        assert_same("Faultline finds the same", &read_all(&dir), &expected);
        unfinished += usize::from(!found.is_empty() && found.len() < given);
    }
    assert!(unfinished > 0, "the kills came in the middle of the work");
}
