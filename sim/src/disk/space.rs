//! The space of legal crash images: registers, their chains of versions, and the edges between.
//!
//! A register is a sector, the size of a file, or one name in a directory. Version 0 is durable;
//! each pending operation on the register adds one version on top, and one still in flight adds
//! one per byte. An image picks a version of every register. An edge says that a register at a
//! version needs another at least at some version; all edges lead to operations no later than
//! their own, so every prefix of time is legal, and the legal picks are closed under taking the
//! smaller or the larger of two, register by register.
//!
//! Edges are ramps: `len` steps, of which the nth of the upper register needs the nth of the
//! lower one. A plain edge is a ramp of one step; longer ones tie the bytes of a write in flight
//! to its size.

use super::content::{OpId, Record};
use super::names::NameId;
use super::profile::{DataWrites, MetadataOrder, NewBlocks, ReplacingRename};
use super::report::{Op, OpKind};
use super::state::{Disk, Ino, Kind};
use super::{PAGE, SECTOR};

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Size(Ino),
    Sector(Ino, u32),
    Entry(Ino, NameId),
}

/// One operation on one register: versions `from + 1 ..= from + weight`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) op: OpId,
    pub(super) from: u32,
    pub(super) weight: u32,
    /// In flight: how many bytes of the write are in version `from`.
    pub(super) bytes_before: u32,
    /// The register is a sector, and this version leaves nothing of the file in it.
    empty: bool,
}

/// A chain of versions; its steps are `steps.0..steps.1` of [`Space::steps`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Register {
    pub(super) target: Target,
    steps: (u32, u32),
    /// The newest version.
    pub(super) top: u32,
    /// The register is a sector that no write has reached in version 0.
    base_empty: bool,
}

/// `upper` at `from + n` needs `lower` at `to + n`, for n in `1..=len`; above `until` it does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) upper: u32,
    pub(super) from: u32,
    pub(super) lower: u32,
    pub(super) to: u32,
    pub(super) len: u32,
    pub(super) until: u32,
}

impl Edge {
    /// The version that the lower register needs when the upper is at `version`.
    pub(super) fn needs(&self, version: u32) -> u32 {
        if version <= self.from || self.until < version {
            0
        } else {
            self.to + (version - self.from).min(self.len)
        }
    }

    /// The highest version of the upper register, `version` at most, for which the lower one at
    /// `lower` is enough.
    pub(super) fn lowered(&self, version: u32, lower: u32) -> u32 {
        if self.needs(version) <= lower {
            version
        } else {
            self.from + lower.saturating_sub(self.to)
        }
    }
}

/// The registers of one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileSpan {
    pub(super) ino: Ino,
    pub(super) size: Option<u32>,
    /// Its sectors are registers `sectors.0..sectors.1`.
    pub(super) sectors: (u32, u32),
}

/// A place in a chain: register and step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) op: OpId,
    pub(super) register: u32,
    pub(super) step: Step,
}

/// The space; see the module. Its vectors are reused from crash to crash.
#[derive(Clone, Debug, Default)]
pub(super) struct Space {
    pub(super) ops: Vec<Op>,
    pub(super) registers: Vec<Register>,
    pub(super) steps: Vec<Step>,
    pub(super) edges: Vec<Edge>,
    pub(super) files: Vec<FileSpan>,
    /// First register that is a directory entry; all after it are.
    pub(super) entries: u32,
    /// Operations from here on were in flight.
    pub(super) first_flight: OpId,
    touched: Vec<(u32, u32)>,
    changed: Vec<(Ino, NameId, u32)>,
    /// Places of journalled operations, and of those that come into the journal late: growing sizes
    /// and pages written to a new place.
    journal: Vec<Place>,
    pub(super) growths: Vec<Place>,
}

