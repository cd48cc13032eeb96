//! What LevelDB does not test: golden bytes, a failing file, all cuts and bit flips, zeroed
//! blocks, and what tells damage from a torn end.

use proptest::prelude::*;

use super::*;
use crate::codec::to_u64;

/// A log of a fresh database: put foo=bar; put foo=baz and delete box; an empty batch.
const GOLDEN: [u8; 80] = [
    0xaf, 0xbf, 0xeb, 0x5e, 0x15, 0x00, 0x01, 0x01, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0x01, 0x03,
    b'f', b'o', b'o', 0x03, b'b', b'a', b'r', 0x6e, 0x86, 0x53, 0xb4, 0x1a, 0x00, 0x01, 0x02, 0, 0,
    0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0x01, 0x03, b'f', b'o', b'o', 0x03, b'b', b'a', b'z', 0x00, 0x03,
    b'b', b'o', b'x', 0x75, 0x7d, 0x05, 0x3d, 0x0c, 0x00, 0x01, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0,
];
const GOLDEN_ENDS: [usize; 3] = [28, 61, 80];

fn golden_payloads() -> [&'static [u8]; 3] {
    [&GOLDEN[7..28], &GOLDEN[35..61], &GOLDEN[68..80]]
}

/// All that a reader says of a file.
struct Found {
    records: Vec<Vec<u8>>,
    dropped: Vec<Dropped>,
    tail: Option<Tail>,
    end_offset: u64,
    start_after_damage: bool,
}

fn read_all(bytes: &[u8]) -> Found {
    let file = MemFile::new(bytes);
    let mut reader = Reader::new(file.sequential(), Path::new(PATH));
    let (mut records, mut dropped) = (Vec::new(), Vec::new());
    let mut last_offset = 0;
    while let Some(item) = reader.read_record().expect("the file is sound") {
        let offset = match item {
            Item::Record { offset, payload } => {
                records.push(payload.to_vec());
                offset
            }
            Item::Dropped(bytes) => {
                let offset = bytes.offset;
                dropped.push(bytes);
                offset
            }
        };
        assert!(last_offset <= offset, "out of order");
        last_offset = offset;
    }
    Found {
        records,
        dropped,
        tail: reader.tail().cloned(),
        end_offset: reader.end_offset(),
        start_after_damage: reader.start_after_damage(),
    }
}

/// The bytes of a log with these records.
pub(super) fn log_of(payloads: &[&[u8]]) -> Vec<u8> {
    let file = MemFile::default();
    let mut writer = Writer::new(file.writable());
    for payload in payloads {
        assert_eq!(writer.add_record(payload), Ok(()));
    }
    file.bytes()
}

#[test]
fn golden_bytes() {
    assert_eq!(log_of(&golden_payloads()), GOLDEN);
    assert_eq!(read_all(&GOLDEN).records, golden_payloads());
}

#[test]
fn one_append_for_each_physical_record() {
    let file = MemFile::default();
    let mut writer = Writer::new(file.writable());
    assert_eq!(writer.add_record(&big("x", BLOCK_SIZE - HEADER_SIZE - 3)), Ok(()));
    // Three bytes of padding go along with the next header.
    assert_eq!(writer.add_record(b"y"), Ok(()));
    assert_eq!(writer.add_record(&big("z", 2 * BLOCK_SIZE)), Ok(()));
    assert_eq!(writer.sync(), Ok(()));
    assert_eq!(writer.close(), Ok(()));
    let mut expected = vec![FileOp::Append; 5];
    expected.extend([FileOp::Sync, FileOp::Close]);
    assert_eq!(file.operations(), expected);
}

#[test]
fn a_record_behind_padding_takes_the_whole_block() {
    for left in 1..HEADER_SIZE {
        let first = big("x", BLOCK_SIZE - HEADER_SIZE - left);
        let bytes = log_of(&[&first, &big("y", BLOCK_SIZE - HEADER_SIZE)]);
        assert_eq!(bytes.len(), 2 * BLOCK_SIZE, "{left} bytes of padding");
        assert_eq!(bytes[BLOCK_SIZE + HEADER_SIZE - 1], RecordType::Full.to_byte());
    }
}

