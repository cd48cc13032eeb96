//! Golden bytes; all cuts and bit flips of a table and of a block; handles and types that lie.

use proptest::prelude::*;

use super::*;
use crate::codec::{Decoder, crc32c, mask};
use crate::error::Defect;

/// A table as LevelDB 1.23 flushed it: delete box at 3, foo=baz at 2, foo=bar at 1.
const GOLDEN: &str = "\
    000b00626f780003000000000000000b03666f6f010200000000000062617a04\
    070301000000000000626172000000000100000000db1cbad000000000010000\
    0000c0f2a1b00009026701ffffffffffffff00340000000001000000007085a6\
    dd39084616000000000000000000000000000000000000000000000000000000\
    00000000000000000057fb808b247547db";

fn golden() -> Vec<u8> {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex");
    digits.chunks(2).map(byte).collect()
}

fn golden_entries() -> Entries {
    vec![
        (ikey(b"box", 3, ValueType::Deletion), Vec::new()),
        (ikey(b"foo", 2, ValueType::Value), b"baz".to_vec()),
        (ikey(b"foo", 1, ValueType::Value), b"bar".to_vec()),
    ]
}

/// As the golden table was written.
fn options() -> TableOptions {
    TableOptions { compression: Compression::None, ..TableOptions::default() }
}

fn bytewise() -> InternalKeyComparator {
    InternalKeyComparator::bytewise()
}

/// Every entry, forwards and then backwards, and a lookup of each golden key; or the first error.
fn read_all(file: &MemFile) -> Result<Entries> {
    let table = open(file, &bytewise())?;
    let mut found = Vec::new();
    let mut cursor = table.iter(BlockReads::default());
    cursor.seek_to_first();
    while cursor.valid() {
        found.push((cursor.key().to_vec(), cursor.value().to_vec()));
        cursor.next();
    }
    cursor.status()?;
    cursor.seek_to_last();
    let mut backwards = 0;
    while cursor.valid() {
        backwards += 1;
        cursor.prev();
    }
    cursor.status()?;
    assert_eq!(backwards, found.len());
    for entry in golden_entries() {
        if let Found::Value(value) = table.get(&entry.0, BlockReads::default())? {
            assert!(found.iter().any(|(_, had)| value == *had), "a lookup made something up");
        }
    }
    Ok(found)
}

fn defect_of(result: Result<Entries>) -> (u64, Defect) {
    match result {
        Err(Error::Corruption(corruption)) => {
            assert_eq!(corruption.file, Path::new(PATH));
            (corruption.offset, corruption.defect.clone())
        }
        other => panic!("no corruption: {other:?}"),
    }
}

#[test]
fn golden_bytes() {
    assert_eq!(golden().len(), 145);
    assert_eq!(write_table(&golden_entries(), &bytewise(), &options()).bytes(), golden());
    assert_eq!(read_all(&MemFile::new(&golden())), Ok(golden_entries()));
}

#[test]
fn every_truncation_is_refused() {
    let whole = golden();
    for cut in 0..whole.len() {
        let file = MemFile::new(&whole[..cut]);
        let (offset, defect) = defect_of(read_all(&file));
        if cut < FOOTER_SIZE {
            assert_eq!((offset, defect), (0, Defect::TableTooShort));
        } else {
            assert_eq!((offset, defect), (to_u64(cut - FOOTER_SIZE), Defect::BadTableMagic));
        }
        // Also where the size was right when it was asked for.
        let opened = Table::open(file.random_access(), 145, Path::new(PATH), &context(&bytewise()));
        assert!(matches!(opened, Err(Error::Corruption(c)) if c.defect == Defect::TruncatedTable));
    }
}

