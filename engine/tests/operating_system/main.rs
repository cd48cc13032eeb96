//! Architecture invariant: the engine reaches the outside world through `Env` alone.
//!
//! No source outside of `env/posix` names the operating system, the standard library's threads,
//! locks, atomics and clocks, or anything whose result is random or depends on the machine. The
//! ban list in `clippy.toml` says the same of types and methods; this test also sees modules,
//! imports, renames and what clippy has no list for. What only tests compile is free.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "a test reads the sources from the file system")]

mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rules::{Violation, violations};
use source::{TestModule, Token, tokens, without_tests};

/// A scanned file.
struct Source {
    tokens: Vec<Token>,
    test_modules: Vec<TestModule>,
}

/// All sources of the engine, by path below `src`.
fn sources() -> BTreeMap<PathBuf, Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the sources is readable") {
            let path = entry.expect("an entry of the sources is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                let (tokens, test_modules) = without_tests(&tokens(&text));
                let below = path.strip_prefix(&root).expect("the walk began at the root");
                found.insert(below.to_owned(), Source { tokens, test_modules });
            }
        }
    }
    found
}

/// The files, and folders of files, that only tests compile.
fn test_paths(sources: &BTreeMap<PathBuf, Source>) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    for (file, source) in sources {
        let folder = file.parent().expect("a file is in a folder");
        for module in &source.test_modules {
            if let Some(path) = &module.path {
                paths.insert(folder.join(path));
                continue;
            }
            let stem = file.file_stem().expect("a file has a name");
            let is_front = stem == "mod" || stem == "lib";
            let below = if is_front { folder.to_owned() } else { folder.join(stem) };
            paths.insert(below.join(format!("{}.rs", module.name)));
            paths.insert(below.join(&module.name));
        }
    }
    paths
}

/// Where the operating system may be named: its environment, and the small tool.
fn is_exempt(file: &Path) -> bool {
    ["env/posix", "env/posix.rs", "bin", "main.rs"].iter().any(|exempt| file.starts_with(exempt))
}

#[test]
fn only_the_environment_names_the_operating_system() {
    let sources = sources();
    let tests = test_paths(&sources);
    let is_test = |file: &Path| file.ancestors().any(|path| tests.contains(path));
    let checked: Vec<_> =
        sources.iter().filter(|(file, _)| !is_test(file) && !is_exempt(file)).collect();
    assert!(checked.len() > 20, "the walk found the sources: {}", checked.len());
    let mut report = Vec::new();
    for (file, source) in checked {
        for Violation { line, what } in violations(&source.tokens) {
            report.push(format!("engine/src/{}:{line}: {what}", file.display()));
        }
    }
    assert!(report.is_empty(), "the engine names the outside world:\n{}", report.join("\n"));
}

/// The rules see what they are meant to see: the environment itself is full of it.
#[test]
fn the_environment_would_not_pass() {
    let sources = sources();
    let posix: Vec<_> = sources.iter().filter(|(file, _)| file.starts_with("env/posix")).collect();
    let found: Vec<_> = posix.iter().flat_map(|(_, source)| violations(&source.tokens)).collect();
    for name in ["`rustix::", "`nix::", "`std::sync::Mutex`", "`std::thread`", "`std::fs::"] {
        let is_seen = found.iter().any(|violation| violation.what.starts_with(name));
        assert!(is_seen, "{name} is in env/posix: {found:#?}");
    }
}

#[test]
fn test_modules_are_known_by_their_declaration() {
    let sources = sources();
    let tests = test_paths(&sources);
    for path in ["test_files.rs", "memtable/skiplist_tests.rs", "db/tests"] {
        assert!(tests.contains(Path::new(path)), "{path} is among {tests:?}");
    }
}

fn check(source: &str) -> Vec<String> {
    let (tokens, _) = without_tests(&tokens(source));
    violations(&tokens).into_iter().map(|violation| violation.what).collect()
}

#[test]
fn planted_lines_are_found() {
    for planted in PLANTED {
        assert!(!check(planted).is_empty(), "passes: {planted}");
        let among_others = format!("fn before() {{}}\n{planted}\nfn after() {{}}\n");
        assert_eq!(check(&among_others), check(planted));
    }
}

