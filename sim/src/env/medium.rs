//! Damage of the medium on its way from the plan to the disk, and who meets it.

use std::ops::Range;

use super::call::Target;
use super::inject::Injected;
use crate::disk::{Disk, Fd, Ino};
use crate::fault::{Fault, FaultKind, FileRole, Phase};
use crate::kernel::Kernel;
use crate::probe::Probe;
use crate::trace::Lane;
use crate::world::World;

impl World {
    /// Damages a sector that the call reads; false if none of them can be.
    pub(super) fn damage(&self, kernel: &Kernel, target: &Target<'_>, fault: Fault) -> bool {
        let Some((fd, offset)) = target.read else { return false };
        let disk = &mut *self.disk.borrow_mut();
        let sectors = disk.at_rest(fd, self.uncached(disk, target, (fd, offset)));
        if sectors.is_empty() {
            return false;
        }
        let sector = sectors[fault.scaled(sectors.len() as u64) as usize];
        let id = if fault.kind == FaultKind::BitRot {
            disk.rot(fd, sector, fault.draw)
        } else {
            disk.spoil(fd, sector)
        };
        tell(kernel, disk, id);
        if self.is_read_once(target.role) && fault.kind == FaultKind::BitRot {
            // An open reads them before it changes anything.
            self.note_damaged(disk);
        }
        true
    }

    /// Whether a file of this role is read from its start to its end now, and once.
    pub(super) fn is_read_once(&self, role: FileRole) -> bool {
        self.phase.get() == Phase::Recovery && role != FileRole::Table
    }

    /// What a call reads of its file that does not come out of the cache, as far as is known.
    pub(super) fn uncached(
        &self,
        disk: &Disk,
        target: &Target<'_>,
        (fd, offset): (Fd, u64),
    ) -> Range<u64> {
        let start = offset.max(self.cached_upto(disk.ino(fd), target.role));
        start..offset.saturating_add(target.bytes).max(start)
    }

    /// How much of the file an open has read already, of those that it reads from their start to
    /// their end, and once: that is in the cache, and what befalls the medium below shows nobody.
    pub(super) fn cached_upto(&self, ino: Ino, role: FileRole) -> u64 {
        if !self.is_read_once(role) {
            return 0;
        }
        let cached = self.cached.borrow();
        cached.iter().find(|(file, _)| *file == ino).map_or(0, |(_, upto)| *upto)
    }

    /// Notes a read that has completed: whether it met damage, and what is in the cache now.
    pub(super) fn note_read(&self, target: &Target<'_>, fault: Option<Injected>) {
        let Some((fd, offset)) = target.read else { return };
        let disk = &mut *self.disk.borrow_mut();
        let range = offset..offset.saturating_add(target.bytes);
        let failed = fault.filter(|fault| fault.errno.is_some());
        let is_other = failed.is_some_and(|fault| fault.kind != FaultKind::LatentError);
        if !is_other && disk.shows_flaw(fd, &range) {
            // An error that was injected is counted as a fault already.
            self.found_flawed.set(self.found_flawed.get() + u64::from(failed.is_none()));
            let mut met = self.met.borrow_mut();
            met.reads += 1;
            met.files.insert(target.short().to_owned());
            self.hit(Probe::DamageMet);
        }
        if failed.is_none() && self.phase.get() == Phase::Recovery {
            let ino = disk.ino(fd);
            let mut cached = self.cached.borrow_mut();
            match cached.iter_mut().find(|(file, _)| *file == ino) {
                Some((_, upto)) => *upto = range.end.max(*upto),
                None => cached.push((ino, range.end)),
            }
        }
        if !self.is_read_once(target.role) {
            disk.end_misreads(Some(disk.ino(fd)));
        }
    }
}

/// Tells of the flaws of a number.
pub(super) fn tell(kernel: &Kernel, disk: &Disk, id: u32) {
    for flaw in disk.flaws().iter().filter(|flaw| flaw.id == id) {
        kernel.tell(Lane::Fault, || format!("DAMAGE: {}", disk.describe_flaw(flaw)));
    }
}
