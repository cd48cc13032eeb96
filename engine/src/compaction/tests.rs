//! The decisions on versions made by hand, with the cases of LevelDB's `version_set_test`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inputs::{add_boundary_files, complete, overlapping, overlaps};
use super::*;
use crate::filename::FileNumber;
use crate::key::{
    InternalKeyComparator, MAX_SEQUENCE, ParsedInternalKey, SequenceNumber, ValueType,
    append_internal_key, user_key,
};

const LIMITS: Limits = Limits { level0_trigger: 4, level1_size_max: 1000, max_file_size: 100 };

fn order() -> InternalKeyComparator {
    InternalKeyComparator::bytewise()
}

fn key(user_key: &str, sequence: SequenceNumber) -> Vec<u8> {
    let mut key = Vec::new();
    append_internal_key(&mut key, user_key.as_bytes(), sequence, ValueType::Value);
    key
}

fn file(number: FileNumber, size: u64, smallest: Vec<u8>, largest: Vec<u8>) -> FileMetaData {
    FileMetaData { number, size, smallest, largest }
}

/// A table of 10 bytes with the user keys from `first` to `last`.
fn span(number: FileNumber, first: &str, last: &str) -> FileMetaData {
    file(number, 10, key(first, 100), key(last, 100))
}

fn version(files: Vec<(usize, FileMetaData)>) -> Arc<Version> {
    let edit = VersionEdit { new_files: files, ..VersionEdit::new() };
    Arc::new(Version::default().apply(&edit, &order()).unwrap())
}

fn numbers(files: &[File]) -> Vec<FileNumber> {
    files.iter().map(|file| file.number).collect()
}

fn pick_at(version: &Arc<Version>, level: usize, after: Option<Vec<u8>>) -> Option<Compaction> {
    let pointers: BTreeMap<_, _> = after.into_iter().map(|key| (level, key)).collect();
    pick(version, &pointers, LIMITS, &order())
}

fn pick_in(
    version: &Arc<Version>,
    level: usize,
    begin: Option<&str>,
    end: Option<&str>,
) -> Option<Compaction> {
    let range = (begin.map(str::as_bytes), end.map(str::as_bytes));
    pick_range(version, level, range, LIMITS, &order())
}

fn is_overlapped(version: &Version, level: usize, begin: Option<&str>, end: Option<&str>) -> bool {
    overlaps(version, level, begin.map(str::as_bytes), end.map(str::as_bytes), &order())
}

// FindFileTest.{Empty, Single, Multiple, MultipleNullBoundaries}
#[test]
fn what_a_range_overlaps() {
    let none = version(vec![]);
    assert!(!is_overlapped(&none, 1, None, None));
    assert!(!is_overlapped(&none, 1, Some("a"), Some("z")));

    let one = version(vec![(1, span(1, "p", "q"))]);
    for (begin, end) in [("a", "b"), ("z1", "z2"), ("a", "o"), ("r", "z")] {
        assert!(!is_overlapped(&one, 1, Some(begin), Some(end)), "{begin}..{end}");
    }
    for (begin, end) in [("a", "p"), ("a", "q"), ("a", "z"), ("p", "p1"), ("p", "q"), ("p1", "z")] {
        assert!(is_overlapped(&one, 1, Some(begin), Some(end)), "{begin}..{end}");
    }
    assert!(!is_overlapped(&one, 1, None, Some("j")));
    assert!(!is_overlapped(&one, 1, Some("r"), None));
    assert!(is_overlapped(&one, 1, None, Some("p")));
    assert!(is_overlapped(&one, 1, Some("q"), None));

    let many = version(vec![
        (1, span(1, "150", "200")),
        (1, span(2, "200a", "250")),
        (1, span(3, "300", "350")),
        (1, span(4, "400", "450")),
    ]);
    for (begin, end) in [("100", "149"), ("251", "299"), ("451", "500"), ("351", "399")] {
        assert!(!is_overlapped(&many, 1, Some(begin), Some(end)), "{begin}..{end}");
    }
    for (begin, end) in [("100", "150"), ("100", "500"), ("375", "400"), ("450", "500")] {
        assert!(is_overlapped(&many, 1, Some(begin), Some(end)), "{begin}..{end}");
    }
    assert!(!is_overlapped(&many, 1, None, Some("149")));
    assert!(!is_overlapped(&many, 1, Some("451"), None));
    assert!(is_overlapped(&many, 1, None, None));
}

