//! What a seed drew, in words.

use super::counted;
use crate::fault::Phase;
use crate::scenario::CrashKind;
use crate::workload::{Calls, Moment, Plan, PlannedCrash, Trigger};

/// The drawn options, in one line.
pub fn describe_plan(plan: &Plan) -> String {
    let crashes = match plan.crashes.len() {
        0 => "no crash".to_owned(),
        _ => plan.crashes.iter().map(crash).collect::<Vec<_>>().join(", then "),
    };
    let omitted =
        if plan.omitted.is_empty() { String::new() } else { format!("; without {}", plan.omitted) };
    format!("{}; {}; {crashes}{omitted}", clients(plan), machine(plan))
}

/// The drawn options, as lines of a report.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let mut lines =
        vec![format!("  clients    {}", clients(plan)), format!("  machine    {}", machine(plan))];
    for (number, planned) in plan.crashes.iter().enumerate() {
        let head = if number == 0 { "planned" } else { "then" };
        lines.push(format!("  {head:<10} {}", crash(planned)));
    }
    if !plan.omitted.is_empty() {
        lines.push(format!("  without    {}", plan.omitted));
    }
    lines
}

fn clients(plan: &Plan) -> String {
    let readers = match plan.readers.len() {
        0 => String::new(),
        count => format!(", {}", counted(count, "reader")),
    };
    let resume = if plan.resume { ", resuming after errors" } else { "" };
    format!(
        "{} with {} in all{readers}{resume}",
        counted(plan.writers.len(), "writer"),
        counted(plan.batches.len(), "batch")
    )
}

fn machine(plan: &Plan) -> String {
    let full = plan.capacity.map_or_else(String::new, |bytes| format!(" of {bytes} bytes"));
    let tables = match (plan.engine.snappy, plan.engine.filter) {
        (false, false) => "plain tables",
        (true, false) => "tables with Snappy",
        (false, true) => "tables with filters",
        (true, true) => "tables with Snappy and filters",
    };
    format!(
        "disk {}{full}, memtable of {} bytes, {tables}, threads scheduled by {}",
        plan.profile.name, plan.engine.write_buffer_size, plan.policy
    )
}

fn crash(crash: &PlannedCrash) -> String {
    let what = match crash.kind {
        CrashKind::PowerLoss => "power loss",
        CrashKind::Kill | CrashKind::Either => "death of the process",
    };
    let phase = match crash.phase {
        Phase::Run => "while clients work",
        Phase::Recovery => "during the open",
        Phase::Close => "during the close",
    };
    match crash.trigger {
        Trigger::Point(point) => format!("{what} {phase}, at scheduling point {point}"),
        Trigger::Call { calls, nth, moment } => {
            let call = match calls {
                Calls::LogAppend => "log append",
                Calls::LogSync => "log sync",
                Calls::LogCreate => "log creation",
                Calls::Rename => "rename",
                Calls::Mutating => "change of the disk",
            };
            let moment = match moment {
                Moment::Before => "before",
                Moment::Inside(_) => "inside",
                Moment::After => "right after",
            };
            format!("{what} {phase}, {moment} {call} number {}", nth + 1)
        }
    }
}
