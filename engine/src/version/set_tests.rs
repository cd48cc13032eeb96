//! Edits to a real MANIFEST and back, and when a new one is started.

use super::*;
use crate::directory::Directory;
use crate::env::posix::PosixEnv;
use crate::version::edit::FileMetaData;
use crate::version::{lookup_key, recover, switch_current};

struct TestSet {
    root: tempfile::TempDir,
    set: VersionSet,
}

fn order() -> InternalKeyComparator {
    InternalKeyComparator::bytewise()
}

fn file(number: FileNumber) -> FileMetaData {
    let key = lookup_key(format!("{number:06}").as_bytes(), 1);
    FileMetaData { number, size: 1, smallest: key.clone(), largest: key }
}

fn adding(number: FileNumber) -> VersionEdit {
    VersionEdit { new_files: vec![(1, file(number))], ..VersionEdit::new() }
}

impl TestSet {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (env, dir) = (PosixEnv::new(), root.path());
        let edit = VersionEdit {
            comparator: Some(order().user().name().as_bytes().to_vec()),
            log_number: Some(3),
            next_file_number: Some(10),
            last_sequence: Some(7),
            ..VersionEdit::new()
        };
        Manifest::create(&env, dir, 1, &[&edit]).unwrap().close().unwrap();
        switch_current(&Directory::new(env.clone(), dir), 1).unwrap();
        let recovered = recover(&env, dir, &order()).unwrap();
        TestSet { set: VersionSet::new(order(), recovered, 10), root }
    }

    fn apply(&mut self, edit: VersionEdit, size_max: u64) -> core::result::Result<(), CommitError> {
        let job = self.set.begin(edit, 8, size_max).unwrap();
        assert!(self.set.is_busy());
        let written = job.write(&Directory::new(PosixEnv::new(), self.root.path()));
        self.set.end(written)
    }

    fn recover(&self) -> Recovered {
        recover(&PosixEnv::new(), self.root.path(), &order()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let names = PosixEnv::new().list(self.root.path()).unwrap();
        let mut names: Vec<_> = names.into_iter().map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn numbers(version: &Version) -> Vec<FileNumber> {
    version.files().map(|(_, file)| file.number).collect()
}

#[test]
fn the_first_edit_starts_a_manifest_and_the_next_is_appended() {
    let mut test = TestSet::new();
    assert_eq!(test.set.new_file_number(), 11, "10 is set aside for the MANIFEST");
    test.apply(adding(11), 1 << 20).unwrap();
    assert_eq!(test.set.manifest_number(), 10);
    test.apply(VersionEdit { log_number: Some(12), ..adding(12) }, 1 << 20).unwrap();
    assert_eq!(test.set.manifest_number(), 10);
    assert_eq!(numbers(test.set.current()), [11, 12]);
    let recovered = test.recover();
    assert_eq!(numbers(&recovered.version), [11, 12]);
    assert_eq!((recovered.manifest_number, recovered.log_number), (10, 12));
    assert_eq!((recovered.next_file_number, recovered.last_sequence), (12, 8));
    assert_eq!(recovered.tail, None);
}

#[test]
fn a_manifest_that_is_mostly_history_is_replaced() {
    let mut test = TestSet::new();
    let mut edit = adding(20);
    edit.compact_pointers.push((2, lookup_key(b"pointer", 5)));
    test.apply(edit, 1 << 20).unwrap();
    for number in 21..60 {
        // One table comes and one goes: what is current stays small.
        let mut edit = adding(number);
        edit.deleted_files.insert((1, number - 1));
        test.apply(edit, 1000).unwrap();
    }
    let replaced = test.set.manifest_number();
    assert!(replaced > 10, "still MANIFEST-{replaced:06}");
    let recovered = test.recover();
    assert_eq!(recovered.manifest_number, replaced);
    assert_eq!(numbers(&recovered.version), [59]);
    assert_eq!(recovered.compact_pointers, [(2, lookup_key(b"pointer", 5))]);
}

#[test]
fn numbers_that_were_given_back_are_given_again() {
    let mut test = TestSet::new();
    let number = test.set.new_file_number();
    test.set.reuse_file_number(number);
    assert_eq!(test.set.new_file_number(), number);
    let later = test.set.new_file_number();
    test.set.reuse_file_number(number);
    assert_eq!(test.set.new_file_number(), later + 1);
}

#[test]
fn an_edit_that_cannot_be_changes_nothing() {
    let mut test = TestSet::new();
    test.apply(adding(11), 1 << 20).unwrap();
    let overlapping = FileMetaData { number: 12, ..file(11) };
    let edit = VersionEdit { new_files: vec![(1, overlapping)], ..VersionEdit::new() };
    assert!(matches!(test.set.begin(edit, 8, 1 << 20), Err(Error::InvalidArgument(_))));
    assert!(!test.set.is_busy());
    test.apply(adding(13), 1 << 20).unwrap();
    assert_eq!(numbers(&test.recover().version), [11, 13]);
}

#[test]
fn a_temporary_file_does_not_stay() {
    let mut test = TestSet::new();
    test.apply(adding(11), 1 << 20).unwrap();
    assert_eq!(test.names(), ["CURRENT", "MANIFEST-000001", "MANIFEST-000010"]);
}
