//! `sim mutants --disk`: which tests of the simulated disk find which mistakes planted in it.
//!
//! The model of the disk is what every sweep believes. A rule of it that no test would miss is not
//! a rule; so each has a mutant, and each mutant names tests that must fail.

use serde_json::json;

use super::super::args::{Format, MutantsArgs};
use super::super::output::{event, remark, say};
use super::super::{Exit, Failed};
use super::check::check;
use super::named;
use super::scratch::Scratch;
use crate::mutant::DiskMutant;
use crate::report::counted;

/// What cargo is told to build and run. As the gate's tests are: of one package, features would
/// unite anew.
const TESTS: [&str; 6] = ["test", "--workspace", "--test", "disk", "--test", "faults"];
const CHECK: [&str; 4] = ["check", "--quiet", "--package", "faultline-sim"];
/// How many programs [`TESTS`] makes.
const PROGRAMS: usize = 2;
/// Seconds after which the tests hang. They take five.
const TIMEOUT: &str = "120";
/// Failed tests that a line names, of those that the header does not.
const SHOWN: usize = 2;

pub(super) fn mutants(args: &MutantsArgs) -> Result<Exit, Failed> {
    let all = DiskMutant::all(&args.dir.join("disk")).map_err(Failed::usage)?;
    let mutants = named(all, &args.names, |mutant| &mutant.name)?;
    if mutants.is_empty() {
        return Ok(Exit::Nothing);
    }
    let scratch = Scratch::prepare()?;
    scratch.try_all(mutants.iter().map(|mutant| &mutant.file))?;
    if args.check {
        let patches = mutants.iter().map(|mutant| (mutant.name.as_str(), mutant.file.as_path()));
        return check(&scratch, patches.collect(), &CHECK);
    }
    remark("  building what has no mistake");
    let failed = run_tests(&scratch)?;
    if !failed.is_empty() {
        let words = format!("these fail with nothing planted: {}", failed.join(", "));
        return Err(Failed { exit: Exit::Broken, words });
    }
    let mut killed = 0;
    for mutant in &mutants {
        scratch.plant(&mutant.file)?;
        let failed = run_tests(&scratch);
        scratch.remove(&mutant.file)?;
        killed += usize::from(tell(args.format, mutant, &failed?));
    }
    if args.format == Format::Json {
        event(&json!({
            "v": 1, "event": "disk_mutants_finished", "mutants": mutants.len(),
            "killed": killed,
        }));
    } else {
        say(format!("{killed} of {} killed by the tests that should", mutants.len()));
    }
    Ok(if killed == mutants.len() { Exit::Clean } else { Exit::Broken })
}

/// Builds and runs the tests with what is planted; those that failed.
fn run_tests(scratch: &Scratch) -> Result<Vec<String>, Failed> {
    scratch.cargo(&[&TESTS[..], &["--quiet", "--no-run"]].concat())?;
    let output = scratch
        .command("timeout")
        .args(["--kill-after=5", TIMEOUT, "cargo"])
        .args(TESTS)
        .args(["--no-fail-fast", "--", "--color=never"])
        .env("RUST_BACKTRACE", "0")
        // A snapshot that differs is a failure, and nothing to be kept.
        .env("INSTA_UPDATE", "no")
        .env_remove("INSTA_FORCE_PASS")
        .output()
        .map_err(|error| Failed::environment(format!("timeout: {error}")))?;
    let output = String::from_utf8_lossy(&output.stdout);
    Ok(failed_tests(&output))
}

/// The names of the tests that `output` says have failed, and `(end)` if it does not come to an
/// end: a test hung, or took the others with it.
fn failed_tests(output: &str) -> Vec<String> {
    let failed = output.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.split(" - ").next().unwrap_or(name).to_owned())
    });
    let mut failed: Vec<String> = failed.collect();
    let ended = output.lines().filter(|line| line.starts_with("test result: ")).count();
    if ended != PROGRAMS {
        failed.push("(end)".to_owned());
    }
    failed.sort_unstable();
    failed
}

/// Tells what came of `mutant`, and returns whether all tests have failed that should.
fn tell(format: Format, mutant: &DiskMutant, failed: &[String]) -> bool {
    let missed: Vec<&String> =
        mutant.killed_by.iter().filter(|name| !failed.contains(name)).collect();
    if format == Format::Json {
        event(&json!({
            "v": 1, "event": "disk_mutant", "name": mutant.name, "what": mutant.what,
            "rule": mutant.rule, "killed": !failed.is_empty(), "failed": failed, "missed": missed,
        }));
        return missed.is_empty();
    }
    let words = if failed.is_empty() {
        "SURVIVED".to_owned()
    } else if let Some(name) = missed.first() {
        format!("NOT BY {name}, but by {}", failed.join(", "))
    } else {
        let others = failed.iter().filter(|name| !mutant.killed_by.contains(name)).take(SHOWN);
        let shown: Vec<&str> = mutant.killed_by.iter().chain(others).map(String::as_str).collect();
        let rest = failed.len() - shown.len();
        let rest = if rest == 0 { String::new() } else { format!(" and {rest} more") };
        format!("{}: {}{rest}", counted(failed.len(), "test"), shown.join(", "))
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
        assert_eq!(failed_tests(output), ["(end)", "a::d", "c", "e"]);
        let whole = format!("{output}test result: FAILED. 0 passed; 1 failed\n");
        assert_eq!(failed_tests(&whole), ["a::d", "c", "e"]);
    }

    #[test]
    fn a_mutant_is_killed_by_all_tests_that_it_names() {
        let mutant = DiskMutant {
            name: "m".to_owned(),
            file: "m.patch".into(),
            what: String::new(),
            rule: String::new(),
            killed_by: vec!["a".to_owned(), "b".to_owned()],
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert!(tell(Format::Json, &mutant, &names(&["a", "b", "c"])));
        assert!(!tell(Format::Json, &mutant, &names(&["b", "c"])));
        assert!(!tell(Format::Json, &mutant, &[]));
    }
}
