//! How many tables are being made, and what is left when nobody wants them any more.

use super::*;
use crate::db::sort_buffer::SortBuffer;
use crate::env::posix::PosixEnv;
use crate::filename::table_file_name;
use crate::key::{InternalKeyComparator, ValueType};
use crate::options::Options;
use crate::table_cache::TableCache;

fn tables_in(root: &tempfile::TempDir) -> ReplayTables<PosixEnv> {
    let (env, dir, order) =
        (PosixEnv::new(), root.path().to_owned(), InternalKeyComparator::bytewise());
    let options = Options::default();
    let tables = TableCache::new(env.clone(), dir.clone(), order.clone(), &options);
    let (table_options, tables) = (options.table_options(), Arc::new(tables));
    ReplayTables::new(TableMaker { env, dir, order, table_options, tables })
}

/// Enough of them to keep a thread busy for a while.
fn entries() -> Arc<Sorted> {
    let mut buffer = SortBuffer::new(InternalKeyComparator::bytewise());
    for sequence in 1..2000 {
        buffer.add(sequence, ValueType::Value, &sequence.to_le_bytes(), &[b'v'; 100]);
    }
    buffer.sort()
}

#[test]
fn two_tables_are_being_made_at_most_and_all_come_in_order() {
    let root = tempfile::tempdir().unwrap();
    let (mut writer, entries) = (tables_in(&root), entries());
    for (number, running) in (3..).zip([1, 2, 2, 2]) {
        writer.write_beside(number, &entries).unwrap();
        assert_eq!(writer.running.len(), running, "after table {number}");
    }
    // Written by the caller, behind all of those.
    writer.write(7, &entries).unwrap();
    assert!(writer.running.is_empty());
    writer.write_beside(8, &entries).unwrap();
    let numbers: Vec<_> = writer.finish().unwrap().iter().map(|table| table.number).collect();
    assert_eq!(numbers, [3, 4, 5, 6, 7, 8]);
    assert!(writer.finish().unwrap().is_empty());
}

#[test]
fn its_threads_have_ended_when_it_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let (mut writer, entries) = (tables_in(&root), entries());
    writer.write(3, &entries).unwrap();
    // The next fails: a directory has its name.
    PosixEnv::new().create_dir(&table_file_name(root.path(), 4)).unwrap();
    for number in [4, 5] {
        writer.write_beside(number, &entries).unwrap();
    }
    drop(writer);
    let [whole, last] = [3, 5].map(|number| {
        let path = table_file_name(root.path(), number);
        PosixEnv::new().size(&path)
    });
    assert_eq!(last, whole, "it is still being written");
}
