//! Named small programs and, for each profile, exactly the images that a power loss may leave.
//!
//! Images are text: `a=A100.28` is a file of a hundred `A` and 28 zeros, `?` is stale garbage,
//! `d/` a directory, and a `!` at the end says that the device has broken a promise. The tables are
//! the readable form of the rules: a change here is a change of the fault model.

use std::fmt::Write;

use faultline_sim::disk::{
    BTRFS, DEVICE_LIES, EXT4_JOURNAL, EXT4_ORDERED, POSIX_WEAK, Profile, XFS,
};

use crate::brute;
use crate::program::{Act, images, run};

/// A name, what is durable before the program starts, and the program.
type Program = (&'static str, &'static [Act], &'static [Act]);

const CURRENT_OLD: &[Act] = &[
    Act::Create("/CURRENT"),
    Act::Append("/CURRENT", b'A', 16),
    Act::Sync("/CURRENT"),
    Act::SyncDir("/"),
];

const TWO_DIRECTORIES: &[Act] = &[
    Act::CreateDir("/d"),
    Act::CreateDir("/e"),
    Act::Create("/d/a"),
    Act::SyncDir("/d"),
    Act::SyncDir("/"),
];

const PROGRAMS: &[Program] = &[
    (
        "create, write, sync",
        &[],
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a")],
    ),
    (
        "append",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'B', 600)],
    ),
    (
        "append across two pages",
        &[Act::Create("/a"), Act::Append("/a", b'A', 4090), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'B', 20)],
    ),
    (
        "create another, then append",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[Act::Create("/b"), Act::Append("/a", b'A', 10)],
    ),
    (
        "create another, then overwrite",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Create("/b"), Act::Write("/a", 0, b'B', 10)],
    ),
    (
        "create another, then append and sync",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[Act::Create("/b"), Act::Append("/a", b'A', 10), Act::Sync("/a")],
    ),
    (
        "overwrite",
        &[Act::Create("/a"), Act::Append("/a", b'A', 1024), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Write("/a", 0, b'B', 1024), Act::Write("/a", 500, b'C', 24)],
    ),
    (
        "rename over",
        CURRENT_OLD,
        &[
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Sync("/tmp"),
            Act::Rename("/tmp", "/CURRENT"),
        ],
    ),
    (
        "rename without sync",
        CURRENT_OLD,
        &[Act::Create("/tmp"), Act::Append("/tmp", b'B', 16), Act::Rename("/tmp", "/CURRENT")],
    ),
    (
        "two appends, then rename without sync",
        CURRENT_OLD,
        &[
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Append("/tmp", b'C', 16),
            Act::Rename("/tmp", "/CURRENT"),
        ],
    ),
    (
        "rename without sync, then directory sync",
        CURRENT_OLD,
        &[
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Rename("/tmp", "/CURRENT"),
            Act::SyncDir("/"),
        ],
    ),
    (
        "log switch",
        &[Act::Create("/3.log"), Act::SyncDir("/")],
        &[
            Act::Append("/3.log", b'A', 10),
            Act::Create("/5.log"),
            Act::Append("/5.log", b'B', 10),
            Act::Sync("/5.log"),
        ],
    ),
    (
        "first CURRENT",
        &[],
        &[Act::Create("/tmp"), Act::Append("/tmp", b'A', 16), Act::Rename("/tmp", "/CURRENT")],
    ),
    (
        "CURRENT switch",
        CURRENT_OLD,
        &[
            Act::Create("/MANIFEST"),
            Act::Append("/MANIFEST", b'M', 10),
            Act::Sync("/MANIFEST"),
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Sync("/tmp"),
            Act::Rename("/tmp", "/CURRENT"),
        ],
    ),
    (
        "unlink after rename",
        &[
            Act::Create("/CURRENT"),
            Act::Append("/CURRENT", b'A', 16),
            Act::Sync("/CURRENT"),
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Sync("/tmp"),
            Act::Create("/old"),
            Act::Append("/old", b'O', 10),
            Act::Sync("/old"),
            Act::SyncDir("/"),
        ],
        &[Act::Rename("/tmp", "/CURRENT"), Act::Remove("/old")],
    ),
    (
        "truncate, then append",
        &[Act::Create("/a"), Act::Append("/a", b'A', 600), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Truncate("/a", 0), Act::Append("/a", b'B', 20)],
    ),
    (
        "truncate inside a sector, then append past it",
        &[Act::Create("/a"), Act::Append("/a", b'A', 500), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Truncate("/a", 100), Act::Append("/a", b'B', 450)],
    ),
    (
        "truncate, then directory sync, then append",
        &[Act::Create("/a"), Act::Append("/a", b'A', 600), Act::Sync("/a"), Act::SyncDir("/")],
        &[
            Act::Truncate("/a", 0),
            Act::Create("/b"),
            Act::SyncDir("/"),
            Act::Append("/a", b'B', 20),
        ],
    ),
    (
        "append, truncate, then directory sync, then append",
        &[Act::Create("/a"), Act::Append("/a", b'Z', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'A', 490),
            Act::Truncate("/a", 100),
            Act::Create("/b"),
            Act::SyncDir("/"),
            Act::Append("/a", b'B', 450),
        ],
    ),
    (
        "append, then truncate at the edge of a sector",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'A', 700), Act::Truncate("/a", 512)],
    ),
    (
        "failed sync, then retry",
        &[Act::Create("/a"), Act::Append("/a", b'A', 4090), Act::Sync("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'B', 20),
            Act::FailSync("/a"),
            Act::Append("/a", b'C', 10),
            Act::Sync("/a"),
        ],
    ),
    (
        "failed sync of a new file",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'A', 10), Act::FailSync("/a")],
    ),
    (
        "failed sync of two pages, of which one is written again",
        &[Act::Create("/a"), Act::Append("/a", b'A', 3500), Act::Sync("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'B', 700),
            Act::FailSync("/a"),
            Act::Write("/a", 3500, b'C', 10),
            Act::Sync("/a"),
        ],
    ),
    (
        "sync under way while another fails",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'A', 10),
            Act::BeginSync("/a"),
            Act::FailSync("/a"),
            Act::Append("/a", b'B', 10),
            Act::EndSync,
        ],
    ),
    (
        "failed directory sync, then retry",
        &[],
        &[Act::Create("/a"), Act::FailSyncDir("/"), Act::SyncDir("/")],
    ),
    (
        "rename to another directory, then a sync of the first",
        TWO_DIRECTORIES,
        &[Act::Rename("/d/a", "/e/a"), Act::SyncDir("/d")],
    ),
    (
        "rename to another directory, then a sync of the second",
        TWO_DIRECTORIES,
        &[Act::Rename("/d/a", "/e/a"), Act::SyncDir("/e")],
    ),
    (
        "rename away, then create again and sync",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Rename("/a", "/b"), Act::Create("/a"), Act::Append("/a", b'B', 10), Act::Sync("/a")],
    ),
    (
        "two renames, then a sync that covers the second",
        TWO_DIRECTORIES,
        &[Act::Rename("/d/a", "/e/b"), Act::Rename("/e/b", "/e/c"), Act::SyncDir("/e")],
    ),
    (
        "append in flight",
        &[Act::Create("/a"), Act::Append("/a", b'A', 510), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::InFlight("/a", b'B', 3)],
    ),
];

