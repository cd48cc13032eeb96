//! Tests of the decoder: the golden bytes of a database that LevelDB wrote, and damage to them.

use std::collections::BTreeMap;

use super::bytes::{Rest, masked_crc};
use super::framing::{Scan, resync, scan, search};
use super::{Database, Defect, Stop, decode, first_in_logs, table};

/// After Put foo=bar; Put foo=baz and Delete box in one batch; an empty batch.
const LOG: &str = "
    afbfeb5e1500010100000000000000010000000103666f6f036261726e8653b4
    1a00010200000000000000020000000103666f6f0362617a0003626f78757d05
    3d0c0001040000000000000000000000";

/// After the same database was opened again: its log became table 5.
const MANIFEST: &str = "
    56f9b8f81c0001011a6c6576656c64622e4279746577697365436f6d70617261
    746f72f3163ee3250001020609000307040307000591010b626f780003000000
    0000000b666f6f0101000000000000";

const TABLE: &str = "
    000b00626f780003000000000000000b03666f6f010200000000000062617a04
    070301000000000000626172000000000100000000db1cbad000000000010000
    0000c0f2a1b00009026701ffffffffffffff00340000000001000000007085a6
    dd39084616000000000000000000000000000000000000000000000000000000
    00000000000000000057fb808b247547db";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_hexdigit).collect();
    let digit = |char: char| char.to_digit(16).expect("a hexadecimal digit") as u8;
    digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

type Files = BTreeMap<&'static str, Vec<u8>>;

fn database() -> Files {
    Files::from([
        ("CURRENT", b"MANIFEST-000004\n".to_vec()),
        ("MANIFEST-000004", hex(MANIFEST)),
        ("000005.ldb", hex(TABLE)),
        ("000003.log", hex(LOG)),
        ("000006.log", Vec::new()),
    ])
}

fn read(files: &Files) -> Result<Database<'_>, Defect> {
    let names: Vec<&str> = files.keys().copied().collect();
    decode(&names, &|name| files.get(name).map(Vec::as_slice))
}

/// The database before it was opened again: an empty version, and the log.
fn unopened() -> Files {
    let mut manifest = hex("56f9b8f81c000101 1a");
    manifest.extend_from_slice(b"leveldb.BytewiseComparator");
    manifest.extend(hex("a49c8bbe 0800 01 02 03 09 00 03 04 04 00"));
    Files::from([
        ("CURRENT", b"MANIFEST-000002\n".to_vec()),
        ("MANIFEST-000002", manifest),
        ("000003.log", hex(LOG)),
    ])
}

fn damaged(offset: usize) -> Files {
    let mut files = unopened();
    files.get_mut("000003.log").expect("the log")[offset] ^= 1;
    files
}

/// A fragment with a right checksum.
pub(crate) fn fragment(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut checked = vec![kind];
    checked.extend_from_slice(payload);
    let mut bytes = masked_crc(&checked).to_le_bytes().to_vec();
    bytes.extend((payload.len() as u16).to_le_bytes());
    bytes.extend(checked);
    bytes
}

pub(crate) fn batch(sequence: u64, keys: &[&[u8]]) -> Vec<u8> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.extend((keys.len() as u32).to_le_bytes());
    for key in keys {
        bytes.extend([0, key.len() as u8]);
        bytes.extend(*key);
    }
    bytes
}

fn with_log(log: Vec<u8>) -> Files {
    let mut files = unopened();
    files.insert("000003.log", log);
    files
}

