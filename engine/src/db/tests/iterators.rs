//! Cursors: LevelDB's db_test by the same names.

use super::{TestDb, status};
use crate::options::ReadOptions;

#[test]
fn iter_empty() {
    let test = TestDb::new();
    let mut iter = test.db().iter().unwrap();
    assert!(!iter.valid());
    iter.seek_to_first();
    assert_eq!(status(&iter), "(invalid)");
    iter.seek_to_last();
    assert_eq!(status(&iter), "(invalid)");
    iter.seek(b"foo");
    assert_eq!(status(&iter), "(invalid)");
    assert_eq!(iter.status(), Ok(()));
}

#[test]
fn iter_single() {
    let test = TestDb::new();
    test.put("a", "va");
    let mut iter = test.db().iter().unwrap();
    for start in [b"" as &[u8], b"a"] {
        iter.seek(start);
        assert_eq!(status(&iter), "a->va");
        iter.next();
        assert_eq!(status(&iter), "(invalid)");
    }
    iter.seek_to_last();
    assert_eq!(status(&iter), "a->va");
    iter.prev();
    assert_eq!(status(&iter), "(invalid)");
    iter.seek(b"b");
    assert_eq!(status(&iter), "(invalid)");
}

#[test]
fn iter_multi() {
    for flushes in 0..4 {
        let test = TestDb::new();
        for (i, key) in ["a", "b", "c"].into_iter().enumerate() {
            test.put(key, &format!("v{key}"));
            if i < flushes {
                test.db().flush().unwrap();
            }
        }
        let mut iter = test.db().iter().unwrap();
        iter.seek_to_first();
        let mut seen = Vec::new();
        for step in ["next", "next", "prev", "prev", "next", "next", "next"] {
            seen.push(status(&iter));
            if step == "next" { iter.next() } else { iter.prev() }
        }
        seen.push(status(&iter));
        let expected = ["a", "b", "c", "b", "a", "b", "c"].map(|key| format!("{key}->v{key}"));
        assert_eq!(seen[..7], expected);
        assert_eq!(seen[7], "(invalid)");

        iter.seek_to_last();
        iter.prev();
        iter.next();
        assert_eq!(status(&iter), "c->vc");
        iter.seek(b"ax");
        assert_eq!(status(&iter), "b->vb");
        iter.prev();
        assert_eq!(status(&iter), "a->va");

        // What is written later does not show.
        for key in ["a", "a2", "b", "c"] {
            test.put(key, "later");
        }
        test.delete("b");
        iter.seek_to_first();
        assert_eq!(status(&iter), "a->va");
        iter.next();
        assert_eq!(status(&iter), "b->vb");
        iter.next();
        iter.next();
        assert_eq!(status(&iter), "(invalid)");
        assert_eq!(test.contents(), "(a->later)(a2->later)(c->later)");
    }
}

#[test]
fn iter_small_and_large_mix() {
    let test = TestDb::new();
    let large = "b".repeat(100_000);
    test.put("a", "va");
    test.put("b", &large);
    test.put("c", "vc");
    test.put("d", &large);
    let expected = format!("(a->va)(b->{large})(c->vc)(d->{large})");
    assert_eq!(test.contents(), expected);
    test.db().flush().unwrap();
    assert_eq!(test.contents(), expected);
}

#[test]
fn iter_multi_with_delete() {
    let test = TestDb::new();
    for key in ["ka", "kb", "kc"] {
        test.put(key, &key.replace('k', "v"));
    }
    test.delete("kb");
    assert_eq!(test.get("kb"), "NOT_FOUND");
    let mut iter = test.db().iter().unwrap();
    iter.seek(b"kc");
    assert_eq!(status(&iter), "kc->vc");
    iter.prev();
    assert_eq!(status(&iter), "ka->va");
    iter.next();
    assert_eq!(status(&iter), "kc->vc");
}

#[test]
fn a_key_that_was_overwritten_is_shown_once_in_both_directions() {
    let test = TestDb::new();
    for round in 0..3 {
        for key in ["a", "b", "c"] {
            test.put(key, &format!("{round}"));
        }
        test.delete("b");
        if round < 2 {
            test.db().flush().unwrap();
        }
    }
    assert_eq!(test.contents(), "(a->2)(c->2)");
    // Issue 200: back onto a key, then forwards across newer entries that are not visible.
    let snapshot = test.db().snapshot().unwrap();
    test.put("b", "3");
    test.delete("c");
    let options = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
    let mut iter = test.db().iter_with(&options).unwrap();
    iter.seek(b"c");
    iter.prev();
    assert_eq!(status(&iter), "a->2");
    iter.next();
    assert_eq!(status(&iter), "c->2");
    iter.next();
    assert_eq!(status(&iter), "(invalid)");
}

#[test]
fn a_cursor_outlives_its_database() {
    let mut test = TestDb::new();
    test.put("a", "1");
    test.db().flush().unwrap();
    test.put("b", "2");
    let iter = test.db().iter().unwrap();
    test.close();
    let entries: Vec<_> = iter.into_iter().map(Result::unwrap).collect();
    let pair = |key: &str, value: &str| (key.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(entries, [pair("a", "1"), pair("b", "2")]);
}

#[test]
fn as_an_iterator_it_goes_on_from_where_it_stands() {
    let test = TestDb::new();
    for key in ["a", "b", "c"] {
        test.put(key, "");
    }
    let mut iter = test.db().iter().unwrap();
    iter.seek(b"b");
    let keys: Vec<_> = iter.into_iter().map(|entry| entry.unwrap().0).collect();
    assert_eq!(keys, [b"b", b"c"]);
}
