//! Promise 6: an open succeeds unless it has a reason not to, and twice is the same as once.

use super::{AfterEnd, Checker, Violation};
use crate::history::Call;

/// Looks at opens that fail.
#[derive(Debug)]
pub struct Recovery;

impl Checker for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let refused = end.history.outcomes.iter().find(|outcome| {
            outcome.call == Call::Open && outcome.error.is_some() && end.faults == 0
        });
        match refused {
            None => Ok(()),
            Some(outcome) => Err(Violation {
                checker: self.name(),
                promise: "an open that meets no fault recovers every image a crash can leave",
                expected: "Ok".to_owned(),
                got: outcome.error.clone().unwrap_or_default(),
                point: outcome.returned,
            }),
        }
    }
}
