//! `compact`, `destroy`, and what `--read-only` promises.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::Folder;

/// Entries as `load` reads them.
fn lines(value: &str) -> Vec<u8> {
    let line = |number| format!("key{number:04}\t{value} {number}\n").into_bytes();
    (0..500).flat_map(line).collect()
}

/// A database of several tables, all but the last of them overwritten, and a log.
fn folder() -> Folder {
    let folder = Folder::new();
    for value in ["first", "second", "third"] {
        folder.run_with(&["load", "db"], &lines(value)).ended(0);
    }
    folder
}

/// Seconds and nanoseconds since the beginning of 1970.
type Moment = (i64, i64);

/// Every entry of a folder, with its bytes if it is a file, and when it was changed last; and the
/// folder itself.
fn image(folder: &Folder) -> BTreeMap<String, (Moment, Option<Vec<u8>>)> {
    let names = [".".to_owned()].into_iter().chain(folder.names("db"));
    let look = |name: String| {
        let path = folder.path("db").join(&name);
        let data = fs::metadata(&path).expect("is there");
        (name, ((data.mtime(), data.mtime_nsec()), fs::read(path).ok()))
    };
    names.map(look).collect()
}

#[test]
fn compact_leaves_what_counts_in_fewer_tables() {
    let folder = folder();
    let ran = folder.run(&["compact", "db"]).ended(0);
    assert_eq!(ran.text(), "");
    insta::assert_snapshot!("compact", ran.err);
    assert!(folder.run(&["scan", "db"]).ended(0).out == lines("third"), "nothing was lost");
    // Everything is where it belongs.
    let again = folder.run(&["compact", "db"]).ended(0);
    insta::assert_snapshot!("compact-again", again.err);
    folder.run(&["verify", "db"]).ended(0);
}

#[test]
fn compact_takes_the_range_that_it_is_given() {
    let folder = folder();
    let before = folder.run(&["compact", "db", "--from", "l", "--to", "m"]).ended(0);
    insta::assert_snapshot!("compact-elsewhere", before.err);
    // Both bounds are included, in hexadecimal too.
    let ran = folder.run(&["compact", "db", "--hex", "--from", "6b6579", "--to", "6c"]).ended(0);
    insta::assert_snapshot!("compact-range", ran.err);
    assert!(folder.run(&["scan", "db"]).ended(0).out == lines("third"), "nothing was lost");
}

#[test]
fn reading_only_changes_nothing_at_all() {
    let folder = folder();
    let before = image(&folder);
    let value = folder.run(&["get", "db", "key0007", "--read-only"]).ended(0);
    assert_eq!((value.text(), &*value.err), ("third 7\n", ""));
    folder.run(&["get", "db", "never there", "--read-only"]).ended(1);
    let scan = folder.run(&["scan", "db", "--read-only"]).ended(0);
    assert!(scan.out == lines("third"), "the log was read");
    folder.run(&["stats", "db"]).ended(0);
    folder.run(&["verify", "db"]).ended(0);
    assert!(image(&folder) == before, "nothing was written");
    // What a plain `get` does not promise.
    folder.run(&["get", "db", "key0007"]).ended(0);
    assert!(image(&folder) != before, "the log was replayed into a table");
}

#[test]
fn reading_only_leaves_the_end_of_a_log_that_a_crash_tore() {
    let folder = folder();
    let log = folder.path(&folder.only("db", ".log"));
    let bytes = fs::read(&log).expect("a log");
    fs::write(&log, &bytes[..bytes.len() - 1]).expect("writes");
    let before = image(&folder);
    let ran = folder.run(&["scan", "db", "--read-only"]).ended(0);
    assert!(ran.out == lines("second"), "the last batch is not whole");
    insta::assert_snapshot!("read-only-torn", ran.err);
    folder.run(&["scan", "db", "--read-only", "--recovery", "absolute"]).ended(3);
    assert!(image(&folder) == before, "nothing was written");
    // Nothing was decided: an open of the other kind still drops it, and keeps it.
    folder.run(&["get", "db", "key0000"]).ended(0);
    insta::assert_snapshot!("stats-lost", folder.run(&["stats", "db"]).ended(0).text());
}

#[test]
fn destroy_removes_a_database_and_nothing_else() {
    let folder = folder();
    fs::write(folder.path("db/notes.txt"), "keep").expect("writes");
    let before = image(&folder);
    folder.run(&["destroy", "db"]).ended(2);
    assert!(image(&folder) == before, "it was only asked");
    let ran = folder.run(&["destroy", "db", "--yes"]).ended(0);
    assert_eq!(ran.text(), "");
    insta::assert_snapshot!("destroy", ran.err);
    assert_eq!(folder.names("db"), ["notes.txt"]);
    // There is none any more.
    folder.run(&["destroy", "db", "--yes"]).ended(2);
    fs::remove_file(folder.path("db/notes.txt")).expect("removes");
    folder.run(&["put", "db", "k", "v"]).ended(0);
    folder.run(&["destroy", "db", "--yes"]).ended(0);
    assert_eq!(folder.names("."), [""; 0]);
}