#[test]
fn the_line_and_the_resolved_path_are_named() {
    let (tokens, _) = without_tests(&tokens("use std::{fmt,\n  fs as files};\nfn f() {}"));
    let what = "`std::fs`: the operating system: Env".to_owned();
    assert_eq!(violations(&tokens), [Violation { line: 2, what }]);
    assert_eq!(
        check("use std::sync as s; type L = s::Mutex<u8>;"),
        ["`std::sync::Mutex`: the locks and words of Threads"]
    );
}

#[test]
fn innocent_lines_pass() {
    for innocent in INNOCENT {
        assert_eq!(check(innocent), [""; 0], "{innocent}");
    }
}

const PLANTED: &[&str] = &[
    // Modules of the standard library, one by one.
    "use std::fs;",
    "use std::fs::File;",
    "use std::os::unix::fs::FileExt;",
    "use std::os::fd::AsRawFd as _;",
    "use std::net::TcpStream;",
    "use std::process;",
    "fn f() -> u32 { std::process::id() }",
    "use std::env;",
    "fn f() -> bool { std::env::var(\"X\").is_ok() }",
    "use std::thread;",
    "fn f() { std::thread::yield_now() }",
    "use std::time::Instant;",
    "use std::time::SystemTime;",
    "use std::time::Duration;",
    "use std::time;",
    // The crates of the operating system.
    "use rustix::fs::fsync;",
    "fn f() { nix::unistd::sync() }",
    "fn f() { unsafe { libc::abort() } }",
    // Locks, words and cells of the standard library.
    "use std::sync::Mutex;",
    "use std::sync::RwLock;",
    "use std::sync::Condvar;",
    "use std::sync::Once;",
    "use std::sync::OnceLock;",
    "static X: std::sync::LazyLock<u8> = std::sync::LazyLock::new(|| 1);",
    "use std::sync::Barrier;",
    "use std::sync::mpsc::channel;",
    "use std::sync::mpsc;",
    "use std::sync::atomic::AtomicU64;",
    "use core::sync::atomic::{AtomicU64, Ordering};",
    "use std::sync::atomic;",
    // Random order.
    "use std::collections::HashMap;",
    "use std::collections::{BTreeMap, HashSet};",
    "use std::collections::hash_map::Entry;",
    "use std::hash::RandomState;",
    "fn f(map: &hashbrown::HashMap<u8, u8>) {}",
    // Reference counts as decisions.
    "fn f(a: &Arc<u8>) -> usize { Arc::strong_count(a) }",
    "fn f(a: Arc<u8>) { Arc::try_unwrap(a).ok(); }",
    "fn f(a: Arc<u8>) { Arc::into_inner(a); }",
    "fn f(a: &mut Arc<u8>) { Arc::get_mut(a); }",
    "fn f(a: &mut Arc<u8>) { Arc::<u8>::get_mut(a); }",
    "fn f(a: &mut Arc<u8>) { <Arc<u8>>::get_mut(a); }",
    "fn f(a: &mut Arc<u8>) { std::sync::Arc::get_mut(a); }",
    "use std::sync::Arc as Shared; fn f(a: &mut Shared<u8>) { Shared::get_mut(a); }",
    "fn f(w: &Weak<u8>) { Weak::upgrade(w); }",
    "fn f(w: &Weak<u8>) { w.upgrade(); }",
    "fn f(w: &Option<Weak<u8>>) { w.as_ref().and_then(Weak::upgrade); }",
    // Panics, thread-locals, spans.
    "fn f() { std::panic::catch_unwind(|| ()).ok(); }",
    "use std::panic::catch_unwind;",
    "thread_local! { static X: u8 = 1; }",
    "std::thread_local! { static X: u8 = 1; }",
    "fn f() { let s = tracing::span!(Level::INFO, \"x\"); }",
    "fn f() { let s = tracing::info_span!(\"x\"); }",
    "use tracing::debug_span; fn f() { let s = debug_span!(\"x\"); }",
    "#[instrument] fn f() {}",
    "#[tracing::instrument(skip_all)] fn f() {}",
    "fn f(s: &Span) { let _guard = s.enter(); }",
    "fn f(s: Span) { let _guard = s.entered(); }",
    "fn f(s: &Span) { s.in_scope(|| ()); }",
    "use tracing::Span;",
    // The file system by the methods of a path.
    "fn f(p: &Path) -> bool { p.exists() }",
    "fn f(p: &Path) -> bool { p.is_dir() }",
    "fn f(p: &Path) { p.metadata().ok(); }",
    "use std::io::stdin;",
    "fn f() { std::io::stderr(); }",
    // The same by other spellings.
    "use std::{fmt, fs};",
    "use std::{fmt, sync::{Arc, Mutex}};",
    "use std::{\n  fmt,\n  sync::{\n    Arc,\n    atomic::{AtomicU8, Ordering},\n  },\n};",
    "use ::std::fs;",
    "fn f() { ::std::fs::read(\"x\").ok(); }",
    "pub(crate) use std::thread as worker;",
    "use std::sync; fn f() -> sync::Mutex<u8> { sync::Mutex::new(1) }",
    "use std::sync::{self as locks}; type L = locks::RwLock<u8>;",
    "use std as system; fn f() { system::process::exit(1) }",
    "use std as a; use a::sync as b; use b::Mutex as C;",
    "use std::*;",
    "use std::sync::*;",
    "extern crate std as system;",
    "extern crate libc;",
    "use r#std::fs;",
    "use std :: /* here */ fs;",
    "macro_rules! m { () => { std::thread::spawn(|| ()) }; }",
    "fn f() { let x = '\\''; std::fs::read(\"x\").ok(); }",
    "fn f<'a>(x: &'a str) { std::fs::read(x).ok(); }",
    "fn f() { let x = r#\"\"#; std::fs::read(x).ok(); }",
    "fn f() { for _ in 0..std::thread::available_parallelism().unwrap().get() {} }",
    // Beside a test, and under the opposite of one.
    "#[cfg(test)] mod tests { use std::fs; } use std::fs;",
    "#[cfg(not(test))] use std::fs;",
    "#[cfg(test)] use std::fs; use std::net;",
];

