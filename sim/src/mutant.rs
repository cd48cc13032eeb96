//! Mutants: one historic or likely bug each, as a patch of the engine with a header.
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
        let entries =
            std::fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|file| file.extension().is_some_and(|ext| ext == "patch"))
            .collect();
        files.sort();
        files.iter().map(|file| Mutant::load(file)).collect()
    }

    fn load(file: &Path) -> Result<Mutant, String> {
        let error = |words: &str| format!("{}: {words}", file.display());
        let text = std::fs::read_to_string(file).map_err(|e| error(&e.to_string()))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Mutant::parse(name, file, &text).map_err(|words| error(&words))
    }

    pub(crate) fn parse(name: String, file: &Path, text: &str) -> Result<Mutant, String> {
        let field = |key: &str| {
            let mut header = text.lines().take_while(|line| !line.starts_with("--- "));
            let value = header.find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            value.map(str::trim).ok_or(format!("the header has no `{key}: ...`"))
        };
        Ok(Mutant {
            what: field("what")?.to_owned(),
            source: field("source")?.to_owned(),
            promise: field("promise")?.to_owned(),
            checkers: field("checker")?.split(", ").map(str::to_owned).collect(),
            scenario: field("scenario")?.to_owned(),
            runs: field("runs")?.parse().map_err(|_| "`runs` is a number".to_owned())?,
            name,
            file: file.to_owned(),
        })
    }
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
}
