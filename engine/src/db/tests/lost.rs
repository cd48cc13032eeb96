//! What is kept in `lost`: whole copies, under names that nothing had yet.

use super::faulty_env::{Fault, FaultyEnv};
use super::{file_names, read_file, write_file};
use crate::db::lost::Lost;
use crate::error::FileOp;

#[test]
fn a_copy_is_whole_from_its_offset_on() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let file = root.path().join("000003.log");
    let mut lost = Lost::new(&env, root.path());
    // Around the 64 KiB that are copied at a time.
    for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        write_file(&file, &bytes);
        for offset in [0, 1, size / 2, size] {
            let kept = lost.keep(&file, offset as u64).unwrap();
            assert!(read_file(&kept) == bytes[offset.min(size)..], "{size} from {offset}");
        }
    }
}

#[test]
fn a_name_tells_the_offset_and_is_not_used_twice() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let file = root.path().join("000003.log");
    write_file(&file, b"bytes");
    for _ in 0..2 {
        // Another recovery finds what the one before kept.
        let mut lost = Lost::new(&env, root.path());
        lost.keep(&file, 0).unwrap();
        lost.keep(&file, 4).unwrap();
        lost.keep(&file, 4).unwrap();
    }
    let set_aside = Lost::new(&env, root.path()).set_aside(&file).unwrap();
    assert_eq!(set_aside, root.path().join("lost/000003.log-3"));
    assert_eq!(read_file(&set_aside), b"bytes");
    let names = [
        "000003.log",
        "000003.log-2",
        "000003.log-3",
        "000003.log.from-4",
        "000003.log.from-4-2",
        "000003.log.from-4-3",
        "000003.log.from-4-4",
    ];
    assert_eq!(file_names(&root.path().join("lost")), names);
    assert_eq!(file_names(root.path()), ["lost"]);
}

#[test]
fn names_are_synced_if_there_are_any() {
    let root = tempfile::tempdir().unwrap();
    let (env, dir) = (FaultyEnv::new(), root.path().join("db"));
    crate::env::Env::create_dir(&env, &dir).unwrap();
    let file = dir.join("000003.log");
    write_file(&file, b"bytes");
    let mut lost = Lost::new(&env, &dir);
    env.fail(Fault::Each(FileOp::SyncDir, "db"), false);
    lost.finish().unwrap();
    assert_eq!(file_names(&dir), ["000003.log"], "nothing was made");
    lost.keep(&file, 0).unwrap();
    // That of `lost`, and that of the directory with the name of `lost`.
    for nth in 0..2 {
        env.fail(Fault::NthOf(FileOp::SyncDir, "db", nth), false);
        lost.finish().unwrap_err();
    }
    env.fail(Fault::NthOf(FileOp::SyncDir, "db", 2), false);
    lost.finish().unwrap();
}
