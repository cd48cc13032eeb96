//! The longest key of a batch: the limit itself is near 4 GiB, so smaller ones stand in for it. The
//! size of a view, and what a header alone tells.

use super::*;
use crate::batch::WriteBatch;

#[test]
fn a_key_beyond_the_limit_is_refused_where_it_is() {
    let mut batch = WriteBatch::new();
    batch.put(b"four", b"a longer value").expect("small");
    batch.delete(b"delete").expect("small");
    let contents = batch.contents();
    let whole = BatchView::parse(contents).expect("whole");
    assert_eq!(BatchView::parse_with(contents, 6), Ok(whole));
    // Behind the header of 12 bytes and a put of 1 + 1 + 4 + 1 + 14.
    let refused = BatchDefect::KeyTooLong { offset: 33, size: 6 };
    assert_eq!(BatchView::parse_with(contents, 5), Err(refused));
    let first = BatchDefect::KeyTooLong { offset: 12, size: 4 };
    assert_eq!(BatchView::parse_with(contents, 3), Err(first));
    assert_eq!(first.to_string(), "key of 4 bytes is too long, at byte 12 of a batch");
}

#[test]
fn an_internal_key_of_the_longest_user_key_has_a_length_of_32_bits() {
    let trailer = to_u64(crate::key::TRAILER_SIZE);
    assert_eq!(USER_KEY_SIZE_MAX + trailer, u64::from(u32::MAX));
}

#[test]
fn a_view_is_as_large_as_its_bytes() {
    let mut batch = WriteBatch::new();
    for size in [12, 21, 30] {
        assert_eq!(batch.as_view().byte_size(), size);
        batch.put(b"foo", b"bar").expect("small");
    }
}

#[test]
fn a_header_tells_the_last_sequence_if_a_batch_can_have_it() {
    let head = |sequence: u64, count: u32| {
        let mut head = sequence.to_le_bytes().to_vec();
        head.extend(count.to_le_bytes());
        last_sequence_of_head(&head)
    };
    assert_eq!(head(7, 1), Some(7));
    assert_eq!(head(7, 3), Some(9));
    assert_eq!(head(7, 0), None, "an empty batch has none");
    assert_eq!(head(MAX_SEQUENCE, 1), Some(MAX_SEQUENCE));
    assert_eq!(head(MAX_SEQUENCE, 2), None);
    assert_eq!(head(u64::MAX, 2), None);
    assert_eq!(last_sequence_of_head(&[1; 11]), None);
}
