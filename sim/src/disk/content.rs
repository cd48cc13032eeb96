//! The content of one file: what a reader sees, what is on the medium, and what lies between.
//!
//! A write costs one copy into the volatile bytes and one record of twenty-four bytes; versions of
//! sectors exist only when a crash asks for them. A record refers to the volatile bytes in place;
//! before those change under it (an overwrite or a truncation), [`Content::preserve`] moves what
//! pending records need to an arena.
//!
//! Invariants: `durable.len()` is the durable size; records are in time order; a record leaves
//! `pending` when all its sectors and its size are durable; `marks` and `lost` are empty unless a
//! sync failed or a closure made single sectors durable, which is what keeps the common sync short.

use super::{PAGE, SECTOR};

/// Number of an operation, rising in time. Zero is before all.
pub(super) type OpId = u32;

/// `Record::saved` of a record whose bytes are still in the volatile content.
const IN_PLACE: u32 = u32::MAX;
/// `Record::saved` of a truncation.
const CUT: u32 = u32::MAX - 1;

/// One pending write or truncation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) id: OpId,
    /// First byte written, or the size a truncation cuts to.
    pub(super) offset: u32,
    pub(super) len: u32,
    /// Size of the file before the operation.
    pub(super) size_before: u32,
    /// Bytes from here on fell into blocks that no earlier write had touched.
    pub(super) new_from: u32,
    saved: u32,
}

impl Record {
    pub(super) fn is_cut(&self) -> bool {
        self.saved == CUT
    }

    pub(super) fn end(&self) -> u32 {
        self.offset + self.len
    }

    pub(super) fn size_after(&self) -> u32 {
        if self.is_cut() { self.offset } else { self.end().max(self.size_before) }
    }

    pub(super) fn changes_size(&self) -> bool {
        self.size_after() != self.size_before
    }
}

/// The version `upto` of one sector is durable, although records before it are pending elsewhere.
#[derive(Clone, Copy, Debug)]
struct Mark {
    sector: u32,
    upto: OpId,
    /// A truncation left nothing of the file in it.
    empty: bool,
}

/// A failed sync left `page` clean: its records up to `upto` are in no later sync.
#[derive(Clone, Copy, Debug)]
struct LostPage {
    page: u32,
    upto: OpId,
    /// When the sync failed; a sync begun before had the page still dirty.
    since: OpId,
}

/// The bytes of one file; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) volatile: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) pending: Vec<Record>,
    /// Prefix of the file that an Ok sync covered; survives crashes, unlike `durable` it says
    /// nothing of bytes that reached the medium by luck.
    pub(super) synced: u32,
    /// Versions of the size up to here are durable.
    pub(super) size_upto: OpId,
    /// Durable bytes that were really written; the rest of `durable` was only exposed by a size.
    written: u32,
    /// End of the blocks that some write touched, in bytes.
    mapped: u32,
    arena: Vec<u8>,
    marks: Vec<Mark>,
    lost: Vec<LostPage>,
}

