//! Promise 5, of what an error says: what befell the run explains it.
//!
//! - Of a call that failed the engine hands on the kind, the operation and the file, and nothing
//!   else: so an error is that of a call to the environment, or there is damage to speak of.
//! - Who made the call is told of it, and as it was; in a group all are told what their leader is.
//! - Everyone else is told of it as what has stopped writes. That is the first failure, and stays
//!   it until a `resume`.
//! - A `resume` is refused only for what it cannot repair.

use super::{AfterEnd, Excuse, Violation};
use crate::fault::FileRole;
use crate::history::{Call, Outcome};
use crate::told::{Failure, Kind, Told};
use faultline::FileOp;

/// Looks at what each error says.
pub(super) fn judge(end: &AfterEnd<'_>) -> Result<(), Violation> {
    let outcomes = &end.history.outcomes;
    for (at, outcome) in outcomes.iter().enumerate() {
        let Some(told) = &outcome.error else { continue };
        explained(end, outcome, told)?;
        told_by_who_met_it(end, outcome, told)?;
        if told.is_background {
            refused_for_a_reason(end, outcome, told)?;
            names_the_first(end, &outcomes[..at], (outcome, told))?;
        }
    }
    Ok(())
}

/// An error says what a call has met.
fn explained(end: &AfterEnd<'_>, outcome: &Outcome, told: &Told) -> Result<(), Violation> {
    let is_explained = match told.form.kind {
        Kind::Corruption => {
            !end.damaged.is_empty() || 0 < end.met.reads || end.excuse != Excuse::None
        }
        // By a workload of somebody's own.
        Kind::Closed => outcome.call == Call::Close,
        Kind::HeldUp => is_own_wish(end, outcome),
        // Nobody asks for what cannot be, writes to what is read alone, or is out of threads.
        Kind::InvalidArgument | Kind::ReadOnly | Kind::NoThread | Kind::Unknown => false,
        Kind::NotFound
        | Kind::NoSpace
        | Kind::TooManyOpen
        | Kind::Io(_)
        | Kind::NotSupported
        | Kind::Locked => causes(end, outcome, told).next().is_some(),
    };
    if is_explained {
        return Ok(());
    }
    let met: Vec<String> = failures_until(end, outcome.returned).map(name).collect();
    let expected = match &met[..] {
        [] => "Ok, for no call had failed".to_owned(),
        met => format!("what it has met, of {}", met.join(", ")),
    };
    let promise = "an error is that of a call that failed: its kind, operation and file";
    violated(promise, expected, outcome, told)
}

/// Who has met a failure is told of it as it was.
fn told_by_who_met_it(end: &AfterEnd<'_>, outcome: &Outcome, told: &Told) -> Result<(), Violation> {
    // An open works on what it can; readers and who closes look elsewhere, or have heard worse.
    let is_straight = matches!(
        outcome.call,
        Call::Write { .. } | Call::Sync | Call::Flush | Call::Compact | Call::Resume
    );
    // Damage is told by bytes that a call was given, and what is only tidied up behind a failure
    // tells nothing.
    let is_told_by_bytes = told.form.kind == Kind::Corruption;
    let is_met = |failure: &&Failure| {
        let is_tidied_up = matches!(failure.form.op, Some(FileOp::Remove | FileOp::List));
        failure.thread == told.thread && outcome.invoked <= failure.point && !is_tidied_up
    };
    let first = failures_until(end, outcome.returned).find(is_met).filter(|_| !is_told_by_bytes);
    match first {
        Some(first) if is_straight && (told.is_background || told.form != first.form) => {
            let promise = "who meets a failure is told of it as it was";
            violated(promise, name(first), outcome, told)
        }
        _ => Ok(()),
    }
}

/// A `resume` is refused without being tried only over what it cannot repair: damage, and a switch
/// of CURRENT that may have been done or not. After any other failure, when the disk is well again,
/// the database must be so too.
fn refused_for_a_reason(
    end: &AfterEnd<'_>,
    outcome: &Outcome,
    told: &Told,
) -> Result<(), Violation> {
    let is_damaged = !end.damaged.is_empty() || 0 < end.met.reads || end.excuse != Excuse::None;
    // The sync of the directory is a part of the switch.
    let may_be_switch =
        |failure: &Failure| matches!(failure.form.op, Some(FileOp::Rename | FileOp::SyncDir));
    let is_for_a_reason = outcome.call != Call::Resume
        || is_damaged
        || failures_until(end, outcome.returned).any(may_be_switch);
    if is_for_a_reason {
        return Ok(());
    }
    let promise = "a resume helps after all but damage and a switch of CURRENT in doubt";
    violated(promise, "Ok, or what it has met itself".to_owned(), outcome, told)
}