impl Space {
    /// Builds the space of `disk`, whose operations from `first_flight` on are in flight.
    pub(super) fn build(&mut self, disk: &Disk, first_flight: OpId) {
        self.ops.clear();
        self.registers.clear();
        self.steps.clear();
        self.edges.clear();
        self.files.clear();
        self.journal.clear();
        self.growths.clear();
        self.first_flight = first_flight;
        for (index, inode) in disk.inodes.iter().enumerate() {
            if inode.kind == Kind::File && !inode.content.pending.is_empty() {
                self.add_file(disk, Ino(index as u32));
            }
        }
        self.entries = self.registers.len() as u32;
        self.add_entries(disk);
        self.ops.sort_unstable_by_key(|op| op.id);
        if disk.profile.data == DataWrites::Journal {
            self.order_calls(disk);
        } else if disk.profile.metadata != MetadataOrder::Free {
            self.order_journal();
        }
        if disk.profile.replacing_rename == ReplacingRename::CarriesSize {
            self.tie_renames(disk);
        }
    }

    fn add_file(&mut self, disk: &Disk, ino: Ino) {
        let inode = disk.inode(ino);
        for record in &inode.content.pending {
            let kind = if record.is_cut() {
                OpKind::Truncate { size: record.offset }
            } else {
                OpKind::Write { offset: record.offset, len: record.len }
            };
            self.ops.push(Op { id: record.id, kind, ino, name: inode.label });
        }
        let size = self.add_size(disk, ino);
        let first = self.registers.len() as u32;
        self.add_sectors(disk, ino);
        let sectors = (first, self.registers.len() as u32);
        self.files.push(FileSpan { ino, size, sectors });
        if disk.profile.data == DataWrites::CopyOnWrite {
            self.tie_pages(&disk.inode(ino).content, sectors);
        }
        if let Some(size) = size {
            self.tie_size(disk, ino, size, sectors);
            if disk.profile.data == DataWrites::CopyOnWrite {
                self.tie_cuts(&disk.inode(ino).content, size, sectors);
            }
            if disk.profile.new_blocks == NewBlocks::LastPageBeforeSize {
                self.tie_last_pages(&disk.inode(ino).content, size, sectors);
            }
        }
    }

    fn add_size(&mut self, disk: &Disk, ino: Ino) -> Option<u32> {
        let content = &disk.inode(ino).content;
        let register = self.registers.len() as u32;
        let changes = |record: &&Record| content.size_upto < record.id && record.changes_size();
        self.open_register(Target::Size(ino), false);
        for record in content.pending.iter().filter(changes) {
            let weight = if self.first_flight <= record.id {
                record.end() - record.offset.max(record.size_before)
            } else if disk.profile.moves_size_by_pages() {
                content.page_sizes(record).count() as u32
            } else {
                1
            };
            let bytes_before = record.size_before.saturating_sub(record.offset);
            let step = self.push_step(record.id, weight, bytes_before, false);
            let place = Place { op: record.id, register, step };
            if record.is_cut() { &mut self.journal } else { &mut self.growths }.push(place);
        }
        self.keep_register().then_some(register)
    }

    fn add_sectors(&mut self, disk: &Disk, ino: Ino) {
        let content = &disk.inode(ino).content;
        let mut touched = std::mem::take(&mut self.touched);
        touched.clear();
        // A truncation matters only to sectors that may be exposed again.
        let mut peak = 0;
        for (index, record) in content.pending.iter().enumerate().rev() {
            let mut sectors = content.sectors(record);
            if record.is_cut() {
                sectors.end = sectors.end.min(peak.max(record.offset).div_ceil(SECTOR));
            } else {
                peak = peak.max(record.end());
            }
            touched.extend(sectors.map(|sector| (sector, index as u32)));
        }
        touched.sort_unstable();
        for group in touched.chunk_by(|a, b| a.0 == b.0) {
            let sector = group[0].0;
            let durable = content.mark(sector);
            self.open_register(Target::Sector(ino, sector), content.is_unwritten(sector));
            for (_, index) in group {
                let record = &content.pending[*index as usize];
                if durable < record.id {
                    self.push_sector_step(record, sector);
                }
            }
            self.keep_register();
        }
        self.touched = touched;
    }

