//! What no source of the engine may name, and how it is found under any spelling.
//!
//! A path is looked at after the file's own imports are applied to it, so that grouped imports,
//! renames and half-imported paths (`use std::sync; sync::Mutex`) come to the same. Scopes are not
//! followed: an import counts for the whole file, which errs on the strict side.

use std::collections::BTreeMap;

use crate::source::{Token, is_name, matches};

/// A token that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A path as a `use` or an expression spells it.
#[derive(Clone, Debug)]
struct Path {
    segments: Vec<String>,
    line: usize,
}

/// Names by which a file knows longer paths.
type Imports = BTreeMap<String, Vec<String>>;

/// Names that are banned wherever they stand, with what to use instead.
const NAMES: [(&str, &str); 9] = [
    ("HashMap", "its order is random: BTreeMap"),
    ("HashSet", "its order is random: BTreeSet"),
    ("RandomState", "it is random"),
    ("catch_unwind", "a panic is a bug, not a branch"),
    ("thread_local", "state belongs to the database"),
    ("strong_count", "racy as a decision"),
    ("weak_count", "racy as a decision"),
    ("try_unwrap", "racy as a decision"),
    ("instrument", "the stack of spans is thread-local: events only"),
];

/// Sequences of tokens that are banned, with what to use instead.
const SEQUENCES: [(&[&str], &str); 21] = [
    (&[".", "upgrade", "("], "racy as a decision"),
    (&[">", "::", "upgrade"], "racy as a decision"),
    (&[">", "::", "get_mut"], "racy as a decision on an Arc"),
    (&[">", "::", "into_inner"], "racy as a decision on an Arc"),
    (&[".", "enter", "(", ")"], "a span: events only"),
    (&[".", "entered", "(", ")"], "a span: events only"),
    (&[".", "in_scope", "("], "a span: events only"),
    (&["span", "!"], "a span: events only"),
    (&["trace_span", "!"], "a span: events only"),
    (&["debug_span", "!"], "a span: events only"),
    (&["info_span", "!"], "a span: events only"),
    (&["warn_span", "!"], "a span: events only"),
    (&["error_span", "!"], "a span: events only"),
    (&[".", "exists", "(", ")"], "a file system call: Env"),
    (&[".", "try_exists", "(", ")"], "a file system call: Env"),
    (&[".", "is_dir", "(", ")"], "a file system call: Env"),
    (&[".", "is_file", "(", ")"], "a file system call: Env"),
    (&[".", "is_symlink", "(", ")"], "a file system call: Env"),
    (&[".", "metadata", "(", ")"], "a file system call: Env"),
    (&[".", "canonicalize", "(", ")"], "a file system call: Env"),
    (&[".", "read_dir", "(", ")"], "a file system call: Env"),
];

