//! The database on the real file system: LevelDB's own tests, as far as they apply, and the rules
//! that differ from it. What crashes and faults leave is the simulator's business.

mod bad_key;
mod basics;
mod compacted;
mod compaction;
mod concurrency;
mod corruption;
mod creation;
mod death;
mod directory;
mod faults;
mod faulty_env;
mod few_threads;
mod filtered;
mod golden;
mod held_up;
mod iterators;
mod limits;
mod lost;
mod manifest;
mod metrics;
mod no_wait;
mod randomized;
mod ranges;
mod read_only;
mod recovery;
mod replay;
mod resume;
mod upstream;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Db;
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::options::{Options, ReadOptions, WriteOptions};
use crate::value::Value;

pub(super) type R = <PosixEnv as Env>::Threads;

pub(super) const SYNC: WriteOptions = WriteOptions { sync: true, no_wait: false };

/// A database in a directory of its own, which is removed at the end.
pub(super) struct TestDb {
    root: TempDir,
    db: Option<Db<PosixEnv>>,
    pub(super) options: Options,
}

/// Every option named, so that a changed default cannot change what a test means.
pub(super) fn options() -> Options {
    Options {
        create_if_missing: true,
        error_if_exists: false,
        write_buffer_size: 100_000,
        max_open_files: 100,
        manifest_size_max: 1 << 20,
        max_file_size: 2 << 20,
        level1_size_max: 10 << 20,
        level0_compaction_trigger: 4,
        level0_slowdown_writes_trigger: Some(8),
        level0_stop_writes_trigger: Some(12),
        ..Options::default()
    }
}

impl TestDb {
    pub(super) fn new() -> Self {
        Self::with(options())
    }

    pub(super) fn with(options: Options) -> Self {
        let mut test = TestDb { root: tempfile::tempdir().unwrap(), db: None, options };
        test.open();
        test
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.path().join("db")
    }

    pub(super) fn open(&mut self) {
        let db = Db::open(PosixEnv::new(), self.path(), self.options.clone());
        self.db = Some(db.unwrap());
    }

    pub(super) fn try_open(&self) -> crate::Result<Db<PosixEnv>> {
        Db::open(PosixEnv::new(), self.path(), self.options.clone())
    }

    pub(super) fn close(&mut self) {
        self.db.take().unwrap().close().unwrap();
    }

    pub(super) fn reopen(&mut self) {
        self.close();
        self.open();
    }

    pub(super) fn db(&self) -> &Db<PosixEnv> {
        self.db.as_ref().unwrap()
    }

    pub(super) fn put(&self, key: &str, value: &str) {
        self.db().put(key.as_bytes(), value.as_bytes()).unwrap();
    }

    pub(super) fn delete(&self, key: &str) {
        self.db().delete(key.as_bytes()).unwrap();
    }

    /// The value as text, or `NOT_FOUND`.
    pub(super) fn get(&self, key: &str) -> String {
        text(self.db().get(key.as_bytes()).unwrap())
    }

    pub(super) fn get_at(&self, key: &str, snapshot: &super::Snapshot) -> String {
        let options = ReadOptions { snapshot: Some(snapshot.clone()), ..ReadOptions::default() };
        text(self.db().get_with(key.as_bytes(), &options).unwrap())
    }

    /// `(k->v)` for every entry, and the same backwards.
    pub(super) fn contents(&self) -> String {
        let mut iter = self.db().iter().unwrap();
        let mut forward = Vec::new();
        iter.seek_to_first();
        while iter.valid() {
            forward.push(status(&iter));
            iter.next();
        }
        let mut backward = Vec::new();
        iter.seek_to_last();
        while iter.valid() {
            backward.push(status(&iter));
            iter.prev();
        }
        iter.status().unwrap();
        backward.reverse();
        assert_eq!(forward, backward);
        forward.iter().map(|entry| format!("({entry})")).collect::<Vec<_>>().concat()
    }

    pub(super) fn file_names(&self) -> Vec<String> {
        file_names(&self.path())
    }

    pub(super) fn level0_tables(&self) -> usize {
        self.count_files("ldb")
    }

    pub(super) fn count_files(&self, extension: &str) -> usize {
        self.file_names().iter().filter(|name| has_extension(name, extension)).count()
    }
}

pub(super) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

fn text(value: Option<Value>) -> String {
    value.map_or("NOT_FOUND".into(), |value| String::from_utf8(value.into()).unwrap())
}

pub(super) fn file_names(dir: &Path) -> Vec<String> {
    let names = PosixEnv::new().list(dir).unwrap();
    let mut names: Vec<_> = names.into_iter().map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

pub(super) fn read_file(path: &Path) -> Vec<u8> {
    let mut file = PosixEnv::new().open_sequential(path).unwrap();
    let mut bytes = vec![0; PosixEnv::new().size(path).unwrap() as usize];
    assert_eq!(file.read(&mut bytes).unwrap(), bytes.len());
    bytes
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) {
    let mut file = PosixEnv::new().create(path).unwrap();
    file.append(bytes).unwrap();
    file.close().unwrap();
}

/// `k->v`, or `(invalid)`.
pub(super) fn status(iter: &super::DbIterator) -> String {
    if !iter.valid() {
        return "(invalid)".into();
    }
    format!("{}->{}", iter.key().escape_ascii(), iter.value().escape_ascii())
}
