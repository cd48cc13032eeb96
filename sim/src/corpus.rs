//! Cases that must stay true: runs that once found something, or that pin what must hold.
//!
//! A case names its scenario, seed and every flag that is not the default, the promise it is about
//! and what it expects. It is text that can be read in a review.

#![expect(clippy::disallowed_methods, reason = "reads and writes the case files of the repository")]

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::planned::PlanFile;

/// A case file.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Version of this form of file.
    pub format: u32,
    /// One sentence: what it is about.
    pub note: String,
    /// Name of the scenario, or path of its file.
    pub scenario: String,
    /// Digest of the scenario when the case was added.
    pub digest: String,
    /// The seed.
    pub seed: u64,
    /// The policy, if not the scenario's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Changed fields of the scenario, `FIELD=VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// The crashes, as `sim exhaust --only` takes them, if they were chosen and not drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
    /// Its `--images`, if not the default: it numbers what a crash may leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// Its `--schedule`, if not the one that the seed gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The promise it is about.
    pub promise: String,
    /// What it must come to.
    pub expect: Expectation,
    /// The run itself, if it is not what the seed draws: what `sim minimise` has made of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanFile>,
}

/// What a case must come to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// No promise is broken.
    Pass,
    /// Some promise is broken.
    Fail,
}

/// Why a case file could not be used.
#[derive(Clone, Debug)]
pub struct CaseError {
    file: PathBuf,
    words: String,
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.words.trim_end())
    }
}

impl std::error::Error for CaseError {}

impl Case {
    /// The version that this simulator writes.
    pub const FORMAT: u32 = 1;

    /// Reads a case.
    ///
    /// # Errors
    /// If the file cannot be read or is no case of a form known here.
    pub fn load(file: &Path) -> Result<Case, CaseError> {
        let error = |words: String| CaseError { file: file.to_owned(), words };
        let text = std::fs::read_to_string(file).map_err(|e| error(e.to_string()))?;
        let case: Case = toml::from_str(&text).map_err(|e| error(e.to_string()))?;
        if case.format != Case::FORMAT {
            return Err(error(format!("form {} is not known here", case.format)));
        }
        Ok(case)
    }

    /// Writes a case as `NAME.toml` into `dir`, unless there is one already.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub fn store(&self, dir: &Path, name: &str) -> Result<PathBuf, CaseError> {
        let file = dir.join(format!("{name}.toml"));
        let error = |words: String| CaseError { file: file.clone(), words };
        if file.exists() {
            return Err(error("there is a case of this name".to_owned()));
        }
        std::fs::create_dir_all(dir).map_err(|e| error(e.to_string()))?;
        self.write(&file)?;
        Ok(file)
    }

    /// Writes it as `file`, whether there is one or not.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), CaseError> {
        let error = |words: String| CaseError { file: file.to_owned(), words };
        let text = toml::to_string(self).map_err(|e| error(e.to_string()))?;
        std::fs::write(file, text).map_err(|e| error(e.to_string()))
    }

    /// The case files of a folder, in order of their names.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files(dir: &Path) -> Result<Vec<PathBuf>, CaseError> {
        let error = |e: std::io::Error| CaseError { file: dir.to_owned(), words: e.to_string() };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(error)? {
            let file = entry.map_err(error)?.path();
            if file.extension().is_some_and(|ext| ext == "toml") {
                files.push(file);
            }
        }
        files.sort();
        Ok(files)
    }
}
