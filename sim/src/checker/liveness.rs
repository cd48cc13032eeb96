//! Progress: no deadlock, no lost wake-up, no livelock, no panic; no thread and no memory outlives
//! its database.

use super::{AfterEnd, Checker, Ending, Violation};
use crate::kernel::End;

/// Looks at how an incarnation ended.
#[derive(Clone, Debug)]
pub struct Liveness;

impl Checker for Liveness {
    fn name(&self) -> &'static str {
        "liveness"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let (promise, got) = match end.ending {
            Ending::Returned { left, .. } if !left.is_empty() => {
                ("a closed database has no thread", format!("still there: {}", left.join(", ")))
            }
            Ending::Crashed(_) | Ending::Returned { leaked: 0, .. } => return Ok(()),
            Ending::Returned { leaked, .. } => (
                "a database without handles holds no memory",
                format!("{leaked} blocks that nobody gave back"),
            ),
            Ending::Stuck(End::Deadlock(lines)) => {
                ("every call returns", format!("nobody can run: {}", lines.join("; ")))
            }
            Ending::Stuck(End::Livelock { is_calm, left }) => {
                let why = if *is_calm { "nothing failed" } else { "no client was told anything" };
                let left = left.join("; ");
                let got = format!("each went on in turn and {why}, and still there: {left}");
                ("every call returns", got)
            }
            Ending::Stuck(End::Panicked(message)) => ("the engine never panics", message.clone()),
            Ending::Stuck(other) => ("every call returns", format!("{other:?}")),
        };
        let expected = "an end of every thread".to_owned();
        Err(Violation { checker: self.name(), promise, expected, got, point: end.point })
    }
}
