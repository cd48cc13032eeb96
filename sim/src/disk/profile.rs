//! Profiles of file systems: what a crash may leave is decided by data, not by code.
//!
//! A profile is a row of switches. Each switch answers one question about ordering or about what a
//! failed sync does; the code that builds crash images asks the switch and nothing else, so a new
//! file system is a new row, and a new behaviour is a new variant of one switch.
//!
//! What the rows say of Linux file systems follows their documentation and published studies of
//! crash consistency; it has not been checked here against a running kernel, and is an assumption
//! wherever the doc of a variant says so.

/// How directory operations and truncations are ordered among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataOrder {
    /// Not at all: each name is on its own until its directory is synced.
    Free,
    /// One journal: they reach the disk in the order they were made, so what survives is a prefix.
    /// A new size carries everything that the journal took before it, but may itself come
    /// arbitrarily late, because blocks are allocated late.
    Journal,
    /// As [`MetadataOrder::Journal`], but a sync takes only what it covers ahead of the order: it
    /// is written to a log of syncs, which is replayed. The rest waits for its turn (assumption:
    /// the log tree of btrfs).
    Transactions,
}

/// Where written bytes of a file go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataWrites {
    /// To their place, each sector by itself.
    InPlace,
    /// Each page to a new place, and then into the tree: all of the page is there or nothing of it,
    /// never with old sectors among new ones, and not before the names and truncations that came
    /// before it.
    CopyOnWrite,
    /// Into the journal, whole pages with the size, in one order with all names and truncations:
    /// what survives of completed calls is a prefix of time (assumption: one handle of the journal
    /// for each page). Of two writes to different files under way at once, the pages of the one
    /// that completes first come first; that they may lie in the journal by turns is left out.
    Journal,
}

/// Whether bytes that need a new block are on disk before the size that exposes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewBlocks {
    /// Size and bytes are independent.
    Unordered,
    /// The write that first touches a block is on disk before a size that covers it. Later writes
    /// into the same block get no such promise: write-back may have mapped the block in between
    /// (an assumption about delayed allocation), and then only the size may move.
    BeforeSize,
    /// A size is on disk only together with the page of its last byte, as the write left it that
    /// made the file that long: the size moves when the writing of a page is complete, to the end
    /// of that page or of the file. Pages before it may be missing and show zeros, because they are
    /// written in any order (assumption). A page that a failed sync was to write has not moved the
    /// size: it waits until a page at its end is written, or the page has come to the disk after
    /// all.
    LastPageBeforeSize,
}

/// What a rename over an existing name does for the bytes of the file that takes the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacingRename {
    /// Nothing.
    Bare,
    /// The size the file had is on disk before the rename, and with it what [`NewBlocks`] ties to
    /// a size. A rename to a free name gets nothing.
    CarriesSize,
}

/// What a successful sync of a file makes durable beside its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSync {
    /// Nothing: the name needs a sync of its directory.
    ContentOnly,
    /// The names of the file, too.
    ContentAndNames,
}

/// When a rename between two directories is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossDirectoryRename {
    /// When both directories have been synced since.
    BothSyncs,
    /// When either has.
    EitherSync,
}

/// What a sector shows that the size covers but no write ever reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// Zeros.
    Zeros,
    /// Zeros, or whatever the medium held before.
    ZerosOrGarbage,
}

/// What a failed sync of a directory does to the names it was to make durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedDirSync {
    /// A directory is taken for one page: it is clean afterwards, and a later sync covers those
    /// names only if the directory was changed again in between (assumption, the pessimistic
    /// reading of what is known for files).
    CleansPage,
    /// They stay pending, and the next sync tries them again (assumption: they are in a journal).
    StaysPending,
}

/// What a failed sync of a file does to the pages it was to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedSync {
    /// They are clean. Readers go on seeing the new bytes, of which the medium may hold any.
    CleansPages,
    /// The cache drops them: readers see the durable bytes and the durable size again, and so does
    /// every crash. A write since then stands, with zeros where it leaves a gap (assumption: what
    /// was found of btrfs; that some of the pages were written before another failed is left out).
    TakesBack,
    /// It returns Ok, for the journal has everything; the pages fail when the journal is emptied.
    /// They are lost as with [`FailedSync::CleansPages`], and the next sync of the file says so
    /// (assumption: what was found of ext4; a newer one may stop taking changes instead).
    ToldLate,
}

/// Whether the device keeps what it answers Ok for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// It does: [`super::SyncOutcome::Lied`] is refused.
    Honest,
    /// A sync may lie: answered with Ok, it makes nothing durable. What it covered stays pending,
    /// and a later sync that does not lie covers it again (assumption: a flush of the device takes
    /// along what it holds of the file; what it may take along of others is not counted on).
    MayLie,
}

