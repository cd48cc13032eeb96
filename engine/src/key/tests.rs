//! Counterparts of LevelDB's `dbformat_test`, and the order itself.

use proptest::prelude::*;

use super::*;

fn ikey(user_key: &[u8], sequence: SequenceNumber, value_type: ValueType) -> Vec<u8> {
    let mut out = Vec::new();
    append_internal_key(&mut out, user_key, sequence, value_type);
    out
}

fn value(user_key: &[u8], sequence: SequenceNumber) -> Vec<u8> {
    ikey(user_key, sequence, ValueType::Value)
}

fn separator(start: &[u8], limit: &[u8]) -> Vec<u8> {
    let mut key = start.to_vec();
    InternalKeyComparator::bytewise().find_shortest_separator(&mut key, limit);
    key
}

fn successor(key: &[u8]) -> Vec<u8> {
    let mut key = key.to_vec();
    InternalKeyComparator::bytewise().find_short_successor(&mut key);
    key
}

#[test]
fn internal_key_encode_decode() {
    let sequences = [
        1,
        2,
        3,
        (1 << 8) - 1,
        1 << 8,
        (1 << 8) + 1,
        (1 << 16) - 1,
        1 << 16,
        (1 << 16) + 1,
        (1 << 32) - 1,
        1 << 32,
        (1 << 32) + 1,
        MAX_SEQUENCE,
    ];
    for user_key in [&b""[..], b"k", b"hello", b"longggggggggggggggggggggg"] {
        for sequence in sequences {
            for value_type in [ValueType::Value, ValueType::Deletion] {
                let key = ikey(user_key, sequence, value_type);
                let parsed = ParsedInternalKey::parse(&key).expect("just built");
                assert_eq!(parsed, ParsedInternalKey { user_key, sequence, value_type });
                assert_eq!(super::user_key(&key), user_key);
                let mut again = Vec::new();
                parsed.append_to(&mut again);
                assert_eq!(again, key);
            }
        }
    }
}

#[test]
fn internal_key_decode_from_short_or_bad() {
    for length in 0..TRAILER_SIZE {
        let short = vec![0; length];
        assert_eq!(ParsedInternalKey::parse(&short), None);
        assert_eq!(user_key(&short), b"");
        assert_eq!(trailer(&short), 0);
    }
    for type_byte in 2..=u8::MAX {
        let mut key = value(b"bar", 5);
        key[3] = type_byte;
        assert_eq!(ParsedInternalKey::parse(&key), None);
    }
}

#[test]
fn internal_key_short_separator() {
    let foo = value(b"foo", 100);
    // Same user key.
    assert_eq!(separator(&foo, &value(b"foo", 99)), foo);
    assert_eq!(separator(&foo, &value(b"foo", 101)), foo);
    assert_eq!(separator(&foo, &value(b"foo", 100)), foo);
    assert_eq!(separator(&foo, &ikey(b"foo", 100, ValueType::Deletion)), foo);
    // Misordered.
    assert_eq!(separator(&foo, &value(b"bar", 99)), foo);
    // Room between.
    assert_eq!(separator(&foo, &value(b"hello", 200)), value(b"g", MAX_SEQUENCE));
    // One a prefix of the other, either way.
    assert_eq!(separator(&foo, &value(b"foobar", 200)), foo);
    assert_eq!(separator(&value(b"foobar", 100), &value(b"foo", 200)), value(b"foobar", 100));
}

#[test]
fn internal_key_shortest_successor() {
    assert_eq!(successor(&value(b"foo", 100)), value(b"g", MAX_SEQUENCE));
    assert_eq!(successor(&value(b"\xff\xff", 100)), value(b"\xff\xff", 100));
}

