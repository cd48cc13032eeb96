//! Scripts: what writers do step by step, and what happens to the files between two processes.
//!
//! A scenario with a script says what happens; the seed still decides who runs when, how long calls
//! take, what a power loss leaves, and every size that is a range.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Count;
use crate::fault::FileRole;

/// Keys of a script at most.
const KEYS_MAX: u32 = 100_000;

/// One writer, in place of those that the workload would draw.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What it does, one after another. A process takes up where the one before ended.
    pub steps: Vec<Step>,
}

/// A batch of one operation, and what follows it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Number of the key.
    pub key: u32,
    /// Bytes of the value; a delete if left out.
    pub value: Option<Count>,
    /// Whether it is written with `sync`.
    #[serde(default)]
    pub sync: bool,
    /// What follows.
    #[serde(default)]
    pub then: Then,
}

/// What follows a step.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The next one.
    #[default]
    Continue,
    /// `Db::flush`, if the write returned Ok.
    Flush,
    /// `Db::sync`, if the write returned Ok.
    Sync,
    /// `Db::compact_range` over all keys, if the write returned Ok.
    Compact,
    /// The writer is done in this process. When all are, the database is closed and opened again.
    Close,
    /// The process dies.
    Kill,
    /// The machine dies.
    PowerLoss,
}

/// What happens to a file while no process runs, beyond what a crash can do.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Damage {
    /// The process before which it happens, counted from 1, for the one that finds an empty disk.
    pub process: u32,
    /// What kind of file.
    pub role: FileRole,
    /// Which of them, in the order of their names, counted from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// Whether it happens only if a later one of them holds bytes.
    #[serde(default)]
    pub not_newest: bool,
    /// What happens to it.
    pub what: Harm,
    /// Whether the open that meets it must refuse, with an error that names the file. Then the file
    /// is put back, and the next open must show everything. Otherwise a prefix must be shown.
    pub refused: bool,
}

fn one() -> u32 {
    1
}

/// What happens to a damaged file.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// It is gone.
    Remove,
    /// Its last byte is gone.
    CutLastByte,
    /// Its third block of 32 KiB is zeros.
    ZeroThirdBlock,
}

impl Harm {
    /// What is left of a file that holds `bytes`; `None` if it is gone.
    pub fn applied_to(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        match self {
            Harm::Remove => return None,
            Harm::CutLastByte => {
                bytes.pop();
            }
            Harm::ZeroThirdBlock => {
                for byte in bytes.iter_mut().skip(64 << 10).take(32 << 10) {
                    *byte = 0;
                }
            }
        }
        Some(bytes)
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Harm::Remove => "is gone",
            Harm::CutLastByte => "has lost its last byte",
            Harm::ZeroThirdBlock => "has zeros for its third block",
        })
    }
}

/// Says what is wrong with the scripts or the damages of a scenario.
pub(super) fn check(scripts: &[Script], damages: &[Damage]) -> Result<(), String> {
    if scripts.len() > 64 {
        return Err("script: there are at most 64 writers".into());
    }
    for step in scripts.iter().flat_map(|script| &script.steps) {
        if step.key >= KEYS_MAX {
            return Err(format!("script.steps: a key is a number below {KEYS_MAX}"));
        }
        if let Some(value) = step.value
            && !(value.is_ordered() && value.last() <= 300 << 10)
        {
            return Err("script.steps: a value has at most 307200 bytes".into());
        }
    }
    if damages.iter().any(|damage| damage.process < 2 || damage.nth < 1) {
        return Err("damage: `process` counts from 2, for the first finds an empty disk; `nth` \
                    counts from 1"
            .into());
    }
    Ok(())
}
