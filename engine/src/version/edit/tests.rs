//! LevelDB's `version_edit_test`, golden bytes, and every damage of a small edit.

use proptest::prelude::*;

use super::*;
use crate::key::{MAX_SEQUENCE, ValueType, append_internal_key};
use crate::record::Writer;
use crate::test_files::MemFile;

fn ikey(user_key: &[u8], sequence: SequenceNumber, value_type: ValueType) -> Vec<u8> {
    let mut key = Vec::new();
    append_internal_key(&mut key, user_key, sequence, value_type);
    key
}

fn encoded(edit: &VersionEdit) -> Vec<u8> {
    let mut out = Vec::new();
    edit.encode(&mut out);
    out
}

fn check_round_trip(edit: &VersionEdit) {
    let bytes = encoded(edit);
    let again = VersionEdit::decode(&bytes);
    assert_eq!(again.as_ref(), Ok(edit));
    assert_eq!(encoded(&again.expect("just decoded")), bytes);
}

#[test]
fn encode_decode() {
    const BIG: u64 = 1 << 50;
    let mut edit = VersionEdit::new();
    for i in 0..4 {
        check_round_trip(&edit);
        edit.new_files.push((
            3,
            FileMetaData {
                number: BIG + 300 + i,
                size: BIG + 400 + i,
                smallest: ikey(b"foo", BIG + 500 + i, ValueType::Value),
                largest: ikey(b"zoo", BIG + 600 + i, ValueType::Deletion),
            },
        ));
        edit.deleted_files.insert((4, BIG + 700 + i));
        let level = usize::try_from(i).expect("small");
        edit.compact_pointers.push((level, ikey(b"x", BIG + 900 + i, ValueType::Value)));
    }
    edit.comparator = Some(b"foo".to_vec());
    edit.log_number = Some(BIG + 100);
    edit.prev_log_number = Some(0);
    edit.next_file_number = Some(BIG + 200);
    edit.last_sequence = Some(BIG + 1000);
    check_round_trip(&edit);
}

fn snapshot_of_a_fresh_database() -> VersionEdit {
    let comparator = Some(b"leveldb.BytewiseComparator".to_vec());
    VersionEdit { comparator, ..VersionEdit::new() }
}

fn manifest_of(edits: &[VersionEdit]) -> Vec<u8> {
    let file = MemFile::default();
    let mut writer = Writer::new(file.writable());
    for edit in edits {
        assert_eq!(writer.add_record(&encoded(edit)), Ok(()));
    }
    file.bytes()
}

#[test]
fn golden_bytes_of_a_fresh_manifest() {
    let mut expected = vec![0x56, 0xf9, 0xb8, 0xf8, 0x1c, 0x00, 0x01, 0x01, 0x1a];
    expected.extend(b"leveldb.BytewiseComparator");
    expected.extend([0xa4, 0x9c, 0x8b, 0xbe, 0x08, 0x00, 0x01, 2, 3, 9, 0, 3, 4, 4, 0]);
    let numbers = VersionEdit {
        log_number: Some(3),
        prev_log_number: Some(0),
        next_file_number: Some(4),
        last_sequence: Some(0),
        ..VersionEdit::new()
    };
    assert_eq!(manifest_of(&[snapshot_of_a_fresh_database(), numbers]), expected);
}

#[test]
fn golden_bytes_of_a_manifest_after_reopen() {
    let mut expected = vec![0x56, 0xf9, 0xb8, 0xf8, 0x1c, 0x00, 0x01, 0x01, 0x1a];
    expected.extend(b"leveldb.BytewiseComparator");
    expected.extend([0xf3, 0x16, 0x3e, 0xe3, 0x25, 0x00, 0x01, 2, 6, 9, 0, 3, 7, 4, 3]);
    expected.extend(b"\x07\x00\x05\x91\x01\x0bbox\x00\x03\0\0\0\0\0\0\x0bfoo\x01\x01\0\0\0\0\0\0");
    assert_eq!(expected.len(), 79);
    let edit = VersionEdit {
        log_number: Some(6),
        prev_log_number: Some(0),
        next_file_number: Some(7),
        last_sequence: Some(3),
        new_files: vec![(
            0,
            FileMetaData {
                number: 5,
                size: 145,
                smallest: ikey(b"box", 3, ValueType::Deletion),
                largest: ikey(b"foo", 1, ValueType::Value),
            },
        )],
        ..VersionEdit::new()
    };
    assert_eq!(manifest_of(&[snapshot_of_a_fresh_database(), edit]), expected);
}

