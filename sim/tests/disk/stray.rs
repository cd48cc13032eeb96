//! Bytes at a wrong place: what the two ends of a misdirected write show, and a misdirected read.

use faultline_sim::disk::{Damage, Disk, Fd, POSIX_WEAK, SECTOR, Spot, Stray, SyncOutcome};

use crate::media::{ids, lose_power, read};
use crate::program::{Act, Draws, run};

/// Two files of which all is durable, with their names: sectors of 512 and 88 bytes, and of 512,
/// 512 and 176.
const TWO: &[Act] = &[
    Act::Create("/a"),
    Act::Append("/a", b'A', 600),
    Act::Sync("/a"),
    Act::Create("/b"),
    Act::Append("/b", b'B', 1200),
    Act::Sync("/b"),
    Act::SyncDir("/"),
];

fn spot(disk: &Disk, name: &str, sector: u32) -> Spot {
    Spot { ino: disk.lookup(name).expect("the file"), sector }
}

fn whole(disk: &mut Disk, name: &str) -> Vec<u8> {
    let fd = disk.open(name).expect("the file");
    let bytes = read(disk, fd, 0, 10_000).expect("reads");
    disk.close(fd);
    bytes
}

/// Appends 1000 bytes to `/a` and syncs it; the write of the sector `missed` goes to `hit`.
fn misdirected(missed: u32, hit: (&str, u32)) -> (Disk, Fd) {
    let mut disk = run(&POSIX_WEAK, TWO);
    let fd = disk.open("/a").expect("the file");
    let write = disk.begin_append(fd, &[b'C'; 1000]).expect("room");
    disk.finish_append(write, 1000);
    let ticket = disk.begin_sync(fd);
    let due = disk.due(&ticket);
    let sectors: Vec<u32> = due.iter().map(|(spot, _)| spot.sector).collect();
    assert_eq!(sectors, [1, 2, 3], "those that the append has touched");
    disk.finish_sync(ticket, SyncOutcome::Ok);
    let (missed, held) = due.iter().find(|(spot, _)| spot.sector == missed).expect("it is due");
    let hit = spot(&disk, hit.0, hit.1);
    assert_eq!(disk.misdirect(*missed, held, hit), Some(1));
    (disk, fd)
}

fn bytes(pieces: &[(u8, usize)]) -> Vec<u8> {
    pieces.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect()
}

#[test]
fn a_missed_place_shows_what_it_held_and_the_place_that_was_hit_the_bytes_of_the_other() {
    let (mut disk, _) = misdirected(1, ("/b", 1));
    // Of the sector the first 88 bytes had been written before; nothing else of it had.
    let missed = bytes(&[(b'A', 600), (0, 424), (b'C', 576)]);
    let hit = bytes(&[(b'B', 512), (b'A', 88), (b'C', 424), (b'B', 176)]);
    for _ in 0..2 {
        assert_eq!((whole(&mut disk, "/a"), whole(&mut disk, "/b")), (missed.clone(), hit.clone()));
    }
    assert_eq!(disk.rotten_bytes("/a", &[]), Ok(Some(missed)));
    assert_eq!(disk.rotten_bytes("/b", &[]), Ok(Some(hit)));
    let written = bytes(&[(b'A', 600), (b'C', 1000)]);
    assert_eq!(disk.bytes("/a"), Ok(&written[..]), "the flaws change no bytes");
    assert_eq!(disk.bytes("/b"), Ok(&[b'B'; 1200][..]));
    assert_eq!((disk.size("/a"), disk.size("/b")), (Ok(1600), Ok(1200)));
}

#[test]
fn only_who_reads_a_byte_that_differs_is_given_something_else() {
    let (disk, fd) = misdirected(1, ("/b", 1));
    for (range, shows) in [(0..600, false), (0..601, true), (1023..1024, true), (1024..1600, false)]
    {
        assert_eq!(disk.shows_flaw(fd, &range), shows, "{range:?}");
    }
}

#[test]
fn a_write_may_go_to_another_place_of_its_own_file_and_not_behind_its_end() {
    let (mut disk, _) = misdirected(3, ("/a", 0));
    let missed = bytes(&[(b'C', 64), (0, 448), (b'A', 88), (b'C', 936), (0, 64)]);
    assert_eq!(whole(&mut disk, "/a"), missed);
    let (mut disk, _) = misdirected(2, ("/b", 2));
    assert_eq!(whole(&mut disk, "/b"), bytes(&[(b'B', 1024), (b'C', 176)]), "no byte more");
}

