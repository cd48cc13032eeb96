//! The outside world, as three traits: [`Env`] (files), [`Clock`] and [`Threads`].
//!
//! Every byte, instant and interleaving that can reach the engine comes through here, so the same
//! code runs on the operating system and, unchanged, inside a simulator. Nothing else in this
//! crate names the operating system; the module `posix` is the one place that does.
//!
//! Architecture invariant: the engine keeps no user-space write buffer under these traits. When
//! [`WritableFile::append`] returns, the bytes are the operating system's and survive the death of
//! the process.
//!
//! Source: LevelDB `include/leveldb/env.h`. Differs: directories can be synced, errors are typed,
//! absence is told from failure, reads fill or prove end of file, and locks, condition variables
//! and atomics are part of the outside world.

pub mod posix;
mod sync;
mod threads;

pub use sync::{Condvar, Mutex, MutexGuard};
pub use threads::{Access, Atomic, AtomicInt, Died, NoThread, Point, Threads};

use core::fmt::Debug;
use core::time::Duration;
use std::ffi::OsString;
use std::path::Path;

use crate::error::Result;

/// Monotonic time. There is no wall clock: nothing in the engine needs one.
pub trait Clock: Clone + Debug + Send + Sync + 'static {
    /// Time since some fixed instant before the first call. Never goes backwards.
    fn now(&self) -> Duration;
}

/// A file system with the other two traits beside it.
///
/// All methods may be called from several threads at once. Paths are those that the caller gave;
/// no method follows or resolves links on its own account.
pub trait Env: Clone + Debug + Send + Sync + 'static {
    /// Locks, threads and atomics of the same world.
    type Threads: Threads;
    /// Time of the same world.
    type Clock: Clock;

    /// The clock.
    fn clock(&self) -> &Self::Clock;

    /// Opens a file for reading from its start.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Io` otherwise.
    fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialFile>>;

    /// Opens a file for reading at any offset.
    ///
    /// # Errors
    /// `NotFound` if there is none; `Io` otherwise.
    fn open_random_access(&self, path: &Path) -> Result<Box<dyn RandomAccessFile>>;

    /// Creates a file, or empties the one that is there, for appending.
    ///
    /// Neither the file nor its name is durable until [`WritableFile::sync`] and
    /// [`Env::sync_dir`] have returned `Ok`.
    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>>;

    /// Makes the names in directory `dir` durable: every create, rename, link and remove in it
    /// that returned before this call.
    ///
    /// After an error none of them may be relied on, and a second call that returns `Ok` proves
    /// nothing about them.
    fn sync_dir(&self, dir: &Path) -> Result<()>;

    /// The names in directory `dir`, in no particular order, without `.` and `..`.
    fn list(&self, dir: &Path) -> Result<Vec<OsString>>;

    /// Whether `path` exists. `Err` means that this could not be found out, never absence.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// Size of a file in bytes.
    fn size(&self, path: &Path) -> Result<u64>;

    /// Renames a file, replacing `to` in one step if it is there. Durable after
    /// [`Env::sync_dir`]. After an error the rename may have happened or not.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a name. Durable after [`Env::sync_dir`].
    fn remove(&self, path: &Path) -> Result<()>;

    /// Cuts a file to `size` bytes.
    fn truncate(&self, path: &Path, size: u64) -> Result<()>;

    /// Gives a file a second name.
    fn link(&self, from: &Path, to: &Path) -> Result<()>;

    /// Creates a directory; `Ok` if it is there already. Its parent must exist.
    ///
    /// Durable once [`Env::sync_dir`] of the parent has returned `Ok`.
    fn create_dir(&self, dir: &Path) -> Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> Result<()>;

    /// Takes the exclusive lock that `path` stands for, creating the file if need be. It is held
    /// until the returned value is dropped or the process dies.
    ///
    /// # Errors
    /// `Locked` if this or another process holds it, or a shared one; nothing was touched then.
    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>>;

    /// Takes a shared lock that `path` stands for: many are held at once, but none beside that of
    /// [`Env::lock`]. The file is only read, which is all that the caller needs the right to, and
    /// never created. Held as that is.
    ///
    /// # Errors
    /// `Locked` if this or another process holds the exclusive lock; `NotFound` if there is no such
    /// file.
    fn lock_shared(&self, path: &Path) -> Result<Box<dyn FileLock>>;
}

/// A file being read from start to end.
pub trait SequentialFile: Send {
    /// Reads into `buf` until it is full or the file ends. Returns the bytes read; fewer than
    /// `buf.len()` proves the end of the file (a short read of the system is retried inside).
    fn read(&mut self, buf: &mut [u8]) -> Result<usize>;
}

/// A file read at any offset, by several threads at once.
pub trait RandomAccessFile: Send + Sync {
    /// Reads at `offset` until `buf` is full or the file ends. Returns the bytes read; fewer than
    /// `buf.len()` proves the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize>;

    /// What [`read_at`](Self::read_at) reads into a buffer of `len` bytes, in memory of its own.
    /// A result shorter than `len` proves the end of the file.
    ///
    /// For callers who keep what they read. An implementation can spare the clearing of memory
    /// that is written over at once.
    fn read_new(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let count = self.read_at(offset, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// A file being appended to, by one thread at a time.
///
/// After any error the contents past the last successful sync are unknown, and the caller must
/// never append to or sync this file again.
pub trait WritableFile: Send {
    /// Appends `data`. On `Ok` all of it is in the operating system's hands: it survives the death
    /// of the process, not the loss of power. On `Err` any part of it may have been appended.
    fn append(&mut self, data: &[u8]) -> Result<()>;

    /// Makes everything appended so far durable, and the size with it. The *name* is made durable
    /// by [`Env::sync_dir`] alone.
    fn sync(&mut self) -> Result<()>;

    /// Closes the file. Does not sync. An error may be the only news of a failed write-back, so
    /// it counts like a failed sync. Dropping the value closes too, and loses that news.
    fn close(self: Box<Self>) -> Result<()>;
}

/// A held lock; released on drop.
pub trait FileLock: Send + Sync {}
