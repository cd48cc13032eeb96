//! Syncs of files and directories: what exactly becomes durable, and what a failure leaves.

use super::content::OpId;
use super::lies::Lie;
use super::profile::{
    CrossDirectoryRename, DataWrites, Device, FailedDirSync, FailedSync, FileSync, MetadataOrder,
    ReplacingRename,
};
use super::state::{Disk, Errno, Fd, Ino, Kind, MetaOp};

/// A sync submitted with [`Disk::begin_sync`] or [`Disk::begin_sync_dir`] and not completed.
#[derive(Debug)]
#[must_use = "a sync in flight has to be completed"]
pub struct SyncTicket {
    pub(super) ino: Ino,
    /// Last operation that it covers.
    begin: OpId,
    pub(super) epoch: u32,
    /// The open file, if it is of one, and the errors that it knew of then.
    pub(super) fd: Option<Fd>,
    pub(super) errors_known: u32,
}

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// All it covers is durable.
    Ok,
    /// What [`FailedSync`] says of files and [`FailedDirSync`] of directories.
    Failed,
    /// The file system takes no changes. Where a failure leaves pages clean, this does, too;
    /// elsewhere what it was to cover stays pending.
    Refused,
    /// It told of an error of an earlier sync, see [`Disk::take_late_error`]. What it was to cover
    /// stays pending: it may have been written, and the next sync covers it.
    Told,
    /// The device says Ok and has kept nothing; only where [`Device::MayLie`].
    Lied,
}

impl Disk {
    /// Submits a sync of a file. It covers the pages dirty now.
    pub fn begin_sync(&mut self, fd: Fd) -> SyncTicket {
        let ino = self.ino(fd);
        self.ticket(ino, Some(fd))
    }

    /// Submits a sync of a directory. It covers the names changed by now.
    pub fn begin_sync_dir(&mut self, dir: &str) -> Result<SyncTicket, Errno> {
        let ino = self.lookup_directory(dir)?;
        Ok(self.ticket(ino, None))
    }

    fn ticket(&mut self, ino: Ino, fd: Option<Fd>) -> SyncTicket {
        // A sync in flight holds the file open.
        self.inode_mut(ino).opens += 1;
        let file = fd.and_then(|fd| self.open_files[fd.0 as usize]);
        let errors_known = file.map_or(0, |file| file.errors_known);
        SyncTicket { ino, begin: self.clock, epoch: self.epoch, fd, errors_known }
    }

    /// Completes a sync of either kind. One submitted before the last crash touches nothing.
    ///
    /// # Panics
    ///
    /// If it lied on a profile whose device is honest.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is good for one completion")]
    pub fn finish_sync(&mut self, ticket: SyncTicket, outcome: SyncOutcome) {
        if ticket.epoch != self.epoch {
            return;
        }
        let SyncTicket { ino, begin, .. } = ticket;
        match (self.inode(ino).kind, outcome) {
            (Kind::File, SyncOutcome::Ok) => self.file_synced(ino, begin),
            (Kind::Directory, SyncOutcome::Ok) => self.directory_synced(ino, begin),
            (Kind::File, SyncOutcome::Failed) => self.file_sync_failed(ino, begin),
            (Kind::File, SyncOutcome::Refused)
                if self.profile.failed_sync == FailedSync::CleansPages =>
            {
                self.file_sync_failed(ino, begin);
            }
            (Kind::File, SyncOutcome::Refused) | (_, SyncOutcome::Told) => {}
            (Kind::Directory, SyncOutcome::Failed | SyncOutcome::Refused) => {
                let now = self.tick();
                if self.profile.failed_dir_sync == FailedDirSync::CleansPage {
                    self.inode_mut(ino).lost.push((begin, now));
                }
            }
            (Kind::File | Kind::Directory, SyncOutcome::Lied) => {
                assert_eq!(self.profile.device, Device::MayLie, "an honest device does not lie");
                self.lies.push(Lie { ino, begin });
            }
            (Kind::Free, _) => unreachable!("a sync in flight holds the file open"),
        }
        self.inode_mut(ino).opens -= 1;
        self.release(ino);
    }

    /// Whether something is pending of the file or the directory itself that the sync is to make
    /// durable.
    pub fn covers_anything(&self, ticket: &SyncTicket) -> bool {
        let &SyncTicket { ino, begin, .. } = ticket;
        let mut writes = self.inode(ino).content.pending.iter();
        let mut names = self.meta.iter().filter(|op| op.touches(ino));
        writes.any(|record| record.id <= begin) || names.any(|op| op.id <= begin)
    }

    pub(super) fn file_synced(&mut self, ino: Ino, begin: OpId) {
        let commit = self.commit_of(ino, begin);
        let new_blocks = self.profile.new_blocks;
        self.inode_mut(ino).content.sync(begin, new_blocks);
        if self.profile.metadata == MetadataOrder::Transactions {
            self.harden_names(|op| op.id <= begin && op.ino == ino);
        } else {
            self.commit_journal(commit);
        }
    }

