//! `--format json`: one object a line, the last of which is `run_finished`.

use faultline_sim::fault::FaultKind;
use serde_json::Value;

use crate::{ENDLESS, Folder, QUICK, Ran, version};

fn events(ran: &Ran) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let events: Vec<Value> = ran.out.lines().map(parse).collect();
    assert!(events.iter().all(|event| event["v"] == 1 && event["event"].is_string()));
    events
}

#[test]
fn a_sweep_is_told_in_json_and_is_the_same_with_one_job_and_two() {
    let folder = Folder::new("json");
    let sweep = |jobs| {
        let args =
            ["run", "--scenario", "crash_mid*,process_kill", "--seeds", "3..7", "--jobs", jobs];
        let ran =
            folder.sim(&[&args[..], &["--format", "json", "--check-determinism=100"]].concat());
        events(&ran.ended(0))
    };
    let (mut one, mut two) = (sweep("1"), sweep("2"));
    for events in [&one, &two] {
        assert_eq!(events.len(), 2);
        assert_eq!(events[0]["event"], "run_started");
        assert_eq!(events[0]["commit"], version().1);
        assert_eq!(events[0]["seeds"], "3..7");
        let tokens = events[0]["scenarios"].as_array().expect("a list");
        let names = tokens.iter().filter_map(|token| token.as_str()?.split('@').next());
        assert_eq!(names.collect::<Vec<_>>(), ["crash_mid_add_record", "process_kill"]);
    }
    let finished = one.last().expect("an event").clone();
    assert_eq!(finished["event"], "run_finished");
    assert_eq!((&finished["seeds"], &finished["runs"]), (&4.into(), &8.into()));
    assert_eq!((&finished["violations"], &finished["complete"]), (&0.into(), &true.into()));
    assert_eq!(finished["determinism_checked"], 8);
    for field in ["points", "virtual_micros", "crashes", "acks", "ops", "bytes"] {
        assert!(finished[field].as_u64().is_some_and(|count| count > 0), "{field}: {finished}");
    }
    let coverage = &finished["coverage"];
    for kinds in [&coverage["deaths"], &coverage["schedules"]] {
        let count = |field: &str| kinds[field].as_u64().expect("a count");
        assert!(count("distinct") <= count("seen"), "{coverage}");
        assert!(kinds["chance_of_another"].as_f64().is_some_and(|chance| chance <= 1.0));
    }
    assert!(coverage["deaths"]["seen"].as_u64() >= finished["crashes"].as_u64(), "{coverage}");
    assert!(finished["wall_millis"].is_u64() && finished["probes"].is_object());
    assert!(finished["resident_kib"].as_u64().is_some_and(|kib| kib > 100));
    let hash = finished["trace_hash"].as_str().expect("text");
    assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    for kinds in ["profiles", "policies"] {
        let runs = finished[kinds].as_object().expect("by name").values();
        let runs: u64 = runs.map(|runs| runs.as_u64().expect("a number")).sum();
        assert_eq!(finished["runs"], runs, "{kinds}: every run has one");
    }
    let faults = finished["faults"].as_object().expect("by kind");
    assert_eq!(faults.len(), FaultKind::ALL.len());
    for kind in FaultKind::ALL {
        for phase in ["run", "recovery", "close"] {
            assert_eq!(faults[kind.name()][phase], 0, "{} {phase}", kind.name());
        }
    }
    for events in [&mut one, &mut two] {
        events[1]["wall_millis"] = Value::Null;
        events[1]["resident_kib"] = Value::Null;
    }
    assert_eq!(one, two);
}

#[test]
fn faults_are_counted_by_kind_and_phase() {
    let folder = Folder::new("faults");
    let args = ["run", "--scenario", "io_errors", "--seeds", "300", "--format", "json"];
    let events = events(&folder.sim(&args).ended(0));
    let faults = &events.last().expect("an event")["faults"];
    let count = |phase| -> u64 {
        let kinds = faults.as_object().expect("by kind").values();
        kinds.filter_map(|kind| kind[phase].as_u64()).sum()
    };
    assert!(count("run") > 0 && count("recovery") > 0 && count("close") > 0, "{faults}");
}

#[test]
fn a_failed_seed_is_an_event_with_its_replay() {
    let folder = Folder::new("json-failed").with("endless.toml", ENDLESS);
    let args = ["run", "--scenario", "endless.toml", "--seeds", "9..10", "--jobs", "1"];
    let ran =
        folder.sim(&[&args[..], &["--format", "json", "--set", "workload.readers=12"]].concat());
    let events = events(&ran.ended(1));
    assert_eq!(events.len(), 3);
    let failed = &events[1];
    assert_eq!((&failed["event"], &failed["seed"]), (&"seed_failed".into(), &9.into()));
    assert_eq!(failed["checkers"], serde_json::json!(["liveness"]));
    assert_eq!(failed["promise"], "every call returns");
    let got = failed["got"].as_str().expect("text");
    assert!(got.starts_with("each went on in turn and nothing failed"), "{got}");
    // Five million, fair ones while readers are told on and on, and a million in which all is calm.
    assert_eq!(failed["point"], 8_999_964);
    let replay = failed["replay"].as_str().expect("a command");
    assert!(replay.ends_with(":9 --set 'workload.readers=12' --trace"), "{replay}");
    let finished = &events[2];
    assert_eq!((&finished["violations"], &finished["complete"]), (&1.into(), &true.into()));
}