/// One row of switches; see the module.
#[derive(Debug)]
pub struct Profile {
    /// Name in scenarios and reports.
    pub name: &'static str,
    /// Order of directory operations and truncations.
    pub metadata: MetadataOrder,
    /// Bytes in new blocks against the size.
    pub new_blocks: NewBlocks,
    /// Bytes of a file renamed over another.
    pub replacing_rename: ReplacingRename,
    /// Names of a synced file.
    pub file_sync: FileSync,
    /// Renames between directories.
    pub cross_directory_rename: CrossDirectoryRename,
    /// Sectors that no write reached.
    pub unwritten: Unwritten,
    /// Names after a failed directory sync.
    pub failed_dir_sync: FailedDirSync,
    /// What an Ok is worth.
    pub device: Device,
    /// Where bytes go.
    pub data: DataWrites,
    /// Pages after a failed sync.
    pub failed_sync: FailedSync,
}

/// [`POSIX_WEAK`] on a device that may lie. No program can keep its promises on it: it shows what
/// becomes of one whose ground gives way, and [`super::Disk::broken_promises`] says when it did.
pub static DEVICE_LIES: Profile =
    Profile { name: "device-lies", device: Device::MayLie, ..WEAKEST };

/// What POSIX promises and no more: only syncs order anything, only a directory sync keeps names.
pub static POSIX_WEAK: Profile = WEAKEST;

const WEAKEST: Profile = Profile {
    name: "posix-weak",
    metadata: MetadataOrder::Free,
    new_blocks: NewBlocks::Unordered,
    replacing_rename: ReplacingRename::Bare,
    file_sync: FileSync::ContentOnly,
    cross_directory_rename: CrossDirectoryRename::BothSyncs,
    unwritten: Unwritten::ZerosOrGarbage,
    failed_dir_sync: FailedDirSync::CleansPage,
    device: Device::Honest,
    data: DataWrites::InPlace,
    failed_sync: FailedSync::CleansPages,
};

/// ext4 with `data=ordered` and delayed allocation.
///
/// Simplified: the flush that ext4 does when a file truncated to nothing is closed is left out, so
/// this row allows a few images more than the file system.
pub static EXT4_ORDERED: Profile = Profile {
    name: "ext4-ordered",
    metadata: MetadataOrder::Journal,
    new_blocks: NewBlocks::BeforeSize,
    replacing_rename: ReplacingRename::CarriesSize,
    file_sync: FileSync::ContentAndNames,
    cross_directory_rename: CrossDirectoryRename::EitherSync,
    unwritten: Unwritten::Zeros,
    failed_dir_sync: FailedDirSync::StaysPending,
    device: Device::Honest,
    data: DataWrites::InPlace,
    failed_sync: FailedSync::CleansPages,
};

/// XFS: as ext4 a journal of metadata, but no bytes are written before a name or a size for the
/// sake of it, other than those at the end of the file.
///
/// Allows a few images more than the file system: those in which a page that no sync covered has
/// only some of its sectors in a new block, which stays zeros as a whole until it is written; and,
/// after a failed sync, sizes smaller than the page that was written again.
pub static XFS: Profile = Profile {
    name: "xfs",
    new_blocks: NewBlocks::LastPageBeforeSize,
    replacing_rename: ReplacingRename::Bare,
    ..EXT4_ORDERED
};

/// btrfs.
///
/// Allows a few images more than the file system: a size may be there without any page of the
/// file, with zeros in their place. It moves with whatever page of the file comes into the tree
/// first, and then covers those that do not yet (assumption: without items for holes, the default
/// since Linux 5.15). Nor does this row count on the bytes of a file that is renamed over another:
/// btrfs begins to write them then, and has not waited for them since Linux 3.17. A sector that
/// does not match its checksum is never met: no write is torn within a page.
pub static BTRFS: Profile = Profile {
    name: "btrfs",
    metadata: MetadataOrder::Transactions,
    new_blocks: NewBlocks::Unordered,
    replacing_rename: ReplacingRename::Bare,
    data: DataWrites::CopyOnWrite,
    failed_sync: FailedSync::TakesBack,
    ..EXT4_ORDERED
};

/// ext4 with `data=journal`.
pub static EXT4_JOURNAL: Profile = Profile {
    name: "ext4-journal",
    new_blocks: NewBlocks::Unordered,
    replacing_rename: ReplacingRename::Bare,
    data: DataWrites::Journal,
    failed_sync: FailedSync::ToldLate,
    ..EXT4_ORDERED
};

/// Every profile, weak ones first.
pub static PROFILES: [&Profile; 6] =
    [&DEVICE_LIES, &POSIX_WEAK, &XFS, &EXT4_ORDERED, &BTRFS, &EXT4_JOURNAL];

impl Profile {
    /// Finds a profile by its name.
    pub fn named(name: &str) -> Option<&'static Profile> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// As [`Profile::named`], for who asks for one that has to be there.
    ///
    /// # Errors
    /// In words, with the names that there are.
    pub fn find(name: &str) -> Result<&'static Profile, String> {
        let there_are = || PROFILES.map(|profile| profile.name).join(", ");
        Self::named(name)
            .ok_or_else(|| format!("unknown profile `{name}`: there are {}", there_are()))
    }

    /// Whether a growing file has each end of a page on the way for its size.
    pub(super) fn moves_size_by_pages(&self) -> bool {
        self.new_blocks == NewBlocks::LastPageBeforeSize || self.data == DataWrites::Journal
    }
}
