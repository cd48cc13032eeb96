//! Every decoder on inputs that nobody wrote: no panic, no hang, and memory within bounds.
//!
//! Inputs are mutated from the files that real LevelDB wrote (`corpus/format`) and from those of
//! `corpus/corrupt`, where each file is named by what its decoder says of it. Every run of the
//! tests tries the same inputs; `FUZZ_ROUNDS=1000000` tries more of them, and `FUZZ_KEEP=1` keeps
//! the first input of each outcome that the corpus does not have. An input that makes a decoder
//! panic is left in the build folder, and the panic says where.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "reads the corpus, and the flags above")]
#![expect(
    clippy::disallowed_macros,
    reason = "memory is counted by thread; the lint knows no smaller place"
)]

mod memory;
mod mutate;
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mutate::Random;
use targets::Target;

/// Rounds of each target, unless `FUZZ_ROUNDS` says otherwise.
const ROUNDS: u64 = 100_000;

/// Inputs are not made longer than this.
const SIZE_MAX: usize = 40 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// Files below `folder` that `is_wanted`, in the order of their paths.
fn files(folder: &Path, is_wanted: &dyn Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // A decoder that refuses nothing has no folder.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry of the corpus").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if is_wanted(&name) {
                found.push((path, name));
            }
        }
    }
    found.sort();
    let read = |(path, name): (PathBuf, String)| (name, fs::read(path).expect("a file"));
    found.into_iter().map(read).collect()
}

/// Leaves the input of a decoder that panicked.
struct Leave<'a> {
    target: &'a str,
    input: &'a [u8],
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", self.target));
            fs::write(&path, self.input).expect("leaves the input");
            eprintln!("the input is {}", path.display());
        }
    }
}

/// Gives `input` to the decoder, and holds the memory that it takes against the input.
fn run(target: &Target, input: &[u8]) -> String {
    let _leave = Leave { target: target.name, input };
    let (outcome, peak) = memory::measured(|| (target.decode)(input));
    // A block of a log, two blocks of a table unfolded by Snappy, and what is small.
    let bound = (256 << 10) + 100 * input.len();
    assert!(peak <= bound, "{peak} bytes of memory for an input of {}", input.len());
    outcome
}

fn fuzz(target: &Target) {
    let known = corpus().join("corrupt").join(target.name);
    let mut outcomes = BTreeSet::new();
    let mut seeds = Vec::new();
    for (name, bytes) in files(&known, &|_| true) {
        assert_eq!(run(target, &bytes), name, "corrupt/{}/{name}", target.name);
        outcomes.insert(name);
        seeds.push(bytes);
    }
    let sound = (target.seeds)();
    assert!(!sound.is_empty(), "{} has seeds", target.name);
    for seed in sound {
        assert_eq!(run(target, &seed), "Sound", "{}: a seed", target.name);
        seeds.push(seed);
    }
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let mut random = Random::new(target.name);
    for _ in 0..number("FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let mut input = random.one_of(&seeds).clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut input, &seeds);
        }
        input.truncate(SIZE_MAX);
        if random.below(2) == 0 {
            (target.mend)(&mut input);
        }
        let outcome = run(target, &input);
        if number("FUZZ_KEEP").is_some() && outcome != "Sound" && outcomes.insert(outcome.clone()) {
            fs::create_dir_all(&known).expect("makes a folder");
            fs::write(known.join(outcome), &input).expect("keeps an input");
        }
    }
}

#[test]
fn logs_and_manifests() {
    fuzz(&targets::RECORD);
}

#[test]
fn batches() {
    fuzz(&targets::BATCH);
}

#[test]
fn version_edits() {
    fuzz(&targets::EDIT);
}

#[test]
fn tables() {
    fuzz(&targets::TABLE);
}

#[test]
fn filters() {
    fuzz(&targets::FILTER);
}

#[test]
fn names() {
    fuzz(&targets::NAME);
}

/// A harness that finds nothing proves nothing.
#[test]
fn a_decoder_that_takes_too_much_is_found() {
    let (size, peak) = memory::measured(|| vec![1_u8; 3 << 20].len());
    assert!(size == 3 << 20 && peak >= size, "{peak}");
    let ((), peak) = memory::measured(|| drop(vec![1_u8; 1000]));
    assert!((1000..2000).contains(&peak), "{peak}");
}
