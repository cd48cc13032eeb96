//! Bytes at a wrong place on their way from the plan to the disk.
//!
//! Both kinds strike as their call completes: a sync knows only then what it has made durable, and
//! a read that is under way shows nobody else what it will be given. A table is given the wrong
//! bytes once. What an open reads from start to end it is given as it was read, until the process
//! ends: it is judged by that, and so may whoever reads the file before it be, for reading alone.
//!
//! Which place it is decides the fault's drawn number: any file, and half the time the sector of
//! the same number in it, since what lies at the same place of another file is what may be taken
//! for what was there.
//!
//! **What the format cannot tell is left out.** A checksum covers a block or a record, and not the
//! place where it lies. A table that shows a whole block of another table, at an offset and of a
//! size that fit, is a good table with wrong entries, to LevelDB and to any reader of its format. A
//! log that begins with the first record of an old log is a good log: its entries are replayed on
//! top of newer ones. So the simulator's own decoder reads each table and log that would be struck
//! as it would be shown ([`naive::table_tells`], [`naive::log_tells`]); if it finds a block or a
//! batch that passes for another, nothing is struck. MANIFEST and CURRENT need no such rule:
//! whatever they show leads to a version, and that decides what an open may and has to show
//! ([`crate::checker::Image::read_damaged`]). It may be an older one, to which a log belongs that
//! an open has left out.

use super::call::Target;
use super::inject::Injected;
use super::medium;
use crate::disk::{Disk, SECTOR, SectorBytes, Spot, split_mix};
use crate::fault::{FaultKind, FileRole};
use crate::kernel::{Kernel, with_kernel};
use crate::naive;
use crate::world::World;

impl World {
    /// Has the read that completes now be given bytes of another place, if that is its fault.
    pub(super) fn misread(&self, kernel: &Kernel, target: &Target<'_>, fault: Option<Injected>) {
        let misread = fault.filter(|fault| fault.kind == FaultKind::MisdirectedRead);
        let (Some(injected), Some((fd, offset))) = (misread, target.read) else { return };
        let fault = injected.fault;
        let disk = &mut *self.disk.borrow_mut();
        let spots = disk.spots_at_rest(fd, self.uncached(disk, target, (fd, offset)));
        let spot = spots.get(fault.scaled(spots.len() as u64) as usize);
        let other = spot.and_then(|spot| elsewhere(disk, *spot, fault.draw, &|_| true));
        let id = spot.zip(other).and_then(|(spot, other)| disk.misread(*spot, other));
        if self.keep(kernel, disk, id, injected) && self.is_read_once(target.role) {
            self.note_damaged(disk);
        }
    }

    /// A sync has completed that was to write `due`: has a write of it that was done go elsewhere,
    /// if that is its fault.
    pub(super) fn misdirect(
        &self,
        disk: &mut Disk,
        fault: Option<Injected>,
        mut due: Vec<(Spot, SectorBytes)>,
    ) {
        let Some(injected) = fault else { return };
        let fault = injected.fault;
        due.retain(|(spot, _)| disk.is_at_rest(*spot));
        let missed = due.get(fault.scaled(due.len() as u64) as usize);
        let id = missed.and_then(|(missed, held)| {
            let hit = elsewhere(disk, *missed, fault.draw, &|spot| self.may_be_hit(disk, spot))?;
            disk.misdirect(*missed, held, hit)
        });
        if with_kernel(|kernel| self.keep(kernel, disk, id, injected)) {
            self.note_unseen(disk, id);
        }
    }

    /// Notes the flaws of number `id` that lie below what an open has read: who is given the bytes
    /// of such a file is given them as they were.
    fn note_unseen(&self, disk: &Disk, id: Option<u32>) {
        for flaw in disk.flaws().iter().filter(|flaw| Some(flaw.id) == id) {
            let spot = Spot { ino: flaw.ino, sector: flaw.sector };
            if self.is_read(disk, spot) {
                self.unseen_flaws.borrow_mut().push((spot.ino, spot.sector));
            }
        }
    }

    /// Whether a write may go there: not to what an open that is under way has yet to read, since
    /// it is judged by what was there when it began.
    fn may_be_hit(&self, disk: &Disk, spot: Spot) -> bool {
        let role = FileRole::of_file(disk.written(spot.ino).1);
        !self.is_read_once(role) || (self.plan.previews == 0.0 && self.is_read(disk, spot))
    }

    /// Whether an open that is under way reads the file once, and has read to there.
    fn is_read(&self, disk: &Disk, spot: Spot) -> bool {
        let (written, name) = disk.written(spot.ino);
        let end = u64::from((spot.sector + 1) * SECTOR).min(written.len() as u64);
        end <= self.cached_upto(spot.ino, FileRole::of_file(name))
    }

    /// Keeps the flaws of number `id`, if there are any and readers of tables can tell; otherwise
    /// the fault has not struck.
    fn keep(&self, kernel: &Kernel, disk: &mut Disk, id: Option<u32>, injected: Injected) -> bool {
        if let Some(id) = id.filter(|id| is_told(disk, *id)) {
            medium::tell(kernel, disk, id);
            return true;
        }
        if let Some(id) = id {
            disk.heal(id);
        }
        self.take_back(injected);
        false
    }
}

/// A place that `draw` chooses for what belongs to `spot`.
fn elsewhere(disk: &Disk, spot: Spot, draw: u32, may_be: &dyn Fn(Spot) -> bool) -> Option<Spot> {
    let mut files = disk.all_at_rest();
    for spots in &mut files {
        spots.retain(|other| *other != spot && may_be(*other));
    }
    files.retain(|spots| !spots.is_empty());
    let mut state = u64::from(draw);
    let mut below = |n: usize| (split_mix(&mut state) % (n as u64).max(1)) as usize;
    let spots = files.get(below(files.len()))?;
    let any = spots[below(spots.len())];
    let same = spots.iter().find(|other| other.sector == spot.sector);
    Some(*same.filter(|_| below(2) == 0).unwrap_or(&any))
}

/// Whether who reads the tables and logs that have flaws of number `id` can tell that they have.
fn is_told(disk: &Disk, id: u32) -> bool {
    disk.flaws().iter().filter(|flaw| flaw.id == id).all(|flaw| {
        let (written, name) = disk.written(flaw.ino);
        let shown = disk.shown(flaw.ino, &[]);
        let Some(shown) = shown else { return true };
        match FileRole::of_file(name) {
            FileRole::Table => naive::table_tells(written, &shown),
            FileRole::Log => naive::log_tells(written, &shown),
            _ => true,
        }
    })
}
