//! Files, names, directories and locks.

use std::path::Path;

use faultline::env::Env;
use faultline::{Error, FileOp, Result};

pub(crate) fn names<E: Env>(env: &E, dir: &Path) -> Vec<String> {
    let names = env.list(dir).expect("lists");
    let mut names: Vec<_> = names.into_iter().map(|n| n.into_string().expect("text")).collect();
    names.sort();
    names
}

fn write<E: Env>(env: &E, path: &Path, parts: &[&[u8]]) {
    let mut file = env.create(path).expect("creates");
    for part in parts {
        file.append(part).expect("appends");
    }
    file.sync().expect("syncs");
    file.close().expect("closes");
}

fn contents<E: Env>(env: &E, path: &Path) -> Vec<u8> {
    let mut bytes = vec![0xee; 100_000];
    let mut file = env.open_sequential(path).expect("is there");
    let count = file.read(&mut bytes).expect("reads");
    bytes.truncate(count);
    assert_eq!(env.size(path), Ok(count as u64));
    bytes
}

/// The error of a call that has to fail.
fn error<T>(result: Result<T>) -> Error {
    result.map(drop).expect_err("fails")
}

fn not_found(path: &Path, op: FileOp) -> Error {
    Error::NotFound { path: path.into(), op }
}

fn io(kind: std::io::ErrorKind, path: &Path, op: FileOp) -> Error {
    Error::Io { kind, path: path.into(), op }
}

pub(crate) fn reads_and_appends<E: Env>(env: &E, dir: &Path) {
    let path = dir.join("file");
    // Across pages, and across the parts in which a system may take it.
    let long: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
    write(env, &path, &[b"abc", b"", b"defg", &long]);
    let all = [b"abcdefg".as_slice(), &long].concat();
    assert_eq!(contents(env, &path), all);

    let mut file = env.open_sequential(&path).expect("opens");
    let mut buf = [0; 5];
    assert_eq!((file.read(&mut buf), &buf), (Ok(5), b"abcde"));
    assert_eq!((file.read(&mut buf), &buf[..2]), (Ok(5), b"fg".as_slice()));
    assert_eq!(file.read(&mut []), Ok(0));
    let mut rest = vec![0; 30_000];
    assert_eq!(file.read(&mut rest), Ok(all.len() - 10), "a read ends only with the file");
    assert_eq!(rest[..all.len() - 10], all[10..]);
    assert_eq!(file.read(&mut buf), Ok(0), "and stays there");

    let file = env.open_random_access(&path).expect("opens");
    assert_eq!((file.read_at(3, &mut buf[..4]), &buf[..4]), (Ok(4), b"defg".as_slice()));
    assert_eq!((file.read_at(0, &mut buf), &buf), (Ok(5), b"abcde"));
    let len = all.len() as u64;
    assert_eq!(file.read_at(len - 2, &mut buf), Ok(2));
    assert_eq!(buf[..2], all[all.len() - 2..]);
    for offset in [len, len + 1, u64::MAX - 3, u64::MAX] {
        assert_eq!(file.read_at(offset, &mut buf), Ok(0), "past the end, at {offset}");
        assert_eq!(file.read_new(offset, 5), Ok(Vec::new()), "past the end, at {offset}");
    }
    assert_eq!(file.read_new(3, 4).as_deref(), Ok(b"defg".as_slice()));
    assert_eq!(file.read_new(0, all.len()).as_ref(), Ok(&all));
    assert_eq!(file.read_new(5, 30_000).as_deref(), Ok(&all[5..]), "as far as the file goes");
    assert_eq!(file.read_new(0, 0), Ok(Vec::new()));

    // Opening to write again starts from nothing.
    let mut file = env.create(&path).expect("empties");
    assert_eq!(env.size(&path), Ok(0));
    file.append(b"new").expect("appends");
    assert_eq!(contents(env, &path), b"new", "what was appended can be read, synced or not");
    file.append(b"er").expect("appends");
    drop(file);
    assert_eq!(contents(env, &path), b"newer", "dropping closes");

    env.truncate(&path, 3).expect("cuts");
    assert_eq!(contents(env, &path), b"new");
    env.truncate(&path, 3).expect("nothing to cut");
    env.truncate(&path, 0).expect("cuts");
    assert_eq!(contents(env, &path), b"");
    env.remove(&path).expect("removes");
}