#[test]
fn the_two_ends_have_one_number_and_are_healed_and_listed_together() {
    let (mut disk, _) = misdirected(1, ("/b", 1));
    let strays: Vec<&Damage> = disk.flaws().iter().map(|flaw| &flaw.damage).collect();
    let [Damage::Stray(Stray::Missed, _), Damage::Stray(Stray::Hit, _)] = &strays[..] else {
        panic!("{strays:?}")
    };
    assert_eq!(ids(&disk), [1, 1]);
    let listing = disk.listing();
    for line in [
        "flaw 1: a sector 1: a write missed it, synced\n",
        "flaw 1: b sector 1: a write to another place hit it, synced\n",
    ] {
        assert!(listing.contains(line), "{line} in {listing}");
    }
    assert!(disk.heal(1) && !disk.heal(1));
    assert_eq!(whole(&mut disk, "/a"), bytes(&[(b'A', 600), (b'C', 1000)]));
    assert_eq!(whole(&mut disk, "/b"), [b'B'; 1200]);
}

#[test]
fn a_write_over_one_end_leaves_the_other() {
    for (name, left) in [("/a", Stray::Hit), ("/b", Stray::Missed)] {
        let (mut disk, _) = misdirected(1, ("/b", 1));
        let fd = disk.open(name).expect("the file");
        let write = disk.begin_write(fd, 700, b"D").expect("room");
        disk.finish_append(write, 1);
        let [flaw] = disk.flaws() else { panic!("one is left: {:?}", disk.flaws()) };
        assert!(matches!(&flaw.damage, Damage::Stray(stray, _) if *stray == left), "{flaw:?}");
    }
}

#[test]
fn both_ends_survive_crashes() {
    let (mut disk, _) = misdirected(1, ("/b", 1));
    let shown = (whole(&mut disk, "/a"), whole(&mut disk, "/b"));
    disk.process_death(&mut Draws(1));
    assert_eq!((whole(&mut disk, "/a"), whole(&mut disk, "/b")), shown);
    lose_power(&mut disk);
    assert_eq!((whole(&mut disk, "/a"), whole(&mut disk, "/b")), shown);
    assert_eq!(ids(&disk), [1, 1]);
}

#[test]
fn what_would_show_nothing_is_no_flaw() {
    let mut disk = run(&POSIX_WEAK, TWO);
    let (first, second) = (spot(&disk, "/b", 0), spot(&disk, "/b", 1));
    let (other, zeros) = (spot(&disk, "/a", 0), [0; SECTOR as usize]);
    assert_eq!(disk.misdirect(first, &[b'B'; SECTOR as usize], other), None, "nothing is missed");
    assert_eq!(disk.misdirect(first, &zeros, second), None, "it holds the same");
    assert_eq!(disk.misdirect(first, &zeros, first), None, "that is where it belongs");
    assert_eq!(disk.misread(first, second), None, "it holds the same");
    assert_eq!(ids(&disk), [0; 0]);
    assert_eq!(disk.misdirect(first, &zeros, other), Some(1), "numbers were not used up");
}

#[test]
fn what_is_due_is_what_the_cache_alone_has_and_only_named_files_have_places() {
    let mut disk = run(&POSIX_WEAK, TWO);
    let fd = disk.open("/a").expect("the file");
    let ticket = disk.begin_sync(fd);
    assert_eq!(disk.due(&ticket), [], "all of it is durable");
    disk.finish_sync(ticket, SyncOutcome::Ok);
    let write = disk.begin_write(fd, 0, b"D").expect("room");
    disk.finish_append(write, 1);
    let ticket = disk.begin_sync(fd);
    let first = spot(&disk, "/a", 0);
    assert_eq!(disk.due(&ticket), [(first, [b'A'; SECTOR as usize])]);
    disk.finish_sync(ticket, SyncOutcome::Failed);
    assert!(!disk.is_at_rest(first), "nobody knows what is on the medium");
    let b = spot(&disk, "/b", 0).ino;
    let of_b = [0, 1, 2].map(|sector| Spot { ino: b, sector }).to_vec();
    assert_eq!(disk.all_at_rest(), [vec![spot(&disk, "/a", 1)], of_b.clone()]);
    disk.remove("/a").expect("the file");
    assert_eq!(disk.all_at_rest(), [of_b], "it is open, and has no name");
}

#[test]
fn a_misread_shows_other_bytes_until_it_is_ended_or_the_process_is() {
    let misread = || {
        let mut disk = run(&POSIX_WEAK, TWO);
        let (first, second) = (spot(&disk, "/a", 1), spot(&disk, "/b", 0));
        disk.misread(first, second);
        disk.misread(second, first);
        assert_eq!(whole(&mut disk, "/a"), bytes(&[(b'A', 512), (b'B', 88)]));
        assert_eq!(whole(&mut disk, "/b"), bytes(&[(b'A', 88), (0, 424), (b'B', 688)]));
        disk
    };
    let mut disk = misread();
    let fd = disk.open("/b").expect("the file");
    disk.spoil(fd, 1);
    disk.end_misreads(Some(disk.ino(fd)));
    assert_eq!(ids(&disk), [1, 3], "that of the other file, and what is no misread");
    disk.end_misreads(None);
    assert_eq!(ids(&disk), [3]);
    let mut disk = misread();
    disk.process_death(&mut Draws(1));
    assert_eq!(ids(&disk), [0; 0]);
    let mut disk = misread();
    lose_power(&mut disk);
    assert_eq!(ids(&disk), [0; 0]);
}
