//! The bytes of a small database, which are those that LevelDB 1.23 leaves.

use super::{TestDb, file_names, options, read_file};
use crate::batch::WriteBatch;
use crate::options::{Options, WriteOptions};
use crate::table::Compression;

const LOG: &str = "afbfeb5e1500010100000000000000010000000103666f6f036261726e8653b4\
1a00010200000000000000020000000103666f6f0362617a0003626f78757d05\
3d0c0001040000000000000000000000";

const MANIFEST_FRESH: &str = "56f9b8f81c0001011a6c6576656c64622e4279746577697365436f6d70617261\
746f72a49c8bbe0800010203090003040400";

const MANIFEST_REOPENED: &str = "56f9b8f81c0001011a6c6576656c64622e4279746577697365436f6d70617261\
746f72f3163ee3250001020609000307040307000591010b626f780003000000\
0000000b666f6f0101000000000000";

const TABLE: &str = "000b00626f780003000000000000000b03666f6f010200000000000062617a04\
070301000000000000626172000000000100000000db1cbad000000000010000\
0000c0f2a1b00009026701ffffffffffffff00340000000001000000007085a6\
dd39084616000000000000000000000000000000000000000000000000000000\
00000000000000000057fb808b247547db";

fn hex(test: &TestDb, name: &str) -> String {
    let bytes = read_file(&test.path().join(name));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn a_small_database_is_byte_for_byte_that_of_leveldb() {
    let compression = Compression::None;
    let mut test = TestDb::with(Options { compression, ..options() });
    assert_eq!(file_names(&test.path()), ["000003.log", "CURRENT", "LOCK", "MANIFEST-000002"]);
    assert_eq!(read_file(&test.path().join("CURRENT")), b"MANIFEST-000002\n");
    assert_eq!(hex(&test, "MANIFEST-000002"), MANIFEST_FRESH);
    assert!(test.db().report().is_new);

    test.put("foo", "bar");
    let mut batch = WriteBatch::new();
    batch.put(b"foo", b"baz").unwrap();
    batch.delete(b"box").unwrap();
    assert_eq!(test.db().write(&batch, &WriteOptions::default()).unwrap(), 2);
    let empty = test.db().write(&WriteBatch::new(), &WriteOptions::default());
    assert_eq!(empty.unwrap(), 4);
    assert_eq!(hex(&test, "000003.log"), LOG);

    test.reopen();
    assert_eq!(
        file_names(&test.path()),
        ["000005.ldb", "000006.log", "CURRENT", "LOCK", "MANIFEST-000004"]
    );
    assert_eq!(read_file(&test.path().join("CURRENT")), b"MANIFEST-000004\n");
    assert_eq!(hex(&test, "MANIFEST-000004"), MANIFEST_REOPENED);
    assert_eq!(hex(&test, "000005.ldb"), TABLE);
    let report = test.db().report();
    assert_eq!((report.batches, report.operations, report.last_sequence), (3, 3, 3));
    assert_eq!((&report.logs[..], &report.tables[..]), (&[3][..], &[5][..]));
    assert!(!report.is_new && !report.has_dropped());
}
