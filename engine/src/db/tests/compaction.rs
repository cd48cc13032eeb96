//! LevelDB's tests of compaction, with its numbers, and what differs from it.

use core::fmt::Write;

use super::{R, TestDb, options};
use crate::env::Threads;
use crate::key::{ValueType, user_key};
use crate::options::Options;
use crate::table::Compression;
use crate::version::edit::LEVEL_COUNT;

/// No compaction but those that a test asks for.
pub(super) fn by_hand() -> Options {
    Options {
        level0_compaction_trigger: usize::MAX,
        level0_slowdown_writes_trigger: None,
        level0_stop_writes_trigger: None,
        level1_size_max: u64::MAX >> 8,
        ..options()
    }
}

impl TestDb {
    pub(super) fn flush(&self) {
        self.db().flush().unwrap();
    }

    /// LevelDB's `TEST_CompactRange`: one level, without a flush.
    pub(super) fn compact_level(&self, level: usize, begin: Option<&str>, end: Option<&str>) {
        self.try_compact_level(level, begin, end).unwrap();
    }

    pub(super) fn try_compact_level(
        &self,
        level: usize,
        begin: Option<&str>,
        end: Option<&str>,
    ) -> crate::Result<()> {
        let inner = &self.db().handle.inner;
        inner.compact_level(level, begin.map(str::as_bytes), end.map(str::as_bytes))
    }

    pub(super) fn compact(&self, begin: &str, end: &str) {
        self.db().compact_range(Some(begin.as_bytes()), Some(end.as_bytes())).unwrap();
    }

    pub(super) fn tables_at(&self, level: usize) -> usize {
        let name = format!("leveldb.num-files-at-level{level}");
        self.db().property(&name).unwrap().unwrap().parse().unwrap()
    }

    /// Tables by level, up to the last that has any: `1,0,2`.
    pub(super) fn files_per_level(&self) -> String {
        let levels: Vec<_> = (0..LEVEL_COUNT).map(|level| self.tables_at(level)).collect();
        let used = levels.iter().rposition(|&files| files > 0).map_or(0, |last| last + 1);
        levels[..used].iter().map(usize::to_string).collect::<Vec<_>>().join(",")
    }

    pub(super) fn total_tables(&self) -> usize {
        (0..LEVEL_COUNT).map(|level| self.tables_at(level)).sum()
    }

    /// Every entry of `key`, newest first: `[ v2, DEL, v1 ]`.
    pub(super) fn all_entries(&self, key: &str) -> String {
        let mut found = Vec::new();
        let visit = &mut |user_key: &[u8], _, value_type, value: &[u8]| {
            if user_key == key.as_bytes() {
                found.push(match value_type {
                    ValueType::Value => value.escape_ascii().to_string(),
                    ValueType::Deletion => "DEL".to_owned(),
                });
            }
        };
        self.db().visit_entries(visit).unwrap();
        if found.is_empty() { "[ ]".into() } else { format!("[ {} ]", found.join(", ")) }
    }

    /// `count` tables with the range from `first` to `last`.
    pub(super) fn make_tables(&self, count: usize, first: &str, last: &str) {
        for _ in 0..count {
            self.put(first, "begin");
            self.put(last, "end");
            self.flush();
        }
    }

    pub(super) fn size(&self, first: &str, last: &str) -> u64 {
        self.db().approximate_sizes(&[first.as_bytes()..last.as_bytes()]).unwrap()[0]
    }

    /// Waits until a full memtable that was switched is in a table, and nothing is due.
    pub(super) fn settle(&self) {
        while {
            let state = self.db().handle.inner.state.lock();
            let due = crate::compaction::is_due(
                state.versions.current(),
                &self.db().handle.inner.limits(),
            );
            state.is_flushing || state.is_compacting || state.view.imm.is_some() || due
        } {
            R::yield_now();
        }
    }
}

pub(super) fn value(number: usize, length: usize) -> String {
    let mut value = String::new();
    while value.len() < length {
        write!(value, "{number}-{} ", value.len() ^ (number * 2_654_435_761)).unwrap();
    }
    value.truncate(length);
    value
}

