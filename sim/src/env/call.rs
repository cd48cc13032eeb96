//! One call to the disk: submission, virtual time, completion, and what can strike in between.

use std::path::Path;
use std::time::Duration;

use faultline::FileOp;

use super::inject::{Injected, inject};
use crate::arena::Outside;
use crate::disk::{Device, Disk, Errno, Fd, SyncOutcome, SyncTicket};
use crate::fault::{FaultKind, FileRole, Operation, Phase};
use crate::kernel::{Kernel, Step, StepKind, with_kernel};
use crate::probe::Probe;
use crate::situation::{LastCall, Progress};
use crate::trace::{Lane, Tag};
use crate::workload::{Calls, FaultQuery, Moment, Trigger};
use crate::world::{DEVICE_QUEUES, World, with_world};

/// What a call is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The whole name.
    pub(super) name: &'a str,
    /// What kind of file it names.
    pub(super) role: FileRole,
    /// Bytes that the call carries.
    pub(super) bytes: u64,
    /// The file and the offset that it reads from, if it reads.
    pub(super) read: Option<(Fd, u64)>,
}

impl<'a> Target<'a> {
    pub(super) fn of(path: &'a Path) -> Self {
        Self::open(path, FileRole::of_file(text(path)))
    }

    /// An open file: its role was told from its name before.
    pub(super) fn open(path: &'a Path, role: FileRole) -> Self {
        Target { name: text(path), role, bytes: 0, read: None }
    }

    pub(super) fn directory(path: &'a Path) -> Self {
        let name = text(path);
        let name = if name.is_empty() { "/" } else { name };
        Target { name, role: FileRole::Directory, bytes: 0, read: None }
    }

    pub(super) fn short(&self) -> &'a str {
        self.name.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or(self.name)
    }

    /// A number for the file in scheduling steps: the same in every run of a seed.
    fn object(&self) -> u32 {
        let digits = self.short().bytes().filter(u8::is_ascii_digit);
        let number = digits.fold(0u32, |n, digit| n.wrapping_mul(10) + u32::from(digit - b'0'));
        (self.role as u32) << 24 | (number & 0x00ff_ffff)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("names in the simulator are text")
}

/// The operation as fault plans name it.
fn operation(op: FileOp) -> Operation {
    match op {
        FileOp::Open => Operation::Open,
        FileOp::Create => Operation::Create,
        FileOp::Read => Operation::Read,
        FileOp::Append => Operation::Append,
        FileOp::Sync => Operation::Sync,
        FileOp::Close => Operation::Close,
        FileOp::SyncDir => Operation::SyncDir,
        FileOp::List => Operation::List,
        FileOp::Exists => Operation::Exists,
        FileOp::Size => Operation::Size,
        FileOp::Rename => Operation::Rename,
        FileOp::Remove => Operation::Remove,
        FileOp::Truncate => Operation::Truncate,
        FileOp::Link => Operation::Link,
        FileOp::CreateDir => Operation::CreateDir,
        FileOp::RemoveDir => Operation::RemoveDir,
        FileOp::Lock => Operation::Lock,
    }
}

/// Whether a call can change what a crash leaves.
pub(super) fn mutates(op: FileOp) -> bool {
    matches!(
        op,
        FileOp::Create
            | FileOp::Append
            | FileOp::Sync
            | FileOp::SyncDir
            | FileOp::Rename
            | FileOp::Remove
            | FileOp::Truncate
            | FileOp::Link
            | FileOp::CreateDir
            | FileOp::RemoveDir
    )
}