#[test]
fn flags_may_stand_in_the_environment() {
    let folder = Folder::new("environment-flags").with("quick.toml", QUICK);
    let flags = ["run", "--scenario", "quick.toml", "--seeds", "4", "--jobs", "1"];
    let flags = [&flags[..], &["--policy", "sticky", "--set", "workload.writers=3"]].concat();
    let by_flags = folder.sim(&flags).ended(0);
    let mut command = folder.command(&[]);
    command.env("SIM_SCENARIO", "quick.toml").env("SIM_SEEDS", "4").env("SIM_JOBS", "1");
    command.env("SIM_POLICY", "sticky").env("SIM_SET", "workload.writers=3");
    let output = command.output().expect("runs");
    let out = String::from_utf8(output.stdout).expect("text");
    let hash = by_flags.line("trace hash ");
    assert!(out.contains(&format!("trace hash {hash}\n")), "{out}\n{}", by_flags.out);
    // And say something else than the default.
    let default = folder.sim(&["run", "--scenario", "quick.toml", "--seeds", "4"]).ended(0);
    assert_ne!(default.line("trace hash "), hash);
}

#[test]
fn an_exhaustion_ends_in_time_and_says_so() {
    let folder = Folder::new("budget");
    let all = ["exhaust", "tiny_two_syncs", "--seeds", "2..3", "--preemptions", "all"];
    let json = ["--time-budget", "2s", "--format", "json"];
    let ran = folder.sim(&[&all[..], &json].concat());
    let last = &events(&ran.ended(0))[0];
    assert_eq!((&last["event"], &last["ended_early"]), (&"exhaust_finished".into(), &true.into()));
    assert_eq!((&last["are_all_classes"], &last["counterexamples"]), (&false.into(), &0.into()));
    // How much of it is a recovery depends on how far it came.
    assert!(last["opens_without_record"].as_u64() > Some(0), "{last}");
    // A search that has the time for all of it is the same with a budget.
    let few = ["exhaust", "tiny_two_syncs", "--seeds", "1", "--images", "4"];
    let words = |flags: &[&str]| {
        let ran = folder.sim(&[&few[..], flags].concat()).ended(0);
        let lines = ran.out.lines().filter(|line| !line.contains("recoveries/s"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(&[]), words(&["--time-budget", "1h"]));
}

#[test]
fn an_exhaustion_tells_what_it_tried_in_words_and_in_json() {
    let folder = Folder::new("tried");
    let few = |scenario, seeds| ["exhaust", scenario, "--seeds", seeds, "--images", "2"];
    let json = |scenario, seeds| -> Value {
        let ran = folder.sim(&[&few(scenario, seeds)[..], &["--format", "json"]].concat());
        events(&ran.ended(0)).pop().expect("an event")
    };
    let count = |event: &Value, field: &str| {
        event[field].as_u64().unwrap_or_else(|| panic!("{field}: {event}"))
    };
    let [one, other, both] = ["0..1", "1..2", "0..2"].map(|seeds| json("tiny_two_syncs", seeds));
    for field in ["images", "seen_before", "recoveries", "opens_without_record"] {
        assert!(0 < count(&both, field), "{field}: {both}");
        assert_eq!(count(&one, field) + count(&other, field), count(&both, field), "{field}");
    }
    // Before a database is there, both seeds leave the same: that is not unique twice.
    let unique = [&one, &other, &both].map(|event| count(event, "unique_images"));
    assert!(
        unique[2] < unique[0] + unique[1] && unique[0].max(unique[1]) < unique[2],
        "{unique:?}"
    );
    let ran = folder.sim(&few("tiny_two_syncs", "0..2")).ended(0);
    let fields = |fields: [&str; 3]| fields.map(|field| count(&both, field));
    let [images, unique, seen] = fields(["images", "unique_images", "seen_before"]);
    let [recoveries, empty, nested] =
        fields(["recoveries", "opens_without_record", "nested_recoveries"]);
    assert_eq!((recoveries + empty + seen, nested), (images, 0));
    for line in [
        format!(
            "{images} images generated, {unique} of them unique; {seen} were as one judged before"
        ),
        format!("{recoveries} recoveries judged; {empty} opens of an image without a record"),
    ] {
        assert!(ran.out.lines().any(|said| said == line), "{line} is not in\n{}", ran.out);
    }
    assert!(!ran.out.contains("faults delivered"), "{}", ran.out);
    // The last rate is that of the recoveries alone.
    let timed = ran.out.lines().find(|line| line.ends_with(" recoveries/s")).expect("a rate");
    let words: Vec<f64> = timed.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [_, images_a_second, opens, recovered] = words[..] else { panic!("{timed}") };
    for (a_second, count) in [(recovered, recoveries), (opens, recoveries + empty)] {
        let ratio = images_a_second / a_second * count as f64 / images as f64;
        assert!((0.9..1.1).contains(&ratio), "{timed} for {count} of {images}");
    }

    let faults = &json("tiny_failed_sync", "0..2")["faults"];
    let faults = faults.as_object().expect("by kind");
    assert_eq!(faults.len(), FaultKind::ALL.len());
    let sum = |phases: &Value| -> u64 {
        let phases = phases.as_object().expect("by phase").values();
        phases.map(|count| count.as_u64().expect("a number")).sum()
    };
    let delivered: Vec<String> = FaultKind::ALL
        .iter()
        .map(|kind| (kind.name(), sum(&faults[kind.name()])))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    assert!(!delivered.is_empty(), "no sync has failed");
    let ran = folder.sim(&few("tiny_failed_sync", "0..2")).ended(0);
    assert_eq!(ran.line("faults delivered: "), delivered.join(", "));
}
