//! `get`, `put`, `delete`: one key at a time, any bytes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::Folder;

#[test]
fn what_was_put_is_got_until_it_is_deleted() {
    let folder = Folder::new();
    let silent = folder.run(&["put", "db", "color", "red"]).ended(0);
    assert_eq!((silent.text(), &*silent.err), ("", ""));
    assert_eq!(folder.run(&["get", "db", "color"]).ended(0).text(), "red\n");
    folder.run(&["put", "db", "color", "dark blue"]).ended(0);
    assert_eq!(folder.run(&["get", "-n", "db", "color"]).ended(0).text(), "dark blue");
    folder.run(&["delete", "db", "color"]).ended(0);
    folder.run(&["delete", "db", "never there"]).ended(0);
    let missing = folder.run(&["get", "db", "color"]).ended(1);
    assert_eq!((missing.text(), &*missing.err), ("", "color: no such key\n"));
}

#[test]
fn a_value_may_come_from_standard_input() {
    let folder = Folder::new();
    let value = b"two\nlines\0and \xff bytes\n";
    folder.run_with(&["put", "db", "key"], value).ended(0);
    assert_eq!(folder.run(&["get", "--no-newline", "db", "key"]).ended(0).out, value);
    // An empty value is a value.
    folder.run_with(&["put", "db", "key"], b"").ended(0);
    assert_eq!(folder.run(&["get", "db", "key"]).ended(0).text(), "\n");
}

#[test]
fn any_bytes_can_be_a_key() {
    let folder = Folder::new();
    folder.run(&["put", "db", "--hex", "00ff", "DEADbeef"]).ended(0);
    assert_eq!(folder.run(&["get", "db", "--hex", "00FF"]).ended(0).text(), "deadbeef\n");
    folder.run(&["put", "db", "", "value of the empty key"]).ended(0);
    assert_eq!(folder.run(&["get", "db", ""]).ended(0).text(), "value of the empty key\n");
    // No text, and no hexadecimal either.
    let mut put = folder.command(&["put", "db"]);
    put.args([OsStr::from_bytes(b"\xfe"), OsStr::new("v")]);
    assert!(put.status().expect("runs").success());
    assert_eq!(folder.run(&["get", "db", "--hex", "fe"]).ended(0).text(), "76\n");
    // Words that look like flags stand behind two dashes.
    folder.run(&["put", "db", "--", "--key", "-v"]).ended(0);
    assert_eq!(folder.run(&["get", "db", "--", "--key"]).ended(0).text(), "-v\n");
    // A backslash on the command line is a backslash.
    folder.run(&["put", "db", r"a\tb", r"c\n"]).ended(0);
    assert_eq!(folder.run(&["get", "db", r"a\tb"]).ended(0).text(), "c\\n\n");
}

#[test]
fn only_put_and_load_make_a_database() {
    let folder = Folder::new();
    for args in [&["get", "db", "k"][..], &["delete", "db", "k"], &["scan", "db"]] {
        folder.run(args).ended(2);
        assert_eq!(folder.names("."), [""; 0], "{args:?}");
    }
    folder.run_with(&["load", "db"], b"").ended(0);
    assert_eq!(folder.run(&["scan", "db"]).ended(0).text(), "");
}
