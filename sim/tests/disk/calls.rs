//! The calls as a running program sees them: names, reads, errors, space, locks.

use faultline_sim::disk::{Disk, EXT4_ORDERED, Errno, Fd, POSIX_WEAK, SyncOutcome};

use crate::program::Draws;

fn append(disk: &mut Disk, fd: Fd, bytes: &[u8]) -> usize {
    let write = disk.begin_append(fd, bytes).expect("room for some");
    let accepted = write.accepted();
    disk.finish_append(write, accepted);
    accepted
}

fn sync(disk: &mut Disk, fd: Fd) {
    let ticket = disk.begin_sync(fd);
    disk.finish_sync(ticket, SyncOutcome::Ok);
}

fn content(disk: &Disk, fd: Fd) -> Vec<u8> {
    let mut bytes = vec![0; disk.file_size(fd) as usize];
    assert_eq!(disk.read_at(fd, 0, &mut bytes), Ok(bytes.len()));
    bytes
}

fn list(disk: &Disk, dir: &str) -> Vec<String> {
    let mut names = Vec::new();
    disk.list(dir, &mut |name| names.push(name.to_owned())).expect("a directory");
    names
}

#[test]
fn names_behave_as_posix_says() {
    let mut disk = Disk::new(&POSIX_WEAK);
    assert_eq!(disk.open("/a").err(), Some(Errno::NotFound));
    assert_eq!(disk.create("/d/a").err(), Some(Errno::NotFound));
    disk.create_dir("/d").expect("a free name");
    assert_eq!(disk.create_dir("/d"), Err(Errno::Exists));
    assert_eq!(disk.create("/d").err(), Some(Errno::IsADirectory));
    assert_eq!(disk.open("/d").err(), Some(Errno::IsADirectory));
    assert_eq!(disk.create("/").err(), Some(Errno::Exists));
    let fd = disk.create("/d/b").expect("a free name");
    assert_eq!(disk.create("/d/b/c").err(), Some(Errno::NotADirectory));
    assert_eq!(append(&mut disk, fd, b"hello"), 5);
    let again = disk.open_or_create("/d/b").expect("the file");
    assert_eq!(content(&disk, again), b"hello");
    assert_eq!(disk.bytes("/d/b"), Ok(&b"hello"[..]));
    assert_eq!(disk.remove_dir("/d"), Err(Errno::NotEmpty));
    assert_eq!(disk.remove("/d"), Err(Errno::IsADirectory));
    disk.link("/d/b", "/d/a").expect("a free name");
    assert_eq!(disk.link("/d/b", "/d/a"), Err(Errno::Exists));
    assert_eq!(list(&disk, "/d"), ["a", "b"]);
    disk.rename("/d/a", "/d/b").expect("two names of one file");
    assert_eq!(list(&disk, "/d"), ["a", "b"]);
    disk.remove("/d/a").expect("a file");
    disk.remove("/d/b").expect("a file");
    assert_eq!(content(&disk, fd), b"hello", "an open file lives on without a name");
    disk.remove_dir("/d").expect("empty");
    assert!(!disk.exists("/d"));
    assert_eq!(disk.size("/d/b"), Err(Errno::NotFound));
}

#[test]
fn create_empties_a_file_and_keeps_its_inode() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let old = disk.create("/a").expect("a free name");
    append(&mut disk, old, b"old");
    let new = disk.create("/a").expect("a file");
    assert_eq!(disk.ino(old), disk.ino(new));
    assert_eq!(disk.file_size(old), 0);
    assert_eq!(disk.truncate("/a", 1), Err(Errno::Invalid));
    assert_eq!(disk.begin_write(new, 1, b"x").err(), Some(Errno::Invalid));
}

#[test]
fn a_write_is_visible_when_it_completes() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let fd = disk.create("/a").expect("a free name");
    let first = disk.begin_append(fd, b"first").expect("no capacity is set");
    let second = disk.begin_append(fd, b"second").expect("no capacity is set");
    assert_eq!(disk.file_size(fd), 0);
    disk.finish_append(first, 2);
    disk.finish_append(second, 6);
    assert_eq!(content(&disk, fd), b"fisecond", "a short write ends early");
    let mut middle = [0; 4];
    assert_eq!(disk.read_at(fd, 6, &mut middle), Ok(2));
    assert_eq!(disk.read_at(fd, 99, &mut middle), Ok(0));
    assert_eq!(&middle[..2], b"nd");
}

#[test]
#[should_panic(expected = "an open file")]
fn a_closed_file_is_not_usable() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let fd = disk.create("/a").expect("a free name");
    disk.close(fd);
    let _ticket = disk.begin_sync(fd);
}

#[test]
fn space_runs_out_in_the_middle_of_a_write_and_comes_back() {
    let mut disk = Disk::new(&POSIX_WEAK);
    disk.set_capacity(Some(10));
    let a = disk.create("/a").expect("a free name");
    let b = disk.create("/b").expect("a free name");
    assert_eq!(append(&mut disk, a, b"123456"), 6);
    let write = disk.begin_append(b, b"123456").expect("room for some");
    assert_eq!(write.accepted(), 4, "the rest does not fit");
    assert_eq!(disk.begin_append(a, b"x").err(), Some(Errno::NoSpace), "space is set aside");
    disk.finish_append(write, 1);
    assert_eq!(disk.used(), 7, "what was not written is given back");
    disk.remove("/a").expect("a file");
    assert_eq!(disk.used(), 7, "an open file holds its space");
    disk.close(a);
    assert_eq!(disk.used(), 1);
    disk.truncate("/b", 0).expect("a file");
    assert_eq!(disk.used(), 0);
    assert_eq!(append(&mut disk, b, b"0123456789abc"), 10);
    let over = disk.begin_write(b, 0, b"ABC").expect("an overwrite needs no room");
    assert_eq!(over.accepted(), 3);
    disk.finish_append(over, 3);
    assert_eq!(content(&disk, b), b"ABC3456789");
    disk.set_capacity(Some(5));
    assert_eq!(disk.begin_append(b, b"x").err(), Some(Errno::NoSpace));
}

