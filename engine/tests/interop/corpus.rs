//! The databases in `corpus/format`, which real LevelDB wrote.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use faultline::env::posix::PosixEnv;
use faultline::key::InternalKeyComparator;
use faultline::table::{BloomFilter, FilterPolicy};
use faultline::verify::verify;
use faultline::version::recover;
use faultline::{Db, Options};

use crate::leveldb::{Entries, Peer, copy_dir, parse_dump};
use crate::script;

/// One of the databases.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) script: String,
    pub(crate) expected: Entries,
    dir: PathBuf,
}

impl Sample {
    /// A copy that a test may change, at a place that does not exist yet.
    pub(crate) fn copy_to(&self, to: &Path) {
        copy_dir(&self.dir, to);
    }
}

/// All of them, in the order of their names.
pub(crate) fn samples() -> Vec<Sample> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/format");
    let folders = fs::read_dir(root).expect("the corpus is there");
    let mut folders: Vec<_> = folders.map(|entry| entry.expect("lists").path()).collect();
    folders.sort();
    let text = |path: PathBuf| {
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let samples: Vec<_> = folders
        .into_iter()
        .map(|folder| Sample {
            name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
            script: text(folder.join("script")),
            expected: parse_dump(&text(folder.join("expected"))),
            dir: folder.join("db"),
        })
        .collect();
    assert!(samples.len() >= 10, "the corpus is whole: {}", samples.len());
    samples
}

/// All that Faultline finds in the database in `dir`: by a walk forwards, one backwards, and a get
/// of every key, which must agree.
pub(crate) fn read_all(dir: &Path) -> Entries {
    // With the policy at hand the gets go through the filters, if the tables have any.
    let filter_policy: Option<Arc<dyn FilterPolicy>> = Some(Arc::new(BloomFilter::new(10)));
    let options = Options { filter_policy, ..Options::default() };
    let db = Db::open(PosixEnv::new(), dir, options);
    let db = db.unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let entries = read_open(&db);
    db.close().expect("closes");
    entries
}

/// The same of a database that is open.
pub(crate) fn read_open(db: &Db) -> Entries {
    let mut iter = db.iter().expect("reads");
    let mut forwards = Vec::new();
    iter.seek_to_first();
    while iter.valid() {
        forwards.push((iter.key().to_vec(), iter.value().to_vec()));
        iter.next();
    }
    iter.status().expect("reads");
    let mut backwards = Vec::new();
    iter.seek_to_last();
    while iter.valid() {
        backwards.push((iter.key().to_vec(), iter.value().to_vec()));
        iter.prev();
    }
    iter.status().expect("reads");
    backwards.reverse();
    assert!(forwards.is_sorted_by(|a, b| a.0 < b.0), "a walk ascends");
    assert!(forwards == backwards, "both walks agree");
    for (key, value) in &forwards {
        let found = db.get(key).expect("reads");
        assert!(found.as_deref() == Some(value), "a get agrees at {}", key.escape_ascii());
    }
    forwards.into_iter().collect()
}

/// Equal, or which key differs first: whole databases are too long for a message.
#[track_caller]
pub(crate) fn assert_same(name: &str, found: &Entries, expected: &Entries) {
    let keys = found.keys().chain(expected.keys());
    let differing = keys.filter(|&key| found.get(key) != expected.get(key)).min();
    let place = differing.map(|key| key.escape_ascii().to_string());
    assert_eq!(place, None, "{name}: the first key that differs");
}

#[test]
fn faultline_reads_what_leveldb_wrote() {
    for sample in samples() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("db");
        sample.copy_to(&dir);
        assert_same(&sample.name, &read_all(&dir), &sample.expected);
        // And again, from what that open made of it.
        assert_same(&sample.name, &read_all(&dir), &sample.expected);
    }
}

/// What LevelDB wrote keeps every rule that `verify` knows.
#[test]
fn nothing_is_wrong_with_what_leveldb_wrote() {
    let mut tables = 0;
    for sample in samples() {
        let report = verify(&PosixEnv::new(), &sample.dir, &Options::default()).expect("reads");
        let is_torn = sample.name.starts_with("torn_");
        assert!(report.is_sound(), "{}: {report:?}", sample.name);
        assert_eq!(report.findings.is_empty(), !is_torn, "{}: {report:?}", sample.name);
        assert_eq!(report.leftovers, [], "{}", sample.name);
        tables += report.tables;
    }
    assert!(tables > 20, "{tables} tables");
}

/// The corpus has tables where its scripts say.
#[test]
fn the_corpus_reaches_below_level_0() {
    let tables = |name: &str| {
        let samples = samples();
        let sample = samples.iter().find(|sample| sample.name == name).expect("is there");
        let order = InternalKeyComparator::bytewise();
        let recovered = recover(&PosixEnv::new(), &sample.dir, &order).expect("reads");
        (0..3).map(|level| recovered.version.level(level).len()).collect::<Vec<_>>()
    };
    assert_eq!(tables("log_only"), [0, 0, 0]);
    assert_eq!(tables("level0_tables"), [3, 0, 0]);
    assert_eq!(tables("levels"), [2, 1, 3]);
}

