//! Random small programs: the disk allows exactly the images that brute force finds, and draws
//! only those.

use faultline_sim::disk::{
    BTRFS, DEVICE_LIES, Device, EXT4_JOURNAL, EXT4_ORDERED, POSIX_WEAK, Profile, XFS,
};
use proptest::prelude::*;

use crate::brute;
use crate::program::{Act, Draws, images, run, show};

const FILES: [&str; 4] = ["/a", "/b", "/d/c", "/e/c"];
const DIRS: [&str; 3] = ["/", "/d", "/e"];

/// Lengths around a sector, a page, and well inside both.
const LENGTHS: [u32; 6] = [1, 100, 412, 512, 700, 3500];

/// As many pieces as brute force can take.
const PENDING_MAX: usize = 11;

fn act() -> impl Strategy<Value = Act> {
    let file = || prop::sample::select(&FILES[..]);
    let dir = || prop::sample::select(&DIRS[..]);
    let len = || prop::sample::select(&LENGTHS[..]);
    let offset = || prop::sample::select(&[0_u32, 100, 512, 700, 3900, 4096][..]);
    prop_oneof![
        4 => file().prop_map(Act::Create),
        10 => (file(), len()).prop_map(|(file, len)| Act::Append(file, 0, len)),
        4 => (file(), offset(), len()).prop_map(|(file, at, len)| Act::Write(file, at, 0, len)),
        3 => (file(), offset()).prop_map(|(file, size)| Act::Truncate(file, size)),
        4 => (file(), file()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => file().prop_map(Act::Remove),
        1 => (file(), file()).prop_map(|(from, to)| Act::Link(from, to)),
        6 => file().prop_map(Act::Sync),
        4 => file().prop_map(Act::FailSync),
        3 => dir().prop_map(Act::SyncDir),
        2 => dir().prop_map(Act::FailSyncDir),
        3 => file().prop_map(Act::BeginSync),
        2 => Just(Act::EndSync),
        1 => Just(Act::FailEndSync),
        4 => file().prop_map(Act::Lie),
        2 => dir().prop_map(Act::LieDir),
        1 => Just(Act::LieEndSync),
        2 => file().prop_map(Act::FailWriteBack),
        2 => Just(Act::Evict),
    ]
}

/// A program, cut before it has too many pieces pending. Each write has its own letter.
fn program() -> impl Strategy<Value = (Vec<Act>, Option<(&'static str, u32)>)> {
    let flight = prop::option::of((prop::sample::select(&FILES[..]), 1..3_u32));
    (prop::collection::vec(act(), 1..24), flight)
}

fn finish(profile: &Profile, acts: &[Act], flight: Option<(&'static str, u32)>) -> Vec<Act> {
    let mut program = vec![
        Act::CreateDir("/d"),
        Act::CreateDir("/e"),
        Act::Create("/a"),
        Act::SyncDir("/"),
        Act::Append("/a", b'a', 600),
        Act::Sync("/a"),
    ];
    for (letter, act) in (b'A'..).zip(acts) {
        program.push(match *act {
            Act::Append(file, _, len) => Act::Append(file, letter, len),
            Act::Write(file, offset, _, len) => Act::Write(file, offset, letter, len),
            Act::Lie(file) if profile.device == Device::Honest => Act::Sync(file),
            Act::LieDir(dir) if profile.device == Device::Honest => Act::SyncDir(dir),
            Act::LieEndSync if profile.device == Device::Honest => Act::EndSync,
            Act::Evict if profile.device == Device::MayLie => continue,
            act => act,
        });
        if PENDING_MAX < brute::pending(profile.name, &program) {
            program.pop();
        }
    }
    if let Some((file, len)) = flight {
        program.push(Act::InFlight(file, b'z', len));
    }
    program
}

fn check(profile: &'static Profile, acts: &[Act], flight: Option<(&'static str, u32)>, seed: u64) {
    let program = finish(profile, acts, flight);
    let expected = brute::images(profile.name, &program);
    let disk = run(profile, &program);
    let found = images(&disk);
    let missing: Vec<_> = expected.difference(&found).take(3).collect();
    let surplus: Vec<_> = found.difference(&expected).take(3).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{}: {program:#?}\nthe disk never shows {missing:#?}\nthe disk must not show {surplus:#?}",
        profile.name
    );
    let mut draws = Draws(seed);
    for _ in 0..16 {
        let mut crashed = disk.clone();
        let report = crashed.power_loss(&mut draws);
        let image = show(&crashed, &report);
        assert!(
            expected.contains(&image),
            "{}: {program:#?}\ndrew {image}\n{}",
            profile.name,
            report.describe(&crashed)
        );
    }
}

/// Found by the programs below, once in a great many.
#[test]
fn a_lying_sync_tells_of_an_earlier_failure() {
    let append = Act::Append("/a", 0, 1);
    let acts = [Act::FailWriteBack("/a"), Act::Lie("/a"), append, Act::Sync("/a")];
    check(&DEVICE_LIES, &acts, None, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn posix_weak_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&POSIX_WEAK, &acts, flight, seed);
    }

    #[test]
    fn device_lies_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&DEVICE_LIES, &acts, flight, seed);
    }

    #[test]
    fn xfs_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&XFS, &acts, flight, seed);
    }

    #[test]
    fn btrfs_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&BTRFS, &acts, flight, seed);
    }

    #[test]
    fn ext4_journal_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&EXT4_JOURNAL, &acts, flight, seed);
    }

    #[test]
    fn ext4_ordered_images_are_those_of_brute_force((acts, flight) in program(), seed: u64) {
        check(&EXT4_ORDERED, &acts, flight, seed);
    }
}
