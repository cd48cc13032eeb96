//! The report of a failure, for a person: what was promised, what happened, and how to see it
//! again.

mod disk;
mod lanes;
mod plan;
mod recovered;

pub use disk::disk_at_death;
pub use lanes::event_line;
pub use plan::describe_plan;

use std::path::Path;

use crate::planned::Planned;
use crate::run::Verdict;
use crate::scenario::Scenario;
use crate::workload::Plan;

/// The words of `sim` for one failed run.
///
/// `verdict` must come from a run that kept its events. `flags` are those that a replay needs
/// beside the token, each with a space before it.
pub fn failure(scenario: &Scenario, seed: u64, verdict: &Verdict, flags: &str) -> String {
    let plan = Plan::draw(scenario, seed);
    let token = format!("{}:{seed}", scenario.token());
    let again = Again { command: replay_command(&token, flags), flags: Some(flags) };
    tell(scenario, seed, &plan, verdict, plan::lines(&plan), &again)
}

/// As [`failure`], for a run of which the caller has chosen the deaths: `crashes` says in words
/// which, and `command` shows it again.
pub fn steered_failure(
    scenario: &Scenario,
    seed: u64,
    verdict: &Verdict,
    crashes: &[String],
    command: &str,
) -> String {
    let mut plan = Plan::draw(scenario, seed);
    plan.leave_out_crashes();
    let mut lines = plan::lines(&plan);
    lines.extend(crashes.iter().map(|crash| format!("  crash      {crash}")));
    let again = Again { command: command.to_owned(), flags: None };
    tell(scenario, seed, &plan, verdict, lines, &again)
}

/// As [`failure`], for a run that has its plan in a case file, and was drawn from `seed` once.
pub fn planned_failure(
    scenario: &Scenario,
    seed: u64,
    planned: &Planned,
    verdict: &Verdict,
    file: &Path,
) -> String {
    let command = replay_command(&file.display().to_string(), "");
    let again = Again { command, flags: None };
    tell(scenario, seed, &planned.plan, verdict, plan::all_lines(planned), &again)
}

/// How a run can be had again.
struct Again<'a> {
    /// The command that shows all of it.
    command: String,
    /// Flags that its token needs, if it is as its seed draws it.
    flags: Option<&'a str>,
}

fn tell(
    scenario: &Scenario,
    seed: u64,
    plan: &Plan,
    verdict: &Verdict,
    planned: Vec<String>,
    again: &Again<'_>,
) -> String {
    let token = format!("{}:{seed}", scenario.token());
    let Some(violation) = verdict.violations.first() else {
        return format!("{token}: no violation\n");
    };
    let mut lines = vec![
        format!("FAIL {}  {token}", violation.checker),
        format!("  promise    {}", violation.promise),
        format!("  expected   {}", violation.expected),
        format!("  got        {}", violation.got),
    ];
    let others: Vec<&str> = verdict.violations.iter().skip(1).map(|v| v.checker).collect();
    if !others.is_empty() {
        lines.push(format!("  also       {}", others.join(", ")));
    }
    if let Some(leveldb) = &scenario.spec.leveldb {
        lines.push(format!("  LevelDB    {leveldb}"));
    }
    lines.push(String::new());
    lines.extend(planned);
    lines.push(String::new());
    lines.extend(lanes::lines(&verdict.events, violation.point));
    if let Some(death) = verdict.disks.iter().rfind(|death| death.point <= violation.point) {
        lines.push(String::new());
        lines.extend(disk_at_death(death).iter().map(|line| format!("  {line}").trim_end().into()));
    }
    lines.push(String::new());
    lines.extend(recovered::lines(plan, verdict.shown.as_ref()));
    lines.push(String::new());
    lines.push(format!("  BROKEN     {}, at point {}", violation.promise, violation.point));
    lines.push(format!("  trace      {:016x}, {} points", verdict.trace_hash, verdict.points));
    if let Some(flags) = again.flags {
        lines
            .push(format!("  minimise   cargo run --release --bin sim -- minimise {token}{flags}"));
    }
    lines.push(format!("  reproduce  {}", again.command));
    lines.join("\n") + "\n"
}

/// The command that runs a token again and shows all of it.
pub fn replay_command(token: &str, flags: &str) -> String {
    format!("cargo run --release --bin sim -- replay {token}{flags} --trace")
}

/// A number with its noun.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 {
        ""
    } else if noun.ends_with("ch") || noun.ends_with("sh") {
        "es"
    } else {
        "s"
    };
    format!("{count} {noun}{plural}")
}
