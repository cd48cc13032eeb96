//! Every wrong bit of a database is found, and nothing is found in one that is right.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::{Severity, VerifyReport, verify};
use crate::batch::WriteBatch;
use crate::db::Db;
use crate::env::Env as _;
use crate::env::posix::PosixEnv;
use crate::error::Error;
use crate::filename::{FileKind, parse_file_name};
use crate::options::Options;
use crate::table::{BloomFilter, Compression};

type Files = BTreeMap<OsString, Vec<u8>>;

/// A directory whose files can be changed at will.
struct Place(TempDir);

impl Place {
    /// A closed database: two tables with filters, one of which has several blocks and deletions,
    /// and a log with three batches.
    fn with_database(compression: Compression) -> Self {
        let place = Place(tempfile::tempdir().unwrap());
        let options = Options {
            create_if_missing: true,
            compression,
            block_size: 1024,
            filter_policy: Some(Arc::new(BloomFilter::new(10))),
            ..Options::default()
        };
        let db = Db::open(PosixEnv::new(), place.path(), options).unwrap();
        for number in 0..40 {
            let key = format!("key{number:02}");
            db.put(key.as_bytes(), &[b'v'; 60]).unwrap();
        }
        db.delete(b"key07").unwrap();
        db.flush().unwrap();
        db.put(b"key05", b"newer").unwrap();
        db.flush().unwrap();
        db.put(b"a", b"1").unwrap();
        let mut batch = WriteBatch::new();
        batch.put(b"b", b"2").unwrap();
        batch.delete(b"a").unwrap();
        db.write(&batch, &crate::options::WriteOptions::default()).unwrap();
        db.put(b"c", b"3").unwrap();
        db.close().unwrap();
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("db")
    }

    fn files(&self) -> Files {
        let names = PosixEnv::new().list(&self.path()).unwrap();
        names.into_iter().map(|name| (name.clone(), self.read(Path::new(&name)))).collect()
    }

    fn read(&self, name: &Path) -> Vec<u8> {
        let path = self.path().join(name);
        let mut bytes = vec![0; usize::try_from(PosixEnv::new().size(&path).unwrap()).unwrap()];
        PosixEnv::new().open_sequential(&path).unwrap().read(&mut bytes).unwrap();
        bytes
    }

    fn write(&self, name: &OsString, bytes: &[u8]) {
        let mut file = PosixEnv::new().create(&self.path().join(name)).unwrap();
        file.append(bytes).unwrap();
    }

    fn verify(&self) -> VerifyReport {
        verify(&PosixEnv::new(), &self.path(), &Options::default()).unwrap()
    }
}

#[test]
fn nothing_is_wrong_with_a_database_that_is_right() {
    for compression in [Compression::None, Compression::Snappy] {
        let place = Place::with_database(compression);
        let before = place.files();
        let report = place.verify();
        assert_eq!((&report.findings[..], &report.leftovers[..]), (&[][..], &[][..]));
        assert!(report.is_sound());
        let VerifyReport { tables, blocks, entries, logs, batches, last_sequence, .. } = report;
        assert_eq!((tables, entries, logs, batches, last_sequence), (2, 42, 1, 3, 46));
        assert!(blocks > 3, "{blocks}");
        assert_eq!(place.files(), before, "nothing was changed");
    }
}

#[test]
fn every_bit_of_every_file_counts() {
    for compression in [Compression::None, Compression::Snappy] {
        let place = Place::with_database(compression);
        for (name, bytes) in place.files() {
            let kind = parse_file_name(&name).unwrap();
            for at in 0..bytes.len() {
                // All bits of small files, one of each byte in larger ones.
                for bit in (0..8).filter(|bit| bytes.len() < 300 || *bit == at % 8) {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= 1 << bit;
                    place.write(&name, &damaged);
                    let report = place.verify();
                    let found = report.findings.len();
                    let where_ = format!("bit {bit} of byte {at} of {}", name.display());
                    assert!(found > 0, "{where_}: {report:?}");
                    let may_be_an_end = matches!(kind, FileKind::Log(_) | FileKind::Manifest(_));
                    assert!(may_be_an_end || !report.is_sound(), "{where_}");
                    for finding in &report.findings {
                        assert!(finding.corruption.file.starts_with(place.path()), "{where_}");
                    }
                }
            }
            place.write(&name, &bytes);
        }
        assert!(place.verify().findings.is_empty());
    }
}