    fn push_sector_step(&mut self, record: &Record, sector: u32) {
        let start = sector * SECTOR;
        if record.is_cut() {
            self.push_step(record.id, 1, 0, record.offset <= start);
            return;
        }
        let from = record.offset.max(start);
        let bytes = record.end().min(start + SECTOR) - from;
        let weight = if self.first_flight <= record.id { bytes } else { 1 };
        self.push_step(record.id, weight, from - record.offset, false);
    }

    /// Ties truncations to the sectors they empty, and sizes to new blocks.
    fn tie_size(&mut self, disk: &Disk, ino: Ino, size: u32, sectors: (u32, u32)) {
        let content = &disk.inode(ino).content;
        let new_blocks_first = disk.profile.new_blocks == NewBlocks::BeforeSize;
        for register in sectors.0..sectors.1 {
            let Target::Sector(_, sector) = self.registers[register as usize].target else {
                continue;
            };
            for index in self.step_range(register) {
                let step = self.steps[index];
                let Ok(at) = content.pending.binary_search_by_key(&step.op, |record| record.id)
                else {
                    continue;
                };
                let record = content.pending[at];
                let Some(growth) = self.step_of(size, step.op) else { continue };
                if record.is_cut() {
                    self.tie((size, growth.from), (register, step.from), 1);
                    self.tie((register, step.from), (size, growth.from), 1);
                } else if new_blocks_first
                    && record.new_from <= sector * SECTOR
                    && !content.is_lost(sector, record.id)
                {
                    let ahead = step.bytes_before - growth.bytes_before;
                    let ahead = if self.first_flight <= record.id { ahead } else { 0 };
                    self.tie((size, growth.from + ahead), (register, step.from), step.weight);
                }
            }
        }
    }

