//! Within what a run may be: the least and the most of each number, for scenarios and for plans.

/// The least and the most.
pub(crate) type Bounds = (u32, u32);

pub(crate) const WRITERS: Bounds = (1, 64);
pub(crate) const BATCHES: Bounds = (0, 100_000);
/// Of a batch that is not empty.
pub(crate) const OPS: Bounds = (1, 1000);
/// Bytes.
pub(crate) const VALUE: Bounds = (0, 300 << 10);
pub(crate) const KEYS: Bounds = (1, 1_000_000);
pub(crate) const READERS: Bounds = (0, 64);
pub(crate) const READS: Bounds = (0, 100_000);
pub(crate) const WRITE_BUFFER_SIZE: Bounds = (4096, 1 << 30);
pub(crate) const MAX_FILE_SIZE: Bounds = (1024, 1 << 30);
pub(crate) const LEVEL1_SIZE_MAX: Bounds = (1, u32::MAX);
pub(crate) const LEVEL0_COMPACTION_TRIGGER: Bounds = (1, 1000);
pub(crate) const MANIFEST_SIZE_MAX: Bounds = (4096, u32::MAX);
pub(crate) const TABLE_APPEND_SIZE: Bounds = (1, 4 << 20);
pub(crate) const CRASHES: Bounds = (0, 100);
/// Bytes of a disk that can be full.
pub(crate) const CAPACITY: Bounds = (1, u32::MAX);
