//! Steered crashes: processes that die at points of the caller's choice, with disks of his choice.
//!
//! A run is a function of scenario, seed and the deaths before, so the same point is met as often
//! as one likes; each time another image of all that a crash may leave there can be taken.
//! [`crate::exhaust`] takes all of them.

use xxhash_rust::xxh3::xxh3_64;

use crate::disk::{CrashReport, Disk, Fates, Pick};
use crate::scenario::CrashKind;
use crate::world::World;

/// One death, chosen.
#[derive(Clone, Debug)]
pub struct Steer {
    /// The scheduling point at which it happens, counted from 1 over the whole run; the end of the
    /// process, if that comes first.
    pub point: u64,
    /// What it leaves.
    pub left: Left,
}

impl Steer {
    /// The run ends at `point`, to show what a crash could leave there.
    pub fn look(point: u64) -> Self {
        Steer { point, left: Left::Anything }
    }

    /// Whether the run ends with this death, so that it is open what it leaves.
    pub(crate) fn is_open(&self) -> bool {
        self.left == Left::Anything
    }
}

/// What a crash leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// Drawn from the run's stream. `Either` stands for `Kill`.
    Drawn(CrashKind),
    /// The power goes, and this image is left.
    Image(Fates),
    /// The process dies, and of the writes in flight, in their order, so many bytes are done.
    Written(Vec<u32>),
    /// The run ends here, and its verdict has the [`Instant`].
    Anything,
}

impl Left {
    /// Who dies: the process or the machine.
    pub(crate) fn kind(&self) -> CrashKind {
        match self {
            Left::Drawn(kind) => *kind,
            Left::Image(_) => CrashKind::PowerLoss,
            Left::Written(_) | Left::Anything => CrashKind::Kill,
        }
    }

    /// Does it to `disk`. Returns what became of the operations under way, after a power loss.
    pub(crate) fn strike(&self, disk: &mut Disk, chance: &mut dyn Pick) -> Option<CrashReport> {
        match self {
            Left::Drawn(CrashKind::PowerLoss) => return Some(disk.power_loss(chance)),
            Left::Drawn(_) => disk.process_death(chance),
            Left::Image(fates) => return Some(disk.power_loss_to(fates)),
            Left::Written(bytes) => disk.process_death(&mut Chosen::new(bytes)),
            Left::Anything => {}
        }
        None
    }
}

/// Choices made beforehand; 0 when they are at their end. Notes among how many each was made.
struct Chosen<'a> {
    choices: &'a [u32],
    among: Vec<u32>,
}

impl<'a> Chosen<'a> {
    fn new(choices: &'a [u32]) -> Self {
        Chosen { choices, among: Vec::new() }
    }
}

impl Pick for Chosen<'_> {
    fn pick(&mut self, n: u32) -> u32 {
        let choice = self.choices.get(self.among.len()).copied().unwrap_or(0);
        self.among.push(n);
        choice
    }
}

/// A moment of a run: the disk, and what the program has been told so far.
#[derive(Clone, Debug)]
pub struct Instant {
    /// The scheduling points of the run until then.
    pub point: u64,
    /// Where the process stands.
    pub stage: Stage,
    /// The disk, with all that is pending.
    pub disk: Disk,
    /// A hash of the disk with what is pending, and of all that clients asked for and were told:
    /// what a crash here may leave and must not lose is the same at moments with equal ones.
    pub fingerprint: u64,
    /// The part of it that is of clients.
    pub obligations: u64,
}

/// Where a process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It opens the database.
    Recovery,
    /// It has opened it.
    Work,
    /// It has closed it and returned.
    Closed,
    /// It has returned without closing the database.
    Left,
}

