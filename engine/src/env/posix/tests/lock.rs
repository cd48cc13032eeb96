//! The lock, against this process, against others, and against the removal of its file.

use core::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::*;

/// Tries the lock that LevelDB takes (`F_SETLK`), or the kind taken here, through another
/// descriptor.
fn try_lock(path: &Path, ours: bool) -> (rustix::fd::OwnedFd, nix::Result<i32>) {
    try_lock_of(libc::F_WRLCK, path, ours)
}

fn try_lock_of(
    lock_type: libc::c_int,
    path: &Path,
    ours: bool,
) -> (rustix::fd::OwnedFd, nix::Result<i32>) {
    let fd = fs::open(path, OFlags::RDWR, Mode::empty()).expect("opened");
    let lock = libc::flock {
        l_type: lock_type as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let arg = if ours { FcntlArg::F_OFD_SETLK(&lock) } else { FcntlArg::F_SETLK(&lock) };
    let result = fcntl(&fd, arg);
    (fd, result)
}

fn locked(path: &Path, holder: Option<u32>) -> Error {
    Error::Locked { path: path.into(), holder }
}

#[test]
fn one_holder_in_this_process() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let us = Some(std::process::id());
    let held = env.lock(&path).expect("free");
    assert_eq!(env.lock(&path).err(), Some(locked(&path, us)));
    // Under another name of the file or of the directory too.
    let link = dir.path().join("link");
    assert_eq!(env.link(&path, &link), Ok(()));
    assert_eq!(env.lock(&link).err(), Some(locked(&link, us)));
    let dotted = dir.path().join(".").join("LOCK");
    assert_eq!(env.lock(&dotted).err(), Some(locked(&dotted, us)));
    // The attempts have not loosened it.
    let (_fd, result) = try_lock(&path, true);
    assert_eq!(result, Err(nix::errno::Errno::EAGAIN));
    drop(held);
    drop(env.lock(&path).expect("free again"));
    drop(env.lock(&path).expect("and again"));
}

#[test]
fn a_copy_of_the_descriptor_does_not_keep_the_lock() {
    let (_, dir) = scratch();
    let path = dir.path().join("LOCK");
    let held = PosixLock::take(&path, Share::Alone).expect("free");
    // As a process has it that was forked and has not come to its exec.
    let copy = held.copy_descriptor();
    drop(held);
    drop(PosixLock::take(&path, Share::Alone).expect("free again"));
    drop(copy);
}

#[test]
fn keeps_leveldb_out_and_is_kept_out_by_it() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let held = env.lock(&path).expect("free");
    let (fd, result) = try_lock(&path, false);
    assert_eq!(result, Err(nix::errno::Errno::EAGAIN));
    drop((held, fd));

    let (fd, result) = try_lock(&path, false);
    assert!(result.is_ok());
    assert_eq!(env.lock(&path).err(), Some(locked(&path, Some(std::process::id()))));
    drop(fd);
    assert!(env.lock(&path).is_ok());
}

#[test]
fn a_holder_of_our_kind_has_no_process() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    write(&env, &path, b"");
    let (fd, result) = try_lock(&path, true);
    assert!(result.is_ok());
    assert_eq!(env.lock(&path).err(), Some(locked(&path, None)));
    drop(fd);
    assert!(env.lock(&path).is_ok());
}

#[test]
fn readers_share_and_a_writer_does_not() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let not_found = Error::NotFound { path: path.as_path().into(), op: FileOp::Lock };
    assert_eq!(env.lock_shared(&path).err(), Some(not_found));
    assert_eq!(env.exists(&path), Ok(false), "a reader makes no file");
    let by_us = || Some(locked(&path, Some(std::process::id())));
    let writer = env.lock(&path).expect("free");
    assert_eq!(env.lock_shared(&path).err(), by_us());
    drop(writer);

    let readers = [0, 1].map(|_| env.lock_shared(&path).expect("free of writers"));
    let [first, second] = readers;
    assert_eq!(env.lock(&path).err(), by_us());
    drop(first);
    assert_eq!(env.lock(&path).err(), by_us(), "one is left");
    drop(env.lock_shared(&path).expect("it is as before"));
    drop(second);
    drop(env.lock(&path).expect("the last is gone"));
}

#[test]
fn readers_share_with_those_of_other_processes_alone() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    write(&env, &path, b"");
    let reader = env.lock_shared(&path).expect("free");
    // Each kind of lock, as another process would ask for it: a writer of LevelDB, one of ours, a
    // reader.
    for (lock_type, ours, expected) in [
        (libc::F_WRLCK, false, Err(nix::errno::Errno::EAGAIN)),
        (libc::F_WRLCK, true, Err(nix::errno::Errno::EAGAIN)),
        (libc::F_RDLCK, true, Ok(0)),
    ] {
        let (_fd, result) = try_lock_of(lock_type, &path, ours);
        assert_eq!(result, expected, "{lock_type} {ours}");
    }
    drop(reader);
    let us = Some(std::process::id());
    for (lock_type, ours, reads, writes) in [
        (libc::F_WRLCK, false, Some(us), Some(us)),
        (libc::F_WRLCK, true, Some(None), Some(None)),
        (libc::F_RDLCK, true, None, Some(None)),
    ] {
        for (share, expected) in [(Share::WithReaders, reads), (Share::Alone, writes)] {
            // Anew for each: an attempt closes a descriptor, which is the end of an `F_SETLK` lock
            // of the same process.
            let (_fd, result) = try_lock_of(lock_type, &path, ours);
            assert_eq!(result, Ok(0));
            let expected = expected.map(|holder| locked(&path, holder));
            let refused = PosixLock::take(&path, share).err();
            assert_eq!(refused, expected, "{lock_type} {ours} {share:?}");
        }
    }
}

#[test]
fn a_reader_s_descriptor_cannot_write() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    write(&env, &path, b"");
    let mode = |share| {
        let held = PosixLock::take(&path, share).expect("free");
        fs::fcntl_getfl(held.copy_descriptor()).expect("open") & OFlags::RWMODE
    };
    assert_eq!(mode(Share::WithReaders), OFlags::RDONLY);
    assert_eq!(mode(Share::Alone), OFlags::RDWR);
}

#[test]
fn errors_of_the_file_are_no_locks() {
    let (env, dir) = scratch();
    let path = dir.path().join("none").join("LOCK");
    let error = env.lock(&path).err();
    assert_eq!(error, Some(Error::NotFound { path: path.as_path().into(), op: FileOp::Lock }));
}

#[test]
fn removing_the_file_lets_nobody_in_beside_the_next_holder() {
    let (env, dir) = scratch();
    let path = dir.path().join("LOCK");
    let holders = AtomicU32::new(0);
    let taken = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while taken.load(Ordering::Relaxed) < 300 {
                    let Ok(held) = env.lock(&path) else {
                        thread::yield_now();
                        continue;
                    };
                    assert_eq!(holders.fetch_add(1, Ordering::AcqRel), 0, "two holders");
                    taken.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(env.exists(&path), Ok(true), "locked a file without a name");
                    holders.fetch_sub(1, Ordering::AcqRel);
                    // As the end of a destroyed database: remove, then release.
                    assert_eq!(env.remove(&path), Ok(()));
                    drop(held);
                }
            });
        }
    });
}
