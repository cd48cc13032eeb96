//! What the disk had promised and a crash took: on a device that lies, and where a failed sync
//! takes bytes back, or is told of late.

use std::collections::BTreeSet;

use faultline_sim::disk::{BTRFS, DEVICE_LIES, Disk, EXT4_JOURNAL, POSIX_WEAK, SyncOutcome};

use crate::program::{Act, Draws, images, run};

const LIED: &[Act] = &[
    Act::Create("/a"),
    Act::SyncDir("/"),
    Act::Append("/a", b'A', 10),
    Act::Append("/a", b'B', 600),
    Act::Lie("/a"),
    Act::Append("/a", b'C', 10),
    Act::Create("/b"),
    Act::LieDir("/"),
    Act::Create("/c"),
];

fn broken(disk: &Disk) -> Vec<String> {
    disk.broken_promises().iter().map(|op| op.describe(disk)).collect()
}

#[test]
fn operations_are_named_that_a_sync_had_covered_and_the_image_lacks() {
    let disk = run(&DEVICE_LIES, LIED);
    let promised = ["write a 0..10", "write a 10..610", "create b"];
    let mut seen = BTreeSet::new();
    for seed in 0..500 {
        let mut crashed = disk.clone();
        crashed.power_loss(&mut Draws(seed));
        let found = broken(&crashed);
        assert!(found.iter().all(|op| promised.contains(&op.as_str())), "{found:?}");
        let shows_all = crashed
            .bytes("/a")
            .is_ok_and(|bytes| bytes.starts_with(&[[b'A'; 10].as_slice(), &[b'B'; 600]].concat()));
        assert_eq!(found.iter().all(|op| op == "create b"), shows_all, "{found:?}");
        assert_eq!(found.contains(&"create b".to_owned()), !crashed.exists("/b"), "{found:?}");
        seen.insert(found);
    }
    // Nothing, either append, both, and each of these without `b`; the first append alone never,
    // because the second covers the same sector.
    assert!(5 < seen.len(), "{seen:?}");
}

#[test]
fn the_death_of_the_process_breaks_no_promise_and_a_power_loss_after_it_does() {
    let mut disk = run(&DEVICE_LIES, LIED);
    let legal = images(&disk);
    disk.process_death(&mut Draws(1));
    assert_eq!(broken(&disk), [""; 0]);
    assert_eq!(images(&disk), legal, "nothing became durable, and no promise is forgotten");
}

#[test]
fn promises_end_with_the_power_loss() {
    let lost = (0..100).map(|seed| {
        let mut disk = run(&DEVICE_LIES, LIED);
        disk.power_loss(&mut Draws(seed));
        disk
    });
    let mut disk = lost.into_iter().find(|disk| !disk.broken_promises().is_empty());
    let disk = disk.as_mut().expect("a power loss that breaks one");
    disk.power_loss(&mut Draws(1));
    assert_eq!(broken(disk), [""; 0], "nothing was pending any more");
}

#[test]
#[should_panic(expected = "an honest device does not lie")]
fn an_honest_device_is_not_told_to_lie() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let fd = disk.create("/a").expect("a free name");
    let ticket = disk.begin_sync(fd);
    disk.finish_sync(ticket, SyncOutcome::Lied);
}

const TAKEN_BACK: &[Act] = &[
    Act::Create("/a"),
    Act::Append("/a", b'A', 10),
    Act::Sync("/a"),
    Act::Append("/a", b'B', 600),
    Act::FailSync("/a"),
    Act::Append("/a", b'C', 10),
];

#[test]
fn what_a_failed_sync_took_back_is_missed_by_the_death_of_the_process_alone() {
    let disk = run(&BTRFS, TAKEN_BACK);
    assert_eq!(disk.size("/a"), Ok(620), "the writer goes on where it was");
    let mut dead = disk.clone();
    dead.process_death(&mut Draws(1));
    assert_eq!(broken(&dead), ["write a 10..610"], "it was completed, and readers do not see it");
    dead.process_death(&mut Draws(1));
    assert_eq!(broken(&dead), [""; 0], "that is told once");
    for seed in 0..20 {
        let mut crashed = disk.clone();
        crashed.power_loss(&mut Draws(seed));
        assert_eq!(broken(&crashed), [""; 0], "no sync had covered it");
    }
}

#[test]
fn what_a_sync_has_lost_and_not_told_is_a_broken_promise() {
    let late = [
        Act::Create("/a"),
        Act::Create("/b"),
        Act::Append("/b", b'X', 10),
        Act::Append("/a", b'A', 10),
        Act::FailSync("/a"),
    ];
    let disk = run(&EXT4_JOURNAL, &late);
    let expected = ["a=.10 b=X10 !", "a=A10 b=X10"];
    assert_eq!(
        images(&disk).into_iter().collect::<Vec<_>>(),
        expected,
        "the journal kept the rest"
    );
    let mut dead = disk.clone();
    dead.process_death(&mut Draws(1));
    assert_eq!(broken(&dead), [""; 0], "the cache has the bytes");
    assert_eq!(images(&dead), images(&disk), "and no promise is forgotten");
}

#[test]
fn a_late_error_is_told_once_to_each_open_file() {
    let mut disk = Disk::new(&EXT4_JOURNAL);
    let first = disk.create("/a").expect("a free name");
    let second = disk.open("/a").expect("the file");
    let write = disk.begin_append(first, b"bytes").expect("no capacity is set");
    disk.finish_append(write, 5);
    let mut sync = |fd, outcome| {
        let ticket = disk.begin_sync(fd);
        let is_told = disk.take_late_error(&ticket);
        disk.finish_sync(ticket, if is_told { SyncOutcome::Told } else { outcome });
        is_told
    };
    assert!(!sync(first, SyncOutcome::Failed), "it fails later");
    assert!(sync(second, SyncOutcome::Ok));
    assert!(!sync(second, SyncOutcome::Ok), "once");
    assert!(sync(first, SyncOutcome::Ok), "the other has not heard of it");
    assert!(!sync(first, SyncOutcome::Ok));
    let third = disk.open("/a").expect("the file");
    let ticket = disk.begin_sync(third);
    assert!(!disk.take_late_error(&ticket), "opened when everybody knew");
    disk.finish_sync(ticket, SyncOutcome::Ok);
}

#[test]
fn what_left_the_cache_without_reaching_the_medium_is_missed_by_the_death_of_the_process() {
    let lost = [
        Act::Create("/a"),
        Act::Append("/a", b'A', 10),
        Act::Sync("/a"),
        Act::Append("/a", b'B', 10),
        Act::FailWriteBack("/a"),
        Act::Append("/a", b'C', 5000),
    ];
    let mut disk = run(&POSIX_WEAK, &lost);
    disk.evict();
    assert_eq!(disk.bytes("/a").map(|bytes| bytes[10]), Ok(b'B'), "the page is dirty again");
    let mut disk = run(&POSIX_WEAK, &lost[..5]);
    disk.evict();
    assert_eq!(disk.bytes("/a"), Ok(&[[b'A'; 10], [0; 10]].concat()[..]), "it is old, not shorter");
    disk.process_death(&mut Draws(1));
    assert_eq!(broken(&disk), ["write a 10..20"]);
}