#[test]
fn parsed_internal_key_debug_string() {
    let key = ikey(b"The \"key\" in 'quotes'", 1, ValueType::Value);
    let parsed = ParsedInternalKey::parse(&key).expect("just built");
    assert_eq!(format!("{parsed:?}"), r#"'The \"key\" in \'quotes\'' @ 1 : Value"#);
}

#[test]
fn bytewise_shortening() {
    let check = |start: &[u8], limit: &[u8], expected: &[u8]| {
        let mut key = start.to_vec();
        BytewiseComparator.find_shortest_separator(&mut key, limit);
        assert_eq!(key, expected);
    };
    check(b"abcd", b"abzz", b"abd");
    check(b"abcd", b"abdz", b"abcd");
    check(b"a\xffcd", b"b", b"a\xffcd");
    check(b"", b"b", b"");
    let check = |key: &[u8], expected: &[u8]| {
        let mut key = key.to_vec();
        BytewiseComparator.find_short_successor(&mut key);
        assert_eq!(key, expected);
    };
    check(b"abc", b"b");
    check(b"\xff\xffa", b"\xff\xffb");
    check(b"\xff\xff", b"\xff\xff");
    check(b"", b"");
}

#[test]
fn newest_entry_of_a_user_key_comes_first() {
    let order = InternalKeyComparator::bytewise();
    let ascending = [
        value(b"a", 9),
        value(b"a", 8),
        ikey(b"a", 8, ValueType::Deletion),
        value(b"a", 7),
        value(b"aa", 100),
        value(b"b", 0),
    ];
    for pair in ascending.windows(2) {
        assert_eq!(order.compare(&pair[0], &pair[1]), Ordering::Less);
        assert_eq!(order.compare(&pair[1], &pair[0]), Ordering::Greater);
        assert_eq!(order.compare(&pair[0], &pair[0]), Ordering::Equal);
    }
}

#[test]
fn short_keys_are_in_byte_order() {
    let order = InternalKeyComparator::bytewise();
    let mut ends: Vec<Vec<u8>> = vec![Vec::new()];
    for at in 0..31 {
        let longer = [0, 255].map(|byte| [&ends[at][..], &[byte]].concat());
        ends.extend(longer);
    }
    for shared in 0..10 {
        for (a, b) in ends.iter().flat_map(|a| ends.iter().map(move |b| (a, b))) {
            let [a, b] = [a, b].map(|end| [&vec![b'x'; shared][..], end].concat());
            assert_eq!(order.compare_user(&a, &b), a.cmp(&b), "{a:?} {b:?}");
        }
    }
}

proptest! {
    #[test]
    fn short_and_long_keys_are_in_byte_order(
        shared in proptest::collection::vec(any::<u8>(), 0..40),
        a in proptest::collection::vec(0_u8..3, 0..12),
        b in proptest::collection::vec(0_u8..3, 0..12),
    ) {
        let (a, b) = ([&shared[..], &a].concat(), [&shared[..], &b].concat());
        prop_assert_eq!(InternalKeyComparator::bytewise().compare_user(&a, &b), a.cmp(&b));
    }

    #[test]
    fn shortened_keys_stay_in_their_range(
        a in proptest::collection::vec(any::<u8>(), 0..6),
        b in proptest::collection::vec(any::<u8>(), 0..6),
        sequences in (0..=MAX_SEQUENCE, 0..=MAX_SEQUENCE),
    ) {
        let order = InternalKeyComparator::bytewise();
        let (mut low, mut high) = (value(&a, sequences.0), value(&b, sequences.1));
        if order.compare(&low, &high) == Ordering::Greater {
            core::mem::swap(&mut low, &mut high);
        }
        prop_assume!(order.compare(&low, &high) == Ordering::Less);
        let between = separator(&low, &high);
        prop_assert!(order.compare(&low, &between) != Ordering::Greater);
        prop_assert!(order.compare(&between, &high) == Ordering::Less);
        let above = successor(&low);
        prop_assert!(order.compare(&low, &above) != Ordering::Greater);
        prop_assert!(above.len() <= low.len());
    }
}
