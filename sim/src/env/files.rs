//! Open files and locks of the simulated process.

use std::path::{Path, PathBuf};

use faultline::env::{FileLock, RandomAccessFile, SequentialFile, WritableFile};
use faultline::{FileOp, Result};

use super::call::{Target, call, simple, sync};
use super::error;
use crate::arena::Outside;
use crate::disk::{Errno, Fd};
use crate::fault::FileRole;
use crate::kernel::with_kernel;
use crate::trace::Tag;
use crate::world::with_world;

/// A file open for reading.
pub(super) struct SimFile {
    fd: Fd,
    path: PathBuf,
    role: FileRole,
    position: u64,
}

impl SimFile {
    pub(super) fn new(fd: Fd, path: &Path) -> Self {
        SimFile { fd, path: path.to_owned(), role: Target::of(path).role, position: 0 }
    }

    fn read(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut target = Target::open(&self.path, self.role);
        target.bytes = buf.len() as u64;
        target.read = Some((self.fd, offset));
        let read = simple(FileOp::Read, &target, |disk| disk.read_at(self.fd, offset, buf));
        let count = read.map_err(|errno| error(errno, &self.path, FileOp::Read))?;
        with_kernel(|kernel| kernel.with_trace(|t| t.note_bytes(Tag::Bytes, &buf[..count])));
        Ok(count)
    }
}

impl SequentialFile for SimFile {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let count = SimFile::read(self, self.position, buf)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl RandomAccessFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.read(offset, buf)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let _outside = Outside::enter();
        with_world(|world| world.disk.borrow_mut().close(self.fd));
    }
}

/// A file open for appending.
pub(super) struct SimAppend {
    fd: Fd,
    path: PathBuf,
    role: FileRole,
    closed: bool,
}

impl SimAppend {
    pub(super) fn new(fd: Fd, path: &Path) -> Self {
        SimAppend { fd, path: path.to_owned(), role: Target::of(path).role, closed: false }
    }
}

impl WritableFile for SimAppend {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        let mut target = Target::open(&self.path, self.role);
        target.bytes = data.len() as u64;
        with_kernel(|kernel| kernel.with_trace(|t| t.note_bytes(Tag::Bytes, data)));
        call(
            FileOp::Append,
            &target,
            |world, fault| {
                // A fault decides at submission how much of the data is written at all.
                let kept = fault.map_or(data.len(), |fault| fault.kept(data.len()));
                world.disk.borrow_mut().begin_append(self.fd, &data[..kept])
            },
            |world, write, fault| {
                let accepted = write.accepted();
                world.disk.borrow_mut().finish_append(write, accepted);
                match fault.and_then(|fault| fault.errno) {
                    Some(errno) => Err(errno),
                    None if accepted < data.len() => Err(Errno::NoSpace),
                    None => Ok(()),
                }
            },
        )
        .map_err(|errno| error(errno, &self.path, FileOp::Append))
    }

    fn sync(&mut self) -> Result<()> {
        let target = Target::open(&self.path, self.role);
        sync(FileOp::Sync, &target, |disk| Ok(disk.begin_sync(self.fd)))
            .map_err(|errno| error(errno, &self.path, FileOp::Sync))
    }

    fn close(mut self: Box<Self>) -> Result<()> {
        let target = Target::open(&self.path, self.role);
        self.closed = true;
        let fd = self.fd;
        // A failed close has closed the file all the same.
        let closed = call(
            FileOp::Close,
            &target,
            |_, _| Ok(()),
            |world, (), fault| {
                world.disk.borrow_mut().close(fd);
                fault.and_then(|fault| fault.errno).map_or(Ok(()), Err)
            },
        );
        closed.map_err(|errno| error(errno, &self.path, FileOp::Close))
    }
}

impl Drop for SimAppend {
    fn drop(&mut self) {
        if !self.closed {
            let _outside = Outside::enter();
            with_world(|world| world.disk.borrow_mut().close(self.fd));
        }
    }
}

/// The held lock of the database.
pub(super) struct SimLock {
    path: PathBuf,
}

impl SimLock {
    pub(super) fn new(path: &Path) -> Self {
        SimLock { path: path.to_owned() }
    }
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let _outside = Outside::enter();
        let name = self.path.to_str().expect("names in the simulator are text");
        // A directory whose creation failed is removed with its LOCK: then nothing is left to
        // release.
        with_world(|world| world.disk.borrow_mut().unlock(name, 1)).ok();
    }
}
