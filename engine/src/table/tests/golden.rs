//! A table as LevelDB 1.23 wrote it, block for block.

use super::*;
use crate::codec::Decoder;
use crate::table::format::{BlockHandle, TableFile};

/// A table that LevelDB flushed with its defaults, but blocks of 1024 bytes and a bloom filter of
/// 10 bits a key: entry i of 60 has key `keyNNN`, sequence i + 1, and 40 times a letter as its
/// value; every tenth is a deletion.
const COMPRESSED_GOLDEN: &str = "\
    8c082c000e286b6579303030010100050100619a01001405092831010205330400629a0100140509283201030934\
    00639a010014050928330104093400649a010014050928340105093400659a010014050928350106093400669a01\
    0014050928360107093400679a010014050900370008093414050928380109090c00699a01001405092839010a09\
    34006a9a010018040a283130010b0935006b9a010025e1000c0934006c9a010025e1000d0934006d9a010025e100\
    0e0934006e9a010025e1000f0934006f9a010025e10010093400709a01000000691e0c31360111093900719a0100\
    25e60012093425e60013090c00739a010025e60014093400749a010018040a2832300115093500759a01002c0000\
    00001e0300000200000001ba3859e08c082c000e286b6579303231011600050100769a0100140509283201170533\
    0400779a010014050928330118093400789a010014050928340119093400799a01001405092835011a0934007a9a\
    01001405092836011b093400619a01001405090037001c09341405092838011d090c00639a01001405092839011e\
    093400649a010018040a283330011f093500659a010014050928310120093400669a010025e10021093400679a01\
    0025e10022093400689a010025e10023093400699a010025e100240934006a9a010025e100250934006b9a010008\
    000e00611e0c33370026093925e60027090c006d9a010025e600280934006e9a010018040a28343001290935006f\
    9a010025e6002a093400709a01002c000000001e030000020000000112dae85cef062c000e286b6579303432012b\
    00050100719a01001405092833012c05330400729a01001405092834012d093400739a01001405092835012e0934\
    00749a01001405092836012f093400759a010014050900370030093414050928380131090c00779a010014050928\
    390132093400789a010018040a2835300133093500799a0100140509283101340934007a9a010014050928320135\
    093400619a0100000521e10036093400629a010025e10037093400639a010025e10038093400649a010025e10039\
    093400659a010025e1003a0934000049f60c3538013b091100679a010025e6003c093400689a01002c00000000f6\
    0200000200000001a905ff8f189919f95d2cc193e2aeab09900cbe622a90789355705710ed7c2f2cce27e0588c60\
    149b7ecd020058cf8fc084200634451f900587b47a96ce32a52c111c7361583e796c017d7c9f99c70c0600000000\
    4c0000000b00f6d3d85500220366696c7465722e6c6576656c64622e4275696c74696e426c6f6f6d46696c746572\
    32c80655000000000100000000648d13af000e036b65793032300115000000000000009e02000e046b6579303431\
    012a000000000000a302a0020009046c01ffffffffffffffc804fb0100000000140000002900000003000000003f\
    320412a20730d707490000000000000000000000000000000000000000000000000000000000000000000057fb80\
    8b247547db";

fn entries() -> Entries {
    (0..60_u8)
        .map(|i| {
            let (value_type, size) =
                if i % 10 == 7 { (ValueType::Deletion, 0) } else { (ValueType::Value, 40) };
            let key = ikey(format!("key{i:03}").as_bytes(), u64::from(i) + 1, value_type);
            (key, vec![b'a' + i % 26; size])
        })
        .collect()
}

/// What is in a table, block for block.
#[derive(Debug, PartialEq)]
struct Blocks {
    /// Compression type and contents of each data block, and its key in the index.
    data: Vec<(u8, Vec<u8>, Vec<u8>)>,
    filter: Vec<u8>,
}

fn blocks(file: &MemFile) -> Blocks {
    let bytes = file.bytes();
    let random_access = file.random_access();
    let path = Path::new(PATH);
    let source = TableFile { file: &*random_access, size: to_u64(bytes.len()), path };
    let read = |handle| source.read_block(handle, true).expect("whole");
    let stored_type =
        |handle: BlockHandle| bytes[usize::try_from(handle.offset + handle.size).expect("small")];
    let footer = source.read_footer().expect("whole");
    let metaindex = Block::parse(read(footer.metaindex), path.into(), 0, true).expect("whole");
    let filter = metaindex.find_name(b"filter.leveldb.BuiltinBloomFilter2").expect("whole");
    let filter = BlockHandle::decode(&mut Decoder::new(&filter.expect("there is one")));
    let filter = filter.expect("whole");
    assert_eq!(stored_type(filter), 0);

    let index = Arc::new(Block::parse(read(footer.index), path.into(), 0, true).expect("whole"));
    let mut data = Vec::new();
    let mut cursor = index.iter(InternalKeyComparator::bytewise());
    cursor.seek_to_first();
    while cursor.valid() {
        let handle = BlockHandle::decode(&mut Decoder::new(cursor.value())).expect("whole");
        data.push((stored_type(handle), read(handle), cursor.key().to_vec()));
        cursor.next();
    }
    Blocks { data, filter: read(filter) }
}

#[test]
fn snappy_and_filter_are_block_for_block_those_of_leveldb() {
    let digits: Vec<u8> = COMPRESSED_GOLDEN.bytes().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hex");
    let golden: Vec<u8> = digits.chunks(2).map(byte).collect();
    assert_eq!(golden.len(), 1109);
    let filter_policy: Arc<dyn FilterPolicy> = Arc::new(BloomFilter::new(10));
    let order = InternalKeyComparator::bytewise();
    let options = TableOptions {
        block_size: 1024,
        filter_policy: Some(Arc::clone(&filter_policy)),
        ..TableOptions::default()
    };
    // Not byte for byte: what Snappy makes of a block differs from one version of it to another.
    let (golden, written) = (MemFile::new(&golden), write_table(&entries(), &order, &options));
    assert_eq!(blocks(&written), blocks(&golden));
    assert!(blocks(&golden).data.iter().all(|(compression, ..)| *compression == 1));

    let with_filter = TableContext { filter_policy: Some(filter_policy), ..context(&order) };
    let table = open_with(&golden, &with_filter).expect("LevelDB reads it too");
    assert_eq!(table.filter_error(), None);
    check_cursor(&mut table.iter(BlockReads::default()), &entries(), &order);
    check_get(&table, &entries(), &order);
}
