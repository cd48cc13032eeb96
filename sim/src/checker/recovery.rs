//! Promise 6: an open succeeds unless it has a reason not to, and what it opened can be read.

use super::{AfterEnd, Checker, Excuse, Violation};
use crate::fault::FileRole;
use crate::history::{Call, Outcome};
use crate::told::Told;

/// Looks at opens that fail.
#[derive(Clone, Debug)]
pub struct Recovery;

impl Checker for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let opened = &end.history.opened;
        let unreadable = opened.unreadable.as_ref();
        let is_excused = end.excuse == Excuse::Anywhere || 0 < end.met.reads;
        if let Some(error) = unreadable.filter(|_| !is_excused) {
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
            let names = |error: &Told| end.damaged.iter().any(|name| error.words.contains(name));
            is_damage_alone && open.error.as_ref().is_some_and(|error| !names(error))
        });
        if let Some(outcome) = nameless {
            return Err(Violation {
                checker: self.name(),
                promise: "an open that refuses damage names the file",
                expected: format!("an error about {}", end.damaged.join(", ")),
                got: words(outcome),
                point: outcome.returned,
            });
        }
        let is_met_alone = 0 < end.met.reads && end.faults == end.met.reads;
        let leads_on = |name: &String| {
            matches!(FileRole::of_file(name), FileRole::Current | FileRole::Manifest)
        };
        // One that CURRENT or the MANIFEST names may be missing where these are damaged.
        let names = |error: &str| {
            end.met.files.iter().any(|name| error.contains(name))
                || error.contains("corrupt at") && end.met.files.iter().any(leads_on)
        };
        let errors = end
            .history
            .outcomes
            .iter()
            .filter_map(|o| Some((&o.error.as_ref()?.words, o.returned)));
        let errors = errors.chain(unreadable.map(|error| (error, opened.point)));
        if let Some((error, point)) =
            errors.into_iter().find(|(error, _)| is_met_alone && !names(error))
        {
            return Err(Violation {
                checker: self.name(),
                promise: "a call that fails over damage names the file",
                expected: format!("an error about {:?}", end.met.files),
                got: error.clone(),
                point,
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
                got: words(outcome),
                point: outcome.returned,
            }),
        }
    }
}

fn words(outcome: &Outcome) -> String {
    outcome.error.as_ref().map(|error| error.words.clone()).unwrap_or_default()
}
