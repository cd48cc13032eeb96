//! The habits of the repository that a machine can check.
//!
//! Walks the whole repository, not one crate. What rustfmt and clippy check is left to them; what
//! they pass over is here: the doc at the head of a file, the length of lines (rustfmt leaves
//! strings and comments as they are) and of files, and the settings that decide whether clippy
//! looks at all.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads the repository's files")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const COLUMNS_MAX: usize = 100;
const LINES_MAX: usize = 450;
/// What can be read in one go.
const MAP_LINES_MAX: usize = 150;

/// Files that may be longer, and why. An entry that is no longer needed is an error.
const LONG_FILES: [(&str, &str); 0] = [];

/// What a file is judged as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rust,
    /// Markdown and shell.
    Prose,
    Toml,
    /// Snapshots, patches and whatever else programs write: not judged.
    Other,
}

fn kind(path: &str) -> Kind {
    match Path::new(path).extension().and_then(|extension| extension.to_str()) {
        Some("rs") => Kind::Rust,
        Some("md" | "sh") => Kind::Prose,
        Some("toml") => Kind::Toml,
        None if path.starts_with(".ci/") || path.starts_with("LICENSE") => Kind::Prose,
        _ => Kind::Other,
    }
}

/// A needle that this file must not contain itself.
fn joined(parts: [&str; 2]) -> String {
    parts.concat()
}

/// Everything wrong with one file, as `path:line: what`.
fn check_file(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let kind = kind(path);
    if kind == Kind::Other {
        return found;
    }
    let mut in_fence = false;
    for (index, line) in text.lines().enumerate() {
        in_fence ^= line.starts_with("```");
        let mut add = |what: &str| found.push(format!("{path}:{}: {what}", index + 1));
        if !line.is_ascii() {
            add("not ASCII");
        }
        // What a program printed and a row of a table cannot be wrapped; nor can a TOML value.
        let can_wrap = kind == Kind::Rust
            || (kind == Kind::Prose && !in_fence && !line.starts_with('|') && !line.contains("]("));
        if can_wrap && line.chars().count() > COLUMNS_MAX {
            add("longer than 100 columns");
        }
        let homes = [["/ho", "me/"], ["/ro", "ot/"], ["/wo", "rk/"]];
        if homes.into_iter().any(|home| names_a_machine(line, &joined(home))) {
            add("names a path of one machine");
        }
        if kind == Kind::Rust {
            check_rust_line(line, &mut add);
        }
    }
    if kind == Kind::Rust {
        if !text.starts_with("//! ") {
            found.push(format!("{path}:1: begins without a `//!` doc"));
        }
        let is_long = text.lines().count() > LINES_MAX;
        let is_listed = LONG_FILES.iter().any(|(long, _)| *long == path);
        if is_long && !is_listed {
            found.push(format!("{path}: longer than {LINES_MAX} lines"));
        }
        if is_listed && !is_long {
            found.push(format!("{path}: no longer long, so off the list with it"));
        }
    }
    if path == "ARCHITECTURE.md" && text.lines().count() > MAP_LINES_MAX {
        found.push(format!("{path}: longer than {MAP_LINES_MAX} lines"));
    }
    if path.starts_with("scenarios/") && kind == Kind::Toml && !has_about(text) {
        found.push(format!("{path}: has no `about`"));
    }
    if path.ends_with("/Cargo.toml") && !inherits_lints(text) {
        found.push(format!("{path}: has no `[lints] workspace = true`"));
    }
    found
}

/// An absolute path below `home`, rather than a path that has such a folder in its middle.
fn names_a_machine(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
    })
}

fn check_rust_line(line: &str, add: &mut impl FnMut(&str)) {
    let code = line.split("//").next().unwrap_or(line);
    for parts in [["to", "do!"], ["unimplemen", "ted!"], ["db", "g!"]] {
        if code.contains(&joined(parts)) {
            add("unfinished code");
        }
    }
    let is_ignored = code.contains(&joined(["#[igno", "re"]))
        || (code.contains("#[cfg_attr(") && code.contains(&joined(["igno", "re)]"])));
    if is_ignored {
        add("a test that does not run: assert today's behaviour instead");
    }
    if line.trim_start().starts_with("//") && line.contains(&joined(["```igno", "re"])) {
        add("an example that is not compiled");
    }
}

fn has_about(text: &str) -> bool {
    let table = text.parse::<toml::Table>().ok();
    let about = table.as_ref().and_then(|table| table.get("about")).and_then(toml::Value::as_str);
    about.is_some_and(|about| !about.trim().is_empty())
}

