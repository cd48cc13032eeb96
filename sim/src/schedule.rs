//! Schedule files: one run with every choice of its scheduler.
//!
//! A token is a seed, and means the same run only as long as the engine takes the same steps. A
//! schedule says who went on at each step, so that a run can be followed into a changed engine:
//! [`crate::policy::Replay`] finds its place again after small changes and counts the rest.
//!
//! A file is TOML. Its decisions stand in one text, a line each:
//!
//! ```text
//! 3 lock 7 4      at thread 3, about to lock object 7, thread 4 was chosen
//! - io 16777219 2 at a step of a thread that could not go on, thread 2 was chosen
//! 3 pick 0 1      of those that wait, the one with index 1 was woken
//! ```

#![expect(clippy::disallowed_methods, reason = "reads and writes the files that users name")]

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::kernel::{Step, StepKind, ThreadId};
use crate::policy::Decision;

/// A run with every choice of its scheduler.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Version of this form of file.
    pub format: u32,
    /// The token of the run.
    pub run: String,
    /// The policy, if not the scenario's own: it draws the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Changed fields of the scenario, `FIELD=VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Hash of the trace, in hex.
    pub trace: String,
    decisions: String,
}

impl Schedule {
    /// The version that this simulator writes.
    pub const FORMAT: u32 = 1;

    /// The schedule of a run.
    pub fn new(
        run: String,
        policy: Option<String>,
        set: Vec<String>,
        trace_hash: u64,
        decisions: &[Decision],
    ) -> Schedule {
        let mut lines = String::from("\n");
        for decision in decisions {
            let current = decision.current.map_or("-".to_owned(), |id| id.0.to_string());
            let Decision { step: Step { kind, object }, chosen, .. } = decision;
            writeln!(lines, "{current} {} {object} {chosen}", kind.name())
                .expect("a String takes everything");
        }
        let trace = format!("{trace_hash:016x}");
        Schedule { format: Schedule::FORMAT, run, policy, set, trace, decisions: lines }
    }

    /// Reads a schedule.
    ///
    /// # Errors
    /// In words, if the file cannot be read or is no schedule of a form known here.
    pub fn load(file: &Path) -> Result<Schedule, String> {
        let error = |words: String| format!("{}: {}", file.display(), words.trim_end());
        let text = std::fs::read_to_string(file).map_err(|e| error(e.to_string()))?;
        let schedule: Schedule = toml::from_str(&text).map_err(|e| error(e.to_string()))?;
        if schedule.format != Schedule::FORMAT {
            return Err(error(format!("form {} is not known here", schedule.format)));
        }
        schedule.decisions().map_err(error)?;
        Ok(schedule)
    }

    /// Writes it.
    ///
    /// # Errors
    /// In words, if the file cannot be written.
    pub fn store(&self, file: &Path) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|e| e.to_string())?;
        std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
    }

    /// The decisions, in order.
    ///
    /// # Errors
    /// In words, at the first line that is none.
    pub fn decisions(&self) -> Result<Vec<Decision>, String> {
        let lines = self.decisions.lines().filter(|line| !line.is_empty());
        lines.map(|line| decision(line).ok_or_else(|| format!("`{line}` is no decision"))).collect()
    }
}

fn decision(line: &str) -> Option<Decision> {
    let mut words = line.split(' ');
    let current = match words.next()? {
        "-" => None,
        id => Some(ThreadId(id.parse().ok()?)),
    };
    let kind = StepKind::named(words.next()?)?;
    let object = words.next()?.parse().ok()?;
    let chosen = words.next()?.parse().ok()?;
    words.next().is_none().then_some(Decision { current, step: Step { kind, object }, chosen })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_round_trip() {
        let one =
            Decision { current: Some(ThreadId(3)), step: Step::new(StepKind::Lock, 7), chosen: 4 };
        let other = Decision { current: None, step: Step::new(StepKind::Io, 1 << 24), chosen: 2 };
        let picked = Decision { current: Some(ThreadId(3)), step: Step::PICK, chosen: 1 };
        let all = [one, other, picked];
        let schedule = Schedule::new("a:1".into(), None, vec!["crash.count=1".into()], 9, &all);
        assert_eq!(schedule.decisions, "\n3 lock 7 4\n- io 16777216 2\n3 pick 0 1\n");
        assert_eq!(schedule.decisions(), Ok(all.to_vec()));
        let text = toml::to_string(&schedule).expect("TOML");
        assert_eq!(toml::from_str::<Schedule>(&text), Ok(schedule));
    }

    #[test]
    fn what_is_no_decision_is_refused_with_its_line() {
        for line in ["3", "3 lock 7", "3 lock 7 4 5", "x lock 7 4", "3 luck 7 4", "3 lock 7 -1"] {
            let mut schedule = Schedule::new("a:1".into(), None, vec![], 9, &[]);
            schedule.decisions = format!("\n{line}\n");
            assert_eq!(schedule.decisions(), Err(format!("`{line}` is no decision")));
        }
    }
}
