//! [`destroy`]: removing a database.
//!
//! ```text
//! LOCK -> CURRENT removed -> directory -> all others removed -> directory -> LOCK removed
//! ```
//!
//! CURRENT goes first, durably: whatever an interruption leaves is no database that could be opened
//! and miss something. LOCK goes last, while it is held, when none of the others can come back.
//!
//! Source: LevelDB `DestroyDB`. Differs: that order, and that the directory is synced; LOCK is
//! removed while it is held, not after it was released; a directory that cannot be listed is an
//! error.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::filename::{FileKind, current_file_name, lock_file_name, parse_file_name};

/// Removes the database in directory `dir`, and the directory if nothing else is in it. Foreign
/// files stay, and so does the directory `lost`. `Ok` if there is no such directory.
///
/// After `Ok` no power loss brings the database or a part of it back; LOCK and the empty directory
/// may be there again, and a database can be made in it. What an interruption or an error leaves is
/// the whole database, or files without CURRENT: an open refuses those, with an error that names
/// CURRENT, until they are destroyed too.
///
/// # Errors
/// `Locked` if the database is open, here or in another process: nothing is removed then. The first
/// error of removing a file, after all others were tried, or that of a sync of the directory: to be
/// called again.
pub fn destroy<E: Env>(env: &E, dir: &Path) -> Result<()> {
    if !env.exists(dir)? {
        return Ok(());
    }
    let path = lock_file_name(dir);
    let lock = env.lock(&path)?;
    let names = env.list(dir)?;
    // By kind and number, not in the order of the directory.
    let mut files: BTreeSet<_> =
        names.iter().filter_map(|name| parse_file_name(name).map(|kind| (kind, name))).collect();
    files.retain(|(kind, _)| *kind != FileKind::Lock);
    let current = current_file_name(dir);
    let is_current = |(kind, _): &(FileKind, &OsString)| *kind == FileKind::Current;
    if !files.iter().any(is_current) && !files.is_empty() {
        // An earlier call has removed it and may have failed to make that durable. A disk that
        // takes the name for clean since then learns of a new one, and of its removal.
        env.create(&current)?.close()?;
        env.remove(&current)?;
    } else if !files.is_empty() {
        env.remove(&current)?;
    }
    files.retain(|file| !is_current(file));
    env.sync_dir(dir)?;
    let mut result = Ok(());
    for (_, name) in files {
        let removed = match env.remove(&dir.join(name)) {
            Err(Error::NotFound { .. }) => Ok(()),
            removed => removed,
        };
        result = result.and(removed);
    }
    result?;
    env.sync_dir(dir)?;
    env.remove(&path)?;
    drop(lock);
    // Best effort: there may be other files, and somebody may make a database here by now.
    drop(env.remove_dir(dir));
    Ok(())
}
