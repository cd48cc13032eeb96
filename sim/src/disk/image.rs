//! The content of a whole disk, and making one from picked versions.

use std::fmt;

use xxhash_rust::xxh3::Xxh3;

use super::SECTOR;
use super::choose::Fates;
use super::space::{FileSpan, Space, Target};
use super::state::{Disk, Ino, Kind};

/// What a disk holds, as a reader finds it where the medium is not damaged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// Full path of each directory but the root, and of each file with its bytes, in the order of
    /// a walk that takes names in order.
    pub entries: Vec<(String, Option<Vec<u8>>)>,
}

impl Disk {
    /// Copies out what a reader finds now.
    pub fn image(&self) -> Image {
        let mut entries = Vec::new();
        self.visit(Ino::ROOT, &mut String::new(), &mut |path, bytes| {
            entries.push((path.to_owned(), bytes.map(<[u8]>::to_vec)));
        });
        Image { entries }
    }

    /// A hash of all names and bytes that a reader finds now: equal for equal images.
    pub fn image_hash(&self) -> u64 {
        let mut hasher = Xxh3::new();
        self.visit(Ino::ROOT, &mut String::new(), &mut |path, bytes| {
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            hasher.update(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
            hasher.update(bytes.unwrap_or_default());
        });
        hasher.digest()
    }

    /// A hash of what is there, what is durable and what is under way: equal for disks of which
    /// crashes may leave the same.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = Xxh3::new();
        let mut add = |told: &dyn fmt::Debug| hasher.update(format!("{told:?}").as_bytes());
        for (index, inode) in self.inodes.iter().enumerate() {
            if !self.free_inodes.contains(&Ino(index as u32)) {
                add(&(index, inode));
            }
        }
        add(&self.meta);
        if !self.lies.is_empty() {
            add(&self.lies);
        }
        if !self.taken_back.is_empty() {
            add(&self.taken_back);
        }
        if !self.writers_at.is_empty() {
            add(&self.writers_at);
        }
        if !self.late_errors.is_empty() {
            add(&self.late_errors);
        }
        if !self.flaws.is_empty() {
            add(&self.flaws);
        }
        for flight in self.flights.iter().filter(|flight| flight.busy) {
            add(&(flight.ino, flight.begun, &flight.bytes));
        }
        hasher.digest()
    }

    /// Calls `each` with the path of everything below `dir`, and the bytes if it is a file.
    pub(super) fn visit(
        &self,
        dir: Ino,
        path: &mut String,
        each: &mut dyn FnMut(&str, Option<&[u8]>),
    ) {
        for entry in &self.inode(dir).volatile.0 {
            let len = path.len();
            path.push('/');
            path.push_str(self.names.get(entry.name));
            let inode = self.inode(entry.ino);
            if inode.kind == Kind::File {
                each(path, Some(&inode.content.volatile));
            } else {
                each(path, None);
                self.visit(entry.ino, path, each);
            }
            path.truncate(len);
        }
    }

    /// Sets the durable state to the versions that `fates` picks.
    pub(super) fn apply(&mut self, space: &Space, fates: &Fates) {
        for span in &space.files {
            self.apply_file(space, span, fates);
        }
        for register in space.entries as usize..space.registers.len() {
            let Target::Entry(dir, name) = space.registers[register].target else { continue };
            let Some((op, _)) = space.version(register as u32, fates.versions[register]) else {
                continue;
            };
            let at = self.meta.binary_search_by_key(&op, |op| op.id);
            let op = self.meta[at.expect("a step is a pending operation")];
            let change = op.changes().find(|change| (change.dir, change.name) == (dir, name));
            let to = change.and_then(|change| change.to);
            self.inodes[dir.index()].durable.set(&self.names, name, to);
        }
    }

    fn apply_file(&mut self, space: &Space, span: &FileSpan, fates: &Fates) {
        let size = space.size(self, span, &fates.versions);
        let content = &mut self.inodes[span.ino.index()].content;
        for register in span.sectors.0..span.sectors.1 {
            let Target::Sector(_, sector) = space.registers[register as usize].target else {
                continue;
            };
            if size <= sector * SECTOR {
                break;
            }
            let picked = space.version(register, fates.versions[register as usize]);
            if let Some((op, bytes)) = picked {
                let mut buffer = content.durable_sector(sector);
                content.fold(sector, op, bytes, &mut buffer);
                content.set_durable_sector(sector, &buffer);
            }
        }
        for (register, seed) in &fates.garbage {
            if let Target::Sector(ino, sector) = space.registers[*register as usize].target
                && ino == span.ino
            {
                let mut buffer = [0; SECTOR as usize];
                fill_garbage(&content.volatile, sector, *seed, &mut buffer);
                content.set_durable_sector(sector, &buffer);
            }
        }
        if content.durable.len() != size as usize {
            content.durable.resize(size as usize, 0);
        }
    }
}

/// What a medium may hold where nothing was written: noise, or earlier bytes of the same file.
///
/// Earlier bytes of a log hold smaller sequence numbers than the place calls for, so a reader can
/// tell them. Bytes of other files are left out: a stale record that continues the sequence is
/// beyond what the format can reject.
fn fill_garbage(bytes: &[u8], sector: u32, seed: u32, buffer: &mut [u8; SECTOR as usize]) {
    let mut state = (u64::from(seed) << 32) | u64::from(sector);
    let mut next = || split_mix(&mut state);
    let earlier = (sector * SECTOR) as usize;
    if seed % 2 == 1 && 0 < earlier && earlier <= bytes.len() {
        let start = (next() % earlier as u64) as usize;
        let stale = &bytes[start..(start + SECTOR as usize).min(earlier)];
        buffer[..stale.len()].copy_from_slice(stale);
        return;
    }
    for chunk in buffer.chunks_exact_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes());
    }
}

/// The next number of SplitMix64.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
