//! Promise 6: an open succeeds unless it has a reason not to, and what it opened can be read.

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
        let opened = &end.history.opened;
        if let Some(error) = &opened.unreadable {
            return Err(Violation {
                checker: self.name(),
                promise: "every entry of a database that was opened can be read",
                expected: "Ok".to_owned(),
                got: error.clone(),
                point: opened.point,
            });
        }
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
