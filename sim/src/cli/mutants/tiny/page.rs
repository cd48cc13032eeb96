//! The page about the tiny scenarios, as Markdown.

use super::super::super::kept::{Kept, commits};
use super::{Cell, FLAGS};
use crate::report::counted;

/// Mutants that each scenario has to find.
const NEEDED: usize = 3;

pub(super) struct Page<'a> {
    /// Names of all mutants.
    pub(super) zoo: &'a [&'a str],
    /// Names of the scenarios.
    pub(super) tiny: &'a [&'a str],
    /// What there is to tell, all of it about these.
    pub(super) kept: &'a Kept<Cell>,
}

impl Page<'_> {
    fn cell(&self, name: &str, scenario: &str) -> Option<&Cell> {
        self.kept.get(&(name.to_owned(), scenario.to_owned()))
    }

    /// Mutants of which something was not tried.
    pub(super) fn untried(&self) -> Vec<&str> {
        let is_untried =
            |name: &&str| self.tiny.iter().any(|scenario| self.cell(name, scenario).is_none());
        self.zoo.iter().copied().filter(is_untried).collect()
    }

    fn finds(&self, scenario: &str) -> usize {
        let cells = self.zoo.iter().filter_map(|name| self.cell(name, scenario));
        cells.filter(|cell| cell.found.is_some()).count()
    }

    /// Whether each scenario finds as many as it has to.
    pub(super) fn is_enough(&self) -> bool {
        self.tiny.iter().all(|scenario| self.finds(scenario) >= NEEDED)
    }

    /// The whole page.
    pub(super) fn text(&self) -> String {
        let commits = commits(self.kept.all().map(|cell| &cell.commit));
        let untried = match self.untried().len() {
            0 => String::new(),
            some => format!("Not all was tried yet of {}.\n\n", counted(some, "mutant")),
        };
        let head = format!(
            "# What the tiny scenarios find\n\n\
             The output of `sim mutants --exhaust` at {commits}.\n\
             Each mutant is planted, and each scenario exhausted with\n\
             `{FLAGS}`, up to the first counterexample.\n\
             A cell has the checkers that fire there; `-` where there is none, `?` where it was \
             not tried.\n\n{untried}"
        );
        let short = |name: &&str| name.trim_start_matches("tiny_").to_owned();
        let columns: Vec<String> = self.tiny.iter().map(short).collect();
        let mut lines = vec!["| scenario | finds |".to_owned(), "|---|--:|".to_owned()];
        for scenario in self.tiny {
            lines.push(format!("| `{scenario}` | {} |", self.finds(scenario)));
        }
        lines.push(String::new());
        lines.push(format!("| mutant | {} |", columns.join(" | ")));
        lines.push(format!("|---|{}", "---|".repeat(columns.len())));
        let is_tried = |name: &&str| self.tiny.iter().any(|tiny| self.cell(name, tiny).is_some());
        let (tried, untried): (Vec<&str>, Vec<&str>) = self.zoo.iter().copied().partition(is_tried);
        for name in &tried {
            let row = self.tiny.iter().map(|scenario| words(self.cell(name, scenario)));
            lines.push(format!("| `{name}` | {} |", row.collect::<Vec<_>>().join(" | ")));
        }
        let is_found = |name: &&&str| {
            let mut cells = self.tiny.iter().filter_map(|scenario| self.cell(name, scenario));
            cells.any(|cell| cell.found.is_some())
        };
        let found = tried.iter().filter(is_found).count();
        lines.push(format!("\n{found} of {} are found by one of them or more.\n", tried.len()));
        if !untried.is_empty() {
            lines.push("Not tried on any yet:\n".to_owned());
            lines.extend(untried.iter().map(|name| format!("- `{name}`")));
            lines.push(String::new());
        }
        head + &lines.join("\n")
    }
}

fn words(cell: Option<&Cell>) -> String {
    match cell.map(|cell| &cell.found) {
        None => "?".to_owned(),
        Some(None) => "-".to_owned(),
        Some(Some(found)) => found.checkers.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Found, tiny};
    use super::*;
    use crate::mutant::Mutant;

    fn cell(name: &str, scenario: &str, checkers: &[&str]) -> Cell {
        let checkers: Vec<String> = checkers.iter().map(|&checker| checker.to_owned()).collect();
        Cell {
            name: name.to_owned(),
            scenario: scenario.to_owned(),
            digest: "0123abcd".to_owned(),
            commit: "c0ffee".to_owned(),
            tried: 70,
            found: Some(Found { seed: 3, checkers }).filter(|found| !found.checkers.is_empty()),
        }
    }

    #[test]
    fn the_page_tells_found_from_not_found_and_from_not_tried() {
        let mut kept = Kept::default();
        for name in ["a", "b", "c"] {
            kept.insert(cell(name, "tiny_flush", &["reads", "recovery"]));
        }
        kept.insert(cell("a", "tiny_reader", &["durability"]));
        kept.insert(cell("b", "tiny_reader", &[]));
        let (zoo, tiny) = (["a", "b", "c", "d"], ["tiny_flush", "tiny_reader"]);
        let page = Page { zoo: &zoo, tiny: &tiny, kept: &kept };
        let text = page.text();
        for line in [
            "The output of `sim mutants --exhaust` at c0ffee.",
            "Not all was tried yet of 2 mutants.",
            "| `tiny_flush` | 3 |",
            "| `tiny_reader` | 1 |",
            "| mutant | flush | reader |",
            "| `a` | reads, recovery | durability |",
            "| `b` | reads, recovery | - |",
            "| `c` | reads, recovery | ? |",
            "3 of 3 are found by one of them or more.",
            "- `d`",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert_eq!((page.untried(), page.is_enough()), (vec!["c", "d"], false));
        for (name, scenario) in
            [("b", "tiny_reader"), ("c", "tiny_reader"), ("d", "tiny_reader"), ("d", "tiny_flush")]
        {
            kept.insert(cell(name, scenario, &["errors"]));
        }
        let page = Page { zoo: &zoo, tiny: &tiny, kept: &kept };
        assert!(page.untried().is_empty() && page.is_enough());
        assert!(!page.text().contains("Not all"), "{}", page.text());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads files of the repository")]
    fn the_page_of_the_documents_is_what_was_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let dir = root.join("corpus/mutants");
        let (zoo, tiny) = (Mutant::all(&dir).expect("reads"), tiny().expect("they are right"));
        let mut kept = Kept::<Cell>::load(&dir.join("tiny.jsonl")).expect("reads");
        kept.retain(|cell| cell.is_fresh(&zoo, &tiny));
        let zoo: Vec<&str> = zoo.iter().map(|mutant| mutant.name.as_str()).collect();
        let tiny: Vec<&str> = tiny.iter().map(|scenario| scenario.name.as_str()).collect();
        let page = Page { zoo: &zoo, tiny: &tiny, kept: &kept };
        let shown = std::fs::read_to_string(root.join("docs/tiny.md")).expect("reads");
        assert_eq!(shown, page.text(), "put the output of `sim mutants --exhaust` there");
        assert!(page.is_enough(), "a tiny scenario finds too few mutants");
    }
}
