//! What the system refuses is told, with the name of the file, and ends a file being written.

use std::fs::File;
use std::path::Path;

use faultline::env::Env;
use faultline::{Error, FileOp};

use crate::{invalid, make_pipe, scratch};

/// A pipe takes every write and can be synced by nobody.
#[test]
fn a_sync_that_fails_is_told_and_is_the_last_of_its_file() {
    let (env, dir) = scratch();
    let path = dir.path().join("pipe");
    make_pipe(&path);
    let keeps_it_open = File::options().read(true).write(true).open(&path).expect("opened");
    let mut file = env.create(&path).expect("opened");
    assert_eq!(file.append(b"x"), Ok(()));
    let refused = Err(invalid(&path, FileOp::Sync));
    assert_eq!(file.sync(), refused);
    assert_eq!(file.append(b"y"), refused);
    assert_eq!(file.sync(), refused);
    assert_eq!(file.close(), refused);
    drop(keeps_it_open);
}

#[test]
fn an_append_that_fails_is_told_and_is_the_last_of_its_file() {
    let (env, _dir) = scratch();
    let path = Path::new("/dev/full");
    let mut file = env.create(path).expect("opened");
    let full = Err(Error::NoSpace { path: path.into(), op: FileOp::Append });
    assert_eq!(file.append(b"x"), full);
    assert_eq!(file.append(b""), full);
    assert_eq!(file.sync(), full);
    assert_eq!(file.close(), full);
}

/// Directories of the kernel's own cannot be synced.
#[test]
fn a_sync_of_a_directory_that_fails_is_told() {
    let (env, dir) = scratch();
    assert_eq!(env.sync_dir(dir.path()), Ok(()));
    let path = Path::new("/proc");
    assert_eq!(env.sync_dir(path), Err(invalid(path, FileOp::SyncDir)));
}
