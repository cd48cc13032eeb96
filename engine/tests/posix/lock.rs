//! The lock, against whoever is not in the table of this process.
//!
//! Another process is played by an open file of its own with a lock on it: to the system that is
//! the same, as locks of this kind (`F_OFD_SETLK`) belong to an open file.

#![expect(unsafe_code, reason = "copies a descriptor that is not ours, and takes a lease")]

use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

use faultline::Error;
use faultline::env::Env;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::interrupt::{Interruptible, OPEN};
use crate::{scratch, undisturbed};

fn locked(path: &Path, holder: Option<u32>) -> Error {
    Error::Locked { path: path.into(), holder }
}

fn locked_by_us(path: &Path) -> Error {
    locked(path, Some(std::process::id()))
}

/// Opens the file, or makes it, and tries to lock it as our writers do, or as LevelDB does.
fn try_lock(path: &Path, as_leveldb: bool) -> (File, nix::Result<i32>) {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.expect("opened");
    let lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let arg = if as_leveldb { FcntlArg::F_SETLK(&lock) } else { FcntlArg::F_OFD_SETLK(&lock) };
    let result = fcntl(&file, arg);
    (file, result)
}

#[test]
fn a_held_lock_keeps_other_processes_out_whatever_this_one_closes() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let held = env.lock(&path).expect("free");
    for as_leveldb in [false, true] {
        assert_eq!(try_lock(&path, as_leveldb).1, Err(Errno::EAGAIN), "LevelDB: {as_leveldb}");
    }
    // Each of these opens the file and closes it again.
    assert_eq!(env.lock(&path).err(), Some(locked_by_us(&path)));
    drop(env.open_sequential(&path).expect("opened"));
    drop(File::open(&path).expect("opened"));
    for as_leveldb in [false, true] {
        assert_eq!(try_lock(&path, as_leveldb).1, Err(Errno::EAGAIN), "LevelDB: {as_leveldb}");
    }
    drop(held);
    assert_eq!(try_lock(&path, false).1, Ok(0), "free again");
}

#[test]
fn a_lock_of_another_process_is_respected() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let (theirs, taken) = try_lock(&path, false);
    assert_eq!(taken, Ok(0));
    assert_eq!(env.lock(&path).err(), Some(locked(&path, None)));
    assert_eq!(env.lock_shared(&path).err(), Some(locked(&path, None)));
    drop(theirs);
    drop(env.lock(&path).expect("free again"));
}

#[test]
fn a_lock_of_this_process_names_it_under_every_name_of_the_file() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let [path, link] = ["LOCK", "link"].map(|name| dir.path().join(name));
    let held = env.lock(&path).expect("free");
    assert_eq!(env.link(&path, &link), Ok(()));
    assert_eq!(env.lock(&link).err(), Some(locked_by_us(&link)));
    drop(held);
    let [first, second] = [0, 1].map(|_| env.lock_shared(&path).expect("no writer has it"));
    drop(first);
    assert_eq!(env.lock(&link).err(), Some(locked_by_us(&link)), "one reader is left");
    drop(second);
    drop(env.lock(&link).expect("the last is gone"));
}

/// The descriptor of this process that has the file open.
fn descriptor_of(path: &Path) -> RawFd {
    let path = path.canonicalize().expect("there");
    let entries = fs::read_dir("/proc/self/fd").expect("Linux has it").flatten();
    let of_file = entries.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == path));
    let numbers: Vec<RawFd> = of_file
        .map(|entry| entry.file_name().to_str().expect("text").parse().expect("a number"))
        .collect();
    assert_eq!(numbers.len(), 1);
    numbers[0]
}

#[test]
fn a_lock_ends_though_a_forked_process_has_a_copy_of_its_descriptor() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let held = env.lock(&path).expect("free");
    // As a process has it between its fork and its exec.
    // SAFETY: the descriptor is open as long as the lock is held; the copy is ours.
    let copy = unsafe { OwnedFd::from_raw_fd(libc::dup(descriptor_of(&path))) };
    assert!(copy.as_raw_fd() >= 0);
    drop(held);
    drop(env.lock(&path).expect("free again"));
    drop(copy);
}

/// Another process has the lock, removes the file and lets go, as the end of a destroyed database
/// does, while we are between opening the file and locking it.
#[test]
fn a_lock_is_never_on_a_file_that_was_removed() {
    let _alone = undisturbed();
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let theirs = File::create(&path).expect("created");
    // Whoever opens the file waits until the lease is given back. A signal tells that it is asked
    // for; we know.
    // SAFETY: ignores a signal.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    // SAFETY: the descriptor is open, and the command takes a number.
    let lease =
        |kind: libc::c_int| unsafe { libc::fcntl(theirs.as_raw_fd(), libc::F_SETLEASE, kind) };
    assert_eq!(lease(libc::F_WRLCK), 0, "{}", std::io::Error::last_os_error());
    let (ours, at) = (env.clone(), path.clone());
    let locker = Interruptible::spawn(move || {
        let held = ours.lock(&at).expect("free");
        let has_name = ours.exists(&at);
        let is_ours = try_lock(&at, false).1 == Err(Errno::EAGAIN);
        drop(held);
        (has_name, is_ours)
    });
    locker.wait_for(OPEN);
    fs::remove_file(&path).expect("removed");
    assert_eq!(lease(libc::F_UNLCK), 0);
    assert_eq!(locker.join(), (Ok(true), true), "locked a file without a name");
}
