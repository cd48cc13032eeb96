//! Damage to a file between two processes, beyond what a crash can do, and its repair.

use std::fmt;

use crate::disk::{Disk, Folder, SyncOutcome};
use crate::fault::FileRole;
use crate::naive;
use crate::scenario::Damage;

/// A damage that was done.
#[derive(Clone, Debug)]
pub(crate) struct Damaged {
    dir: String,
    name: String,
    /// What the file held.
    whole: Vec<u8>,
    damage: Damage,
}

impl Damaged {
    /// Damages a file of directory `dir`, durably. `None` if there is none to damage; a log of
    /// which everything has come into tables is none, since nobody reads it.
    pub(crate) fn strike(disk: &mut Disk, dir: &str, damage: &Damage) -> Option<Damaged> {
        let folder = disk.folder(dir);
        let mut names = folder.names();
        let old_logs = old_logs(&folder, &names);
        let is_old = |name: &str| old_logs.iter().any(|old| old == name);
        names.retain(|name| FileRole::of_file(name) == damage.role && !is_old(name));
        let behind = names.split_off(names.len().min(damage.nth as usize));
        let name = names.into_iter().nth(damage.nth as usize - 1)?;
        let has_bytes = |name: &&str| folder.bytes(name).is_some_and(|bytes| !bytes.is_empty());
        if damage.not_newest && !behind.iter().any(has_bytes) {
            return None;
        }
        let (name, whole) = (name.to_owned(), folder.bytes(name)?.to_vec());
        let damaged = Damaged { dir: dir.to_owned(), name, whole, damage: damage.clone() };
        let left = damage.what.applied_to(&damaged.whole);
        damaged.put(disk, left.as_deref());
        Some(damaged)
    }

    /// Puts the file back as it was, durably.
    pub(crate) fn repair(&self, disk: &mut Disk) {
        self.put(disk, Some(&self.whole));
    }

    /// The file's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the open that meets it must refuse.
    pub(crate) fn is_refused(&self) -> bool {
        self.damage.refused
    }

    fn put(&self, disk: &mut Disk, bytes: Option<&[u8]>) {
        let path = format!("{}/{}", self.dir, self.name);
        let done = match bytes {
            None => disk.remove(&path),
            Some(bytes) => disk.create(&path).and_then(|fd| {
                let write = disk.begin_append(fd, bytes)?;
                disk.finish_append(write, bytes.len());
                let ticket = disk.begin_sync(fd);
                disk.finish_sync(ticket, SyncOutcome::Ok);
                disk.close(fd);
                Ok(())
            }),
        };
        let named = done.and_then(|()| disk.begin_sync_dir(&self.dir));
        let ticket = named.expect("the harness writes over a file of a directory that is there");
        disk.finish_sync(ticket, SyncOutcome::Ok);
    }
}

fn old_logs(folder: &Folder<'_>, names: &[&str]) -> Vec<String> {
    naive::decode(names, &|name| folder.bytes(name))
        .map(|database| database.old_logs)
        .unwrap_or_default()
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.damage.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::POSIX_WEAK;
    use crate::scenario::Harm;

    fn put(disk: &mut Disk, path: &str, bytes: &[u8]) {
        let fd = disk.create(path).expect("a file");
        let write = disk.begin_append(fd, bytes).expect("an append");
        disk.finish_append(write, bytes.len());
        disk.close(fd);
    }

    fn disk() -> Disk {
        let mut disk = Disk::new(&POSIX_WEAK);
        disk.create_dir("/db").expect("a directory");
        let ticket = disk.begin_sync_dir("/").expect("a root");
        disk.finish_sync(ticket, SyncOutcome::Ok);
        for (name, bytes) in
            [("000009.log", "nine"), ("000004.log", "four"), ("000007.ldb", "t"), ("CURRENT", "c")]
        {
            put(&mut disk, &format!("/db/{name}"), bytes.as_bytes());
        }
        disk
    }

    fn damage(nth: u32, not_newest: bool, what: Harm) -> Damage {
        Damage { process: 2, role: FileRole::Log, nth, not_newest, what, refused: true }
    }

    #[test]
    fn files_of_the_role_are_counted_in_the_order_of_their_names() {
        for (nth, name) in [(1, "000004.log"), (2, "000009.log")] {
            let struck = Damaged::strike(&mut disk(), "/db", &damage(nth, false, Harm::Remove));
            assert_eq!(struck.expect("a log").name(), name);
        }
        assert!(Damaged::strike(&mut disk(), "/db", &damage(3, false, Harm::Remove)).is_none());
    }

    #[test]
    fn the_newest_log_with_bytes_is_spared_if_so_asked() {
        let older = damage(1, true, Harm::CutLastByte);
        assert!(Damaged::strike(&mut disk(), "/db", &older).is_some());
        let mut disk = disk();
        assert!(Damaged::strike(&mut disk, "/db", &damage(2, true, Harm::CutLastByte)).is_none());
        // Only empty ones are behind it.
        put(&mut disk, "/db/000009.log", b"");
        assert!(Damaged::strike(&mut disk, "/db", &older).is_none());
        assert_eq!(disk.bytes("/db/000004.log"), Ok(&b"four"[..]));
    }

    #[test]
    fn a_damage_lasts_and_so_does_its_repair() {
        for (what, left) in [(Harm::Remove, None), (Harm::CutLastByte, Some(&b"fou"[..]))] {
            let mut disk = disk();
            let others = ["000009.log", "000007.ldb", "CURRENT"];
            let struck = Damaged::strike(&mut disk, "/db", &damage(1, false, what)).expect("a log");
            lose_power(&mut disk);
            assert_eq!(disk.bytes("/db/000004.log").ok(), left);
            struck.repair(&mut disk);
            lose_power(&mut disk);
            assert_eq!(disk.bytes("/db/000004.log"), Ok(&b"four"[..]));
            // A damage syncs the names, and no bytes but its own.
            assert!(others.iter().all(|name| disk.exists(&format!("/db/{name}"))));
        }
    }

    /// Of each choice that a power loss has, the first.
    fn lose_power(disk: &mut Disk) {
        disk.power_loss(&mut First);
    }

    struct First;

    impl crate::disk::Pick for First {
        fn pick(&mut self, _: u32) -> u32 {
            0
        }
    }
}
