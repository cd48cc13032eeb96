//! Counterparts of LevelDB's `env_test` and `env_posix_test`, and the contract of [`Env`] call by
//! call.

mod lock;
mod threads;

use std::fs as system;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

fn scratch() -> (PosixEnv, TempDir) {
    (PosixEnv::new(), TempDir::new().expect("a place for scratch files"))
}

fn write(env: &PosixEnv, path: &Path, contents: &[u8]) {
    let mut file = env.create(path).expect("created");
    assert_eq!(file.append(contents), Ok(()));
    assert_eq!(file.sync(), Ok(()));
    assert_eq!(file.close(), Ok(()));
}

fn read(env: &PosixEnv, path: &Path) -> Vec<u8> {
    let size = usize::try_from(env.size(path).expect("there")).expect("small");
    let mut contents = vec![0; size + 1];
    let mut file = env.open_sequential(path).expect("opened");
    assert_eq!(file.read(&mut contents), Ok(size));
    contents.truncate(size);
    contents
}

#[test]
fn read_write() {
    // Ten megabytes in pieces of uneven size, then out again in others.
    let (env, dir) = scratch();
    let path = dir.path().join("file");
    let data: Vec<u8> =
        (0..10_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut file = env.create(&path).expect("created");
    let mut rest = &data[..];
    for size in (1..).map(|n| n * 7919 % 100_000) {
        let (piece, behind) = rest.split_at(rest.len().min(size));
        assert_eq!(file.append(piece), Ok(()));
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(file.append(b""), Ok(()));
    assert_eq!(file.sync(), Ok(()));
    assert_eq!(file.close(), Ok(()));
    assert_eq!(env.size(&path), Ok(10_000_000));

    let mut file = env.open_sequential(&path).expect("opened");
    let mut found = Vec::new();
    for size in (1..).map(|n| n * 6007 % 100_000 + 1) {
        let mut piece = vec![0; size];
        let count = file.read(&mut piece).expect("read");
        found.extend_from_slice(&piece[..count]);
        if count < size {
            break;
        }
    }
    assert!(found == data);
    assert_eq!(file.read(&mut [0; 8]), Ok(0));
}

#[test]
fn random_access_fills_or_ends() {
    let (env, dir) = scratch();
    let path = dir.path().join("file");
    write(&env, &path, b"0123456789");
    let file = env.open_random_access(&path).expect("opened");
    let mut buf = [0; 4];
    assert_eq!(file.read_at(3, &mut buf), Ok(4));
    assert_eq!(&buf, b"3456");
    assert_eq!(file.read_at(8, &mut buf), Ok(2));
    assert_eq!(&buf[..2], b"89");
    for beyond in [10, 1000, i64::MAX as u64, u64::MAX] {
        assert_eq!(file.read_at(beyond, &mut buf), Ok(0));
    }
}

#[test]
fn reopen_writable_file_truncates() {
    let (env, dir) = scratch();
    let path = dir.path().join("file");
    write(&env, &path, b"hello world!");
    write(&env, &path, b"42");
    assert_eq!(read(&env, &path), b"42");
}

#[test]
fn what_is_not_there_is_not_found() {
    let (env, dir) = scratch();
    let (path, other) = (dir.path().join("none"), dir.path().join("other"));
    let not_found = |op| Error::NotFound { path: path.as_path().into(), op };
    assert_eq!(env.open_sequential(&path).err(), Some(not_found(FileOp::Open)));
    assert_eq!(env.open_random_access(&path).err(), Some(not_found(FileOp::Open)));
    assert_eq!(env.size(&path), Err(not_found(FileOp::Size)));
    assert_eq!(env.remove(&path), Err(not_found(FileOp::Remove)));
    assert_eq!(env.rename(&path, &other), Err(not_found(FileOp::Rename)));
    assert_eq!(env.link(&path, &other), Err(not_found(FileOp::Link)));
    assert_eq!(env.truncate(&path, 0), Err(not_found(FileOp::Truncate)));
    assert_eq!(env.list(&path), Err(not_found(FileOp::List)));
    assert_eq!(env.sync_dir(&path), Err(not_found(FileOp::SyncDir)));
    assert_eq!(env.remove_dir(&path), Err(not_found(FileOp::RemoveDir)));
    assert_eq!(env.exists(&path), Ok(false));
    assert_eq!(
        env.create_dir(&path.join("deep")).map_err(|error| error.to_string()).err(),
        Some(format!("create_dir {}: not found", path.join("deep").display()))
    );
    // No directory at all on the way is an error, not absence.
    write(&env, &path, b"a file");
    assert!(matches!(env.exists(&path.join("deep")), Err(Error::Io { .. })));
}

#[test]
fn names_come_and_go() {
    let (env, dir) = scratch();
    let name = |name: &str| dir.path().join(name);
    write(&env, &name("a"), b"A");
    write(&env, &name("b"), b"B");
    assert_eq!(env.rename(&name("a"), &name("b")), Ok(()));
    assert_eq!(read(&env, &name("b")), b"A");
    assert_eq!(env.link(&name("b"), &name("c")), Ok(()));
    assert!(matches!(env.link(&name("b"), &name("c")), Err(Error::Io { .. })));
    assert_eq!(env.remove(&name("b")), Ok(()));
    assert_eq!(read(&env, &name("c")), b"A");
    assert_eq!(env.create_dir(&name("d")), Ok(()));
    assert_eq!(env.create_dir(&name("d")), Ok(()), "there already");
    assert!(matches!(env.create_dir(&name("c")), Err(Error::Io { .. })), "a file in the way");
    let mut names = env.list(dir.path()).expect("listed");
    names.sort();
    assert_eq!(names, ["c", "d"]);
    assert_eq!(env.sync_dir(dir.path()), Ok(()));
    write(&env, &name("d").join("e"), b"");
    assert!(matches!(env.remove_dir(&name("d")), Err(Error::Io { .. })), "not empty");
    assert_eq!(env.remove(&name("d").join("e")), Ok(()));
    assert_eq!(env.remove_dir(&name("d")), Ok(()));
    assert_eq!(env.exists(&name("c")), Ok(true));
    assert_eq!(env.exists(&name("d")), Ok(false));
}

#[test]
fn truncate_cuts() {
    let (env, dir) = scratch();
    let path = dir.path().join("file");
    write(&env, &path, b"0123456789");
    assert_eq!(env.truncate(&path, 4), Ok(()));
    assert_eq!(read(&env, &path), b"0123");
}

#[test]
fn a_full_device_is_told_and_the_file_not_touched_again() {
    let env = PosixEnv::new();
    let path = Path::new("/dev/full");
    let mut file = env.create(path).expect("opened");
    let full = Error::NoSpace { path: path.into(), op: FileOp::Append };
    assert_eq!(file.append(b"x"), Err(full.clone()));
    assert_eq!(file.append(b""), Err(full.clone()));
    assert_eq!(file.sync(), Err(full.clone()));
    assert_eq!(file.close(), Err(full));
}

#[test]
fn kinds_of_errors() {
    let path = Path::new("p");
    let kind = |errno| failure(errno, path, FileOp::Open);
    assert_eq!(kind(Errno::DQUOT), Error::NoSpace { path: path.into(), op: FileOp::Open });
    assert_eq!(kind(Errno::MFILE), Error::TooManyOpen { path: path.into(), op: FileOp::Open });
    assert_eq!(kind(Errno::NFILE), kind(Errno::MFILE));
    assert_eq!(kind(Errno::NOSYS), Error::NotSupported { path: path.into(), op: FileOp::Open });
    let denied = io::ErrorKind::PermissionDenied;
    assert_eq!(
        kind(Errno::ACCESS),
        Error::Io { kind: denied, path: path.into(), op: FileOp::Open }
    );
}

/// The flags of each descriptor that this process has of the file.
fn flags_of(path: &Path) -> Vec<u32> {
    let links = system::read_dir("/proc/self/fd").expect("Linux has it");
    let names = links.filter_map(|link| link.ok().map(|link| link.file_name()));
    let ours = names.filter(|name| {
        system::read_link(PathBuf::from("/proc/self/fd").join(name)).is_ok_and(|to| to == path)
    });
    let flags = ours.map(|name| {
        let info = system::read_to_string(PathBuf::from("/proc/self/fdinfo").join(name));
        let info = info.expect("the file is open");
        let line = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("a line");
        u32::from_str_radix(line.trim(), 8).expect("octal")
    });
    flags.collect()
}

#[test]
fn close_on_exec() {
    let (env, dir) = scratch();
    let path = dir.path().canonicalize().expect("there").join("file");
    write(&env, &path, b"x");
    let sequential = env.open_sequential(&path).expect("opened");
    let random_access = env.open_random_access(&path).expect("opened");
    let writable = env.create(&path).expect("opened");
    let lock = env.lock(&path).expect("locked");
    let flags = flags_of(&path);
    assert_eq!(flags.len(), 4);
    assert!(flags.iter().all(|flags| flags & OFlags::CLOEXEC.bits() != 0), "{flags:?}");
    drop((sequential, random_access, writable, lock));
    assert_eq!(flags_of(&path), []);
}

#[test]
fn time_goes_on() {
    let env = PosixEnv::new();
    let before = env.clock().now();
    assert!(env.clock().now() >= before);
}
