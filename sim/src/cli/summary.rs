//! How a sweep went, in words or as one JSON object, and the exit code that follows.

use core::fmt;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::args::Format;
use super::output::{event, remark, say};
use super::select::Selection;
use super::{Exit, Failed, faults, signal};
use crate::canary;
use crate::fault::FaultKind;
use crate::probe::Probe;
use crate::report::counted;
use crate::sweep::{Coverage, FailureKind, Kinds, Totals};

/// Fewer runs of a scenario than this need not meet all that it demands.
const RUNS_THAT_SAY_SOMETHING: u64 = 200;

/// Tells how it went. `wanted` is the number of runs that were asked for, if it was one, and
/// `found_in_run` the run that found the canary.
pub(super) fn finish(
    format: Format,
    selection: &Selection,
    totals: &Totals,
    wanted: Option<u64>,
    found_in_run: Option<u64>,
) -> Result<Exit, Failed> {
    let missing = missing(selection, totals);
    if format == Format::Json {
        event(&run_finished(selection, totals, &missing, found_in_run));
    } else {
        summary(totals, &missing, wanted);
    }
    for (scenario, name) in &missing {
        remark(format!("incomplete: no run of {scenario} met {name}, which it demands"));
    }
    if found_in_run.is_none() {
        remark(format!("this sweep proves nothing: its canary, {}, is not found", canary::WHAT));
    }
    match exit(
        totals,
        found_in_run.is_some(),
        !missing.is_empty(),
        wanted.is_none(),
        signal::received(),
    ) {
        Exit::Signal(signal) => {
            Err(Failed { exit: Exit::Signal(signal), words: format!("ended by signal {signal}") })
        }
        exit => Ok(exit),
    }
}

/// The worst that can be said.
fn exit(
    totals: &Totals,
    sees: bool,
    misses_some: bool,
    is_open_ended: bool,
    signal: Option<u8>,
) -> Exit {
    let has = |wanted: fn(&FailureKind) -> bool| totals.failures.iter().any(|f| wanted(&f.what));
    if !sees || has(|what| matches!(what, FailureKind::Harness(_))) {
        Exit::Internal
    } else if violations(totals) > 0 {
        Exit::Broken
    } else if has(|what| matches!(what, FailureKind::Nondeterminism { .. })) {
        Exit::Nondeterminism
    } else if let Some(signal) = signal {
        Exit::Signal(signal)
    } else if totals.runs == 0 {
        Exit::Nothing
    } else if misses_some || !(totals.complete || is_open_ended) {
        Exit::Incomplete
    } else {
        Exit::Clean
    }
}

fn violations(totals: &Totals) -> usize {
    let is_one =
        |what: &FailureKind| matches!(what, FailureKind::Violations(_) | FailureKind::Hang(_));
    totals.failures.iter().filter(|failure| is_one(&failure.what)).count()
}

/// Faults and probes that a scenario demands and that none of its runs met, each with the scenario.
/// Asked only of scenarios with runs enough to say.
fn missing(selection: &Selection, totals: &Totals) -> Vec<(String, String)> {
    let mut missing = Vec::new();
    for (index, scenario) in selection.scenarios.iter().enumerate() {
        let Some(coverage) = totals.by_scenario.get(&index) else { continue };
        if coverage.runs < RUNS_THAT_SAY_SOMETHING {
            continue;
        }
        let expect = &scenario.spec.expect;
        let unmet = expect.faults.iter().chain(&expect.probes).filter(|name| !met(coverage, name));
        missing.extend(unmet.map(|name| (scenario.name.clone(), name.clone())));
    }
    missing
}

fn met(coverage: &Coverage, name: &str) -> bool {
    let is_met_fault = |kind: &FaultKind| kind.name() == name && coverage.faults.of(*kind) > 0;
    let is_met_probe = |probe: &Probe| probe.name() == name && coverage.probes.of(*probe) > 0;
    FaultKind::ALL.iter().any(is_met_fault) || Probe::ALL.iter().any(is_met_probe)
}

