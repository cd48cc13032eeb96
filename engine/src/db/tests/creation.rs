//! What an interrupted creation leaves, and how the next open goes on from it.

use std::path::Path;

use super::faulty_env::{Fault, FaultyEnv};
use super::{file_names, options, read_file, write_file};
use crate::db::Db;
use crate::db::create::make_name_durable;
use crate::db::open::Listing;
use crate::env::Env;
use crate::error::FileOp;
use crate::key::InternalKeyComparator;
use crate::record::HEADER_SIZE;
use crate::version::edit::VersionEdit;
use crate::version::recover;

#[test]
fn a_creation_leaves_nothing_beside_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    Db::open(FaultyEnv::new(), &path, options()).unwrap().close().unwrap();
    assert_eq!(file_names(root.path()), ["db"]);
}

/// Fails the sync of the parent. The directory goes again, if its removal does not fail too.
fn fail_parent_sync(env: &FaultyEnv, root: &Path) {
    let parent = root.file_name().unwrap().to_str().unwrap().to_owned().leak();
    env.fail(Fault::NthOf(FileOp::SyncDir, parent, 0), false);
    Db::open(env.clone(), root.join("db"), options()).unwrap_err();
    assert!(env.heal().is_some());
}

#[test]
fn a_directory_whose_name_was_not_synced_is_taken_back() {
    let root = tempfile::tempdir().unwrap();
    fail_parent_sync(&FaultyEnv::new(), root.path());
    assert!(file_names(root.path()).is_empty());
}

#[test]
fn a_directory_that_nobody_vouches_for_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let (path, marker) = (root.path().join("db"), root.path().join("db.creating"));
    let env = FaultyEnv::new();
    // As the death of the process between the two would leave it.
    write_file(&marker, b"");
    env.create_dir(&path).unwrap();
    env.fail(Fault::Each(FileOp::RemoveDir, "db"), false);
    Db::open(env.clone(), &path, options()).unwrap_err();
    assert!(env.heal().is_some(), "it was to be removed first");
    Db::open(env.clone(), &path, options()).unwrap().close().unwrap();
    assert_eq!(file_names(root.path()), ["db"]);
}

#[test]
fn a_directory_with_anything_in_it_is_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    write_file(&root.path().join("db.creating"), b"");
    env.create_dir(&path).unwrap();
    write_file(&path.join("notes.txt"), b"mine");
    env.fail(Fault::Each(FileOp::RemoveDir, "db"), false);
    Db::open(env.clone(), &path, options()).unwrap().close().unwrap();
    assert_eq!(env.heal(), None);
    assert!(file_names(&path).contains(&"notes.txt".to_owned()));
}

#[test]
fn a_directory_that_was_just_made_or_that_somebody_else_made_is_not_made_again() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let (made, given) = (root.path().join("made"), root.path().join("given"));
    env.create_dir(&given).unwrap();
    for path in [made, given] {
        env.fail(Fault::Each(FileOp::RemoveDir, ""), false);
        Db::open(env.clone(), &path, options()).unwrap().close().unwrap();
        assert_eq!(env.heal(), None, "{}", path.display());
    }
}

#[test]
fn a_directory_that_somebody_else_made_is_not_removed() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    env.create_dir(&root.path().join("db")).unwrap();
    fail_parent_sync(&env, root.path());
    assert_eq!(file_names(root.path()), ["db"]);
}

#[test]
fn a_name_without_a_parent_is_one_in_the_working_directory() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let listing = Listing::read(&env, root.path()).unwrap();
    env.fail(Fault::Each(FileOp::SyncDir, ""), false);
    for (name, parent) in [("faultline-test", "."), ("faultline-test/db", "faultline-test")] {
        let lock = env.lock(&root.path().join("LOCK")).unwrap();
        assert!(make_name_durable(&env, Path::new(name), lock, false, &listing).is_err());
        let failed = env.heal();
        assert_eq!(failed, Some((FileOp::SyncDir, parent.to_owned())));
        env.fail(Fault::Each(FileOp::SyncDir, ""), false);
    }
}

#[test]
fn a_creation_that_no_open_came_to_the_end_of_has_its_current_made_again() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    env.fail(Fault::Each(FileOp::Create, "MANIFEST-000002"), false);
    Db::open(env.clone(), &path, options()).unwrap_err();
    let makes_current = |nth| {
        env.fail(Fault::NthOf(FileOp::Create, "000001.dbtmp", nth), false);
        let opened = Db::open(env.clone(), &path, options());
        assert_eq!(opened.is_err(), env.heal().is_some());
        opened.is_err()
    };
    // That one may be in the page cache alone.
    assert!(makes_current(0));
    // It is made once, by this open; the next finds another MANIFEST.
    assert!(!makes_current(1));
    assert!(!makes_current(0));
}

#[test]
fn a_new_database_has_its_first_current_made_once() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    env.fail(Fault::NthOf(FileOp::Create, "000001.dbtmp", 1), false);
    Db::open(env.clone(), root.path().join("db"), options()).unwrap().close().unwrap();
    assert_eq!(env.heal(), None);
}

#[test]
fn a_first_manifest_that_cannot_be_closed_is_no_creation() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    env.fail(Fault::Each(FileOp::Close, "MANIFEST-000001"), false);
    Db::open(env.clone(), root.path().join("db"), options()).unwrap_err();
    assert!(env.heal().is_some());
    assert!(!file_names(&root.path().join("db")).contains(&"CURRENT".to_owned()));
}

#[test]
fn a_second_creation_makes_a_new_first_manifest() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    env.fail(Fault::Each(FileOp::Create, "dbtmp"), false);
    Db::open(env.clone(), &path, options()).unwrap_err();
    assert!(file_names(&path).contains(&"MANIFEST-000001".to_owned()));
    // A file that is only written over keeps its name, which no sync may cover.
    env.fail(Fault::Each(FileOp::Remove, "MANIFEST-000001"), false);
    Db::open(env.clone(), &path, options()).unwrap_err();
    assert!(env.heal().is_some());
    Db::open(env, &path, options()).unwrap().close().unwrap();
}

#[test]
fn the_first_manifest_names_everything_and_the_comparator_too() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    // The creation is over, and the MANIFEST of the open that follows is not.
    env.fail(Fault::Each(FileOp::Create, "MANIFEST-000002"), false);
    Db::open(env.clone(), &path, options()).unwrap_err();
    assert!(env.heal().is_some());
    let recovered = recover(&env, &path, &InternalKeyComparator::bytewise()).unwrap();
    assert_eq!((recovered.manifest_number, recovered.next_file_number), (1, 2));
    assert_eq!((recovered.log_number, recovered.last_sequence), (0, 0));
    let expected = VersionEdit {
        comparator: Some(b"leveldb.BytewiseComparator".to_vec()),
        log_number: Some(0),
        next_file_number: Some(2),
        last_sequence: Some(0),
        ..VersionEdit::new()
    };
    let mut stored = Vec::new();
    expected.encode(&mut stored);
    let manifest = read_file(&path.join("MANIFEST-000001"));
    assert_eq!(manifest[HEADER_SIZE..], stored);
}
