//! Which tiny scenarios find which mutants.

use std::collections::BTreeMap;

use super::super::output::{remark, say};
use super::super::{Exit, Failed};
use super::scratch::Scratch;
use crate::mutant::Mutant;
use crate::report::counted;
use crate::scenario::embedded;

/// How much of each scenario is exhausted, as the gate does it too.
const FLAGS: &str = "--seeds 24 --preemptions 0 --schedules 8 --images 16";
/// Mutants that each of them has to find.
const NEEDED: usize = 3;

/// Plants each mutant and exhausts some schedules of every scenario called `tiny_*`. Prints a table
/// as Markdown. [`Exit::Broken`] if a scenario finds fewer than [`NEEDED`] of all.
pub(super) fn exhaust(scratch: &Scratch, mutants: &[Mutant], jobs: usize) -> Result<Exit, Failed> {
    let scenarios = embedded().map_err(|error| Failed::usage(error.to_string()))?;
    let tiny = scenarios.into_iter().map(|scenario| scenario.name);
    let tiny: Vec<String> = tiny.filter(|name| name.starts_with("tiny_")).collect();
    say("# What the tiny scenarios find");
    say("");
    say(format!(
        "The output of `sim mutants --exhaust` at {}: each mutant is planted, and",
        env!("FAULTLINE_COMMIT")
    ));
    say(format!("`sim exhaust SCENARIO {FLAGS}` is run for every tiny scenario."));
    say("");
    say("| mutant | found by |");
    say("|---|---|");
    let mut finds: BTreeMap<&str, usize> = tiny.iter().map(|name| (name.as_str(), 0)).collect();
    for mutant in mutants {
        remark(format!("  building {}", mutant.name));
        scratch.plant(&mutant.file)?;
        let found = scratch.build().and_then(|()| {
            let mut found = Vec::new();
            for name in &tiny {
                let flags = format!("exhaust {name} {FLAGS} --jobs {jobs}");
                let flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
                let events = scratch.events(&mutant.name, &flags, "exhaust_finished")?;
                if events.contains("\"counterexample\"") {
                    found.push(name.as_str());
                }
            }
            Ok(found)
        });
        scratch.remove(&mutant.file)?;
        let found = found?;
        say(format!("| `{}` | {} |", mutant.name, found.join(", ")));
        for name in found {
            *finds.entry(name).or_default() += 1;
        }
    }
    say("");
    say("| scenario | finds |");
    say("|---|---|");
    for (name, count) in &finds {
        say(format!("| `{name}` | {} |", counted(*count, "mutant")));
    }
    let weak = finds.values().any(|count| *count < NEEDED);
    Ok(if weak { Exit::Broken } else { Exit::Clean })
}
