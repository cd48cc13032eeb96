//! Promise 5: after a fatal error nothing is acknowledged until `resume` or a reopen.

use super::{AfterEnd, Checker, Ending, Violation};
use crate::history::Call;

/// Looks at the order of errors and acknowledgements.
#[derive(Debug)]
pub struct Errors;

impl Checker for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        // The answer from which on every write must fail.
        let mut fatal: Option<(u64, &str)> = None;
        for outcome in &end.history.outcomes {
            match (outcome.call, &outcome.error) {
                (Call::Write { .. } | Call::Sync, Some(error)) => {
                    if fatal.is_none() && is_fatal(error) {
                        fatal = Some((outcome.returned, error));
                    }
                    if end.faults == 0 {
                        return self.unprovoked(outcome.returned, error);
                    }
                }
                (Call::Write { batch }, None) => {
                    if let Some((since, error)) = fatal
                        && outcome.invoked > since
                    {
                        let who = end.plan.batches[batch as usize].writer;
                        return Err(Violation {
                            checker: self.name(),
                            promise: "after a fatal error nothing is acknowledged until resume",
                            expected: format!("an error for writer {who}, as after `{error}`"),
                            got: "Ok".to_owned(),
                            point: outcome.returned,
                        });
                    }
                }
                (Call::Resume, None) => fatal = None,
                (Call::Flush | Call::Close, Some(error)) if end.faults == 0 => {
                    return self.unprovoked(outcome.returned, error);
                }
                _ => {}
            }
        }
        match end.ending {
            Ending::Returned { closed: false, .. } if end.faults == 0 => {
                self.unprovoked(end.point, "the database was not closed with Ok")
            }
            _ => Ok(()),
        }
    }
}

impl Errors {
    fn unprovoked(&self, point: u64, error: &str) -> Result<(), Violation> {
        Err(Violation {
            checker: self.name(),
            promise: "without a fault no call fails",
            expected: "Ok".to_owned(),
            got: error.to_owned(),
            point,
        })
    }
}

/// An error that must stop all writes: one of the log or the MANIFEST, once it was written to.
/// A log that could not even be created leaves nothing behind and may be tried again.
fn is_fatal(error: &str) -> bool {
    !error.starts_with("create ")
}
