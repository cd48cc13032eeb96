//! What came to logs, and what did not: whether a write may be acknowledged hangs on it.

use faultline::FileOp;

use super::call::Target;
use crate::fault::Phase;
use crate::history::{LogDone, LogFailure};
use crate::kernel::Kernel;
use crate::world::World;

impl World {
    /// Notes what came of a call to a log.
    pub(super) fn note_log_call(
        &self,
        kernel: &Kernel,
        op: FileOp,
        target: &Target<'_>,
        is_ok: bool,
    ) {
        let by = kernel.current();
        let mut appended = self.appended.borrow_mut();
        match op {
            FileOp::Append => appended.note_append(target.name, by, target.bytes, is_ok),
            FileOp::Sync => appended.note_sync(target.name, by, is_ok),
            _ => {}
        }
        if is_ok {
            self.note_log_done(kernel, op);
            return;
        }
        if matches!(op, FileOp::Append | FileOp::Sync) {
            let certain = appended.certain(target.name);
            self.failed_logs.borrow_mut().entry(target.name.to_owned()).or_insert(certain);
        }
        self.note_log_failure(kernel, op, target);
    }

    /// Notes a failure after which the engine must stop all writes. What `resume` writes and closes
    /// is its own affair: it fails, or has made up for it.
    fn note_log_failure(&self, kernel: &Kernel, op: FileOp, target: &Target<'_>) {
        let is_fatal = matches!(op, FileOp::Append | FileOp::Sync | FileOp::Close)
            && self.phase.get() == Phase::Run
            && !self.resuming.borrow().contains_key(&kernel.current());
        if is_fatal {
            let what = format!("{op} {}", target.short());
            self.history.borrow_mut().log_failures.push(LogFailure {
                point: kernel.points(),
                what,
                done: self.log_done.get(),
            });
        }
    }

    /// Notes that something has come to a log.
    fn note_log_done(&self, kernel: &Kernel, op: FileOp) {
        let (point, before) = (kernel.points(), self.log_done.get());
        self.log_done.set(match op {
            FileOp::Append => LogDone { appended: point, ..before },
            FileOp::Sync => LogDone { synced: point, ..before },
            _ => before,
        });
    }
}
