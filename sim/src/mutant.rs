//! Mutants: one historic or likely bug each, as a patch with a header. Those of the engine:
//!
//! ```text
//! what: one line
//! source: where it happened
//! promise: the promise it breaks
//! checker: durability                 several: durability, errors
//! scenario: crash_mid_add_record
//! runs: 2000
//!
//! --- a/engine/src/...
//! +++ b/engine/src/...
//! ```
//!
//! Those of the simulated disk and of the faults beside it, which its own tests must find:
//!
//! ```text
//! what: one line
//! rule: the rule of the model that it breaks
//! killed by: table::posix_weak_allows_exactly_these_images, ...
//!
//! --- a/sim/src/...
//! +++ b/sim/src/...
//! ```

#![expect(clippy::disallowed_methods, reason = "reads the patches of the repository")]

use std::path::{Path, PathBuf};

/// A planted bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The file's name without `.patch`.
    pub name: String,
    /// The patch.
    pub file: PathBuf,
    /// What it does, in one line.
    pub what: String,
    /// Where it happened.
    pub source: String,
    /// The promise it breaks.
    pub promise: String,
    /// The checkers that may catch it: any of them counts.
    pub checkers: Vec<String>,
    /// The scenario that must catch it.
    pub scenario: String,
    /// How many runs it gets.
    pub runs: u64,
}

impl Mutant {
    /// The mutants of a folder, in order of their names.
    ///
    /// # Errors
    /// If the folder or a header cannot be read; in words, with the file's name.
    pub fn all(dir: &Path) -> Result<Vec<Mutant>, String> {
        load_all(dir, Mutant::parse)
    }

    pub(crate) fn parse(name: String, file: &Path, text: &str) -> Result<Mutant, String> {
        Ok(Mutant {
            what: field(text, "what")?,
            source: field(text, "source")?,
            promise: field(text, "promise")?,
            checkers: list(&field(text, "checker")?),
            scenario: field(text, "scenario")?,
            runs: field(text, "runs")?.parse().map_err(|_| "`runs` is a number".to_owned())?,
            name,
            file: file.to_owned(),
        })
    }
}

/// A planted mistake of the simulated disk, or of the faults beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskMutant {
    /// The file's name without `.patch`.
    pub name: String,
    /// The patch.
    pub file: PathBuf,
    /// What it does, in one line.
    pub what: String,
    /// The rule of the model that it breaks.
    pub rule: String,
    /// The tests that must fail, all of them.
    pub killed_by: Vec<String>,
}

impl DiskMutant {
    /// The mutants of a folder, in order of their names.
    ///
    /// # Errors
    /// If the folder or a header cannot be read; in words, with the file's name.
    pub fn all(dir: &Path) -> Result<Vec<DiskMutant>, String> {
        load_all(dir, DiskMutant::parse)
    }

    fn parse(name: String, file: &Path, text: &str) -> Result<DiskMutant, String> {
        Ok(DiskMutant {
            what: field(text, "what")?,
            rule: field(text, "rule")?,
            killed_by: list(&field(text, "killed by")?),
            name,
            file: file.to_owned(),
        })
    }
}

/// Reads every patch in `dir`, in order of their names.
fn load_all<M>(
    dir: &Path,
    parse: impl Fn(String, &Path, &str) -> Result<M, String>,
) -> Result<Vec<M>, String> {
    let entries = std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|ext| ext == "patch"))
        .collect();
    files.sort();
    let load = |file: &PathBuf| {
        let error = |words: &str| format!("{}: {words}", file.display());
        let text = std::fs::read_to_string(file).map_err(|e| error(&e.to_string()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        parse(name, file, &text).map_err(|words| error(&words))
    };
    files.iter().map(load).collect()
}

/// The value of `key` in the header of a patch.
fn field(text: &str, key: &str) -> Result<String, String> {
    let mut header = text.lines().take_while(|line| !line.starts_with("--- "));
    let value = header.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    value.map(|value| value.trim().to_owned()).ok_or(format!("the header has no `{key}: ...`"))
}

fn list(value: &str) -> Vec<String> {
    value.split(", ").map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_demanded() {
        let text = "what: x\nsource: y\npromise: 2\nchecker: durability, errors\n\
                    scenario: disk_full\nruns: 20\n\n--- a/engine/src/lib.rs\nwhat: no header\n";
        let mutant = Mutant::parse("m".into(), Path::new("m.patch"), text).expect("a header");
        assert_eq!((mutant.runs, mutant.checkers.len()), (20, 2));
        let without = text.replace("runs: 20\n", "");
        assert!(Mutant::parse("m".into(), Path::new("m.patch"), &without).is_err());
    }

    #[test]
    fn a_mutant_of_the_disk_names_the_tests_that_kill_it() {
        let text = "what: x\nrule: y\nkilled by: a::b, c\n\n--- a/sim/src/disk/mod.rs\n";
        let mutant = DiskMutant::parse("m".into(), Path::new("m.patch"), text).expect("a header");
        assert_eq!(mutant.killed_by, ["a::b", "c"]);
        let without = text.replace("killed by: ", "checker: ");
        assert!(DiskMutant::parse("m".into(), Path::new("m.patch"), &without).is_err());
    }
}