#[test]
fn what_is_printed_says_how_far_it_came() {
    let file = MemFile::new(&GOLDEN);
    let mut reader = Reader::new(file.sequential(), Path::new(PATH));
    assert!(matches!(reader.read_record(), Ok(Some(Item::Record { offset: 0, .. }))));
    let shown = "Reader { path: \"db/file\", end_offset: 28, state: Reading, .. }";
    assert_eq!(format!("{reader:?}"), shown);
    let writer = Writer::continue_at(file.writable(), 80);
    assert_eq!(format!("{writer:?}"), "Writer { size: 80, failed: None, .. }");
}

#[test]
fn the_first_error_is_kept_and_the_file_left_alone() {
    // Operations: append, append with padding, append, append, sync.
    let steps = |writer: &mut Writer| {
        writer.add_record(&big("x", BLOCK_SIZE - HEADER_SIZE - 3))?;
        writer.add_record(b"y")?;
        writer.add_record(&big("z", BLOCK_SIZE))?;
        writer.sync()
    };
    for fail_at in 0..5 {
        let file = MemFile::default();
        file.fail_at(fail_at);
        let mut writer = Writer::new(file.writable());
        let error = failure(if fail_at < 4 { FileOp::Append } else { FileOp::Sync });
        assert_eq!(steps(&mut writer), Err(error.clone()));
        let (size, touched) = (writer.size(), file.operations().len());
        assert_eq!(touched, fail_at + 1);
        assert_eq!(writer.add_record(b"w"), Err(error.clone()));
        assert_eq!(writer.sync(), Err(error.clone()));
        assert_eq!(writer.size(), size);
        assert_eq!(writer.close(), Err(error));
        assert_eq!(file.operations().len(), touched);
    }
    let file = MemFile::default();
    file.fail_at(0);
    assert_eq!(Writer::new(file.writable()).close(), Err(failure(FileOp::Close)));
}

#[test]
fn every_cut_of_a_log_ends_in_whole_records_and_a_tail() {
    for cut in 0..=GOLDEN.len() {
        let found = read_all(&GOLDEN[..cut]);
        let whole = GOLDEN_ENDS.iter().filter(|&&end| end <= cut).count();
        let end = whole.checked_sub(1).map_or(0, |last| GOLDEN_ENDS[last]);
        assert_eq!(found.records, golden_payloads()[..whole], "cut at {cut}");
        assert_eq!(found.dropped, []);
        assert_eq!(found.end_offset, to_u64(end));
        assert_eq!(found.tail.is_some(), end < cut);
        if let Some(tail) = found.tail {
            let torn =
                if cut - end < HEADER_SIZE { Defect::TornHeader } else { Defect::TornRecord };
            assert_eq!(tail.defect, torn);
            assert_eq!((tail.offset, tail.bytes), (to_u64(end), to_u64(cut - end)));
        }
        assert!(!found.start_after_damage);
    }
}

#[test]
fn a_file_that_ends_in_padding_has_lost_nothing() {
    for room in 0..HEADER_SIZE {
        let full = big("x", BLOCK_SIZE - HEADER_SIZE - room);
        let whole = log_of(&[&full, b"y"]);
        for padding in 0..=room {
            let end = BLOCK_SIZE - room + padding;
            let found = read_all(&whole[..end]);
            assert_eq!(found.records, [&full[..]], "{padding} bytes of {room}");
            assert_eq!((found.tail, found.dropped), (None, vec![]));
        }
        // One byte into the next block, there may have been a record.
        let tail = read_all(&whole[..=BLOCK_SIZE]).tail.map(|tail| (tail.offset, tail.defect));
        assert_eq!(tail, Some((to_u64(BLOCK_SIZE), Defect::TornHeader)));
    }
}

#[test]
fn a_header_may_be_torn_wherever_it_may_start() {
    let whole = log_of(&[&big("x", BLOCK_SIZE - 2 * HEADER_SIZE), b"y"]);
    let start = BLOCK_SIZE - HEADER_SIZE;
    assert_eq!(read_all(&whole[..start]).tail, None);
    for cut in start + 1..BLOCK_SIZE {
        let tail = read_all(&whole[..cut]).tail.map(|tail| (tail.offset, tail.defect));
        assert_eq!(tail, Some((to_u64(start), Defect::TornHeader)), "cut at {cut}");
    }
}

