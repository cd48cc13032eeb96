//! Damage of the medium: sectors whose bits have flipped, that show the bytes of another place, or
//! that cannot be read. How bytes come to a wrong place is told in [`super::stray`].
//!
//! A flaw lies *over* the bytes of a sector and changes none of them. Readers see it; whoever looks
//! on from outside ([`Disk::bytes`], [`Disk::image`]) sees the bytes as they were written. So flaws
//! can be listed and healed, one by one, and what is found then is what was there before.
//!
//! Only a sector *at rest* gets a flaw: one that is on the medium, and of which nothing is pending.
//! A flaw survives the death of the process and the loss of power. It goes when the sector is
//! written over or cut off, and with its file. Simplification: a write heals as it completes, and
//! for good, though a power loss may take it back.
//!
//! Invariant: a sector has one flaw at most. Two flaws have one number only if they are the two
//! ends of one misdirected write.

use std::ops::Range;

use super::SECTOR;
use super::image::split_mix;
use super::state::{Disk, Errno, Fd, Ino, Kind};
use super::stray::Stray;

/// Bits of a sector that flip at most.
const FLIPS_MAX: u64 = 8;

/// What is wrong with a sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// These bits have flipped: a byte of the sector, and its bits.
    Rot(Vec<(u32, u8)>),
    /// It shows the bytes of another place, or of another time: these bits differ.
    Stray(Stray, Vec<(u32, u8)>),
    /// Whoever reads a byte of it gets an error.
    Unreadable,
}

impl Damage {
    /// The bits that show otherwise than they were written.
    pub fn flips(&self) -> &[(u32, u8)] {
        match self {
            Damage::Rot(flips) | Damage::Stray(_, flips) => flips,
            Damage::Unreadable => &[],
        }
    }
}

/// One damaged sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Its number, from 1: no other flaw of this disk has it but the other end of a write.
    pub id: u32,
    /// The file.
    pub ino: Ino,
    /// The sector, counted from the start of the file.
    pub sector: u32,
    /// What is wrong with it.
    pub damage: Damage,
}

impl Flaw {
    fn start(&self) -> u64 {
        u64::from(self.sector * SECTOR)
    }

    /// Whether somebody who reads the bytes of `range` is given something else.
    fn shows_in(&self, range: &Range<u64>) -> bool {
        if self.damage == Damage::Unreadable {
            return range.start < self.start() + u64::from(SECTOR) && self.start() < range.end;
        }
        let mut shown = self.damage.flips().iter();
        shown.any(|(byte, _)| range.contains(&(self.start() + u64::from(*byte))))
    }

    /// Flips bits of `bytes`, which start at `offset` of the file.
    fn distort(&self, offset: u64, bytes: &mut [u8]) {
        for (byte, bits) in self.damage.flips() {
            let at = (self.start() + u64::from(*byte)).checked_sub(offset);
            if let Some(byte) = at.and_then(|at| bytes.get_mut(at as usize)) {
                *byte ^= bits;
            }
        }
    }
}

impl Disk {
    /// The sectors of bytes `range` of an open file that are at rest and have no flaw.
    pub fn at_rest(&self, fd: Fd, range: Range<u64>) -> Vec<u32> {
        self.sectors_at_rest(self.ino(fd), range)
    }

    /// The same of any file.
    pub(super) fn sectors_at_rest(&self, ino: Ino, range: Range<u64>) -> Vec<u32> {
        let content = &self.inode(ino).content;
        let end = range.end.min(content.durable.len() as u64);
        if end <= range.start {
            return Vec::new();
        }
        let sectors = (range.start / u64::from(SECTOR)) as u32..end.div_ceil(SECTOR.into()) as u32;
        let is_pending =
            |sector| content.pending.iter().any(|op| content.sectors(op).contains(&sector));
        let is_flawed =
            |sector| self.flaws.iter().any(|flaw| (flaw.ino, flaw.sector) == (ino, sector));
        sectors.filter(|&sector| !is_pending(sector) && !is_flawed(sector)).collect()
    }

    /// Flips a few bits of a sector at rest; `draw` says which. Returns the number of the flaw.
    pub fn rot(&mut self, fd: Fd, sector: u32, draw: u32) -> u32 {
        let durable = self.inode(self.ino(fd)).content.durable.len() as u32;
        let len = SECTOR.min(durable - sector * SECTOR);
        let mut state = u64::from(draw) << 32 | u64::from(sector);
        let count = 1 + split_mix(&mut state) % FLIPS_MAX;
        let mut flips: Vec<(u32, u8)> = Vec::new();
        for _ in 0..count {
            let bit = (split_mix(&mut state) % u64::from(len * 8)) as u32;
            // A bit that is drawn twice flips once.
            match flips.iter_mut().find(|(byte, _)| *byte == bit / 8) {
                Some((_, bits)) => *bits |= 1 << (bit % 8),
                None => flips.push((bit / 8, 1 << (bit % 8))),
            }
        }
        flips.sort_unstable();
        self.number_flaw(self.ino(fd), sector, Damage::Rot(flips))
    }

    /// Makes a sector at rest unreadable. Returns the number of the flaw.
    pub fn spoil(&mut self, fd: Fd, sector: u32) -> u32 {
        self.number_flaw(self.ino(fd), sector, Damage::Unreadable)
    }