/// Makes a call.
///
/// `begin` submits it and may fail at once; `finish` completes it after its time. Both get the
/// fault decided for the call. The process may die before, between and after them; then this does
/// not return.
pub(super) fn call<B, T>(
    op: FileOp,
    target: &Target<'_>,
    begin: impl FnOnce(&World, Option<Injected>) -> Result<B, Errno>,
    finish: impl FnOnce(&World, B, Option<Injected>) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let _outside = Outside::enter();
    with_world(|world| {
        with_kernel(|kernel| {
            world.heal_if_calm(kernel);
            let object = target.object();
            let word = u64::from(object) << 8 | op as u64;
            kernel.with_trace(|trace| trace.note(Tag::Io, word));
            world.note_change(kernel, op, target);
            let thread = kernel.thread_kind(kernel.current());
            let is_at = |progress| {
                let call = LastCall { thread, op, role: target.role, progress };
                world.last_call.set(Some(call));
            };
            is_at(Progress::Begins);
            if let Some(syncs) = &world.syncs {
                syncs.borrow_mut().note(kernel, op, target.name, target.role);
            }
            let fault = world.decide_fault(kernel, op, target);
            let moment = world.crash_moment(op, target.role);
            if moment == Some(Moment::Before) {
                kernel.tell(Lane::Fault, || format!("dies before {op} {}", target.short()));
                kernel.crash();
            }
            let begun = begin(world, fault);
            is_at(Progress::UnderWay);
            world.note_place(kernel, op, target.role);
            if let Some(Moment::Inside(points)) = moment {
                if op == FileOp::Append && target.role == FileRole::Log {
                    world.hit(Probe::CrashInsideLogAppend);
                }
                kernel.tell(Lane::Fault, || format!("dies inside {op} {}", target.short()));
                kernel.crash_within(u64::from(points) + 1);
            }
            let latency = world.draw_latency(kernel, op, target.bytes, fault);
            kernel.block(Step::new(StepKind::Io, object), Some(latency));
            if matches!(moment, Some(Moment::Inside(_))) {
                // It would complete now; it never does.
                kernel.crash();
            }
            world.misread(kernel, target, fault);
            let result = begun.and_then(|begun| finish(world, begun, fault));
            world.strike_cache(kernel, target, fault);
            world.note_read(target, fault);
            is_at(Progress::Done);
            if matches!(result, Err(Errno::NoSpace | Errno::ReadOnly)) {
                world.found_unable.set(world.found_unable.get() + 1);
            }
            note_result(kernel, op, target, result.as_ref().err().copied(), fault);
            if target.role == FileRole::Log {
                world.note_log_call(kernel, op, target, result.is_ok());
            }
            if moment == Some(Moment::After) {
                kernel.tell(Lane::Fault, || format!("dies after {op} {}", target.short()));
                kernel.crash();
            }
            result
        })
    })
}

fn note_result(
    kernel: &Kernel,
    op: FileOp,
    target: &Target<'_>,
    errno: Option<Errno>,
    fault: Option<Injected>,
) {
    let code = errno.map_or(0, |errno| errno as u64 + 1);
    kernel.with_trace(|trace| trace.note(Tag::Io, code));
    kernel.tell(Lane::Disk, || {
        let size = if target.bytes > 0 { format!(" {} B", target.bytes) } else { String::new() };
        let outcome = match (errno, fault) {
            (None, None) => String::new(),
            // Whether it has struck is told by the damage.
            (None, Some(fault)) if fault.kind.is_stray() => String::new(),
            (None, Some(fault)) => format!(" ok, with {}", fault.kind.name()),
            (Some(errno), None) => format!(" -> {errno:?}"),
            (Some(errno), Some(fault)) => {
                format!(" -> {errno:?}, injected: {}", fault.kind.name())
            }
        };
        format!("{op} {}{size}{outcome}", target.short())
    });
}

/// A call whose whole effect comes at its completion.
pub(super) fn simple<T>(
    op: FileOp,
    target: &Target<'_>,
    effect: impl FnOnce(&mut Disk) -> Result<T, Errno>,
) -> Result<T, Errno> {
    call(
        op,
        target,
        |_, _| Ok(()),
        |world, (), fault| {
            let mut disk = world.disk.borrow_mut();
            match fault.and_then(|fault| fault.errno.map(|errno| (errno, fault.done))) {
                None => effect(&mut disk),
                Some((errno, false)) => Err(errno),
                // Done, and yet reported as failed.
                Some((errno, true)) => effect(&mut disk).and(Err(errno)),
            }
        },
    )
}