#[test]
fn checksums_have_the_published_values() {
    let unmasked = |bytes: &[u8]| masked_crc(bytes).wrapping_sub(0xa282_ead8).rotate_left(15);
    assert_eq!(unmasked(&[0; 32]), 0x8a91_36aa);
    assert_eq!(unmasked(&[0xff; 32]), 0x62a8_ab43);
    assert_eq!(unmasked(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
    assert_eq!(unmasked(&(0..32).rev().collect::<Vec<u8>>()), 0x113f_db5c);
}

#[test]
fn varints_end_where_they_must() {
    assert_eq!(Rest(&[0xff, 0xff, 0xff, 0xff, 0xff]).varint32(), None);
    assert_eq!(Rest(&[0xff, 0xff, 0xff, 0xff, 0x7f]).varint32(), Some(u32::MAX));
    assert_eq!(Rest(&[0x80]).varint64(), None);
    assert_eq!(Rest(&[0xac, 0x02]).varint64(), Some(300));
    assert_eq!(Rest(&[0xff; 10]).varint64(), None);
}

#[test]
fn a_log_is_read_batch_by_batch() {
    let files = unopened();
    let found = read(&files).expect("a good database");
    assert_eq!(found.manifest.comparator.as_deref(), Some(&b"leveldb.BytewiseComparator"[..]));
    assert_eq!((found.manifest.log_number, found.manifest.next_file_number), (Some(3), Some(4)));
    assert_eq!((found.manifest.edits, &found.manifest.bad), (2, &None));
    let log = &found.logs[0];
    assert_eq!((log.number, log.size, log.stop, &log.bad), (3, 80, Stop::End, &None));
    let batches: Vec<_> = log
        .batches
        .iter()
        .map(|batch| (batch.place.clone(), batch.sequence, batch.count))
        .collect();
    assert_eq!(batches, [(0..28, 1, 1), (28..61, 2, 2), (61..80, 4, 0)]);
    let operations: Vec<_> = log.batches[1].operations().map(|op| (op.key, op.value)).collect();
    assert_eq!(operations, [(&b"foo"[..], Some(&b"baz"[..])), (b"box", None)]);
    assert_eq!((found.highest_sequence, found.highest_sequence_by_blocks), (3, 3));
}

/// The table of [`database`] with this as its data block, behind which everything moves.
pub(super) fn table_with(data: &[u8], compression: u8) -> Vec<u8> {
    let mut table = Vec::new();
    let mut put = |contents: &[u8], compression| {
        let start = table.len();
        table.extend_from_slice(contents);
        table.push(compression);
        let crc = masked_crc(&table[start..]);
        table.extend(crc.to_le_bytes());
        [start as u8, contents.len() as u8]
    };
    let data = put(data, compression);
    // Where a filter block would be: nothing leads there.
    put(b"any bytes", 0);
    let metaindex = put(&[0, 0, 0, 0, 1, 0, 0, 0], 0);
    let mut index = b"\0\x09\x02g\x01\xff\xff\xff\xff\xff\xff\xff".to_vec();
    index.extend(data);
    index.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let index = put(&index, 0);
    let start = table.len();
    table.extend(metaindex);
    table.extend(index);
    table.resize(start + 40, 0);
    table.extend(0xdb47_7524_8b80_fb57_u64.to_le_bytes());
    table
}

#[test]
fn a_compressed_table_has_the_same_entries() {
    let files = database();
    let plain = &files["000005.ldb"][..52];
    let expected = table::decode(&table_with(plain, 0)).expect("a good table").len();
    assert_eq!(expected, 3);
    let snappy = snap::raw::Encoder::new().compress_vec(plain).expect("small");
    let (plain_table, snappy_table) = (table_with(plain, 0), table_with(&snappy, 1));
    assert_eq!(table::decode(&snappy_table), table::decode(&plain_table));
    // One byte of Snappy, and a size that these bytes cannot come to.
    assert_eq!(table::decode(&table_with(&snappy[..1], 1)), Err("a block that is no Snappy"));
    let giant = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(table::decode(&table_with(&giant, 1)), Err("a block that is no Snappy"));
    assert_eq!(table::decode(&table_with(plain, 2)), Err("a block of unknown compression"));
}

#[test]
fn a_table_is_read_entry_by_entry() {
    let files = database();
    let found = read(&files).expect("a good database");
    assert_eq!(found.logs.iter().map(|log| log.number).collect::<Vec<_>>(), [6]);
    assert_eq!(found.manifest.last_sequence, Some(3));
    let table = &found.tables[0];
    assert_eq!((table.file.level, table.file.number, table.file.size), (0, 5, 145));
    assert_eq!(table.file.smallest, b"box\0\x03\0\0\0\0\0\0");
    let entries = table.entries.as_ref().expect("a good table");
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.as_slice(), entry.sequence, entry.value.as_deref()))
        .collect();
    let value = |text: &'static str| Some(text.as_bytes());
    let expected = [("box", 3, None), ("foo", 2, value("baz")), ("foo", 1, value("bar"))];
    assert_eq!(entries, expected.map(|(key, sequence, value)| (key.as_bytes(), sequence, value)));
}

