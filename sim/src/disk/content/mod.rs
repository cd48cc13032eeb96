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

use super::shared::Shared;
use crate::disk::{PAGE, SECTOR};

mod durability;
mod evict;
mod take_back;

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
    pub(super) volatile: Shared<Vec<u8>>,
    pub(super) durable: Shared<Vec<u8>>,
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

    /// Bytes of memory that it keeps.
    pub(super) fn kept_memory(&self) -> usize {
        self.volatile.capacity() + self.durable.capacity() + self.arena.capacity()
    }

    /// Writes `bytes` at `offset`. Behind the current size that leaves zeros, which only a file of
    /// which the end was taken back has.
    pub(super) fn write(&mut self, id: OpId, offset: u32, bytes: &[u8]) {
        let size_before = self.volatile.len() as u32;
        let end = offset + bytes.len() as u32;
        let new_from = self.mapped.next_multiple_of(PAGE).max(offset);
        if size_before <= offset {
            let volatile = &mut *self.volatile;
            volatile.resize(offset as usize, 0);
            volatile.extend_from_slice(bytes);
        } else {
            self.preserve();
            let volatile = &mut *self.volatile;
            if size_before < end {
                volatile.resize(end as usize, 0);
            }
            volatile[offset as usize..end as usize].copy_from_slice(bytes);
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
            IN_PLACE => (&*self.volatile, record.offset as usize),
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

    /// The sizes that the file may have on its way to that after `record`, where a size moves to
    /// the end of each page as the page is written; those that are durable are left out.
    pub(super) fn page_sizes(&self, record: &Record) -> impl DoubleEndedIterator<Item = u32> {
        let (first, last) = if record.is_cut() {
            (0, 0)
        } else if self.size_upto + 1 == record.id {
            // Nothing before it is pending, and it may have come half the way.
            (self.durable.len() as u32 / PAGE, (record.size_after() - 1) / PAGE)
        } else {
            (record.size_before / PAGE, (record.size_after() - 1) / PAGE)
        };
        let size_max = record.size_after();
        (first..=last).map(move |page| size_max.min((page + 1) * PAGE))
    }

    /// The pending record of operation `id`.
    pub(super) fn record(&self, id: OpId) -> Record {
        let at = self.pending.binary_search_by_key(&id, |record| record.id);
        self.pending[at.expect("a step is a pending record")]
    }

    /// The last write before operation `before` that made the file reach over its first `size`
    /// bytes, if that is not durable.
    pub(super) fn growth_over(&self, size: u32, before: OpId) -> Option<Record> {
        let grows = |record: &&Record| {
            let range = record.size_before + 1..=record.size_after();
            self.size_upto < record.id && record.id < before && range.contains(&size)
        };
        self.pending.iter().rev().find(grows).copied()
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
        let durable = &mut *self.durable;
        if durable.len() < end {
            durable.resize(end, 0);
        }
        durable[start..end].copy_from_slice(bytes);
    }

    /// Turns the durable bytes into all there is, as after a power loss.
    pub(super) fn settle(&mut self) {
        if !self.pending.is_empty() || self.volatile.len() != self.durable.len() {
            self.volatile = self.durable.clone();
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
