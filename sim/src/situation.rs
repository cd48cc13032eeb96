//! [`Situation`]: where a process died and what it left, coarsely, so that they can be counted.
//!
//! Two deaths are alike if the last call to the disk was of the same kind, by the same kind of
//! thread and as far along, and if the same kinds of pending operations survived, were lost and
//! were torn, by the role of their file. How many of a kind there were is of no importance, so that
//! long runs do not differ by their length alone.

use std::collections::BTreeSet;
use std::fmt;

use faultline::FileOp;
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{CrashReport, EntryOp, Fate, Op, OpKind};
use crate::fault::FileRole;
use crate::scenario::CrashKind;
use crate::world::World;

/// How far along a call to the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has changed nothing yet.
    Begins,
    /// It was submitted.
    UnderWay,
    /// It has returned.
    Done,
}

/// The last call to the disk.
#[derive(Clone, Copy, Debug)]
pub struct LastCall {
    /// Who made it, by the name of the thread without its number.
    pub thread: &'static str,
    /// What it was.
    pub op: FileOp,
    /// Of what.
    pub role: FileRole,
    /// How far it was.
    pub progress: Progress,
}

/// Where a process died and what it left, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation(String);

impl Situation {
    /// That of a process that has died so; `report` says what became of what was pending, if the
    /// power went.
    pub(crate) fn of(world: &World, kind: CrashKind, report: Option<&CrashReport>) -> Self {
        let at = match world.last_call.get() {
            None => "before any call".to_owned(),
            Some(LastCall { thread, op, role, progress }) => {
                let progress = match progress {
                    Progress::Begins => "begins",
                    Progress::UnderWay => "under way",
                    Progress::Done => "done",
                };
                format!("{thread}: {op} {} {progress}", role.words())
            }
        };
        let death = format!("{}/{at}; {}", world.phase.get().words(), kind.words());
        let Some(report) = report else { return Situation(death) };
        let disk = world.disk.borrow();
        let role = |op: &Op| FileRole::of_file(op.name(&disk)).words();
        let ops = report.ops.iter();
        let ops =
            ops.map(|(op, fate)| format!("{} {} {}", what(op.kind), role(op), become_of(*fate)));
        let garbage = (!report.garbage.is_empty()).then(|| "garbage".to_owned());
        let left: BTreeSet<String> = ops.chain(garbage).collect();
        let left: Vec<String> = left.into_iter().collect();
        let left = if left.is_empty() { "nothing pending".to_owned() } else { left.join(", ") };
        Situation(format!("{death}; {left}"))
    }

    /// A number for it.
    pub fn number(&self) -> u64 {
        xxh3_64(self.0.as_bytes())
    }
}

fn what(kind: OpKind) -> &'static str {
    match kind {
        OpKind::Write { .. } => "write",
        OpKind::Truncate { .. } => "truncate",
        OpKind::Entry(EntryOp::Create) => "create",
        OpKind::Entry(EntryOp::Remove) => "remove",
        OpKind::Entry(EntryOp::Rename) => "rename",
        OpKind::Entry(EntryOp::Link) => "link",
        OpKind::Entry(EntryOp::CreateDir) => "create_dir",
        OpKind::Entry(EntryOp::RemoveDir) => "remove_dir",
    }
}

fn become_of(fate: Fate) -> &'static str {
    match fate {
        Fate::Survived => "survived",
        Fate::Lost => "lost",
        Fate::Torn(..) => "torn",
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, POSIX_WEAK};
    use crate::fault::{FaultConfig, FaultPlan};
    use crate::workload::Plan;

    #[test]
    fn a_process_that_has_made_no_call_dies_before_any() {
        let faults = FaultPlan::new(&FaultConfig::default());
        let world = World::new(Plan::idle(), faults, Vec::new(), Disk::new(&POSIX_WEAK));
        let first = Situation::of(&world, CrashKind::Kill, None);
        let (thread, progress) = ("writer", Progress::Done);
        let call = LastCall { thread, op: FileOp::Sync, role: FileRole::Log, progress };
        world.last_call.set(Some(call));
        assert_ne!(Situation::of(&world, CrashKind::Kill, None), first);
        world.begin_incarnation(1, None);
        assert_eq!(Situation::of(&world, CrashKind::Kill, None), first);
    }
}
