//! What people read: help, and errors in one line.

use std::fs;

use crate::Folder;

#[test]
fn help() {
    let folder = Folder::new();
    insta::assert_snapshot!("help", folder.run(&["--help"]).ended(0).text());
    let commands =
        ["get", "put", "delete", "scan", "load", "compact", "destroy", "stats", "dump", "verify"];
    for command in commands {
        let shown = folder.run(&[command, "--help"]).ended(0);
        insta::assert_snapshot!(format!("help-{command}"), shown.text());
    }
    let version = folder.run(&["--version"]).ended(0);
    assert_eq!(version.text(), format!("faultline {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn errors() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).expect("makes a folder");
    fs::write(folder.path("file"), "no database").expect("writes a file");
    folder.run(&["put", "db", "k", "v"]).ended(0);
    let mut shown = String::new();
    let mut show = |code: i32, args: &[&str]| {
        let ran = folder.run(args).ended(code);
        assert_eq!(ran.text(), "", "{args:?}");
        let code = code.to_string();
        let words = ["$ faultline ", &args.join(" "), "\n", &ran.err, "[", &code, "]\n\n"];
        shown += &words.concat();
    };
    show(2, &[]);
    show(2, &["gte", "db", "k"]);
    show(2, &["get", "db"]);
    show(2, &["scan", "db", "--limit", "many"]);
    show(2, &["get", "db", "--hex", "xyz"]);
    show(2, &["get", "nowhere", "k"]);
    show(2, &["get", "empty", "k"]);
    show(2, &["get", "file", "k"]);
    show(2, &["put", "file", "k", "v"]);
    show(2, &["put", "nowhere/db", "k", "v"]);
    show(2, &["stats", "empty"]);
    show(2, &["verify", "nowhere"]);
    show(2, &["compact", "empty"]);
    show(2, &["compact", "db", "--hex", "--from", "xyz"]);
    show(2, &["get", "nowhere", "k", "--read-only"]);
    show(2, &["destroy", "nowhere", "--yes"]);
    show(2, &["destroy", "empty", "--yes"]);
    show(2, &["destroy", "db"]);
    show(2, &["dump", "nowhere"]);
    show(2, &["dump", "file"]);
    show(2, &["dump", "db/CURRENT"]);
    let log = folder.only("db", ".log");
    let log_bytes = fs::read(folder.path(&log)).expect("a log");
    // Half a record at the end of the log is what a crash leaves; `absolute` refuses it.
    fs::write(folder.path(&log), &log_bytes[..20]).expect("writes a file");
    show(3, &["get", "db", "k", "--recovery", "absolute"]);
    show(1, &["get", "db", "k"]);
    fs::write(folder.path("db/CURRENT"), "MANIFEST-000099\n").expect("writes a file");
    show(3, &["scan", "db"]);
    fs::remove_file(folder.path("db/CURRENT")).expect("removes a file");
    show(3, &["scan", "db"]);
    show(3, &["put", "db", "k", "v"]);
    insta::assert_snapshot!("errors", shown);
}