#[test]
fn any_flipped_bit_of_a_log_ends_it_there() {
    for offset in 0..80 {
        let files = damaged(offset);
        let found = read(&files).expect("a good MANIFEST");
        let log = &found.logs[0];
        let whole = [28, 61, 80].iter().filter(|end| **end <= offset).count();
        assert_eq!(log.batches.len(), whole, "bit of byte {offset}");
        let bad = log.bad.clone().expect("a bad record");
        assert!(bad.contains(&offset), "bit of byte {offset} in {bad:?}");
        assert_ne!(log.stop, Stop::End);
        // The batches behind it are found by their checksums, but never by going on with a block.
        assert_eq!(found.highest_sequence, if (28..61).contains(&offset) { 1 } else { 3 });
        assert_eq!(found.highest_sequence_by_blocks, [0, 1, 3][whole]);
    }
}

#[test]
fn any_cut_of_a_log_is_a_torn_tail() {
    for len in 0..80 {
        let files = with_log(hex(LOG)[..len].to_vec());
        let found = read(&files).expect("a good MANIFEST");
        let log = &found.logs[0];
        let whole = [28, 61].iter().filter(|end| **end <= len).count();
        assert_eq!(log.batches.len(), whole);
        let start = [0, 28, 61][whole];
        let (stop, bad) =
            if start == len { (Stop::End, None) } else { (Stop::Torn, Some(start..len)) };
        assert_eq!((log.stop, &log.bad), (stop, &bad));
    }
}

#[test]
fn any_flipped_bit_of_a_table_is_found() {
    // The metaindex is not read, nor the padding of the footer.
    for offset in (0..57).chain(70..97).chain(99..101).chain(137..145) {
        let mut files = database();
        files.get_mut("000005.ldb").expect("the table")[offset] ^= 0x10;
        let found = read(&files).expect("a good MANIFEST");
        assert!(found.tables[0].entries.is_err(), "bit of byte {offset}");
    }
}

#[test]
fn a_damaged_manifest_says_whether_more_follows() {
    for offset in 0..79 {
        let mut files = database();
        files.get_mut("MANIFEST-000004").expect("the MANIFEST")[offset] ^= 1;
        // Either record is needed: the second has the numbers.
        let what = read(&files).expect_err("no numbers").what;
        assert_eq!(what, "no next file number", "bit of byte {offset}");
    }
    let mut manifest = hex(MANIFEST);
    let tail = manifest[35..].to_vec();
    manifest.extend(tail);
    for (offset, follows) in [(40, true), (85, false)] {
        let mut damaged = manifest.clone();
        damaged[offset] ^= 1;
        let mut files = database();
        files.insert("MANIFEST-000004", damaged);
        match read(&files) {
            Ok(found) => assert_eq!(found.manifest.record_after_bad, follows),
            Err(defect) => assert_eq!((defect.what, follows), ("no next file number", true)),
        }
    }
}

#[test]
fn a_copy_of_a_record_behind_damage_does_not_say_that_more_follows() {
    let manifest = hex(MANIFEST);
    let other = fragment(1, &[4, 9]);
    for (behind, follows) in [(&manifest[..35], false), (&manifest[35..], false), (&other, true)] {
        let mut files = database();
        let bytes = files.get_mut("MANIFEST-000004").expect("the MANIFEST");
        bytes.extend([0; 40]);
        bytes.extend(behind);
        let found = read(&files).expect("both edits are there").manifest;
        assert_eq!((found.bad.map(|bad| bad.start), found.record_after_bad), (Some(79), follows));
    }
}

#[test]
fn what_leads_nowhere_is_an_error() {
    let what = |files: &Files| read(files).err().map(|defect| (defect.file, defect.what));
    let defect = |file: &str, what| Some((file.to_owned(), what));
    assert_eq!(what(&Files::new()), defect("CURRENT", "missing"));
    let mut files = database();
    files.insert("CURRENT", b"MANIFEST-000004".to_vec());
    assert_eq!(what(&files), defect("CURRENT", "no newline at its end"));
    files.insert("CURRENT", b"MANIFEST-000009\n".to_vec());
    assert_eq!(what(&files), defect("MANIFEST-000009", "missing"));
    let mut files = database();
    files.remove("000005.ldb");
    let found = read(&files).expect("a good MANIFEST");
    let missing = found.tables[0].entries.as_ref().expect_err("no table");
    assert_eq!((missing.file.as_str(), missing.what), ("000005.ldb", "missing"));
}

