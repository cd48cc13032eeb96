//! What came to logs, and what did not: whether a write may be acknowledged hangs on it.

use faultline::FileOp;

use super::call::Target;
use crate::fault::{FileRole, Phase};
use crate::history::{LogDone, LogFailure};
use crate::kernel::Kernel;
use crate::world::World;

impl World {
    /// Notes a failure after which the engine must stop all writes. What `resume` writes and closes
    /// is its own affair: it fails, or has made up for it.
    pub(super) fn note_log_failure(&self, kernel: &Kernel, op: FileOp, target: &Target<'_>) {
        if target.role != FileRole::Log {
            return;
        }
        if matches!(op, FileOp::Append | FileOp::Sync) {
            self.failed_logs.borrow_mut().insert(target.name.to_owned());
        }
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
    pub(super) fn note_log_done(&self, kernel: &Kernel, op: FileOp) {
        let (point, before) = (kernel.points(), self.log_done.get());
        self.log_done.set(match op {
            FileOp::Append => LogDone { appended: point, ..before },
            FileOp::Sync => LogDone { synced: point, ..before },
            _ => before,
        });
    }
}
