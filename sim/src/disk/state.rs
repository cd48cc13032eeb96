//! The parts a disk is made of: inodes, open files, directory operations, writes in flight.

use super::choose::Fates;
use super::content::{Content, OpId};
use super::failure::LateErrors;
use super::lies::Lie;
use super::media::Flaw;
use super::names::{NameId, Names};
use super::profile::Profile;
use super::report::Op;
use super::shared::Scratch;
use super::space::Space;

/// Bytes of memory that an empty disk may keep. Each file would keep those of the largest that ever
/// had its number: hundreds of megabytes after many runs with large values.
const KEPT_BYTES: usize = 8 << 20;

/// An inode number. Survives a crash as long as the file does; reused after the file is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ino(pub(super) u32);

impl Ino {
    /// The root directory.
    pub(super) const ROOT: Ino = Ino(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fd(pub(super) u32);

/// Why a call failed. The disk itself never says [`Errno::Io`] or [`Errno::TooManyOpen`]: they are
/// for injected faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// No such file or directory.
    NotFound,
    /// The name is taken.
    Exists,
    /// No room, see [`Disk::set_capacity`].
    NoSpace,
    /// The directory has entries.
    NotEmpty,
    /// A file where a directory is needed.
    NotADirectory,
    /// A directory where a file is needed.
    IsADirectory,
    /// An offset or a size beyond the end of the file.
    Invalid,
    /// The medium failed.
    Io,
    /// The process has no file descriptor left.
    TooManyOpen,
    /// The file system takes no changes.
    ReadOnly,
}

/// A source of choices. The disk draws from nothing else.
pub trait Pick {
    /// Chooses one of `0..n`; `n` is at least one.
    fn pick(&mut self, n: u32) -> u32;
}

/// What an inode is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Free,
    File,
    Directory,
}

/// One name in a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: NameId,
    pub(super) ino: Ino,
}

/// The names in a directory, sorted by their text.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(pub(super) Vec<Entry>);

impl Entries {
    fn position(&self, names: &Names, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| names.get(entry.name).cmp(name))
    }

    pub(super) fn get(&self, names: &Names, name: &str) -> Option<Ino> {
        self.position(names, name).ok().map(|index| self.0[index].ino)
    }

    /// Sets or removes an entry and returns what was there.
    pub(super) fn set(&mut self, names: &Names, name: NameId, ino: Option<Ino>) -> Option<Ino> {
        match (self.position(names, names.get(name)), ino) {
            (Ok(index), Some(ino)) => Some(std::mem::replace(&mut self.0[index].ino, ino)),
            (Ok(index), None) => Some(self.0.remove(index).ino),
            (Err(index), Some(ino)) => {
                self.0.insert(index, Entry { name, ino });
                None
            }
            (Err(_), None) => None,
        }
    }
}

/// A file or a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    /// The name it was last given, for reports.
    pub(super) label: NameId,
    /// Names in the volatile directories.
    pub(super) links: u32,
    /// Names in the durable directories, and in pending directory operations.
    pub(super) durable_links: u32,
    /// Open files.
    pub(super) opens: u32,
    /// Bytes of the capacity that it holds.
    pub(super) charged: u32,
    pub(super) content: Content,
    pub(super) volatile: Entries,
    pub(super) durable: Entries,
    /// Failed syncs of the directory: operations up to the first number are in no later sync
    /// begun after the second, until the directory changes again.
    pub(super) lost: Vec<(OpId, OpId)>,
}

/// What a directory operation does, for reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryOp {
    /// A new file.
    Create,
    /// A name taken away.
    Remove,
    /// A file moved to another name.
    Rename,
    /// A second name for a file.
    Link,
    /// A new directory.
    CreateDir,
    /// A directory taken away.
    RemoveDir,
}

/// One entry set to a new value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) dir: Ino,
    pub(super) name: NameId,
    pub(super) to: Option<Ino>,
}

/// A pending directory operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct MetaOp {
    pub(super) id: OpId,
    pub(super) what: EntryOp,
    /// The inode that gets or loses a name.
    pub(super) ino: Ino,
    pub(super) first: Change,
    /// The second half of a rename.
    pub(super) second: Option<Change>,
    /// A rename that took the name of another file.
    pub(super) replaces: bool,
    /// Which halves a sync of their directory has covered.
    pub(super) synced: [bool; 2],
}

impl MetaOp {
    pub(super) fn changes(&self) -> impl Iterator<Item = Change> + use<> {
        [Some(self.first), self.second].into_iter().flatten()
    }

