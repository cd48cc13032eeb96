//! Counterparts of LevelDB's `TableTest`, with its numbers.

use super::*;

fn table_of(entries: &[(&str, Vec<u8>)], compression: Compression) -> Arc<Table> {
    let entries = entries.iter().map(|(key, value)| entry(key.as_bytes(), value)).collect();
    let order = InternalKeyComparator::bytewise();
    let options = TableOptions { block_size: 1024, compression, ..TableOptions::default() };
    open(&write_table(&entries, &order, &options), &order).expect("just written")
}

fn check_offsets(table: &Table, expected: &[(&str, RangeInclusive<u64>)]) {
    for (key, expected) in expected {
        let key = ikey(key.as_bytes(), 1, ValueType::Value);
        let offset = table.approximate_offset_of(&key);
        assert!(expected.contains(&offset), "{offset} of {}", key.escape_ascii());
    }
}

#[test]
fn approximate_offset_of_plain() {
    let x = |size| vec![b'x'; size];
    let entries = [
        ("k01", b"hello".to_vec()),
        ("k02", b"hello2".to_vec()),
        ("k03", x(10_000)),
        ("k04", x(200_000)),
        ("k05", x(300_000)),
        ("k06", b"hello3".to_vec()),
        ("k07", x(100_000)),
    ];
    let expected = [
        ("abc", 0..=0),
        ("k01", 0..=0),
        ("k01a", 0..=0),
        ("k02", 0..=0),
        ("k03", 0..=0),
        ("k04", 10_000..=11_000),
        ("k04a", 210_000..=211_000),
        ("k05", 210_000..=211_000),
        ("k06", 510_000..=511_000),
        ("k07", 510_000..=511_000),
        ("xyz", 610_000..=612_000),
    ];
    check_offsets(&table_of(&entries, Compression::None), &expected);
}

#[test]
fn approximate_offset_of_compressed() {
    // A quarter of 10000 bytes at random, four times.
    let mut random = Random(301);
    let raw: Vec<u8> =
        (0..2500).map(|_| b' ' + u8::try_from(random.in_range(0..=94)).expect("small")).collect();
    let entries = [
        ("k01", b"hello".to_vec()),
        ("k02", raw.repeat(4)),
        ("k03", b"hello3".to_vec()),
        ("k04", raw.repeat(4)),
    ];
    let expected = [
        ("abc", 0..=1000),
        ("k01", 0..=1000),
        ("k02", 0..=1000),
        ("k03", 1500..=3500),
        ("k04", 1500..=3500),
        ("xyz", 3000..=7000),
    ];
    check_offsets(&table_of(&entries, Compression::Snappy), &expected);
}
