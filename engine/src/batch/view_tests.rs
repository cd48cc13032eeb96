//! The longest key of a batch. The limit itself is near 4 GiB, so smaller ones stand in for it.

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
