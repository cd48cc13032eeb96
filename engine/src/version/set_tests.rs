//! Edits to a real MANIFEST and back, and when a new one is started.

use super::*;
use crate::directory::Directory;
use crate::env::posix::PosixEnv;
use crate::error::Defect;
use crate::filename::{current_file_name, temp_file_name};
use crate::record::{BLOCK_SIZE, HEADER_SIZE, Writer};
use crate::test_files::MemFile;
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
            prev_log_number: Some(2),
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
    assert_eq!((test.set.log_number(), test.set.prev_log_number()), (3, 2));
    test.apply(adding(11), 1 << 20).unwrap();
    assert_eq!((test.set.log_number(), test.set.prev_log_number()), (3, 0));
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
    assert_eq!(*test.set.compact_pointers(), BTreeMap::from([(2, lookup_key(b"pointer", 5))]));
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

/// A set whose MANIFEST is exactly twice as large as what a new one would start with.
fn twice_as_large_as_need_be() -> TestSet {
    // Of so many bytes that the length of the length does not change.
    let mut history = 200;
    loop {
        let mut test = TestSet::new();
        test.apply(VersionEdit::new(), u64::MAX).unwrap();
        // Only the second pointer is current.
        for size in [history, 600] {
            let compact_pointers = vec![(2, lookup_key(&vec![b'p'; size], 5))];
            let edit = VersionEdit { compact_pointers, ..VersionEdit::new() };
            test.apply(edit, u64::MAX).unwrap();
        }
        let lacking = 2 * encoded_size(&test.set.snapshot()) - manifest_size(&test);
        if lacking == 0 {
            return test;
        }
        history += lacking as usize;
    }
}

fn manifest_size(test: &TestSet) -> u64 {
    let path = manifest_file_name(test.root.path(), test.set.manifest_number());
    PosixEnv::new().size(&path).unwrap()
}

fn is_renewed(test: &mut TestSet, size_max: u64) -> bool {
    let before = test.set.manifest_number();
    test.apply(VersionEdit::new(), size_max).unwrap();
    test.set.manifest_number() != before
}

#[test]
fn a_manifest_is_replaced_above_its_limit_and_above_twice_its_content() {
    let mut test = twice_as_large_as_need_be();
    assert!(!is_renewed(&mut test, 0), "no more than twice");
    let size = manifest_size(&test);
    assert!(!is_renewed(&mut test, u64::MAX), "below the limit");
    let size_now = manifest_size(&test);
    assert!(size_now > size);
    assert!(!is_renewed(&mut test, size_now), "no larger than the limit");
    let size_now = manifest_size(&test);
    assert!(is_renewed(&mut test, size_now - 1));
    assert!(manifest_size(&test) < size);
    // Not for every edit from here on.
    assert!(!is_renewed(&mut test, 0));
}

#[test]
fn a_renewal_that_fails_before_current_leaves_the_manifest_as_it_was() {
    let mut test = twice_as_large_as_need_be();
    test.apply(VersionEdit::new(), u64::MAX).unwrap();
    let before = test.names();
    // The next number is that of the new MANIFEST, and of the file that becomes CURRENT.
    let number = test.set.next_file_number;
    let in_the_way = temp_file_name(test.root.path(), number);
    PosixEnv::new().create_dir(&in_the_way).unwrap();
    let failed = test.apply(adding(30), 0).unwrap_err();
    assert!(matches!(failed.error, Error::Io { .. }), "{failed:?}");
    assert!(!failed.current_unknown);
    assert_eq!((test.set.manifest_error(), test.set.is_busy()), (None, false));
    PosixEnv::new().remove_dir(&in_the_way).unwrap();
    assert_eq!(test.names(), before, "what nothing names is gone");
    assert_eq!(numbers(test.set.current()), [0; 0]);

    test.apply(adding(31), u64::MAX).unwrap();
    assert_eq!(test.set.manifest_number(), 10, "it is appended to as before");
    assert_eq!(test.recover().manifest_number, 10);
    assert_eq!(numbers(&test.recover().version), [31]);
}

#[test]
fn after_a_switch_of_unknown_outcome_both_manifests_stay_and_neither_is_appended_to() {
    let mut test = twice_as_large_as_need_be();
    test.apply(VersionEdit::new(), u64::MAX).unwrap();
    let (env, current) = (PosixEnv::new(), current_file_name(test.root.path()));
    env.remove(&current).unwrap();
    env.create_dir(&current).unwrap();
    let number = test.set.next_file_number;
    let failed = test.apply(adding(30), 0).unwrap_err();
    assert!(failed.current_unknown);
    assert_eq!(test.set.manifest_error(), Some(&failed.error));
    let names = test.names();
    let manifest = |number: FileNumber| format!("MANIFEST-{number:06}");
    assert!(names.contains(&manifest(10)) && names.contains(&manifest(number)), "{names:?}");

    env.remove_dir(&current).unwrap();
    let sizes = [10, number].map(|number| {
        let path = manifest_file_name(test.root.path(), number);
        (path.clone(), env.size(&path).unwrap())
    });
    test.apply(adding(31), u64::MAX).unwrap();
    assert_eq!(test.set.manifest_error(), None);
    assert!(test.set.manifest_number() > number);
    for (path, size) in sizes {
        assert_eq!(env.size(&path), Ok(size), "{}", path.display());
    }
    assert_eq!(numbers(&test.recover().version), [31]);
}

/// What a MANIFEST holds behind damage is not looked into: the damage is what is told.
#[test]
fn damage_is_told_by_its_own_place() {
    let test = TestSet::new();
    let path = manifest_file_name(test.root.path(), 1);
    let file = MemFile::default();
    let mut writer = Writer::new(file.writable());
    let edit = VersionEdit { log_number: Some(3), ..VersionEdit::new() };
    let mut encoded = Vec::new();
    edit.encode(&mut encoded);
    writer.add_record(&encoded).unwrap();
    let damaged_at = writer.size();
    writer.add_record(&vec![b'x'; BLOCK_SIZE]).unwrap();
    // No tag of an edit.
    writer.add_record(&[0]).unwrap();
    let mut bytes = file.bytes();
    bytes[damaged_at as usize + HEADER_SIZE] ^= 1;
    let mut manifest = PosixEnv::new().create(&path).unwrap();
    manifest.append(&bytes).unwrap();
    manifest.close().unwrap();
    let refused = recover(&PosixEnv::new(), test.root.path(), &order()).unwrap_err();
    assert_eq!(refused, Error::corruption(&path, damaged_at, Defect::ChecksumMismatch));
}
