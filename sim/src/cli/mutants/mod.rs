//! `sim mutants`: plants historic bugs one by one and measures how often they are found.
//!
//! Each patch is applied to a scratch copy of the repository, which is built and swept by its own
//! `sim`. The engine itself carries no switch.

#![expect(
    clippy::disallowed_methods,
    reason = "works on files of the repository, in a scratch copy"
)]

mod check;
mod matrix;
mod needs;
mod page;
mod quiet;
mod row;
mod scratch;
mod tested;
mod tiny;

use serde_json::json;

use super::args::{Format, MutantsArgs};
use super::output::{event, remark, say};
use super::run::cores;
use super::{Exit, Failed};
use crate::disk::Profile;
use crate::mutant::{Mutant, TestedSet};
use quiet::Quiet;
use row::{Record, Row};
use scratch::Scratch;

const CHECK: [&str; 4] = ["check", "--quiet", "--package", "faultline-engine"];

/// Chance at which some mutant of those on record is called weaker though none is.
const FALSE_ALARM: f64 = 0.001;

pub(super) fn mutants(args: &MutantsArgs) -> Result<Exit, Failed> {
    if let Some(set) = args.tested_set() {
        return tested::mutants(set, args);
    }
    let file = args.dir.join("record.jsonl");
    let mut record = Record::load(&file).map_err(Failed::usage)?;
    let mutants = chosen(args, &record)?;
    if mutants.is_empty() {
        return Ok(Exit::Nothing);
    }
    if args.recorded {
        say(page::page(&mutants, &record).trim_end());
        return Ok(Exit::Clean);
    }
    let scratch = Scratch::prepare()?;
    scratch.try_all(mutants.iter().map(|mutant| &mutant.file))?;
    if args.matrix {
        return matrix::matrix(&scratch, &mutants, args);
    }
    if args.exhaust {
        return tiny::exhaust(&scratch, &mutants, args);
    }
    if args.needs {
        return needs::needs(&scratch, &mutants, &record, args);
    }
    if args.check {
        let patches = mutants.iter().map(|mutant| (mutant.name.as_str(), mutant.file.as_path()));
        return check::check(&scratch, patches.collect(), &CHECK);
    }
    if args.format == Format::Human {
        say(line(
            "mutant",
            "hits/runs",
            "95 % of the rate",
            ["run", "core s", "point"],
            "found by",
        ));
    }
    let (mut found, mut weaker) = (0, 0);
    for mutant in &mutants {
        scratch.plant(&mutant.file)?;
        remark(format!("  building {}", mutant.name));
        let row = scratch.build().and_then(|()| {
            let as_asked = Sweep::of(mutant, args);
            let mut row = sweep(&scratch, mutant, &as_asked)?;
            if args.record {
                row.quiet = Some(sweep_quietly(&scratch, mutant, as_asked)?);
            }
            Ok(row)
        });
        scratch.remove(&mutant.file)?;
        let row = row?;
        // Another experiment is not held against the record.
        let recorded = record.get(&mutant.name).filter(|_| is_as_recorded(args));
        let weaker_by = recorded.map(|recorded| (recorded, row.p_of_so_few(recorded)));
        let weaker_by = weaker_by.filter(|(_, p)| *p < FALSE_ALARM / record.len() as f64);
        found += usize::from(row.is_found());
        weaker += usize::from(weaker_by.is_some());
        tell(args.format, mutant, &row, weaker_by);
        if args.record {
            record.set(row, &file).map_err(Failed::environment)?;
        }
    }
    if args.format == Format::Json {
        event(&json!({
            "v": 1, "event": "mutants_finished", "mutants": mutants.len(), "found": found,
            "weaker": weaker,
        }));
    } else {
        say(format!("{found} of {} found by a checker that should find them", mutants.len()));
    }
    Ok(if found == mutants.len() && weaker == 0 { Exit::Clean } else { Exit::Broken })
}

/// Whether the runs are those of the record: the scenario's own, from the header.
fn is_as_recorded(args: &MutantsArgs) -> bool {
    args.policy.is_none() && args.profile.is_none() && args.set.is_empty()
}

fn chosen(args: &MutantsArgs, record: &Record) -> Result<Vec<Mutant>, Failed> {
    let all = Mutant::all(&args.dir).map_err(Failed::usage)?;
    let mut named = named(all, args, |mutant| &mutant.name)?;
    named.retain(|mutant| !(args.unrecorded && record.get(&mutant.name).is_some()));
    Ok(named)
}

