//! `Options::max_open_files` holds: however many tables there are, and whoever reads them.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "looks at what the process has open, and threads")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use faultline::env::posix::{PosixEnv, PosixThreads};
use faultline::env::{Env, FileLock, Mutex, RandomAccessFile, SequentialFile, WritableFile};
use faultline::table::Compression;
use faultline::{Db, Options, Result};

/// How many files are open, and how many were at most.
#[derive(Debug, Default)]
struct Count {
    now: usize,
    peak: usize,
}

/// The real file system, on which open files are counted.
#[derive(Clone, Debug)]
struct CountingEnv {
    env: PosixEnv,
    count: Arc<Mutex<PosixThreads, Count>>,
}

/// A file that counts as long as it lives.
struct Counted<F> {
    // Closed before it no longer counts.
    file: Option<F>,
    count: Arc<Mutex<PosixThreads, Count>>,
}

impl<F> Drop for Counted<F> {
    fn drop(&mut self) {
        self.file = None;
        self.count.lock().now -= 1;
    }
}

impl<F> Counted<F> {
    fn file(&self) -> &F {
        self.file.as_ref().expect("it lives")
    }

    fn file_mut(&mut self) -> &mut F {
        self.file.as_mut().expect("it lives")
    }
}

impl CountingEnv {
    fn new() -> Self {
        CountingEnv { env: PosixEnv::new(), count: Arc::new(Mutex::new("count", Count::default())) }
    }

    /// A file counts from before it is opened.
    fn opened<F>(&self, open: impl FnOnce(&PosixEnv) -> Result<F>) -> Result<Counted<F>> {
        let mut count = self.count.lock();
        count.now += 1;
        count.peak = count.peak.max(count.now);
        drop(count);
        let mut counted = Counted { file: None, count: Arc::clone(&self.count) };
        counted.file = Some(open(&self.env)?);
        Ok(counted)
    }

    /// The most files that were open since the last time that this was asked.
    fn take_peak(&self) -> usize {
        let mut count = self.count.lock();
        let now = count.now;
        core::mem::replace(&mut count.peak, now)
    }
}

impl Env for CountingEnv {
    type Threads = PosixThreads;
    type Clock = <PosixEnv as Env>::Clock;

    fn clock(&self) -> &Self::Clock {
        self.env.clock()
    }

    fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialFile>> {
        Ok(Box::new(self.opened(|env| env.open_sequential(path))?))
    }

    fn open_random_access(&self, path: &Path) -> Result<Box<dyn RandomAccessFile>> {
        Ok(Box::new(self.opened(|env| env.open_random_access(path))?))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        Ok(Box::new(self.opened(|env| env.create(path))?))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        drop(self.opened(|env| env.sync_dir(dir))?);
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>> {
        let mut names = self.opened(|env| env.list(dir))?;
        Ok(core::mem::take(names.file_mut()))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.env.exists(path)
    }

    fn size(&self, path: &Path) -> Result<u64> {
        self.env.size(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.env.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.env.remove(path)
    }

    fn truncate(&self, path: &Path, size: u64) -> Result<()> {
        self.env.truncate(path, size)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.env.link(from, to)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.env.create_dir(dir)
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.env.remove_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        Ok(Box::new(self.opened(|env| env.lock(path))?))
    }

    fn lock_shared(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        Ok(Box::new(self.opened(|env| env.lock_shared(path))?))
    }
}

impl SequentialFile for Counted<Box<dyn SequentialFile>> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.file_mut().read(buf)
    }
}

impl RandomAccessFile for Counted<Box<dyn RandomAccessFile>> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.file().read_at(offset, buf)
    }
}

impl WritableFile for Counted<Box<dyn WritableFile>> {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.file_mut().append(data)
    }

    fn sync(&mut self) -> Result<()> {
        self.file_mut().sync()
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        self.file.take().expect("it lives").close()
    }
}

impl FileLock for Counted<Box<dyn FileLock>> {}

const KEYS: usize = 18_000;
const MAX_OPEN_FILES: usize = 74;

fn key(number: usize) -> Vec<u8> {
    format!("key{number:06}").into_bytes()
}

/// Number `n` of a sequence that jumps about.
fn scattered(n: usize) -> usize {
    n * 7919 % KEYS
}

