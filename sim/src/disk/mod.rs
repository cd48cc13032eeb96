//! The simulated disk.

mod content;
mod directory;
mod file;
mod names;
mod profile;
mod state;
mod sync;

pub use file::InFlight;
pub use profile::{
    CrossDirectoryRename, EXT4_ORDERED, FailedDirSync, FileSync, MetadataOrder, NewBlocks,
    POSIX_WEAK, PROFILES, Profile, ReplacingRename, Unwritten,
};
pub use state::{Disk, EntryOp, Errno, Fd, Ino, Pick};
pub use sync::{SyncOutcome, SyncTicket};

/// The unit that the medium writes whole, in bytes.
pub const SECTOR: u32 = 512;

/// The unit of the page cache, in which a sync succeeds or fails, and the size of a block.
pub const PAGE: u32 = 4096;