#[test]
fn records_are_put_together_across_blocks() {
    let keys = [[7_u8; 100].as_slice(); 800];
    let long = batch(9, &keys);
    // A first part that fills the block, a middle block, and the rest behind a whole record.
    let mut log = fragment(1, &batch(5, &[b"a"]));
    let first = 32768 - log.len() - 7;
    log.extend(fragment(2, &long[..first]));
    log.extend(fragment(3, &long[first..first + 32761]));
    log.extend(fragment(4, &long[first + 32761..]));
    let files = with_log(log.clone());
    let found = read(&files).expect("a good MANIFEST");
    let place = found.logs[0].batches[1].place.clone();
    assert_eq!((place, found.highest_sequence), (22..log.len(), 808));
    // Without its end the record is torn, and between two parts no byte is bad.
    let files = with_log(log[..65536].to_vec());
    let found = read(&files).expect("a good MANIFEST");
    assert_eq!((found.logs[0].stop, found.logs[0].bad.clone()), (Stop::Torn, Some(65536..65536)));
    assert_eq!(found.highest_sequence, 5, "what is not whole and not bad is not searched");
}

#[test]
fn a_trailer_is_skipped_whatever_it_holds() {
    for left in 0..7 {
        // One delete whose key fills the first block but for `left` bytes.
        let mut log = batch(1, &[]);
        log[8] = 1;
        let len = 32768 - 7 - left - log.len() - 4;
        log.extend([0, len as u8 | 0x80, (len >> 7) as u8 | 0x80, (len >> 14) as u8]);
        log.extend(vec![b'k'; len]);
        let mut log = fragment(1, &log);
        log.extend(vec![0xee; left]);
        assert_eq!(log.len(), 32768);
        log.extend(fragment(1, &batch(2, &[b"a"])));
        let files = with_log(log);
        let found = read(&files).expect("a good MANIFEST");
        assert_eq!((found.logs[0].batches.len(), found.logs[0].stop), (2, Stop::End));
    }
}

#[test]
fn edits_add_up() {
    let file = |level: u8, number: u8| vec![7, level, number, 100, 1, b'a', 1, b'z'];
    let numbers = vec![2, 3, 9, 0, 3, 20, 4, 50];
    let manifest = |edits: &[Vec<u8>]| {
        let mut files = unopened();
        let bytes = edits.iter().flat_map(|edit| fragment(1, edit)).collect();
        files.insert("MANIFEST-000002", bytes);
        let found = read(&files).map(|found| found.manifest);
        found.map(|manifest| {
            manifest.files.iter().map(|file| (file.level, file.number)).collect::<Vec<_>>()
        })
    };
    let edits = [numbers.clone(), [file(0, 5), file(1, 7), file(0, 6)].concat()];
    assert_eq!(manifest(&edits), Ok(vec![(0, 5), (0, 6), (1, 7)]));
    // The number is of a level: deleting 5 of level 1 says nothing of 5 of level 0.
    let edits = [&edits[..], &[vec![6, 1, 5, 6, 1, 7, 5, 0, 1, b'k']]].concat();
    assert_eq!(manifest(&edits), Ok(vec![(0, 5), (0, 6)]));
    // In one edit deletions come first, whatever their place.
    let edits = [&edits[..], &[[file(0, 5), vec![6, 0, 5, 6, 0, 6]].concat()]].concat();
    assert_eq!(manifest(&edits), Ok(vec![(0, 5)]));
    for bad in [vec![6, 7, 1], vec![8, 1], vec![7, 0, 1, 1, 0, 1, b'z'], vec![2], vec![1, 5, b'x']]
    {
        let found = manifest(&[numbers.clone(), bad]);
        assert_eq!(found.map_err(|defect| defect.what), Err("a bad edit"));
    }
}