#[test]
fn every_bit_flip_is_refused_or_harmless() {
    let whole = golden();
    let mut harmless = Vec::new();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match read_all(&MemFile::new(&bytes)) {
            Ok(entries) => {
                assert_eq!(entries, golden_entries(), "bit {bit}");
                harmless.push(bit / 8);
            }
            Err(Error::Corruption(_)) => {}
            Err(other) => panic!("bit {bit}: {other}"),
        }
    }
    harmless.dedup();
    // The metaindex block, its handle and the padding of the footer are not needed to read; the
    // high bit of the index size makes a needlessly long varint of the same value.
    let unread = (57..70).chain(97..99).chain(100..137);
    assert_eq!(harmless, unread.collect::<Vec<_>>());
}

/// The golden table with other bytes for its data block.
fn with_data_block(contents: &[u8], compression: u8) -> MemFile {
    let mut bytes = golden();
    bytes[..52].copy_from_slice(contents);
    bytes[52] = compression;
    let crc = mask(crc32c(&bytes[..53]));
    bytes[53..57].copy_from_slice(&crc.to_le_bytes());
    MemFile::new(&bytes)
}

#[test]
fn other_compressions_are_no_damage() {
    let contents = golden()[..52].to_vec();
    let path = Path::new(PATH).into();
    let result = read_all(&with_data_block(&contents, 2));
    assert_eq!(result, Err(Error::NotSupported { path, op: FileOp::Read }));
    let result = read_all(&with_data_block(&contents, 3));
    assert_eq!(defect_of(result), (0, Defect::UnknownCompression(3)));
    // These bytes are no Snappy, although their checksum is right.
    let result = read_all(&with_data_block(&contents, 1));
    assert_eq!(defect_of(result), (0, Defect::BadCompressedBlock));
}

#[test]
fn a_size_that_snappy_cannot_unfold_to_takes_no_memory() {
    // 52 bytes that claim to be 1 GiB, and ones that claim a little more than they can be.
    for size in [1 << 30, u32::MAX, 52 * 32 + 1] {
        let mut contents = Vec::new();
        crate::codec::put_varint32(&mut contents, size);
        contents.resize(52, 0xfe);
        let result = read_all(&with_data_block(&contents, 1));
        assert_eq!(defect_of(result), (0, Defect::BadCompressedBlock), "{size}");
    }
}

#[test]
fn damage_behind_a_right_checksum_is_met_with_an_error() {
    let contents = golden()[..52].to_vec();
    for bit in 0..contents.len() * 8 {
        let mut flipped = contents.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        walk_everywhere(&flipped);
    }
    for cut in 0..contents.len() {
        walk_everywhere(&contents[..cut]);
    }
    // A key that is too short for a trailer, at the second entry.
    let mut short = contents;
    short[14..17].copy_from_slice(&[0, 3, 11]);
    let result = read_all(&with_data_block(&short, 0));
    assert_eq!(defect_of(result), (14, Defect::BadBlockEntry));
}

/// Moves over a block in every way. Must end, in entries or in an error.
fn walk_everywhere(contents: &[u8]) {
    let Ok(block) = Block::parse(contents.to_vec(), Path::new(PATH).into(), 0, true) else {
        return;
    };
    let block = Arc::new(block);
    let mut cursor = block.iter(bytewise());
    cursor.seek_to_first();
    while cursor.valid() {
        cursor.next();
    }
    let mut cursor = block.iter(bytewise());
    cursor.seek_to_last();
    while cursor.valid() {
        cursor.prev();
    }
    for (target, _) in golden_entries() {
        let mut cursor = block.iter(bytewise());
        cursor.seek(&target);
        while cursor.valid() {
            cursor.prev();
        }
    }
}

#[test]
fn a_failed_cursor_stays_where_no_entry_is() {
    let mut bytes = golden();
    bytes[0] ^= 1;
    let table = open(&MemFile::new(&bytes), &bytewise()).expect("the index is whole");
    let mut cursor = table.iter(BlockReads::default());
    cursor.seek_to_first();
    assert!(!cursor.valid());
    let error = cursor.status().expect_err("the block is damaged");
    cursor.seek_to_last();
    assert!(!cursor.valid());
    assert_eq!(cursor.status(), Err(error));
}