pub(crate) fn names_and_their_changes<E: Env>(env: &E, dir: &Path) {
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.join(name));
    write(env, &a, &[b"1"]);
    write(env, &b, &[b"22"]);
    assert_eq!(names(env, dir), ["a", "b"]);
    env.rename(&a, &c).expect("to a free name");
    assert_eq!(names(env, dir), ["b", "c"]);
    env.rename(&c, &b).expect("replaces");
    assert_eq!((names(env, dir), contents(env, &b)), (vec!["b".to_owned()], b"1".to_vec()));
    env.rename(&b, &b).expect("onto itself");
    assert_eq!(contents(env, &b), b"1");

    env.link(&b, &a).expect("links");
    assert_eq!(names(env, dir), ["a", "b"]);
    env.rename(&a, &b).expect("two names of one file");
    assert_eq!(names(env, dir), ["a", "b"], "nothing happens then");
    env.truncate(&a, 0).expect("cuts");
    assert_eq!(contents(env, &b), b"", "both name one file");
    write(env, &a, &[b"both"]);
    assert_eq!(contents(env, &b), b"both");
    env.remove(&a).expect("removes a name");
    assert_eq!((env.exists(&a), contents(env, &b)), (Ok(false), b"both".to_vec()));
    env.sync_dir(dir).expect("syncs the names");
    env.remove(&b).expect("removes");
    env.sync_dir(dir).expect("syncs the names");
    assert_eq!(names(env, dir), Vec::<String>::new());
}

pub(crate) fn open_files_outlive_their_names<E: Env>(env: &E, dir: &Path) {
    let [path, moved] = ["open", "moved"].map(|name| dir.join(name));
    let mut writer = env.create(&path).expect("creates");
    writer.append(b"one").expect("appends");
    let reader = env.open_random_access(&path).expect("opens");
    env.rename(&path, &moved).expect("renames");
    writer.append(b" two").expect("a name is nothing to an open file");
    assert_eq!(contents(env, &moved), b"one two");
    env.remove(&moved).expect("removes");
    assert_eq!(env.exists(&moved), Ok(false));
    writer.append(b" three").expect("appends");
    writer.sync().expect("syncs");
    let mut buf = [0; 20];
    assert_eq!(reader.read_at(0, &mut buf), Ok(13));
    assert_eq!(&buf[..13], b"one two three");
    writer.close().expect("closes");
    // Another file of that name is another file.
    write(env, &moved, &[b"other"]);
    assert_eq!(reader.read_at(0, &mut buf), Ok(13));
    drop(reader);
    env.remove(&moved).expect("removes");
}

pub(crate) fn directories<E: Env>(env: &E, dir: &Path) {
    let inner = dir.join("inner");
    let file = inner.join("file");
    env.create_dir(&inner).expect("creates");
    assert_eq!((env.exists(&inner), names(env, &inner)), (Ok(true), vec![]));
    assert_eq!(names(env, dir), ["inner"]);
    write(env, &file, &[b"x"]);
    env.create_dir(&inner).expect("is there already");
    assert_eq!(names(env, &inner), ["file"], "and stays as it was");
    env.rename(&file, &dir.join("out")).expect("from one directory to another");
    env.rename(&dir.join("out"), &file).expect("and back");
    let full = error(env.remove_dir(&inner));
    assert_eq!(full, io(std::io::ErrorKind::DirectoryNotEmpty, &inner, FileOp::RemoveDir));
    env.remove(&file).expect("removes");
    env.remove_dir(&inner).expect("is empty");
    assert_eq!(env.exists(&inner), Ok(false));
}

pub(crate) fn absence<E: Env>(env: &E, dir: &Path) {
    let missing = dir.join("missing");
    let there = dir.join("there");
    let below = missing.join("below");
    write(env, &there, &[]);
    assert_eq!((env.exists(&there), env.exists(&missing)), (Ok(true), Ok(false)));
    assert_eq!(env.exists(&below), Ok(false));
    assert_eq!(error(env.open_sequential(&missing)), not_found(&missing, FileOp::Open));
    assert_eq!(error(env.open_random_access(&missing)), not_found(&missing, FileOp::Open));
    assert_eq!(error(env.size(&missing)), not_found(&missing, FileOp::Size));
    assert_eq!(error(env.remove(&missing)), not_found(&missing, FileOp::Remove));
    assert_eq!(error(env.truncate(&missing, 0)), not_found(&missing, FileOp::Truncate));
    assert_eq!(error(env.rename(&missing, &there)), not_found(&missing, FileOp::Rename));
    assert_eq!(error(env.link(&missing, &below)), not_found(&missing, FileOp::Link));
    assert_eq!(error(env.list(&missing)), not_found(&missing, FileOp::List));
    assert_eq!(error(env.sync_dir(&missing)), not_found(&missing, FileOp::SyncDir));
    assert_eq!(error(env.remove_dir(&missing)), not_found(&missing, FileOp::RemoveDir));
    assert_eq!(error(env.create(&below)), not_found(&below, FileOp::Create));
    assert_eq!(error(env.create_dir(&below)), not_found(&below, FileOp::CreateDir));
    assert_eq!(error(env.lock(&below)), not_found(&below, FileOp::Lock));
    assert_eq!(names(env, dir), ["there"], "failures leave nothing behind");
    env.remove(&there).expect("removes");
}

