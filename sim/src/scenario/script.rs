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
pub(super) fn check(scripts: &[Script]) -> Result<(), String> {
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
    Ok(())
}

/// Whether there can be such damages.
pub(crate) fn check_damages(damages: &[Damage]) -> Result<(), String> {
    if damages.iter().any(|damage| damage.process < 2 || damage.nth < 1) {
        return Err("damage: `process` counts from 2, for the first finds an empty disk; `nth` \
                    counts from 1"
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(key: u32, value: Option<Count>) -> Script {
        Script { steps: vec![Step { key, value, sync: false, then: Then::Continue }] }
    }

    fn damage(process: u32, nth: u32) -> Damage {
        let what = Harm::Remove;
        Damage { process, role: FileRole::Log, nth, not_newest: false, what, refused: true }
    }

    #[test]
    fn each_harm_does_what_its_name_says() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at % 251 + 1) as u8).collect();
        assert_eq!(Harm::Remove.applied_to(&bytes), None);
        assert_eq!(Harm::CutLastByte.applied_to(&bytes).as_deref(), Some(&bytes[..99_999]));
        let zeroed = Harm::ZeroThirdBlock.applied_to(&bytes).expect("a file");
        assert_eq!(zeroed.len(), bytes.len());
        for (at, (&was, is)) in bytes.iter().zip(zeroed).enumerate() {
            let expected = if (65_536..98_304).contains(&at) { 0 } else { was };
            assert_eq!(is, expected, "byte {at}");
        }
    }

    #[test]
    fn a_file_too_short_for_a_harm_stays_as_it_is() {
        assert_eq!(Harm::CutLastByte.applied_to(b"").as_deref(), Some(&b""[..]));
        let two_blocks = vec![7; 65_536];
        assert_eq!(Harm::ZeroThirdBlock.applied_to(&two_blocks), Some(two_blocks));
    }

    #[test]
    fn what_a_step_leaves_out_is_an_async_delete_and_then_the_next() {
        let step: Step = toml::from_str("key = 3").expect("a step");
        assert_eq!(step, script(3, None).steps[0]);
        let then = |words: &str| {
            toml::from_str::<Step>(&format!("key = 0\nthen = \"{words}\"")).map(|step| step.then)
        };
        assert_eq!(then("kill"), Ok(Then::Kill));
        assert_eq!(then("power_loss"), Ok(Then::PowerLoss));
        assert!(then("powerloss").is_err());
    }

    #[test]
    fn bounds_are_checked() {
        let scripts = |script| check(&[script]);
        assert!(scripts(script(99_999, Some(Count::Exactly(307_200)))).is_ok());
        assert!(scripts(script(100_000, None)).is_err());
        assert!(scripts(script(0, Some(Count::Exactly(307_201)))).is_err());
        assert!(check(&vec![script(0, None); 65]).is_err());
        assert!(check_damages(&[damage(2, 1)]).is_ok());
        assert!(check_damages(&[damage(1, 1)]).is_err());
        assert!(check_damages(&[damage(2, 0)]).is_err());
    }
}
