//! Damage of the medium on its way from the plan to the disk, and who meets it.

use super::call::Target;
use super::inject::Injected;
use crate::disk::Ino;
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
        let start = offset.max(self.cached_upto(disk.ino(fd), target.role));
        let sectors = disk.at_rest(fd, start..offset.saturating_add(target.bytes).max(start));
        if sectors.is_empty() {
            return false;
        }
        let sector = sectors[fault.scaled(sectors.len() as u64) as usize];
        let id = if fault.kind == FaultKind::BitRot {
            disk.rot(fd, sector, fault.draw)
        } else {
            disk.spoil(fd, sector)
        };
        let flaw = disk.flaws().iter().find(|flaw| flaw.id == id);
        let words = flaw.map(|flaw| disk.describe_flaw(flaw)).unwrap_or_default();
        kernel.tell(Lane::Fault, || format!("DAMAGE: {words}"));
        let is_read_once = self.phase.get() == Phase::Recovery && target.role != FileRole::Table;
        if is_read_once && fault.kind == FaultKind::BitRot {
            // An open reads them before it changes anything.
            self.note_damaged(disk);
        }
        true
    }

    /// How much of the file an open has read already, of those that it reads from their start to
    /// their end, and once: that is in the cache, and what befalls the medium below shows nobody.
    fn cached_upto(&self, ino: Ino, role: FileRole) -> u64 {
        if self.phase.get() != Phase::Recovery || role == FileRole::Table {
            return 0;
        }
        let cached = self.cached.borrow();
        cached.iter().find(|(file, _)| *file == ino).map_or(0, |(_, upto)| *upto)
    }

    /// Notes a read that has completed: whether it met damage, and what is in the cache now.
    pub(super) fn note_read(&self, target: &Target<'_>, fault: Option<Injected>) {
        let Some((fd, offset)) = target.read else { return };
        let disk = self.disk.borrow();
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
    }
}
