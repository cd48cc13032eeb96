//! `stats` and `verify`: neither changes anything.

use std::collections::BTreeMap;
use std::fs;

use crate::Folder;

/// A database with tables and a log.
fn folder() -> Folder {
    let folder = Folder::new();
    let line = |number| format!("key{number:04}\t{}\n", "value ".repeat(20));
    let lines: String = (0..500).map(line).collect();
    folder.run_with(&["load", "db"], lines.as_bytes()).ended(0);
    folder.run(&["put", "db", "key0001", "new"]).ended(0);
    folder.run(&["delete", "db", "key0002"]).ended(0);
    folder
}

fn files(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let read = |name: &String| fs::read(folder.path("db").join(name)).expect("a file");
    folder.names("db").into_iter().map(|name| (name.clone(), read(&name))).collect()
}

#[test]
fn a_sound_database() {
    let folder = folder();
    let before = files(&folder);
    insta::assert_snapshot!("stats", folder.run(&["stats", "db"]).ended(0).text());
    insta::assert_snapshot!("verify", folder.run(&["verify", "db"]).ended(0).text());
    assert!(files(&folder) == before, "nothing was changed");
}

#[test]
fn an_unfinished_end_and_damage() {
    let folder = folder();
    let log = folder.only("db", ".log");
    let bytes = fs::read(folder.path(&log)).expect("a log");
    fs::write(folder.path(&log), &bytes[..bytes.len() - 2]).expect("writes");
    insta::assert_snapshot!("verify-unfinished", folder.run(&["verify", "db"]).ended(0).text());
    let table = format!("db/{}", folder.names("db")[0]);
    let mut bytes = fs::read(folder.path(&table)).expect("a table");
    for at in [100, 5000] {
        bytes[at] ^= 4;
    }
    fs::write(folder.path(&table), &bytes).expect("writes");
    let before = files(&folder);
    insta::assert_snapshot!("verify-damaged", folder.run(&["verify", "db"]).ended(3).text());
    assert!(files(&folder) == before, "nothing was changed");
    // Data that can be read are read, and no others are made up.
    let scan = folder.run(&["scan", "db", "--from", "key0400", "--limit", "1"]).ended(0);
    assert!(scan.text().starts_with("key0400\t"), "{}", scan.text());
    let scan = folder.run(&["scan", "db"]).ended(3);
    assert!(scan.err.contains("checksum mismatch"), "{}", scan.err);
}
