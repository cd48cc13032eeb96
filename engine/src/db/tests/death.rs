//! A background thread that dies: whoever waits for it hears of it, and the files are as after the
//! death of the process.

use core::cmp::Ordering;
use std::sync::Arc;

use super::{PosixEnv, R, TestDb, options};
use crate::db::Db;
use crate::env::{Atomic, Threads};
use crate::error::Error;
use crate::key::{BytewiseComparator, Comparator};
use crate::options::Options;

/// The order of bytes, in which the end of a table is the death of the thread that makes it.
#[derive(Debug)]
struct Deadly {
    is_armed: <R as Threads>::AtomicU32,
}

impl Comparator for Deadly {
    fn name(&self) -> &'static str {
        BytewiseComparator.name()
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        BytewiseComparator.compare(a, b)
    }

    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        BytewiseComparator.find_shortest_separator(start, limit);
    }

    fn find_short_successor(&self, key: &mut Vec<u8>) {
        assert!(Atomic::load(&self.is_armed) == 0, "on purpose");
        BytewiseComparator.find_short_successor(key);
    }
}

/// Has a background thread die in what `act` waits for.
fn check_death(act: impl Fn(&Db<PosixEnv>) -> crate::Result<()>) {
    let deadly = Arc::new(Deadly { is_armed: Atomic::new(0) });
    let comparator = Arc::clone(&deadly) as Arc<dyn Comparator>;
    let mut test = TestDb::with(Options { comparator, ..options() });
    for value in ["1", "2"] {
        test.put("a", value);
        test.put("b", value);
        test.db().flush().unwrap();
    }
    test.put("a", "3");
    Atomic::store(&deadly.is_armed, 1);
    let died = Error::invalid("a background thread died");
    let told = |outcome: crate::Result<()>| assert_eq!(outcome.unwrap_err().root(), &died);
    told(act(test.db()));
    told(test.db().put(b"c", b"4").map(drop));
    told(test.db().flush());
    // What it had begun nobody can tell.
    told(test.db().resume());
    assert_eq!(test.get("a"), "3");
    told(test.db.take().unwrap().close());

    Atomic::store(&deadly.is_armed, 0);
    test.open();
    assert_eq!(test.contents(), "(a->3)(b->2)");
}

#[test]
fn who_waits_for_a_flush_hears_that_its_thread_died() {
    check_death(Db::flush);
}

#[test]
fn who_waits_for_a_compaction_hears_that_its_thread_died() {
    // Wherever the two tables went.
    check_death(|db| (0..2).try_for_each(|level| db.handle.inner.compact_level(level, None, None)));
}