pub(super) fn numbered(number: usize) -> String {
    format!("key{number:06}")
}

// DBTest.MinorCompactionsHappen
#[test]
fn minor_compactions_happen() {
    let mut test = TestDb::with(Options { write_buffer_size: 10_000, ..options() });
    let before = test.total_tables();
    for i in 0..500 {
        test.put(&numbered(i), &(numbered(i) + &"v".repeat(1000)));
    }
    test.settle();
    assert!(test.total_tables() > before);
    for _ in 0..2 {
        for i in 0..500 {
            assert_eq!(test.get(&numbered(i)), numbered(i) + &"v".repeat(1000));
        }
        test.reopen();
    }
}

// DBTest.CompactionsGenerateMultipleFiles
#[test]
fn compactions_generate_multiple_files() {
    let mut test = TestDb::with(Options { write_buffer_size: 100_000_000, ..options() });
    let values: Vec<_> = (0..80).map(|i| value(i, 100_000)).collect();
    for (i, value) in values.iter().enumerate() {
        test.put(&numbered(i), value);
    }
    // What is replayed goes to level 0.
    test.reopen();
    assert!(test.tables_at(0) > 0);
    assert_eq!(test.tables_at(1), 0);
    test.compact_level(0, None, None);
    assert_eq!(test.tables_at(0), 0);
    assert!(test.tables_at(1) > 1);
    for (i, value) in values.iter().enumerate() {
        assert_eq!(&test.get(&numbered(i)), value);
    }
}

// DBTest.RepeatedWritesToSameKey
#[test]
fn repeated_writes_to_the_same_key_do_not_pile_up() {
    let test = TestDb::new();
    let most = LEVEL_COUNT + 12;
    let large = value(1, 2 * test.options.write_buffer_size);
    for i in 0..5 * most {
        test.put("key", &large);
        let tables = test.total_tables();
        assert!(tables <= most, "after {i} writes: {tables} tables");
    }
    assert_eq!(test.get("key"), large);
}

// DBTest.SparseMerge, with everything a 32nd of the size.
#[test]
fn a_sparse_merge_takes_few_tables_along() {
    let limits = by_hand();
    let test =
        TestDb::with(Options { compression: Compression::None, max_file_size: 64 << 10, ..limits });
    test.make_tables(LEVEL_COUNT, "A", "Z");
    test.put("A", "va");
    for i in 0..3000 {
        test.put(&format!("B{i:010}"), &"x".repeat(1000));
    }
    test.put("C", "vc");
    test.flush();
    test.compact_level(0, None, None);
    test.put("A", "va2");
    test.put("B100", "bvalue2");
    test.put("C", "vc2");
    test.flush();
    // However the first merge was cut: no table may drag in more than 20 tables' worth.
    let most_overlapping = || {
        let state = test.db().handle.inner.state.lock();
        let version = state.versions.current();
        let mut most = 0;
        for level in 1..LEVEL_COUNT - 1 {
            for file in version.level(level) {
                let range = (user_key(&file.smallest), user_key(&file.largest));
                let below = version.level(level + 1).iter().filter(|below| {
                    user_key(&below.smallest) <= range.1 && user_key(&below.largest) >= range.0
                });
                most = most.max(below.map(|file| file.size).sum());
            }
        }
        most
    };
    assert!(most_overlapping() <= 20 * (64 << 10));
    test.compact_level(0, None, None);
    assert!(most_overlapping() <= 20 * (64 << 10));
    test.compact_level(1, None, None);
    assert!(most_overlapping() <= 20 * (64 << 10));
}