// FindFileTest.OverlapSequenceChecks
#[test]
fn overlap_is_by_user_key() {
    let one = version(vec![(1, file(1, 10, key("200", 5000), key("200", 300)))]);
    assert!(!is_overlapped(&one, 1, Some("199"), Some("199")));
    assert!(!is_overlapped(&one, 1, Some("201"), Some("300")));
    assert!(is_overlapped(&one, 1, Some("200"), Some("200")));
    assert!(is_overlapped(&one, 1, Some("190"), Some("200")));
    assert!(is_overlapped(&one, 1, Some("200"), Some("210")));
}

// FindFileTest.OverlappingFiles
#[test]
fn level_0_may_overlap_itself() {
    let two = version(vec![(0, span(1, "150", "600")), (0, span(2, "400", "500"))]);
    for (begin, end) in [("100", "149"), ("601", "700")] {
        assert!(!is_overlapped(&two, 0, Some(begin), Some(end)), "{begin}..{end}");
    }
    for (begin, end) in [("100", "150"), ("375", "400"), ("450", "700"), ("600", "700")] {
        assert!(is_overlapped(&two, 0, Some(begin), Some(end)), "{begin}..{end}");
    }
}

#[test]
fn at_level_0_overlap_spreads() {
    let version = version(vec![
        (0, span(1, "a", "c")),
        (0, span(2, "c", "e")),
        (0, span(3, "e", "g")),
        (0, span(4, "h", "k")),
    ]);
    let found = |begin: &str, end: &str| {
        let range = (Some(begin.as_bytes()), Some(end.as_bytes()));
        numbers(&overlapping(&version, 0, range.0, range.1, &order()))
    };
    assert_eq!(found("f", "f"), [1, 2, 3]);
    assert_eq!(found("a", "a"), [1, 2, 3]);
    assert_eq!(found("i", "i"), [4]);
    assert_eq!(found("gg", "gg"), [0; 0]);
}

fn boundary(level: &[FileMetaData], first: &[usize]) -> Vec<FileNumber> {
    let level: Vec<File> = level.iter().cloned().map(Arc::new).collect();
    let mut files: Vec<File> = first.iter().map(|&at| Arc::clone(&level[at])).collect();
    add_boundary_files(&level, &mut files, &order());
    numbers(&files)
}

// AddBoundaryInputsTest.*
#[test]
fn neighbours_that_go_on_with_the_same_user_key_come_along() {
    let one = |number, first: Vec<u8>, last: Vec<u8>| file(number, 10, first, last);
    assert_eq!(boundary(&[], &[]), [0; 0]);
    assert_eq!(boundary(&[one(1, key("100", 2), key("100", 1))], &[]), [0; 0]);
    assert_eq!(boundary(&[one(1, key("100", 2), key("100", 1))], &[0]), [1]);
    let none = [
        one(1, key("100", 2), key("100", 1)),
        one(2, key("200", 2), key("200", 1)),
        one(3, key("300", 2), key("300", 1)),
    ];
    assert_eq!(boundary(&none, &[1, 2]), [2, 3]);
    let chain = [
        one(1, key("100", 3), key("100", 2)),
        one(2, key("100", 1), key("200", 3)),
        one(3, key("300", 2), key("300", 1)),
    ];
    assert_eq!(boundary(&chain, &[0]), [1, 2]);
    let long = [
        one(1, key("100", 6), key("100", 5)),
        one(2, key("100", 2), key("300", 1)),
        one(3, key("100", 4), key("100", 3)),
    ];
    assert_eq!(boundary(&long, &[0]), [1, 3, 2]);
}

// AddBoundaryInputsTest.TestDisjoinFilePointers: a table is told by its keys, not by its address.
#[test]
fn a_table_does_not_come_along_twice() {
    let copy = || Arc::new(file(1, 10, key("100", 6), key("100", 5)));
    let level = vec![copy(), copy(), Arc::new(file(2, 10, key("100", 4), key("100", 3)))];
    let mut files = vec![copy()];
    add_boundary_files(&level, &mut files, &order());
    assert_eq!(numbers(&files), [1, 2]);
}

