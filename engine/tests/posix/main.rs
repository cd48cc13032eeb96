//! `PosixEnv` where the operating system is at its worst: calls that are interrupted, reads and
//! writes that do a part, syncs that are refused, files that others lock, inherit or remove.
//!
//! Through the public `Env`, on what Linux has to offer for each. What holds on an ordinary day is
//! in the unit tests of `env/posix`, and in the simulator's test of conformance.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "Linux is what is tested"
)]

mod inherited;
mod interrupt;
mod interrupted;
mod lock;
mod refused;
mod short;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use faultline::env::posix::PosixEnv;
use faultline::{Error, FileOp};
use tempfile::TempDir;

fn scratch() -> (PosixEnv, TempDir) {
    (PosixEnv::new(), TempDir::new().expect("a place for scratch files"))
}

/// Makes a named pipe.
fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a named pipe");
}

/// What a system call that does not fit the file is answered with.
fn invalid(path: &Path, op: FileOp) -> Error {
    Error::Io { kind: std::io::ErrorKind::InvalidInput, path: path.into(), op }
}

/// For the tests in which a child process starts, and those which it could disturb: from its fork
/// to its exec it has a copy of every descriptor, and with it of each lock that is on one.
fn undisturbed() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}
