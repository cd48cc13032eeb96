//! What a fault means for the call that it strikes.

use std::time::Duration;

use crate::disk::Errno;
use crate::fault::{Fault, FaultKind};

/// A fault, carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Injected {
    /// What strikes.
    pub(super) kind: FaultKind,
    /// The error that the caller gets, if it gets one.
    pub(super) errno: Option<Errno>,
    /// Whether the call takes its full effect all the same.
    pub(super) done: bool,
    /// Decides how much of an append is done, see [`Fault::short_len`], and which sector is struck.
    pub(super) fault: Fault,
    /// How much longer the call takes.
    pub(super) delay: Duration,
    /// Whether the plan handed it out, and counts it.
    pub(super) is_planned: bool,
}

/// Syncs at most that a device lies about once it has begun to.
const LIES_MAX: u64 = 24;

impl Injected {
    /// What a call meets that would change a file system that is read-only.
    pub(super) fn refused() -> Injected {
        inject(Fault { kind: FaultKind::ReadOnly, draw: 0 }, false)
    }

    /// How many syncs the device lies about from this one on.
    pub(super) fn lies(&self) -> u32 {
        match self.kind {
            FaultKind::SyncLie => 1 + self.fault.scaled(LIES_MAX) as u32,
            _ => 0,
        }
    }

    /// How many of `len` bytes an append writes.
    pub(super) fn kept(&self, len: usize) -> usize {
        match self.kind {
            FaultKind::ShortAppend | FaultKind::NoSpaceAppend => self.fault.short_len(len),
            FaultKind::AppendError | FaultKind::ReadOnly => 0,
            _ => len,
        }
    }
}

/// The effect of `fault`, which the plan handed out or somebody else.
pub(super) fn inject(fault: Fault, is_planned: bool) -> Injected {
    use FaultKind as Kind;
    let errno = match fault.kind {
        kind if !kind.is_error() => None,
        Kind::NoSpaceAppend | Kind::NoSpaceCreate | Kind::NoSpaceSync => Some(Errno::NoSpace),
        Kind::TooManyOpen => Some(Errno::TooManyOpen),
        Kind::ReadOnly => Some(Errno::ReadOnly),
        _ => Some(Errno::Io),
    };
    let delay = match fault.kind {
        Kind::LatencySpike => Duration::from_micros(100 + fault.scaled(5_000)),
        Kind::LongStall => Duration::from_millis(20 + fault.scaled(2_000)),
        _ => Duration::ZERO,
    };
    let done = matches!(fault.kind, Kind::FullAppend | Kind::CloseError | Kind::RenameDone);
    Injected { kind: fault.kind, errno, done, fault, delay, is_planned }
}
