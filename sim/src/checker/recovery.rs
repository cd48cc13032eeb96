//! Promise 6: an open succeeds unless it has a reason not to, and what it opened can be read.

use super::{AfterEnd, Checker, Excuse, Violation};
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
        let unreadable = opened.unreadable.as_ref();
        if let Some(error) = unreadable.filter(|_| end.excuse < Excuse::Anywhere) {
            return Err(Violation {
                checker: self.name(),
                promise: "every entry of a database that was opened can be read",
                expected: "Ok".to_owned(),
                got: error.clone(),
                point: opened.point,
            });
        }
        // Nothing else stood in the way of an open.
        let is_damage_alone = !end.damaged.is_empty() && end.faults == end.damaged.len() as u64;
        let nameless = end.history.outcomes.iter().filter(|o| o.call == Call::Open).find(|open| {
            let names = |error: &String| end.damaged.iter().any(|name| error.contains(name));
            is_damage_alone && open.error.as_ref().is_some_and(|error| !names(error))
        });
        if let Some(outcome) = nameless {
            return Err(Violation {
                checker: self.name(),
                promise: "an open that refuses damage names the file",
                expected: format!("an error about {}", end.damaged.join(", ")),
                got: outcome.error.clone().unwrap_or_default(),
                point: outcome.returned,
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
