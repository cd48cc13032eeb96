//! Promise 5: after a fatal error nothing is acknowledged until `resume` or a reopen, and what an
//! error says is so.
//!
//! An error is fatal when a client was told so, and also when the disk failed a call to a log and
//! nobody was told.

use super::{AfterEnd, Checker, Ending, Violation, kinds};
use crate::history::{Call, LogDone, Outcome};
use crate::told::Kind;
use crate::workload::PlannedBatch;
use faultline::FileOp;

/// Looks at errors: their order among acknowledgements, and what they say.
#[derive(Clone, Debug)]
pub struct Errors;

impl Checker for Errors {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        match (order(end), kinds::judge(end)) {
            (Err(order), Err(kind)) => Err(if kind.point < order.point { kind } else { order }),
            (order, kind) => order.and(kind),
        }
    }
}

/// Nothing fails unprovoked, and nothing is acknowledged after a fatal error.
fn order(end: &AfterEnd<'_>) -> Result<(), Violation> {
    let outcomes = &end.history.outcomes;
    if end.faults == 0 {
        let is_judged = |outcome: &&Outcome| {
            let is_held_up = is_held_up(outcome) && kinds::is_own_wish(end, outcome);
            outcome.call != Call::Open && !is_held_up
        };
        let failed = outcomes.iter().filter(is_judged).find_map(|outcome| {
            outcome.error.as_ref().map(|error| (outcome.returned, error.words.as_str()))
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
    let told = outcomes.iter().filter(|outcome| is_fatal(outcome)).map(|outcome| Fatal {
        since: outcome.invoked,
        known: outcome.returned,
        what: outcome.error.as_ref().map_or("", |error| &error.words),
        done: None,
    });
    let met = end.history.log_failures.iter().map(|failure| Fatal {
        since: failure.point,
        known: failure.point,
        what: &failure.what,
        done: Some(failure.done),
    });
    let fatals: Vec<_> = told.chain(met).collect();
    let Some(first) = fatals.iter().map(|fatal| fatal.known).min() else { return Ok(()) };
    for outcome in outcomes {
        let Call::Write { batch } = outcome.call else { continue };
        if outcome.error.is_some() || outcome.returned <= first {
            continue;
        }
        let planned = &end.plan.batches[batch as usize];
        // The errors that this write came after, less those that a `resume` may have undone.
        let standing = fatals.iter().find(|fatal| {
            (fatal.known < outcome.invoked || fatal.took(planned, outcome))
                && !end
                    .resumes()
                    .any(|(invoked, returned)| returned > fatal.since && invoked < outcome.returned)
        });
        if let Some(fatal) = standing {
            let who = planned.writer;
            return Err(Violation {
                checker: "errors",
                promise: "after a fatal error nothing is acknowledged until resume",
                expected: format!("an error for writer {who}, as after `{}`", fatal.what),
                got: "Ok".to_owned(),
                point: outcome.returned,
            });
        }
    }
    Ok(())
}

/// Something after which writes must be refused.
struct Fatal<'a> {
    /// A `resume` that ended before this point has not undone it.
    since: u64,
    /// Writes that begin after this point must fail.
    known: u64,
    what: &'a str,
    /// What had come to logs before it, if a call to one failed.
    done: Option<LogDone>,
}

impl Fatal<'_> {
    /// Whether it befell a write that was waiting, and of which nothing can have been in a log: its
    /// group, or one before it, is what failed.
    fn took(&self, planned: &PlannedBatch, outcome: &Outcome) -> bool {
        let Some(done) = self.done.filter(|_| !planned.ops.is_empty()) else { return false };
        let written = if planned.sync { done.synced } else { done.appended };
        written < outcome.invoked && outcome.invoked < self.known && self.known < outcome.returned
    }
}

/// Whether it was told that it would have to wait.
fn is_held_up(outcome: &Outcome) -> bool {
    outcome.error.as_ref().is_some_and(|error| error.form.kind == Kind::HeldUp)
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
    is_write
        && !is_held_up(outcome)
        && outcome
            .error
            .as_ref()
            .is_some_and(|error| error.is_background || error.form.op != Some(FileOp::Create))
}
