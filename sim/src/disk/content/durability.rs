//! What syncs make durable of a file, and what failed ones leave behind.
//!
//! A sync of a file that never failed applies its records to the durable bytes and is done. Once
//! pages are lost, or a journal has made single sectors durable ahead of the rest, it goes sector
//! by sector, and a mark says how far each has come.

use super::{Content, IN_PLACE, LostPage, Mark, OpId, Record};
use crate::disk::profile::NewBlocks;
use crate::disk::{PAGE, SECTOR};

impl Content {
    /// Version of `sector` that is durable by itself.
    pub(in crate::disk) fn mark(&self, sector: u32) -> OpId {
        self.marks.iter().find(|mark| mark.sector == sector).map_or(0, |mark| mark.upto)
    }

    pub(super) fn set_mark(&mut self, sector: u32, upto: OpId) {
        let durable = self.mark(sector);
        let touches = |record: &&Record| {
            (durable + 1..=upto).contains(&record.id) && self.sectors(record).contains(&sector)
        };
        let empty = match self.pending.iter().rev().find(touches) {
            Some(record) => record.is_cut() && record.offset <= sector * SECTOR,
            None => self.is_unwritten(sector),
        };
        self.marks.retain(|mark| mark.sector != sector);
        self.marks.push(Mark { sector, upto, empty });
    }

    /// Last operation of `page` that a sync failed before `now` has left out of later syncs.
    fn lost_upto(&self, page: u32, now: OpId) -> OpId {
        let lost = self.lost.iter().filter(|lost| lost.page == page && lost.since <= now);
        lost.map(|lost| lost.upto).max().unwrap_or(0)
    }

    /// Whether a failed sync has left version `id` of `sector` out of later syncs.
    pub(in crate::disk) fn is_lost(&self, sector: u32, id: OpId) -> bool {
        !self.lost.is_empty() && id <= self.lost_upto(sector / (PAGE / SECTOR), OpId::MAX)
    }

    /// Whether no write had reached the medium where `sector` lies.
    pub(in crate::disk) fn is_unwritten(&self, sector: u32) -> bool {
        let mark = self.marks.iter().find(|mark| mark.sector == sector);
        mark.map_or(self.written <= sector * SECTOR, |mark| mark.empty)
    }

    /// Whether a write is recorded on `page` after operation `lost`, up to `begin`.
    pub(super) fn is_dirty(&self, page: u32, lost: OpId, begin: OpId) -> bool {
        self.pending.iter().filter(|record| lost < record.id && record.id <= begin).any(|record| {
            if record.is_cut() {
                // Cutting inside a page zeroes its tail in the cache.
                record.offset % PAGE != 0 && record.offset / PAGE == page
            } else {
                (record.offset / PAGE..record.end().div_ceil(PAGE)).contains(&page)
            }
        })
    }

    /// Last operation up to `begin` that changes the size and is not durable, or zero.
    pub(in crate::disk) fn last_size_change(&self, begin: OpId) -> OpId {
        let changes = |record: &&Record| {
            record.id <= begin && self.size_upto < record.id && record.changes_size()
        };
        self.pending.iter().rev().find(changes).map_or(0, |record| record.id)
    }

    /// Last operation of whose size a sync begun after operation `begin` makes something durable,
    /// or zero.
    pub(in crate::disk) fn size_covered(&self, begin: OpId, new_blocks: NewBlocks) -> OpId {
        if new_blocks == NewBlocks::LastPageBeforeSize {
            self.end_covered(begin).map_or(0, |(record, _)| record.id)
        } else {
            self.last_size_change(begin)
        }
    }

    /// The size that a sync begun after operation `begin` leaves where a size moves with the page
    /// at its end, and the operation on the way to which it stands; `None` if it moves none.
    fn end_covered(&self, begin: OpId) -> Option<(Record, u32)> {
        let changes = |record: &&Record| {
            record.id <= begin && self.size_upto < record.id && record.changes_size()
        };
        self.pending.iter().rev().filter(changes).find_map(|record| {
            let is_written = |size: &u32| record.is_cut() || self.is_written(*size, record, begin);
            self.page_sizes(record).rev().find(is_written).map(|size| (*record, size))
        })
    }

    /// Whether the page at the end of the first `size` bytes, as it was after `growth`, is durable
    /// when a sync begun after operation `begin` is done.
    fn is_written(&self, size: u32, growth: &Record, begin: OpId) -> bool {
        let page = (size - 1) / PAGE;
        let sectors = page * (PAGE / SECTOR)..size.div_ceil(SECTOR);
        let is_pending = |record: &Record| {
            let mut own = self.sectors(record).filter(|sector| sectors.contains(sector));
            record.id <= growth.id && own.any(|sector| self.mark(sector) < record.id)
        };
        self.is_dirty(page, self.lost_upto(page, begin), begin)
            || !self.pending.iter().any(is_pending)
    }

