//! Every cut and every flipped bit of small tables of each kind: what comes out is the data,
//! exactly, or an error that names the file and a place in it.

use super::*;
use crate::error::Defect;

/// Reads everything there is, by cursor and by lookup.
fn read_all(file: &MemFile, context: &TableContext, sought: &Entries) -> Result<Entries> {
    let table = open_with(file, context)?;
    let mut cursor = table.iter(BlockReads::default());
    let mut found = Vec::new();
    cursor.seek_to_first();
    while cursor.valid() {
        found.push((cursor.key().to_vec(), cursor.value().to_vec()));
        cursor.next();
    }
    cursor.status()?;
    let mut backwards = 0;
    cursor.seek_to_last();
    while cursor.valid() {
        backwards += 1;
        cursor.prev();
    }
    cursor.status()?;
    assert_eq!(backwards, found.len());
    for (key, value) in sought {
        match table.get(key, BlockReads::default())? {
            Found::Value(found) => assert_eq!(found, *value),
            Found::Deleted => assert!(value.is_empty()),
            Found::Absent => panic!("a lookup missed {}", key.escape_ascii()),
        }
    }
    Ok(found)
}

/// Whether `damaged` reads as `entries`; if not, it must be an error with file and place.
fn is_whole(damaged: &[u8], size: usize, context: &TableContext, entries: &Entries) -> bool {
    match read_all(&MemFile::new(damaged), context, entries) {
        Ok(found) => {
            assert_eq!(found, *entries);
            true
        }
        Err(Error::Corruption(corruption)) => {
            assert_eq!(corruption.file, Path::new(PATH));
            // A handle that lies names the place that it leads to.
            let is_handle = corruption.defect == Defect::BadBlockHandle;
            assert!(is_handle || corruption.offset <= to_u64(size), "{corruption:?}");
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn cuts_and_flips_end_in_data_or_in_an_error() {
    let entries: Entries = (0..24_u8)
        .map(|i| {
            let key = format!("key{:02}", i / 2);
            let value_type = if i % 5 == 0 { ValueType::Deletion } else { ValueType::Value };
            let size = if i % 5 == 0 { 0 } else { 12 };
            (ikey(key.as_bytes(), 100 - u64::from(i), value_type), vec![b'a' + i; size])
        })
        .collect();
    let order = InternalKeyComparator::bytewise();
    let policy: Arc<dyn FilterPolicy> = Arc::new(BloomFilter::new(10));
    let past = ikey(b"zzz", 1, ValueType::Value);
    for compression in [Compression::None, Compression::Snappy] {
        let plain = TableOptions { block_size: 150, compression, ..TableOptions::default() };
        let table = open(&write_table(&entries, &order, &plain), &order).expect("just written");
        let data_end = table.approximate_offset_of(&past);
        assert!(data_end > 200, "several blocks");
        for filter_policy in [None, Some(Arc::clone(&policy))] {
            let options = TableOptions { filter_policy: filter_policy.clone(), ..plain.clone() };
            let whole = write_table(&entries, &order, &options).bytes();
            let context = TableContext { filter_policy, ..context(&order) };
            let is_whole = |bytes: &[u8]| is_whole(bytes, whole.len(), &context, &entries);
            assert!(is_whole(&whole));
            for cut in 0..whole.len() {
                assert!(!is_whole(&whole[..cut]), "cut at {cut}");
            }
            let harmless = (0..whole.len() * 8).filter(|bit| {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                is_whole(&bytes)
            });
            // Filters, metaindex and the padding of the footer need not be right; data must.
            let harmless: Vec<u64> = harmless.map(|bit| to_u64(bit / 8)).collect();
            assert!(harmless.iter().all(|&byte| byte >= data_end));
        }
    }
}
