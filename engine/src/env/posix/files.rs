//! Open files of the operating system.
//!
//! Invariant: a file being written that has failed once is not touched again, whatever its owner
//! does: what the kernel kept of it is unknown, and a later sync that succeeds proves nothing.
//!
//! Source: LevelDB `util/env_posix.cc`.

use std::path::Path;
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::{call, failure};
use crate::env::{RandomAccessFile, SequentialFile, WritableFile};
use crate::error::{Error, FileOp, Result};

/// No file reaches beyond what the system can count to.
const END_MAX: u64 = i64::MAX as u64;

/// A file open for reading, from its start or at any offset.
pub(super) struct PosixReader {
    fd: OwnedFd,
    path: Arc<Path>,
}

impl PosixReader {
    pub(super) fn new(fd: OwnedFd, path: &Path) -> Self {
        PosixReader { fd, path: path.into() }
    }

    /// Calls `read` for one part of `buf` after another, until it is full or the file ends.
    fn fill(
        &self,
        buf: &mut [u8],
        read: impl Fn(&OwnedFd, &mut [u8], usize) -> rustix::io::Result<usize>,
    ) -> Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            let rest = &mut buf[filled..];
            let count = call(&self.path, FileOp::Read, || read(&self.fd, &mut *rest, filled))?;
            if count == 0 {
                break;
            }
            filled += count;
        }
        Ok(filled)
    }
}

impl SequentialFile for PosixReader {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.fill(buf, |fd, rest, _filled| rustix::io::read(fd, rest))
    }
}

impl RandomAccessFile for PosixReader {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.fill(buf, |fd, rest, filled| {
            let start = offset.saturating_add(filled as u64);
            if start.saturating_add(rest.len() as u64) > END_MAX {
                return Ok(0);
            }
            rustix::io::pread(fd, rest, start)
        })
    }

    fn read_new(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        // The allocator may have given more than was asked for; all of it is read into.
        if len > 0 && offset.saturating_add(bytes.capacity() as u64) <= END_MAX {
            call(&self.path, FileOp::Read, || {
                rustix::io::pread(&self.fd, rustix::buffer::spare_capacity(&mut bytes), offset)
            })?;
        }
        let read = bytes.len().min(len);
        bytes.resize(len, 0);
        // Mostly nothing: what a short read left out, and the proof that a file ends.
        let rest = self.read_at(offset.saturating_add(read as u64), &mut bytes[read..])?;
        bytes.truncate(read + rest);
        Ok(bytes)
    }
}

/// A file open for appending.
pub(super) struct PosixWriter {
    fd: OwnedFd,
    path: Arc<Path>,
    failed: Option<Error>,
}

impl PosixWriter {
    pub(super) fn new(fd: OwnedFd, path: &Path) -> Self {
        PosixWriter { fd, path: path.into(), failed: None }
    }

    /// Does a step unless an earlier one failed, and keeps its error.
    fn run(&mut self, step: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = step(self);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    fn write_all(&self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            let count = call(&self.path, FileOp::Append, || rustix::io::write(&self.fd, data))?;
            if count == 0 {
                return Err(failure(Errno::IO, &self.path, FileOp::Append));
            }
            data = &data[count..];
        }
        Ok(())
    }
}

impl WritableFile for PosixWriter {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.run(|file| file.write_all(data))
    }

    fn sync(&mut self) -> Result<()> {
        self.run(|file| call(&file.path, FileOp::Sync, || rustix::fs::fdatasync(&file.fd)))
    }

    fn close(self: Box<Self>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        // Not made again when interrupted: the descriptor is gone by then, and may be another's.
        nix::unistd::close(self.fd).map_err(|errno| {
            failure(Errno::from_raw_os_error(errno as i32), &self.path, FileOp::Close)
        })
    }
}
