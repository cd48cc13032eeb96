//! Counterparts of LevelDB's `filename_test`.

use super::*;

fn kind(name: &str) -> Option<FileKind> {
    parse_file_name(OsStr::new(name))
}

#[test]
fn parse_accepts_exactly_our_names() {
    let ours = [
        ("100.log", FileKind::Log(100)),
        ("0.log", FileKind::Log(0)),
        ("0.sst", FileKind::LegacyTable(0)),
        ("0.ldb", FileKind::Table(0)),
        ("000007.dbtmp", FileKind::Temp(7)),
        ("1234567.ldb", FileKind::Table(1_234_567)),
        ("CURRENT", FileKind::Current),
        ("LOCK", FileKind::Lock),
        ("MANIFEST-2", FileKind::Manifest(2)),
        ("MANIFEST-7", FileKind::Manifest(7)),
        ("LOG", FileKind::InfoLog),
        ("LOG.old", FileKind::OldInfoLog),
        ("18446744073709551615.log", FileKind::Log(u64::MAX)),
    ];
    for (name, expected) in ours {
        assert_eq!(kind(name), Some(expected), "{name}");
    }
    let foreign = [
        "",
        "foo",
        "foo-dx-100.log",
        ".log",
        "manifest",
        "CURREN",
        "CURRENTX",
        "MANIFES",
        "MANIFEST",
        "MANIFEST-",
        "XMANIFEST-3",
        "MANIFEST-3x",
        "MANIFEST-+3",
        "LOC",
        "LOCKx",
        "LO",
        "LOGx",
        "LOG.olx",
        "18446744073709551616.log",
        "184467440737095516150.log",
        "100",
        "100.",
        "100.lop",
        "100.log.x",
        "+1.log",
        "-1.log",
        "1 .log",
        "lost",
    ];
    for name in foreign {
        assert_eq!(kind(name), None, "{name}");
    }
}

#[test]
fn construction() {
    let dir = Path::new("bar");
    let check = |path: PathBuf, text: &str, expected: FileKind| {
        assert_eq!(path, dir.join(text));
        let parsed = path.file_name().and_then(parse_file_name);
        assert_eq!(parsed, Some(expected));
    };
    check(current_file_name(dir), "CURRENT", FileKind::Current);
    check(lock_file_name(dir), "LOCK", FileKind::Lock);
    check(log_file_name(dir, 192), "000192.log", FileKind::Log(192));
    check(table_file_name(dir, 200), "000200.ldb", FileKind::Table(200));
    check(legacy_table_file_name(dir, 200), "000200.sst", FileKind::LegacyTable(200));
    check(manifest_file_name(dir, 100), "MANIFEST-000100", FileKind::Manifest(100));
    check(temp_file_name(dir, 999), "000999.dbtmp", FileKind::Temp(999));
    check(log_file_name(dir, 1_000_000), "1000000.log", FileKind::Log(1_000_000));
}

#[test]
fn a_kind_is_shown_as_the_name() {
    for name in ["CURRENT", "LOCK", "LOG", "LOG.old", "MANIFEST-000002", "000003.log"] {
        assert_eq!(kind(name).map(|kind| kind.to_string()).as_deref(), Some(name));
    }
}

#[test]
fn current_names_one_manifest_and_ends_its_line() {
    assert_eq!(current_contents(5), "MANIFEST-000005\n");
    assert_eq!(parse_current(b"MANIFEST-000005\n"), Some(5));
    let whole = b"MANIFEST-000005\n";
    for cut in 0..whole.len() {
        assert_eq!(parse_current(&whole[..cut]), None);
    }
    let nothing = b"MANIFEST-000000\n";
    assert_eq!(parse_current(nothing), None, "no file has number 0");
    for wrong in [&b"MANIFEST-000005\n\n"[..], b"000005.ldb\n", b"\n", b"\xff\n", b"MANIFEST-\n"] {
        assert_eq!(parse_current(wrong), None);
    }
}

#[test]
fn numbers_of_kinds() {
    assert_eq!(FileKind::Log(3).number(), Some(3));
    assert_eq!(FileKind::Temp(4).number(), Some(4));
    assert_eq!(FileKind::Current.number(), None);
}
