//! Bytes at a wrong place: writes that went elsewhere, and reads that came from elsewhere.
//!
//! **A misdirected write** arises when a sync makes sectors durable: one of them goes to the place
//! of another sector, in the same or another file. The place that was missed keeps what the medium
//! held of it before, zeros where that was nothing; the place that was hit shows the bytes that
//! were meant for the other. These are two flaws with one number: listed together, healed together.
//! As for any flaw a write over one of the places heals that one, and leaves the other as it is.
//!
//! The sync returns Ok, and neither size nor names are touched: they are metadata, and nothing here
//! strikes those. Both flaws show at once to whoever reads, though a page cache would serve the
//! right bytes for a while: it may drop a clean page at any moment, and this one it drops first.
//! What matters is that the bytes before are known, and they are known only here: a flaw that came
//! up later, as rot does, would have to invent them.
//!
//! **A misdirected read** brings the bytes of another place, once: nothing on the medium changes.
//! While it shows it is a flaw as well, so that whoever computes what was given finds it. Who asked
//! for it ends it ([`Disk::end_misreads`]); at the latest it ends with the process, whose page
//! cache is the only place that ever held these bytes.
//!
//! Left out: write-backs that no sync asked for, writes that land where no file lies, and names.

use super::SECTOR;
use super::media::{Damage, Flaw};
use super::state::{Disk, Fd, Ino, Kind};
use super::sync::SyncTicket;

/// The bytes of a sector.
pub type SectorBytes = [u8; SECTOR as usize];

/// How a sector comes to show the bytes of another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stray {
    /// A write that was meant for it went elsewhere: it shows what was there before.
    Missed,
    /// A write went to it that was meant for another place.
    Hit,
    /// A read of it was given the bytes of another place.
    Misread,
}

impl Stray {
    pub(super) fn words(self) -> &'static str {
        match self {
            Stray::Missed => "a write missed it",
            Stray::Hit => "a write to another place hit it",
            Stray::Misread => "a read brought another place",
        }
    }
}

/// A sector of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub ino: Ino,
    /// The sector, counted from the start of the file.
    pub sector: u32,
}

impl Disk {
    /// The sectors that a sync may bring to the medium, with what that holds of them now.
    pub fn due(&self, ticket: &SyncTicket) -> Vec<(Spot, SectorBytes)> {
        let content = &self.inode(ticket.ino).content;
        let mut sectors: Vec<u32> =
            content.pending.iter().flat_map(|record| content.sectors(record)).collect();
        sectors.sort_unstable();
        sectors.dedup();
        let of = |sector| (Spot { ino: ticket.ino, sector }, content.durable_sector(sector));
        sectors.into_iter().map(of).collect()
    }

    /// Whether a sector is at rest and has no flaw.
    pub fn is_at_rest(&self, spot: Spot) -> bool {
        let start = u64::from(spot.sector * SECTOR);
        !self.sectors_at_rest(spot.ino, start..start + 1).is_empty()
    }

    /// The sectors at rest that have no flaw, of each file that has a name and any such sector, in
    /// the order of inode numbers.
    pub fn all_at_rest(&self) -> Vec<Vec<Spot>> {
        let files = (0..self.inodes.len() as u32).map(Ino);
        let files = files.filter(|ino| {
            let inode = self.inode(*ino);
            inode.kind == Kind::File && 0 < inode.links
        });
        let spots = files.map(|ino| {
            let sectors = self.sectors_at_rest(ino, 0..u64::MAX).into_iter();
            sectors.map(|sector| Spot { ino, sector }).collect()
        });
        spots.filter(|spots: &Vec<Spot>| !spots.is_empty()).collect()
    }

    /// Has the last write of `missed` gone to `hit`, both of them at rest; `held` is what the
    /// medium held of the first before. Returns the number of the flaws; `None`, and no flaw, if
    /// one of the two would show nothing else than it did.
    pub fn misdirect(&mut self, missed: Spot, held: &SectorBytes, hit: Spot) -> Option<u32> {
        let lost = self.difference(missed, held);
        let found = self.difference(hit, &self.bytes_of(missed));
        if missed == hit || lost.is_empty() || found.is_empty() {
            return None;
        }
        let id = self.number_flaw(missed.ino, missed.sector, Damage::Stray(Stray::Missed, lost));
        self.add_flaw(id, hit.ino, hit.sector, Damage::Stray(Stray::Hit, found));
        Some(id)
    }

    /// Has the next read of `spot`, which is at rest, bring the bytes of `other`. Returns the
    /// number of the flaw; `None`, and no flaw, if these are the same.
    pub fn misread(&mut self, spot: Spot, other: Spot) -> Option<u32> {
        let flips = self.difference(spot, &self.bytes_of(other));
        let stray = Damage::Stray(Stray::Misread, flips);
        (!stray.flips().is_empty()).then(|| self.number_flaw(spot.ino, spot.sector, stray))
    }

    /// Takes away what misdirected reads have brought: of one file, or of all.
    pub fn end_misreads(&mut self, of: Option<Ino>) {
        let is_misread = |flaw: &Flaw| matches!(flaw.damage, Damage::Stray(Stray::Misread, _));
        self.flaws.retain(|flaw| !is_misread(flaw) || of.is_some_and(|ino| ino != flaw.ino));
    }

    /// The inode of an open file, and the sectors of `range` of it that are at rest.
    pub fn spots_at_rest(&self, fd: Fd, range: std::ops::Range<u64>) -> Vec<Spot> {
        let ino = self.ino(fd);
        self.at_rest(fd, range).into_iter().map(|sector| Spot { ino, sector }).collect()
    }

    /// What was written to a sector at rest, with zeros behind the end of the file.
    fn bytes_of(&self, spot: Spot) -> SectorBytes {
        self.inode(spot.ino).content.durable_sector(spot.sector)
    }

    /// The bits of a sector at rest that differ from `shown`, as far as the file reaches.
    fn difference(&self, spot: Spot, shown: &SectorBytes) -> Vec<(u32, u8)> {
        let written = self.bytes_of(spot);
        let len =
            SECTOR.min(self.inode(spot.ino).content.durable.len() as u32 - spot.sector * SECTOR);
        let bits = (0..len).zip(written.iter().zip(shown).map(|(a, b)| a ^ b));
        bits.filter(|(_, bits)| *bits != 0).collect()
    }
}
