//! Creating a database: the directory, its name in the parent, and the files of an empty database.
//!
//! ```text
//! DIR.creating -> DIR -> LOCK -> parent directory -> DIR.creating removed
//!     -> MANIFEST-000001 -> directory -> CURRENT -> directory
//! ```
//!
//! `DIR.creating` is an empty file beside the directory. It is there as long as a sync of the
//! parent may have failed on the directory's name: such a name can stay in the page cache alone,
//! and no later sync would make up for it. Whoever finds the file, and nothing but LOCK in the
//! directory, makes the directory again. A directory that somebody else made is left as it is.
//!
//! Source: LevelDB `DBImpl::NewDB`. Differs: as said; a database whose CURRENT is gone is refused
//! instead of being overwritten.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::open::Listing;
use crate::directory::Directory;
use crate::env::{Env, FileLock};
use crate::error::{Defect, Error, Result};
use crate::filename::{
    FileKind, FileNumber, current_file_name, lock_file_name, manifest_file_name,
};
use crate::key::InternalKeyComparator;
use crate::options::Options;
use crate::version::edit::VersionEdit;
use crate::version::{Manifest, switch_current};

/// The MANIFEST that a creation writes; the open that follows replaces it.
pub(super) const CREATION_MANIFEST: FileNumber = 1;

/// The file that tells of a directory whose name may not be durable; `None` if there is no parent.
fn marker(dir: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(dir.file_name()?);
    name.push(".creating");
    Some(dir.with_file_name(name))
}

/// Makes sure that the directory is there. Whether it was made just now.
pub(super) fn ensure_directory<E: Env>(env: &E, dir: &Path, options: &Options) -> Result<bool> {
    if env.exists(dir)? {
        return Ok(false);
    }
    if !options.create_if_missing {
        return Err(does_not_exist(dir));
    }
    make_directory(env, dir)?;
    Ok(true)
}

fn make_directory<E: Env>(env: &E, dir: &Path) -> Result<()> {
    let Some(marker) = marker(dir) else { return env.create_dir(dir) };
    env.create(&marker)?.close()?;
    env.create_dir(dir).inspect_err(|_| drop(env.remove(&marker)))
}

fn does_not_exist(dir: &Path) -> Error {
    let dir = dir.display();
    Error::invalid(format!("{dir}: does not exist (create_if_missing is false)"))
}

/// Whether there is no database here and one is to be made.
pub(super) fn is_new_database<E: Env>(
    env: &E,
    dir: &Path,
    options: &Options,
    listing: &Listing,
) -> Result<bool> {
    let current = current_file_name(dir);
    if env.exists(&current)? {
        if options.error_if_exists {
            let dir = dir.display();
            return Err(Error::invalid(format!("{dir}: exists (error_if_exists is true)")));
        }
        return Ok(false);
    }
    let is_of_a_database = |kind: &FileKind| match kind {
        // All that an interrupted creation leaves, and nothing was ever acknowledged in it.
        FileKind::Manifest(number) => *number != CREATION_MANIFEST,
        FileKind::Log(_) | FileKind::Table(_) | FileKind::LegacyTable(_) => true,
        FileKind::Temp(_)
        | FileKind::Current
        | FileKind::Lock
        | FileKind::InfoLog
        | FileKind::OldInfoLog => false,
    };
    if let Some(found) = listing.find(is_of_a_database) {
        let words = format!(
            "is missing although files of a database are there ({found}, for one); \
             nothing was changed"
        );
        return Err(Error::corruption(current, 0, Defect::Other(words.into())));
    }
    if options.create_if_missing { Ok(true) } else { Err(does_not_exist(dir)) }
}

/// Makes the name of the directory durable, before anything in it can be acknowledged. Returns the
/// lock of the directory that is there then.
pub(super) fn make_name_durable<E: Env>(
    env: &E,
    dir: &Path,
    mut lock: Box<dyn FileLock>,
    is_created: bool,
    listing: &Listing,
) -> Result<Box<dyn FileLock>> {
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        // The root of the file system has no name to lose.
        None => return Ok(lock),
    };
    let marker = marker(dir);
    let is_marked = match &marker {
        Some(marker) => is_created || env.exists(marker)?,
        None => false,
    };
    // Anything but LOCK came after a sync of the parent.
    if is_marked && !is_created && listing.is_lock_alone() {
        remove_directory(env, dir)?;
        drop(lock);
        make_directory(env, dir)?;
        lock = env.lock(&lock_file_name(dir))?;
    }
    if let Err(error) = env.sync_dir(parent) {
        if is_marked && remove_directory(env, dir).is_ok() {
            drop(marker.map(|marker| env.remove(&marker)));
        }
        return Err(error);
    }
    if is_marked {
        // If this fails it is only litter: with CURRENT in the directory nobody asks for it.
        drop(marker.map(|marker| env.remove(&marker)));
    }
    Ok(lock)
}

/// Removes a directory in which there is nothing but LOCK.
fn remove_directory<E: Env>(env: &E, dir: &Path) -> Result<()> {
    env.remove(&lock_file_name(dir))?;
    env.remove_dir(dir)
}

/// Writes the files of an empty database.
pub(super) fn create_database<E: Env>(
    env: &E,
    dir: &Path,
    order: &InternalKeyComparator,
    listing: &Listing,
) -> Result<()> {
    tracing::info!(target: "faultline", dir = %dir.display(), "creating a database");
    let edit = VersionEdit {
        comparator: Some(order.user().name().as_bytes().to_vec()),
        log_number: Some(0),
        next_file_number: Some(2),
        last_sequence: Some(0),
        ..VersionEdit::new()
    };
    if listing.find(|kind| *kind == FileKind::Manifest(CREATION_MANIFEST)).is_some() {
        // Of a creation whose directory sync may have failed. Writing the file anew would leave
        // its name as it is, in the page cache alone; a new file has a new name.
        env.remove(&manifest_file_name(dir, CREATION_MANIFEST))?;
    }
    let directory = Directory::new(env.clone(), dir);
    let since = directory.now();
    Manifest::create(env, dir, CREATION_MANIFEST, &[&edit])?.close()?;
    directory.sync(since)?;
    switch_current(&directory, CREATION_MANIFEST).map_err(|(error, _)| error)
}
