//! Faults (placeholder until the fault plan lands).
use serde::Deserialize;
/// Phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase { /// r
Run, /// r
Recovery, /// c
Close }
/// Config.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultConfig {}