    fn add_entries(&mut self, disk: &Disk) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        for (index, op) in disk.meta.iter().enumerate() {
            let name = op.second.map_or(op.first.name, |second| second.name);
            let kind = OpKind::Entry(op.what);
            self.ops.push(Op { id: op.id, kind, ino: op.ino, name });
            changed.extend(op.changes().map(|change| (change.dir, change.name, index as u32)));
        }
        changed.sort_unstable();
        let journal = self.journal.len();
        for group in changed.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let register = self.registers.len() as u32;
            self.open_register(Target::Entry(group[0].0, group[0].1), false);
            for (_, _, index) in group {
                let op = disk.meta[*index as usize].id;
                let step = self.push_step(op, 1, 0, false);
                self.journal.push(Place { op, register, step });
            }
            self.keep_register();
        }
        self.changed = changed;
        // The two halves of a rename are one operation.
        self.journal.sort_unstable_by_key(|place| place.op);
        debug_assert!(journal <= self.journal.len(), "entries only add places");
        for index in 1..self.journal.len() {
            let (a, b) = (self.journal[index - 1], self.journal[index]);
            if a.op == b.op {
                self.tie((a.register, a.step.from), (b.register, b.step.from), 1);
                self.tie((b.register, b.step.from), (a.register, a.step.from), 1);
            }
        }
    }

    /// One journal: an operation needs the one before, and a size needs all before it.
    fn order_journal(&mut self) {
        for index in 1..self.journal.len() {
            let (below, above) = (self.journal[index - 1], self.journal[index]);
            if below.op != above.op {
                let under = (below.register, below.step.from);
                self.tie((above.register, above.step.from), under, 1);
            }
        }
        let mut last: Option<(u32, OpId)> = None;
        for index in 0..self.growths.len() {
            let growth = self.growths[index];
            let before = self.journal.partition_point(|place| place.op < growth.op);
            let Some(below) = before.checked_sub(1).map(|at| self.journal[at]) else { continue };
            // The chain of the size already needs what an earlier growth needed.
            if last != Some((growth.register, below.op)) {
                last = Some((growth.register, below.op));
                let under = (below.register, below.step.from);
                self.tie((growth.register, growth.step.from), under, 1);
            }
        }
    }

    /// A rename over a name needs the size that the file had then.
    fn tie_renames(&mut self, disk: &Disk) {
        for op in disk.meta.iter().filter(|op| op.replaces) {
            let Some(span) = self.files.iter().find(|span| span.ino == op.ino) else { continue };
            let Some(size) = span.size else { continue };
            let steps = self.step_range(size);
            let Some(step) = self.steps[steps].iter().rev().find(|step| step.op < op.id).copied()
            else {
                continue;
            };
            let at = self.journal.partition_point(|place| place.op < op.id);
            let rename = self.journal[at];
            let to = step.from + step.weight - 1;
            self.tie((rename.register, rename.step.from), (size, to), 1);
        }
    }

    pub(super) fn tie(&mut self, upper: (u32, u32), lower: (u32, u32), len: u32) {
        let (upper, from) = upper;
        let (lower, to) = lower;
        self.edges.push(Edge { upper, from, lower, to, len, until: u32::MAX });
    }

    fn open_register(&mut self, target: Target, base_empty: bool) {
        let steps = self.steps.len() as u32;
        self.registers.push(Register { target, steps: (steps, steps), top: 0, base_empty });
    }

    fn push_step(&mut self, op: OpId, weight: u32, bytes_before: u32, empty: bool) -> Step {
        let register = self.registers.last_mut().expect("an open register");
        let step = Step { op, from: register.top, weight, bytes_before, empty };
        register.top += weight;
        register.steps.1 += 1;
        self.steps.push(step);
        step
    }

    /// Drops the register just filled if nothing is pending on it, and says whether it stays.
    fn keep_register(&mut self) -> bool {
        let keep = self.registers.last().is_some_and(|register| 0 < register.top);
        if !keep {
            self.registers.pop();
        }
        keep
    }

    pub(super) fn step_range(&self, register: u32) -> std::ops::Range<usize> {
        let (first, end) = self.registers[register as usize].steps;
        first as usize..end as usize
    }

    /// The last step of `register` before operation `op`.
    pub(super) fn step_before(&self, register: u32, op: OpId) -> Option<Step> {
        let steps = &self.steps[self.step_range(register)];
        let before = steps.partition_point(|step| step.op < op);
        before.checked_sub(1).map(|at| steps[at])
    }

    pub(super) fn step_of(&self, register: u32, op: OpId) -> Option<Step> {
        let steps = &self.steps[self.step_range(register)];
        steps.binary_search_by_key(&op, |step| step.op).ok().map(|index| steps[index])
    }

    /// The operation that made `version` of `register`, with how many bytes of it are in; `None`
    /// for the durable version.
    pub(super) fn version(&self, register: u32, version: u32) -> Option<(OpId, u32)> {
        let (step, nth) = self.step_at(register, version)?;
        let bytes = step.bytes_before + nth;
        Some((step.op, if step.op < self.first_flight { u32::MAX } else { bytes }))
    }

    /// The step that made `version` of `register`, and the how manieth of its versions that is.
    fn step_at(&self, register: u32, version: u32) -> Option<(Step, u32)> {
        let steps = &self.steps[self.step_range(register)];
        let above = steps.partition_point(|step| step.from < version);
        let step = steps[above.checked_sub(1)?];
        Some((step, version - step.from))
    }

    /// Whether `version` of `register` is a sector that no write of the file has reached.
    pub(super) fn is_empty(&self, register: u32, version: u32) -> bool {
        let steps = &self.steps[self.step_range(register)];
        let above = steps.partition_point(|step| step.from < version);
        match above.checked_sub(1) {
            Some(index) => steps[index].empty,
            None => self.registers[register as usize].base_empty,
        }
    }

    /// The size of a file in the image that `versions` picks.
    pub(super) fn size(&self, disk: &Disk, span: &FileSpan, versions: &[u32]) -> u32 {
        let content = &disk.inode(span.ino).content;
        let picked = span.size.and_then(|size| self.step_at(size, versions[size as usize]));
        let Some((step, nth)) = picked else { return content.durable.len() as u32 };
        let record = content.record(step.op);
        if self.first_flight <= step.op {
            record.offset + step.bytes_before + nth
        } else if nth == step.weight {
            record.size_after()
        } else {
            let mut sizes = content.page_sizes(&record);
            sizes.nth(nth as usize - 1).expect("a size for each version")
        }
    }
}

const _: () = assert!(PAGE.is_multiple_of(SECTOR), "a page is whole sectors");
