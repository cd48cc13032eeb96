//! Where the path of a write ends: the sequence numbers, the memtable, the memory that is kept.

use super::{SYNC, TestDb, options};
use crate::batch::WriteBatch;
use crate::db::queue::Entered;
use crate::db::request::Request;
use crate::db::write::LeaderTurn;
use crate::env::posix::PosixEnv;
use crate::error::Error;
use crate::key::MAX_SEQUENCE;
use crate::options::Options;

/// Does something in a turn of the commit queue.
pub(super) fn in_turn<V>(test: &TestDb, act: impl FnOnce(&mut LeaderTurn<'_, PosixEnv>) -> V) -> V {
    match test.db().handle.inner.queue.enter(Request::Sync) {
        Entered::Leader(mut turn) => {
            let value = act(&mut turn);
            turn.finish(Ok(0)).unwrap();
            value
        }
        Entered::Done(outcome) => panic!("nobody else is there: {outcome:?}"),
    }
}

#[test]
fn the_last_sequence_number_is_given_and_none_after_it() {
    let test = TestDb::new();
    test.put("a", "1");
    in_turn(&test, |turn| turn.last_sequence = MAX_SEQUENCE - 2);
    let mut three = WriteBatch::new();
    for key in [b"a", b"b", b"c"] {
        three.put(key, b"2").unwrap();
    }
    let refused = |outcome: crate::Result<u64>| matches!(outcome, Err(Error::InvalidArgument(_)));
    assert!(refused(test.db().write(&three, &SYNC)));
    assert_eq!(test.get("a"), "1");
    assert_eq!(test.db().put(b"b", b"2").unwrap(), MAX_SEQUENCE - 1);
    assert_eq!(test.db().put(b"b", b"3").unwrap(), MAX_SEQUENCE);
    assert!(refused(test.db().put(b"b", b"4")));
    assert!(refused(test.db().delete_with(b"b", &SYNC)));
    // It is no failure of the log: the rest goes on.
    assert_eq!(test.db().last_sequence(), MAX_SEQUENCE);
    assert_eq!(test.get("b"), "3");
    test.db().sync().unwrap();
    test.db().flush().unwrap();
    assert_eq!(test.get("b"), "3");
}

#[test]
fn the_memory_of_a_record_is_kept_up_to_2_mib() {
    let test = TestDb::new();
    let is_kept = || in_turn(&test, |turn| turn.group.is_some());
    assert!(is_kept(), "there is some from the start");
    // Header, tag, two lengths of 1 and 3 bytes, key and value.
    let most = (2 << 20) - 12 - 1 - 1 - 3 - 3;
    let value = vec![b'v'; most + 1];
    for (value, expected) in [(&value[..], false), (&value[..most], true), (b"", true)] {
        test.db().put(b"key", value).unwrap();
        assert_eq!(is_kept(), expected, "{} bytes", value.len());
    }
}

#[test]
fn a_memtable_is_full_when_it_is_larger_than_the_buffer() {
    let filled = |write_buffer_size| {
        let test = TestDb::with(Options { write_buffer_size, ..options() });
        for i in 0..20 {
            test.put(&format!("{i:02}"), &"v".repeat(1000));
        }
        test
    };
    let usage = in_turn(&filled(1 << 20), |turn| turn.mem.table().approximate_memory_usage());
    for (limit, log_number) in [(usage, 3), (usage - 1, 4)] {
        let test = filled(limit as usize);
        test.put("next", "");
        assert_eq!(in_turn(&test, |turn| turn.log_number), log_number, "{limit} of {usage}");
    }
}
