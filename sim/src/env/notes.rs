//! What a call tells of the run: breaches of what files are for, and places.

use faultline::FileOp;

use super::call::{Target, mutates};
use crate::fault::{FileRole, Phase};
use crate::history::FileBreach;
use crate::kernel::Kernel;
use crate::probe::Probe;
use crate::world::World;

impl World {
    /// Notes a change that nobody may make: by an open for reading alone, or to a file of the
    /// database by a process that does not hold its lock.
    pub(super) fn note_change(&self, kernel: &Kernel, op: FileOp, target: &Target<'_>) {
        if !mutates(op) {
            return;
        }
        let needs_lock =
            !matches!(target.role, FileRole::Directory | FileRole::Lock | FileRole::Other);
        let why = if self.is_previewing.get() {
            "while open for reading alone"
        } else if needs_lock && !self.disk.borrow().holds_lock() {
            "without the lock of the database"
        } else {
            return;
        };
        let what = format!("{op} {} {why}", target.short());
        let breach = FileBreach { point: kernel.points(), what };
        self.history.borrow_mut().file_breaches.push(breach);
    }

    /// Notes where a call of clients or of background work has brought the run.
    pub(super) fn note_place(&self, kernel: &Kernel, op: FileOp, role: FileRole) {
        if (op, role) == (FileOp::Create, FileRole::Table) && is_in(kernel, "replay") {
            self.hit(Probe::ReplayedBeside);
        }
        if self.phase.get() != Phase::Run {
            return;
        }
        match (op, role) {
            (FileOp::Create, FileRole::Log) => self.hit(Probe::LogSwitched),
            (FileOp::Create, FileRole::Manifest) => self.hit(Probe::ManifestReplaced),
            (FileOp::Create, FileRole::Table) if is_in(kernel, "compaction") => {
                self.hit(Probe::Compacted);
                self.is_compacting.set(true);
            }
            (FileOp::Append, FileRole::Manifest) if is_in(kernel, "compaction") => {
                self.is_compacting.set(false);
            }
            _ => {}
        }
    }
}

/// Whether a thread of this name makes the call.
fn is_in(kernel: &Kernel, name: &str) -> bool {
    kernel.thread_kind(kernel.current()).starts_with(name)
}