    /// Last pending operation up to `begin` of which no failed sync has left everything out, or
    /// zero.
    pub(in crate::disk) fn last_kept(&self, begin: OpId) -> OpId {
        let is_kept = |record: &&Record| {
            let size_pending = self.size_upto < record.id && record.changes_size();
            let is_kept =
                |sector| self.mark(sector) < record.id && !self.is_lost(sector, record.id);
            record.id <= begin && (size_pending || self.sectors(record).any(is_kept))
        };
        self.pending.iter().rev().find(is_kept).map_or(0, |record| record.id)
    }

    /// Makes durable what a sync begun after operation `begin` covers.
    pub(in crate::disk) fn sync(&mut self, begin: OpId, new_blocks: NewBlocks) {
        if let Some(covered) = self.harden(begin, begin, new_blocks) {
            self.cover(covered, begin);
        }
    }

    /// Makes the operations up to `upto` durable, but for what failed syncs have left out. No sync
    /// covers them for that.
    pub(in crate::disk) fn commit(&mut self, upto: OpId, new_blocks: NewBlocks) {
        self.harden(upto, OpId::MAX, new_blocks);
    }

    /// Makes the operations up to `begin` durable, but for what syncs have left out that failed
    /// before `now`. Returns how many first bytes are durable then, if there was anything to do.
    fn harden(&mut self, begin: OpId, now: OpId, new_blocks: NewBlocks) -> Option<u32> {
        if !self.lost.is_empty() || !self.marks.is_empty() {
            return Some(self.harden_pages(begin, now, new_blocks));
        }
        let count = self.pending.partition_point(|record| record.id <= begin);
        for index in 0..count {
            let record = self.pending[index];
            self.sync_whole(&record);
        }
        if count == 0 {
            return None;
        }
        self.size_upto = self.size_upto.max(begin);
        self.written = self.durable.len() as u32;
        self.pending.drain(..count);
        if self.pending.is_empty() {
            self.arena.clear();
        }
        Some(self.written)
    }

    /// Notes that a sync begun after operation `begin` covers the first `covered` bytes, but for
    /// those changed since.
    fn cover(&mut self, covered: u32, begin: OpId) {
        let since = self.pending.iter().filter(|record| begin < record.id);
        let changed = since.map(|record| record.offset).min().unwrap_or(u32::MAX);
        self.synced = self.synced.max(covered.min(changed));
    }

    /// Applies one record to the durable bytes.
    fn sync_whole(&mut self, record: &Record) {
        if record.is_cut() {
            self.durable.truncate(record.offset as usize);
            return;
        }
        let from = match record.saved {
            IN_PLACE => &self.volatile[record.offset as usize..],
            saved => &self.arena[saved as usize..],
        };
        let bytes = &from[..record.len as usize];
        let offset = record.offset as usize;
        let durable = &mut *self.durable;
        if durable.len() == offset {
            durable.extend_from_slice(bytes);
            return;
        }
        if durable.len() < record.end() as usize {
            durable.resize(record.end() as usize, 0);
        }
        durable[offset..record.end() as usize].copy_from_slice(bytes);
    }

    /// The long way round: some pages are lost, or some sectors are ahead of the rest.
    fn harden_pages(&mut self, begin: OpId, now: OpId, new_blocks: NewBlocks) -> u32 {
        if new_blocks == NewBlocks::LastPageBeforeSize {
            self.sync_end(begin);
        } else {
            self.sync_size(begin, new_blocks);
        }
        let mut sectors: Vec<u32> = Vec::new();
        for record in self.pending.iter().filter(|record| record.id <= begin) {
            sectors.extend(self.sectors(record));
        }
        sectors.sort_unstable();
        sectors.dedup();
        let size = self.durable.len();
        let mut covered = size as u32;
        for sector in sectors {
            let page = sector / (PAGE / SECTOR);
            if self.is_dirty(page, self.lost_upto(page, now), begin) {
                self.advance(sector, begin);
            } else {
                covered = covered.min(sector * SECTOR);
            }
        }
        if size < self.durable.len() {
            self.durable.truncate(size);
        }
        self.prune();
        covered
    }

