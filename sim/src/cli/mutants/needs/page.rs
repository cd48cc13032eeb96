//! The page about needs: which mutants need each checker and each kind of fault.

use serde::Deserialize;

use super::super::super::kept::{Kept, commits};
use super::{HITS, Needed, RUNS_MAX};
use crate::checker;
use crate::fault::FaultKind;

/// Why something is there that nothing needs.
const REASONS: &str = include_str!("../../../../needs.toml");

/// The reasons, by the name of a checker or a kind of fault.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reasons {
    #[serde(default)]
    reason: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    name: String,
    why: String,
}

impl Reasons {
    /// Those of `sim/needs.toml`.
    pub(super) fn load() -> Result<Self, toml::de::Error> {
        toml::from_str(REASONS)
    }

    fn why(&self, name: &str) -> Option<&str> {
        let reason = self.reason.iter().find(|reason| reason.name == name);
        reason.map(|reason| reason.why.as_str())
    }
}

/// The page, of what is kept of the mutants `names`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page<'a> {
    pub(super) names: &'a [&'a str],
    pub(super) kept: &'a Kept<Needed>,
    pub(super) reasons: &'a Reasons,
}

impl Page<'_> {
    fn results(&self) -> impl Iterator<Item = &Needed> {
        self.names.iter().filter_map(|&name| self.kept.get(&name.to_owned()))
    }

    /// The mutants that need `name`.
    fn needing(&self, name: &str) -> Vec<&str> {
        let needing = self
            .results()
            .filter(|needed| needed.needs.iter().flatten().any(|needs| needs == name));
        needing.map(|needed| needed.name.as_str()).collect()
    }

    /// Whether each checker and each kind of fault is needed, or somebody says why it is there.
    pub(super) fn is_explained(&self) -> bool {
        let mut names = checkers().into_iter().chain(faults());
        names.all(|name| !self.needing(name).is_empty() || self.reasons.why(name).is_some())
    }

    /// The page as Markdown.
    pub(super) fn text(&self) -> String {
        let commits = commits(self.results().map(|needed| &needed.commit));
        let mut lines = vec![
            "# What is needed for which mutant\n".to_owned(),
            format!("The output of `sim mutants --needs`, swept at\n{commits}."),
            format!(
                "Each mutant is swept with one checker or one kind of fault switched off. Named \
                 are the\nmutants that are found with all of them, and without this one by \
                 nobody, in as many runs\nas have about {HITS} hits else."
            ),
        ];
        let is_rare = |name: &&str| {
            self.kept.get(&(*name).to_owned()).is_some_and(|needed| needed.needs.is_none())
        };
        let is_missing = |name: &&str| self.kept.get(&(*name).to_owned()).is_none();
        let rare = format!("Left out, because these runs, {RUNS_MAX} at most, had too few hits:");
        lines.extend(self.list(&rare, is_rare));
        lines.extend(self.list("Not swept yet:", is_missing));
        for (what, names) in [("checker", checkers()), ("fault", faults())] {
            lines.push(format!("\n| {what} | needed for |\n|---|---|"));
            lines.extend(names.into_iter().map(|name| self.row(name)));
        }
        lines.join("\n") + "\n"
    }

    /// The mutants that `is_meant`, below `words`; nothing if there are none.
    fn list(&self, words: &str, is_meant: impl Fn(&&str) -> bool) -> Option<String> {
        let names = self.names.iter().copied().filter(is_meant);
        let items: Vec<String> = names.map(|name| format!("- `{name}`")).collect();
        (!items.is_empty()).then(|| format!("\n{words}\n\n{}", items.join("\n")))
    }

    fn row(&self, name: &str) -> String {
        let needing = self.needing(name);
        let words = match self.reasons.why(name) {
            _ if !needing.is_empty() => {
                needing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            }
            Some(why) => format!("no mutant. {why}"),
            None => "no mutant. **Unexplained**".to_owned(),
        };
        format!("| `{name}` | {words} |")
    }
}

/// The names of all checkers, in order.
fn checkers() -> Vec<&'static str> {
    let mut names: Vec<_> = checker::all().iter().map(|checker| checker.name()).collect();
    names.sort_unstable();
    names
}

/// The names of all kinds of faults, in order.
fn faults() -> Vec<&'static str> {
    let mut names: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::mutant::Mutant;

    fn needed(name: &str, commit: &str, needs: Option<&[&str]>) -> Needed {
        let needs = needs.map(|needs| needs.iter().map(|&need| need.to_owned()).collect());
        Needed { name: name.to_owned(), commit: commit.to_owned(), needs }
    }

    #[test]
    fn each_is_needed_or_explained_or_neither() {
        let mut kept = Kept::default();
        kept.insert(needed("a", "c1", Some(&["reads", "sync_error"])));
        kept.insert(needed("b", "c0", Some(&["reads"])));
        kept.insert(needed("c", "c1", None));
        kept.insert(needed("gone", "c2", Some(&["liveness"])));
        let reasons =
            Reasons { reason: vec![Reason { name: "errors".to_owned(), why: "So.".to_owned() }] };
        let page = Page { names: &["a", "b", "c", "d"], kept: &kept, reasons: &reasons };
        let text = page.text();
        for line in [
            "c0, c1.",
            "| `reads` | `a`, `b` |",
            "| `sync_error` | `a` |",
            "| `errors` | no mutant. So. |",
            "| `liveness` | no mutant. **Unexplained** |",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("had too few hits:\n\n- `c`\n"), "{text}");
        assert!(text.contains("Not swept yet:\n\n- `d`\n"), "{text}");
        assert!(!page.is_explained());
        let all: Vec<&str> = checkers().into_iter().chain(faults()).collect();
        kept.insert(needed("a", "c1", Some(&all)));
        let page = Page { names: &["a", "b"], kept: &kept, reasons: &Reasons::default() };
        assert!(page.is_explained());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads files of the repository")]
    fn the_page_of_the_documents_is_what_was_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let patches = root.join("corpus/mutants");
        let mutants = Mutant::all(&patches).expect("reads");
        let names: Vec<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        let kept = Kept::load(&patches.join("needs.jsonl")).expect("reads");
        let reasons = Reasons::load().expect("reads");
        let page = Page { names: &names, kept: &kept, reasons: &reasons };
        assert!(page.is_explained(), "sim/needs.toml lacks a reason");
        let missing: Vec<_> =
            names.iter().filter(|name| kept.get(&(**name).to_owned()).is_none()).collect();
        assert!(missing.is_empty(), "not swept: {missing:?}");
        let shown = std::fs::read_to_string(root.join("docs/needs.md")).expect("reads");
        assert_eq!(shown, page.text(), "put the output of `sim mutants --needs` there");
    }
}
