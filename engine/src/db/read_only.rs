//! Opening a database to read it, without changing a byte.
//!
//! Logs are replayed into one memtable, which is never written out; so the database is as it was
//! for whoever opens it next, and nothing is decided about writes that were not acknowledged. LOCK
//! is shared with other readers. It is not made if it is not there, as in a copy of a database:
//! then nothing keeps a writer out.
//!
//! Invariant: no call that changes the directory is made; the commit queue has ended before anybody
//! can line up, and there are no background threads.
//!
//! Source: none in LevelDB; compare `DB::OpenForReadOnly` of RocksDB.

use std::path::{Path, PathBuf};

use super::create::{ensure_directory, is_new_database};
use super::open::{Listing, Recovery};
use super::report::RecoveryReport;
use super::state::Inner;
use crate::env::{Env, FileLock};
use crate::error::{Error, Result};
use crate::filename::lock_file_name;
use crate::key::InternalKeyComparator;
use crate::options::Options;

/// Opens the database in `dir`; see the module.
pub(super) fn open_read_only<E: Env>(env: E, dir: PathBuf, options: Options) -> Result<Inner<E>> {
    let options = Options { create_if_missing: false, error_if_exists: false, ..options }.clipped();
    let order = InternalKeyComparator::new(options.comparator.clone());
    ensure_directory(&env, &dir, &options)?;
    let lock = lock_if_there(&env, &dir)?;
    let listing = Listing::read(&env, &dir)?;
    is_new_database(&env, &dir, &options, &listing)?;
    let mut report = RecoveryReport::default();
    Recovery { env, dir, options, order, listing }.look(lock, &mut report)
}

/// Takes LOCK among readers, without making it.
pub(crate) fn lock_if_there<E: Env>(env: &E, dir: &Path) -> Result<Option<Box<dyn FileLock>>> {
    match env.lock_shared(&lock_file_name(dir)) {
        Ok(lock) => Ok(Some(lock)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