#[test]
fn every_cut_is_found_or_is_an_older_state() {
    let place = Place::with_database(Compression::None);
    for (name, bytes) in place.files() {
        let kind = parse_file_name(&name).unwrap();
        let mut unnoticed = 0;
        for size in 0..bytes.len() {
            place.write(&name, &bytes[..size]);
            let report = place.verify();
            let is_end = matches!(kind, FileKind::Log(_) | FileKind::Manifest(_));
            assert!(is_end || !report.is_sound(), "{} cut to {size}", name.display());
            unnoticed += usize::from(report.findings.is_empty());
        }
        // A cut between two records leaves a file that is whole: the log had three, or none, and
        // in the MANIFEST one edit less makes the later log needed no more, not even there.
        let expected = if matches!(kind, FileKind::Log(_)) { 3 } else { 0 };
        if !matches!(kind, FileKind::Manifest(_)) {
            assert_eq!(unnoticed, expected, "{}", name.display());
        }
        place.write(&name, &bytes);
    }
}

#[test]
fn missing_and_surplus_files_are_told() {
    let place = Place::with_database(Compression::None);
    let files = place.files();
    let tables: Vec<_> =
        files.keys().filter(|name| name.to_string_lossy().ends_with(".ldb")).collect();
    PosixEnv::new().remove(&place.path().join(tables[0])).unwrap();
    let report = place.verify();
    assert!(!report.is_sound());
    let words = Error::Corruption(Arc::new(report.findings[0].corruption.clone())).to_string();
    assert!(words.ends_with(&format!("{}: corrupt at offset 0: is missing", tables[0].display())));
    // The other table in its place: the bytes are right, and not those that should be there.
    place.write(tables[0], &files[tables[1]]);
    let report = place.verify();
    assert_eq!(report.findings.len(), 3, "{:?}", report.findings);
    place.write(tables[0], &files[tables[0]]);
    place.write(&"000099.ldb".into(), b"");
    place.write(&"000098.dbtmp".into(), b"");
    place.write(&"foreign".into(), b"");
    let report = place.verify();
    assert!(report.is_sound() && report.findings.is_empty());
    assert_eq!(report.leftovers, [FileKind::Table(99), FileKind::Temp(98)]);
}

#[test]
fn an_unfinished_end_is_told_from_damage() {
    let place = Place::with_database(Compression::None);
    let (name, bytes) = (place.files().into_iter())
        .find(|(name, _)| name.to_string_lossy().ends_with(".log"))
        .unwrap();
    place.write(&name, &bytes[..bytes.len() - 3]);
    let report = place.verify();
    assert_eq!((report.findings.len(), report.batches), (1, 2));
    assert_eq!(report.findings[0].severity, Severity::UnfinishedEnd);
    assert!(report.is_sound());
    // With a newer log it is the end of bytes that were durable.
    let number = parse_file_name(&name).unwrap().number().unwrap();
    place.write(&format!("{:06}.log", number + 1).into(), &bytes);
    assert!(!place.verify().is_sound());
}

#[test]
fn a_database_that_is_open_is_not_read() {
    let place = Place::with_database(Compression::None);
    let db = Db::open(PosixEnv::new(), place.path(), Options::default()).unwrap();
    let refused = verify(&PosixEnv::new(), &place.path(), &Options::default());
    assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
    db.close().unwrap();
    assert!(place.verify().is_sound());
}
