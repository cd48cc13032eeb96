//! Mutants: one historic or likely bug each, as a patch with a header. Those of the engine:
//!
//! ```text
//! what: one line
//! source: where it happened
//! promise: the promise it breaks
//! checker: durability                 several: durability, errors
//! scenario: crash_mid_add_record
//! runs: 2000
//! set: workload.flushes=0.3           a changed field of the scenario; none, or a line for each
//!
//! --- a/engine/src/...
//! +++ b/engine/src/...
//! ```
//!
//! Those that tests must find, because no sweep can: see [`TestedSet`].
//!
//! ```text
//! what: one line
//! rule: the rule of the model that it breaks        those of the disk
//! source: where it happened                         the unseen
//! promise: the promise it breaks                    the unseen
//! killer: loom                                      the unseen; the disk's all have the same
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
    /// Changed fields of the scenario, each `FIELD=VALUE`.
    pub set: Vec<String>,
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
            set: fields(text, "set").collect(),
            name,
            file: file.to_owned(),
        })
    }

    /// The flags of `sim run` that say which scenario must catch it.
    pub(crate) fn scenario_flags(&self) -> Vec<String> {
        let set = self.set.iter().map(|set| format!("--set={set}"));
        std::iter::once(format!("--scenario={}", self.scenario)).chain(set).collect()
    }
}

/// A set of mutants of which each names the tests that must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestedSet {
    /// Mistakes of the simulated disk, and of the faults beside it: what every sweep believes.
    Disk,
    /// Bugs of the engine where no simulated run comes: memory orderings, and `PosixEnv`.
    Unseen,
}

impl TestedSet {
    /// Each of them.
    pub const EACH: [TestedSet; 2] = [TestedSet::Disk, TestedSet::Unseen];

    /// Its folder among the mutants, which is also the name of its flag.
    pub fn name(self) -> &'static str {
        match self {
            TestedSet::Disk => "disk",
            TestedSet::Unseen => "unseen",
        }
    }

    /// The programs of tests that kill, as cargo names them.
    pub fn killers(self) -> &'static [&'static str] {
        match self {
            TestedSet::Disk => &["disk", "faults"],
            TestedSet::Unseen => &["loom", "posix", "conformance"],
        }
    }

    /// The package that its patches are of.
    pub fn package(self) -> &'static str {
        match self {
            TestedSet::Disk => "faultline-sim",
            TestedSet::Unseen => "faultline-engine",
        }
    }

    /// What its headers call that which a mutant breaks.
    pub fn broken(self) -> &'static str {
        match self {
            TestedSet::Disk => "rule",
            TestedSet::Unseen => "promise",
        }
    }
}

/// A planted bug that tests must find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestedMutant {
    /// The file's name without `.patch`.
    pub name: String,
    /// The patch.
    pub file: PathBuf,
    /// What it does, in one line.
    pub what: String,
    /// Where it happened, if the set is one of bugs.
    pub source: Option<String>,
    /// The rule or the promise that it breaks.
    pub breaks: String,
    /// The programs of tests that are run.
    pub killers: Vec<String>,
    /// The tests that must fail, all of them.
    pub killed_by: Vec<String>,
}

impl TestedMutant {
    /// The mutants of a set, in order of their names; `dir` is the folder of its folder.
    ///
    /// # Errors
    /// If the folder or a header cannot be read; in words, with the file's name.
    pub fn all(dir: &Path, set: TestedSet) -> Result<Vec<TestedMutant>, String> {
        load_all(&dir.join(set.name()), |name, file, text| {
            TestedMutant::parse(set, name, file, text)
        })
    }

    fn parse(set: TestedSet, name: String, file: &Path, text: &str) -> Result<Self, String> {
        let (source, killers) = match set {
            TestedSet::Disk => (None, set.killers().iter().map(|&name| name.to_owned()).collect()),
            TestedSet::Unseen => (Some(field(text, "source")?), list(&field(text, "killer")?)),
        };
        let known = |killer: &&String| set.killers().contains(&killer.as_str());
        if let Some(killer) = killers.iter().find(|killer| !known(killer)) {
            let there_are = set.killers().join(", ");
            return Err(format!("unknown killer `{killer}`: there are {there_are}"));
        }
        Ok(TestedMutant {
            what: field(text, "what")?,
            source,
            breaks: field(text, set.broken())?,
            killers,
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
    fields(text, key).next().ok_or(format!("the header has no `{key}: ...`"))
}

/// The values of all lines of the header that begin with `key`.
fn fields(text: &str, key: &str) -> impl Iterator<Item = String> {
    let header = text.lines().take_while(|line| !line.starts_with("--- "));
    let values = header.filter_map(move |line| line.strip_prefix(key)?.strip_prefix(": "));
    values.map(|value| value.trim().to_owned())
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
        assert_eq!(mutant.scenario_flags(), ["--scenario=disk_full"]);
        let set = "runs: 20\nset: workload.syncs=1\nset: disk.profiles=[\"xfs\"]\n";
        let set = text.replace("runs: 20\n", set);
        let mutant = Mutant::parse("m".into(), Path::new("m.patch"), &set).expect("a header");
        let flags = "--scenario=disk_full --set=workload.syncs=1 --set=disk.profiles=[\"xfs\"]";
        assert_eq!(mutant.scenario_flags().join(" "), flags);
        let without = text.replace("runs: 20\n", "");
        assert!(Mutant::parse("m".into(), Path::new("m.patch"), &without).is_err());
    }

    #[test]
    fn a_tested_mutant_names_the_tests_that_kill_it() {
        let parse = |set, text: &str| TestedMutant::parse(set, "m".into(), Path::new("m"), text);
        let disk = "what: x\nrule: y\nkilled by: a::b, c\n\n--- a/sim/src/disk/mod.rs\n";
        let mutant = parse(TestedSet::Disk, disk).expect("a header");
        assert_eq!(
            (mutant.killed_by.len(), &mutant.killers[..]),
            (2, &["disk", "faults"].map(str::to_owned)[..])
        );
        assert!(parse(TestedSet::Disk, &disk.replace("killed by: ", "checker: ")).is_err());

        let unseen = "what: x\nsource: y\npromise: 1\nkiller: loom\nkilled by: a\n\n--- a/\n";
        let mutant = parse(TestedSet::Unseen, unseen).expect("a header");
        assert_eq!(
            (mutant.source.as_deref(), &mutant.killers[..]),
            (Some("y"), &["loom".to_owned()][..])
        );
        let unknown = parse(TestedSet::Unseen, &unseen.replace("loom", "lomo"));
        assert_eq!(
            unknown.expect_err("no such program"),
            "unknown killer `lomo`: there are loom, posix, conformance"
        );
        for field in ["source: y\n", "promise: 1\n", "killer: loom\n"] {
            assert!(parse(TestedSet::Unseen, &unseen.replace(field, "")).is_err(), "{field}");
        }
    }

    #[test]
    fn no_two_sets_have_a_mutant_of_the_same_name() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/mutants");
        let mut names: Vec<String> =
            Mutant::all(&dir).expect("reads").into_iter().map(|mutant| mutant.name).collect();
        for set in TestedSet::EACH {
            let mutants = TestedMutant::all(&dir, set).expect("reads");
            assert!(!mutants.is_empty(), "{set:?}");
            names.extend(mutants.into_iter().map(|mutant| mutant.name));
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
