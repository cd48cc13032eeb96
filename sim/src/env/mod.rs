//! [`SimEnv`]: the engine's outside world inside the simulator.
//!
//! Every call is *submitted*, takes virtual time during which other threads run, and *completes*.
//! A crash can strike before, inside and after each call that changes the disk; a fault can be
//! decided at its submission. Contents and names live in [`crate::disk`].
//!
//! Architecture invariant: nothing allocated here on the harness's side is handed to the engine;
//! errors and names are made on the engine's side of the arena.

mod call;
mod files;
mod inject;
mod logs;
mod medium;
mod notes;
mod stray;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use faultline::env::{Env, FileLock, RandomAccessFile, SequentialFile, WritableFile};
use faultline::{Error, FileOp, Result};

use crate::arena::Outside;
use crate::disk::Errno;
use crate::fault::FileRole;
use crate::kernel::{Kernel, SimClock, SimThreads, with_kernel};
use crate::world::{World, with_world};

use call::{Target, call, simple};
use files::{SimAppend, SimFile, SimLock};
use inject::Injected;

/// The simulated outside world. All of its state is in the [`crate::world::World`] of the run.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimEnv {
    clock: SimClock,
}

/// The error that the engine sees, made on its side of the arena.
fn error(errno: Errno, path: &Path, op: FileOp) -> Error {
    let path: Arc<Path> = Arc::from(path);
    let io = |kind, path| Error::Io { kind, path, op };
    noted(match errno {
        Errno::NotFound => Error::NotFound { path, op },
        Errno::TooManyOpen => Error::TooManyOpen { path, op },
        Errno::NoSpace => Error::NoSpace { path, op },
        Errno::Exists => io(std::io::ErrorKind::AlreadyExists, path),
        Errno::NotEmpty => io(std::io::ErrorKind::DirectoryNotEmpty, path),
        Errno::NotADirectory => io(std::io::ErrorKind::NotADirectory, path),
        Errno::IsADirectory => io(std::io::ErrorKind::IsADirectory, path),
        Errno::Invalid => io(std::io::ErrorKind::InvalidInput, path),
        Errno::Io => io(std::io::ErrorKind::Other, path),
        Errno::ReadOnly => io(std::io::ErrorKind::ReadOnlyFilesystem, path),
    })
}

/// Notes that a file is about to go; `how` says what is done to it.
fn note_gone(target: &Target<'_>, how: &str) {
    if matches!(target.role, FileRole::Log | FileRole::Table) {
        let _outside = Outside::enter();
        let point = with_kernel(Kernel::points);
        with_world(|world| world.note_gone(target.name, how, point));
    }
}

/// Notes what the engine is about to be told.
fn noted(error: Error) -> Error {
    let _outside = Outside::enter();
    with_world(|world| with_kernel(|kernel| world.note_failure(kernel, &error)));
    error
}

impl Env for SimEnv {
    type Threads = SimThreads;
    type Clock = SimClock;

    fn clock(&self) -> &SimClock {
        &self.clock
    }

    fn open_sequential(&self, path: &Path) -> Result<Box<dyn SequentialFile>> {
        let target = Target::of(path);
        let fd = simple(FileOp::Open, &target, |disk| disk.open(target.name))
            .map_err(|errno| error(errno, path, FileOp::Open))?;
        Ok(Box::new(SimFile::new(fd, path)))
    }

