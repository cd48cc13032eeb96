//! [`OpenFiles`]: the files of tables that are open, so many at most.
//!
//! A table keeps its index and the number of its file, not the file: that is opened again when a
//! block is read from it after others have pushed it out. So neither tables in use nor cursors,
//! however many there are, keep files open.
//!
//! Opening and closing are done without the lock. Invariant: of the files that are open or being
//! opened there are at most as many as there may be, and beside them those that were pushed out
//! while a thread was inside a read: each such thread keeps one to the end of the read.
//!
//! Source: none in LevelDB, where cursors keep open what they use, beyond `max_open_files` too.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{Env, Mutex, RandomAccessFile};
use crate::error::{Defect, Error, Result};
use crate::filename::{FileNumber, legacy_table_file_name, table_file_name};
use crate::lru::Lru;

/// A file that is open.
pub(crate) struct OpenFile {
    /// Its name: tables of old databases have another ending.
    pub(crate) path: PathBuf,
    file: Box<dyn RandomAccessFile>,
}

#[derive(Debug)]
struct Files {
    open: Lru<FileNumber, Arc<OpenFile>>,
    opening: usize,
}

/// The open files of one database's tables.
pub(crate) struct OpenFiles<E: Env> {
    env: E,
    dir: PathBuf,
    files: Mutex<E::Threads, Files>,
}

impl<E: Env> OpenFiles<E> {
    /// The files of the tables in `dir`, `capacity` open at most.
    pub(crate) fn new(env: E, dir: PathBuf, capacity: usize) -> Self {
        let files = Files { open: Lru::new(capacity), opening: 0 };
        OpenFiles { env, dir, files: Mutex::new("open files", files) }
    }

    /// The file of table `number`, opened if need be.
    ///
    /// # Errors
    /// `Corruption` if it is not there; that of opening it.
    pub(crate) fn get(&self, number: FileNumber) -> Result<Arc<OpenFile>> {
        let mut files = self.files.lock();
        if let Some(file) = files.open.get(number) {
            return Ok(Arc::clone(file));
        }
        files.opening += 1;
        let opening = files.opening;
        let pushed_out: Vec<_> = core::iter::from_fn(|| files.open.pop_to_fit(opening)).collect();
        drop(files);
        // Closed before another is opened.
        drop(pushed_out);
        let opened = self.open(number).map(Arc::new);
        let mut files = self.files.lock();
        files.opening -= 1;
        // Another thread may have opened it too.
        let replaced = match &opened {
            Ok(file) => files.open.insert(number, Arc::clone(file), 1),
            Err(_) => None,
        };
        drop(files);
        drop(replaced);
        opened
    }

    /// Closes the file of table `number`, for now.
    pub(crate) fn forget(&self, number: FileNumber) {
        let forgotten = self.files.lock().open.remove(number);
        // Closing is I/O: not under the lock.
        drop(forgotten);
    }

    fn open(&self, number: FileNumber) -> Result<OpenFile> {
        let path = table_file_name(&self.dir, number);
        let (path, file) = match self.env.open_random_access(&path) {
            Err(Error::NotFound { .. }) => {
                let legacy = legacy_table_file_name(&self.dir, number);
                match self.env.open_random_access(&legacy) {
                    Err(Error::NotFound { .. }) => return Err(missing(&path)),
                    opened => (legacy, opened?),
                }
            }
            opened => (path, opened?),
        };
        Ok(OpenFile { path, file })
    }
}

fn missing(path: &Path) -> Error {
    Error::corruption(path, 0, Defect::Other("missing file".into()))
}

/// The file of a table, by its number alone.
pub(crate) struct FileOfTable<E: Env> {
    pub(crate) files: Arc<OpenFiles<E>>,
    pub(crate) number: FileNumber,
}

impl<E: Env> RandomAccessFile for FileOfTable<E> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        self.files.get(self.number)?.file.read_at(offset, buf)
    }

    fn read_new(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        self.files.get(self.number)?.file.read_new(offset, len)
    }
}

impl<E: Env> fmt::Debug for OpenFiles<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFiles").field("dir", &self.dir).finish_non_exhaustive()
    }
}
