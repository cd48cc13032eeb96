//! The simulated disk.

mod choose;
mod content;
mod crash;
mod directory;
mod file;
mod image;
mod names;
mod profile;
mod report;
mod space;
mod state;
mod sync;

pub use choose::Fates;
pub use crash::CrashSpace;
pub use file::InFlight;
pub use image::Image;
pub use profile::{
    CrossDirectoryRename, EXT4_ORDERED, FailedDirSync, FileSync, MetadataOrder, NewBlocks,
    POSIX_WEAK, PROFILES, Profile, ReplacingRename, Unwritten,
};
pub use report::{CrashReport, Fate, Op, OpKind, Strategy};
pub use state::{Disk, EntryOp, Errno, Fd, Ino, Pick};
pub use sync::{SyncOutcome, SyncTicket};

/// The unit that the medium writes whole, in bytes.
pub const SECTOR: u32 = 512;

/// The unit of the page cache, in which a sync succeeds or fails, and the size of a block.
pub const PAGE: u32 = 4096;