    /// Gives a sector at rest a flaw with a number of its own.
    pub(super) fn number_flaw(&mut self, ino: Ino, sector: u32, damage: Damage) -> u32 {
        self.flaws_made += 1;
        self.add_flaw(self.flaws_made, ino, sector, damage);
        self.flaws_made
    }

    pub(super) fn add_flaw(&mut self, id: u32, ino: Ino, sector: u32, damage: Damage) {
        let start = u64::from(sector * SECTOR);
        let at_rest = self.sectors_at_rest(ino, start..start + 1);
        debug_assert_eq!(at_rest, [sector], "a sector at rest");
        self.flaws.push(Flaw { id, ino, sector, damage });
    }

    /// The flaws there are, in the order in which they came.
    pub fn flaws(&self) -> &[Flaw] {
        &self.flaws
    }

    /// Takes the flaws of a number away: one, or the ends of a misdirected write; false if there
    /// are none.
    pub fn heal(&mut self, id: u32) -> bool {
        let before = self.flaws.len();
        self.flaws.retain(|flaw| flaw.id != id);
        self.flaws.len() < before
    }

    /// Takes all flaws away.
    pub fn heal_all(&mut self) {
        self.flaws.clear();
    }

    /// A flaw in words, with whether an Ok sync had covered what it damages.
    pub fn describe_flaw(&self, flaw: &Flaw) -> String {
        let content = &self.inode(flaw.ino).content;
        let name = self.names.get(self.inode(flaw.ino).label);
        let end = ((flaw.sector + 1) * SECTOR).min(content.volatile.len() as u32);
        let sync = if end <= content.synced { "synced" } else { "not synced" };
        let what = match &flaw.damage {
            Damage::Rot(flips) => {
                let bits: u32 = flips.iter().map(|(_, bits)| bits.count_ones()).sum();
                format!("{bits} bit{} flipped", if bits == 1 { "" } else { "s" })
            }
            Damage::Stray(stray, _) => stray.words().to_owned(),
            Damage::Unreadable => "cannot be read".to_owned(),
        };
        format!("{name} sector {}: {what}, {sync}", flaw.sector)
    }

    /// Whether a flaw shows to who reads the bytes of `range` of an open file.
    pub fn shows_flaw(&self, fd: Fd, range: &Range<u64>) -> bool {
        let ino = self.ino(fd);
        self.flaws.iter().any(|flaw| flaw.ino == ino && flaw.shows_in(range))
    }

    /// The bytes of a file as its damaged sectors show them, but for those `unseen`, if any other
    /// is damaged so. Those of a sector that cannot be read are as they were written.
    ///
    /// # Errors
    ///
    /// If `path` is no file.
    pub fn rotten_bytes(
        &self,
        path: &str,
        unseen: &[(Ino, u32)],
    ) -> Result<Option<Vec<u8>>, Errno> {
        Ok(self.shown(self.lookup_file(path)?, unseen))
    }

    /// The same of a file whose inode the caller knows.
    pub(crate) fn shown(&self, ino: Ino, unseen: &[(Ino, u32)]) -> Option<Vec<u8>> {
        let is_rotten = |flaw: &&Flaw| {
            flaw.ino == ino
                && flaw.damage != Damage::Unreadable
                && !unseen.contains(&(ino, flaw.sector))
        };
        let mut rot = self.flaws.iter().filter(is_rotten).peekable();
        rot.peek()?;
        let mut bytes = self.inode(ino).content.volatile.to_vec();
        rot.for_each(|flaw| flaw.distort(0, &mut bytes));
        Some(bytes)
    }

    /// The bytes that were written to a file, and the last part of its name.
    pub(crate) fn written(&self, ino: Ino) -> (&[u8], &str) {
        let inode = self.inode(ino);
        (&inode.content.volatile, self.names.get(inode.label))
    }

    /// Puts the flaws of a file over `bytes`, which were read of it from `offset` on.
    pub(super) fn distort(&self, ino: Ino, offset: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        let range = offset..offset + bytes.len() as u64;
        for flaw in self.flaws.iter().filter(|flaw| flaw.ino == ino && flaw.shows_in(&range)) {
            if flaw.damage == Damage::Unreadable {
                return Err(Errno::Io);
            }
            flaw.distort(offset, bytes);
        }
        Ok(())
    }

    /// The sectors of `range` of a file have been written over.
    pub(super) fn heal_written(&mut self, ino: Ino, range: &Range<u32>) {
        let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
        self.flaws.retain(|flaw| flaw.ino != ino || !sectors.contains(&flaw.sector));
    }

    /// The file has been cut to `size` bytes.
    pub(super) fn heal_cut(&mut self, ino: Ino, size: u32) {
        self.flaws.retain(|flaw| flaw.ino != ino || flaw.sector * SECTOR < size);
    }

    /// The file is gone.
    pub(super) fn forget_flaws(&mut self, ino: Ino) {
        self.flaws.retain(|flaw| flaw.ino != ino);
    }

    /// The power went: files may be shorter now, or gone.
    pub(super) fn keep_flaws(&mut self) {
        let mut flaws = std::mem::take(&mut self.flaws);
        flaws.retain(|flaw| {
            let inode = self.inode(flaw.ino);
            inode.kind == Kind::File && flaw.start() < inode.content.durable.len() as u64
        });
        self.flaws = flaws;
    }
}