#[test]
fn last_value_of_a_number_wins() {
    let edit = VersionEdit::decode(&[2, 7, 2, 9]);
    assert_eq!(edit.map(|edit| edit.log_number), Ok(Some(9)));
}

#[test]
fn impossible_fields_are_refused() {
    let bad = |field, offset| Err(EditDefect::BadField { field, offset });
    let invalid = |offset| Err(EditDefect::InvalidTag { offset });
    // The retired tag, one beyond all, zero, and half a tag.
    assert_eq!(VersionEdit::decode(&[8, 0]), invalid(0));
    assert_eq!(VersionEdit::decode(&[2, 3, 10]), invalid(2));
    assert_eq!(VersionEdit::decode(&[0]), invalid(0));
    assert_eq!(VersionEdit::decode(&[2, 3, 0x81]), invalid(2));
    // A level that does not exist.
    assert_eq!(VersionEdit::decode(&[6, 7, 1]), bad(EditField::DeletedFile, 0));
    // Keys that are none.
    assert_eq!(VersionEdit::decode(&[5, 1, 0]), bad(EditField::CompactPointer, 0));
    assert_eq!(
        VersionEdit::decode(&[5, 1, 8, 2, 0, 0, 0, 0, 0, 0, 0]),
        bad(EditField::CompactPointer, 0)
    );
    // A sequence number that would make every later write overflow.
    let mut bytes = vec![4];
    put_varint64(&mut bytes, MAX_SEQUENCE);
    assert!(VersionEdit::decode(&bytes).is_ok());
    let mut bytes = vec![4];
    put_varint64(&mut bytes, MAX_SEQUENCE + 1);
    let sequence = MAX_SEQUENCE + 1;
    assert_eq!(
        VersionEdit::decode(&bytes),
        Err(EditDefect::SequenceTooLarge { sequence, offset: 0 })
    );
}

fn small_edit() -> VersionEdit {
    VersionEdit {
        log_number: Some(6),
        prev_log_number: Some(0),
        next_file_number: Some(300),
        last_sequence: Some(3),
        compact_pointers: vec![(1, ikey(b"k", 2, ValueType::Value))],
        deleted_files: BTreeSet::from([(2, 200)]),
        new_files: vec![(
            1,
            FileMetaData {
                number: 5,
                size: 145,
                smallest: ikey(b"box", 3, ValueType::Deletion),
                largest: ikey(b"foo", 1, ValueType::Value),
            },
        )],
        ..snapshot_of_a_fresh_database()
    }
}

#[test]
fn every_truncation_is_a_shorter_edit_or_refused() {
    let whole = encoded(&small_edit());
    for cut in 0..whole.len() {
        if let Ok(edit) = VersionEdit::decode(&whole[..cut]) {
            // Only where a field ended; the record around it tells the loss.
            assert_eq!(encoded(&edit), &whole[..cut]);
        }
    }
}

#[test]
fn every_bit_flip_is_a_valid_edit_or_refused() {
    let whole = encoded(&small_edit());
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(edit) = VersionEdit::decode(&bytes) {
            assert_ne!(edit, small_edit(), "bit {bit}");
            check_round_trip(&edit);
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(edit) = VersionEdit::decode(&bytes) {
            check_round_trip(&edit);
        }
    }
}

#[test]
fn a_defect_names_its_field_and_place() {
    let fields = [
        (EditField::Comparator, "comparator name"),
        (EditField::LogNumber, "log number"),
        (EditField::PrevLogNumber, "previous log number"),
        (EditField::NextFileNumber, "next file number"),
        (EditField::LastSequence, "last sequence number"),
        (EditField::CompactPointer, "compaction pointer"),
        (EditField::DeletedFile, "deleted file"),
        (EditField::NewFile, "new file"),
    ];
    for (field, words) in fields {
        let told = EditDefect::BadField { field, offset: 3 }.to_string();
        assert_eq!(told, format!("bad {words} at byte 3 of a version edit"));
    }
    let told = EditDefect::InvalidTag { offset: 7 }.to_string();
    assert_eq!(told, "invalid tag at byte 7 of a version edit");
    let told = EditDefect::SequenceTooLarge { sequence: 1 << 60, offset: 0 }.to_string();
    assert_eq!(told, "impossible sequence 1152921504606846976 at byte 0 of a version edit");
}