#[test]
fn fragments_out_of_order_are_bad() {
    let whole = fragment(1, &batch(1, &[b"a"]));
    let first = fragment(2, &batch(2, &[b"b"])[..13]);
    let last = fragment(4, b"x");
    for (parts, what, records) in [
        (vec![&whole, &last], "a record without its start", 1),
        (vec![&first, &whole], "a record without its end", 0),
        (vec![&first, &first], "a record without its end", 0),
        (vec![&fragment(5, b"")], "an unknown type", 0),
    ] {
        let bytes: Vec<u8> = parts.into_iter().flatten().copied().collect();
        let Scan { records: found, stop, .. } = scan(&bytes);
        assert_eq!((found.len(), stop), (records, Stop::Bad(what)));
    }
    let empty_first = [fragment(2, b""), whole.clone()].concat();
    assert_eq!((scan(&empty_first).records.len(), scan(&empty_first).stop), (1, Stop::End));
}

#[test]
fn zeros_end_a_log_quietly_only_if_nothing_follows() {
    let whole = fragment(1, &batch(1, &[b"a"]));
    let zeros = [whole.clone(), vec![0; 40]].concat();
    assert_eq!((scan(&zeros).stop, scan(&zeros).bad), (Stop::Torn, Some(22..62)));
    let hole = [vec![0; 32768], whole].concat();
    assert_eq!(scan(&hole).stop, Stop::Bad("zeros before more records"));
    assert_eq!(resync(&hole, 0).len(), 1);
}

#[test]
fn batches_that_are_framed_well_and_wrong_end_a_log() {
    for (second, what) in [
        (b"short".to_vec(), "too short for a batch"),
        (batch(4, &[b"b"]), "a sequence number that goes back"),
        (batch(u64::MAX, &[b"b"]), "a sequence number out of range"),
        ([batch(6, &[b"b"]), vec![9]].concat(), "a bad operation"),
        ([batch(6, &[b"b"]), vec![0, 0]].concat(), "a wrong count"),
    ] {
        let log = [fragment(1, &batch(5, &[b"a"])), fragment(1, &second)].concat();
        let files = with_log(log.clone());
        let found = read(&files).expect("a good MANIFEST");
        assert_eq!((found.logs[0].batches.len(), found.logs[0].stop), (1, Stop::Bad(what)));
        assert_eq!(found.logs[0].bad, Some(22..log.len()));
    }
}

#[test]
fn a_gap_between_logs_is_told() {
    let mut files = with_log(fragment(1, &batch(5, &[b"a", b"b"])));
    files.insert("000007.log", fragment(1, &batch(7, &[b"c"])));
    files.insert("000009.log", fragment(1, &batch(10, &[b"d"])));
    files.insert("000002.log", fragment(1, &batch(90, &[b"old"])));
    files.insert("x00010.log", fragment(1, &batch(91, &[b"foreign"])));
    let found = read(&files).expect("a good MANIFEST");
    let gaps: Vec<_> = found.logs.iter().map(|log| (log.number, log.gap)).collect();
    assert_eq!(gaps, [(3, None), (7, None), (9, Some((8, 10)))]);
    assert_eq!(found.highest_sequence, 10);
}

#[test]
fn a_search_finds_what_starts_anywhere() {
    let mut bytes = vec![1; 100];
    bytes.extend(fragment(2, b"found"));
    bytes.extend(fragment(3, b"a middle part tells nothing"));
    bytes.extend(fragment(1, b"too"));
    let mut found = Vec::new();
    search(&bytes, 0, &mut |payload| found.push(payload));
    assert_eq!(found, [&b"found"[..], b"too"]);
}

#[test]
fn what_is_not_in_tables_is_in_logs() {
    let first = |files: &Files| {
        let names: Vec<&str> = files.keys().copied().collect();
        first_in_logs(&names, &|name| files.get(name).map(Vec::as_slice))
    };
    assert_eq!(first(&unopened()), Ok(Some(1)));
    // The log of which the table was made is not needed any more; the new one is empty.
    assert_eq!(first(&database()), Ok(None));
    let mut files = database();
    let written = [batch(7, &[]), batch(7, &[b"a"]), batch(8, &[b"b"])];
    let log = written.iter().flat_map(|batch| fragment(1, batch)).collect();
    files.insert("000006.log", log);
    assert_eq!(first(&files), Ok(Some(7)));
    files.remove("MANIFEST-000004");
    assert!(first(&files).is_err());
}
