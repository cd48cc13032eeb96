//! Failed syncs of files, and write-back that fails without one: what they leave, and who is told
//! of them, and when.
//!
//! Where a failure is told by a later sync, every file keeps the number of its errors, and every
//! open file how many of them it knows. An open file that knows fewer than there are is told once,
//! by its next sync. One that is opened while nobody has been told of the last error is told of it,
//! too. Assumption: as Linux does since 4.13, `errseq_t`; an inode never leaves the cache.

use super::content::OpId;
use super::lies::Lie;
use super::profile::{Device, FailedSync};
use super::report::Op;
use super::state::{Disk, Errno, Ino};
use super::sync::SyncTicket;

/// The errors of one file that its next sync tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateErrors {
    ino: Ino,
    count: u32,
    /// How many there were when somebody was last told.
    told: u32,
}

impl Disk {
    /// Whether a sync that fails returns Ok, and the next one of the same file tells of it.
    pub fn tells_late(&self) -> bool {
        self.profile.failed_sync == FailedSync::ToldLate
    }

    /// Whether the sync is to tell of an error since the last one, which it does once. It is to be
    /// completed with [`super::SyncOutcome::Told`] then.
    pub fn take_late_error(&mut self, ticket: &SyncTicket) -> bool {
        let Some(errors) = self.late_errors.iter_mut().find(|errors| errors.ino == ticket.ino)
        else {
            return false;
        };
        let is_news = ticket.epoch == self.epoch && ticket.errors_known < errors.count;
        if is_news {
            errors.told = errors.count;
            let known = errors.count;
            let slot = ticket.fd.and_then(|fd| self.open_files.get_mut(fd.0 as usize));
            if let Some(Some(file)) = slot.filter(|file| file.is_some_and(|f| f.ino == ticket.ino))
            {
                file.errors_known = known;
            }
        }
        is_news
    }

    /// The errors that a file opened now knows of.
    pub(super) fn errors_told(&self, ino: Ino) -> u32 {
        self.late_errors.iter().find(|errors| errors.ino == ino).map_or(0, |errors| errors.told)
    }

    pub(super) fn forget_late_errors(&mut self, ino: Ino) {
        self.late_errors.retain(|errors| errors.ino != ino);
    }

    /// A sync of a file that was to cover the operations up to `begin` fails.
    pub(super) fn file_sync_failed(&mut self, ino: Ino, begin: OpId) {
        self.lose(ino, begin);
        if self.tells_late() {
            // It is answered with Ok: a promise.
            self.lies.push(Lie { ino, begin });
            self.add_late_error(ino);
        }
    }

    /// Writing back the dirty pages of a file fails, without any sync. They are lost as by a failed
    /// sync, and the next sync of the file tells of it.
    ///
    /// # Errors
    ///
    /// If `path` is no file.
    pub fn fail_write_back(&mut self, path: &str) -> Result<(), Errno> {
        let ino = self.lookup_file(path)?;
        self.lose(ino, self.clock);
        self.add_late_error(ino);
        Ok(())
    }

    /// Pages that are clean and never reached the medium leave the cache: readers see the durable
    /// bytes again, without a crash. Left out: what the medium may hold of the new bytes; and pages
    /// that an Ok had promised, as it may where a device lies or a failure is told late. False if
    /// there was no such page.
    pub fn evict(&mut self) -> bool {
        if self.tells_late() || self.profile.device == Device::MayLie {
            return false;
        }
        let mut has_dropped = false;
        for index in 0..self.inodes.len() {
            let inode = &mut self.inodes[index];
            let records = inode.content.pending.clone();
            let dropped = inode.content.evict();
            let (ino, name) = (Ino(index as u32), inode.label);
            has_dropped |= !dropped.is_empty();
            let dropped = records.iter().filter(|record| dropped.contains(&record.id));
            self.taken_back.extend(dropped.map(|record| Op::write(record, ino, name)));
        }
        has_dropped
    }

    fn lose(&mut self, ino: Ino, begin: OpId) {
        match self.profile.failed_sync {
            FailedSync::CleansPages => {
                let now = self.tick();
                self.inode_mut(ino).content.sync_failed(begin, now);
            }
            FailedSync::TakesBack => self.take_back(ino, begin),
            FailedSync::ToldLate => {
                let commit = self.commit_of(ino, begin);
                let now = self.tick();
                self.inode_mut(ino).content.sync_failed(begin, now);
                self.commit_journal(commit);
            }
        }
    }

    fn add_late_error(&mut self, ino: Ino) {
        match self.late_errors.iter_mut().find(|errors| errors.ino == ino) {
            Some(errors) => errors.count += 1,
            None => self.late_errors.push(LateErrors { ino, count: 1, told: 0 }),
        }
    }

    /// Where the writer of a file is, if it is not at the end.
    pub(super) fn writer_at(&self, ino: Ino) -> u32 {
        self.writers_at.iter().find(|(file, _)| *file == ino).map_or(0, |(_, at)| *at)
    }

    /// Drops what was written up to `begin` and is not durable.
    fn take_back(&mut self, ino: Ino, begin: OpId) {
        let inode = self.inode_mut(ino);
        let name = inode.label;
        let before = inode.content.volatile.len() as u32;
        let dropped = inode.content.take_back(begin);
        let shrunk = before - inode.content.volatile.len() as u32;
        if 0 < shrunk {
            let at = self.writer_at(ino).max(before);
            self.writers_at.retain(|(file, _)| *file != ino);
            self.writers_at.push((ino, at));
        }
        let inode = self.inode_mut(ino);
        inode.charged -= shrunk;
        self.used -= u64::from(shrunk);
        self.taken_back.extend(dropped.iter().map(|record| Op::write(record, ino, name)));
    }
}
