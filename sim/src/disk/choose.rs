//! Choosing one image out of a space of them.
//!
//! Uniform choice would almost never show the images that tell most: all lost, all kept, one
//! operation missing, a size without its bytes. So a strategy is drawn first, and then an image
//! by that strategy. Whatever a strategy picks is made legal afterwards by lowering or by raising
//! versions, so each strategy draws from the legal images only.

use super::SECTOR;
use super::content::OpId;
use super::profile::Unwritten;
use super::report::{OpKind, Strategy};
use super::space::{Space, Target};
use super::state::{Disk, Pick};

/// One image: the version of each register, and which unwritten sectors show garbage.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fates {
    pub(super) versions: Vec<u32>,
    /// Register of a sector and the number its garbage is made from.
    pub(super) garbage: Vec<(u32, u32)>,
}

impl Fates {
    /// These versions, and no garbage.
    pub(super) fn of(versions: Vec<u32>) -> Fates {
        Fates { versions, garbage: Vec::new() }
    }
}

/// Strategies with how often each is taken.
const WEIGHTS: [(Strategy, u32); 11] = [
    (Strategy::AllLost, 1),
    (Strategy::AllKept, 2),
    (Strategy::Prefix, 3),
    (Strategy::TornPrefix, 3),
    (Strategy::Independent, 3),
    (Strategy::WholeFiles, 2),
    (Strategy::OmitOne, 2),
    (Strategy::Hole, 2),
    (Strategy::KeepOne, 2),
    (Strategy::SizesOnly, 2),
    (Strategy::NamesOnly, 1),
];

fn draw_strategy(pick: &mut dyn Pick) -> Strategy {
    let total = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut drawn = pick.pick(total);
    for (strategy, weight) in WEIGHTS {
        if drawn < weight {
            return strategy;
        }
        drawn -= weight;
    }
    Strategy::AllLost
}

impl Space {
    /// Draws a legal image into `fates`.
    pub(super) fn choose(&self, disk: &Disk, pick: &mut dyn Pick, fates: &mut Fates) -> Strategy {
        fates.versions.clear();
        fates.versions.resize(self.registers.len(), 0);
        fates.garbage.clear();
        if self.registers.is_empty() {
            return Strategy::NothingPending;
        }
        let strategy = draw_strategy(pick);
        let versions = &mut fates.versions;
        match strategy {
            Strategy::AllLost | Strategy::NothingPending | Strategy::Chosen => {}
            Strategy::AllKept => {
                self.keep_until(OpId::MAX, versions);
                self.cut_flights(pick, versions);
            }
            Strategy::Prefix => {
                let count = pick.pick(self.ops.len() as u32 + 1) as usize;
                let last = count.checked_sub(1).map_or(0, |index| self.ops[index].id);
                self.keep_until(last, versions);
                self.cut_flights(pick, versions);
            }
            Strategy::TornPrefix => self.torn_prefix(pick, versions),
            Strategy::Independent => {
                for (version, register) in versions.iter_mut().zip(&self.registers) {
                    *version = pick.pick(register.top + 1);
                }
                if pick.pick(2) == 0 {
                    self.lower(versions);
                } else {
                    self.raise(versions);
                }
            }
            Strategy::WholeFiles => self.whole_files(pick, versions),
            Strategy::OmitOne => {
                self.keep_until(OpId::MAX, versions);
                let omitted = self.draw_op(pick);
                self.each_step_of(omitted, |version, from, _| *version = from, versions);
                self.cut_flights(pick, versions);
            }
            Strategy::Hole => {
                self.keep_until(OpId::MAX, versions);
                self.make_hole(pick, versions);
                self.cut_flights(pick, versions);
            }
            Strategy::KeepOne => {
                let kept = self.draw_op(pick);
                self.each_step_of(kept, |version, from, weight| *version = from + weight, versions);
                self.raise(versions);
            }
            Strategy::SizesOnly => {
                self.keep_targets(versions, |target| !matches!(target, Target::Sector(..)));
            }
            Strategy::NamesOnly => {
                self.keep_targets(versions, |target| matches!(target, Target::Entry(..)));
            }
        }
        self.draw_garbage(disk, pick, fates);
        strategy
    }

    fn draw_op(&self, pick: &mut dyn Pick) -> OpId {
        self.ops[pick.pick(self.ops.len() as u32) as usize].id
    }

    /// Keeps the operations up to `last`. A prefix of time is always legal.
    pub(super) fn keep_until(&self, last: OpId, versions: &mut [u32]) {
        for (index, version) in versions.iter_mut().enumerate() {
            let steps = &self.steps[self.step_range(index as u32)];
            let kept = steps.partition_point(|step| step.op <= last);
            *version = kept.checked_sub(1).map_or(0, |at| steps[at].from + steps[at].weight);
        }
    }

