//! Damage to a file between two processes, beyond what a crash can do, and its repair.

use std::fmt;

use crate::disk::{Disk, SyncOutcome};
use crate::fault::FileRole;
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
    /// Damages a file of directory `dir`, durably. `None` if there is none to damage.
    pub(crate) fn strike(disk: &mut Disk, dir: &str, damage: &Damage) -> Option<Damaged> {
        let mut names = Vec::new();
        disk.list(dir, &mut |name| names.push(name.to_owned())).ok()?;
        names.retain(|name| FileRole::of_file(name) == damage.role);
        names.sort_unstable();
        let behind = names.split_off(names.len().min(damage.nth as usize));
        let name = names.into_iter().nth(damage.nth as usize - 1)?;
        let has_bytes = |name: &String| disk.size(&format!("{dir}/{name}")).is_ok_and(|n| n > 0);
        if damage.not_newest && !behind.iter().any(has_bytes) {
            return None;
        }
        let whole = disk.bytes(&format!("{dir}/{name}")).ok()?.to_vec();
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

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.damage.what)
    }
}
