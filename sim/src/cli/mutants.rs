//! `sim mutants`: plants historic bugs one by one and sees whether they are found.
//!
//! Each patch is applied to a scratch copy of the repository, which is built and swept by its own
//! `sim`. The engine itself carries no switch.

#![expect(
    clippy::disallowed_methods,
    reason = "works on files of the repository, in a scratch copy"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::args::{Format, MutantsArgs};
use super::output::{event, remark, say};
use super::run::cores;
use super::{Exit, Failed};
use crate::mutant::Mutant;

pub(super) fn mutants(args: &MutantsArgs) -> Result<Exit, Failed> {
    let mutants = chosen(args)?;
    if mutants.is_empty() {
        return Ok(Exit::Nothing);
    }
    let scratch = Scratch::prepare()?;
    // All of them before the first is built, which takes long.
    let stale: Vec<String> = (mutants.iter())
        .filter_map(|mutant| scratch.patch(mutant, &["--dry-run"]).err())
        .map(|failed| failed.words)
        .collect();
    if !stale.is_empty() {
        return Err(Failed { exit: Exit::Broken, words: stale.join("\n") });
    }
    let mut missed = 0;
    if args.format == Format::Human {
        say(format!(
            "{:<40} {:>10}  {:>10}  {:<12} found by",
            "mutant", "hits/runs", "first seed", "expected"
        ));
    }
    for mutant in &mutants {
        scratch.plant(mutant)?;
        let row = if args.check {
            scratch.check().map(|()| None)
        } else {
            let runs = args.runs.unwrap_or(mutant.runs);
            scratch.sweep(mutant, runs, args.jobs.unwrap_or_else(cores)).map(Some)
        };
        scratch.remove(mutant)?;
        match row? {
            None => say(format!("{:<40} applies and compiles", mutant.name)),
            Some(row) => {
                missed += usize::from(!row.is_found(mutant));
                tell(args.format, mutant, &row);
            }
        }
    }
    let found = mutants.len() - missed;
    if args.format == Format::Json {
        event(
            &json!({"v": 1, "event": "mutants_finished", "mutants": mutants.len(), "found": found}),
        );
    } else if !args.check {
        say(format!("{found} of {} found by a checker that should find them", mutants.len()));
    }
    Ok(if missed == 0 { Exit::Clean } else { Exit::Broken })
}

fn chosen(args: &MutantsArgs) -> Result<Vec<Mutant>, Failed> {
    let all = Mutant::all(&args.dir).map_err(Failed::usage)?;
    for name in &args.names {
        if !all.iter().any(|mutant| mutant.name == *name) {
            return Err(Failed::usage(format!("no mutant is called `{name}`")));
        }
    }
    let is_chosen = |mutant: &Mutant| args.names.is_empty() || args.names.contains(&mutant.name);
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// What a sweep of a mutant came to.
struct Row {
    runs: u64,
    hits: u64,
    first_seed: Option<u64>,
    checkers: BTreeMap<String, u64>,
    seconds: f64,
}

impl Row {
    /// Found, and by a checker that should find it.
    fn is_found(&self, mutant: &Mutant) -> bool {
        mutant.checkers.iter().any(|checker| self.checkers.contains_key(checker))
    }
}

fn tell(format: Format, mutant: &Mutant, row: &Row) {
    if format == Format::Json {
        event(&json!({
            "v": 1, "event": "mutant", "name": mutant.name, "runs": row.runs, "hits": row.hits,
            "first_seed": row.first_seed, "expected": mutant.checkers, "checkers": row.checkers,
            "found": row.is_found(mutant), "seconds": row.seconds,
        }));
        return;
    }
    let by: Vec<String> =
        row.checkers.iter().map(|(name, hits)| format!("{name} {hits}")).collect();
    let verdict = match (row.hits, row.is_found(mutant)) {
        (0, _) => "NOT FOUND".to_owned(),
        (_, true) => by.join(", "),
        (_, false) => format!("WRONG CHECKER: {}", by.join(", ")),
    };
    say(format!(
        "{:<40} {:>10}  {:>10}  {:<12} {verdict}",
        mutant.name,
        format!("{}/{}", row.hits, row.runs),
        row.first_seed.map_or("-".to_owned(), |seed| seed.to_string()),
        mutant.checkers.join("|"),
    ));
}

/// A copy of the repository in which patches are planted.
struct Scratch {
    copy: PathBuf,
    target: PathBuf,
}

/// What the copy needs to build `sim`.
const COPIED: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "clippy.toml",
    ".cargo",
    "engine",
    "sim",
    "scenarios",
];