/// What has stopped writes is the first failure, whoever is told.
fn names_the_first(
    end: &AfterEnd<'_>,
    before: &[Outcome],
    (outcome, told): (&Outcome, &Told),
) -> Result<(), Violation> {
    let promise = "the first failure is what has stopped writes, until resume";
    for earlier in before {
        let Some(known) = &earlier.error else { continue };
        let since = earlier.invoked.min(outcome.invoked);
        let is_apart = |(invoked, returned)| returned < since || outcome.returned < invoked;
        if !end.resumes().all(is_apart) {
            continue;
        }
        if known.is_background && known.form != told.form {
            return violated(promise, known.form.to_string(), outcome, told);
        }
        let is_client = matches!(earlier.call, Call::Write { .. } | Call::Sync | Call::Flush);
        let is_fatal = is_client && !known.is_background && stops_writes_of(known);
        let is_old = |cause: &Failure| cause.point <= earlier.returned;
        if is_fatal && !causes(end, outcome, told).any(is_old) {
            let expected = format!("{}, or what failed before it", known.form);
            return violated(promise, expected, outcome, told);
        }
    }
    Ok(())
}

/// Whether it is a write that asked not to wait: it may be told that it would have to.
pub(super) fn is_own_wish(end: &AfterEnd<'_>, outcome: &Outcome) -> bool {
    let Call::Write { batch } = outcome.call else { return false };
    end.plan.batches.get(batch as usize).is_some_and(|batch| batch.no_wait)
}

/// The failures of which a call can have been told so.
fn causes<'a>(
    end: &'a AfterEnd<'_>,
    outcome: &'a Outcome,
    told: &'a Told,
) -> impl Iterator<Item = &'a Failure> {
    let is_cause = move |failure: &&Failure| {
        failure.form == told.form
            && if told.is_background {
                stops_writes(failure) && !is_undone(end, failure, outcome)
            } else {
                is_own(failure, outcome, told)
            }
    };
    failures_until(end, outcome.returned).filter(is_cause)
}

fn failures_until<'a>(end: &AfterEnd<'a>, point: u64) -> impl Iterator<Item = &'a Failure> {
    end.failures.iter().take_while(move |failure| failure.point <= point)
}

/// Whether the call can have met this failure, by itself or in the group that it was in.
fn is_own(failure: &Failure, outcome: &Outcome, told: &Told) -> bool {
    // What a cursor has met it keeps, and noted is when it was asked for that.
    // A directory whose sync has failed tells of it again until one succeeds.
    let is_kept = outcome.call == Call::Read || failure.form.op == Some(FileOp::SyncDir);
    let is_in_time = is_kept || outcome.invoked <= failure.point;
    let is_of_log = is_of(failure.form.file.as_deref(), FileRole::Log);
    is_in_time
        && match outcome.call {
            // A table is replayed by a thread beside.
            Call::Open | Call::OpenReadOnly | Call::Read | Call::CloseReadOnly => true,
            Call::Write { .. }
            | Call::Sync
            | Call::Flush
            | Call::Compact
            | Call::Resume
            | Call::Close => match failure.form.op {
                _ if failure.thread == told.thread => true,
                // One sync covers the names of all, and if it fails, no later one tells.
                Some(FileOp::SyncDir) => true,
                Some(FileOp::Append | FileOp::Sync) => {
                    let may_ride = matches!(outcome.call, Call::Write { .. } | Call::Sync);
                    may_ride && is_of_log && !is_background(failure)
                }
                _ => false,
            },
        }
}

/// Whether a failure stops writes. What is only tidied up stops nothing, nor does a log that could
/// not be created.
fn stops_writes(failure: &Failure) -> bool {
    if is_background(failure) {
        return !matches!(failure.form.op, Some(FileOp::Remove | FileOp::List));
    }
    is_fatal_to_clients(failure.form.op, failure.form.file.as_deref())
}

/// The same of an error that a client was told as it was.
fn stops_writes_of(told: &Told) -> bool {
    is_fatal_to_clients(told.form.op, told.form.file.as_deref())
}

fn is_fatal_to_clients(op: Option<FileOp>, file: Option<&str>) -> bool {
    match op {
        Some(FileOp::SyncDir) => true,
        Some(FileOp::Append | FileOp::Sync | FileOp::Close) => is_of(file, FileRole::Log),
        _ => false,
    }
}

fn is_background(failure: &Failure) -> bool {
    matches!(failure.role, "flush" | "compaction")
}

fn is_of(file: Option<&str>, role: FileRole) -> bool {
    file.is_some_and(|file| FileRole::of_file(file) == role)
}

/// Whether a `resume` lies between a failure and a call.
fn is_undone(end: &AfterEnd<'_>, failure: &Failure, outcome: &Outcome) -> bool {
    end.resumes().any(|(invoked, returned)| failure.point < invoked && returned < outcome.invoked)
}

fn name(failure: &Failure) -> String {
    failure.form.to_string()
}

fn violated(
    promise: &'static str,
    expected: String,
    outcome: &Outcome,
    told: &Told,
) -> Result<(), Violation> {
    let as_what = if told.is_background { "writes are stopped by " } else { "" };
    Err(Violation {
        checker: "errors",
        promise,
        expected,
        got: format!("{} told {as_what}{}", outcome.call, told.form),
        point: outcome.returned,
    })
}
