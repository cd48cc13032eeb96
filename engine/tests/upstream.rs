//! `UPSTREAM.md` tells the truth: every test that it names exists, and every row says something.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads the repository's files")]

use std::fs;
use std::path::{Path, PathBuf};

/// One row: LevelDB's test, ours, and the remark.
struct Row<'a> {
    theirs: &'a str,
    ours: Vec<&'a str>,
    remark: &'a str,
}

fn cells(line: &str) -> Option<[&str; 3]> {
    let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
    inner.split('|').map(str::trim).collect::<Vec<_>>().try_into().ok()
}

fn rows(text: &str) -> Vec<Row<'_>> {
    text.lines()
        .filter_map(cells)
        .filter(|[theirs, ..]| *theirs != "LevelDB")
        .map(|[theirs, ours, remark]| {
            let ours = ours.split(", ").filter(|name| !name.is_empty()).collect();
            Row { theirs, ours, remark }
        })
        .collect()
}

/// What is wrong with a row, if anything is.
fn check(row: &Row<'_>, has_test: &dyn Fn(&str) -> bool) -> Option<String> {
    let reasons = ["Different", "Not here: ", "Not yet"];
    let has_reason = reasons.iter().any(|reason| row.remark.starts_with(reason));
    if row.ours.is_empty() && !has_reason {
        return Some(format!("{}: neither a test nor a reason", row.theirs));
    }
    let missing = row.ours.iter().find(|name| {
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        !name.is_some_and(has_test)
    })?;
    Some(format!("{}: there is no test {missing}", row.theirs))
}

/// Whether `FILE::FUNCTION` is a test.
fn has_test(name: &str) -> bool {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some((file, function)) = name.rsplit_once("::") else { return false };
    let folder: PathBuf = match file.split('/').next() {
        Some("sim") => engine.join(".."),
        Some("tests") => engine.to_owned(),
        _ => engine.join("src"),
    };
    let Ok(text) = fs::read_to_string(folder.join(file).with_extension("rs")) else { return false };
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    // Attributes of proptest put a line or two in between.
    let declares = |line: &str| {
        line.strip_prefix("fn ").is_some_and(|rest| rest.split('(').next() == Some(function))
    };
    let is_marked = |at: usize| {
        lines[..at].iter().rev().take_while(|line| !line.is_empty()).any(|line| *line == "#[test]")
    };
    (0..lines.len()).any(|at| declares(lines[at]) && is_marked(at))
}

#[test]
fn every_test_that_is_named_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/UPSTREAM.md");
    let text = fs::read_to_string(path).expect("the list is there");
    let rows = rows(&text);
    assert!(rows.len() > 150, "the list is whole: {} rows", rows.len());
    let wrong: Vec<_> = rows.iter().filter_map(|row| check(row, &has_test)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_rows_are_found() {
    let table = "| LevelDB | here | remark |\n|---|---|---|\n";
    for (row, is_right) in [
        ("| A | `tests/upstream::wrong_rows_are_found` | |", true),
        ("| A | | Not yet. |", true),
        ("| A | `tests/upstream::rows` | no test |", false),
        ("| A | `tests/upstream::nobody` | |", false),
        ("| A | `nowhere::wrong_rows_are_found` | |", false),
        ("| A | tests/upstream::wrong_rows_are_found | |", false),
        ("| A | | |", false),
        ("| A | | Because. |", false),
    ] {
        let text = format!("{table}{row}\n");
        let [row] = &rows(&text)[..] else { panic!("{text}") };
        assert_eq!(check(row, &has_test).is_none(), is_right, "{text}");
    }
}
