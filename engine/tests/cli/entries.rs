//! `scan` and `load`: many entries, there and back.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::Folder;

/// A folder with a database of a few keys, some of them awkward.
fn folder() -> Folder {
    let folder = Folder::new();
    let text = b"\tempty key\na\t1\nab\t2\nabc\t3\nac\t\n\
        b\\tc\\n\\\\\ttab, newline, backslash\n\\xff\t\\x00\n\\xff\\xff\tlast\n";
    let loaded = folder.run_with(&["load", "db"], text).ended(0);
    assert_eq!((loaded.text(), &*loaded.err), ("", "loaded 8 entries\n"));
    folder
}

fn keys(folder: &Folder, args: &[&str]) -> Vec<String> {
    let args = [&["scan", "db", "--keys-only"], args].concat();
    folder.run(&args).ended(0).text().lines().map(str::to_owned).collect()
}

#[test]
fn text_and_json_bring_everything_back() {
    let folder = folder();
    let first = folder.run(&["scan", "db"]).ended(0);
    for (copy, form) in [("text", "--format=text"), ("json", "--format=json"), ("hex", "--hex")] {
        let written = folder.run(&["scan", "db", form]).ended(0);
        folder.run_with(&["load", copy, form], &written.out).ended(0);
        assert_eq!(folder.run(&["scan", copy]).ended(0), first, "{form:?}");
    }
    let json = folder.run(&["scan", "db", "--format", "json", "--limit", "2"]).ended(0);
    assert_eq!(
        json.text(),
        "{\"key_base64\":\"\",\"value_base64\":\"ZW1wdHkga2V5\"}\n\
         {\"key_base64\":\"YQ==\",\"value_base64\":\"MQ==\"}\n"
    );
}

#[test]
fn bounds_prefix_direction_and_limit() {
    let folder = folder();
    let all = ["", "a", "ab", "abc", "ac", "b\\tc\\n\\\\", "\\xff", "\\xff\\xff"];
    assert_eq!(keys(&folder, &[]), all);
    let backwards: Vec<_> = all.iter().rev().copied().collect();
    assert_eq!(keys(&folder, &["--reverse"]), backwards);
    assert_eq!(keys(&folder, &["--from", "ab", "--to", "ac"]), ["ab", "abc"]);
    assert_eq!(keys(&folder, &["--from", "ab", "--to", "ac", "--reverse"]), ["abc", "ab"]);
    assert_eq!(keys(&folder, &["--from", "aa", "--to", "abd"]), ["ab", "abc"]);
    assert_eq!(keys(&folder, &["--prefix", "a"]), ["a", "ab", "abc", "ac"]);
    assert_eq!(keys(&folder, &["--prefix", "a", "--reverse", "--limit", "2"]), ["ac", "abc"]);
    assert_eq!(keys(&folder, &["--prefix", "ab", "--from", "abb"]), ["abc"]);
    assert_eq!(keys(&folder, &["--prefix", "a", "--to", "ab"]), ["a"]);
    assert_eq!(keys(&folder, &["--from", "b", "--to", "a"]), [""; 0]);
    assert_eq!(keys(&folder, &["--to", ""]), [""; 0]);
    assert_eq!(keys(&folder, &["--limit", "0"]), [""; 0]);
    // No key is behind all that begin with the largest byte.
    assert_eq!(keys(&folder, &["--hex", "--prefix", "ff"]), ["ff", "ffff"]);
    assert_eq!(keys(&folder, &["--hex", "--prefix", "ff", "--reverse"]), ["ffff", "ff"]);
    assert_eq!(keys(&folder, &["--hex", "--from", "ff00"]), ["ffff"]);
}

#[test]
fn a_bad_line_is_named_and_what_came_before_it_is_there() {
    for (form, line, words) in [
        (&[][..], &b"no tab"[..], "no tab between key and value; the format is that of `scan`"),
        (
            &[],
            b"{\"key_base64\":\"\",\"value_base64\":\"\"}",
            "no tab between key and value; the format is that of `scan` (JSON: `--format json`)",
        ),
        (&[], b"a\\\tb", "the key has a backslash that begins no escape"),
        (&[], b"a\tb\\q", "the value has a backslash that begins no escape"),
        (&["--hex"], b"61\tzz", "the value is not hexadecimal"),
    ] {
        let folder = Folder::new();
        let input = [b"61\t62\n", line, b"\n63\t64\n"].concat();
        let ran = folder.run_with(&[&["load", "db"], form].concat(), &input).ended(2);
        let expected = format!("loaded 1 entry\nerror: standard input, line 2: {words}\n");
        assert_eq!(ran.err, expected);
        assert_eq!(folder.run(&["scan", "db"]).ended(0).text().lines().count(), 1);
    }
    let folder = Folder::new();
    for line in ["{", "[]", "{\"key_base64\":\"\"}", "{\"key_base64\":\"!\",\"value_base64\":\"\"}"]
    {
        let ran = folder.run_with(&["load", "db", "--format", "json"], line.as_bytes()).ended(2);
        assert!(ran.err.contains("error: standard input, line 1: "), "{line}: {}", ran.err);
    }
    let ran = folder.run_with(&["load", "db", "--format", "json"], b"a\tb\n").ended(2);
    assert!(ran.err.contains("line 1: no JSON object; the format is that of `scan --format json`"));
}

/// Many more entries than fit one batch, or the buffer of a pipe.
fn many() -> Vec<u8> {
    let line = |number| format!("key{number:06}\t{}\n", "value ".repeat(20)).into_bytes();
    (0..20_000).flat_map(line).collect()
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let input = many();
    folder.run_with(&["load", "db"], &input).ended(0);
    assert!(folder.run(&["scan", "db"]).ended(0).out == input, "everything came back");
    let mut scan = folder.command(&["scan", "db"]);
    let mut scan = scan.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut out = BufReader::new(scan.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    drop(out);
    assert!(line.starts_with("key000000\tvalue "), "{line}");
    let mut words = String::new();
    scan.stderr.take().expect("a pipe").read_to_string(&mut words).expect("text");
    assert_eq!((scan.wait().expect("ends").code(), &*words), (Some(141), ""));
}

#[test]
fn an_open_database_is_left_alone() {
    let folder = Folder::new();
    let mut load = folder.command(&["load", "db"]);
    let mut load = load.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
    let mut pipe = load.stdin.take().expect("a pipe");
    // The second batch is asked for once the first is written, and the database hence open.
    pipe.write_all(&many()).expect("a reader");
    let refused = folder.run(&["put", "db", "k", "v"]).ended(4);
    let words =
        "error: db/LOCK: the database is already open; close it in the other process first\n";
    assert_eq!(refused.err, words);
    for args in [&["get", "db", "k", "--read-only"][..], &["destroy", "db", "--yes"]] {
        assert_eq!(folder.run(args).ended(4).err, words);
    }
    drop(pipe);
    assert!(load.wait().expect("ends").success());
    folder.run(&["get", "db", "key019999"]).ended(0);
}