/// Every violation among `tokens`, by line, each once.
pub(crate) fn violations(tokens: &[Token]) -> Vec<Violation> {
    let (imported, imports, elsewhere) = split_imports(tokens);
    let mut paths = imported;
    paths.extend(paths_in(&elsewhere));
    let mut found: Vec<_> = paths.iter().filter_map(|path| check_path(path, &imports)).collect();
    for (at, token) in tokens.iter().enumerate() {
        let mut add = |name: &str, why: &str| {
            found.push(Violation { line: token.line, what: format!("`{name}`: {why}") });
        };
        for (name, why) in NAMES {
            if token.text == name {
                add(name, why);
            }
        }
        for (sequence, why) in SEQUENCES {
            if matches(tokens, at, sequence) {
                add(&sequence.concat(), why);
            }
        }
        if matches(tokens, at, &["extern", "crate"]) && !matches(tokens, at + 2, &["self"]) {
            add("extern crate", "a name that `use` does not show");
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Why a path may not be named, if so.
fn check_path(path: &Path, imports: &Imports) -> Option<Violation> {
    let resolved = resolve(&path.segments, imports);
    let segments: Vec<_> = resolved.iter().map(String::as_str).collect();
    let why = match segments.as_slice() {
        ["rustix" | "nix" | "libc", ..] => "the operating system: Env",
        ["std" | "core" | "alloc", .., "*"] => "a glob hides what it brings in",
        ["std" | "core" | "alloc", inside @ ..] => check_std(segments[0], inside)?,
        ["tracing", "span" | "Span" | "Instrument" | "*", ..] => "a span: events only",
        [.., "Arc" | "Weak" | "Rc", "into_inner" | "get_mut" | "upgrade"] => "racy as a decision",
        _ => return None,
    };
    Some(Violation { line: path.line, what: format!("`{}`: {why}", segments.join("::")) })
}

/// Why a path into the standard library may not be named, if so.
#[expect(clippy::match_same_arms, reason = "each module's exceptions stand before its rule")]
fn check_std(root: &str, inside: &[&str]) -> Option<&'static str> {
    match inside {
        ["fs" | "os" | "net" | "process", ..] => Some("the operating system: Env"),
        ["env", ..] => Some("results may not depend on the environment"),
        ["thread", ..] => Some("Threads"),
        ["time", "Duration", ..] | ["time"] if root == "core" => None,
        ["time", ..] => Some("Clock, and core::time::Duration"),
        ["sync", "Arc" | "Weak", "into_inner" | "get_mut" | "upgrade", ..] => {
            Some("racy as a decision")
        }
        ["sync"] | ["sync", "Arc" | "Weak", ..] => None,
        ["sync", ..] => Some("the locks and words of Threads"),
        ["io"] | ["io", "ErrorKind", ..] => None,
        ["io", ..] => Some("the operating system: Env"),
        ["collections", "hash_map" | "hash_set", ..] => Some("its order is random: BTreeMap"),
        _ => None,
    }
}

/// Applies the imports to the first segment until it is no imported name.
fn resolve(segments: &[String], imports: &Imports) -> Vec<String> {
    let mut resolved = segments.to_vec();
    // Names of imports may go in circles, as in `use fmt::fmt`.
    for _ in 0..8 {
        match imports.get(&resolved[0]) {
            Some(full) if full[0] != resolved[0] => {
                resolved.splice(0..1, full.iter().cloned());
            }
            Some(full) if resolved.len() == 1 => return full.clone(),
            _ => break,
        }
    }
    resolved
}

/// The paths of all `use` items, the names they define, and all other tokens.
fn split_imports(tokens: &[Token]) -> (Vec<Path>, Imports, Vec<Token>) {
    let (mut paths, mut imports, mut elsewhere) = (Vec::new(), Imports::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        // `use<'a>` captures lifetimes.
        if tokens[at].text == "use" && !matches(tokens, at + 1, &["<"]) {
            let mut tree = UseTree { tokens, at: at + 1, paths: &mut paths, names: &mut imports };
            tree.branch(&[]);
            at = tree.at;
        } else {
            elsewhere.push(tokens[at].clone());
            at += 1;
        }
    }
    (paths, imports, elsewhere)
}

struct UseTree<'a> {
    tokens: &'a [Token],
    at: usize,
    paths: &'a mut Vec<Path>,
    names: &'a mut Imports,
}

impl UseTree<'_> {
    fn take(&mut self, text: &str) -> bool {
        let found = matches(self.tokens, self.at, &[text]);
        self.at += usize::from(found);
        found
    }

    /// One branch below `prefix`, up to its `,`, `}` or `;`.
    fn branch(&mut self, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        while let Some(token) = self.tokens.get(self.at) {
            match token.text.as_str() {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while !self.take("}") && self.at < self.tokens.len() {
                        self.branch(&segments);
                        self.take(",");
                    }
                    return;
                }
                "as" => {
                    let name = self.tokens.get(self.at + 1);
                    let name = name.map_or_else(String::new, |token| token.text.clone());
                    self.at += 2;
                    return self.leaf(segments, name, token.line);
                }
                text if text == "*" || is_name(text) => {
                    self.at += 1;
                    if text != "self" || segments.is_empty() {
                        segments.push(text.to_owned());
                    }
                }
                _ => break,
            }
        }
        if let Some(last) = segments.last().cloned() {
            let line = self.tokens[self.at - 1].line;
            self.leaf(segments, last, line);
        }
    }

    fn leaf(&mut self, segments: Vec<String>, name: String, line: usize) {
        if name != "_" {
            self.names.insert(name, segments.clone());
        }
        self.paths.push(Path { segments, line });
    }
}

/// Every path outside of `use` items; a name by itself is one too.
fn paths_in(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let before = |back: usize| at.checked_sub(back).map(|at| tokens[at].text.as_str());
        // `a.b` is a member, `a..b` is a range.
        let is_member = before(1) == Some(".") && before(2) != Some(".");
        if !is_name(&tokens[at].text) || is_member {
            at += 1;
            continue;
        }
        let line = tokens[at].line;
        let mut segments = vec![tokens[at].text.clone()];
        at += 1;
        while matches(tokens, at, &["::"]) {
            at += 1;
            if matches(tokens, at, &["<"]) {
                at = generics_end(tokens, at);
            } else if let Some(token) = tokens.get(at).filter(|token| is_name(&token.text)) {
                segments.push(token.text.clone());
                at += 1;
            }
        }
        paths.push(Path { segments, line });
    }
    paths
}

/// Past the `>` that closes the `<` at `at`.
fn generics_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "<" => depth += 1,
            ">" if tokens[index - 1].text != "-" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}
