//! Faults that the environment injects into calls: which kinds there are, where they may strike,
//! and a plan that decides, call by call.
//!
//! A [`FaultPlan`] is made from a [`FaultConfig`], the `[faults]` table of a scenario. It decides
//! in two ways: at a rate, drawn from the fault stream, or by a script ("the third sync of a
//! log"). It does nothing itself: the environment asks before each call and carries out what the
//! plan says, telling the disk how a write or a sync ended. What was delivered is counted by kind
//! and phase, since a campaign whose faults never strike proves nothing, and listed as a script,
//! so that a failing run can be replayed and shrunk fault by fault. A fault is *delivered* if the
//! engine is told of an error, is given other bytes or is woken, if the disk or what a crash may
//! leave of it differs from what it would be without, or if the call takes longer, where that is
//! the fault. One that finds nothing to strike, such as a lie about a sync of nothing, is taken
//! back.
//!
//! There is a kind for every call that the engine makes, and none for a call that it never makes:
//! it truncates no file, so nothing here strikes a truncation. Whoever adds such a call to the
//! engine adds its kind.

mod config;
mod counts;
mod kind;
mod plan;
mod role;

#[cfg(test)]
mod tests;

pub use config::{FaultConfig, RateRule, ScriptRule};
pub use counts::FaultCounts;
pub use kind::FaultKind;
pub(crate) use kind::is_zero;
pub use plan::{Fault, FaultPlan};
pub use role::{FileRole, Operation, Phase};
