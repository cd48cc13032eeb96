//! Real LevelDB, as the program `peer.cc` beside this file: the judge of what is compatible.
//!
//! Needs a C++ compiler and the library with its headers (Debian: `libleveldb-dev`). Where they
//! are missing, a test that asks for the peer is told to pass over it, with the reason on standard
//! error; under CI (the variable `CI` is set) it fails.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "compiles and starts another program, and says why if it cannot"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// What a database holds.
pub(crate) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The program, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    binary: PathBuf,
}

impl Peer {
    /// The program, or `None` where it cannot be made.
    ///
    /// # Panics
    /// Under CI, instead of `None`; and if it does not compile although all it needs is there.
    pub(crate) fn find() -> Option<Peer> {
        // Compiled once a process.
        static PEER: OnceLock<Result<Peer, String>> = OnceLock::new();
        match PEER.get_or_init(compile) {
            Ok(peer) => Some(peer.clone()),
            Err(reason) => {
                assert!(std::env::var_os("CI").is_none(), "{reason}, and CI is set");
                eprintln!("skipped: {reason}");
                None
            }
        }
    }

    /// The program, to be given its arguments.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.binary)
    }

    /// All that LevelDB finds in the database in `dir`, which it opens with every check that it
    /// has, and hence rewrites. `Err` is what it says if it refuses any of it.
    pub(crate) fn dump(&self, dir: &Path) -> Result<Entries, String> {
        let output = self.command().arg("dump").arg(dir).output();
        let output = output.expect("the peer starts");
        if !output.status.success() {
            return Err(words(&output));
        }
        Ok(parse_dump(&String::from_utf8(output.stdout).expect("a dump is ASCII")))
    }
}

fn compile() -> Result<Peer, String> {
    let has_library = Command::new("c++")
        .args(["-x", "c++", "-E", "-include", "leveldb/db.h", "-"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("no C++ compiler: {error}"))?;
    if !has_library.status.success() {
        return Err("LevelDB's headers are missing (Debian: libleveldb-dev)".into());
    }
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/tests/support/leveldb/peer.cc");
    // Several test programs may do this at once.
    let name = format!("leveldb-peer-{}", std::process::id());
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new("c++")
        .args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&binary)
        .arg(source)
        .arg("-lleveldb")
        .output()
        .expect("the compiler starts");
    assert!(output.status.success(), "{}", words(&output));
    let place = binary.with_file_name("leveldb-peer");
    std::fs::rename(&binary, &place).expect("the peer takes its place");
    Ok(Peer { binary: place })
}

/// How a program ended, and what it said.
pub(crate) fn words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    format!("{}: {}", output.status, said.trim())
}

/// Reads a dump: `KEY`, a tab, `VALUE` a line, as `peer.cc` writes it.
pub(crate) fn parse_dump(text: &str) -> Entries {
    let line = |line: &str| {
        let (key, value) = line.split_once('\t').expect("a line of a dump has a tab");
        (unescape(key), unescape(value))
    };
    text.lines().map(line).collect()
}

/// The bytes that a word of a dump or script stands for.
pub(crate) fn unescape(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'\\') => b'\\',
            Some(b't') => b'\t',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b'x') => {
                let mut digit = || {
                    let digit = rest.next().and_then(|byte| char::from(byte).to_digit(16));
                    digit.and_then(|digit| u8::try_from(digit).ok()).expect("a digit")
                };
                digit() * 16 + digit()
            }
            escape => panic!("an unknown escape, {escape:?}, in {word}"),
        });
    }
    bytes
}

/// Copies the files of `from` into a new directory `to`.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("makes a directory");
    for entry in std::fs::read_dir(from).expect("lists a directory") {
        let path = entry.expect("lists a directory").path();
        if path.is_file() {
            let name = path.file_name().expect("a file has a name");
            std::fs::copy(&path, to.join(name)).expect("copies a file");
        }
    }
}