#[test]
fn every_cut_across_blocks_ends_in_whole_records_and_a_tail() {
    let payloads = [&b"first"[..], &big("long", 2 * BLOCK_SIZE), b"last"];
    let whole = log_of(&payloads);
    let long_end = whole.len() - 4 - HEADER_SIZE;
    // Around every header and block boundary.
    let places = [12, 19, BLOCK_SIZE, BLOCK_SIZE + 7, 2 * BLOCK_SIZE, 2 * BLOCK_SIZE + 7, long_end];
    for cut in places.into_iter().flat_map(|place| place - 8..=place + 8) {
        if cut > whole.len() {
            continue;
        }
        let found = read_all(&whole[..cut]);
        let count = usize::from(cut >= 12) + usize::from(cut >= long_end);
        assert_eq!(found.records, payloads[..count], "cut at {cut}");
        assert_eq!(found.dropped, []);
        let end = if count == 2 { long_end } else { 12 * count };
        assert_eq!(found.end_offset, to_u64(end));
        let tail = found.tail.map(|tail| (tail.offset, tail.bytes));
        assert_eq!(tail, (end < cut).then(|| (to_u64(end), to_u64(cut - end))));
    }
}

#[test]
fn every_bit_flip_loses_records_but_changes_none() {
    for bit in 0..GOLDEN.len() * 8 {
        let mut bytes = GOLDEN;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = read_all(&bytes);
        let hit = GOLDEN_ENDS.iter().filter(|&&end| end <= bit / 8).count();
        assert_eq!(found.records, golden_payloads()[..hit], "bit {bit}");
        assert!(!found.dropped.is_empty() || found.tail.is_some(), "bit {bit}");
        // Only behind the last record does a flip look like a torn end.
        assert_eq!(found.start_after_damage, hit < 2, "bit {bit}");
        let first_bad = found.dropped.first().map(|dropped| dropped.offset);
        let first_bad = first_bad.or(found.tail.map(|tail| tail.offset));
        assert_eq!(first_bad, Some(found.end_offset), "bit {bit}");
    }
}

#[test]
fn types_that_nobody_writes_are_told() {
    for byte in [0].into_iter().chain(5..=255) {
        let mut bytes = log_of(&[b"foo", b"bar"]);
        bytes[6] = byte;
        let crc = mask(crc32c(&bytes[6..10]));
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        let found = read_all(&bytes);
        assert_eq!(found.records, [b"bar"]);
        let defect = Defect::UnknownRecordType(byte);
        assert_eq!(found.dropped, [Dropped { offset: 0, bytes: 3, defect }]);
    }
}

#[test]
fn unknown_type_takes_the_open_record_along() {
    let mut bytes = log_of(&[&big("x", BLOCK_SIZE), b"next"]);
    bytes[BLOCK_SIZE + 6] = 9;
    let crc = mask(crc32c(&bytes[BLOCK_SIZE + 6..BLOCK_SIZE + 14]));
    bytes[BLOCK_SIZE..BLOCK_SIZE + 4].copy_from_slice(&crc.to_le_bytes());
    let found = read_all(&bytes);
    assert_eq!(found.records, [b"next"]);
    let defect = Defect::UnknownRecordType(9);
    assert_eq!(found.dropped, [Dropped { offset: 0, bytes: 32_768, defect }]);
}

#[test]
fn damage_inside_a_record_is_told_after_the_record() {
    let mut bytes = log_of(&[b"ok", &big("x", 3 * BLOCK_SIZE), b"next"]);
    bytes[BLOCK_SIZE + 100] ^= 1;
    let found = read_all(&bytes);
    assert_eq!(found.records, [&b"ok"[..], b"next"]);
    let collected = 32_768 - 9 - 7;
    let dropped: Vec<_> =
        found.dropped.iter().map(|d| (d.offset, d.bytes, d.defect.clone())).collect();
    assert_eq!(
        dropped,
        [
            (9, collected, Defect::InterruptedRecord),
            (32_768, 32_768, Defect::ChecksumMismatch),
            (65_536, 32_761, Defect::MissingStart),
            (98_304, 3 * 32_768 - collected - 2 * 32_761, Defect::MissingStart),
        ]
    );
    assert!(found.start_after_damage);
}

#[test]
fn zeros_are_told_with_all_they_cover() {
    let mut bytes = log_of(&[b"one"]);
    bytes.resize(100, 0);
    let found = read_all(&bytes);
    assert_eq!(found.records, [b"one"]);
    assert_eq!(found.dropped, [Dropped { offset: 10, bytes: 90, defect: Defect::ZeroedBlock }]);
    assert_eq!((found.tail, found.end_offset, found.start_after_damage), (None, 10, false));

    // A hole of a whole block between two records.
    let mut bytes = log_of(&[&big("x", BLOCK_SIZE - HEADER_SIZE)]);
    bytes.resize(2 * BLOCK_SIZE, 0);
    bytes.extend(log_of(&[b"two"]));
    let found = read_all(&bytes);
    assert_eq!(found.records[1..], [b"two"]);
    let hole = Dropped { offset: 32_768, bytes: 32_768, defect: Defect::ZeroedBlock };
    assert_eq!(found.dropped, [hole]);
    assert!(found.start_after_damage);
}