fn options(level0_max: usize) -> Options {
    Options {
        create_if_missing: true,
        max_open_files: MAX_OPEN_FILES,
        write_buffer_size: 16 << 10,
        max_file_size: 3 << 10,
        level1_size_max: 32 << 10,
        block_size: 1 << 10,
        compression: Compression::None,
        block_cache_capacity: 16 << 10,
        level0_compaction_trigger: level0_max,
        level0_slowdown_writes_trigger: None,
        level0_stop_writes_trigger: None,
        ..Options::default()
    }
}

fn fill(db: &Db<CountingEnv>, keys: impl Iterator<Item = usize>) {
    for number in keys {
        db.put(&key(number), &[b'v'; 90]).expect("writes");
    }
}

/// What the system says that this process has open of the database.
fn open_in(dir: &Path) -> usize {
    let is_in = |link: std::io::Result<fs::DirEntry>| {
        let target = link.ok().and_then(|link| fs::read_link(link.path()).ok());
        target.is_some_and(|target| target.starts_with(dir))
    };
    fs::read_dir("/proc/self/fd").expect("Linux").map(is_in).filter(|is_in| *is_in).count()
}

#[track_caller]
fn check(env: &CountingEnv, dir: &Path, doing: &str) {
    let peak = env.take_peak();
    let (now, seen) = (env.count.lock().now, open_in(dir));
    assert!(peak <= MAX_OPEN_FILES, "{doing}: {peak} files");
    // Background work goes on.
    assert!(now.abs_diff(seen) <= 3, "{doing}: {now} counted, {seen} seen");
}

#[test]
fn hundreds_of_tables_at_all_levels() {
    let root = tempfile::tempdir().expect("a folder");
    let dir = root.path().join("db");
    let env = CountingEnv::new();
    let db = Db::open(env.clone(), &dir, options(4)).expect("opens");
    fill(&db, (0..KEYS).map(scattered));
    check(&env, &dir, "writes and their compactions");
    let tables: usize = db.metrics().expect("open").levels.iter().map(|level| level.files).sum();
    assert!(tables > 200, "{tables} tables");

    thread::scope(|scope| {
        for worker in 0..4 {
            let db = &db;
            scope.spawn(move || {
                for n in 0..1500 {
                    let number = scattered(n * 4 + worker);
                    assert!(db.get(&key(number)).expect("reads").is_some(), "{number}");
                }
            });
        }
    });
    check(&env, &dir, "gets");

    assert_eq!(db.iter().expect("reads").into_iter().count(), KEYS);
    check(&env, &dir, "a scan");

    // Each stands in tables of its own, at every level.
    let mut iters: Vec<_> = (0..100).map(|_| db.iter().expect("reads")).collect();
    for (n, iter) in iters.iter_mut().enumerate() {
        iter.seek(&key(n * KEYS / 100));
        assert_eq!(iter.key(), key(n * KEYS / 100));
    }
    check(&env, &dir, "a hundred iterators");
    fill(&db, (0..2000).map(scattered));
    db.compact_range(None, None).expect("compacts");
    check(&env, &dir, "compactions beside them");
    for (n, iter) in iters.iter_mut().enumerate() {
        for step in 1..50 {
            iter.next();
            assert_eq!(iter.key(), key(n * KEYS / 100 + step));
        }
    }
    check(&env, &dir, "iterators over tables that no version has any more");
    drop(iters);
    db.close().expect("closes");
    assert_eq!((env.count.lock().now, open_in(&dir)), (0, 0), "all are closed");
}

#[test]
fn hundreds_of_tables_at_level_0() {
    let root = tempfile::tempdir().expect("a folder");
    let dir = root.path().join("db");
    let env = CountingEnv::new();
    let db = Db::open(env.clone(), &dir, options(usize::MAX)).expect("opens");
    fill(&db, (0..KEYS).map(scattered));
    db.flush().expect("flushes");
    let tables = db.metrics().expect("open").levels[0].files;
    assert!(tables > 100, "{tables} tables");
    check(&env, &dir, "writes");
    // Every table overlaps every other, so that a scan reads all of them at once.
    assert_eq!(db.iter().expect("reads").into_iter().count(), KEYS);
    check(&env, &dir, "a scan");
    db.compact_range(None, None).expect("compacts");
    check(&env, &dir, "a compaction of them all");
    db.close().expect("closes");
    let db = Db::open(env.clone(), &dir, options(4)).expect("opens");
    assert_eq!(db.iter().expect("reads").into_iter().count(), KEYS);
    check(&env, &dir, "an open");
}
