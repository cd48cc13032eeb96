//! What a seed drew, in words.

use super::counted;
use crate::fault::{Operation, Phase, ScriptRule};
use crate::planned::{Planned, batch_words};
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
    let by = &plan.policy;
    let machine = machine(plan);
    format!("{}; {machine}, threads scheduled by {by}; {crashes}{omitted}", clients(plan))
}

/// The drawn options, as lines of a report.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let by = format!(", threads scheduled by {}", plan.policy);
    lines_with(plan, &by)
}

fn lines_with(plan: &Plan, by: &str) -> Vec<String> {
    let mut lines = vec![
        format!("  clients    {}", clients(plan)),
        format!("  machine    {}{by}", machine(plan)),
    ];
    for (number, planned) in plan.crashes.iter().enumerate() {
        let head = if number == 0 { "planned" } else { "then" };
        lines.push(format!("  {head:<10} {}", crash(planned)));
    }
    if !plan.omitted.is_empty() {
        lines.push(format!("  without    {}", plan.omitted));
    }
    lines
}

/// Batches told one by one, at most.
const BATCHES_MAX: usize = 40;

/// As [`lines`], with every batch and fault of a run that has few.
pub(super) fn all_lines(planned: &Planned) -> Vec<String> {
    let plan = &planned.plan;
    let mut lines = match planned.deviations {
        None => lines(plan),
        Some(_) => lines_with(plan, ""),
    };
    if plan.batches.len() <= BATCHES_MAX {
        for (number, batches) in plan.batches_by_writer() {
            for batch in batches {
                lines.push(format!("  writer {number:<3} {}", batch_words(plan, batch)));
            }
        }
    }
    lines.extend(planned.faults.script.iter().map(|rule| format!("  fault      {}", fault(rule))));
    if let Some(deviations) = &planned.deviations {
        lines.push(match deviations.len() {
            0 => "  schedule   each thread goes on until it has to wait".to_owned(),
            count => format!(
                "  schedule   each thread goes on until it has to wait, but for {}",
                counted(count, "choice")
            ),
        });
    }
    lines
}

fn fault(rule: &ScriptRule) -> String {
    let role = rule.role.map_or_else(String::new, |role| format!(" of {}", role.words()));
    let phase = rule.phase.map_or_else(String::new, |phase| format!(", {}", during(phase)));
    let operation = rule.operation.map_or("call", Operation::words);
    let count = if rule.count > 1 { format!(", {} in a row", rule.count) } else { String::new() };
    format!("{} at {operation} number {}{role}{phase}{count}", rule.kind.name(), rule.nth)
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
        "disk {}{full}, memtable of {} bytes, {tables}",
        plan.profile.name, plan.engine.write_buffer_size
    )
}

fn during(phase: Phase) -> &'static str {
    match phase {
        Phase::Run => "while clients work",
        Phase::Recovery => "during the open",
        Phase::Close => "during the close",
    }
}

fn crash(crash: &PlannedCrash) -> String {
    let what = match crash.kind {
        CrashKind::PowerLoss => "power loss",
        CrashKind::Kill | CrashKind::Either => "death of the process",
    };
    let phase = during(crash.phase);
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