pub(crate) fn wrong_kinds<E: Env>(env: &E, dir: &Path) {
    use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory};
    let [file, other, inner] = ["file", "other", "inner"].map(|name| dir.join(name));
    let below = file.join("below");
    write(env, &file, &[b"f"]);
    write(env, &other, &[b"o"]);
    env.create_dir(&inner).expect("creates");
    assert_eq!(error(env.create_dir(&file)), io(AlreadyExists, &file, FileOp::CreateDir));
    assert_eq!(error(env.link(&file, &other)), io(AlreadyExists, &file, FileOp::Link));
    assert_eq!(error(env.create(&inner)), io(IsADirectory, &inner, FileOp::Create));
    assert_eq!(error(env.remove(&inner)), io(IsADirectory, &inner, FileOp::Remove));
    assert_eq!(error(env.rename(&file, &inner)), io(IsADirectory, &file, FileOp::Rename));
    assert_eq!(error(env.remove_dir(&file)), io(NotADirectory, &file, FileOp::RemoveDir));
    assert_eq!(error(env.list(&file)), io(NotADirectory, &file, FileOp::List));
    assert_eq!(error(env.sync_dir(&file)), io(NotADirectory, &file, FileOp::SyncDir));
    assert_eq!(error(env.create(&below)), io(NotADirectory, &below, FileOp::Create));
    // Neither there nor absent: it cannot be told.
    assert_eq!(error(env.exists(&below)), io(NotADirectory, &below, FileOp::Exists));
    assert_eq!((contents(env, &file), contents(env, &other)), (b"f".to_vec(), b"o".to_vec()));
    assert_eq!(names(env, dir), ["file", "inner", "other"]);
    env.remove_dir(&inner).expect("is empty");
    env.remove(&file).expect("removes");
    env.remove(&other).expect("removes");
}

pub(crate) fn locks<E: Env>(env: &E, dir: &Path) {
    let [path, other] = ["LOCK", "LOCK2"].map(|name| dir.join(name));
    let held = env.lock(&path).expect("is free");
    assert_eq!(env.size(&path), Ok(0), "made if need be");
    let is_locked = |result: Result<_>| match result.map(drop) {
        Err(Error::Locked { path: named, .. }) => *named == *path,
        _ => false,
    };
    assert!(is_locked(env.lock(&path)));
    assert!(is_locked(env.clone().lock(&path)), "however often it is asked for");
    let second = env.lock(&other).expect("another lock");
    drop(held);
    let again = env.lock(&path).expect("was released");
    assert!(is_locked(env.lock(&path)));
    drop((again, second));

    let [first, second] = [0; 2].map(|_| env.lock_shared(&path).expect("no writer has it"));
    assert!(is_locked(env.lock(&path)));
    drop(first);
    assert!(is_locked(env.lock(&path)), "one is left");
    drop(env.lock_shared(&path).expect("it is as before"));
    drop(second);
    let held = env.lock(&path).expect("they are gone");
    assert!(is_locked(env.lock_shared(&path)));
    assert!(is_locked(env.lock(&path)));
    drop(held);
    let nowhere = dir.join("LOCK3");
    assert_eq!(error(env.lock_shared(&nowhere)), not_found(&nowhere, FileOp::Lock));
    assert_eq!(env.exists(&nowhere), Ok(false), "a reader makes no file");

    write(env, &path, &[b"kept"]);
    drop(env.lock(&path).expect("was released"));
    drop(env.lock_shared(&path).expect("was released"));
    assert_eq!(contents(env, &path), b"kept", "a lock changes nothing");
    env.remove(&path).expect("removes");
    env.remove(&other).expect("removes");
}