    /// Calls `each` with the version of each register that `op` changes, and the place of the
    /// change in its chain.
    pub(super) fn each_step_of(
        &self,
        op: OpId,
        mut each: impl FnMut(&mut u32, u32, u32),
        versions: &mut [u32],
    ) {
        for (index, version) in versions.iter_mut().enumerate() {
            let steps = &self.steps[self.step_range(index as u32)];
            if let Ok(at) = steps.binary_search_by_key(&op, |step| step.op) {
                each(version, steps[at].from, steps[at].weight);
            }
        }
    }

    fn torn_prefix(&self, pick: &mut dyn Pick, versions: &mut [u32]) {
        let torn = self.draw_op(pick);
        self.keep_until(torn - 1, versions);
        let tear = |version: &mut u32, from, weight| *version = from + pick.pick(weight + 1);
        self.each_step_of(torn, tear, versions);
        self.lower(versions);
    }

    fn whole_files(&self, pick: &mut dyn Pick, versions: &mut [u32]) {
        for span in &self.files {
            if pick.pick(2) == 1 {
                let sectors = span.sectors.0..span.sectors.1;
                for register in span.size.into_iter().chain(sectors) {
                    versions[register as usize] = self.registers[register as usize].top;
                }
            }
        }
        let entries = self.entries as usize;
        for (version, register) in versions.iter_mut().zip(&self.registers).skip(entries) {
            if pick.pick(2) == 1 {
                *version = register.top;
            }
        }
        if pick.pick(2) == 0 {
            self.lower(versions);
        } else {
            self.raise(versions);
        }
    }

    /// Takes back a run of sectors in the middle of one file: a page or a few that were not written
    /// back before others behind them.
    fn make_hole(&self, pick: &mut dyn Pick, versions: &mut [u32]) {
        let sectors = self.files.iter().map(|span| span.sectors.1 - span.sectors.0).sum();
        if sectors == 0 {
            return;
        }
        let (mut nth, count) = (pick.pick(sectors), 1 << pick.pick(7));
        for (first, end) in self.files.iter().map(|span| span.sectors) {
            if nth < end - first {
                let hole = first + nth..end.min(first + nth + count);
                versions[hole.start as usize..hole.end as usize].fill(0);
                return;
            }
            nth -= end - first;
        }
    }

    fn keep_targets(&self, versions: &mut [u32], kept: impl Fn(Target) -> bool) {
        for (version, register) in versions.iter_mut().zip(&self.registers) {
            if kept(register.target) {
                *version = register.top;
            }
        }
        self.raise(versions);
    }

    /// Keeps only a drawn number of bytes of each write in flight, and makes the image legal.
    fn cut_flights(&self, pick: &mut dyn Pick, versions: &mut [u32]) {
        let first = self.ops.partition_point(|op| op.id < self.first_flight);
        for op in &self.ops[first..] {
            let OpKind::Write { len, .. } = op.kind else { continue };
            let bytes = pick.pick(len + 1);
            for (index, version) in versions.iter_mut().enumerate() {
                let steps = &self.steps[self.step_range(index as u32)];
                if let Ok(at) = steps.binary_search_by_key(&op.id, |step| step.op) {
                    let kept = bytes.saturating_sub(steps[at].bytes_before).min(steps[at].weight);
                    *version = (*version).min(steps[at].from + kept);
                }
            }
        }
        self.lower(versions);
    }

    /// Lowers versions until every edge holds.
    pub(super) fn lower(&self, versions: &mut [u32]) {
        loop {
            let mut changed = false;
            for edge in &self.edges {
                let upper = versions[edge.upper as usize];
                let lowered = edge.lowered(upper, versions[edge.lower as usize]);
                if lowered < upper {
                    versions[edge.upper as usize] = lowered;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Raises versions until every edge holds.
    pub(super) fn raise(&self, versions: &mut [u32]) {
        loop {
            let mut changed = false;
            for edge in &self.edges {
                let needed = edge.needs(versions[edge.upper as usize]);
                if versions[edge.lower as usize] < needed {
                    versions[edge.lower as usize] = needed;
                    changed = true;
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Calls `each` with every register that the image may fill with garbage: an unwritten sector
    /// inside the size of its file.
    pub(super) fn each_unwritten(&self, disk: &Disk, versions: &[u32], each: &mut dyn FnMut(u32)) {
        if disk.profile.unwritten == Unwritten::Zeros {
            return;
        }
        for span in &self.files {
            let size = self.size(disk, span, versions);
            for register in span.sectors.0..span.sectors.1 {
                let Target::Sector(_, sector) = self.registers[register as usize].target else {
                    continue;
                };
                if sector * SECTOR < size && self.is_empty(register, versions[register as usize]) {
                    each(register);
                }
            }
        }
    }

    /// Leaves all unwritten sectors zero, or draws for each.
    fn draw_garbage(&self, disk: &Disk, pick: &mut dyn Pick, fates: &mut Fates) {
        let Fates { versions, garbage } = fates;
        self.each_unwritten(disk, versions, &mut |register| garbage.push((register, 0)));
        if garbage.is_empty() {
            return;
        }
        if pick.pick(2) == 0 {
            garbage.clear();
            return;
        }
        garbage.retain_mut(|(_, seed)| {
            *seed = pick.pick(u32::MAX);
            *seed & 2 != 0
        });
    }
}
