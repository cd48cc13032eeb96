//! Damage of the medium: who sees it, what it never changes, and what ends it.

use std::ops::ControlFlow;

use faultline_sim::disk::{
    Damage, Disk, Errno, Fd, Flaw, POSIX_WEAK, PROFILES, Pick, SECTOR, Spot, SyncOutcome,
};
use proptest::prelude::*;

use crate::program::{Act, Draws, act_on, run};

/// Four sectors, the last one in part; all of it durable, and so is the name.
const AT_REST: &[Act] =
    &[Act::Create("/a"), Act::SyncDir("/"), Act::Append("/a", b'A', 1600), Act::Sync("/a")];

fn at_rest() -> (Disk, Fd) {
    let mut disk = run(&POSIX_WEAK, AT_REST);
    let fd = disk.open("/a").expect("the file");
    (disk, fd)
}

pub(crate) fn read(disk: &Disk, fd: Fd, offset: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; len];
    let count = disk.read_at(fd, offset, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// How many bits differ, in each sector.
fn flipped(left: &[u8], right: &[u8]) -> Vec<u32> {
    assert_eq!(left.len(), right.len());
    let sectors = left.chunks(SECTOR as usize).zip(right.chunks(SECTOR as usize));
    let bits = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum();
    sectors.map(bits).collect()
}

pub(crate) fn ids(disk: &Disk) -> Vec<u32> {
    disk.flaws().iter().map(|flaw| flaw.id).collect()
}

/// Takes the power, and of all that is pending leaves what was durable.
pub(crate) fn lose_power(disk: &mut Disk) {
    struct First;
    impl Pick for First {
        fn pick(&mut self, _: u32) -> u32 {
            0
        }
    }
    disk.power_loss(&mut First);
}

/// The disk after a power loss that leaves what `is_it` says.
fn left(disk: &Disk, is_it: &dyn Fn(&Disk) -> bool) -> Disk {
    let space = disk.crash_space();
    let mut found = None;
    let walked = space.walk(&mut |fates| {
        found = Some(space.disk(fates)).filter(|disk| is_it(disk));
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(walked.is_break(), "some image is as wanted");
    found.expect("the walk ended there")
}

#[test]
fn who_reads_a_rotten_sector_gets_the_same_flipped_bits_every_time() {
    let mut seen = Vec::new();
    for draw in 0..64 {
        let (mut disk, fd) = at_rest();
        assert_eq!(disk.rot(fd, 3, draw), 1);
        let whole = read(&disk, fd, 0, 1600).expect("reads");
        let bits = flipped(&whole, &[b'A'; 1600]);
        assert!(bits[..3].iter().all(|bits| *bits == 0), "other sectors are whole: {bits:?}");
        assert!((1..=8).contains(&bits[3]), "a few bits: {bits:?}");
        // In any piece, again, and by who opens the file later.
        let other = disk.open("/a").expect("the file");
        for offset in [1, 1500, 1536, 1570] {
            let piece = read(&disk, other, offset, 1600).expect("reads");
            assert_eq!(piece, whole[offset as usize..], "from {offset}");
        }
        seen.push(whole);
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 50, "{} different outcomes of 64 draws", seen.len());
}

#[test]
fn a_flaw_lies_over_the_bytes_and_changes_none() {
    let (mut disk, fd) = at_rest();
    let (image, hash) = (disk.image(), disk.image_hash());
    disk.rot(fd, 0, 7);
    disk.spoil(fd, 2);
    assert_eq!(disk.bytes("/a"), Ok(&[b'A'; 1600][..]));
    assert_eq!((disk.image(), disk.image_hash()), (image, hash));
    let rotten = disk.rotten_bytes("/a", &[]).expect("a file").expect("some of it has rotted");
    let bits = flipped(&rotten, &[b'A'; 1600]);
    assert!(0 < bits[0] && bits[1..] == [0, 0, 0], "nobody reads the other one: {bits:?}");
    assert!(disk.heal(1) && !disk.heal(1));
    assert_eq!(disk.rotten_bytes("/a", &[]), Ok(None));
    assert_eq!(read(&disk, fd, 0, 1024), Ok(vec![b'A'; 1024]), "the first is healed");
    assert_eq!(read(&disk, fd, 0, 1025), Err(Errno::Io), "the second is not");
    disk.heal_all();
    assert_eq!(read(&disk, fd, 0, 2000), Ok(vec![b'A'; 1600]));
    assert_eq!((ids(&disk), disk.spoil(fd, 1)), (vec![], 3), "a number is given once");
}

#[test]
fn who_touches_an_unreadable_sector_gets_an_error_every_time() {
    let (mut disk, fd) = at_rest();
    disk.spoil(fd, 1);
    for (offset, len, fails) in
        [(0, 512, false), (0, 513, true), (600, 1, true), (1023, 9, true), (1024, 900, false)]
    {
        for _ in 0..2 {
            let result = read(&disk, fd, offset, len);
            assert_eq!(result.err(), fails.then_some(Errno::Io), "{len} bytes from {offset}");
        }
        let range = offset..offset + len as u64;
        assert_eq!(disk.shows_flaw(fd, &range), fails, "{len} bytes from {offset}");
    }
}

#[test]
fn only_whole_sectors_at_rest_get_a_flaw_and_one_at_most() {
    let (mut disk, fd) = at_rest();
    assert_eq!(disk.at_rest(fd, 0..9999), [0, 1, 2, 3]);
    assert_eq!(disk.at_rest(fd, 511..513), [0, 1]);
    assert_eq!(disk.at_rest(fd, 512..1024), [1]);
    assert_eq!(disk.at_rest(fd, 1600..9999), [0; 0]);
    disk.spoil(fd, 1);
    assert_eq!(disk.at_rest(fd, 0..9999), [0, 2, 3], "one of them has one");
    let write = disk.begin_write(fd, 100, b"B").expect("room");
    disk.finish_append(write, 1);
    let write = disk.begin_append(fd, &[b'C'; 600]).expect("room");
    disk.finish_append(write, 600);
    assert_eq!(disk.at_rest(fd, 0..9999), [2], "the others are in the cache, and pending");
    let ticket = disk.begin_sync(fd);
    disk.finish_sync(ticket, SyncOutcome::Failed);
    assert_eq!(disk.at_rest(fd, 0..9999), [2], "nobody knows what is on the medium");
    lose_power(&mut disk);
    let fd = disk.open("/a").expect("the file");
    assert_eq!(disk.at_rest(fd, 0..9999), [0, 2, 3]);
}

#[test]
fn a_sector_that_is_written_over_or_cut_off_is_healed() {
    let flawed = || {
        let (mut disk, fd) = at_rest();
        for sector in 0..4 {
            disk.spoil(fd, sector);
        }
        (disk, fd)
    };
    let after_write = |offset: u64, len: usize| {
        let (mut disk, fd) = flawed();
        let write = disk.begin_write(fd, offset, &vec![b'B'; len]).expect("room");
        disk.finish_append(write, len);
        ids(&disk)
    };
    assert_eq!(after_write(0, 1), [2, 3, 4]);
    assert_eq!(after_write(511, 2), [3, 4]);
    assert_eq!(after_write(512, 512), [1, 3, 4]);
    assert_eq!(after_write(1600, 1), [1, 2, 3], "an append to its sector");
    let (mut disk, fd) = flawed();
    let write = disk.begin_write(fd, 0, &[b'B'; 1000]).expect("room");
    disk.finish_append(write, 512);
    assert_eq!(ids(&disk), [2, 3, 4], "as far as the write came");
    for (size, left) in [(1600, 4), (1537, 4), (1536, 3), (1, 1), (0, 0)] {
        let (mut disk, _) = flawed();
        disk.truncate("/a", size).expect("the file");
        assert_eq!(disk.flaws().len(), left, "cut to {size}");
    }
    let (mut disk, _) = flawed();
    disk.create("/a").expect("the file");
    assert_eq!(ids(&disk), [0; 0], "created anew");
}

#[test]
fn a_flaw_survives_crashes_and_goes_with_its_file() {
    let (mut disk, fd) = at_rest();
    disk.spoil(fd, 1);
    disk.process_death(&mut Draws(1));
    let fd = disk.open("/a").expect("the file");
    assert_eq!(read(&disk, fd, 600, 1), Err(Errno::Io), "behind the death of a process");
    lose_power(&mut disk);
    let fd = disk.open("/a").expect("the file");
    assert_eq!(read(&disk, fd, 600, 1), Err(Errno::Io), "behind a power loss");
    disk.close(fd);
    // A removal that the power loss takes back brings the flaw back with the file.
    disk.remove("/a").expect("the file");
    lose_power(&mut disk);
    let fd = disk.open("/a").expect("the file");
    assert_eq!(read(&disk, fd, 600, 1), Err(Errno::Io));
    disk.rename("/a", "/b").expect("the file");
    disk.close(fd);
    let fd = disk.open("/b").expect("the file");
    assert_eq!(read(&disk, fd, 600, 1), Err(Errno::Io), "by another name");
    disk.close(fd);
    disk.remove("/b").expect("the file");
    let ticket = disk.begin_sync_dir("/").expect("a directory");
    disk.finish_sync(ticket, SyncOutcome::Ok);
    assert_eq!(ids(&disk), [0; 0], "no crash can bring it back");
}

#[test]
fn a_file_that_a_power_loss_leaves_shorter_has_no_flaw_behind_its_end() {
    let (mut disk, fd) = at_rest();
    disk.spoil(fd, 1);
    disk.spoil(fd, 0);
    disk.truncate("/a", 513).expect("the file");
    let cut = left(&disk, &|disk| disk.size("/a") == Ok(513));
    assert_eq!(ids(&cut), [1, 2]);
    disk.truncate("/a", 512).expect("the file");
    let cut = left(&disk, &|disk| disk.size("/a") == Ok(512));
    assert_eq!(ids(&cut), [2]);
}

#[test]
fn flaws_are_listed_with_whether_a_sync_had_covered_them() {
    let (mut disk, fd) = at_rest();
    disk.spoil(fd, 0);
    disk.rot(fd, 1, 5);
    let Damage::Rot(flips) = &disk.flaws()[1].damage else { panic!("it has rotted") };
    let bits: u32 = flips.iter().map(|(_, bits)| bits.count_ones()).sum();
    let listing = disk.listing();
    for line in [
        "flaw 1: a sector 0: cannot be read, synced\n".to_owned(),
        format!("flaw 2: a sector 1: {bits} bits flipped, synced\n"),
    ] {
        assert!(listing.contains(&line), "{line} in {listing}");
    }
    assert_eq!(disk.files()[0].note, "damaged");
    // Bytes that came to the medium by luck were never promised.
    let acts = [Act::Create("/c"), Act::SyncDir("/"), Act::Append("/c", b'C', 100)];
    let disk = run(&POSIX_WEAK, &acts);
    let mut lucky = left(&disk, &|disk| disk.bytes("/c") == Ok(&[b'C'; 100]));
    let fd = lucky.open("/c").expect("the file");
    lucky.spoil(fd, 0);
    assert_eq!(lucky.describe_flaw(&lucky.flaws()[0]), "c sector 0: cannot be read, not synced");
}

#[test]
fn equal_disks_with_other_flaws_are_told_apart() {
    let (mut disk, fd) = at_rest();
    let before = disk.fingerprint();
    disk.rot(fd, 0, 1);
    let (mut other, fd) = at_rest();
    other.rot(fd, 0, 2);
    assert_ne!(disk.fingerprint(), before);
    assert_ne!(disk.fingerprint(), other.fingerprint());
    disk.heal_all();
    assert_eq!(disk.fingerprint(), before);
    disk.reset(&POSIX_WEAK);
    assert_eq!(ids(&disk), [0; 0]);
}

/// What befalls two equal disks, of which one has flaws.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Call(Act),
    /// Damages the sector of this number among those at rest: with rot, or so that nobody can
    /// read it.
    Strike(&'static str, u32, bool),
    /// Syncs the file; the write of the first sector that this makes durable goes to the place of
    /// this number among those at rest.
    Misdirect(&'static str, usize),
    Heal(u32),
    Death,
    PowerLoss(u64),
}

const FILES: [&str; 3] = ["/a", "/b", "/c"];

fn blow() -> impl Strategy<Value = Blow> {
    let file = || prop::sample::select(&FILES[..]);
    let len = || prop::sample::select(&[1_u32, 100, 512, 700, 3500, 9000][..]);
    let offset = || prop::sample::select(&[0_u32, 100, 512, 700, 3900, 4096][..]);
    prop_oneof![
        3 => file().prop_map(|file| Blow::Call(Act::Create(file))),
        6 => (file(), len()).prop_map(|(file, len)| Blow::Call(Act::Append(file, b'x', len))),
        3 => (file(), offset(), len())
            .prop_map(|(file, at, len)| Blow::Call(Act::Write(file, at, b'y', len))),
        2 => (file(), offset()).prop_map(|(file, size)| Blow::Call(Act::Truncate(file, size))),
        2 => (file(), file()).prop_map(|(from, to)| Blow::Call(Act::Rename(from, to))),
        1 => file().prop_map(|file| Blow::Call(Act::Remove(file))),
        6 => file().prop_map(|file| Blow::Call(Act::Sync(file))),
        1 => file().prop_map(|file| Blow::Call(Act::FailSync(file))),
        3 => Just(Blow::Call(Act::SyncDir("/"))),
        1 => Just(Blow::Call(Act::Evict)),
        8 => (file(), 0..8_u32, any::<bool>())
            .prop_map(|(file, n, rot)| Blow::Strike(file, n, rot)),
        5 => (file(), 0..40_usize).prop_map(|(file, n)| Blow::Misdirect(file, n)),
        1 => (0..6_u32).prop_map(Blow::Heal),
        1 => Just(Blow::Death),
        2 => any::<u64>().prop_map(Blow::PowerLoss),
    ]
}

/// Syncs a file; the first of its sectors that come to rest by that misses its place.
fn misdirect(disk: &mut Disk, file: &str, nth: usize) {
    let Ok(fd) = disk.open(file) else { return };
    let ticket = disk.begin_sync(fd);
    let due = disk.due(&ticket);
    let is_told = disk.take_late_error(&ticket);
    disk.finish_sync(ticket, if is_told { SyncOutcome::Told } else { SyncOutcome::Ok });
    disk.close(fd);
    let spots: Vec<Spot> = disk.all_at_rest().concat();
    if let Some((missed, held)) = due.iter().find(|(spot, _)| disk.is_at_rest(*spot))
        && let Some(hit) = spots.get(nth % spots.len())
    {
        disk.misdirect(*missed, held, *hit);
    }
}

/// Every sector of every file shows its flaw, if it has one, and else what the other disk shows.
fn compare(flawed: &mut Disk, whole: &mut Disk) {
    assert_eq!(flawed.image(), whole.image(), "flaws change no bytes");
    for file in FILES {
        let Ok(ino) = flawed.lookup(file) else { continue };
        let fd = flawed.open(file).expect("a file");
        let bytes = whole.bytes(file).expect("a file").to_vec();
        for (sector, expected) in bytes.chunks(SECTOR as usize).enumerate() {
            let found = read(flawed, fd, sector as u64 * u64::from(SECTOR), SECTOR as usize);
            let is_it = |flaw: &&Flaw| (flaw.ino, flaw.sector as usize) == (ino, sector);
            let flaws: Vec<&Flaw> = flawed.flaws().iter().filter(is_it).collect();
            match &flaws[..] {
                [] => assert_eq!(found, Ok(expected.to_vec())),
                [Flaw { damage: Damage::Unreadable, .. }] => assert_eq!(found, Err(Errno::Io)),
                [Flaw { damage, .. }] => {
                    let mut expected = expected.to_vec();
                    for (byte, bits) in damage.flips() {
                        let shown = expected.get_mut(*byte as usize);
                        if let Some(byte) = shown {
                            *byte ^= bits;
                        }
                    }
                    assert_eq!(found, Ok(expected));
                }
                more => panic!("more than one flaw: {more:?}"),
            }
        }
        flawed.close(fd);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_disk_with_flaws_is_the_same_disk_with_flaws_over_it(
        profile in 0..PROFILES.len(),
        blows in prop::collection::vec(blow(), 1..40),
    ) {
        let profile = PROFILES[profile];
        let second = [Act::Create("/b"), Act::Append("/b", b'B', 9000), Act::Sync("/b")];
        let begun = [AT_REST, &second].concat();
        let (mut flawed, mut whole) = (run(profile, &begun), run(profile, &begun));
        for (number, blow) in (0..).zip(blows) {
            match blow {
                Blow::Call(act) => {
                    act_on(&mut flawed, act);
                    act_on(&mut whole, act);
                }
                Blow::Strike(file, nth, rots) => {
                    let Ok(fd) = flawed.open(file) else { continue };
                    let sectors = flawed.at_rest(fd, 0..u64::from(u32::MAX));
                    if let Some(&sector) = sectors.get(nth as usize) {
                        if rots {
                            flawed.rot(fd, sector, number);
                        } else {
                            flawed.spoil(fd, sector);
                        }
                    }
                    flawed.close(fd);
                }
                Blow::Misdirect(file, nth) => {
                    act_on(&mut whole, Act::Sync(file));
                    misdirect(&mut flawed, file, nth);
                }
                Blow::Heal(id) => {
                    flawed.heal(id);
                }
                Blow::Death => {
                    flawed.process_death(&mut Draws(1));
                    whole.process_death(&mut Draws(1));
                }
                Blow::PowerLoss(seed) => {
                    flawed.power_loss(&mut Draws(seed));
                    whole.power_loss(&mut Draws(seed));
                }
            }
            compare(&mut flawed, &mut whole);
        }
        flawed.heal_all();
        prop_assert_eq!(flawed.fingerprint(), whole.fingerprint());
    }
}
