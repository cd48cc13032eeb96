//! Syncs that lied: what the device had promised, and what of it a power loss took.
//!
//! A device that lies answers Ok to a sync and keeps nothing: all that the sync covered stays
//! pending. Whether a sync lied is for the caller to say, see [`super::SyncOutcome::Lied`]; the
//! disk remembers which did. When the power goes it works out what would be durable if none had
//! lied, and compares: what is missing in the image is a promise broken by the device, and nobody
//! above it is to blame for the loss.
//!
//! Invariant: an image that breaks no promise is one that an honest device could have left.

use super::SECTOR;
use super::choose::Fates;
use super::content::OpId;
use super::report::{Op, OpKind};
use super::space::{Space, Target};
use super::state::{Disk, Ino, Kind};

/// A sync that was answered with Ok and did not make durable all that it covered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lie {
    pub(super) ino: Ino,
    /// Last operation that it covered.
    pub(super) begin: OpId,
}

impl Disk {
    /// What the disk is to blame for, of what is missing after the last crash, in time order: after
    /// a power loss the operations of which it took something that an Ok sync had covered; after
    /// the death of a process the writes that failed syncs had taken back. What befell a file that
    /// is not there any more is left out.
    pub fn broken_promises(&self) -> &[Op] {
        &self.broken
    }

    /// The disk as it would be if no sync had lied.
    ///
    /// A sync done late does what it would have done in time: it covers the operations up to its
    /// submission, and only syncs that failed before that have left pages out of it.
    fn honest(&self) -> Disk {
        let mut honest = self.clone();
        for Lie { ino, begin } in &self.lies {
            if self.tells_late() {
                honest.inode_mut(*ino).content.forgive(*begin);
            }
            match honest.inode(*ino).kind {
                Kind::File => honest.file_synced(*ino, *begin),
                Kind::Directory => honest.directory_synced(*ino, *begin),
                Kind::Free => {}
            }
        }
        honest
    }

    /// The operations that had been promised and that the image of `fates` has not whole.
    pub(super) fn find_broken(&self, space: &Space, fates: &Fates) -> Vec<Op> {
        if self.lies.is_empty() {
            return Vec::new();
        }
        let honest = self.honest();
        let mut broken: Vec<OpId> = Vec::new();
        for (index, register) in space.registers.iter().enumerate() {
            let missing = space.steps[space.step_range(index as u32)]
                .iter()
                .filter(|step| fates.versions[index] < step.from + step.weight)
                .filter(|step| honest.is_durable(register.target, step.op))
                .filter(|step| !space.is_cut_off(register.target, step.op, fates));
            broken.extend(missing.map(|step| step.op));
        }
        broken.sort_unstable();
        broken.dedup();
        broken.into_iter().filter_map(|id| space.op(id)).collect()
    }

    /// Keeps of the broken promises those that show: names, and content of files that are there.
    pub(super) fn keep_broken(&mut self, mut broken: Vec<Op>) {
        broken.retain(|op| !op.is_of_content() || self.inode(op.ino).kind == Kind::File);
        self.broken = broken;
        self.taken_back.clear();
    }

    /// Whether operation `id` is durable as far as it concerns `target`. It was pending once.
    fn is_durable(&self, target: Target, id: OpId) -> bool {
        let (ino, is_reached) = match target {
            Target::Entry(..) => return self.meta.iter().all(|op| op.id != id),
            Target::Size(ino) => (ino, id <= self.inode(ino).content.size_upto),
            Target::Sector(ino, sector) => (ino, id <= self.inode(ino).content.mark(sector)),
        };
        let inode = self.inode(ino);
        let is_pending = inode.content.pending.iter().any(|record| record.id == id);
        inode.kind == Kind::File && (is_reached || !is_pending)
    }
}

impl Space {
    fn op(&self, id: OpId) -> Option<Op> {
        let at = self.ops.binary_search_by_key(&id, |op| op.id);
        at.ok().map(|index| self.ops[index])
    }

    /// Whether `target` is a sector that a truncation after operation `id` has emptied in the
    /// image of `fates`: then it does not matter which version of it survived.
    fn is_cut_off(&self, target: Target, id: OpId, fates: &Fates) -> bool {
        let Target::Sector(ino, sector) = target else { return false };
        let size = self.files.iter().find(|span| span.ino == ino).and_then(|span| span.size);
        let Some(register) = size else { return false };
        let version = fates.versions[register as usize];
        self.steps[self.step_range(register)].iter().any(|step| {
            let is_kept = id < step.op && step.from + step.weight <= version;
            let kind = self.op(step.op).map(|op| op.kind);
            is_kept && matches!(kind, Some(OpKind::Truncate { size }) if size <= sector * SECTOR)
        })
    }
}
