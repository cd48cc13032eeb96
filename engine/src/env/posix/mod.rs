//! [`PosixEnv`]: the outside world as Linux gives it. The one place in this crate that names it.
//!
//! Every operation is one or a few system calls, without a buffer in between. What is durable when
//! is as [`Env`] says; here that takes `fdatasync` for a file, which brings its size along, and
//! `fsync` of the directory for its name. An interrupted call is made again, and short reads and
//! writes go on where they ended; no other failure is retried.
//!
//! Source: LevelDB `util/env_posix.cc`. Differs: no `mmap`, so that a truncated file is an error
//! and not a signal; no limit on open files; a failed close is an error; syncing a file does not
//! sync its directory, which the caller does where it matters.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "this module is what the ban keeps everything else away from"
)]

mod files;
mod lock;
mod threads;

pub use threads::PosixThreads;

use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::Instant;

use rustix::fs::{self, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::{Clock, Env, FileLock, RandomAccessFile, SequentialFile, WritableFile};
use crate::error::{Error, FileOp, Result};
use files::{PosixReader, PosixWriter};
use lock::{PosixLock, Share};

/// The monotonic clock of the system.
#[derive(Clone, Debug)]
pub struct PosixClock {
    start: Instant,
}

impl Clock for PosixClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Files, threads and time of the operating system.
#[derive(Clone, Debug)]
pub struct PosixEnv {
    clock: PosixClock,
}

impl PosixEnv {
    /// Makes the environment. All of them share the one outside world.
    pub fn new() -> Self {
        PosixEnv { clock: PosixClock { start: Instant::now() } }
    }
}

impl Default for PosixEnv {
    fn default() -> Self {
        Self::new()
    }
}

/// Read and write for the owner, read for all others, less the process's mask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);
/// The same with the right to enter.
const DIR_MODE: Mode = Mode::from_raw_mode(0o755);

/// The error for a failed system call.
fn failure(errno: Errno, path: &Path, op: FileOp) -> Error {
    let path = path.into();
    match errno {
        Errno::NOENT => Error::NotFound { path, op },
        Errno::NOSPC | Errno::DQUOT => Error::NoSpace { path, op },
        Errno::MFILE | Errno::NFILE => Error::TooManyOpen { path, op },
        Errno::OPNOTSUPP | Errno::NOSYS => Error::NotSupported { path, op },
        other => Error::Io { kind: io::Error::from(other).kind(), path, op },
    }
}

/// Makes a system call until it is not interrupted.
fn call<T>(
    path: &Path,
    op: FileOp,
    system_call: impl FnMut() -> rustix::io::Result<T>,
) -> Result<T> {
    retry_on_intr(system_call).map_err(|errno| failure(errno, path, op))
}

/// Opens a file that no child process inherits.
fn open(path: &Path, flags: OFlags, op: FileOp) -> Result<rustix::fd::OwnedFd> {
    call(path, op, || fs::open(path, flags | OFlags::CLOEXEC, FILE_MODE))
}

impl Env for PosixEnv {
    type Threads = PosixThreads;
    type Clock = PosixClock;

    fn clock(&self) -> &PosixClock {
        &self.clock
    }

    fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialFile>> {
        let fd = open(path, OFlags::RDONLY, FileOp::Open)?;
        Ok(Box::new(PosixReader::new(fd, path)))
    }

    fn open_random_access(&self, path: &Path) -> Result<Box<dyn RandomAccessFile>> {
        let fd = open(path, OFlags::RDONLY, FileOp::Open)?;
        Ok(Box::new(PosixReader::new(fd, path)))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let fd = open(path, flags, FileOp::Create)?;
        Ok(Box::new(PosixWriter::new(fd, path)))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let fd = open(dir, OFlags::RDONLY | OFlags::DIRECTORY, FileOp::SyncDir)?;
        call(dir, FileOp::SyncDir, || fs::fsync(&fd))
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>> {
        let failed = |error: io::Error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
            failure(errno, dir, FileOp::List)
        };
        let names = std::fs::read_dir(dir).map_err(failed)?;
        names.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed)).collect()
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        match call(path, FileOp::Exists, || fs::stat(path)) {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn size(&self, path: &Path) -> Result<u64> {
        let stat = call(path, FileOp::Size, || fs::stat(path))?;
        u64::try_from(stat.st_size).map_err(|_negative| failure(Errno::IO, path, FileOp::Size))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        call(from, FileOp::Rename, || fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        call(path, FileOp::Remove, || fs::unlink(path))
    }

    fn truncate(&self, path: &Path, size: u64) -> Result<()> {
        let fd = open(path, OFlags::WRONLY, FileOp::Truncate)?;
        call(path, FileOp::Truncate, || fs::ftruncate(&fd, size))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        call(from, FileOp::Link, || fs::link(from, to))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        match retry_on_intr(|| fs::mkdir(dir, DIR_MODE)) {
            Ok(()) => Ok(()),
            // Something of that name is there: fine if a directory.
            Err(Errno::EXIST) if std::fs::metadata(dir).is_ok_and(|found| found.is_dir()) => Ok(()),
            Err(errno) => Err(failure(errno, dir, FileOp::CreateDir)),
        }
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        call(dir, FileOp::RemoveDir, || fs::rmdir(dir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        Ok(Box::new(PosixLock::take(path, Share::Alone)?))
    }

    fn lock_shared(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        Ok(Box::new(PosixLock::take(path, Share::WithReaders)?))
    }
}

#[cfg(test)]
mod tests;
