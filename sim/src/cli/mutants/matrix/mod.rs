//! `sim mutants --matrix`: how often each policy finds each mutant, on two profiles of the disk.
//!
//! What is found with one policy at every second seed may be found with another at none. The
//! weights of a portfolio are therefore chosen for the mutant that it finds worst: see
//! [`weights::max_min`].

mod cells;
mod page;
mod plot;
mod weights;

use std::path::Path;

use super::super::args::MutantsArgs;
use super::super::output::{remark, say};
use super::super::run::cores;
use super::super::{Exit, Failed};
use super::scratch::Scratch;
use super::{Sweep, on_profile, sweep};
use crate::disk::{EXT4_ORDERED, POSIX_WEAK, Profile};
use crate::mutant::Mutant;
use crate::policy::PolicyName;
use cells::{Cell, Cells};

/// Runs of a cell at most, unless the caller says otherwise; fewer if the header of the mutant
/// asks for fewer.
const RUNS: u64 = 1000;

/// The profiles of the table: that on which the least is promised, and the one that most machines
/// have. What the others add to them is in the tables of `sim/tests/disk`.
fn profiles() -> impl Iterator<Item = &'static Profile> {
    [&POSIX_WEAK, &EXT4_ORDERED].into_iter()
}

/// Sweeps what has not been swept, keeping each result in `matrix.jsonl` beside the patches, and
/// prints the table as Markdown; with `args.plot` draws it, too.
pub(super) fn matrix(
    scratch: &Scratch,
    mutants: &[Mutant],
    args: &MutantsArgs,
) -> Result<Exit, Failed> {
    let file = args.dir.join("matrix.jsonl");
    let mut cells = Cells::load(&file).map_err(Failed::usage)?;
    let jobs = args.jobs.unwrap_or_else(cores);
    for (nth, mutant) in mutants.iter().enumerate() {
        let columns = profiles().flat_map(|profile| PolicyName::EACH.map(|p| (p, profile)));
        let missing: Vec<_> = columns
            .filter(|(policy, on)| cells.get(&mutant.name, policy, on.name).is_none())
            .collect();
        if missing.is_empty() {
            continue;
        }
        remark(format!("  building {} ({} of {})", mutant.name, nth + 1, mutants.len()));
        scratch.plant(&mutant.file)?;
        let swept = scratch.build().and_then(|()| {
            for (policy, profile) in missing {
                let flags = vec![format!("--policy={policy}"), on_profile(profile)];
                let seeds = mutant.runs.min(args.runs.unwrap_or(RUNS));
                let row = sweep(scratch, mutant, &Sweep { seeds, jobs, flags })?;
                cells
                    .add(Cell::new(&row, &policy, profile.name), &file)
                    .map_err(Failed::environment)?;
            }
            Ok(())
        });
        scratch.remove(&mutant.file)?;
        swept?;
    }
    let names: Vec<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    say(page::page(&names, &cells).trim_end());
    if let Some(plot) = &args.plot {
        write(plot, &plot::plot(&names, &cells))?;
    }
    Ok(Exit::Clean)
}

fn write(file: &Path, text: &str) -> Result<(), Failed> {
    std::fs::write(file, text)
        .map_err(|error| Failed::environment(format!("{}: {error}", file.display())))
}