/// A sync of a file or directory: covers what is dirty at its submission.
pub(super) fn sync(
    op: FileOp,
    target: &Target<'_>,
    begin: impl FnOnce(&mut Disk) -> Result<SyncTicket, Errno>,
) -> Result<(), Errno> {
    call(
        op,
        target,
        |world, _| {
            let is_left_out = world.leaves_out(op, target);
            (!is_left_out).then(|| begin(&mut world.disk.borrow_mut())).transpose()
        },
        |world, ticket, fault| {
            let failed = fault.and_then(|fault| fault.errno);
            let disk = &mut *world.disk.borrow_mut();
            let stray = fault.filter(|fault| fault.kind == FaultKind::MisdirectedWrite);
            let Some(ticket) = ticket else {
                world.misdirect(disk, stray, Vec::new());
                return failed.map_or(Ok(()), Err);
            };
            let outcome = if disk.take_late_error(&ticket) {
                // As good as a fault of this call.
                world.found_unable.set(world.found_unable.get() + 1);
                disk.finish_sync(ticket, SyncOutcome::Told);
                world.misdirect(disk, stray, Vec::new());
                return Err(failed.unwrap_or(Errno::Io));
            } else if failed == Some(Errno::ReadOnly) || world.plan.swallow_syncs {
                SyncOutcome::Refused
            } else if failed.is_some() {
                world.keep_lost_log(disk, target.name);
                SyncOutcome::Failed
            } else if world.is_lie(fault) {
                if let Some(fault) = fault.filter(|fault| fault.kind == FaultKind::SyncLie)
                    && !disk.covers_anything(&ticket)
                {
                    // Those behind it may be lied about, but about this one there is nothing to.
                    world.take_back(fault);
                }
                with_kernel(|kernel| {
                    kernel
                        .tell(Lane::Fault, || format!("the device lies: {op} {}", target.short()));
                });
                SyncOutcome::Lied
            } else {
                SyncOutcome::Ok
            };
            let due = stray.map(|_| disk.due(&ticket)).unwrap_or_default();
            disk.finish_sync(ticket, outcome);
            world.misdirect(disk, stray, due);
            let is_told_later = outcome == SyncOutcome::Failed && op == FileOp::Sync;
            failed.filter(|_| !(is_told_later && disk.tells_late())).map_or(Ok(()), Err)
        },
    )
}

impl World {
    fn decide_fault(&self, kernel: &Kernel, op: FileOp, target: &Target<'_>) -> Option<Injected> {
        if self.is_looking.get() {
            return None;
        }
        let operation = operation(op);
        if self.is_read_only.get() && mutates(op) {
            return Some(Injected::refused());
        }
        let (role, phase) = (target.role, self.phase.get());
        let query = FaultQuery { op, name: target.name, role, phase };
        let hooked = self.fault_hook.borrow_mut().as_mut().and_then(|hook| hook.decide(&query));
        let is_hooked = hooked.is_some();
        if is_hooked {
            self.found_hooked.set(self.found_hooked.get() + 1);
        }
        let fault = hooked.or_else(|| {
            let mut stream = self.fault_stream.borrow_mut();
            self.faults.borrow_mut().decide(operation, role, phase, &mut *stream)
        })?;
        let injected = inject(fault, !is_hooked);
        let strikes = match fault.kind {
            FaultKind::SyncLie => self.plan.profile.device != Device::Honest,
            // What an open finds is judged by what was there when it began.
            FaultKind::Eviction => phase != Phase::Recovery,
            kind => !kind.is_damage() || self.damage(kernel, target, fault),
        };
        if !strikes {
            self.take_back(injected);
            return None;
        }
        if fault.kind == FaultKind::ReadOnly {
            self.is_read_only.set(true);
        }
        kernel.with_trace(|trace| trace.note(Tag::Fault, fault.word()));
        Some(injected)
    }

