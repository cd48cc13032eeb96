//! Files in memory for unit tests of the formats: what was appended can be seen and changed, and
//! any operation can be made to fail.

#![expect(clippy::disallowed_types, reason = "these files belong to no Env and no scheduler")]

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::env::{RandomAccessFile, SequentialFile, WritableFile};
use crate::error::{Error, FileOp, Result};

/// The path that errors of these files name.
pub(crate) const PATH: &str = "db/file";

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    operations: Vec<FileOp>,
    fail_at: Option<usize>,
}

/// A file that all its handles share.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemFile(Arc<Mutex<State>>);

impl MemFile {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let file = MemFile::default();
        file.set_bytes(bytes);
        file
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    pub(crate) fn set_bytes(&self, bytes: &[u8]) {
        self.state().bytes = bytes.to_vec();
    }

    /// The appends, syncs and closes so far, failed ones included.
    pub(crate) fn operations(&self) -> Vec<FileOp> {
        self.state().operations.clone()
    }

    /// Makes operation number `index`, counted from 0, fail, and only that one.
    pub(crate) fn fail_at(&self, index: usize) {
        self.state().fail_at = Some(index);
    }

    pub(crate) fn writable(&self) -> Box<dyn WritableFile> {
        Box::new(self.clone())
    }

    pub(crate) fn random_access(&self) -> Box<dyn RandomAccessFile> {
        Box::new(self.clone())
    }

    pub(crate) fn sequential(&self) -> Box<dyn SequentialFile> {
        Box::new(Source { file: self.clone(), position: 0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, op: FileOp) -> Result<()> {
        let mut state = self.state();
        let index = state.operations.len();
        state.operations.push(op);
        if state.fail_at == Some(index) { Err(failure(op)) } else { Ok(()) }
    }
}

/// The error that these files fail with.
pub(crate) fn failure(op: FileOp) -> Error {
    Error::Io { kind: ErrorKind::Other, path: Path::new(PATH).into(), op }
}

impl WritableFile for MemFile {
    fn append(&mut self, data: &[u8]) -> Result<()> {
        let result = self.count(FileOp::Append);
        // A failed append leaves a part behind.
        let taken = if result.is_ok() { data.len() } else { data.len() / 2 };
        self.state().bytes.extend_from_slice(&data[..taken]);
        result
    }

    fn sync(&mut self) -> Result<()> {
        self.count(FileOp::Sync)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.count(FileOp::Close)
    }
}

impl RandomAccessFile for MemFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.count(FileOp::Read)?;
        let state = self.state();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(state.bytes.len());
        let taken = buf.len().min(state.bytes.len() - start);
        buf[..taken].copy_from_slice(&state.bytes[start..start + taken]);
        Ok(taken)
    }
}

#[derive(Debug)]
struct Source {
    file: MemFile,
    position: u64,
}

impl SequentialFile for Source {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let taken = self.file.read_at(self.position, buf)?;
        self.position += taken as u64;
        Ok(taken)
    }
}
