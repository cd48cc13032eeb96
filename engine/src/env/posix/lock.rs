//! The lock that keeps a database to one process, and to one user within it, or to readers.
//!
//! Against other processes: an open-file-description lock (`F_OFD_SETLK`) on all of the file. It
//! excludes LevelDB, which uses `F_SETLK`; `flock(2)`, behind the standard library's lock, would
//! not. Unlike `F_SETLK` it is not lost when the process closes another descriptor of the file.
//!
//! Within the process: a table of what is locked, by device and inode, so that neither a link nor
//! another spelling of the path leads around it. It is looked at before the file is opened.
//!
//! A reader's lock is taken through a descriptor that cannot write, so that media and files that
//! cannot be written are no hindrance; LevelDB's lock and that of a writer keep it out.
//!
//! Invariant: a file in the table is locked by the values that put it there, and was the one of
//! that name when it was locked.
//!
//! Source: LevelDB `util/env_posix.cc`, `PosixLockTable`. Differs: LevelDB's table is keyed by
//! name; it opens the file first, and closing it again drops the lock that is held; it does not
//! notice that the file was removed between open and lock; it has no lock for readers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fd::OwnedFd;
use rustix::fs::{self, OFlags, Stat};
use rustix::io::Errno;

use super::{call, failure, open};
use crate::env::FileLock;
use crate::error::{Error, FileOp, Result};

/// Device and inode: what a file is under any name.
type FileId = (u64, u64);

/// Who may hold a lock beside its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// Nobody.
    Alone,
    /// Whoever takes it in this way too.
    WithReaders,
}

impl Share {
    /// How the file is opened. The system wants a descriptor that could do what the lock is for.
    fn flags(self) -> OFlags {
        match self {
            Share::Alone => OFlags::RDWR | OFlags::CREATE,
            Share::WithReaders => OFlags::RDONLY,
        }
    }
}

/// How this process has a file locked, and by how many values.
#[derive(Clone, Copy, Debug)]
struct Held {
    share: Share,
    count: usize,
}

/// What this process has locked.
static LOCKED: Mutex<BTreeMap<FileId, Held>> = Mutex::new(BTreeMap::new());

/// How often the file may be removed under our hands before it counts as in use.
const ATTEMPTS_MAX: usize = 100;

fn locked_files() -> MutexGuard<'static, BTreeMap<FileId, Held>> {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn file_id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// The file of this name, if there is one.
fn id_of_name(path: &Path) -> Result<Option<FileId>> {
    match call(path, FileOp::Lock, || fs::stat(path)) {
        Ok(stat) => Ok(Some(file_id(&stat))),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A held lock.
pub(super) struct PosixLock {
    // Present until it is dropped.
    fd: Option<OwnedFd>,
    id: FileId,
}

impl PosixLock {
    /// Takes the lock that `path` stands for, or fails at once.
    pub(super) fn take(path: &Path, share: Share) -> Result<Self> {
        // Held throughout, so that no two threads are between looking and locking.
        let mut locked = locked_files();
        let is_shut = |locked: &BTreeMap<FileId, Held>, id: FileId| {
            locked.get(&id).is_some_and(|held| [held.share, share].contains(&Share::Alone))
        };
        let by_us = Some(std::process::id());
        let in_use = |holder| Error::Locked { path: path.into(), holder };
        for _ in 0..ATTEMPTS_MAX {
            if id_of_name(path)?.is_some_and(|id| is_shut(&locked, id)) {
                return Err(in_use(by_us));
            }
            let fd = open(path, share.flags(), FileOp::Lock)?;
            let id = file_id(&call(path, FileOp::Lock, || fs::fstat(&fd))?);
            if is_shut(&locked, id) {
                return Err(in_use(by_us));
            }
            if !lock_all(&fd, path, share)? {
                return Err(in_use(holder(&fd, share)));
            }
            // Whoever destroys a database removes this file while it holds the lock. If that
            // happened since it was opened, what is locked here is a file without a name, which
            // keeps nobody out.
            if id_of_name(path)? == Some(id) {
                locked.entry(id).or_insert(Held { share, count: 0 }).count += 1;
                return Ok(PosixLock { fd: Some(fd), id });
            }
        }
        Err(in_use(None))
    }
}

#[cfg(test)]
impl PosixLock {
    pub(super) fn copy_descriptor(&self) -> OwnedFd {
        self.fd.as_ref().expect("held").try_clone().expect("a free descriptor")
    }
}

impl FileLock for PosixLock {}

impl Drop for PosixLock {
    fn drop(&mut self) {
        let mut locked = locked_files();
        // Released before it leaves the table: the next taker in this process must not run into
        // a lock of its own process.
        if let Some(fd) = self.fd.take() {
            // In words, for closing may not be enough: a process that another thread is about to
            // start holds a copy of the descriptor from its fork to its exec. If this fails, the
            // close that follows does what it can.
            let unlock = whole_file(libc::F_UNLCK);
            fcntl(&fd, FcntlArg::F_OFD_SETLK(&unlock)).ok();
        }
        if let Some(held) = locked.get_mut(&self.id) {
            held.count -= 1;
            if held.count == 0 {
                locked.remove(&self.id);
            }
        }
    }
}

/// A lock of this type on all of a file, however long it gets.
fn whole_file(lock_type: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: lock_type as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn wanted(share: Share) -> libc::flock {
    whole_file(match share {
        Share::Alone => libc::F_WRLCK,
        Share::WithReaders => libc::F_RDLCK,
    })
}

/// Locks the file, unless somebody else has.
fn lock_all(fd: &OwnedFd, path: &Path, share: Share) -> Result<bool> {
    match fcntl(fd, FcntlArg::F_OFD_SETLK(&wanted(share))) {
        Ok(_) => Ok(true),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
        Err(errno) => Err(failure(Errno::from_raw_os_error(errno as i32), path, FileOp::Lock)),
    }
}

/// The process that keeps this lock from being taken. A lock of the kind taken here has none, as it
/// belongs to an open file; LevelDB's has.
fn holder(fd: &OwnedFd, share: Share) -> Option<u32> {
    let mut lock = wanted(share);
    fcntl(fd, FcntlArg::F_OFD_GETLK(&mut lock)).ok()?;
    u32::try_from(lock.l_pid).ok().filter(|&pid| pid > 0)
}