    /// The operation up to which a sync of a file has the journal committed, or zero.
    pub(super) fn commit_of(&self, ino: Ino, begin: OpId) -> OpId {
        let content = &self.inode(ino).content;
        let mut commit = 0;
        if self.profile.data == DataWrites::Journal {
            commit = content.last_kept(begin);
        } else if self.profile.metadata == MetadataOrder::Journal {
            commit = content.size_covered(begin, self.profile.new_blocks);
        }
        if self.profile.file_sync == FileSync::ContentAndNames {
            let names = self.meta.iter().rev().find(|op| op.id <= begin && op.ino == ino);
            commit = commit.max(names.map_or(0, |op| op.id));
        }
        commit
    }

    pub(super) fn directory_synced(&mut self, dir: Ino, begin: OpId) {
        let lost = self.inode(dir).lost.iter().filter(|(_, since)| *since <= begin);
        let lost = lost.map(|(upto, _)| *upto).max().unwrap_or(0);
        let last = self.meta.iter().rev().find(|op| op.id <= begin && op.touches(dir));
        let Some(last) = last.map(|op| op.id).filter(|id| lost < *id) else { return };
        if self.profile.metadata == MetadataOrder::Journal {
            self.commit_journal(last);
            return;
        }
        if self.profile.metadata == MetadataOrder::Transactions {
            self.harden_names(|op| op.id <= begin && op.touches(dir));
            return;
        }
        let either = self.profile.cross_directory_rename == CrossDirectoryRename::EitherSync;
        let mut wanted: Vec<bool> = Vec::with_capacity(self.meta.len());
        for op in &mut self.meta {
            if op.id <= begin {
                op.synced[0] |= op.first.dir == dir;
                op.synced[1] |= op.second.is_none_or(|second| second.dir == dir);
            }
            let sides = op.synced.iter().filter(|synced| **synced).count();
            wanted.push(op.touches(dir) && op.id <= begin && (sides == 2 || either));
        }
        if self.meta.iter().any(MetaOp::crosses_directories) {
            self.close_down(&mut wanted);
        }
        self.harden_entries(&wanted);
    }

    /// Makes the chosen operations durable ahead of others, with those below them.
    fn harden_names(&mut self, is_wanted: impl Fn(&MetaOp) -> bool) {
        let mut wanted: Vec<bool> = self.meta.iter().map(is_wanted).collect();
        self.close_down(&mut wanted);
        self.harden_entries(&wanted);
    }

    /// Adds to `wanted` the operations below it: those before on the same entries.
    fn close_down(&self, wanted: &mut [bool]) {
        // What an operation needs is earlier, so one walk back meets every need in time.
        for later in (0..self.meta.len()).rev() {
            let (before, at) = wanted.split_at_mut(later);
            if at[0] {
                for (earlier, wanted) in before.iter_mut().enumerate() {
                    *wanted |= self.meta[later].shares_entry(&self.meta[earlier]);
                }
            }
        }
    }

    /// Makes all that the journal took up to operation `commit` durable.
    pub(super) fn commit_journal(&mut self, commit: OpId) {
        let count = self.meta.partition_point(|op| op.id <= commit);
        let new_blocks = self.profile.new_blocks;
        if self.profile.data == DataWrites::Journal {
            for inode in &mut self.inodes {
                inode.content.commit(commit, new_blocks);
            }
        }
        if self.profile.replacing_rename == ReplacingRename::CarriesSize {
            for index in 0..count {
                let op = self.meta[index];
                if op.replaces {
                    let content = &mut self.inode_mut(op.ino).content;
                    content.sync_size(op.id, new_blocks);
                    content.prune();
                }
            }
        }
        if self.has_cuts && commit != 0 {
            self.has_cuts = false;
            for inode in &mut self.inodes {
                let cut = inode.content.last_cut(commit);
                if cut != 0 {
                    inode.content.sync_size(cut, new_blocks);
                    inode.content.prune();
                }
                self.has_cuts |= inode.content.last_cut(OpId::MAX) != 0;
            }
        }
        if 0 < count {
            let wanted: Vec<bool> = (0..self.meta.len()).map(|index| index < count).collect();
            self.harden_entries(&wanted);
        }
    }

    /// Carries the chosen operations out in the durable directories, in time order.
    fn harden_entries(&mut self, wanted: &[bool]) {
        let mut index = 0;
        let mut unnamed = Vec::new();
        let mut meta = std::mem::take(&mut self.meta);
        meta.retain(|op| {
            let chosen = wanted[index];
            index += 1;
            if chosen {
                for change in op.changes() {
                    // The link that the pending operation held passes to the directory.
                    let entries = &mut self.inodes[change.dir.index()].durable;
                    if let Some(old) = entries.set(&self.names, change.name, change.to) {
                        self.inode_mut(old).durable_links -= 1;
                        unnamed.push(old);
                    }
                }
            }
            !chosen
        });
        self.meta = meta;
        for ino in unnamed {
            self.release(ino);
        }
    }
}
