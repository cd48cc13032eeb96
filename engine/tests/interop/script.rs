//! The scripts that both engines carry out; `peer.cc` has the language.
//!
//! `sync` counts from the next write on, as there. `kill` ends a script: a copy of the directory
//! is then what a killed process would leave, because everything written is the system's by then.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use faultline::env::posix::PosixEnv;
use faultline::table::{BloomFilter, Compression};
use faultline::{Db, Options, WriteBatch, WriteOptions};

use crate::leveldb::{Peer, unescape, words};

/// Has LevelDB carry out `script` on the database in `dir`.
#[track_caller]
pub(crate) fn run_by_leveldb(peer: &Peer, dir: &Path, script: &str) {
    let mut command = peer.command();
    command.arg("run").arg(dir).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the peer starts");
    let mut input = child.stdin.take().expect("a pipe");
    // A script may end before its last line.
    input.write_all(script.as_bytes()).ok();
    drop(input);
    let output = child.wait_with_output().expect("the peer ends");
    assert!(output.status.success(), "{}: {}", dir.display(), words(&output));
}

/// Has Faultline carry out `script` on the database in `dir`. Returns it if the script leaves it
/// open.
pub(crate) fn run(dir: &Path, script: &str) -> Option<Db> {
    let mut run = Run {
        dir: dir.to_owned(),
        db: None,
        options: WriteOptions::default(),
        batch: WriteBatch::new(),
        left_in_batch: None,
    };
    for line in script.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<_> = line.split(' ').collect();
        if words[0] == "kill" {
            break;
        }
        run.take(&words);
    }
    run.db
}

struct Run {
    dir: PathBuf,
    db: Option<Db>,
    options: WriteOptions,
    batch: WriteBatch,
    left_in_batch: Option<u64>,
}

impl Run {
    fn take(&mut self, words: &[&str]) {
        match *words {
            ["open", ref options @ ..] => {
                let options = open_options(options);
                self.db = Some(Db::open(PosixEnv::new(), &self.dir, options).expect("opens"));
            }
            ["close"] => self.db.take().expect("open").close().expect("closes"),
            ["sync", flag] => self.options.sync = flag == "1",
            ["put", key, value] => {
                self.batch.put(&bytes(key), &bytes(value)).expect("fits");
                self.write();
            }
            ["delete", key] => {
                self.batch.delete(&bytes(key)).expect("fits");
                self.write();
            }
            ["fill" | "repeat" | "erase", first, last, ref rest @ ..] => {
                let mut rest = rest.iter().map(|word| number(word));
                let (size, tag) = (rest.next().unwrap_or(0), rest.next().unwrap_or(0));
                self.range(words[0], number(first)..=number(last), size, tag);
            }
            ["batch", count] => self.left_in_batch = Some(number(count)),
            ["compact"] => self.db.as_ref().expect("open").flush().expect("flushes"),
            ["rename", from, to] => {
                std::fs::rename(self.dir.join(from), self.dir.join(to)).expect("renames");
            }
            ["cut", file, size] => {
                let path = self.dir.join(file);
                let mut bytes = std::fs::read(&path).expect("reads");
                bytes.truncate(bytes.len() - usize::try_from(number(size)).expect("fits"));
                std::fs::write(&path, bytes).expect("writes");
            }
            _ => panic!("not an operation: {words:?}"),
        }
    }

    fn range(&mut self, op: &str, keys: std::ops::RangeInclusive<u64>, size: u64, tag: u64) {
        let is_batch = self.left_in_batch.is_some();
        for at in keys {
            let key = format!("key{at:06}");
            let size = usize::try_from(size).expect("fits");
            let one_letter = vec![b'a' + u8::try_from(at % 26).expect("fits"); size];
            match op {
                "erase" => self.batch.delete(key.as_bytes()),
                "repeat" => self.batch.put(key.as_bytes(), &one_letter),
                _ => self.batch.put(key.as_bytes(), &letters(at, tag, size)),
            }
            .expect("fits");
            if !is_batch {
                self.write();
            }
        }
        if is_batch {
            self.write();
        }
    }

    fn write(&mut self) {
        self.left_in_batch = self.left_in_batch.map(|left| left - 1).filter(|left| *left > 0);
        if self.left_in_batch.is_none() {
            let db = self.db.as_ref().expect("open");
            db.write(&self.batch, &self.options).expect("writes");
            self.batch.clear();
        }
    }
}

fn open_options(words: &[&str]) -> Options {
    // What LevelDB's side defaults to, and Faultline does not.
    let plain = Options { compression: Compression::None, ..Options::default() };
    let mut options = Options { create_if_missing: true, ..plain };
    for word in words {
        let (name, value) = word.split_once('=').expect("NAME=NUMBER");
        let value = number(value);
        let size = usize::try_from(value).expect("fits");
        match name {
            "write_buffer_size" => options.write_buffer_size = size,
            "block_size" => options.block_size = size,
            "snappy" if value == 1 => options.compression = Compression::Snappy,
            "bloom" => options.filter_policy = Some(Arc::new(BloomFilter::new(size))),
            // Faultline never appends to the files of another process.
            "reuse_logs" => {}
            _ => panic!("not an option: {name}"),
        }
    }
    options
}

fn bytes(word: &str) -> Vec<u8> {
    if word == "\"\"" { Vec::new() } else { unescape(word) }
}

fn number(word: &str) -> u64 {
    word.parse().expect("a number")
}

fn letters(number: u64, tag: u64, size: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(tag);
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        LETTERS[usize::try_from((state >> 32) & 63).expect("fits")]
    };
    std::iter::repeat_with(next).take(size).collect()
}