fn inherits_lints(text: &str) -> bool {
    let table = text.parse::<toml::Table>().ok();
    let lints = table.as_ref().and_then(|table| table.get("lints"));
    lints.and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

/// Everything wrong with the set of files.
fn check_tree(paths: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let clippy: Vec<_> =
        paths.iter().filter(|path| path.rsplit('/').next().is_some_and(is_clippy_file)).collect();
    if clippy != ["clippy.toml"] {
        found.push(format!(
            "clippy.toml is not the only one, and a crate's replaces it: {clippy:?}"
        ));
    }
    for (path, _) in LONG_FILES {
        if !paths.iter().any(|found| found == path) {
            found.push(format!("{path}: is on the list of long files and does not exist"));
        }
    }
    found
}

fn is_clippy_file(name: &str) -> bool {
    name == "clippy.toml" || name == ".clippy.toml"
}

/// The patches that are named nowhere, and the names of patches that are not there. Those of a
/// sweep are rows of the README, with what was measured; those of a folder below, which tests must
/// find, stand in tables of the corpus's.
fn check_mutants(paths: &[String], readme: &str, corpus: &str) -> Vec<String> {
    let patches = |is_below: bool| -> BTreeSet<&str> {
        let paths = paths.iter().filter_map(|path| path.strip_prefix("corpus/mutants/"));
        let names = paths.filter_map(|path| path.strip_suffix(".patch"));
        let names = names.filter(|name| name.contains('/') == is_below);
        names.map(|name| name.rsplit('/').next().unwrap_or(name)).collect()
    };
    let rows =
        |text| str::lines(text).filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let measured = rows(readme).map(|row| row.split(" | ").collect::<Vec<_>>());
    let measured = measured.filter(|cells| cells.get(1).is_some_and(|cell| is_share(cell)));
    let measured: BTreeSet<&str> = measured.map(|cells| cells[0]).collect();
    let listed = rows(corpus).filter_map(|row| {
        let names = row.rsplit(" | ").next().unwrap_or(row).split(", ");
        names.map(quoted_name).collect::<Option<Vec<_>>>()
    });
    let listed: BTreeSet<&str> = listed.flatten().collect();
    let mut found = Vec::new();
    for (file, named, there) in
        [("README.md", measured, patches(false)), ("corpus/README.md", listed, patches(true))]
    {
        let lacks = there.difference(&named).map(|name| format!("{file}: does not name {name}"));
        found.extend(lacks);
        let more = named.difference(&there).map(|name| format!("{file}: {name} is no patch"));
        found.extend(more);
    }
    found
}

/// What may be the name of a patch, out of its quotes.
fn quoted_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('`')?.strip_suffix('`')?;
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-').then_some(name)
}

/// Whether it says so many of so many.
fn is_share(cell: &str) -> bool {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    cell.split_once('/').is_some_and(|(part, whole)| is_number(part) && is_number(whole))
}

