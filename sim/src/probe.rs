//! Probes: places that a sweep should have been at for its result to mean something.
//!
//! A probe is hit or not in a run; a sweep counts the runs. One that a scenario demands and that no
//! run hit makes the sweep incomplete.

macro_rules! probes {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// A place that a run can be at.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Probe {
            $($(#[$doc])* $variant,)*
        }

        impl Probe {
            /// All of them.
            pub const ALL: &[Probe] = &[$(Probe::$variant,)*];

            /// The name in reports and scenarios.
            pub fn name(self) -> &'static str {
                match self {
                    $(Probe::$variant => $name,)*
                }
            }
        }
    };
}

probes! {
    /// A crash struck while an append to a log was in flight.
    CrashInsideLogAppend "crash_inside_log_append",
    /// A crash struck before an open had returned.
    CrashInRecovery "crash_in_recovery",
    /// A crash struck while the database was being closed.
    CrashInClose "crash_in_close",
    /// A log was created while clients were at work.
    LogSwitched "log_switched",
    /// An open found a log with a torn or damaged end.
    TornLog "torn_log",
    /// An open found entries in more than one log.
    SeveralLogs "several_logs",
    /// An open found a record behind a hole.
    RecordBehindHole "record_behind_hole",
    /// A recovery read on while a thread of its own wrote a table.
    ReplayedBeside "replayed_beside",
    /// A write without an answer, or with an error, was there after an open.
    UnansweredRecovered "unanswered_recovered",
    /// An acknowledged write that no sync covered was gone after a power loss.
    UnsyncedLost "unsynced_lost",
    /// A write returned an error.
    WriteFailed "write_failed",
    /// A write that asked not to wait was told that it would have to.
    HeldUp "held_up",
    /// A `resume` returned Ok after a write had failed.
    Resumed "resumed",
    /// An open returned an error.
    OpenFailed "open_failed",
    /// A compaction wrote a table while clients were at work.
    Compacted "compacted",
    /// An open found a table below level 2, where only compactions go.
    CompactedDeep "compacted_deep",
    /// A sync of the engine was left out.
    SyncLeftOut "sync_left_out",
    /// A crash struck while tables of a compaction were in no version.
    CrashInCompaction "crash_in_compaction",
    /// The MANIFEST was replaced while clients were at work.
    ManifestReplaced "manifest_replaced",
    /// A file was damaged before an open.
    Damaged "damaged",
    /// An open for reading alone showed what there is.
    Previewed "previewed",
    /// A crash took what had been promised, and the disk is to blame: a power loss what an Ok sync
    /// had covered, or any crash what a failed sync had taken back.
    PromiseBroken "promise_broken",
    /// An open for reading alone showed what there is on a file system that takes no changes.
    PreviewedReadOnly "previewed_read_only",
    /// A read met a damaged sector.
    DamageMet "damage_met",
    /// An open went on without what damage had taken of a log or MANIFEST.
    DamageDropped "damage_dropped",
    /// A call failed over damage, the damage was healed, and the next open showed everything.
    DamageHealed "damage_healed",
}

/// The probes that one run hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeSet(u32);

impl ProbeSet {
    /// Adds a probe.
    pub fn hit(&mut self, probe: Probe) {
        self.0 |= 1 << probe as u32;
    }

    /// These probes, and those.
    #[must_use]
    pub fn with(self, others: ProbeSet) -> Self {
        ProbeSet(self.0 | others.0)
    }

    /// Whether a probe was hit.
    pub fn has(self, probe: Probe) -> bool {
        self.0 & (1 << probe as u32) != 0
    }
}

/// Runs that hit each probe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts([u64; Probe::ALL.len()]);

impl ProbeCounts {
    /// Adds a run.
    pub fn add(&mut self, run: ProbeSet) {
        for probe in Probe::ALL {
            self.0[*probe as usize] += u64::from(run.has(*probe));
        }
    }

    /// Runs that hit `probe`.
    pub fn of(&self, probe: Probe) -> u64 {
        self.0[probe as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_once_for_each_probe() {
        let mut run = ProbeSet::default();
        run.hit(Probe::TornLog);
        run.hit(Probe::TornLog);
        let mut counts = ProbeCounts::default();
        counts.add(run);
        counts.add(ProbeSet::default());
        assert_eq!((counts.of(Probe::TornLog), counts.of(Probe::Resumed)), (1, 0));
    }
}