impl Content {
    /// Empties the file and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.volatile.clear();
        self.durable.clear();
        self.forget_pending();
        (self.synced, self.size_upto, self.written, self.mapped) = (0, 0, 0, 0);
    }

    /// Writes `bytes` at `offset`, at most the current size.
    pub(super) fn write(&mut self, id: OpId, offset: u32, bytes: &[u8]) {
        let size_before = self.volatile.len() as u32;
        debug_assert!(offset <= size_before, "the disk has no sparse files");
        let end = offset + bytes.len() as u32;
        let new_from = self.mapped.next_multiple_of(PAGE).max(offset);
        if offset == size_before {
            self.volatile.extend_from_slice(bytes);
        } else {
            self.preserve();
            if size_before < end {
                self.volatile.resize(end as usize, 0);
            }
            self.volatile[offset as usize..end as usize].copy_from_slice(bytes);
            // What is there now was never synced, whatever was there before.
            self.synced = self.synced.min(offset);
        }
        self.mapped = self.mapped.max(end);
        let len = bytes.len() as u32;
        self.pending.push(Record { id, offset, len, size_before, new_from, saved: IN_PLACE });
    }

    /// Cuts the file to `size`, below the current size.
    pub(super) fn cut(&mut self, id: OpId, size: u32) {
        let size_before = self.volatile.len() as u32;
        self.preserve();
        self.volatile.truncate(size as usize);
        self.synced = self.synced.min(size);
        self.mapped = size;
        let record = Record { id, offset: size, len: 0, size_before, new_from: 0, saved: CUT };
        self.pending.push(record);
    }

    /// The bytes that `record` wrote.
    fn bytes(&self, record: &Record) -> &[u8] {
        let (from, start) = match record.saved {
            IN_PLACE => (&self.volatile, record.offset as usize),
            saved => (&self.arena, saved as usize),
        };
        &from[start..start + record.len as usize]
    }

    /// Copies the bytes of all pending records out of the volatile content.
    fn preserve(&mut self) {
        for record in &mut self.pending {
            if record.saved == IN_PLACE {
                record.saved = self.arena.len() as u32;
                let bytes = record.offset as usize..record.end() as usize;
                self.arena.extend_from_slice(&self.volatile[bytes]);
            }
        }
    }

    /// The sectors whose versions `record` adds to.
    pub(super) fn sectors(&self, record: &Record) -> std::ops::Range<u32> {
        let first = record.offset / SECTOR;
        if !record.is_cut() {
            return first..record.end().div_ceil(SECTOR);
        }
        let written = |other: &Record| if other.is_cut() { 0 } else { other.end() };
        let pending = self.pending.iter().map(written).max().unwrap_or(0);
        first..pending.max(self.durable.len() as u32).div_ceil(SECTOR).max(first)
    }

    /// Version of `sector` that is durable by itself.
    pub(super) fn mark(&self, sector: u32) -> OpId {
        self.marks.iter().find(|mark| mark.sector == sector).map_or(0, |mark| mark.upto)
    }

    fn set_mark(&mut self, sector: u32, upto: OpId) {
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
    pub(super) fn is_lost(&self, sector: u32, id: OpId) -> bool {
        !self.lost.is_empty() && id <= self.lost_upto(sector / (PAGE / SECTOR), OpId::MAX)
    }

    /// Whether no write had reached the medium where `sector` lies.
    pub(super) fn is_unwritten(&self, sector: u32) -> bool {
        let mark = self.marks.iter().find(|mark| mark.sector == sector);
        mark.map_or(self.written <= sector * SECTOR, |mark| mark.empty)
    }

    /// Whether a write is recorded on `page` after operation `lost`, up to `begin`.
    fn is_dirty(&self, page: u32, lost: OpId, begin: OpId) -> bool {
        self.pending.iter().filter(|record| lost < record.id && record.id <= begin).any(|record| {
            if record.is_cut() {
                // Cutting inside a page zeroes its tail in the cache.
                record.offset % PAGE != 0 && record.offset / PAGE == page
            } else {
                (record.offset / PAGE..record.end().div_ceil(PAGE)).contains(&page)
            }
        })
    }

    /// Brings `sector`, the durable one in `buffer`, to its version `upto`, of which only the
    /// first `bytes` bytes count.
    pub(super) fn fold(
        &self,
        sector: u32,
        upto: OpId,
        bytes: u32,
        buffer: &mut [u8; SECTOR as usize],
    ) {
        let start = sector * SECTOR;
        let end = start + SECTOR;
        let durable = self.mark(sector);
        for record in &self.pending {
            if record.id <= durable || upto < record.id {
                continue;
            }
            let from = record.offset.clamp(start, end);
            if record.is_cut() {
                buffer[(from - start) as usize..].fill(0);
                continue;
            }
            let written = if record.id == upto { record.len.min(bytes) } else { record.len };
            let to = (record.offset + written).clamp(start, end);
            if from < to {
                let bytes = &self.bytes(record)
                    [(from - record.offset) as usize..(to - record.offset) as usize];
                buffer[(from - start) as usize..(to - start) as usize].copy_from_slice(bytes);
            }
        }
    }

    /// The durable bytes of `sector`, zeros where there are none.
    pub(super) fn durable_sector(&self, sector: u32) -> [u8; SECTOR as usize] {
        let mut buffer = [0; SECTOR as usize];
        let start = ((sector * SECTOR) as usize).min(self.durable.len());
        let end = (start + SECTOR as usize).min(self.durable.len());
        buffer[..end - start].copy_from_slice(&self.durable[start..end]);
        buffer
    }

    /// Overwrites the durable bytes of `sector`, growing the file to its end if need be.
    pub(super) fn set_durable_sector(&mut self, sector: u32, bytes: &[u8; SECTOR as usize]) {
        let start = (sector * SECTOR) as usize;
        let end = start + SECTOR as usize;
        if self.durable.len() < end {
            self.durable.resize(end, 0);
        }
        self.durable[start..end].copy_from_slice(bytes);
    }

    /// Last operation up to `begin` that changes the size and is not durable, or zero.
    pub(super) fn last_size_change(&self, begin: OpId) -> OpId {
        let changes = |record: &&Record| {
            record.id <= begin && self.size_upto < record.id && record.changes_size()
        };
        self.pending.iter().rev().find(changes).map_or(0, |record| record.id)
    }

    /// Makes durable what a sync begun after operation `begin` covers.
    pub(super) fn sync(&mut self, begin: OpId, new_blocks_first: bool) {
        if !self.lost.is_empty() || !self.marks.is_empty() {
            self.sync_pages(begin, new_blocks_first);
            return;
        }
        let count = self.pending.partition_point(|record| record.id <= begin);
        for index in 0..count {
            let record = self.pending[index];
            self.sync_whole(&record);
        }
        if count == 0 {
            return;
        }
        self.size_upto = self.size_upto.max(begin);
        self.written = self.durable.len() as u32;
        self.pending.drain(..count);
        if self.pending.is_empty() {
            self.arena.clear();
        }
        self.cover(self.written);
    }

    /// Notes that the first `covered` bytes are synced, but for those changed since.
    fn cover(&mut self, covered: u32) {
        let changed = self.pending.iter().map(|record| record.offset).min().unwrap_or(u32::MAX);
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
        if self.durable.len() == offset {
            self.durable.extend_from_slice(bytes);
            return;
        }
        if self.durable.len() < record.end() as usize {
            self.durable.resize(record.end() as usize, 0);
        }
        self.durable[offset..record.end() as usize].copy_from_slice(bytes);
    }

    /// The long way round: some pages are lost, or some sectors are ahead of the rest.
    fn sync_pages(&mut self, begin: OpId, new_blocks_first: bool) {
        self.sync_size(begin, new_blocks_first);
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
            if self.is_dirty(page, self.lost_upto(page, begin), begin) {
                self.advance(sector, begin);
            } else {
                covered = covered.min(sector * SECTOR);
            }
        }
        self.durable.truncate(size);
        self.prune();
        self.cover(covered);
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
    /// truncation empties and, if `new_blocks_first`, those in newly touched blocks.
    pub(super) fn sync_size(&mut self, upto: OpId, new_blocks_first: bool) {
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
            } else if new_blocks_first {
                for sector in self.sectors(&record) {
                    if record.new_from <= sector * SECTOR && !self.is_lost(sector, record.id) {
                        self.advance(sector, record.id);
                    }
                }
            }
            self.durable.resize(size, 0);
        }
        self.size_upto = self.size_upto.max(upto);
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
    pub(super) fn prune(&mut self) {
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
    pub(super) fn sync_failed(&mut self, begin: OpId, now: OpId) {
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

    /// Last pending truncation up to operation `upto`, or zero.
    pub(super) fn last_cut(&self, upto: OpId) -> OpId {
        let cut =
            |record: &&Record| record.id <= upto && self.size_upto < record.id && record.is_cut();
        self.pending.iter().rev().find(cut).map_or(0, |record| record.id)
    }

    /// Turns the durable bytes into all there is, as after a power loss.
    pub(super) fn settle(&mut self) {
        if !self.pending.is_empty() || self.volatile.len() != self.durable.len() {
            self.volatile.clear();
            self.volatile.extend_from_slice(&self.durable);
            self.forget_pending();
        }
        let size = self.durable.len() as u32;
        (self.written, self.mapped, self.size_upto) = (size, size, 0);
        self.synced = self.synced.min(size);
    }

    fn forget_pending(&mut self) {
        self.pending.clear();
        self.arena.clear();
        self.marks.clear();
        self.lost.clear();
    }
}
