//! `dump`: what a file holds, damage included.

use std::fs;

use crate::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.run(&["put", "db", "fruit", "apple"]).ended(0);
    folder.run(&["delete", "db", "fruit"]).ended(0);
    folder.run_with(&["load", "db"], b"a\t1\nb\\x00\t\\xff\n").ended(0);
    folder
}

#[test]
fn a_log_record_by_record() {
    let folder = folder();
    let log = folder.only("db", ".log");
    insta::assert_snapshot!("dump-log", folder.run(&["dump", &log]).ended(0).text());
    insta::assert_snapshot!("dump-log-hex", folder.run(&["dump", "--hex", &log]).ended(0).text());
}

#[test]
fn a_manifest_edit_by_edit() {
    let folder = folder();
    let manifest = folder.names("db").into_iter().find(|name| name.starts_with("MANIFEST"));
    let manifest = format!("db/{}", manifest.expect("a MANIFEST"));
    insta::assert_snapshot!("dump-manifest", folder.run(&["dump", &manifest]).ended(0).text());
}

#[test]
fn a_table_block_by_block() {
    let folder = folder();
    let table = format!("db/{}", folder.names("db")[0]);
    insta::assert_snapshot!("dump-table", folder.run(&["dump", &table]).ended(0).text());
    let bytes = fs::read(folder.path(&table)).expect("a table");
    let dump = |name: &str, bytes: &[u8]| {
        fs::write(folder.path("copy"), bytes).expect("writes");
        let ran = folder.run(&["dump", "copy", "--as", "table"]).ended(0);
        insta::assert_snapshot!(name, ran.text());
    };
    let mut damaged = bytes.clone();
    damaged[5] ^= 1;
    dump("damaged-table", &damaged);
    dump("cut-table", &bytes[..bytes.len() - 1]);
}

#[test]
fn damage_is_shown_and_passed_over() {
    let folder = folder();
    for number in 0..3 {
        folder.run(&["put", "db", "key", &number.to_string()]).ended(0);
    }
    let log = folder.only("db", ".log");
    let bytes = fs::read(folder.path(&log)).expect("a log");
    // The second of three records is damaged. Behind it nothing in the block can be found again.
    let mut three = bytes.repeat(3);
    three[bytes.len() + 20] ^= 1;
    fs::write(folder.path("copy"), three).expect("writes");
    insta::assert_snapshot!(
        "dump-damaged-log",
        folder.run(&["dump", "copy", "--as", "log"]).ended(0).text()
    );
    fs::write(folder.path("copy"), &bytes[..bytes.len() - 1]).expect("writes");
    insta::assert_snapshot!(
        "dump-torn-log",
        folder.run(&["dump", "copy", "--as", "log"]).ended(0).text()
    );
    // A record of one kind is no record of the other.
    insta::assert_snapshot!(
        "dump-log-as-manifest",
        folder.run(&["dump", &log, "--as", "manifest"]).ended(0).text()
    );
}