    pub(super) fn touches(&self, dir: Ino) -> bool {
        self.changes().any(|change| change.dir == dir)
    }

    pub(super) fn shares_entry(&self, other: &MetaOp) -> bool {
        self.changes().any(|a| other.changes().any(|b| (a.dir, a.name) == (b.dir, b.name)))
    }

    pub(super) fn crosses_directories(&self) -> bool {
        self.second.is_some_and(|second| second.dir != self.first.dir)
    }
}

/// Where a write in flight goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    End,
    At(u32),
}

/// A write submitted and not completed. `bytes` keeps its memory when the slot is free.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) busy: bool,
    pub(super) ino: Ino,
    /// Order of submission.
    pub(super) begun: u32,
    pub(super) destination: Destination,
    /// Space set aside for growth.
    pub(super) reserved: u32,
    pub(super) bytes: Vec<u8>,
}

impl Clone for Flight {
    fn clone(&self) -> Self {
        // Of a slot that is free only the place counts.
        let bytes = if self.busy { self.bytes.clone() } else { Vec::new() };
        Flight { bytes, ..*self }
    }
}

/// A file that somebody has open.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenFile {
    pub(super) ino: Ino,
    /// How many late errors of the inode it has been told of.
    pub(super) errors_known: u32,
}

/// A lock that somebody holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldLock {
    pub(super) ino: Ino,
    pub(super) owner: u32,
    /// Whether others may hold such a lock too.
    pub(super) is_shared: bool,
}

/// The simulated disk; see the module.
#[derive(Clone, Debug)]
pub struct Disk {
    pub(super) profile: &'static Profile,
    pub(super) names: Names,
    pub(super) inodes: Vec<Inode>,
    pub(super) free_inodes: Vec<Ino>,
    /// `None` is a free slot.
    pub(super) open_files: Vec<Option<OpenFile>>,
    /// Pending directory operations in time order.
    pub(super) meta: Vec<MetaOp>,
    pub(super) flights: Vec<Flight>,
    pub(super) locks: Vec<HeldLock>,
    /// Number of the last operation.
    pub(super) clock: OpId,
    pub(super) flights_begun: u32,
    /// Number of the incarnation: completions of an earlier one touch nothing.
    pub(super) epoch: u32,
    pub(super) capacity: Option<u64>,
    /// Bytes held by files and set aside for writes in flight.
    pub(super) used: u64,
    /// Whether a truncation may be pending somewhere.
    pub(super) has_cuts: bool,
    /// Syncs since the last power loss that were answered with Ok and did not keep all.
    pub(super) lies: Vec<Lie>,
    /// Writes that failed syncs took back since the last crash.
    pub(super) taken_back: Vec<Op>,
    /// Where the next append to a file goes of which the end was taken back: its writer does not
    /// know, and goes on where it was.
    pub(super) writers_at: Vec<(Ino, u32)>,
    /// Errors that the next sync of a file tells.
    pub(super) late_errors: Vec<LateErrors>,
    /// Damaged sectors.
    pub(super) flaws: Vec<Flaw>,
    /// How many flaws there have been.
    pub(super) flaws_made: u32,
    /// What the last crash took of what was promised, or failed syncs before it.
    pub(super) broken: Vec<Op>,
    /// Scratch of the last power loss, kept for its memory.
    pub(super) space: Scratch<Space>,
    pub(super) fates: Scratch<Fates>,
}

impl Disk {
    /// An empty disk: a root directory, nothing pending.
    pub fn new(profile: &'static Profile) -> Self {
        let mut disk = Self {
            profile,
            names: Names::default(),
            inodes: Vec::new(),
            free_inodes: Vec::new(),
            open_files: Vec::new(),
            meta: Vec::new(),
            flights: Vec::new(),
            locks: Vec::new(),
            clock: 0,
            flights_begun: 0,
            epoch: 0,
            capacity: None,
            used: 0,
            has_cuts: false,
            lies: Vec::new(),
            taken_back: Vec::new(),
            writers_at: Vec::new(),
            late_errors: Vec::new(),
            flaws: Vec::new(),
            flaws_made: 0,
            broken: Vec::new(),
            space: Scratch::default(),
            fates: Scratch::default(),
        };
        disk.reset(profile);
        disk
    }

    /// Bytes of memory that its files and writes keep, for other files and writes.
    pub(super) fn kept_memory(&self) -> usize {
        let files = self.inodes.iter().map(|inode| inode.content.kept_memory());
        let flights = self.flights.iter().map(|flight| flight.bytes.capacity());
        files.chain(flights).sum()
    }

