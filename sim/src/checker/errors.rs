//! Promise 5: after a fatal error nothing is acknowledged until `resume` or a reopen.

use super::{AfterEnd, Checker, Ending, Violation};
use crate::history::{Call, Outcome};

/// Looks at the order of errors and acknowledgements.
#[derive(Debug)]
pub struct Errors;

impl Checker for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        let outcomes = &end.history.outcomes;
        if end.faults == 0 {
            let is_judged = |outcome: &&Outcome| outcome.call != Call::Open;
            let failed = outcomes.iter().filter(is_judged).find_map(|outcome| {
                outcome.error.as_ref().map(|error| (outcome.returned, error.as_str()))
            });
            if let Some((point, error)) = failed {
                return unprovoked(point, error);
            }
            if matches!(end.ending, Ending::Returned { closed: false, .. })
                && outcomes.iter().any(|o| o.call == Call::Open && o.error.is_none())
            {
                return unprovoked(end.point, "the database was not closed with Ok");
            }
        }
        let first_fatal = outcomes.iter().find(|outcome| is_fatal(outcome));
        let Some(first_fatal) = first_fatal else { return Ok(()) };
        for (index, outcome) in outcomes.iter().enumerate() {
            let Call::Write { batch } = outcome.call else { continue };
            if outcome.error.is_some() || outcome.invoked < first_fatal.returned {
                continue;
            }
            // The errors that this write came after, less those that a `resume` may have undone.
            let standing = outcomes[..index].iter().filter(|o| is_fatal(o)).find(|fatal| {
                fatal.returned < outcome.invoked
                    && !outcomes.iter().any(|resume| {
                        resume.call == Call::Resume
                            && resume.error.is_none()
                            && resume.returned > fatal.invoked
                            && resume.invoked < outcome.returned
                    })
            });
            if let Some(fatal) = standing {
                let who = end.plan.batches[batch as usize].writer;
                let error = fatal.error.as_deref().unwrap_or_default();
                return Err(Violation {
                    checker: self.name(),
                    promise: "after a fatal error nothing is acknowledged until resume",
                    expected: format!("an error for writer {who}, as after `{error}`"),
                    got: "Ok".to_owned(),
                    point: outcome.returned,
                });
            }
        }
        Ok(())
    }
}

fn unprovoked(point: u64, error: &str) -> Result<(), Violation> {
    Err(Violation {
        checker: "errors",
        promise: "without a fault no call fails",
        expected: "Ok".to_owned(),
        got: error.to_owned(),
        point,
    })
}

/// Whether this answer must stop all writes: a failure of the log or the MANIFEST, once it was
/// written to. A log that could not even be created leaves nothing behind and may be tried again.
fn is_fatal(outcome: &Outcome) -> bool {
    let is_write = matches!(outcome.call, Call::Write { .. } | Call::Sync);
    is_write && outcome.error.as_ref().is_some_and(|error| !error.starts_with("create "))
}