/// What is in the corpus is what LevelDB writes, not what somebody made of it.
#[test]
fn leveldb_writes_and_reads_the_corpus() {
    let Some(peer) = Peer::find() else { return };
    for sample in samples() {
        let root = tempfile::tempdir().expect("a directory");
        let copy = root.path().join("copy");
        sample.copy_to(&copy);
        assert_same(&sample.name, &peer.dump(&copy).expect("reads its own"), &sample.expected);
        let anew = root.path().join("anew");
        script::run_by_leveldb(&peer, &anew, &sample.script);
        assert_same(&sample.name, &peer.dump(&anew).expect("reads its own"), &sample.expected);
    }
}

/// What a process would leave that dies now. It may be making a table: files that are copied one by
/// one could be a MANIFEST of before and no log, as after. Twice the same, they are of one instant.
fn copy_running(dir: &Path, to: &Path) {
    let of_one_instant = loop {
        match (try_files(dir), try_files(dir)) {
            (Ok(first), Ok(second)) if first == second => break first,
            (Err(error), _) | (_, Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                panic!("{}: {error}", dir.display())
            }
            // One of them is new, or went away while the others were read.
            _ => {}
        }
    };
    fs::create_dir(to).expect("makes a directory");
    for (name, bytes) in of_one_instant {
        fs::write(to.join(name), bytes).expect("writes a file");
    }
}

#[test]
fn leveldb_reads_what_faultline_wrote() {
    let Some(peer) = Peer::find() else { return };
    for sample in samples() {
        let name = &sample.name;
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("db");
        fs::create_dir(&dir).expect("makes a directory");
        let db = script::run(&dir, &sample.script);
        let left_behind = root.path().join("left behind");
        copy_running(&dir, &left_behind);
        let dumped = peer.dump(&left_behind).expect("LevelDB reads it");
        assert_same(name, &dumped, &sample.expected);
        drop(db);
    }
}

/// Each engine goes on where the other stopped, with tables, logs and MANIFESTs of both.
#[test]
fn the_two_take_turns() {
    let Some(peer) = Peer::find() else { return };
    for sample in samples() {
        let root = tempfile::tempdir().expect("a directory");
        let dir = root.path().join("db");
        sample.copy_to(&dir);
        let mut expected = sample.expected;
        for turn in 0..3 {
            let ours = format!("open\nput turn {turn}\nput faultline-{turn} x\nclose\n");
            drop(script::run(&dir, &ours));
            let theirs = format!("open\ndelete faultline-{turn}\nput leveldb-{turn} y\nclose\n");
            script::run_by_leveldb(&peer, &dir, &theirs);
            expected.insert(b"turn".to_vec(), turn.to_string().into_bytes());
            expected.insert(format!("leveldb-{turn}").into_bytes(), b"y".to_vec());
        }
        let copy = root.path().join("copy");
        copy_dir(&dir, &copy);
        assert_same(&sample.name, &read_all(&dir), &expected);
        assert_same(&sample.name, &peer.dump(&copy).expect("LevelDB reads it"), &expected);
    }
}

/// Where nothing depends on when a memtable is full or a background thread runs, the two leave the
/// same files: same names, same numbers, same bytes. Snappy leaves its writer some freedom.
#[test]
fn the_same_writes_leave_the_same_bytes() {
    let Some(peer) = Peer::find() else { return };
    let mut compared = 0;
    for sample in samples().into_iter().filter(|sample| SAME_BYTES.contains(&&*sample.name)) {
        let root = tempfile::tempdir().expect("a directory");
        let (ours, theirs) = (root.path().join("ours"), root.path().join("theirs"));
        assert!(script::run(&ours, &sample.script).is_none(), "closed");
        script::run_by_leveldb(&peer, &theirs, &sample.script);
        let (ours, theirs) = (files(&ours), files(&theirs));
        assert!(ours.keys().eq(theirs.keys()), "{}: {ours:?} {theirs:?}", sample.name);
        for (file, bytes) in &ours {
            assert!(*bytes == theirs[file], "{}/{file} differs", sample.name);
        }
        compared += 1;
    }
    assert_eq!(compared, SAME_BYTES.len(), "each is in the corpus");
}

const SAME_BYTES: &[&str] = &[
    "block_edges",
    "bloom",
    "empty",
    "level0_tables",
    "log_only",
    "long_records",
    "old_table_name",
    "torn_header",
    "torn_log",
];

/// The names and bytes of the files in `dir`, without those that only one of the two engines
/// writes: LOCK, which is empty, and the messages in LOG.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    try_files(dir).expect("reads the files of a directory")
}

fn try_files(dir: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        if path.is_file() && !["LOCK", "LOG", "LOG.old"].contains(&&*name) {
            files.insert(name, fs::read(&path)?);
        }
    }
    Ok(files)
}
