//! `sim mutants --disk` and `--unseen`: which tests find which mutants that no sweep can.
//!
//! The model of the disk is what every sweep believes; memory orderings and `PosixEnv` are where no
//! simulated run comes. What no test would miss there is not kept; so each mutant names the
//! program of tests that kills it, and those that must fail.

use serde_json::json;

use super::super::args::{Format, MutantsArgs};
use super::super::output::{event, remark, say};
use super::super::{Exit, Failed};
use super::check::check;
use super::named;
use super::scratch::Scratch;
use crate::mutant::{TestedMutant, TestedSet};
use crate::report::counted;

/// What cargo is told to build and run, beside the programs. As the gate's tests are: of one
/// package, features would unite anew.
const TESTS: [&str; 2] = ["test", "--workspace"];
/// Seconds after which the tests hang. They take five at most.
const TIMEOUT: &str = "120";
/// Failed tests that a line names, of those that the header does not.
const SHOWN: usize = 2;

pub(super) fn mutants(set: TestedSet, args: &MutantsArgs) -> Result<Exit, Failed> {
    let all = TestedMutant::all(&args.dir, set).map_err(Failed::usage)?;
    let mutants = named(all, args, |mutant| &mutant.name)?;
    if mutants.is_empty() {
        return Ok(Exit::Nothing);
    }
    let scratch = Scratch::prepare()?;
    scratch.try_all(mutants.iter().map(|mutant| &mutant.file))?;
    if args.check {
        let patches = mutants.iter().map(|mutant| (mutant.name.as_str(), mutant.file.as_path()));
        let cargo = ["check", "--quiet", "--package", set.package()];
        return check(&scratch, patches.collect(), &cargo);
    }
    remark("  building what has no mistake");
    let needed = |killer: &&str| mutants.iter().any(|m| m.killers.iter().any(|k| k == killer));
    let killers: Vec<&str> = set.killers().iter().copied().filter(needed).collect();
    let failed = run_tests(&scratch, &killers)?;
    if !failed.is_empty() {
        let words = format!("these fail with nothing planted: {}", failed.join(", "));
        return Err(Failed { exit: Exit::Broken, words });
    }
    let mut killed = 0;
    for mutant in &mutants {
        scratch.plant(&mutant.file)?;
        let killers: Vec<&str> = mutant.killers.iter().map(String::as_str).collect();
        let failed = run_tests(&scratch, &killers);
        scratch.remove(&mutant.file)?;
        killed += usize::from(tell(args.format, set, mutant, &failed?));
    }
    if args.format == Format::Json {
        event(&json!({
            "v": 1, "event": format!("{}_mutants_finished", set.name()),
            "mutants": mutants.len(), "killed": killed,
        }));
    } else {
        say(format!("{killed} of {} killed by the tests that should", mutants.len()));
    }
    Ok(if killed == mutants.len() { Exit::Clean } else { Exit::Broken })
}

/// Builds and runs these programs of tests with what is planted; the tests that failed.
fn run_tests(scratch: &Scratch, killers: &[&str]) -> Result<Vec<String>, Failed> {
    let programs: Vec<&str> = killers.iter().flat_map(|&killer| ["--test", killer]).collect();
    let tests = [&TESTS[..], &programs].concat();
    scratch.cargo(&[&tests[..], &["--quiet", "--no-run"]].concat())?;
    let output = scratch
        .command("timeout")
        .args(["--kill-after=5", TIMEOUT, "cargo"])
        .args(tests)
        .args(["--no-fail-fast", "--", "--color=never"])
        .env("RUST_BACKTRACE", "0")
        // A snapshot that differs is a failure, and nothing to be kept.
        .env("INSTA_UPDATE", "no")
        .env_remove("INSTA_FORCE_PASS")
        .output()
        .map_err(|error| Failed::environment(format!("timeout: {error}")))?;
    let output = String::from_utf8_lossy(&output.stdout);
    Ok(failed_tests(&output, killers.len()))
}

/// The names of the tests that `output` of so many programs says have failed, and `(end)` if it
/// does not come to an end: a test hung, or took the others with it.
fn failed_tests(output: &str, programs: usize) -> Vec<String> {
    let failed = output.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.split(" - ").next().unwrap_or(name).to_owned())
    });
    let mut failed: Vec<String> = failed.collect();
    let ended = output.lines().filter(|line| line.starts_with("test result: ")).count();
    if ended != programs {
        failed.push("(end)".to_owned());
    }
    failed.sort_unstable();
    failed
}

/// Tells what came of `mutant`, and returns whether all tests have failed that should.
fn tell(format: Format, set: TestedSet, mutant: &TestedMutant, failed: &[String]) -> bool {
    let missed: Vec<&String> =
        mutant.killed_by.iter().filter(|name| !failed.contains(name)).collect();
    if format == Format::Json {
        event(&json!({
            "v": 1, "event": format!("{}_mutant", set.name()), "name": mutant.name,
            "what": mutant.what, "source": mutant.source, set.broken(): mutant.breaks,
            "killers": mutant.killers, "killed": !failed.is_empty(), "failed": failed,
            "missed": missed,
        }));
        return missed.is_empty();
    }
    let by = mutant.killers.join(", ");
    let words = if failed.is_empty() {
        format!("SURVIVED {by}")
    } else if let Some(name) = missed.first() {
        format!("NOT BY {name}, but by {}", failed.join(", "))
    } else {
        let others = failed.iter().filter(|name| !mutant.killed_by.contains(name)).take(SHOWN);
        let shown: Vec<&str> = mutant.killed_by.iter().chain(others).map(String::as_str).collect();
        let rest = failed.len() - shown.len();
        let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
        let tests = counted(failed.len(), "test");
        format!("{tests} of {by}: {}{rest}", shown.join(", "))
    };
    say(format!("{:<40} {words}", mutant.name));
    missed.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_are_read_and_a_missing_end_is_one() {
        let output = "test a::b ... ok\ntest c - should panic ... FAILED\ntest a::d ... FAILED\n\
                      test result: FAILED. 1 passed; 2 failed\ntest e ... FAILED\n";
        assert_eq!(failed_tests(output, 2), ["(end)", "a::d", "c", "e"]);
        let whole = format!("{output}test result: FAILED. 0 passed; 1 failed\n");
        assert_eq!(failed_tests(&whole, 2), ["a::d", "c", "e"]);
    }

    #[test]
    fn a_mutant_is_killed_by_all_tests_that_it_names() {
        let mutant = TestedMutant {
            name: "m".to_owned(),
            file: "m.patch".into(),
            what: String::new(),
            source: None,
            breaks: String::new(),
            killers: vec!["disk".to_owned()],
            killed_by: vec!["a".to_owned(), "b".to_owned()],
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(tell(Format::Json, TestedSet::Disk, &mutant, &names(&["a", "b", "c"])));
        assert!(!tell(Format::Json, TestedSet::Disk, &mutant, &names(&["b", "c"])));
        assert!(!tell(Format::Json, TestedSet::Disk, &mutant, &[]));
    }
}
