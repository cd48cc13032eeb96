//! The directory `lost`: bytes that a recovery did not understand are kept there, never deleted.
//!
//! Nothing in the engine reads it. A copy is durable before whatever makes its original obsolete.
//! Nothing is moved here: until CURRENT is switched, what the directory held must stay openable,
//! and a MANIFEST that was misread may name tomorrow what it did not name today.
//!
//! Source: LevelDB `db/repair.cc` has a directory of that name, into which it moves files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::error::Result;

/// Bytes copied at a time.
const CHUNK_SIZE: usize = 64 << 10;

/// The directory `lost` of one database, created when first needed.
pub(super) struct Lost<'a, E: Env> {
    env: &'a E,
    dir: &'a Path,
    target: PathBuf,
    is_made: bool,
}

impl<'a, E: Env> Lost<'a, E> {
    pub(super) fn new(env: &'a E, dir: &'a Path) -> Self {
        Lost { env, dir, target: dir.join("lost"), is_made: false }
    }

    /// Copies `file` from `offset` to its end; the name of the copy tells the offset unless it is
    /// 0. The copy's bytes are durable, its name is after [`Lost::finish`].
    pub(super) fn keep(&mut self, file: &Path, offset: u64) -> Result<PathBuf> {
        let suffix = if offset == 0 { String::new() } else { format!(".from-{offset}") };
        let path = self.place_for(file, offset, &suffix)?;
        let source = self.env.open_random_access(file)?;
        let mut copy = self.env.create(&path)?;
        let mut chunk = vec![0; CHUNK_SIZE];
        let mut at = offset;
        loop {
            let size = source.read_at(at, &mut chunk)?;
            copy.append(&chunk[..size])?;
            at += size as u64;
            if size < chunk.len() {
                break;
            }
        }
        copy.sync()?;
        copy.close()?;
        Ok(path)
    }

    /// Makes the names of everything that was kept durable.
    pub(super) fn finish(&self) -> Result<()> {
        if !self.is_made {
            return Ok(());
        }
        self.env.sync_dir(&self.target)?;
        self.env.sync_dir(self.dir)
    }

    /// A path in `lost` that nothing has, for an earlier recovery's finds are as precious. A copy
    /// that an open made of the same bytes before it failed makes way: an open that is tried again
    /// and again must not fill the disk.
    fn place_for(&mut self, file: &Path, offset: u64, suffix: &str) -> Result<PathBuf> {
        if !self.is_made {
            self.env.create_dir(&self.target)?;
            self.is_made = true;
        }
        let mut name = OsString::from(file.file_name().unwrap_or_default());
        name.push(suffix);
        let mut path = self.target.join(&name);
        let mut copies = 1;
        while self.env.exists(&path)? {
            if self.is_superseded(&path, file, offset) {
                self.env.remove(&path)?;
                break;
            }
            copies += 1;
            let mut numbered = name.clone();
            numbered.push(format!("-{copies}"));
            path = self.target.join(numbered);
        }
        Ok(path)
    }

    /// Whether a copy has nothing but what `file` has from `offset` on. It does not do as it is: a
    /// sync of it may have failed. One that cannot be read may hold anything.
    fn is_superseded(&self, copy: &Path, file: &Path, offset: u64) -> bool {
        self.begins_with(file, offset, copy).unwrap_or(false)
    }

    fn begins_with(&self, file: &Path, offset: u64, copy: &Path) -> Result<bool> {
        let (file, copy) = (self.env.open_random_access(file)?, self.env.open_random_access(copy)?);
        let (mut wanted, mut held) = (vec![0; CHUNK_SIZE], vec![0; CHUNK_SIZE]);
        let mut at = 0;
        loop {
            let size = copy.read_at(at, &mut held)?;
            let there = file.read_at(offset + at, &mut wanted)?;
            if there < size || wanted[..size] != held[..size] {
                return Ok(false);
            }
            if size < held.len() {
                return Ok(true);
            }
            at += size as u64;
        }
    }
}