/// Every file of the repository but what a build or a run leaves, with its path from the root.
fn repository() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root)];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository is readable") {
            let path = entry.expect("an entry of the repository is readable").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy();
            let below = format!("{prefix}{name}");
            // A folder with a `.git` of its own is another checkout.
            if path.is_dir() && !path.join(".git").exists() {
                if !matches!(below.as_str(), "target" | ".git" | "corpus/pending") {
                    folders.push((format!("{below}/"), path));
                }
            } else if path.is_file() && below != ".git" {
                files.push((below, path));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_repository_is_tidy() {
    let files = repository();
    let paths: Vec<_> = files.iter().map(|(below, _)| below.clone()).collect();
    for expected in ["Cargo.toml", "engine/src/lib.rs", "sim/tests/tidy.rs"] {
        assert!(paths.iter().any(|path| path == expected), "the walk missed {expected}");
    }
    assert!(paths.iter().any(|path| path.starts_with("scenarios/")));
    let mut found = check_tree(&paths);
    for (below, path) in &files {
        if kind(below) != Kind::Other {
            let text = fs::read(path).expect("a file of the repository is readable");
            found.extend(check_file(below, &String::from_utf8_lossy(&text)));
        }
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_mutant_is_named_where_it_is_told_of() {
    let files = repository();
    let paths: Vec<_> = files.iter().map(|(below, _)| below.clone()).collect();
    let text = |name: &str| {
        let (_, path) = files.iter().find(|(below, _)| below == name).expect(name);
        fs::read_to_string(path).expect("a file of the repository is readable")
    };
    let found = check_mutants(&paths, &text("README.md"), &text("corpus/README.md"));
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_mutant_that_is_not_named_is_found() {
    let paths = ["a", "disk/b", "disk/c"].map(|name| format!("corpus/mutants/{name}.patch"));
    let readme = "| mutant | hits |\n|---|---|\n| a | 3/40 | 1 |\n";
    let corpus = "| rules | mistakes |\n|---|---|\n| a rule: `x` | `b`, `c` |\n| `x` | words |\n";
    assert_eq!(check_mutants(&paths, readme, corpus), [""; 0]);
    for (readme, corpus, expected) in [
        (
            "| b | 3/40 | 1 |",
            corpus,
            &["README.md: does not name a", "README.md: b is no patch"][..],
        ),
        ("| a | 3 of 40 | 1 |", corpus, &["README.md: does not name a"]),
        (readme, "| a rule | `b` |", &["corpus/README.md: does not name c"]),
        (readme, "| a rule | `b`, `c`, `a` |", &["corpus/README.md: a is no patch"]),
    ] {
        assert_eq!(check_mutants(&paths, readme, corpus), expected);
    }
}

#[test]
fn planted_files_are_found() {
    let rust = |body: &str| format!("//! A doc.\n{body}\n");
    let long_line = format!("// {}", "x".repeat(98));
    let planted = [
        ("a/src/x.rs", "fn f() {}\n".to_owned(), "begins without a `//!` doc"),
        ("a/src/x.rs", String::new(), "begins without a `//!` doc"),
        ("a/src/x.rs", "//!\n".to_owned(), "begins without a `//!` doc"),
        ("a/src/x.rs", rust(&long_line), "longer than 100 columns"),
        ("README.md", long_line.clone(), "longer than 100 columns"),
        (".ci/run", long_line.clone(), "longer than 100 columns"),
        ("a/src/x.rs", rust(&"\n".repeat(450)), "longer than 450 lines"),
        ("ARCHITECTURE.md", "\n".repeat(151), "longer than 150 lines"),
        ("a/src/x.rs", rust("// caf\u{e9}"), "not ASCII"),
        ("scenarios/x.toml", "about = \"caf\u{e9}\"".to_owned(), "not ASCII"),
        ("a/src/x.rs", rust(&joined(["to", "do!()"])), "unfinished code"),
        ("a/src/x.rs", rust(&joined(["    db", "g!(x);"])), "unfinished code"),
        ("a/src/x.rs", rust(&joined(["unimplemen", "ted!()"])), "unfinished code"),
        ("a/tests/x.rs", rust(&joined(["#[igno", "re]"])), "does not run"),
        ("a/tests/x.rs", rust(&joined(["#[igno", "re = \"slow\"]"])), "does not run"),
        ("a/tests/x.rs", rust(&joined(["#[cfg_attr(a, igno", "re)]"])), "does not run"),
        ("a/src/x.rs", rust(&joined(["/// ```igno", "re"])), "not compiled"),
        ("a/src/x.rs", rust(&joined(["// see /ho", "me/me/notes"])), "path of one machine"),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n".to_owned(), "has no `[lints]"),
        ("a/Cargo.toml", "[lints]\nworkspace = false\n".to_owned(), "has no `[lints]"),
        ("scenarios/x.toml", "[workload]\n".to_owned(), "has no `about`"),
        ("scenarios/x.toml", "about = \"  \"\n".to_owned(), "has no `about`"),
        ("scenarios/x.toml", "not TOML".to_owned(), "has no `about`"),
    ];
    for (path, text, expected) in planted {
        let found = check_file(path, &text);
        assert_eq!(found.len(), 1, "{path}: {text:?}: {found:?}");
        assert!(found[0].contains(expected), "{found:?} lacks {expected}");
    }
}

#[test]
fn innocent_files_pass() {
    let innocent = [
        ("a/src/x.rs", format!("//! A doc.\n// {}\n", "x".repeat(97))),
        ("a/src/x.rs", format!("//! A doc.\n{}", "\n".repeat(449))),
        ("a/src/x.rs", "//! A doc.\n// Names the folder a/home/b.\n".to_owned()),
        ("a/Cargo.toml", "[lints]\nworkspace = true\n".to_owned()),
        ("Cargo.toml", "[workspace]\n".to_owned()),
        ("scenarios/x.toml", "about = \"A story.\"\n".to_owned()),
        ("README.md", format!("| {} |\n```\n{}\n```\n", "x".repeat(120), "x".repeat(120))),
        ("ARCHITECTURE.md", "\n".repeat(150)),
        ("README.md", "\n".repeat(151)),
        ("a/tests/snapshots/x.snap", "\u{2502}".repeat(200)),
    ];
    for (path, text) in innocent {
        assert_eq!(check_file(path, &text), [""; 0], "{path}");
    }
}

#[test]
fn the_set_of_files_is_checked() {
    let paths = |more: &[&str]| -> Vec<String> {
        let long = LONG_FILES.iter().map(|(path, _)| *path);
        long.chain(more.iter().copied()).map(str::to_owned).collect()
    };
    assert_eq!(check_tree(&paths(&["clippy.toml"])), [""; 0]);
    assert_eq!(check_tree(&paths(&["clippy.toml", "sim/clippy.toml"])).len(), 1);
    assert_eq!(check_tree(&paths(&["clippy.toml", "engine/.clippy.toml"])).len(), 1);
    assert_eq!(check_tree(&paths(&[])).len(), 1);
    assert_eq!(check_tree(&["clippy.toml".to_owned()]).len(), LONG_FILES.len());
}