    fn open_random_access(&self, path: &Path) -> Result<Box<dyn RandomAccessFile>> {
        let target = Target::of(path);
        let fd = simple(FileOp::Open, &target, |disk| disk.open(target.name))
            .map_err(|errno| error(errno, path, FileOp::Open))?;
        Ok(Box::new(SimFile::new(fd, path)))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WritableFile>> {
        let target = Target::of(path);
        if matches!(target.role, FileRole::Log | FileRole::Table) {
            let _outside = Outside::enter();
            let point = with_kernel(Kernel::points);
            with_world(|world| world.note_create(target.name, point));
        }
        let fd = simple(FileOp::Create, &target, |disk| disk.create(target.name))
            .map_err(|errno| error(errno, path, FileOp::Create))?;
        Ok(Box::new(SimAppend::new(fd, path)))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let target = Target::directory(dir);
        call::sync(FileOp::SyncDir, &target, |disk| disk.begin_sync_dir(target.name))
            .map_err(|errno| error(errno, dir, FileOp::SyncDir))
    }

    fn list(&self, dir: &Path) -> Result<Vec<OsString>> {
        let target = Target::directory(dir);
        let names = simple(FileOp::List, &target, |disk| {
            let mut names = Vec::new();
            disk.list(target.name, &mut |name| names.push(name.to_owned()))?;
            Ok(names)
        })
        .map_err(|errno| error(errno, dir, FileOp::List))?;
        // Copied, so that the engine owns memory of its own process only.
        Ok(names.iter().map(OsString::from).collect())
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let target = Target::of(path);
        simple(FileOp::Exists, &target, |disk| match disk.lookup(target.name) {
            Err(Errno::NotFound) => Ok(false),
            found => found.map(|_| true),
        })
        .map_err(|errno| error(errno, path, FileOp::Exists))
    }

    fn size(&self, path: &Path) -> Result<u64> {
        let target = Target::of(path);
        simple(FileOp::Size, &target, |disk| disk.size(target.name))
            .map_err(|errno| error(errno, path, FileOp::Size))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (target, source) = (Target::of(to), Target::of(from));
        note_gone(&source, "moved away");
        note_gone(&target, "written over");
        simple(FileOp::Rename, &target, |disk| disk.rename(source.name, target.name))
            .map_err(|errno| error(errno, from, FileOp::Rename))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let target = Target::of(path);
        note_gone(&target, "removed");
        if target.role == FileRole::Log {
            let _outside = Outside::enter();
            with_world(|world| {
                world.trust_found();
                world.note_old_log(target.name);
            });
        }
        simple(FileOp::Remove, &target, |disk| disk.remove(target.name))
            .map_err(|errno| error(errno, path, FileOp::Remove))
    }

    fn truncate(&self, path: &Path, size: u64) -> Result<()> {
        let target = Target::of(path);
        simple(FileOp::Truncate, &target, |disk| disk.truncate(target.name, size))
            .map_err(|errno| error(errno, path, FileOp::Truncate))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let (target, source) = (Target::of(to), Target::of(from));
        simple(FileOp::Link, &target, |disk| disk.link(source.name, target.name))
            .map_err(|errno| error(errno, from, FileOp::Link))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        let target = Target::directory(dir);
        simple(FileOp::CreateDir, &target, |disk| match disk.create_dir(target.name) {
            // Something of that name is there: fine if a directory.
            Err(Errno::Exists) if disk.size(target.name).is_err() => Ok(()),
            other => other,
        })
        .map_err(|errno| error(errno, dir, FileOp::CreateDir))
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        let target = Target::directory(dir);
        simple(FileOp::RemoveDir, &target, |disk| disk.remove_dir(target.name))
            .map_err(|errno| error(errno, dir, FileOp::RemoveDir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        lock(path, |world, name| {
            if world.is_read_only.get() {
                return Err(Errno::ReadOnly);
            }
            let mut disk = world.disk.borrow_mut();
            let fd = disk.open_or_create(name)?;
            disk.close(fd);
            disk.lock(name, 1)
        })
    }

    fn lock_shared(&self, path: &Path) -> Result<Box<dyn FileLock>> {
        lock(path, |world, name| world.disk.borrow_mut().lock_shared(name, 1))
    }
}

/// Takes a lock, if `take` does.
fn lock(
    path: &Path,
    take: impl FnOnce(&World, &str) -> std::result::Result<bool, Errno>,
) -> Result<Box<dyn FileLock>> {
    let target = Target::of(path);
    let finish = |world: &World, (), fault: Option<Injected>| match fault.and_then(|f| f.errno) {
        None => take(world, target.name),
        Some(errno) => Err(errno),
    };
    let taken = call(FileOp::Lock, &target, |_, _| Ok(()), finish);
    match taken {
        Ok(true) => Ok(Box::new(SimLock::new(path))),
        Ok(false) => Err(noted(Error::Locked { path: Arc::from(path), holder: None })),
        Err(errno) => Err(error(errno, path, FileOp::Lock)),
    }
}
