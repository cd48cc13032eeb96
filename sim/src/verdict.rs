//! What a run came to.

use std::collections::BTreeMap;

use crate::checker::Violation;
use crate::disk::{self, FileState};
use crate::fault::{FaultCounts, ScriptRule};
use crate::judge::Shown;
use crate::policy::{Decision, Deviation, Passage, PolicyName};
use crate::probe::ProbeSet;
use crate::situation::Situation;
use crate::steer::Instant;
use crate::trace::{Event, Noted};

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The profile of its disk, and the policy that scheduled its threads, if it came to its end.
    pub world: Option<(&'static str, PolicyName)>,
    /// The violations at the earliest event that has any.
    pub violations: Vec<Violation>,
    /// Hash of the whole trace.
    pub trace_hash: u64,
    /// Scheduling points.
    pub points: u64,
    /// Virtual nanoseconds.
    pub virtual_nanos: u64,
    /// Crashes that struck.
    pub crashes: u32,
    /// Writes acknowledged.
    pub acks: u64,
    /// Operations acknowledged.
    pub ops: u64,
    /// Bytes of the values acknowledged.
    pub bytes: u64,
    /// Faults delivered.
    pub faults: FaultCounts,
    /// Whether the disk took or damaged synced bytes, so that less than everything was demanded of
    /// some open.
    pub excused: bool,
    /// Places that the run has been at.
    pub probes: ProbeSet,
    /// Where its processes died and what they left.
    pub situations: Vec<Situation>,
    /// The happens-before class of its first process, if asked for and if there was a second.
    pub class: Option<u64>,
    /// Whether the simulator itself failed; then the rest means nothing.
    pub harness_error: Option<String>,
    /// See [`crate::trace::Trace::take_checkpoints`].
    pub checkpoints: Vec<u64>,
    /// Some events as they were hashed, if asked for.
    pub noted: Vec<Noted>,
    /// What the first process met of schedules to be taken, if it followed one.
    pub passage: Passage,
    /// Every event in words, if asked for.
    pub events: Vec<Event>,
    /// The disk around each crash and power loss, if events were asked for.
    pub disks: Vec<DiskAtDeath>,
    /// What the last process showed of the database, if events were asked for.
    pub shown: Option<Shown>,
    /// Decisions that could not be followed as recorded, if the run followed a schedule.
    pub drift: u64,
    /// The faults handed out, as a script that brings them about, if its course was asked for.
    pub handed_out: Vec<ScriptRule>,
    /// Where the schedule was not what comes of itself, if its course was asked for.
    pub deviations: Vec<Deviation>,
    /// The schedule, if asked for.
    pub schedule: Vec<Decision>,
    /// The moment at which the run was to stop and show what a crash could leave.
    pub instant: Option<Instant>,
    /// The labels of the syncs that were met, and how often, if asked for.
    pub syncs: BTreeMap<String, u64>,
    /// Whether there was an entry to recover, as the independent decoder reads it, in what the last
    /// of the steered deaths left to the process behind it.
    pub left_entries: bool,
    /// What the disk held before each incarnation, and last of all at the end of the run, if asked
    /// for.
    pub images: Vec<disk::Image>,
}

/// The disk around a crash or a power loss, for reports.
#[derive(Clone, Debug)]
pub struct DiskAtDeath {
    /// Scheduling point of it.
    pub point: u64,
    /// What happened.
    pub what: &'static str,
    /// The file system.
    pub profile: &'static str,
    /// The files before it.
    pub before: Vec<FileState>,
    /// What became of what was pending, an operation a line.
    pub fates: Vec<String>,
    /// The files after it.
    pub after: Vec<FileState>,
}

impl Verdict {
    /// The verdict, if it means anything.
    ///
    /// # Errors
    /// In words, how the simulator itself failed.
    pub fn sound(self) -> Result<Verdict, String> {
        match self.harness_error {
            Some(words) => Err(words),
            None => Ok(self),
        }
    }

    /// A run without a step shows nothing: it must not pass for one that went well.
    pub(crate) fn refuse_emptiness(&mut self) {
        if self.points == 0 && self.harness_error.is_none() {
            self.harness_error = Some("the run took no step".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_step_is_a_bug_of_the_simulator() {
        let mut verdict = Verdict::default();
        verdict.refuse_emptiness();
        assert_eq!(verdict.harness_error.as_deref(), Some("the run took no step"));
        let mut verdict = Verdict { points: 1, ..Verdict::default() };
        verdict.refuse_emptiness();
        assert_eq!(verdict.harness_error, None);
    }
}
