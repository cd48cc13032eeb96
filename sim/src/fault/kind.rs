//! The kinds of fault, and the operations that each can strike.

use serde::{Deserialize, Serialize};

use super::role::Operation;

/// Defines the kinds: for each its doc, variant, name in scenarios, and operations.
macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $variant:ident $name:ident [$($operation:ident)*],)*) => {
        /// What goes wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind {
            $($(#[$doc])* $variant,)*
        }

        impl FaultKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in scenarios and reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($name),)*
                }
            }

            /// Whether it can strike `operation`.
            pub fn strikes(self, operation: Operation) -> bool {
                let operations: &[Operation] = match self {
                    $(Self::$variant => &[$(Operation::$operation),*],)*
                };
                operations.contains(&operation)
            }
        }

        /// Probability of each kind for every operation that it can strike.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
        pub(super) struct Rates {
            $(#[serde(skip_serializing_if = "is_zero")] $name: f64,)*
        }

        impl Rates {
            /// Each kind with its rate.
            pub(super) fn iter(&self) -> impl Iterator<Item = (FaultKind, f64)> {
                [$((FaultKind::$variant, self.$name)),*].into_iter()
            }

            /// The rate of `kind`.
            pub(super) fn get_mut(&mut self, kind: FaultKind) -> &mut f64 {
                match kind {
                    $(FaultKind::$variant => &mut self.$name,)*
                }
            }
        }
    };
}

fault_kinds! {
    /// A drawn part of the bytes is written, less than all, then an I/O error.
    ShortAppend short_append [Append],
    /// All bytes are written, then an I/O error.
    FullAppend full_append [Append],
    /// Nothing is written, and an I/O error.
    AppendError append_error [Append],
    /// A drawn part of the bytes is written, less than all, then no space.
    NoSpaceAppend no_space_append [Append],
    /// No space for a new file.
    NoSpaceCreate no_space_create [Create CreateDir Link],
    /// An I/O error on opening.
    OpenError open_error [Open],
    /// Too many open files.
    TooManyOpen too_many_open [Open Create],
    /// An I/O error on creating; nothing was created.
    CreateError create_error [Create CreateDir Link],
    /// An I/O error on reading.
    ReadError read_error [Read],
    /// A sync that fails: its pages are clean, and may or may not be on the medium.
    SyncError sync_error [Sync],
    /// The file is closed, and an I/O error.
    CloseError close_error [Close],
    /// An I/O error; the old name stands.
    RenameNotDone rename_not_done [Rename],
    /// An I/O error, and yet the new name stands.
    RenameDone rename_done [Rename],
    /// An I/O error; the file is still there.
    RemoveError remove_error [Remove RemoveDir],
    /// An I/O error on listing.
    ListError list_error [List],
    /// A sync of a directory that fails.
    SyncDirError sync_dir_error [SyncDir],
    /// An I/O error on asking for the size.
    SizeError size_error [Size],
    /// An I/O error on asking for existence: neither yes nor no.
    ExistsError exists_error [Exists],
    /// The call takes much longer than usual.
    LatencySpike latency_spike [Open Create Read Append Sync Close Rename Remove List SyncDir],
    /// The call takes longer than anyone expects of a healthy machine, and those behind it in its
    /// queue of the device wait for it.
    LongStall long_stall [Open Create Read Append Sync Close Rename Remove List SyncDir],
    /// A wait for a condition variable ends although nobody has notified it.
    SpuriousWakeup spurious_wakeup [Wait],
    /// The device begins to lie: this sync, and a drawn number of syncs after it, return Ok and
    /// make nothing durable. Only where the profile has a device that may lie.
    SyncLie sync_lie [Sync SyncDir],
    /// The file system turns read-only: this call and all after it that would change the disk
    /// fail, until the machine starts again.
    ReadOnly read_only [Create Append Sync Rename Remove SyncDir CreateDir Link RemoveDir],
    /// The call is done; then write-back of the file's dirty pages fails, without any sync. Its
    /// next sync tells of it.
    WriteBackError write_back_error [Append],
    /// The call is done; then pages leave the cache that a failed write-back or sync had left
    /// clean, and readers see the old bytes.
    Eviction eviction [Create Open Append],
    /// A sector that is read and lies at rest has rotted: bits of it have flipped, and stay so.
    BitRot bit_rot [Read],
    /// A sector that is read and lies at rest cannot be read any more: this call and every other
    /// one that touches it fail.
    LatentError latent_error [Read],
    /// The sync returns Ok; of the sectors that it makes durable one goes to the place of another
    /// sector at rest, of the same or another file, and its own place keeps what it held before.
    MisdirectedWrite misdirected_write [Sync],
    /// A sector that is read and lies at rest comes from a wrong place: this call is given the
    /// bytes of another sector. Nothing on the medium changes.
    MisdirectedRead misdirected_read [Read],
    /// As [`FaultKind::SyncError`] and [`FaultKind::SyncDirError`], but what the caller is told is
    /// that there is no space: a file system that allocates blocks late finds out only now.
    NoSpaceSync no_space_sync [Sync SyncDir],
    /// An I/O error on locking; nothing is locked.
    LockError lock_error [Lock],
}

impl FaultKind {
    /// Whether it damages a sector that is read: then there must be one that is at rest.
    pub fn is_damage(self) -> bool {
        matches!(self, Self::BitRot | Self::LatentError)
    }

    /// Whether it brings bytes to a wrong place: then there must be another sector that is at rest.
    pub fn is_stray(self) -> bool {
        matches!(self, Self::MisdirectedWrite | Self::MisdirectedRead)
    }

    /// Whether the call that is struck returns an error.
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::LatencySpike
                | Self::LongStall
                | Self::SpuriousWakeup
                | Self::SyncLie
                | Self::WriteBackError
                | Self::Eviction
                | Self::BitRot
                | Self::MisdirectedWrite
                | Self::MisdirectedRead
        )
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(rate: &f64) -> bool {
    *rate <= 0.0
}
