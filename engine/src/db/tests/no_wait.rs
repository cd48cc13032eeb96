//! Writes that do not wait for room, and who is told that others do.

use core::time::Duration;
use std::sync::Arc;

use super::compaction::by_hand;
use super::faulty_env::FaultyEnv;
use super::held_up::comes;
use super::limits::in_turn;
use super::{R, TestDb, options};
use crate::db::{Db, WriteStall};
use crate::env::{Mutex, Threads};
use crate::error::{Error, FileOp};
use crate::options::{Observer, Options, WriteOptions};

const NO_WAIT: WriteOptions = WriteOptions { sync: false, no_wait: true };

/// Notes what it is told.
#[derive(Debug)]
struct Stalls(Mutex<R, Vec<WriteStall>>);

impl Observer for Stalls {
    fn wants_stalls(&self) -> bool {
        true
    }

    fn write_stalled(&self, stall: WriteStall) {
        self.0.lock().push(stall);
    }
}

impl Stalls {
    fn new() -> Arc<Self> {
        Arc::new(Stalls(Mutex::new("stalls", Vec::new())))
    }

    fn told(&self) -> Vec<WriteStall> {
        self.0.lock().clone()
    }
}

/// One memtable is being flushed, which does not come to an end, and the other is full.
fn without_room(
    observer: Option<Arc<dyn Observer>>,
) -> (tempfile::TempDir, FaultyEnv, Db<FaultyEnv>) {
    let root = tempfile::tempdir().unwrap();
    let env = FaultyEnv::new();
    let options = Options { write_buffer_size: 4096, observer, ..options() };
    let db = Db::open(env.clone(), root.path().join("db"), options).unwrap();
    env.hold(FileOp::Create, ".ldb");
    let put = |i: usize| db.put_with(i.to_string().as_bytes(), &[b'v'; 1000], &NO_WAIT).err();
    let refused = (0..100).find_map(put);
    assert_eq!(refused, Some(Error::HeldUp { by: WriteStall::Flush }));
    env.wait_until_held();
    (root, env, db)
}

fn fill_level_0(test: &TestDb) {
    while test.tables_at(0) == 0 {
        test.put("k", "1");
        test.flush();
    }
}

#[test]
fn a_write_that_leads_does_not_wait_for_a_flush() {
    let (_root, env, db) = without_room(None);
    let refused = Err(Error::HeldUp { by: WriteStall::Flush });
    assert_eq!(db.put_with(b"key", b"value", &NO_WAIT), refused);
    assert_eq!(db.delete_with(b"0", &NO_WAIT), refused);
    assert_eq!(db.metrics().unwrap().stalls.flush_waits, 0, "nobody has waited");
    assert_eq!((db.get(b"key").unwrap(), db.get(b"0").unwrap().is_some()), (None, true));
    env.release();
    assert!(comes(|| db.put_with(b"key", b"value", &NO_WAIT).is_ok()));
    db.close().unwrap();
}

#[test]
fn a_write_does_not_wait_behind_one_that_waits() {
    let (_root, env, db) = without_room(None);
    let clone = db.clone();
    let waiting = R::spawn("writer", move || clone.put(b"patient", b"value")).expect("a thread");
    let waits = comes(|| db.metrics().unwrap().stalls.now == WriteStall::Flush);
    let outcome = db.put_with(b"key", b"value", &NO_WAIT);
    env.release();
    assert!(waits && R::join(waiting).unwrap().is_ok());
    assert_eq!(outcome, Err(Error::HeldUp { by: WriteStall::Flush }));
    assert_eq!(db.get(b"key").unwrap(), None);
    db.close().unwrap();
}

#[test]
fn a_write_in_line_does_not_wait_behind_one_that_comes_to_lead_and_is_delayed() {
    let test = TestDb::with(Options { level0_slowdown_writes_trigger: Some(1), ..by_hand() });
    fill_level_0(&test);
    let queue = &test.db().handle.inner.queue;
    let line_up = |options: WriteOptions, place| {
        let clone = test.db().clone();
        let put = move || clone.put_with(b"key", b"value", &options);
        let writer = R::spawn("writer", put).expect("a thread");
        assert!(comes(|| queue.waiting() == place));
        writer
    };
    let (delayed, in_line) =
        in_turn(&test, |_| (line_up(WriteOptions::default(), 1), line_up(NO_WAIT, 2)));
    assert!(R::join(delayed).unwrap().is_ok());
    assert_eq!(R::join(in_line).unwrap(), Err(Error::HeldUp { by: WriteStall::Slowdown }));
    let impatient = test.db().handle.inner.state.lock().impatient;
    assert_eq!(impatient, 0, "who is delayed from now on need not look for them");
}

#[test]
fn a_delay_is_a_wait_too() {
    let test = TestDb::with(Options { level0_slowdown_writes_trigger: Some(1), ..by_hand() });
    fill_level_0(&test);
    let refused = Err(Error::HeldUp { by: WriteStall::Slowdown });
    assert_eq!(test.db().put_with(b"k", b"2", &NO_WAIT), refused);
    assert_eq!(test.db().metrics().unwrap().stalls.slowdowns, 0);
    test.put("k", "3");
    assert_eq!(test.get("k"), "3");
}

#[test]
fn an_observer_is_told_when_writes_are_held_up_and_when_they_go_on() {
    let stalls = Stalls::new();
    let (_root, env, db) = without_room(Some(Arc::clone(&stalls) as _));
    assert_eq!(stalls.told(), []);
    let clone = db.clone();
    let waiting = R::spawn("writer", move || clone.put(b"patient", b"value")).expect("a thread");
    assert!(comes(|| stalls.told() == [WriteStall::Flush]));
    R::sleep(Duration::from_millis(1));
    assert_eq!(stalls.told(), [WriteStall::Flush], "it is told once");
    env.release();
    R::join(waiting).unwrap().unwrap();
    assert_eq!(stalls.told(), [WriteStall::Flush, WriteStall::None]);
    assert_eq!(db.metrics().unwrap().stalls.now, WriteStall::None);
    db.close().unwrap();

    let stalls = Stalls::new();
    let observer = Some(Arc::clone(&stalls) as _);
    let trigger = Some(1);
    let slow = Options { level0_slowdown_writes_trigger: trigger, observer, ..by_hand() };
    let test = TestDb::with(slow);
    fill_level_0(&test);
    test.put("k", "2");
    assert_eq!(stalls.told(), [WriteStall::Slowdown, WriteStall::None]);
}
