//! `sim mutants --check`: whether every patch applies to the repository as it is, and compiles.
//!
//! As many as apply on top of each other are compiled at once: a build costs the same for one
//! patch and for twenty. Those that do not compile together are halved until each has its answer.

use std::path::Path;

use super::super::output::say;
use super::super::{Exit, Failed};
use super::scratch::Scratch;

/// A mutant by name and file.
pub(super) type Patch<'a> = (&'a str, &'a Path);

/// Compiles all of `mutants`, each of which applies, with `cargo` of these arguments.
pub(super) fn check(
    scratch: &Scratch,
    mut mutants: Vec<Patch<'_>>,
    cargo: &[&str],
) -> Result<Exit, Failed> {
    while !mutants.is_empty() {
        let (mut together, mut left) = (Vec::new(), Vec::new());
        for mutant in mutants {
            if scratch.applies(mutant.1) {
                scratch.plant(mutant.1)?;
                together.push(mutant);
            } else {
                left.push(mutant);
            }
        }
        let compiled = scratch.cargo(cargo);
        remove(scratch, &together)?;
        compiled.or_else(|failed| halve(scratch, &together, cargo, &failed))?;
        for (name, _) in together {
            say(format!("{name:<40} applies and compiles"));
        }
        mutants = left;
    }
    Ok(Exit::Clean)
}

/// Finds the one among `together`, which failed as `failed`, that does not compile, if any does
/// not: two may only be at odds with each other.
fn halve(
    scratch: &Scratch,
    together: &[Patch<'_>],
    cargo: &[&str],
    failed: &Failed,
) -> Result<(), Failed> {
    if let [(_, file)] = together {
        let words = format!("{}: {}", file.display(), failed.words);
        return Err(Failed { exit: failed.exit, words });
    }
    let (first, second) = together.split_at(together.len() / 2);
    for half in [first, second] {
        for (_, file) in half {
            scratch.plant(file)?;
        }
        let compiled = scratch.cargo(cargo);
        remove(scratch, half)?;
        compiled.or_else(|failed| halve(scratch, half, cargo, &failed))?;
    }
    Ok(())
}

/// Takes patches back in the order in which that is possible.
fn remove(scratch: &Scratch, planted: &[Patch<'_>]) -> Result<(), Failed> {
    planted.iter().rev().try_for_each(|(_, file)| scratch.remove(file))
}