#[test]
fn the_fullest_level_goes_first() {
    let sized = |number, first: &str, size| file(number, size, key(first, 1), key(first, 1));
    assert!(!is_due(&version(vec![]), &LIMITS));
    let l0: Vec<_> = (1..4).map(|n| (0, span(n, "a", "b"))).collect();
    assert!(!is_due(&version(l0.clone()), &LIMITS));
    let full = version([l0.clone(), vec![(0, span(9, "a", "b"))]].concat());
    assert_eq!(pick_at(&full, 0, None).unwrap().level(), 0);
    // 1000 bytes of 1000 is full, 9999 of 10000 is not; of equals the upper level wins.
    let level1 = version([l0.clone(), vec![(1, sized(20, "c", 1000))]].concat());
    assert_eq!(pick_at(&level1, 1, None).unwrap().level(), 1);
    assert!(!is_due(&version(vec![(2, sized(20, "c", 9999))]), &LIMITS));
    let both = version(vec![(1, sized(20, "c", 1001)), (2, sized(21, "c", 10_020))]);
    assert_eq!(pick_at(&both, 1, None).unwrap().level(), 2);
    let equal = version(vec![(1, sized(20, "c", 2000)), (2, sized(21, "c", 20_000))]);
    assert_eq!(pick_at(&equal, 1, None).unwrap().level(), 1);
    // The last level takes whatever comes.
    assert!(!is_due(&version(vec![(6, sized(20, "c", u64::MAX))]), &LIMITS));
}

#[test]
fn a_level_is_gone_through_in_turns() {
    let level = version(vec![
        (1, file(1, 500, key("a", 9), key("b", 1))),
        (1, file(2, 500, key("c", 9), key("d", 1))),
        (1, file(3, 500, key("e", 9), key("f", 1))),
    ]);
    let first = |after| numbers(&pick_at(&level, 1, after).unwrap().inputs()[0]);
    assert_eq!(first(None), [1]);
    assert_eq!(first(Some(key("b", 1))), [2]);
    // By internal key: what has not been compacted of "d" is next.
    assert_eq!(first(Some(key("d", 2))), [2]);
    assert_eq!(first(Some(key("f", 1))), [1]);
    assert_eq!(pick_at(&level, 1, None).unwrap().next_start(), key("b", 1));
}

#[test]
fn inputs_take_in_the_next_level_and_what_else_fits() {
    let files = vec![
        (1, file(1, 900, key("a", 9), key("c", 9))),
        (1, file(2, 100, key("d", 9), key("e", 9))),
        (1, file(3, 100, key("p", 9), key("q", 9))),
        (2, file(11, 50, key("b", 5), key("f", 5))),
        (2, file(12, 50, key("g", 5), key("h", 5))),
        (3, file(21, 50, key("a", 3), key("z", 3))),
    ];
    let one = version(files.clone());
    let picked = pick_at(&one, 1, None).unwrap();
    // Table 2 lies within what table 11 spans, so it costs no more tables of level 2.
    assert_eq!(picked.inputs().each_ref().map(|files| numbers(files)), [vec![1, 2], vec![11]]);
    assert_eq!(numbers(&picked.grandparents), [21]);
    assert_eq!(picked.next_start(), key("e", 9));
    assert_eq!(picked.input_size(), 1050);
    // Too large: 25 tables' worth is the most.
    let mut large = files;
    large[1].1.size = 2500;
    let one = version(large);
    let first = vec![Arc::clone(&one.level(1)[0])];
    let picked = complete(&one, 1, first, LIMITS, &order());
    assert_eq!(picked.inputs().each_ref().map(|files| numbers(files)), [vec![1], vec![11]]);
}

#[test]
fn the_tables_of_the_next_level_bring_their_neighbours() {
    let one = version(vec![
        (1, file(1, 2000, key("a", 90), key("c", 90))),
        (2, file(11, 50, key("b", 50), key("d", 50))),
        (2, file(12, 50, key("d", 40), key("e", 50))),
    ]);
    assert_eq!(numbers(&pick_at(&one, 1, None).unwrap().inputs()[1]), [11, 12]);
}

#[test]
fn a_lone_table_moves_unless_it_overlaps_too_many_grandparents() {
    let alone = |grandparents: u64| {
        version(vec![
            (1, file(1, 2000, key("a", 9), key("c", 9))),
            (3, file(3, grandparents, key("b", 1), key("b", 1))),
        ])
    };
    let picked = pick_at(&alone(1000), 1, None).unwrap();
    assert_eq!(picked.trivial_move().map(|file| file.number), Some(1));
    assert!(pick_at(&alone(1001), 1, None).unwrap().trivial_move().is_none());
    let edit = picked.edit([FileMetaData::clone(picked.trivial_move().unwrap())]);
    let moved = alone(1000).apply(&edit, &order()).unwrap();
    assert_eq!((moved.level(1).len(), moved.level(2).len()), (0, 1));
}

