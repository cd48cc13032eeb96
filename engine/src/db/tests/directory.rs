//! Which sync of a directory is believed, and by whom.

use super::faulty_env::{Fault, FaultyEnv};
use crate::directory::Directory;
use crate::error::FileOp;

#[test]
fn a_sync_is_not_believed_by_whoever_made_a_name_before_one_failed() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let directory = Directory::new(env.clone(), root.path());
    let (ours, theirs) = (directory.now(), directory.now());
    env.fail(Fault::NthOf(FileOp::SyncDir, "", 0), false);
    let failed = directory.sync(theirs).unwrap_err();
    // The next would succeed, and may have written nothing: it is not even made.
    assert_eq!(directory.sync(ours), Err(failed.clone()));
    assert_eq!(directory.sync(ours), Err(failed));
    // A name made since then is dirty again.
    assert_eq!(directory.sync(directory.now()), Ok(()));
    assert!(env.heal().is_some());
}

#[test]
fn a_failure_before_a_name_was_made_is_none_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let directory = Directory::new(env.clone(), root.path());
    for round in 0..3 {
        env.fail(Fault::NthOf(FileOp::SyncDir, "", 0), round == 1);
        let since = directory.now();
        assert!(directory.sync(since).is_err(), "round {round}");
        assert_eq!(directory.sync(directory.now()), Ok(()), "round {round}");
        assert!(directory.sync(since).is_err(), "round {round}");
    }
}
