//! What others do while a background thread is held up in the middle of its work.

use core::time::Duration;
use std::sync::Arc;

use super::compaction::by_hand;
use super::faulty_env::FaultyEnv;
use super::{R, options};
use crate::db::{Db, WriteStall};
use crate::env::{Atomic, Threads};
use crate::error::{Error, FileOp};
use crate::options::Options;

/// Tables at levels 0, 1 and 2.
fn levels(db: &Db<FaultyEnv>) -> [usize; 3] {
    let levels = db.metrics().unwrap().levels;
    [0, 1, 2].map(|level: usize| levels[level].files)
}

/// Whether `condition` comes true within ten seconds: a test that waits for ever says nothing.
pub(super) fn comes(condition: impl Fn() -> bool) -> bool {
    (0..10_000).any(|_| {
        R::sleep(Duration::from_millis(1));
        condition()
    })
}

/// Until it is closed there is no end to the flush that the writer waits for, nor, if the close
/// waited for the writer, to the close.
#[test]
fn a_close_frees_a_writer_that_waits_for_room() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let options = Options { write_buffer_size: 4096, ..options() };
    let db = Db::open(env.clone(), &path, options.clone()).unwrap();
    env.hold(FileOp::Create, ".ldb");
    let is_free: Arc<<R as Threads>::AtomicU32> = Arc::new(Atomic::new(0));
    let (clone, flag) = (db.clone(), Arc::clone(&is_free));
    let writer = R::spawn("writer", move || {
        let mut written = 0;
        loop {
            if let Err(error) = clone.put(format!("{written:03}").as_bytes(), &[b'v'; 1000]) {
                Atomic::store(&*flag, 1);
                return (written, error);
            }
            written += 1;
        }
    })
    .expect("a thread");
    let waits = comes(|| db.metrics().unwrap().stalls.now == WriteStall::Flush);
    let closer = R::spawn("closer", move || db.close()).expect("a thread");
    let is_free = comes(|| Atomic::load(&*is_free) == 1);
    env.release();
    let (written, error) = R::join(writer).unwrap();
    assert!(waits, "there was no flush to wait for");
    assert!(is_free, "it waited for the flush");
    assert_eq!(error, Error::Closed);
    assert_eq!(R::join(closer).unwrap(), Ok(()));
    let db = Db::open(env, &path, options).unwrap();
    assert_eq!(db.iter().unwrap().into_iter().count(), written);
}

/// Deeper there is room for it between the inputs of the compaction, but not beside its output.
#[test]
fn a_flush_beside_a_compaction_goes_to_level_0() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("db");
    let env = FaultyEnv::new();
    let db = Db::open(env.clone(), &path, by_hand()).unwrap();
    let flush = |key: &[u8], value: &[u8]| {
        db.put(key, value).unwrap();
        db.flush().unwrap();
    };
    for value in [b"1", b"2"] {
        flush(b"a", value);
        flush(b"z", value);
    }
    assert_eq!(levels(&db), [0, 2, 2]);

    let mut state = db.handle.inner.state.lock();
    let output = state.versions.new_file_number();
    state.versions.reuse_file_number(output);
    drop(state);
    env.hold(FileOp::Create, format!("{output:06}.ldb").leak());
    let clone = db.clone();
    let compact = move || clone.handle.inner.compact_level(1, None, None);
    let compaction = R::spawn("compaction", compact).expect("a thread");
    env.wait_until_held();
    flush(b"m", b"3");
    assert_eq!(levels(&db), [1, 2, 2]);
    env.release();
    assert_eq!(R::join(compaction).unwrap(), Ok(()));
    assert_eq!(levels(&db), [1, 0, 1]);
    flush(b"zz", b"4");
    assert_eq!(levels(&db), [1, 0, 2], "as before");
    let entries: Vec<_> = db.iter().unwrap().into_iter().map(Result::unwrap).collect();
    let expected = [("a", "2"), ("m", "3"), ("z", "2"), ("zz", "4")];
    assert_eq!(entries, expected.map(|(key, value)| (key.into(), value.into())));
}