/// Programs for a device that lies; in those above, syncs do not.
const LIES: &[Program] = &[
    (
        "create, write, sync that lies",
        &[],
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Lie("/a"), Act::LieDir("/")],
    ),
    (
        "the directory sync alone lies",
        &[],
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::LieDir("/")],
    ),
    (
        "append, sync that lies, append",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'B', 10), Act::Lie("/a"), Act::Append("/a", b'C', 10)],
    ),
    (
        "sync that lies, then one that does not",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'A', 10),
            Act::Lie("/a"),
            Act::Append("/a", b'B', 10),
            Act::Sync("/a"),
        ],
    ),
    (
        "sync that lies of one file, honest sync of another",
        &[Act::Create("/a"), Act::Create("/b"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'A', 10),
            Act::Lie("/a"),
            Act::Append("/b", b'B', 10),
            Act::Sync("/b"),
        ],
    ),
    (
        "failed sync, then one that lies",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[
            Act::Append("/a", b'B', 10),
            Act::FailSync("/a"),
            Act::Lie("/a"),
            Act::Append("/a", b'C', 10),
        ],
    ),
    (
        "sync that lies, then a failed one, then an honest one",
        &[Act::Create("/a"), Act::Append("/a", b'A', 10), Act::Sync("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'B', 10), Act::Lie("/a"), Act::FailSync("/a"), Act::Sync("/a")],
    ),
    (
        "sync that lies, then truncate",
        &[Act::Create("/a"), Act::SyncDir("/")],
        &[Act::Append("/a", b'A', 600), Act::Lie("/a"), Act::Truncate("/a", 10)],
    ),
    (
        "CURRENT switch whose syncs lie",
        CURRENT_OLD,
        &[
            Act::Create("/tmp"),
            Act::Append("/tmp", b'B', 16),
            Act::Lie("/tmp"),
            Act::Rename("/tmp", "/CURRENT"),
            Act::LieDir("/"),
        ],
    ),
];

fn table(profile: &'static Profile, programs: &[Program]) -> String {
    let mut text = String::new();
    for (name, before, program) in programs {
        let acts: Vec<Act> = before.iter().chain(*program).copied().collect();
        let found = images(&run(profile, &acts));
        assert_eq!(found, brute::images(profile.name, &acts), "{name}: disk and brute force");
        writeln!(text, "{name}: {} images", found.len()).expect("a string takes all");
        for image in found {
            writeln!(text, "    {image}").expect("a string takes all");
        }
    }
    text
}

#[test]
fn posix_weak_allows_exactly_these_images() {
    insta::assert_snapshot!("posix-weak", table(&POSIX_WEAK, PROGRAMS));
}

#[test]
fn ext4_ordered_allows_exactly_these_images() {
    insta::assert_snapshot!("ext4-ordered", table(&EXT4_ORDERED, PROGRAMS));
}

#[test]
fn xfs_allows_exactly_these_images() {
    insta::assert_snapshot!("xfs", table(&XFS, PROGRAMS));
}

#[test]
fn btrfs_allows_exactly_these_images() {
    insta::assert_snapshot!("btrfs", table(&BTRFS, PROGRAMS));
}

#[test]
fn ext4_journal_allows_exactly_these_images() {
    insta::assert_snapshot!("ext4-journal", table(&EXT4_JOURNAL, PROGRAMS));
}

#[test]
fn device_lies_allows_exactly_these_images() {
    insta::assert_snapshot!("device-lies", table(&DEVICE_LIES, LIES));
}

#[test]
fn a_device_that_tells_the_truth_leaves_what_posix_weak_does() {
    assert_eq!(table(&DEVICE_LIES, PROGRAMS), table(&POSIX_WEAK, PROGRAMS));
}