#[test]
fn a_copy_of_a_record_in_front_proves_no_damage_where_no_two_are_alike() {
    let start_after_damage = |bytes: &[u8], differ: bool| {
        let file = MemFile::new(bytes).sequential();
        let path = Path::new(PATH);
        let mut reader = if differ {
            Reader::of_records_that_differ(file, path)
        } else {
            Reader::new(file, path)
        };
        while reader.read_record().expect("the file is sound").is_some() {}
        reader.start_after_damage()
    };
    let mut bytes = log_of(&[b"one", b"two"]);
    let copy = bytes[..10].to_vec();
    bytes.resize(60, 0);
    bytes.extend(copy);
    assert!(start_after_damage(&bytes, false));
    assert!(!start_after_damage(&bytes, true));
    // Another record does.
    bytes.extend(log_of(&[b"new"]));
    assert!(start_after_damage(&bytes, true));
}

#[test]
fn a_start_behind_bad_bytes_tells_damage_from_a_torn_end() {
    // A flipped length near the end of a short file: LevelDB takes it for a torn end.
    let mut bytes = log_of(&[b"one", b"two", b"three"]);
    bytes[10 + 5] = 0x7f;
    let found = read_all(&bytes);
    assert_eq!(found.records, [b"one"]);
    assert_eq!(found.tail.map(|tail| (tail.offset, tail.defect)), Some((10, Defect::TornRecord)));
    assert!(found.start_after_damage);

    // The rest of a torn record proves nothing: its blocks reach the disk in any order.
    let mut bytes = log_of(&[b"one", &big("x", 3 * BLOCK_SIZE)]);
    bytes[10..BLOCK_SIZE].fill(0);
    let found = read_all(&bytes);
    assert_eq!(found.records, [b"one"]);
    assert!(!found.start_after_damage);
}

#[test]
fn a_bad_length_in_a_last_block_that_is_full_is_no_torn_end() {
    let mut bytes = log_of(&[b"one", &big("x", BLOCK_SIZE - 2 * HEADER_SIZE - 3)]);
    assert_eq!(bytes.len(), BLOCK_SIZE);
    bytes[10 + 4] ^= 0x80;
    bytes[10 + 5] ^= 0x80;
    let found = read_all(&bytes);
    assert_eq!(found.records, [b"one"]);
    let lost = 32_768 - 10;
    let defect = Defect::BadRecordLength;
    assert_eq!(found.dropped, [Dropped { offset: 10, bytes: lost, defect }]);
    assert_eq!(found.tail, None);
}

#[test]
fn an_empty_first_before_a_full_is_no_loss() {
    let mut bytes = log_of(&[&big("x", BLOCK_SIZE - 2 * HEADER_SIZE), b"y"]);
    let lost = bytes.len() - BLOCK_SIZE;
    bytes.truncate(bytes.len() - lost);
    bytes.extend(log_of(&[b"y"]));
    let found = read_all(&bytes);
    assert_eq!(found.records.len(), 2);
    assert_eq!((found.dropped, found.start_after_damage), (Vec::new(), false));
}

proptest! {
    #[test]
    fn records_survive_whatever_room_a_block_has_left(
        left in 0_usize..=8,
        sizes in proptest::collection::vec(
            prop_oneof![0_usize..20, 32_700_usize..32_800, 65_400_usize..65_600], 1..6),
    ) {
        let first = big("first", BLOCK_SIZE - HEADER_SIZE - left);
        let mut payloads = vec![first];
        payloads.extend(sizes.iter().map(|&size| big("payload", size)));
        let borrowed: Vec<_> = payloads.iter().map(Vec::as_slice).collect();
        let bytes = log_of(&borrowed);
        let found = read_all(&bytes);
        prop_assert!(found.records == payloads);
        prop_assert!(found.dropped.is_empty() && found.tail.is_none());
        prop_assert_eq!(found.end_offset, to_u64(bytes.len()));
    }

    #[test]
    fn garbage_never_panics_and_yields_nothing(
        bytes in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..300),
    ) {
        prop_assert!(read_all(&bytes).records.is_empty());
    }
}