    /// Does not count a fault that found nothing to strike.
    pub(super) fn take_back(&self, injected: Injected) {
        if injected.is_planned {
            self.faults.borrow_mut().take_back(injected.fault);
        }
    }

    /// What befalls the cache behind a call.
    fn strike_cache(&self, kernel: &Kernel, target: &Target<'_>, fault: Option<Injected>) {
        let Some(fault) = fault else { return };
        let disk = &mut *self.disk.borrow_mut();
        match fault.kind {
            FaultKind::WriteBackError if self.fail_write_back(disk, target.name) => {
                kernel.tell(Lane::Fault, || format!("write-back fails: {}", target.short()));
            }
            FaultKind::Eviction if disk.evict() => {
                kernel.tell(Lane::Fault, || "lost pages leave the cache".to_owned());
            }
            // The file has lost its name meanwhile, or no page was lost.
            FaultKind::WriteBackError | FaultKind::Eviction => self.take_back(fault),
            _ => {}
        }
    }

    /// Whether the device lies about the sync that completes now; `fault` may have it begin to.
    fn is_lie(&self, fault: Option<Injected>) -> bool {
        let begins = fault.map_or(0, |fault| fault.lies());
        let left = self.lies_left.get().max(begins);
        self.lies_left.set(left.saturating_sub(1));
        0 < left
    }

    /// Whether this sync is the one that the disk leaves out.
    fn leaves_out(&self, op: FileOp, target: &Target<'_>) -> bool {
        let Some(syncs) = &self.syncs else { return false };
        let call = (op, target.name, target.role);
        with_kernel(|kernel| {
            let is_left_out = syncs.borrow_mut().meet(kernel, self.phase.get(), call);
            if is_left_out {
                self.hit(Probe::SyncLeftOut);
                kernel.tell(Lane::Fault, || format!("left out: {op} {}", target.short()));
            }
            is_left_out
        })
    }

    /// The part of this call in which the planned crash strikes, if this is its call.
    fn crash_moment(&self, op: FileOp, role: FileRole) -> Option<Moment> {
        let crash = self.crash.get().filter(|crash| crash.phase == self.phase.get())?;
        let Trigger::Call { calls, nth, moment } = crash.trigger else { return None };
        let counts = match calls {
            Calls::LogAppend => op == FileOp::Append && role == FileRole::Log,
            Calls::LogSync => op == FileOp::Sync && role == FileRole::Log,
            Calls::LogCreate => op == FileOp::Create && role == FileRole::Log,
            Calls::Rename => op == FileOp::Rename,
            Calls::Mutating => mutates(op),
        };
        if !counts {
            return None;
        }
        let seen = self.calls_seen.replace(self.calls_seen.get() + 1);
        (seen == nth).then_some(moment)
    }

    /// How long a call takes: a typical time, give or take half, and what a fault adds. One that
    /// stalls holds up its queue: what comes to it meanwhile waits until the stall is over. So
    /// calls complete in another order than they were made, the more so across queues.
    fn draw_latency(
        &self,
        kernel: &Kernel,
        op: FileOp,
        bytes: u64,
        fault: Option<Injected>,
    ) -> Duration {
        let typical = match op {
            FileOp::Sync => 80_000,
            FileOp::SyncDir => 60_000,
            FileOp::Append => 2_000 + bytes,
            FileOp::Read => 2_000 + bytes / 4,
            FileOp::Create | FileOp::Rename | FileOp::Remove | FileOp::Link => 10_000,
            _ => 1_500,
        };
        let share = u64::from(self.latency.borrow_mut().next_u32() >> 22);
        let drawn = Duration::from_nanos(typical / 2 + typical * share / 1024);
        let delay = fault.map_or(Duration::ZERO, |fault| fault.delay);
        let now = Duration::from_nanos(kernel.nanos());
        let queue = &self.stalled_until[kernel.current().index() % DEVICE_QUEUES];
        let waits = queue.get().saturating_sub(now);
        if fault.is_some_and(|fault| fault.kind == FaultKind::LongStall) {
            queue.set(now + waits + delay);
        }
        waits + drawn + delay
    }
}