// DBTest.OverlapInLevel0
#[test]
fn overlap_in_level_0() {
    let test = TestDb::with(by_hand());
    // Tables at levels 1 and 2, so that no flush goes deeper.
    test.put("100", "v100");
    test.put("999", "v999");
    test.flush();
    test.delete("100");
    test.delete("999");
    test.flush();
    assert_eq!(test.files_per_level(), "0,1,1");
    // Two tables at level 0 that do not overlap, though the range of one encloses the other.
    test.put("300", "v300");
    test.put("500", "v500");
    test.flush();
    test.put("200", "v200");
    test.put("600", "v600");
    test.put("900", "v900");
    test.flush();
    assert_eq!(test.files_per_level(), "2,1,1");
    test.compact_level(1, None, None);
    test.compact_level(2, None, None);
    assert_eq!(test.files_per_level(), "2");
    // The deletion overlaps only the second of them.
    test.delete("600");
    test.flush();
    assert_eq!(test.files_per_level(), "3");
    assert_eq!(test.get("600"), "NOT_FOUND");
}

// DBTest.L0_CompactionBug_Issue44_a
#[test]
fn level_0_compaction_bug_a() {
    let mut test = TestDb::new();
    test.put("b", "v");
    test.reopen();
    test.delete("b");
    test.delete("e");
    test.reopen();
    test.delete("a");
    test.reopen();
    test.put("a", "v");
    test.reopen();
    test.reopen();
    assert_eq!(test.contents(), "(a->v)");
    test.settle();
    assert_eq!(test.contents(), "(a->v)");
}

// DBTest.L0_CompactionBug_Issue44_b
#[test]
fn level_0_compaction_bug_b() {
    let mut test = TestDb::new();
    test.put("", "");
    test.reopen();
    test.delete("e");
    test.put("", "");
    test.reopen();
    test.put("c", "cv");
    test.reopen();
    test.put("", "");
    test.reopen();
    test.put("", "");
    test.settle();
    test.reopen();
    test.put("d", "dv");
    test.reopen();
    test.put("", "");
    test.reopen();
    test.delete("d");
    test.delete("b");
    test.reopen();
    assert_eq!(test.contents(), "(->)(c->cv)");
    test.settle();
    assert_eq!(test.contents(), "(->)(c->cv)");
}

// DBTest.ManualCompaction
#[test]
fn manual_compaction() {
    let test = TestDb::new();
    test.make_tables(3, "p", "q");
    assert_eq!(test.files_per_level(), "1,1,1");
    test.compact("", "c");
    assert_eq!(test.files_per_level(), "1,1,1", "before all tables");
    test.compact("r", "z");
    assert_eq!(test.files_per_level(), "1,1,1", "behind all tables");
    test.compact("p1", "p9");
    assert_eq!(test.files_per_level(), "0,0,1");
    test.make_tables(3, "c", "e");
    assert_eq!(test.files_per_level(), "1,1,2");
    test.compact("b", "f");
    assert_eq!(test.files_per_level(), "0,0,2");
    test.make_tables(1, "a", "z");
    assert_eq!(test.files_per_level(), "0,1,2");
    test.db().compact_range(None, None).unwrap();
    assert_eq!(test.files_per_level(), "0,0,1");
}

// LevelDB issue 227: one call is enough, whatever was in the memtable.
#[test]
fn manual_compaction_takes_the_memtable_along() {
    let test = TestDb::with(by_hand());
    test.make_tables(3, "a", "z");
    test.delete("a");
    test.delete("z");
    test.db().compact_range(None, None).unwrap();
    test.db().compact_range(None, None).unwrap();
    assert_eq!(test.all_entries("a"), "[ ]");
    test.put("a", "v1");
    test.db().compact_range(None, None).unwrap();
    assert_eq!(test.tables_at(0), 0);
}

// DBTest.FilesDeletedAfterCompaction
#[test]
fn files_are_deleted_after_compaction() {
    let mut test = TestDb::new();
    test.put("foo", "v2");
    test.compact("a", "z");
    test.settle();
    test.reopen();
    let before = test.file_names().len();
    for _ in 0..10 {
        test.put("foo", "v2");
        test.compact("a", "z");
    }
    // Closing waits for the sweep behind the last compaction.
    test.reopen();
    assert_eq!(test.file_names().len(), before);
}