impl Instant {
    pub(crate) fn of(world: &World, point: u64, stage: Stage) -> Self {
        let text = |told: &dyn std::fmt::Debug| xxh3_64(format!("{told:?}").as_bytes());
        let disk = world.disk.borrow().clone();
        // When something was told is of no importance, but what was told before what.
        let mut failures = world.failures.borrow().clone();
        let mut resuming = world.resuming.borrow().clone();
        let failed = failures.iter_mut().map(|failure| &mut failure.point);
        let resumed = resuming.values_mut().map(|resuming| &mut resuming.invoked);
        let mut points: Vec<&mut u64> = failed.chain(resumed).collect();
        let history = world.history.borrow().in_order(&mut points);
        let (before, faults) = (world.before.borrow(), world.faults.borrow());
        let logs = (&world.older_logs, &world.lost_logs, &world.failed_logs);
        let told = (history, failures, resuming, logs, &*before, &*faults, stage == Stage::Closed);
        // What is excused need not be there: another obligation.
        let obligations = text(&told) ^ world.excuse() as u64;
        let fingerprint = xxh3_64(format!("{:016x}{obligations:x}", disk.fingerprint()).as_bytes());
        Instant { point, stage, disk, fingerprint, obligations }
    }

    /// Every way in which the process may die here, `most` at most: the bytes done of each write
    /// in flight. The flag says whether these are all.
    pub fn deaths(&self, most: usize) -> (Vec<Left>, bool) {
        let mut deaths = Vec::new();
        let mut choices: Vec<u32> = Vec::new();
        loop {
            if deaths.len() == most {
                return (deaths, false);
            }
            let mut chosen = Chosen::new(&choices);
            self.disk.clone().process_death(&mut chosen);
            let among = chosen.among;
            choices.resize(among.len(), 0);
            deaths.push(Left::Written(choices.clone()));
            // The next in order, the last choice first. How many choices there are behind one
            // depends on it: those begin at 0 again.
            let Some(last) = (0..among.len()).rev().find(|&at| choices[at] + 1 < among[at]) else {
                return (deaths, true);
            };
            choices[last] += 1;
            choices.truncate(last + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::POSIX_WEAK;
    use crate::fault::{FaultConfig, FaultPlan};
    use crate::kernel::ThreadId;
    use crate::told::{Failure, Form};
    use crate::workload::Plan;
    use crate::world::Resuming;

    fn world() -> World {
        let faults = FaultPlan::new(&FaultConfig::default());
        World::new(Plan::idle(), faults, Vec::new(), Disk::new(&POSIX_WEAK))
    }

    fn fingerprint(world: &World) -> u64 {
        Instant::of(world, 9, Stage::Work).fingerprint
    }

    fn fail(world: &World, point: u64) {
        let form = Form::of(&faultline::Error::ReadOnly);
        let failure = Failure { point, thread: ThreadId(1), role: "writer", form };
        world.failures.borrow_mut().push(failure);
    }

    fn resume(world: &World, invoked: u64) {
        let resuming = Resuming { invoked, failed: vec![3] };
        world.resuming.borrow_mut().insert(ThreadId(2), resuming);
    }

    #[test]
    fn all_that_a_verdict_hangs_on_makes_another_moment() {
        let log = || "/db/000003.log".to_owned();
        let changes: [&dyn Fn(&World); 7] = [
            &|_| {},
            &|world| fail(world, 4),
            &|world| resume(world, 4),
            &|world| {
                world.older_logs.borrow_mut().insert(log(), b"bytes".to_vec());
            },
            &|world| {
                world.lost_logs.borrow_mut().insert(log(), b"bytes".to_vec());
            },
            &|world| {
                world.failed_logs.borrow_mut().insert(log(), 5);
            },
            &|world| world.broken.set(crate::checker::Excuse::End),
        ];
        let fingerprints = changes.map(|change| {
            let world = world();
            change(&world);
            fingerprint(&world)
        });
        for (at, fingerprint) in fingerprints.iter().enumerate() {
            assert!(!fingerprints[..at].contains(fingerprint), "change {at} makes no difference");
        }
    }

    #[test]
    fn what_was_before_what_counts_and_not_when() {
        let of = |failed, resumed| {
            let world = world();
            fail(&world, failed);
            resume(&world, resumed);
            fingerprint(&world)
        };
        assert_eq!(of(4, 7), of(5, 8));
        assert_ne!(of(4, 7), of(7, 4));
    }
}
