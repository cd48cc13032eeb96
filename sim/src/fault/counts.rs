//! How many faults were delivered.

use super::{FaultKind, FaultPlan, Phase};

/// Faults delivered, by kind and phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts(Vec<[u64; Phase::ALL.len()]>);

impl FaultCounts {
    /// What `plan` has handed out.
    pub fn of_plan(plan: &FaultPlan) -> Self {
        let count =
            |&kind: &FaultKind| Phase::ALL.map(|phase| u64::from(plan.delivered(kind, phase)));
        FaultCounts(FaultKind::ALL.iter().map(count).collect())
    }

    /// How many of this kind, in this phase.
    pub fn get(&self, kind: FaultKind, phase: Phase) -> u64 {
        self.0.get(kind as usize).map_or(0, |phases| phases[phase as usize])
    }

    /// How many of this kind.
    pub fn of(&self, kind: FaultKind) -> u64 {
        Phase::ALL.iter().map(|&phase| self.get(kind, phase)).sum()
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &FaultCounts) {
        self.0.resize(FaultKind::ALL.len(), [0; Phase::ALL.len()]);
        for (sum, more) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *sum += more;
        }
    }
}
