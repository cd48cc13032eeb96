//! What is kept in `lost`: whole copies, under names that nothing else had.

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
fn a_name_tells_the_offset_and_what_it_holds_stays() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let file = root.path().join("000003.log");
    // Each is another recovery, which finds what those before it kept.
    for bytes in ["bytes", "other bytes", "yet others"] {
        write_file(&file, bytes.as_bytes());
        let mut lost = Lost::new(&env, root.path());
        lost.keep(&file, 0).unwrap();
        lost.keep(&file, 4).unwrap();
    }
    let held = [
        ("000003.log", "bytes"),
        ("000003.log-2", "other bytes"),
        ("000003.log-3", "yet others"),
        ("000003.log.from-4", "s"),
        ("000003.log.from-4-2", "r bytes"),
        ("000003.log.from-4-3", "others"),
    ];
    let dir = root.path().join("lost");
    assert_eq!(file_names(&dir), held.map(|(name, _)| name));
    for (name, bytes) in held {
        assert_eq!(read_file(&dir.join(name)), bytes.as_bytes(), "{name}");
    }
    assert_eq!(file_names(root.path()), ["000003.log", "lost"], "nothing is moved");
}

#[test]
fn what_a_failed_open_kept_is_not_kept_twice() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let file = root.path().join("000003.log");
    let kept = root.path().join("lost/000003.log");
    crate::env::Env::create_dir(&env, kept.parent().unwrap()).unwrap();
    for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        write_file(&file, &bytes);
        // The copy is whole, or broken off.
        for held in [size, size / 2, size.min(65_536), 0] {
            write_file(&kept, &bytes[..held]);
            assert_eq!(Lost::new(&env, root.path()).keep(&file, 0).unwrap(), kept);
            assert!(read_file(&kept) == bytes, "{held} of {size}");
        }
        // It holds more, or something else.
        let mut others = vec![[&bytes[..], b"+"].concat()];
        others.extend(size.checked_sub(1).map(|last| [&bytes[..last], b"+"].concat()));
        for other in others {
            write_file(&kept, &other);
            let second = Lost::new(&env, root.path()).keep(&file, 0).unwrap();
            assert_eq!(second, root.path().join("lost/000003.log-2"));
            assert!(read_file(&kept) == other && read_file(&second) == bytes, "{size}");
        }
    }
    // It cannot be read.
    write_file(&kept, b"");
    env.fail(Fault::NthOf(FileOp::Read, "lost", 0), false);
    let third = Lost::new(&env, root.path()).keep(&file, 0).unwrap();
    assert_eq!(third, root.path().join("lost/000003.log-2"));
    assert!(env.heal().is_some());
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
