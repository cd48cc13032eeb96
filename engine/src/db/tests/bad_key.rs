//! A key that is no internal key, in a block whose checksum is right: what no flipped bit makes.

use std::path::PathBuf;

use super::{TestDb, options, read_file, write_file};
use crate::codec::{crc32c, mask};
use crate::env::Env;
use crate::env::posix::PosixEnv;
use crate::error::{Corruption, Error, Result};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;
use crate::options::Options;
use crate::table::{Compression, TableLayout};

/// A database with the keys `a`, `b` and `c` in one table, of which `b` has a type that there is
/// not; the table, and the offset of that entry.
fn damaged() -> (TestDb, PathBuf, u64) {
    let mut test = TestDb::with(Options { compression: Compression::None, ..options() });
    for key in ["a", "b", "c"] {
        test.put(key, "value");
    }
    test.db().flush().unwrap();
    test.close();
    let name = test.file_names().into_iter().find(|name| name.ends_with("ldb")).unwrap();
    let path = test.path().join(name);
    let mut bytes = read_file(&path);

    let file = PosixEnv::new().open_random_access(&path).unwrap();
    let order = InternalKeyComparator::bytewise();
    let layout = TableLayout::open(file, bytes.len() as u64, &path, order).unwrap();
    let mut index = layout.index_iter().unwrap();
    index.seek_to_first();
    let block = layout.handle_at(&index).unwrap();
    let mut entries = layout.data_block(block).unwrap();
    entries.seek_to_first();
    entries.next();
    let at = entries.file_offset();
    // Three lengths and the user key come before the type.
    bytes[at as usize + 4] = 9;
    let (start, end) = (block.offset as usize, (block.offset + block.size) as usize);
    let checksum = mask(crc32c(&bytes[start..=end]));
    bytes[end + 1..end + 5].copy_from_slice(&checksum.to_le_bytes());
    write_file(&path, &bytes);
    test.open();
    (test, path, at)
}

#[track_caller]
fn place<T>(result: Result<T>) -> (PathBuf, u64) {
    let Err(error) = result else { panic!("it was not met") };
    let Error::Corruption(damage) = error.root() else { panic!("{error}") };
    let Corruption { file, offset, .. } = &**damage;
    (file.clone(), *offset)
}

#[test]
fn a_key_that_cannot_be_is_named_by_file_and_offset() {
    let (test, path, at) = damaged();
    let db = test.db();
    let mut iter = db.iter().unwrap();
    iter.seek_to_first();
    assert_eq!(iter.key(), b"a");
    iter.next();
    assert!(!iter.valid());
    assert_eq!(place(iter.status()), (path.clone(), at), "forwards");
    let mut iter = db.iter().unwrap();
    iter.seek_to_last();
    assert!(!iter.valid(), "whether there is a newer entry of the key cannot be told");
    assert_eq!(place(iter.status()), (path.clone(), at), "backwards");
    assert_eq!(place(db.get(b"b")), (path.clone(), at));
    assert_eq!(db.get(b"a").unwrap().as_deref(), Some(&b"value"[..]));
    assert_eq!(place(db.visit_entries(&mut |_, _, _, _| ())), (path.clone(), at));
    // Down to the level that the table is at.
    test.put("b", "newer");
    assert_eq!(place(db.compact_range(None, None)), (path.clone(), at), "a compaction");
}