fn run_finished(
    selection: &Selection,
    totals: &Totals,
    missing: &[(String, String)],
    canary: Option<u64>,
) -> Value {
    let probes: Map<String, Value> = Probe::ALL
        .iter()
        .map(|&probe| (probe.name().to_owned(), totals.probes.of(probe).into()))
        .collect();
    let missing: Vec<Value> = missing
        .iter()
        .map(|(scenario, name)| json!({ "scenario": scenario, "demanded": name }))
        .collect();
    json!({
        "v": 1, "event": "run_finished",
        "seeds": totals.runs / (selection.scenarios.len() as u64).max(1),
        "runs": totals.runs,
        "points": totals.points,
        "virtual_micros": totals.virtual_micros,
        "crashes": totals.crashes,
        "acks": totals.acks,
        "ops": totals.ops,
        "bytes": totals.bytes,
        "violations": violations(totals),
        "excused": totals.excused,
        "determinism_checked": totals.determinism_checked,
        "profiles": totals.profiles,
        "policies": named(&totals.policies).collect::<BTreeMap<_, _>>(),
        "faults": faults::by_kind(&totals.faults),
        "probes": probes,
        "coverage": {
            "deaths": kinds_object(&totals.situations),
            "schedules": kinds_object(&totals.classes),
        },
        "missing": missing,
        "canary_found_in_run": canary,
        "complete": totals.complete,
        "stopped_at_failure": totals.stopped_at_failure,
        "trace_hash": format!("{:016x}", totals.trace_hash),
        "wall_millis": totals.elapsed.as_millis() as u64,
        "resident_kib": totals.resident_when_done.map(|bytes| bytes / 1024),
    })
}

fn named<N: fmt::Display>(counts: &BTreeMap<N, u64>) -> impl Iterator<Item = (String, u64)> {
    counts.iter().map(|(name, count)| (name.to_string(), *count))
}

/// How many runs there were of each kind.
fn runs_by<N: fmt::Display>(kind: &str, counts: &BTreeMap<N, u64>) {
    let counts: Vec<String> = named(counts).map(|(name, runs)| format!("{name} {runs}")).collect();
    if !counts.is_empty() {
        say(format!("runs by {kind}: {}", counts.join(", ")));
    }
}

/// How much the sweep has met of what can happen: a line for each thing of which it met any.
fn coverage(totals: &Totals) -> Vec<String> {
    let line = |kinds: &Kinds, [one, more]: [&str; 2], of_what: &str| {
        let chance = kinds.chance_of_another() * 100.0;
        let (distinct, seen) = (kinds.distinct(), kinds.seen());
        let what = if distinct == 1 { one } else { more };
        let line =
            format!("{distinct} {what} in {seen}{of_what}, the next is new at {chance:.2} %");
        (seen > 0).then_some(line)
    };
    let deaths = line(&totals.situations, ["kind of death", "kinds of death"], "");
    let schedules = line(&totals.classes, ["class", "classes"], " schedules looked at");
    deaths.into_iter().chain(schedules).collect()
}

fn kinds_object(kinds: &Kinds) -> Value {
    json!({
        "seen": kinds.seen(), "distinct": kinds.distinct(),
        "chance_of_another": kinds.chance_of_another(),
    })
}

