//! `sim exhaust --necessary-syncs`: what breaks without each sync of the engine, as a table.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "syncs are left out on all cores"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use serde_json::json;

use super::args::{ExhaustArgs, Format};
use super::output::{event, remark, say};
use super::run::cores;
use super::{Exit, Failed};
use crate::exhaust::Place;
use crate::necessary::{Effort, Finding, Needed, Sync, leave_out, syncs};
use crate::scenario::{Scenario, embedded};

const PROFILES: [&str; 2] = ["posix-weak", "ext4-ordered"];

/// Why the engine keeps a sync that no run needs, by label.
const REASONS: &str = include_str!("../../necessary-syncs.toml");

#[derive(Deserialize)]
struct Reason {
    sync: String,
    why: String,
}

#[derive(Deserialize)]
struct Reasons {
    reason: Vec<Reason>,
}

/// A cell of the table: sync, profile and what came of it.
type Cell = (usize, usize, Result<Finding, String>);

pub(super) fn necessary_syncs(args: &ExhaustArgs) -> Result<Exit, Failed> {
    let internal = |words| Failed { exit: Exit::Internal, words };
    let reasons: Reasons =
        toml::from_str(REASONS).map_err(|error| internal(format!("its reasons: {error}")))?;
    let scenarios = embedded().map_err(|error| internal(error.to_string()))?;
    let effort = Effort::default();
    let syncs = syncs(&scenarios, effort).map_err(internal)?;
    remark(format!("{} syncs, {} profiles", syncs.len(), PROFILES.len()));
    let next = AtomicUsize::new(0);
    let cells = Mutex::new(Vec::<Cell>::new());
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.unwrap_or_else(cores).max(1) {
            scope.spawn(|| {
                loop {
                    let cell = next.fetch_add(1, Ordering::Relaxed);
                    let (sync, profile) = (cell / PROFILES.len(), cell % PROFILES.len());
                    let Some(left_out) = syncs.get(sync) else { return };
                    let finding = leave_out(&scenarios, left_out, PROFILES[profile], effort);
                    remark(format!("{} on {}", left_out.label, PROFILES[profile]));
                    cells.lock().expect("no worker panics").push((sync, profile, finding));
                }
            });
        }
    });
    let mut cells = cells.into_inner().expect("no worker panics");
    cells.sort_by_key(|(sync, profile, _)| (*sync, *profile));
    let teller = Teller { args, scenarios: &scenarios, reasons: &reasons };
    for reason in &reasons.reason {
        if !syncs.iter().any(|sync| sync.label == reason.sync) {
            remark(format!("note: no run meets `{}`, of which a reason is given", reason.sync));
        }
    }
    teller.head(effort);
    let mut unexplained = 0;
    let mut cells = cells.into_iter();
    for sync in &syncs {
        let row = cells.by_ref().take(PROFILES.len()).map(|(_, _, finding)| finding);
        let row = row.collect::<Result<Vec<_>, _>>().map_err(internal)?;
        unexplained += u32::from(!teller.row(sync, &row));
    }
    Ok(if unexplained == 0 { Exit::Clean } else { Exit::Incomplete })
}

struct Teller<'a> {
    args: &'a ExhaustArgs,
    scenarios: &'a [Scenario],
    reasons: &'a Reasons,
}

impl Teller<'_> {
    fn head(&self, effort: Effort) {
        if self.args.format == Format::Json {
            return;
        }
        say(format!(
            "# What breaks without each sync\n\n\
             The output of `sim exhaust --necessary-syncs`. Each sync of the engine is left out\n\
             in turn: the call returns Ok, and the disk does nothing. A cell has the checker\n\
             whose promise breaks first, and the run that shows it, small before large. Tried\n\
             are every crash of {} schedules of each tiny scenario, with {} images an instant,\n\
             and {} seeds of every other scenario that meets the sync. The label says when, by\n\
             which thread and of what; of a directory, after which change of that thread.\n",
            effort.schedules, effort.images, effort.seeds
        ));
        say(format!("| sync | {} |", PROFILES.join(" | ")));
        say(format!("|---|{}", "---|".repeat(PROFILES.len())));
    }

    /// Tells one row; false if nothing needs the sync and nobody has said why it is there.
    fn row(&self, sync: &Sync, row: &[Finding]) -> bool {
        let is_needed = row.iter().any(|finding| finding.needed.is_some());
        let reason = self.reasons.reason.iter().find(|reason| reason.sync == sync.label);
        if self.args.format == Format::Json {
            let profiles: Vec<_> = PROFILES
                .iter()
                .zip(row)
                .map(|(name, found)| self.json(name, found, sync))
                .collect();
            event(&json!({
                "v": 1, "event": "sync_left_out", "sync": sync.label, "met": sync.met,
                "profiles": profiles, "reason": reason.map(|reason| reason.why.as_str()),
            }));
            return is_needed || reason.is_some();
        }
        let cells: Vec<String> = row.iter().map(|finding| self.cell(finding)).collect();
        let why = match reason {
            Some(reason) if !is_needed => format!("<br>{}", reason.why),
            None if !is_needed => "<br>**unexplained**".to_owned(),
            _ => String::new(),
        };
        say(format!("| `{}`{why} | {} |", sync.label, cells.join(" | ")));
        is_needed || reason.is_some()
    }

    fn cell(&self, finding: &Finding) -> String {
        match &finding.needed {
            None => format!("no run of {}", finding.runs),
            Some(needed) => {
                let Needed { scenario, seed, crash, violation } = needed;
                let place = crash.as_deref().map_or_else(String::new, |crash| match crash {
                    [] => " without a crash".to_owned(),
                    crash => format!(" at {}", places(crash)),
                });
                format!("{}: `{}:{seed}`{place}", violation.checker, self.scenarios[*scenario].name)
            }
        }
    }

    fn json(&self, profile: &str, finding: &Finding, sync: &Sync) -> serde_json::Value {
        let Some(Needed { scenario, seed, crash, violation }) = &finding.needed else {
            return json!({ "profile": profile, "needed": false, "runs": finding.runs });
        };
        let name = &self.scenarios[*scenario].name;
        let set = format!(
            "--set 'disk.profiles=[\"{profile}\"]' --set 'disk.leave_out=\"{}\"'",
            sync.label
        );
        let command = match crash {
            None => format!("sim replay {name}:{seed} {set}"),
            Some(crash) => format!(
                "sim exhaust {name} --seeds {seed}..{} --images {} --only {} {set}",
                seed + 1,
                Effort::default().images,
                if crash.is_empty() { "none".to_owned() } else { places(crash) },
            ),
        };
        json!({
            "profile": profile, "needed": true, "runs": finding.runs,
            "checker": violation.checker, "promise": violation.promise,
            "expected": violation.expected, "got": violation.got, "replay": command,
        })
    }
}

fn places(crash: &[Place]) -> String {
    let places: Vec<String> = crash.iter().map(|(point, nth)| format!("{point}:{nth}")).collect();
    places.join(",")
}