    /// Makes version `upto` of `sector` durable.
    fn advance(&mut self, sector: u32, upto: OpId) {
        if self.mark(sector) < upto {
            let mut buffer = self.durable_sector(sector);
            self.fold(sector, upto, u32::MAX, &mut buffer);
            self.set_durable_sector(sector, &buffer);
            self.set_mark(sector, upto);
        }
    }

    /// Makes the size up to operation `upto` durable, with what is tied to it: the sectors that a
    /// truncation empties and, as `new_blocks` says, those in newly touched blocks or in the page
    /// at its end.
    pub(in crate::disk) fn sync_size(&mut self, upto: OpId, new_blocks: NewBlocks) {
        for index in 0..self.pending.len() {
            let record = self.pending[index];
            if upto < record.id {
                break;
            }
            if record.id <= self.size_upto || !record.changes_size() {
                continue;
            }
            let size = record.size_after() as usize;
            if record.is_cut() {
                self.advance_cut(index);
            } else if new_blocks == NewBlocks::BeforeSize {
                for sector in self.sectors(&record) {
                    if record.new_from <= sector * SECTOR && !self.is_lost(sector, record.id) {
                        self.advance(sector, record.id);
                    }
                }
            }
            if new_blocks == NewBlocks::LastPageBeforeSize && record.id == upto {
                self.advance_end(&record);
            }
            if self.durable.len() != size {
                self.durable.resize(size, 0);
            }
        }
        self.size_upto = self.size_upto.max(upto);
    }

    /// Makes the page at the end of the file as it was after `last` durable, as the write left it
    /// that made the file that long.
    fn advance_end(&mut self, last: &Record) {
        let size = last.size_after();
        let growth = if last.is_cut() { self.growth_over(size, last.id) } else { Some(*last) };
        if let Some(growth) = growth {
            let page = (size - 1) / PAGE;
            for sector in page * (PAGE / SECTOR)..size.div_ceil(SECTOR) {
                self.advance(sector, growth.id);
            }
        }
    }

    /// Makes the size durable as far as pages are written at its end.
    fn sync_end(&mut self, begin: OpId) {
        let Some((record, size)) = self.end_covered(begin) else { return };
        if size == record.size_after() {
            self.sync_size(record.id, NewBlocks::LastPageBeforeSize);
        } else {
            self.sync_size(record.id - 1, NewBlocks::LastPageBeforeSize);
            self.durable.resize(size as usize, 0);
        }
    }

    /// Makes durable what the truncation at `index` does to bytes still pending before it. The
    /// durable ones are cut by the caller.
    fn advance_cut(&mut self, index: usize) {
        let cut = self.pending[index];
        for earlier in 0..index {
            let record = self.pending[earlier];
            if !record.is_cut() {
                let sectors = self.sectors(&record);
                for sector in sectors.start.max(cut.offset / SECTOR)..sectors.end {
                    self.advance(sector, cut.id);
                }
            }
        }
        self.written = self.written.min(cut.offset.next_multiple_of(SECTOR));
    }

    /// Drops the records that have become durable everywhere.
    pub(in crate::disk) fn prune(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|record| {
            let size_pending = self.size_upto < record.id && record.changes_size();
            let pending = |sector| self.mark(sector) < record.id;
            size_pending || (!record.is_cut() && self.sectors(record).any(pending))
        });
        self.pending = pending;
        if self.pending.is_empty() {
            self.forget_pending();
            self.written = self.durable.len() as u32;
        }
    }

    /// Leaves the pages dirty at `begin` clean although they may not have reached the medium.
    pub(in crate::disk) fn sync_failed(&mut self, begin: OpId, now: OpId) {
        let mut pages: Vec<u32> = Vec::new();
        for record in self.pending.iter().filter(|record| record.id <= begin) {
            let end = if record.is_cut() { record.offset + 1 } else { record.end() };
            pages.extend(record.offset / PAGE..end.div_ceil(PAGE));
        }
        pages.sort_unstable();
        pages.dedup();
        let lost = pages.into_iter().map(|page| LostPage { page, upto: begin, since: now });
        self.lost.extend(lost);
    }

    /// Takes the failed sync that had the operations up to `begin` to write for one that did not
    /// fail.
    pub(in crate::disk) fn forgive(&mut self, begin: OpId) {
        self.lost.retain(|lost| lost.upto != begin);
    }

    /// Last pending truncation up to operation `upto`, or zero.
    pub(in crate::disk) fn last_cut(&self, upto: OpId) -> OpId {
        let cut =
            |record: &&Record| record.id <= upto && self.size_upto < record.id && record.is_cut();
        self.pending.iter().rev().find(cut).map_or(0, |record| record.id)
    }
}
