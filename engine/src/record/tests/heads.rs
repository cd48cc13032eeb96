//! The heads of lost records: what a reader still tells of a record that it does not yield.

use super::damage::log_of;
use super::*;

/// The heads that are left when all of `bytes` was read.
fn lost_heads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let file = MemFile::new(bytes);
    let mut reader = Reader::new(file.sequential(), Path::new(PATH));
    while reader.read_record().expect("the file is sound").is_some() {}
    reader.lost_heads().iter().map(|head| head.bytes().to_vec()).collect()
}

#[test]
fn a_whole_log_has_lost_none() {
    assert!(lost_heads(&log_of(&[b"one", &big("x", BLOCK_SIZE), b"two"])).is_empty());
}

#[test]
fn a_head_is_the_first_twelve_bytes_or_all_there_are() {
    // Damage in the first record costs the rest of the block: those behind it, not itself.
    for (payload, head) in [
        (&b"a long payload"[..], &b"a long paylo"[..]),
        (b"twelve bytes", b"twelve bytes"),
        (b"eleven byte", b"eleven byte"),
        (b"", b""),
    ] {
        let mut bytes = log_of(&[b"one", payload]);
        bytes[HEADER_SIZE] ^= 1;
        assert_eq!(lost_heads(&bytes), [head]);
    }
}

#[test]
fn a_head_is_found_at_any_offset_but_not_the_first() {
    let record = log_of(&[b"lost"]);
    for gap in 1..20 {
        let mut bytes = vec![0xee; gap];
        bytes.extend(&record);
        assert_eq!(lost_heads(&bytes), [b"lost"], "behind {gap} bytes");
        // Up to the last byte of its header it must be there.
        assert!(lost_heads(&bytes[..bytes.len() - 1]).is_empty());
    }
    // An empty record is all header, and may end with the file.
    let bytes = [&[0xee; 9][..], &log_of(&[b""])].concat();
    assert_eq!(lost_heads(&bytes), [b""]);
}

#[test]
fn a_record_without_its_end_has_a_head() {
    let payload = big("0123456789abcdef", BLOCK_SIZE);
    let whole = log_of(&[b"one", &payload]);
    // Its second fragment is cut off, or damaged, or not its own.
    assert_eq!(lost_heads(&whole[..BLOCK_SIZE]), [b"0123456789ab"]);
    let mut damaged = whole.clone();
    damaged[BLOCK_SIZE + HEADER_SIZE] ^= 1;
    assert_eq!(lost_heads(&damaged), [b"0123456789ab"]);
    let mut followed = whole[..BLOCK_SIZE].to_vec();
    followed.extend(log_of(&[b"next"]));
    assert_eq!(lost_heads(&followed), [b"0123456789ab"]);
}

#[test]
fn only_a_start_with_a_right_checksum_has_a_head() {
    for record_type in [RecordType::Middle, RecordType::Last, RecordType::First, RecordType::Full] {
        let mut record = log_of(&[b"lost"]);
        record[HEADER_SIZE - 1] = record_type.to_byte();
        let crc = mask(crc32c(&record[HEADER_SIZE - 1..]));
        record[..4].copy_from_slice(&crc.to_le_bytes());
        let bytes = [&[0xee; 9][..], &record].concat();
        let is_start = matches!(record_type, RecordType::First | RecordType::Full);
        assert_eq!(lost_heads(&bytes).len(), usize::from(is_start), "{record_type:?}");
        for at in 0..record.len() {
            let mut damaged = bytes.clone();
            damaged[9 + at] ^= 1;
            assert!(lost_heads(&damaged).is_empty(), "{record_type:?}, byte {at}");
        }
    }
}
