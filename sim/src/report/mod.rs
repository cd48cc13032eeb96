//! The report of a failure, for a person: what was promised, what happened, and how to see it
//! again.

use std::fmt::Write as _;

use crate::kernel::ThreadId;
use crate::run::Verdict;
use crate::scenario::Scenario;
use crate::trace::{Event, Lane};
use crate::workload::{Plan, Trigger};

/// Last events that a report shows of clients, engine, disk and faults.
const EVENTS_SHOWN: usize = 40;

/// The words of `sim` for one failed run.
///
/// `verdict` must come from a run that kept its events.
pub fn failure(scenario: &Scenario, seed: u64, verdict: &Verdict, flags: &str) -> String {
    let mut out = String::new();
    let token = format!("{}:{seed}", scenario.token());
    let Some(violation) = verdict.violations.first() else {
        return format!("{token}: no violation\n");
    };
    let plan = Plan::draw(scenario, seed);
    // Writing to a String cannot fail.
    let mut line = |words: String| writeln!(out, "{words}").unwrap_or_default();
    line(format!("FAIL {}  {token}", violation.checker));
    line(format!("  promise    {}", violation.promise));
    line(format!("  expected   {}", violation.expected));
    line(format!("  got        {}", violation.got));
    let others: Vec<&str> = verdict.violations.iter().skip(1).map(|v| v.checker).collect();
    if !others.is_empty() {
        line(format!("  also       {}", others.join(", ")));
    }
    line(String::new());
    line(format!("  plan       {}", describe_plan(&plan)));
    line(String::new());
    for text in timeline(&verdict.events) {
        line(text);
    }
    for disk in verdict.disks.iter().rev().take(1) {
        line(String::new());
        line(format!("  disk before the {} at point {}", disk.what, disk.point));
        line(indent(&disk.before));
        line("  what became of what was pending".to_owned());
        line(indent(&disk.fates));
        line("  disk after it".to_owned());
        line(indent(&disk.after));
    }
    line(String::new());
    line(format!("  trace      {:016x}, {} points", verdict.trace_hash, verdict.points));
    line(format!("  reproduce  {}", replay_command(&token, flags)));
    out
}

/// The command that runs a token again and shows all of it.
pub fn replay_command(token: &str, flags: &str) -> String {
    format!("cargo run --release --bin sim -- replay {token}{flags} --trace")
}

/// The drawn options, in one line.
pub fn describe_plan(plan: &Plan) -> String {
    let crashes: Vec<String> = plan
        .crashes
        .iter()
        .map(|crash| match crash.trigger {
            Trigger::Point(point) => {
                format!("{:?} at point {point} of {:?}", crash.kind, crash.phase)
            }
            Trigger::Call { calls, nth, moment } => {
                format!("{:?} at {calls:?} #{nth} of {:?} ({moment:?})", crash.kind, crash.phase)
            }
        })
        .collect();
    format!(
        "{} writers, {} batches, {} readers, policy {}, disk {}, memtable {} B, crashes: {}",
        plan.writers.len(),
        plan.batches.len(),
        plan.readers.len(),
        plan.policy,
        plan.profile.name,
        plan.write_buffer_size,
        if crashes.is_empty() { "none".to_owned() } else { crashes.join("; ") }
    )
}

/// The last events, one a line: point, virtual time, thread, lane, words.
fn timeline(events: &[Event]) -> Vec<String> {
    let shown: Vec<&Event> = events.iter().filter(|event| event.lane != Lane::Schedule).collect();
    let skipped = shown.len().saturating_sub(EVENTS_SHOWN);
    let mut lines = vec![format!("  {:>6} {:>10}  {:<12} event", "point", "virtual us", "thread")];
    if skipped > 0 {
        lines.push(format!("  {skipped} earlier events are left out"));
    }
    lines.extend(shown.into_iter().skip(skipped).map(event_line));
    lines
}

/// One event as a line of a trace.
pub fn event_line(event: &Event) -> String {
    let lane = match event.lane {
        Lane::Client => "client",
        Lane::Engine => "engine",
        Lane::Disk => "disk",
        Lane::Fault => "FAULT",
        Lane::Schedule => "sched",
    };
    let thread =
        if event.thread == ThreadId::CLOCK { "-".to_owned() } else { event.thread_name.clone() };
    format!(
        "  {:>6} {:>10.1}  {:<12} {lane:<6} {}",
        event.point,
        event.nanos as f64 / 1000.0,
        thread,
        event.text
    )
}

fn indent(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
