//! `resume` while the background threads are at work.

use core::time::Duration;

use super::faulty_env::{Fault, FaultyEnv};
use super::{R, TestDb, file_names, options};
use crate::db::Db;
use crate::env::Threads;
use crate::error::{Error, FileOp};

/// Has `work` on its way to a table when all writes are stopped and `resume` is called. It must
/// end first, well or not: both would make tables of one memtable, or of one compaction's inputs.
fn check_that_resume_waits_for(work: fn(&Db<FaultyEnv>) -> crate::Result<()>) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = Db::open(env.clone(), &path, options()).unwrap();
    for value in [b"1", b"2"] {
        db.put(b"a", value).unwrap();
        db.flush().unwrap();
    }
    db.put(b"a", b"3").unwrap();
    env.hold(FileOp::Create, ".ldb");
    let clone = db.clone();
    let worker = R::spawn("worker", move || drop(work(&clone))).expect("a thread");
    env.wait_until_held();
    env.fail(Fault::Each(FileOp::Append, ".log"), false);
    db.put(b"failed", b"x").unwrap_err();
    assert!(env.heal().is_some());

    let before = file_names(&path);
    let clone = db.clone();
    let resumer = R::spawn("resumer", move || clone.resume()).expect("a thread");
    // If it did not wait it would have a new log long before.
    R::sleep(Duration::from_millis(200));
    assert_eq!(file_names(&path), before, "it has begun");
    env.release();
    R::join(worker).unwrap();
    R::join(resumer).unwrap().unwrap();
    db.put(b"b", b"4").unwrap();
    db.close().unwrap();
    let db = Db::open(env, &path, options()).unwrap();
    let entries: Vec<_> = db.iter().unwrap().into_iter().map(Result::unwrap).collect();
    let expected = [(b"a", b"3"), (b"b", b"4")];
    assert_eq!(entries, expected.map(|(key, value)| (key.to_vec(), value.to_vec())));
}

#[test]
fn resume_waits_for_a_flush() {
    check_that_resume_waits_for(Db::flush);
}

#[test]
fn resume_waits_for_a_compaction() {
    check_that_resume_waits_for(|db| {
        // Wherever the two tables went.
        (0..2).try_for_each(|level| db.handle.inner.compact_level(level, None, None))
    });
}

/// Two threads may fail at once, and the one that stops the queue first need not be the first to
/// say why.
#[test]
fn all_are_told_of_the_failure_that_came_first() {
    let test = TestDb::new();
    test.put("a", "1");
    let inner = &test.db().handle.inner;
    let kept = || inner.state.lock().background_error.clone().map(|stopped| stopped.error);
    let [first, second] = ["first", "second"].map(Error::invalid);
    inner.queue.stop(first.clone().into_background());
    inner.set_background_error(&second, true);
    inner.set_background_error(&first, true);
    let told = first.clone().into_background();
    assert_eq!(test.db().put(b"b", b"2"), Err(told.clone()));
    assert_eq!(test.db().flush(), Err(told));
    assert_eq!(kept(), Some(first));
    test.db().resume().unwrap();
    // What was undone stops nobody.
    inner.set_background_error(&second, true);
    assert_eq!(test.db().flush(), Err(second.into_background()));
}

/// The queue is stopped a moment before it is known why, and whether that can be repaired.
#[test]
fn resume_waits_for_the_reason() {
    let test = TestDb::new();
    test.put("a", "1");
    let inner = &test.db().handle.inner;
    let error = Error::invalid("on purpose");
    inner.queue.stop(error.clone().into_background());
    let clone = test.db().clone();
    let resumer = R::spawn("resumer", move || clone.resume()).expect("a thread");
    R::sleep(Duration::from_millis(200));
    inner.set_background_error(&error, true);
    R::join(resumer).unwrap().unwrap();
    test.put("b", "2");
    assert_eq!(test.contents(), "(a->1)(b->2)");
}