/// Those of `all` that `args` names: all if it names none.
fn named<M>(
    mut all: Vec<M>,
    args: &MutantsArgs,
    name_of: impl Fn(&M) -> &String,
) -> Result<Vec<M>, Failed> {
    for name in &args.names {
        if !all.iter().any(|mutant| name_of(mutant) == name) {
            let names: Vec<&str> = all.iter().map(|mutant| name_of(mutant).as_str()).collect();
            return Err(unknown(name, &names, args));
        }
    }
    all.retain(|mutant| args.names.is_empty() || args.names.contains(name_of(mutant)));
    Ok(all)
}

/// There is no mutant of this name among those of `names`; maybe there is in another set.
fn unknown(name: &str, names: &[&str], args: &MutantsArgs) -> Failed {
    let flag =
        |set: Option<TestedSet>| set.map_or(String::new(), |set| format!(" --{}", set.name()));
    let asked = args.tested_set();
    let others = [None].into_iter().chain(TestedSet::EACH.map(Some)).filter(|set| *set != asked);
    let has_it = |set: &Option<TestedSet>| {
        let folder = set.map_or(args.dir.clone(), |set| args.dir.join(set.name()));
        folder.join(format!("{name}.patch")).is_file()
    };
    let likeness = |other: &str| strsim::jaro_winkler(name, other);
    let near = names.iter().filter(|other| likeness(other) > 0.7);
    let hint = if let Some(set) = others.into_iter().find(has_it) {
        format!("; say `sim mutants{} {name}`", flag(set))
    } else if let Some(nearest) = near.max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        format!("; did you mean `{nearest}`?")
    } else {
        String::new()
    };
    Failed::usage(format!("`sim mutants{}` has no `{name}`{hint}", flag(asked)))
}

/// How a mutant that is planted and built is swept.
struct Sweep {
    seeds: u64,
    jobs: usize,
    /// Further flags of `sim run`.
    flags: Vec<String>,
}

impl Sweep {
    /// As its header and the flags of this command say.
    fn of(mutant: &Mutant, args: &MutantsArgs) -> Self {
        let policy = args.policy.iter().map(|policy| format!("--policy={policy}"));
        let set = args.set.iter().map(|set| format!("--set={set}"));
        let profile = args.profile.iter().map(|profile| on_profile(profile));
        Sweep {
            seeds: args.runs.unwrap_or(mutant.runs),
            jobs: args.jobs.unwrap_or_else(cores),
            flags: policy.chain(set).chain(profile).collect(),
        }
    }

    /// What the simulator with `mutant` planted prints.
    fn events(&self, scratch: &Scratch, mutant: &Mutant) -> Result<String, Failed> {
        let mut flags = vec![
            "run".to_owned(),
            "--keep-going".to_owned(),
            "--progress=none".to_owned(),
            format!("--seeds={}", self.seeds),
            format!("--jobs={}", self.jobs),
        ];
        flags.extend(mutant.scenario_flags());
        flags.extend(self.flags.iter().cloned());
        scratch.events(&mutant.name, &flags, "run_finished")
    }
}

/// The flag of `sim run` for this profile of the disk alone.
fn on_profile(profile: &Profile) -> String {
    format!("--set=disk.profiles=[\"{}\"]", profile.name)
}

fn sweep(scratch: &Scratch, mutant: &Mutant, sweep: &Sweep) -> Result<Row, Failed> {
    let events = sweep.events(scratch, mutant)?;
    Row::read(mutant, sweep.seeds, sweep.jobs, &events).ok_or_else(|| Failed {
        exit: Exit::Internal,
        words: format!("{}: its sweep printed what is no event of a sweep", mutant.name),
    })
}

/// Sweeps some of the same seeds without faults and without crashes.
fn sweep_quietly(scratch: &Scratch, mutant: &Mutant, sweep: Sweep) -> Result<Quiet, Failed> {
    let Sweep { seeds, jobs, mut flags } = sweep;
    flags.extend(quiet::settings().map(|set| format!("--set={set}")));
    let quiet = Sweep { seeds: seeds.min(quiet::RUNS_MAX), jobs, flags };
    Ok(Quiet::of(&self::sweep(scratch, mutant, &quiet)?))
}