/// A table whose index has one entry with this value.
fn with_index_value(value: &[u8]) -> MemFile {
    let file = MemFile::default();
    let mut bytes = golden()[..70].to_vec();
    let mut index = BlockBuilder::new(1);
    assert_eq!(index.add(&ikey(b"g", 9, ValueType::Value), value), Ok(()));
    let mut contents = index.finish();
    let handle = BlockHandle { offset: 70, size: to_u64(contents.len()) };
    format::append_trailer(&mut contents, 0);
    bytes.extend(contents);
    let metaindex = BlockHandle { offset: 57, size: 8 };
    format::Footer { metaindex, index: handle }.encode(&mut bytes);
    file.set_bytes(&bytes);
    file
}

#[test]
fn handles_are_held_against_the_file() {
    assert_eq!(read_all(&with_index_value(&[0, 52])), Ok(golden_entries()));
    // Other implementations put more behind a handle.
    assert_eq!(read_all(&with_index_value(b"\x00\x34more")), Ok(golden_entries()));
    let encoded = |offset, size| {
        let mut value = Vec::new();
        BlockHandle { offset, size }.encode(&mut value);
        value
    };
    for (offset, size) in
        [(0, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, 1), (0, 1 << 40), (200, 1), (0, 120)]
    {
        let result = read_all(&with_index_value(&encoded(offset, size)));
        assert_eq!(defect_of(result), (offset, Defect::BadBlockHandle), "{offset} {size}");
    }
    for value in [&b""[..], &[0x80], &[0], &[0, 0x80]] {
        let result = read_all(&with_index_value(value));
        assert_eq!(defect_of(result), (70, Defect::BadBlockHandle));
    }
    let mut decoder = Decoder::new(&[1, 0x80]);
    assert_eq!(BlockHandle::decode(&mut decoder), None);
    assert_eq!(decoder.rest(), [1, 0x80]);
}

#[test]
fn errors_of_the_file_are_passed_on() {
    // Reads: footer, index, data block.
    for fail_at in 0..3 {
        let file = MemFile::new(&golden());
        file.fail_at(fail_at);
        assert_eq!(read_all(&file), Err(failure(FileOp::Read)));
    }
}

#[test]
fn more_restarts_than_fit_are_refused() {
    for contents in
        [&b""[..], b"\x01\0\0", b"\x01\0\0\0", b"\0\0\0\0\x02\0\0\0", b"\xff\xff\xff\xff"]
    {
        let block = Block::parse(contents.to_vec(), Path::new(PATH).into(), 77, true);
        let expected = Error::corruption(PATH, 77, Defect::BadBlockContents);
        assert_eq!(block.err(), Some(expected));
    }
}

proptest! {
    #[test]
    fn garbage_blocks_end_every_walk(
        bytes in proptest::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..80),
        count in 0_u8..4,
    ) {
        let mut contents = bytes;
        contents.extend([count, 0, 0, 0]);
        walk_everywhere(&contents);
    }

    #[test]
    fn tables_survive_their_stored_form(
        keys in proptest::collection::btree_set(
            proptest::collection::vec(any::<u8>(), 0..12), 0..60),
        block_size in 1_usize..300,
        restart_interval in 1_usize..20,
        snappy in any::<bool>(),
        append_size in 1_usize..1000,
    ) {
        let entries: Entries = keys.iter().map(|key| entry(key, key)).collect();
        let compression = if snappy { Compression::Snappy } else { Compression::None };
        let options = TableOptions {
            block_size,
            block_restart_interval: restart_interval,
            compression,
            filter_policy: None,
            append_size,
        };
        let file = write_table(&entries, &bytewise(), &options);
        prop_assert_eq!(read_all(&file), Ok(entries));
    }
}
