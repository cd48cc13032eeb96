//! Real threads: every write has a place of its own in one order, and no reader sees half a batch.

use std::sync::Arc;

use super::{R, SYNC, TestDb, options};
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::env::posix::PosixEnv;
use crate::env::{Atomic, Threads};
use crate::options::{Options, ReadOptions, WriteOptions};

/// Writers put pairs of keys to the same value in one batch; readers always find them equal, and
/// never go backwards.
#[test]
fn multi_threaded() {
    const WRITERS: u64 = 3;
    const WRITES: u64 = 300;
    let test = TestDb::with(Options { write_buffer_size: 8 << 10, ..options() });
    let stop: Arc<<R as Threads>::AtomicU32> = Arc::new(Atomic::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let db = test.db().clone();
            R::spawn("writer", move || write(&db, writer, WRITES)).expect("a thread")
        })
        .collect();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (db, stop) = (test.db().clone(), Arc::clone(&stop));
            R::spawn("reader", move || {
                let mut last = [0; WRITERS as usize];
                while Atomic::load(&*stop) == 0 {
                    read(&db, &mut last);
                }
            })
            .expect("a thread")
        })
        .collect();
    let flusher = {
        let (db, stop) = (test.db().clone(), Arc::clone(&stop));
        R::spawn("flusher", move || {
            while Atomic::load(&*stop) == 0 {
                db.flush().unwrap();
                db.sync().unwrap();
            }
        })
        .expect("a thread")
    };
    let mut given: Vec<u64> =
        writers.into_iter().flat_map(|writer| R::join(writer).unwrap()).collect();
    Atomic::store(&*stop, 1);
    for reader in readers {
        R::join(reader).unwrap();
    }
    R::join(flusher).unwrap();
    // Each batch has two operations, and no number is given twice or left out.
    given.sort_unstable();
    assert!(given.iter().copied().eq((0..WRITERS * WRITES).map(|i| 2 * i + 1)));
    assert_eq!(test.db().last_sequence(), 2 * WRITERS * WRITES);
}

fn write(db: &Db<PosixEnv>, writer: u64, writes: u64) -> Vec<u64> {
    let mut given = Vec::new();
    for i in 1..=writes {
        let mut batch = WriteBatch::new();
        for half in ["left", "right"] {
            batch.put(format!("{half}{writer}").as_bytes(), i.to_string().as_bytes()).unwrap();
        }
        let options = if i % 40 == 0 { SYNC } else { WriteOptions::default() };
        let first = db.write(&batch, &options).unwrap();
        assert!(given.last().is_none_or(|&last| first > last), "a thread's writes are in order");
        assert!(db.last_sequence() > first, "acknowledged is published");
        given.push(first);
    }
    given
}

fn read(db: &Db<PosixEnv>, last: &mut [u64]) {
    let snapshot = db.snapshot().unwrap();
    let options = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
    for (writer, last) in last.iter_mut().enumerate() {
        let [left, right] = ["left", "right"].map(|half| {
            let value = db.get_with(format!("{half}{writer}").as_bytes(), &options).unwrap();
            value
                .map_or(0, |value| String::from_utf8(value.into()).unwrap().parse::<u64>().unwrap())
        });
        assert_eq!(left, right, "half a batch");
        assert!(left >= *last, "time went backwards");
        *last = left;
    }
    let mut entries = 0;
    for entry in db.iter_with(&options).unwrap() {
        entry.unwrap();
        entries += 1;
    }
    assert_eq!(entries % 2, 0, "half a batch");
}

/// Handles dropped while work is running: the last drop waits, and LOCK is free after it.
#[test]
fn the_last_drop_frees_the_lock() {
    let mut test = TestDb::with(Options { write_buffer_size: 4 << 10, ..options() });
    for round in 0..10 {
        let db = test.db.take().unwrap();
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                let db = db.clone();
                R::spawn("writer", move || {
                    for i in 0..50 {
                        let value = vec![b'x'; 200];
                        db.put(format!("{round}/{thread}/{i}").as_bytes(), &value).unwrap();
                    }
                })
                .expect("a thread")
            })
            .collect();
        drop(db);
        for thread in threads {
            R::join(thread).unwrap();
        }
        test.open();
    }
    let entries = test.db().iter().unwrap().into_iter().count();
    assert_eq!(entries, 10 * 2 * 50);
}

#[test]
fn an_iterator_may_move_between_threads() {
    let test = TestDb::new();
    test.put("a", "1");
    let iter = test.db().iter().unwrap();
    let walker = R::spawn("walker", move || iter.into_iter().count()).expect("a thread");
    assert_eq!(R::join(walker).unwrap(), 1);
    assert_shared(test.db());
    assert_shared(&test.db().snapshot().unwrap());
}

fn assert_shared(_: &(impl Send + Sync + Clone + 'static)) {}