fn tell(format: Format, mutant: &Mutant, row: &Row, weaker_by: Option<(&Row, f64)>) {
    let (low, high) = row.interval();
    if format == Format::Json {
        let mut object = json!(row);
        object["v"] = 1.into();
        object["event"] = "mutant".into();
        object["expected"] = json!(mutant.checkers);
        object["found"] = row.is_found().into();
        object["interval"] = json!([low, high]);
        object["median_seconds"] = json!(row.median_seconds());
        object["p_of_so_few"] = json!(weaker_by.map(|(_, p)| p));
        event(&object);
        return;
    }
    let verdict = verdict(mutant, row, weaker_by);
    let or_dash = |shown: Option<String>| shown.unwrap_or_else(|| "-".to_owned());
    let medians = [
        or_dash(row.median_runs.map(|runs| runs.to_string())),
        or_dash(row.median_seconds().map(|seconds| format!("{seconds:.2}"))),
        or_dash(row.median_points.map(|points| points.to_string())),
    ];
    let hits = format!("{}/{}", row.hits, row.runs);
    let interval = format!("{:.2} to {:.2} %", low * 100.0, high * 100.0);
    say(line(&mutant.name, &hits, &interval, medians.each_ref().map(String::as_str), &verdict));
}

/// What found it; and in front of that, what is wrong about that.
fn verdict(mutant: &Mutant, row: &Row, weaker_by: Option<(&Row, f64)>) -> String {
    let (by, should) = (row.found_by(), mutant.checkers.join(" or "));
    if row.hits + row.others == 0 {
        return format!("NOT FOUND: {should} should");
    }
    if !row.is_by_the_right_checker() {
        let failed = row.hits + row.others;
        return format!("WRONG CHECKER in {} of {failed}: {by}; {should} should", row.others);
    }
    match weaker_by {
        Some((Row { hits, runs, commit, .. }, p)) => {
            format!("WEAKER: {hits}/{runs} at {commit}, chance {p:.0e}; {by}")
        }
        None => by,
    }
}

/// A line of the table.
fn line(name: &str, hits: &str, interval: &str, medians: [&str; 3], found_by: &str) -> String {
    let [runs, seconds, points] = medians;
    format!("{name:<40} {hits:>11} {interval:>18} {runs:>5} {seconds:>6} {points:>5}  {found_by}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn whom_most_runs_name_has_to_be_in_the_header() {
        let text = "what: w\nsource: s\npromise: 2\nchecker: durability\n\
                    scenario: disk_full\nruns: 9\n\n--- a/x\n";
        let mutant = Mutant::parse("m".into(), Path::new("m.patch"), text).expect("a header");
        let row = |hits: usize, others: usize| {
            let failed = |checker: &str| {
                format!("{{\"event\":\"seed_failed\",\"seed\":1,\"checkers\":[\"{checker}\"]}}\n")
            };
            let (hits, others) =
                (failed("durability").repeat(hits), failed("reads").repeat(others));
            let end = "{\"event\":\"run_finished\",\"runs\":9,\"wall_millis\":1}";
            Row::read(&mutant, 9, 1, &format!("{hits}{others}{end}")).expect("whole")
        };
        let says = |hits, others| verdict(&mutant, &row(hits, others), None);
        assert_eq!(says(0, 0), "NOT FOUND: durability should");
        assert_eq!(says(2, 2), "durability 2, reads 2");
        assert_eq!(says(1, 2), "WRONG CHECKER in 2 of 3: durability 1, reads 2; durability should");
        assert_eq!(says(0, 1), "WRONG CHECKER in 1 of 1: reads 1; durability should");
        assert_eq!(
            [row(0, 0), row(2, 2), row(1, 2)].map(|row| row.is_found()),
            [false, true, false]
        );
        let weaker = verdict(&mutant, &row(1, 0), Some((&row(4, 0), 1e-4)));
        assert!(weaker.starts_with("WEAKER: 4/9 at "), "{weaker}");
    }

    #[test]
    fn the_record_is_of_mutants_that_are_there_and_were_found() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/mutants/record.jsonl");
        let record = Record::load(&file).expect("reads");
        let all = Mutant::all(file.parent().expect("a folder")).expect("reads");
        let recorded: Vec<&Row> = all.iter().filter_map(|m| record.get(&m.name)).collect();
        assert_eq!(recorded.len(), record.len(), "a mutant was renamed or removed");
        for row in recorded {
            assert!(row.is_found(), "{}", row.name);
        }
    }
}
