//! The ends of processes, and what they do to the disk.

use crate::checker::Ending;
use crate::fault::Phase;
use crate::probe::Probe;
use crate::process;
use crate::scenario::CrashKind;
use crate::situation::Situation;
use crate::steer::{Instant, Left, Stage, Steer};
use crate::trace::{Lane, Tag};
use crate::verdict::DiskAtDeath;

use super::incarnations::Run;

impl Run {
    /// A closed database has nothing to lose, so the power may go. Otherwise the page cache of the
    /// process stays, and what it had in flight may not.
    pub(super) fn after_return(&mut self, steer: Option<Steer>, closed: bool) {
        let stage = if closed { Stage::Closed } else { Stage::Left };
        let goes = closed && !self.is_steered && self.world.chance.borrow_mut().below(2) == 0;
        let left = match steer.map(|steer| steer.left) {
            Some(Left::Anything) => return self.note_instant(stage),
            Some(left) if closed || left.kind() == CrashKind::Kill => left,
            _ if goes => Left::Drawn(CrashKind::PowerLoss),
            _ => Left::Drawn(CrashKind::Kill),
        };
        if left.kind() == CrashKind::PowerLoss {
            self.strike(&left, "power loss after the close");
        } else {
            let mut chance = self.world.chance.borrow_mut();
            left.strike(&mut self.world.disk.borrow_mut(), &mut *chance);
            self.world.note_broken_promises(process::DATABASE, CrashKind::Kill);
            self.kernel.tell(Lane::End, || "the process ends".to_owned());
        }
    }

    /// Leaves what the caller chose, or shows what could be left.
    pub(super) fn crash_as_steered(&mut self, steer: Option<Steer>) -> Ending {
        let left = steer.map_or(Left::Anything, |steer| steer.left);
        let kind = left.kind();
        if left == Left::Anything {
            let in_recovery = self.world.phase.get() == Phase::Recovery;
            self.note_instant(if in_recovery { Stage::Recovery } else { Stage::Work });
        } else {
            self.note_crash();
            self.strike(&left, kind.words());
            self.note_image();
        }
        Ending::Crashed(kind)
    }

    pub(super) fn note_instant(&mut self, stage: Stage) {
        self.verdict.instant = Some(Instant::of(&self.world, self.kernel.points(), stage));
    }

    pub(super) fn crash_disk(&mut self, kind: CrashKind) {
        self.note_crash();
        self.strike(&Left::Drawn(kind), kind.words());
        self.note_image();
    }

    pub(super) fn note_crash(&mut self) {
        self.verdict.crashes += 1;
        match self.world.phase.get() {
            Phase::Run if self.world.is_compacting.get() => {
                self.world.hit(Probe::CrashInCompaction);
            }
            Phase::Run => {}
            Phase::Recovery => self.world.hit(Probe::CrashInRecovery),
            Phase::Close => self.world.hit(Probe::CrashInClose),
        }
    }

    pub(super) fn note_image(&self) {
        let hash = self.world.disk.borrow_mut().image_hash();
        self.kernel.with_trace(|trace| trace.note(Tag::Crash, hash));
    }

    /// Does to the disk what this death does.
    pub(super) fn strike(&mut self, left: &Left, what: &'static str) {
        if left.kind() == CrashKind::PowerLoss {
            self.world.keep_older_logs(process::DATABASE);
            self.world.forget_found();
        }
        let mut disk = self.world.disk.borrow_mut();
        let mut chance = self.world.chance.borrow_mut();
        let past = self.keep.then(|| disk.clone());
        let report = left.strike(&mut disk, &mut *chance);
        drop(disk);
        drop(chance);
        let world = &self.world;
        let situation = Situation::of(world, left.kind(), report.as_ref());
        self.verdict.situations.push(situation);
        if left.kind() == CrashKind::PowerLoss {
            world.note_power_loss();
        }
        world.note_broken_promises(process::DATABASE, left.kind());
        self.kernel.tell(Lane::End, || format!("CRASH: {what}"));
        let disk = world.disk.borrow();
        let done = if report.is_some() { "synced, and not all there" } else { "taken back" };
        for op in disk.broken_promises() {
            let words = || format!("{done}: {}", op.describe(&disk));
            self.kernel.tell(Lane::End, words);
        }
        if let Some(past) = past {
            let fates = match report {
                Some(report) => report.describe(&past),
                None if disk.broken_promises().is_empty() => {
                    "every completed call survives".to_owned()
                }
                None => "every completed call survives that no failed sync took back".to_owned(),
            };
            self.verdict.disks.push(DiskAtDeath {
                point: self.kernel.points(),
                what,
                profile: self.world.plan.profile.name,
                before: past.files(),
                fates: fates.lines().map(str::to_owned).collect(),
                after: disk.files(),
            });
        }
    }
}