#[test]
fn a_range_is_compacted_about_a_table_at_a_time() {
    let level = version(vec![
        (1, file(1, 60, key("a", 9), key("b", 9))),
        (1, file(2, 60, key("c", 9), key("d", 9))),
        (1, file(3, 60, key("e", 9), key("f", 9))),
        (0, span(4, "a", "c")),
        (0, span(5, "c", "e")),
        (0, span(6, "x", "y")),
    ]);
    let first = |level_at, begin, end| {
        pick_in(&level, level_at, begin, end).map(|c| numbers(&c.inputs()[0]))
    };
    assert_eq!(first(1, None, None), Some(vec![1, 2]));
    assert_eq!(first(1, Some("d"), None), Some(vec![2, 3]));
    assert_eq!(first(1, Some("d"), Some("dd")), Some(vec![2]));
    assert_eq!(first(1, Some("g"), None), None);
    // Of level 0 all that hangs together, whatever its size.
    assert_eq!(first(0, Some("b"), Some("b")), Some(vec![4, 5]));
    assert_eq!(first(0, None, None), Some(vec![4, 5, 6]));
}

#[test]
fn a_flush_goes_as_deep_as_nothing_is_in_its_way() {
    let level_of = |files: Vec<(usize, FileMetaData)>| {
        flush_level(&version(files), &span(99, "k", "m"), &LIMITS, &order())
    };
    assert_eq!(level_of(vec![]), 2);
    assert_eq!(level_of(vec![(0, span(1, "a", "b"))]), 2);
    assert_eq!(level_of(vec![(0, span(1, "a", "k"))]), 0);
    assert_eq!(level_of(vec![(1, span(1, "m", "z"))]), 0);
    assert_eq!(level_of(vec![(2, span(1, "l", "l"))]), 1);
    assert_eq!(level_of(vec![(2, file(1, 1001, key("l", 1), key("l", 1)))]), 0);
    assert_eq!(level_of(vec![(3, file(1, 1001, key("l", 1), key("l", 1)))]), 1);
    assert_eq!(level_of(vec![(3, span(1, "l", "l"))]), 2);
}

#[test]
fn an_output_ends_when_it_overlaps_too_many_grandparents() {
    let grandparents =
        (0..10).map(|n| Arc::new(file(n, 400, key(&n.to_string(), 9), key(&n.to_string(), 1))));
    let mut cut = OutputCut::new(grandparents.collect(), LIMITS);
    let mut cuts = Vec::new();
    for n in 0..10 {
        if cut.is_before(&key(&format!("{n}x"), 5), &order()) {
            cuts.push(n);
        }
    }
    // The first key finds its grandparent behind it; from then on 1200 bytes are too many.
    assert_eq!(cuts, [3, 6, 9]);
    assert!(!cut.is_full(99) && cut.is_full(100));
}

/// What is left of `entries`, given newest first for each key, under two snapshots.
fn kept(
    version: &Arc<Version>,
    entries: &[(&str, SequenceNumber, ValueType)],
    oldest: SequenceNumber,
) -> Vec<String> {
    let compaction = pick_in(version, 1, None, None).unwrap();
    let mut rule = DropRule::new(&compaction, oldest, order());
    entries
        .iter()
        .filter(|(key, sequence, value_type)| {
            let (user_key, sequence, value_type) = (key.as_bytes(), *sequence, *value_type);
            !rule.drops(&ParsedInternalKey { user_key, sequence, value_type })
        })
        .map(|(key, sequence, _)| format!("{key}{sequence}"))
        .collect()
}

#[test]
fn entries_are_dropped_when_nobody_can_tell() {
    use ValueType::{Deletion as Del, Value as Put};
    let one = version(vec![
        (1, span(1, "a", "z")),
        (2, span(2, "a", "z")),
        (3, span(3, "m", "p")),
        (5, span(5, "x", "x")),
    ]);
    let entries = [
        ("a", 9, Put),
        ("a", 7, Put),
        ("a", 3, Put),
        ("a", 1, Put),
        ("c", 4, Del),
        ("c", 2, Put),
        ("d", 8, Del),
        ("d", 2, Put),
        ("n", 4, Del),
        ("n", 2, Put),
        ("x", 4, Del),
    ];
    // Everything is visible to everyone: the newest of each key, and no deletion unless there may
    // be something deeper to hide.
    assert_eq!(kept(&one, &entries, MAX_SEQUENCE), ["a9", "n4", "x4"]);
    // A snapshot at 5 sees a3 and the deletion of c, but not that of d.
    assert_eq!(kept(&one, &entries, 5), ["a9", "a7", "a3", "d8", "d2", "n4", "x4"]);
    // A snapshot at 1 sees almost nothing, so almost nothing may go.
    assert_eq!(kept(&one, &entries, 1).len(), entries.len());
    assert_eq!(kept(&one, &entries[..4], 2), ["a9", "a7", "a3", "a1"]);
    assert_eq!(user_key(&key("a", 1)), b"a");
}