const INNOCENT: &[&str] = &[
    "use std::sync::Arc;",
    "use std::sync::{Arc, Weak};",
    "use std::sync; fn f(a: &sync::Arc<u8>) -> sync::Arc<u8> { sync::Arc::clone(a) }",
    "use std::path::{Path, PathBuf};",
    "use std::ffi::OsString;",
    "use std::io; fn f() -> io::ErrorKind { io::ErrorKind::NotFound }",
    "use core::time::Duration;",
    "use core::{fmt, time::Duration};",
    "use std::collections::{BTreeMap, BTreeSet, VecDeque};",
    "use std::alloc::{Layout, alloc};",
    "use crate::env::{Env, Mutex, Condvar}; fn f(m: &Mutex<R, u8>) { m.lock(); }",
    "mod env; mod time; use env::Threads; fn f() { env::fs(); time::now(); }",
    "fn f(queue: &Queue) { queue.enter(Request::Sync); }",
    "fn f(env: &impl Env) { env.exists(path); env.metadata(path); }",
    "fn f(v: &mut Vec<u8>) { v.get_mut(0); }",
    "fn f(s: &S) { s.process.thread.fs(); }",
    "fn f() { tracing::debug!(target: \"faultline\", span = 1, \"std::fs\"); }",
    "// use std::fs;\n/* use std::fs; /* nested */ use std::net; */ fn f() {}",
    "//! use std::fs;\n/// use std::fs;\nfn f() {}",
    "fn f() -> &'static str { \"use std::fs; \\\" std::net\" }",
    "fn f() -> &'static str { r#\"use std::fs; \"std::net\" \"# }",
    "fn f() -> char { '\"' } fn g() -> u8 { b'\"' } // std::fs",
    "#[cfg(test)] mod tests { use std::fs; fn f() { std::thread::yield_now(); } }",
    "#[cfg(test)] use std::fs;",
    "#[cfg(all(test, loom))] use std::fs;",
    "#[cfg(test)] #[path = \"x.rs\"] mod x;",
    "#[cfg(test)] fn f(a: u8, b: &[u8; 3]) -> u8 { std::process::exit(1) }",
];