#[test]
fn locks_exclude_and_vanish_at_death() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let fd = disk.create("/LOCK").expect("a free name");
    disk.close(fd);
    assert_eq!(disk.lock("/none", 1), Err(Errno::NotFound));
    assert_eq!(disk.lock("/LOCK", 1), Ok(true));
    assert_eq!(disk.lock("/LOCK", 2), Ok(false));
    assert_eq!(disk.lock("/LOCK", 1), Ok(false), "not even twice for one owner");
    disk.unlock("/LOCK", 2).expect("a file");
    assert_eq!(disk.lock("/LOCK", 2), Ok(false), "only the owner unlocks");
    disk.unlock("/LOCK", 1).expect("a file");
    assert_eq!(disk.lock("/LOCK", 2), Ok(true));
    disk.process_death(&mut Draws(1));
    assert_eq!(disk.lock("/LOCK", 3), Ok(true));
}

#[test]
fn shared_locks_exclude_one_that_is_not() {
    let mut disk = Disk::new(&POSIX_WEAK);
    let fd = disk.create("/LOCK").expect("a free name");
    disk.close(fd);
    assert_eq!(disk.lock_shared("/none", 1), Err(Errno::NotFound));
    assert_eq!(disk.lock_shared("/LOCK", 1), Ok(true));
    assert_eq!(disk.lock_shared("/LOCK", 1), Ok(true), "twice for one owner too");
    assert_eq!(disk.lock_shared("/LOCK", 2), Ok(true));
    for owner in [1, 1, 2] {
        assert_eq!(disk.lock("/LOCK", 3), Ok(false), "{owner} has it");
        disk.unlock("/LOCK", owner).expect("a file");
    }
    assert_eq!(disk.lock("/LOCK", 3), Ok(true));
    assert_eq!(disk.lock_shared("/LOCK", 3), Ok(false));
}

#[test]
fn the_synced_prefix_is_what_ok_syncs_covered() {
    let mut disk = Disk::new(&EXT4_ORDERED);
    let fd = disk.create("/a").expect("a free name");
    let ino = disk.ino(fd);
    append(&mut disk, fd, &[1; 5000]);
    let ticket = disk.begin_sync(fd);
    append(&mut disk, fd, &[2; 100]);
    assert_eq!(disk.synced_len(ino), 0);
    disk.finish_sync(ticket, SyncOutcome::Ok);
    assert_eq!(disk.synced_len(ino), 5000, "what came after its begin is not covered");
    assert!(disk.is_synced(ino, 10..5000) && !disk.is_synced(ino, 10..5001));
    append(&mut disk, fd, &[3; 4000]);
    let ticket = disk.begin_sync(fd);
    disk.finish_sync(ticket, SyncOutcome::Failed);
    sync(&mut disk, fd);
    assert_eq!(disk.synced_len(ino), 5000, "the lost pages are clean, not written");
    append(&mut disk, fd, &[4; 1]);
    sync(&mut disk, fd);
    assert_eq!(disk.synced_len(ino), 5000, "only the last page was written again");
    disk.create("/b").expect("a free name");
    let other = disk.open("/b").expect("the file");
    append(&mut disk, other, &[5; 4096 + 8]);
    let ticket = disk.begin_sync(other);
    disk.finish_sync(ticket, SyncOutcome::Failed);
    let write = disk.begin_write(other, 0, &[6]).expect("no capacity is set");
    disk.finish_append(write, 1);
    sync(&mut disk, other);
    assert_eq!(disk.synced_len(disk.ino(other)), 4096, "the first page was written again");
    disk.truncate("/a", 4096).expect("a file");
    assert_eq!(disk.synced_len(ino), 4096);
    disk.truncate("/a", 10).expect("a file");
    sync(&mut disk, fd);
    assert_eq!(disk.synced_len(ino), 10);
    disk.power_loss(&mut Draws(1));
    assert_eq!(disk.lookup("/a"), Ok(ino), "a file keeps its inode over a crash");
    assert_eq!(disk.synced_len(ino), 10);
}

#[test]
fn a_reset_disk_is_like_a_new_one() {
    let mut used = Disk::new(&POSIX_WEAK);
    let run = |disk: &mut Disk| {
        disk.create_dir("/d").expect("a free name");
        let fd = disk.create("/d/a").expect("a free name");
        append(disk, fd, b"abc");
        let other = disk.create("/d/b").expect("a free name");
        disk.remove("/d/a").expect("a file");
        let _in_flight = disk.begin_append(other, b"zzz").expect("no capacity is set");
        let report = disk.power_loss(&mut Draws(7));
        (report.describe(disk), disk.listing(), disk.image())
    };
    let first = run(&mut used);
    used.reset(&POSIX_WEAK);
    assert_eq!(run(&mut used), first);
    assert_eq!(run(&mut Disk::new(&POSIX_WEAK)), first);
}