    /// Makes the disk empty again and keeps its memory, unless that is much. Behaves as a new disk
    /// in every respect.
    pub fn reset(&mut self, profile: &'static Profile) {
        self.profile = profile;
        self.names.clear();
        self.open_files.clear();
        self.meta.clear();
        self.locks.clear();
        for flight in &mut self.flights {
            flight.busy = false;
        }
        (self.clock, self.flights_begun) = (0, 0);
        // Tickets of the last run touch nothing in the next.
        self.epoch += 1;
        (self.capacity, self.used, self.has_cuts) = (None, 0, false);
        self.lies.clear();
        self.taken_back.clear();
        self.writers_at.clear();
        self.late_errors.clear();
        self.flaws.clear();
        self.flaws_made = 0;
        self.broken.clear();
        // Taken from the end, so that a used disk gives out the same numbers as a new one.
        self.free_inodes.clear();
        if KEPT_BYTES < self.kept_memory() {
            (self.inodes, self.flights) = (Vec::new(), Vec::new());
        }
        for index in (0..self.inodes.len()).rev() {
            self.clear_inode(Ino(index as u32));
            self.free_inodes.push(Ino(index as u32));
        }
        let label = self.names.intern("/");
        let root = self.new_inode(Kind::Directory, label);
        debug_assert_eq!(root, Ino::ROOT, "the root is the first inode");
        self.inode_mut(root).links = 1;
        self.inode_mut(root).durable_links = 1;
    }

    /// The profile in force.
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    pub(super) fn inode(&self, ino: Ino) -> &Inode {
        &self.inodes[ino.index()]
    }

    pub(super) fn inode_mut(&mut self, ino: Ino) -> &mut Inode {
        &mut self.inodes[ino.index()]
    }

    /// Number for the next operation.
    pub(super) fn tick(&mut self) -> OpId {
        self.clock += 1;
        self.clock
    }

    pub(super) fn new_inode(&mut self, kind: Kind, label: NameId) -> Ino {
        let ino = self.free_inodes.pop().unwrap_or_else(|| {
            self.inodes.push(Inode::default());
            Ino(self.inodes.len() as u32 - 1)
        });
        let inode = self.inode_mut(ino);
        inode.kind = kind;
        inode.label = label;
        ino
    }

    fn clear_inode(&mut self, ino: Ino) {
        let inode = self.inode_mut(ino);
        if inode.kind == Kind::Free {
            return;
        }
        inode.kind = Kind::Free;
        (inode.links, inode.durable_links, inode.opens, inode.charged) = (0, 0, 0, 0);
        inode.content.clear();
        inode.volatile.0.clear();
        inode.durable.0.clear();
        inode.lost.clear();
        self.forget_late_errors(ino);
        self.forget_flaws(ino);
        self.writers_at.retain(|(file, _)| *file != ino);
    }

    /// Gives the space of a file back that has lost its last name and its last opener, and frees
    /// the inode once no crash can bring it back.
    pub(super) fn release(&mut self, ino: Ino) {
        let inode = self.inode_mut(ino);
        if inode.kind == Kind::Free || 0 < inode.links || 0 < inode.opens {
            return;
        }
        let charged = std::mem::take(&mut inode.charged);
        let (is_directory, is_named) = (inode.kind == Kind::Directory, 0 < inode.durable_links);
        self.used -= u64::from(charged);
        // What is pending in a removed directory goes with it: until then its number is taken.
        let is_touched = is_directory && self.meta.iter().any(|op| op.touches(ino));
        if !is_named && !is_touched {
            self.clear_inode(ino);
            self.free_inodes.push(ino);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Disk, KEPT_BYTES};
    use crate::disk::POSIX_WEAK;

    #[test]
    fn an_empty_disk_keeps_little_memory() {
        let mut disk = Disk::new(&POSIX_WEAK);
        for (size, keeps) in [(KEPT_BYTES / 8, true), (KEPT_BYTES, false)] {
            let file = disk.create("/file").expect("creates");
            let write = disk.begin_append(file, &vec![7; size]).expect("begins");
            disk.finish_append(write, size);
            assert!(2 * size <= disk.kept_memory(), "the file and the write");
            disk.reset(&POSIX_WEAK);
            assert_eq!(2 * size <= disk.kept_memory(), keeps, "{size} bytes");
        }
    }
}
