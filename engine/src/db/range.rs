//! [`KeyRange`]: the keys between two bounds.

use core::ops::{Range, RangeFrom, RangeFull, RangeTo};

/// The keys from `start`, included, to `end`, excluded, in the order of the database.
///
/// Made from Rust's ranges of anything that is bytes: `b"a".."c"` is not one, as its ends have two
/// types, but `"a".."c"`, `key..` and `..` are. A range that ends before it starts is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key, if there is a bound.
    pub start: Option<Vec<u8>>,
    /// The first key behind the range, if there is a bound.
    pub end: Option<Vec<u8>>,
}

impl KeyRange {
    /// The keys that start with `prefix`, in plain byte order.
    pub(super) fn of_prefix(prefix: &[u8]) -> Self {
        // A run of 0xff at the end has nothing behind it.
        let kept = prefix.iter().rposition(|&byte| byte != 0xff);
        let end = kept.map(|last| {
            let mut end = prefix[..=last].to_vec();
            end[last] += 1;
            end
        });
        KeyRange { start: Some(prefix.to_vec()), end }
    }
}

impl From<RangeFull> for KeyRange {
    fn from(_: RangeFull) -> Self {
        KeyRange::default()
    }
}

impl<K: AsRef<[u8]>> From<Range<K>> for KeyRange {
    fn from(range: Range<K>) -> Self {
        let [start, end] = [range.start, range.end].map(|key| Some(key.as_ref().to_vec()));
        KeyRange { start, end }
    }
}

impl<K: AsRef<[u8]>> From<RangeFrom<K>> for KeyRange {
    fn from(range: RangeFrom<K>) -> Self {
        KeyRange { start: Some(range.start.as_ref().to_vec()), end: None }
    }
}

impl<K: AsRef<[u8]>> From<RangeTo<K>> for KeyRange {
    fn from(range: RangeTo<K>) -> Self {
        KeyRange { start: None, end: Some(range.end.as_ref().to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_nothing_starts_with_them() {
        let end = |prefix: &[u8]| KeyRange::of_prefix(prefix).end;
        assert_eq!(end(b"user/").as_deref(), Some(&b"user0"[..]));
        assert_eq!(end(b"a\xff\xff").as_deref(), Some(&b"b"[..]));
        assert_eq!(end(b"\xff\xff"), None);
        assert_eq!(end(b""), None);
    }

    #[test]
    fn ranges_of_rust_are_ranges_of_keys() {
        let key = |key: &str| Some(key.as_bytes().to_vec());
        assert_eq!(KeyRange::from(..), KeyRange { start: None, end: None });
        assert_eq!(KeyRange::from("a".."b"), KeyRange { start: key("a"), end: key("b") });
        assert_eq!(KeyRange::from("a"..), KeyRange { start: key("a"), end: None });
        assert_eq!(KeyRange::from(..b"b"), KeyRange { start: None, end: key("b") });
    }
}
