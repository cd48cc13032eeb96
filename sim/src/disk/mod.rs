//! The simulated disk: a file system in memory that can crash in every legal way.
//!
//! A [`Disk`] is plain data. It knows no clock, no thread and no randomness of its own; where a
//! crash has a choice, a [`Pick`] makes it. It injects no errors: whoever calls it decides that a
//! write ends early or that a sync fails, and tells the disk, which keeps the consequences.
//!
//! # The fault model
//!
//! This is a contract: a program that is correct under it may lose nothing else on a real machine
//! that keeps these rules. Where a rule speaks of what Linux does, it is an assumption drawn from
//! documentation and studies; it was not checked here against a running kernel.
//!
//! **Registers.** The state of the disk is a set of registers: each sector of [`SECTOR`] bytes of
//! each inode, each inode's size, each entry of each directory. Every call is recorded as
//! operations on registers. The operations on one register form a chain of versions, each on top
//! of the one before, since the cache holds one copy of a page and writes it back as it is. After
//! a loss of power each register shows one of its versions, the last durable one or a later one,
//! and the choice is free but for the rules below.
//!
//! **Process death** takes nothing that was completed. Of a write in flight any prefix may have
//! been done. Open files, locks and inodes without a name are gone. What was not durable before
//! is not durable after.
//!
//! **Writes.** A write changes each sector it touches, and the size if it grows the file. These
//! are separate: a later sector may survive without an earlier one, a size without its bytes,
//! bytes without their size. Sectors are atomic, except under a write in flight, which is torn at
//! any byte. A sector below the size that no write has reached shows zeros; where the profile
//! says so, it may show stale garbage instead: noise, or earlier bytes of the same file.
//! Assumption: a sector that already holds bytes of the file gets no garbage, because its page was
//! cleared when it was allocated.
//!
//! **Truncation** is one operation on the size and on all sectors it cuts: all of it survives or
//! none. A file cannot be grown by it.
//!
//! **Names.** Creating, removing, linking and renaming are each atomic; a rename changes two
//! entries or none. An entry may come back with what it meant when it was last durable, and with
//! it the old content of a file that was removed or replaced. An inode that no name reaches is
//! gone.
//!
//! **Sync of a file.** Completed with Ok, it makes durable the pages of [`PAGE`] bytes that were
//! dirty when it was submitted, as they were then, and the size; later writes are not covered,
//! nor is the name, unless the profile says so. What it makes durable brings along all that the
//! edges of the profile say it needs. **Sync of a directory** does the same for its entries.
//!
//! **A failed sync** leaves the pages it was to write clean. Readers still see their new bytes.
//! Whether those reached the medium is open: after a crash each sector may show any version since
//! the durable one. A later sync that returns Ok does not cover these pages, unless they were
//! dirtied again in between; then a page is written whole. The size is not a page: it stays
//! pending, and the next sync makes it durable, so it may come to cover bytes that are lost. Two
//! profiles do otherwise, see [`FailedSync`]: one takes the bytes and the size back, for readers
//! too; one returns Ok, and the next sync of the file tells of the failure, once to each open file.
//!
//! **Write-back that fails** without any sync ([`Disk::fail_write_back`]) leaves the dirty pages
//! as a failed sync does, and the next sync of the file tells of it. Clean pages that never reached
//! the medium may leave the cache ([`Disk::evict`]): readers see the old bytes without a crash.
//!
//! **Nothing synced is ever lost**, unless the device lies, a failure is told late or the medium is
//! damaged.
//!
//! **Damage** strikes a sector at rest, on the medium with nothing of it pending: bits of it flip
//! ([`Disk::rot`]), or it cannot be read any more ([`Disk::spoil`]). It lies over the bytes, which
//! stay as they are, and every read of the sector meets the same, through crashes too, until the
//! sector is written over or its file is gone ([`Flaw`]). A write may go to the place of another
//! sector ([`Disk::misdirect`]): then the one shows what it held before, the other what was
//! written. A read may come from the place of another ([`Disk::misread`]), and changes nothing.
//!
//! **A sync that lied** returns Ok and makes nothing durable; all that it covered stays pending.
//! Whoever completes the sync says that it lied, and may say so only where the profile has a device
//! that may lie. What such a sync would have made durable is a promise, and so is what a failed
//! sync was to write that returned Ok: after a power loss [`Disk::broken_promises`] names each
//! operation of which the image lacks a promised part. An image that breaks none is one that an
//! honest device could have left. After the death of a process it names the writes that were
//! taken back or left the cache, for these were completed.
//!
//! **Profiles** ([`Profile`]) add edges, as data. [`POSIX_WEAK`] has none. [`EXT4_ORDERED`] has
//! those of a metadata journal, of blocks written before the size that exposes them, and of renames
//! that replace a file. [`XFS`] has a journal, too, and ties a size to the page at its end alone.
//! [`BTRFS`] writes pages to new places, whole, and orders them behind metadata; what a sync covers
//! goes ahead of the order. [`EXT4_JOURNAL`] has everything in one order. [`DEVICE_LIES`] is the
//! first on a device that may lie.
//!
//! # Simplifications
//!
//! Writes leave no holes, so there are no sparse files, but where the end of a file was taken back
//! from under its writer. Directories are not renamed. Completed writes to one file are ordered as
//! they complete, as under an inode lock. Closing a file tells of no error.

mod choose;
mod content;
mod crash;
mod directory;
mod failure;
mod file;
mod folder;
mod image;
mod last_page;
mod lies;
mod listing;
mod media;
mod names;
mod order;
mod pages;
mod profile;
mod report;
mod shared;
mod space;
mod state;
mod stray;
mod sync;

pub use choose::Fates;
pub use crash::CrashSpace;
pub use file::InFlight;
pub use folder::Folder;
pub use image::Image;
pub(crate) use image::split_mix;
pub use listing::FileState;
pub use media::{Damage, Flaw};
pub use profile::{
    BTRFS, CrossDirectoryRename, DEVICE_LIES, DataWrites, Device, EXT4_JOURNAL, EXT4_ORDERED,
    FailedDirSync, FailedSync, FileSync, MetadataOrder, NewBlocks, POSIX_WEAK, PROFILES, Profile,
    ReplacingRename, Unwritten, XFS,
};
pub use report::{CrashReport, Fate, Op, OpKind, Strategy};
pub use state::{Disk, EntryOp, Errno, Fd, Ino, Pick};
pub use stray::{SectorBytes, Spot, Stray};
pub use sync::{SyncOutcome, SyncTicket};

/// The unit that the medium writes whole, in bytes.
pub const SECTOR: u32 = 512;

/// The unit of the page cache, in which a sync succeeds or fails, and the size of a block.
pub const PAGE: u32 = 4096;