impl Scratch {
    fn prepare() -> Result<Self, Failed> {
        let root = std::env::current_dir().map_err(|e| Failed::environment(e.to_string()))?;
        if !root.join("engine/Cargo.toml").exists() {
            return Err(Failed::usage("sim mutants works at the root of the repository"));
        }
        let folder = root.join("target/mutants");
        let scratch = Scratch { copy: folder.join("copy"), target: folder.join("target") };
        std::fs::create_dir_all(&scratch.copy)
            .map_err(|error| Failed::environment(format!("{}: {error}", scratch.copy.display())))?;
        for name in COPIED {
            copy_changed(&root.join(name), &scratch.copy.join(name))
                .map_err(|error| Failed::environment(format!("{name}: {error}")))?;
        }
        Ok(scratch)
    }

    fn plant(&self, mutant: &Mutant) -> Result<(), Failed> {
        self.patch(mutant, &[])
    }

    fn remove(&self, mutant: &Mutant) -> Result<(), Failed> {
        self.patch(mutant, &["--reverse"])
    }

    fn patch(&self, mutant: &Mutant, flags: &[&str]) -> Result<(), Failed> {
        let file = std::path::absolute(&mutant.file)
            .map_err(|error| Failed::environment(error.to_string()))?;
        let output = Command::new("patch")
            .args(["--strip=1", "--batch", "--no-backup-if-mismatch", "--fuzz=0"])
            .args(flags)
            .arg("--input")
            .arg(&file)
            .current_dir(&self.copy)
            .output()
            .map_err(|error| Failed::environment(format!("patch: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failed {
            exit: Exit::Broken,
            words: format!(
                "{}: the patch does not apply\n{}",
                mutant.file.display(),
                String::from_utf8_lossy(&output.stdout)
            ),
        })
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), Failed> {
        let output = Command::new("cargo")
            .args(arguments)
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.copy)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::environment(format!("cargo: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failed { exit: Exit::Broken, words })
    }

    fn check(&self) -> Result<(), Failed> {
        self.cargo(&["check", "--quiet", "--package", "faultline-engine"])
    }

    fn sweep(&self, mutant: &Mutant, runs: u64, jobs: usize) -> Result<Row, Failed> {
        remark(format!("  building {}", mutant.name));
        self.cargo(&["build", "--quiet", "--profile", "sim", "--bin", "sim"])?;
        let output = Command::new(self.target.join("sim/sim"))
            .args(["run", "--keep-going", "--format", "json", "--progress", "none"])
            .args(["--scenario", &mutant.scenario])
            .args(["--seeds", &runs.to_string(), "--jobs", &jobs.to_string()])
            .current_dir(&self.copy)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::environment(format!("sim: {error}")))?;
        read_row(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| Failed {
            exit: Exit::Internal,
            words: format!(
                "{}: the sweep did not finish\n{}",
                mutant.name,
                String::from_utf8_lossy(&output.stderr)
            ),
        })
    }
}

/// Adds up the events of a sweep; `None` if its last line is missing.
fn read_row(events: &str) -> Option<Row> {
    let mut row =
        Row { runs: 0, hits: 0, first_seed: None, checkers: BTreeMap::new(), seconds: 0.0 };
    let mut finished = false;
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).ok()?;
        match event["event"].as_str()? {
            "seed_failed" => {
                row.hits += 1;
                let seed = event["seed"].as_u64()?;
                row.first_seed = Some(row.first_seed.map_or(seed, |first| first.min(seed)));
                if event["hang"] == json!(true) {
                    *row.checkers.entry("liveness".to_owned()).or_default() += 1;
                }
                for checker in event["checkers"].as_array().into_iter().flatten() {
                    *row.checkers.entry(checker.as_str()?.to_owned()).or_default() += 1;
                }
            }
            "run_finished" => {
                finished = true;
                row.runs = event["runs"].as_u64()?;
                row.seconds = event["wall_millis"].as_u64()? as f64 / 1000.0;
            }
            _ => {}
        }
    }
    finished.then_some(row)
}

/// Copies what differs, so that an unchanged file keeps its time and is not built again.
fn copy_changed(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to)?;
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_changed(&from.join(&name), &to.join(&name))?;
            kept.push(name);
        }
        for entry in std::fs::read_dir(to)? {
            let entry = entry?;
            if !kept.contains(&entry.file_name()) && entry.path().is_file() {
                std::fs::remove_file(entry.path())?;
            }
        }
        return Ok(());
    }
    let bytes = std::fs::read(from)?;
    if std::fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    std::fs::write(to, bytes)
}