fn summary(totals: &Totals, missing: &[(String, String)], wanted: Option<u64>) {
    let seconds = totals.elapsed.as_secs_f64().max(1e-9);
    let per_run = |n: u64| n as f64 / totals.runs.max(1) as f64;
    say(format!(
        "{} runs in {seconds:.1} s ({:.0} runs/s, {:.1} M points/s), {:.1} virtual seconds",
        totals.runs,
        totals.runs as f64 / seconds,
        totals.points as f64 / seconds / 1e6,
        totals.virtual_micros as f64 / 1e6
    ));
    say(format!(
        "{}, {} acknowledged writes ({:.0} a run, {:.0} operations, {:.1} KiB)",
        counted(totals.crashes as usize, "crash"),
        totals.acks,
        per_run(totals.acks),
        per_run(totals.ops),
        per_run(totals.bytes) / 1024.0
    ));
    runs_by("profile", &totals.profiles);
    runs_by("policy", &totals.policies);
    if let Some(words) = faults::delivered(&totals.faults) {
        say(words);
    }
    let is_missed = |name: &str| missing.iter().any(|(_, missed)| missed == name);
    let hits: Vec<String> = Probe::ALL
        .iter()
        .map(|&probe| (probe.name(), totals.probes.of(probe)))
        .filter(|(name, runs)| *runs > 0 || is_missed(name))
        .map(
            |(name, runs)| {
                if runs == 0 { format!("{name} MISSED") } else { format!("{name} {runs}") }
            },
        )
        .collect();
    if !hits.is_empty() {
        say(format!("runs by probe: {}", hits.join(", ")));
    }
    for line in coverage(totals) {
        say(line);
    }
    if totals.excused > 0 {
        let runs = counted(totals.excused as usize, "run");
        say(format!("in {runs} the disk took or damaged synced bytes: no open had to show those"));
    }
    if totals.determinism_checked > 0 {
        say(format!("{} runs were run twice and compared", totals.determinism_checked));
    }
    say(format!("trace hash {:016x}", totals.trace_hash));
    say(match (totals.failures.len(), wanted) {
        (0, _) => "no promise was broken".to_owned(),
        (failures, Some(wanted)) if totals.stopped_at_failure && totals.runs < wanted => format!(
            "{}, and stopped there: {} runs are left, --keep-going does them",
            counted(failures, "failure"),
            wanted - totals.runs
        ),
        (failures, _) => counted(failures, "failure"),
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::sweep::Failure;

    #[test]
    fn of_what_was_never_met_nothing_is_told() {
        assert_eq!(coverage(&Totals::default()), [""; 0]);
        let mut totals = Totals::default();
        totals.situations.add(7);
        assert_eq!(coverage(&totals), ["1 kind of death in 1, the next is new at 100.00 %"]);
    }

    #[test]
    fn the_worst_decides_the_exit_code() {
        let harness = FailureKind::Harness("it panicked".to_owned());
        let differs = FailureKind::Nondeterminism { first: 1, second: 2 };
        let violations = FailureKind::Violations(Vec::new());
        let totals = |failures: &[&FailureKind]| {
            let failure =
                |what: &&FailureKind| Failure { scenario: 0, seed: 1, what: (*what).clone() };
            let failures = failures.iter().map(failure).collect();
            Totals { runs: 7, complete: true, failures, ..Totals::default() }
        };
        for (failures, code) in [
            (&[&violations, &harness, &differs][..], 70),
            (&[&differs, &violations], 1),
            (&[&FailureKind::Hang(Duration::from_secs(1))], 1),
            (&[&differs], 5),
            (&[], 0),
        ] {
            let exit = exit(&totals(failures), true, false, false, None);
            assert_eq!(exit.code(), code, "{failures:?}");
        }
        let clean = totals(&[]);
        assert_eq!(exit(&clean, false, false, false, None).code(), 70);
        assert_eq!(exit(&totals(&[&violations]), false, false, false, None).code(), 70);
        assert_eq!(exit(&clean, true, true, false, None).code(), 3);
        assert_eq!(exit(&clean, true, true, false, Some(2)).code(), 130);
        assert_eq!(
            exit(&Totals { complete: false, ..clean.clone() }, true, false, false, None).code(),
            3
        );
        assert_eq!(
            exit(&Totals { complete: false, ..clean.clone() }, true, false, true, None).code(),
            0
        );
        assert_eq!(exit(&Totals { runs: 0, ..clean }, true, false, true, None).code(), 4);
    }
}
