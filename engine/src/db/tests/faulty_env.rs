//! [`FaultyEnv`]: the real file system, on which one chosen operation fails, or is held up.
//!
//! It counts the operations that can fail. Power loss is none of its business, so a sync that does
//! not fail does nothing.

use core::marker::PhantomData;
use core::time::Duration;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::R;
use crate::env::posix::PosixEnv;
use crate::env::{
    Clock, Condvar, Env, FileLock, Mutex, RandomAccessFile, SequentialFile, Threads, WritableFile,
};
use crate::error::{Error, FileOp, Result};

/// Which operation fails.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// Operation number `n` of all, counted from 0.
    Nth(usize),
    /// Every operation of this kind on a path that contains these words.
    Each(FileOp, &'static str),
    /// Number `n` of those, counted from 0.
    NthOf(FileOp, &'static str, usize),
}

#[derive(Debug, Default)]
struct Plan {
    fault: Option<Fault>,
    /// Whether a failing operation is done all the same.
    is_done: bool,
    count: usize,
    count_of_kind: usize,
    failed: Option<(FileOp, String)>,
}

/// Who is held up, and by what.
#[derive(Debug, Default)]
struct Hold {
    what: Option<(FileOp, &'static str)>,
    held: usize,
}

#[derive(Debug)]
struct Gate {
    hold: Mutex<R, Hold>,
    changed: Condvar<R>,
}

impl Gate {
    fn pass(&self, op: FileOp, path: &Path) {
        let mut hold = self.hold.lock();
        let is_held = |hold: &Hold| {
            hold.what
                .is_some_and(|(kind, words)| kind == op && path.to_string_lossy().contains(words))
        };
        if is_held(&hold) {
            hold.held += 1;
            self.changed.notify_all();
            while is_held(&hold) {
                hold = self.changed.wait(hold);
            }
            hold.held -= 1;
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct FaultyEnv<T = R> {
    env: PosixEnv,
    plan: Arc<Mutex<R, Plan>>,
    gate: Arc<Gate>,
    threads: PhantomData<T>,
}

impl FaultyEnv {
    pub(super) fn new() -> Self {
        FaultyEnv::with_threads()
    }
}

impl<T: Threads> FaultyEnv<T> {
    /// With threads of another kind.
    pub(super) fn with_threads() -> Self {
        let plan = Arc::new(Mutex::new("plan", Plan::default()));
        let (hold, changed) = (Mutex::new("hold", Hold::default()), Condvar::new("held or not"));
        let gate = Arc::new(Gate { hold, changed });
        FaultyEnv { env: PosixEnv::new(), plan, gate, threads: PhantomData }
    }

    /// The same for its files, to which threads are nothing.
    fn of_files(&self) -> FaultyEnv {
        let (plan, gate) = (Arc::clone(&self.plan), Arc::clone(&self.gate));
        FaultyEnv { env: self.env.clone(), plan, gate, threads: PhantomData }
    }

    /// From now on `fault` happens. With `is_done` the operation succeeds before it fails.
    pub(super) fn fail(&self, fault: Fault, is_done: bool) {
        *self.plan.lock() = Plan { fault: Some(fault), is_done, ..Plan::default() };
    }

    /// From now on nothing fails. Returns what did, if anything.
    pub(super) fn heal(&self) -> Option<(FileOp, String)> {
        core::mem::take(&mut *self.plan.lock()).failed
    }

    /// From now on operations of this kind on a path that contains these words are held up.
    pub(super) fn hold(&self, op: FileOp, words: &'static str) {
        self.gate.hold.lock().what = Some((op, words));
    }

    /// Returns once an operation is held up.
    pub(super) fn wait_until_held(&self) {
        let mut hold = self.gate.hold.lock();
        while hold.held == 0 {
            hold = self.gate.changed.wait(hold);
        }
    }

    /// Lets everything go on.
    pub(super) fn release(&self) {
        self.gate.hold.lock().what = None;
        self.gate.changed.notify_all();
    }

    fn run<V>(&self, op: FileOp, path: &Path, work: impl FnOnce() -> Result<V>) -> Result<V> {
        self.gate.pass(op, path);
        let mut plan = self.plan.lock();
        let number = plan.count;
        plan.count += 1;
        let is_of = |kind: FileOp, words| kind == op && path.to_string_lossy().contains(words);
        let fails = match plan.fault {
            None => false,
            Some(Fault::Nth(n)) => number == n,
            Some(Fault::Each(kind, words)) => is_of(kind, words),
            Some(Fault::NthOf(kind, words, n)) => {
                let matches = is_of(kind, words);
                plan.count_of_kind += usize::from(matches);
                matches && plan.count_of_kind == n + 1
            }
        };
        if !fails {
            drop(plan);
            return work();
        }
        plan.failed = Some((op, path.display().to_string()));
        let is_done = plan.is_done;
        drop(plan);
        if is_done {
            work()?;
        }
        Err(Error::Io { kind: ErrorKind::Other, path: path.into(), op })
    }

    fn writable(&self, path: &Path, file: Box<dyn WritableFile>) -> Box<dyn WritableFile> {
        Box::new(Written { env: self.of_files(), path: path.into(), file })
    }
}

struct Written {
    env: FaultyEnv,
    path: Box<Path>,
    file: Box<dyn WritableFile>,
}

impl WritableFile for Written {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        let Written { env, path, file } = self;
        env.run(FileOp::Append, path, || file.append(data))
    }

    fn sync(&mut self) -> Result<()> {
        self.env.run(FileOp::Sync, &self.path, || Ok(()))
    }

    fn close(self: Box<Self>) -> Result<()> {
        let Written { env, path, file } = *self;
        env.run(FileOp::Close, &path, || file.close())
    }
}

struct Read<F> {
    env: FaultyEnv,
    path: Box<Path>,
    file: F,
}

impl SequentialFile for Read<Box<dyn SequentialFile>> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let Read { env, path, file } = self;
        env.run(FileOp::Read, path, || file.read(buf))
    }
}

impl RandomAccessFile for Read<Box<dyn RandomAccessFile>> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.env.run(FileOp::Read, &self.path, || self.file.read_at(offset, buf))
    }
}

