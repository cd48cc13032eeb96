//! [`Scratch`]: a copy of the repository in which patches are planted, built and swept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::{Exit, Failed};

/// A copy of the repository in which patches are planted.
pub(super) struct Scratch {
    copy: PathBuf,
    target: PathBuf,
}

/// What the copy needs to build `sim`. Not `.cargo`: the copy lies inside of the repository, so
/// cargo finds its settings there. If it found them twice it would join them to other flags, with
/// which all crates of the registry would have to be built once more.
const COPIED: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "clippy.toml",
    "engine",
    "sim",
    "scenarios",
];

const BUILD: [&str; 6] = ["build", "--quiet", "--profile", "sim", "--bin", "sim"];
/// Removes what `BUILD` makes of the two crates, and what rustc keeps for the next time.
const CLEAN: [&str; 8] = [
    "clean",
    "--quiet",
    "--profile",
    "sim",
    "--package",
    "faultline-engine",
    "--package",
    "faultline-sim",
];

impl Scratch {
    pub(super) fn prepare() -> Result<Self, Failed> {
        let root = std::env::current_dir().map_err(|e| Failed::environment(e.to_string()))?;
        if !root.join("engine/Cargo.toml").exists() {
            return Err(Failed::usage("sim mutants works at the root of the repository"));
        }
        let folder = root.join("target/mutants");
        let scratch = Scratch { copy: folder.join("copy"), target: folder.join("target") };
        std::fs::create_dir_all(&scratch.copy)
            .map_err(|error| Failed::environment(format!("{}: {error}", scratch.copy.display())))?;
        // Earlier versions had it there.
        std::fs::remove_dir_all(scratch.copy.join(".cargo")).ok();
        for name in COPIED {
            copy_changed(&root.join(name), &scratch.copy.join(name))
                .map_err(|error| Failed::environment(format!("{name}: {error}")))?;
        }
        Ok(scratch)
    }

    pub(super) fn plant(&self, patch: &Path) -> Result<(), Failed> {
        self.patch(patch, &[])
    }

    pub(super) fn remove(&self, patch: &Path) -> Result<(), Failed> {
        self.patch(patch, &["--reverse"])
    }

    /// Refuses, in one go, all of `patches` that do not apply: before the first is built, which
    /// takes long.
    pub(super) fn try_all<'a>(
        &self,
        patches: impl Iterator<Item = &'a PathBuf>,
    ) -> Result<(), Failed> {
        let stale = patches.filter_map(|patch| self.patch(patch, &["--dry-run"]).err());
        let stale: Vec<String> = stale.map(|failed| failed.words).collect();
        if stale.is_empty() {
            return Ok(());
        }
        Err(Failed { exit: Exit::Broken, words: stale.join("\n") })
    }

    pub(super) fn applies(&self, patch: &Path) -> bool {
        self.patch(patch, &["--dry-run", "--forward"]).is_ok()
    }

    fn patch(&self, patch: &Path, flags: &[&str]) -> Result<(), Failed> {
        let file =
            std::path::absolute(patch).map_err(|error| Failed::environment(error.to_string()))?;
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
                patch.display(),
                String::from_utf8_lossy(&output.stdout)
            ),
        })
    }

    /// A command that works in the copy and builds beside it.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("CARGO_TARGET_DIR", &self.target).current_dir(&self.copy).stdin(Stdio::null());
        command
    }

    pub(super) fn cargo(&self, arguments: &[&str]) -> Result<(), Failed> {
        let output = self
            .command("cargo")
            .args(arguments)
            .output()
            .map_err(|error| Failed::environment(format!("cargo: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Failed { exit: Exit::Broken, words })
    }

    /// Builds the simulator with what is planted. A build that was ended by force may leave what
    /// never links again: if so, it is built from nothing.
    pub(super) fn build(&self) -> Result<(), Failed> {
        let built = self.cargo(&BUILD);
        if built.as_ref().is_err_and(|failed| failed.words.contains("linking with")) {
            self.cargo(&CLEAN)?;
            return self.cargo(&BUILD);
        }
        built
    }

    /// What the simulator with what is planted prints, which ends with the event `last`.
    pub(super) fn events(
        &self,
        name: &str,
        flags: &[String],
        last: &str,
    ) -> Result<String, Failed> {
        let output = Command::new(self.target.join("sim/sim"))
            .args(flags)
            .args(["--format", "json"])
            .current_dir(&self.copy)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failed::environment(format!("sim: {error}")))?;
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        if lines.lines().last().is_some_and(|line| line.contains(last)) {
            return Ok(lines);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let words = format!("{name}: sim {} did not finish\n{words}", flags.join(" "));
        Err(Failed { exit: Exit::Internal, words })
    }
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
