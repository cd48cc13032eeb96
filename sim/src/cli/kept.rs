//! [`Kept`]: what a long command has come to so far, on file, so that it goes on where it ended.

#![expect(clippy::disallowed_methods, reason = "a file of the repository")]

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A result that is kept.
pub(super) trait Keep: Serialize + DeserializeOwned {
    /// What it is the result of.
    type Key: Ord;

    /// Of several results with one key the last is kept.
    fn key(&self) -> Self::Key;
}

/// The results on file, one JSON object a line, in the order of their keys.
#[derive(Clone, Debug)]
pub(super) struct Kept<T: Keep> {
    results: BTreeMap<T::Key, T>,
}

impl<T: Keep> Default for Kept<T> {
    fn default() -> Self {
        Kept { results: BTreeMap::new() }
    }
}

impl<T: Keep> Kept<T> {
    /// Reads `file`; empty if there is none.
    pub(super) fn load(file: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Kept::default()),
            text => text.map_err(|error| format!("{}: {error}", file.display()))?,
        };
        let mut kept = Kept::default();
        for (index, line) in text.lines().enumerate() {
            let result = serde_json::from_str(line)
                .map_err(|error| format!("{}, line {}: {error}", file.display(), index + 1))?;
            kept.insert(result);
        }
        Ok(kept)
    }

    pub(super) fn insert(&mut self, result: T) {
        self.results.insert(result.key(), result);
    }

    pub(super) fn get(&self, key: &T::Key) -> Option<&T> {
        self.results.get(key)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.results.values()
    }

    pub(super) fn len(&self) -> usize {
        self.results.len()
    }

    /// Forgets what `is_wanted` does not hold for.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        self.results.retain(|_, result| is_wanted(result));
    }

    /// Adds `result`, and writes `file`: an end by force loses only what was under way.
    pub(super) fn add(&mut self, result: T, file: &Path) -> Result<(), String> {
        self.insert(result);
        self.save(file)
    }

    /// Writes `file`, by way of another one: it has all of the old results or all of the new.
    pub(super) fn save(&self, file: &Path) -> Result<(), String> {
        let lines: String = self.all().map(|result| json!(result).to_string() + "\n").collect();
        let mut new = file.as_os_str().to_owned();
        new.push(".new");
        let written = std::fs::write(&new, lines).and_then(|()| std::fs::rename(&new, file));
        written.map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// Commits in a line of a page.
const COMMITS_A_LINE: usize = 6;

/// The commits that results are of, each once, for the head of a page.
pub(super) fn commits<'a>(of: impl Iterator<Item = &'a String>) -> String {
    let mut commits: Vec<&str> = of.map(String::as_str).collect();
    commits.sort_unstable();
    commits.dedup();
    let lines: Vec<String> = commits.chunks(COMMITS_A_LINE).map(|line| line.join(", ")).collect();
    lines.join(",\n")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
    struct Sum {
        of: String,
        is: u64,
    }

    impl Keep for Sum {
        type Key = String;

        fn key(&self) -> String {
            self.of.clone()
        }
    }

    fn sum(of: &str, is: u64) -> Sum {
        Sum { of: of.to_owned(), is }
    }

    #[test]
    fn what_was_added_is_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("sums");
        let mut kept = Kept::load(&file).expect("none yet");
        kept.add(sum("b", 1), &file).expect("writes");
        kept.add(sum("a", 2), &file).expect("writes");
        kept.add(sum("b", 3), &file).expect("writes");
        let mut read = Kept::<Sum>::load(&file).expect("reads");
        assert_eq!(read.all().collect::<Vec<_>>(), [&sum("a", 2), &sum("b", 3)]);
        assert_eq!((read.get(&"b".to_owned()), read.len()), (Some(&sum("b", 3)), 2));
        let names = std::fs::read_dir(dir.path()).expect("lists").count();
        assert_eq!(names, 1, "nothing is left of the writing");
        read.retain(|sum| sum.is > 2);
        read.save(&file).expect("writes");
        assert_eq!(std::fs::read_to_string(&file).expect("reads"), "{\"is\":3,\"of\":\"b\"}\n");
    }

    #[test]
    fn what_cannot_be_read_or_written_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("sums");
        std::fs::write(&file, "{\"of\":\"a\",\"is\":1}\n{}\n").expect("writes");
        let refused = Kept::<Sum>::load(&file).expect_err("no sum");
        assert!(refused.contains("sums, line 2: missing field"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).expect("reads").lines().count(), 2);
        let nowhere = dir.path().join("missing/sums");
        let refused = Kept::default().add(sum("a", 1), &nowhere).expect_err("no folder");
        assert!(refused.contains("missing/sums: "), "{refused}");
    }
}