#[derive(Clone, Debug)]
pub(super) struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl<T: Threads> Env for FaultyEnv<T> {
    type Threads = T;
    type Clock = NoClock;

    fn clock(&self) -> &NoClock {
        &NoClock
    }

    fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialFile>> {
        let file = self.run(FileOp::Open, path, || self.env.open_sequential(path))?;
        Ok(Box::new(Read { env: self.of_files(), path: path.into(), file }))
    }

    fn open_random_access(&self, path: &Path) -> Result<Box<dyn RandomAccessFile>> {
        let file = self.run(FileOp::Open, path, || self.env.open_random_access(path))?;
        Ok(Box::new(Read { env: self.of_files(), path: path.into(), file }))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        let file = self.run(FileOp::Create, path, || self.env.create(path))?;
        Ok(self.writable(path, file))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.run(FileOp::SyncDir, dir, || Ok(()))
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>> {
        self.run(FileOp::List, dir, || self.env.list(dir))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.run(FileOp::Exists, path, || self.env.exists(path))
    }

    fn size(&self, path: &Path) -> Result<u64> {
        self.run(FileOp::Size, path, || self.env.size(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.run(FileOp::Rename, to, || self.env.rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.run(FileOp::Remove, path, || self.env.remove(path))
    }

    fn truncate(&self, path: &Path, size: u64) -> Result<()> {
        self.run(FileOp::Truncate, path, || self.env.truncate(path, size))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.run(FileOp::Link, to, || self.env.link(from, to))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.run(FileOp::CreateDir, dir, || self.env.create_dir(dir))
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.run(FileOp::RemoveDir, dir, || self.env.remove_dir(dir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        self.run(FileOp::Lock, path, || self.env.lock(path))
    }
    fn lock_shared(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        self.run(FileOp::Lock, path, || self.env.lock_shared(path))
    }
}
