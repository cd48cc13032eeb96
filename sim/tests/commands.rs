//! The command `sim` as scripts see it: exit codes, lines of JSON, and what is left after a kill.

#![expect(clippy::disallowed_methods, reason = "runs the program and reads what it left")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

fn sim(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sim"));
    command.args(arguments).stdin(Stdio::null()).env("COLUMNS", "100");
    command
}

fn run(arguments: &[&str]) -> Output {
    sim(arguments).output().expect("sim starts")
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

#[test]
fn what_cannot_be_done_is_told_with_exit_code_2() {
    for (arguments, expected) in [
        (vec!["run", "--scenario", "nope"], "no scenario is called `nope`"),
        (vec!["run", "--seeds", "5..5"], "holds no seed"),
        (vec!["run", "--seeds", "x"], "a seed is a number"),
        (vec!["run", "--policy", "fair"], "unknown policy `fair`"),
        (vec!["run", "--set", "workload.writers=65"], "within 1 to 64"),
        (vec!["run", "--set", "faults.nonsense=0.1"], "nonsense"),
        (vec!["replay", "steady_writers"], "SCENARIO@DIGEST:SEED"),
        (vec!["replay", "no/such/case.toml"], "no/such/case.toml"),
        (vec!["frobnicate"], "frobnicate"),
    ] {
        let output = run(&arguments);
        let told = words(&output.stderr);
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
    }
}

#[test]
fn an_unknown_field_is_refused_with_line_and_caret() {
    let file = folder("unknown_field").join("mine.toml");
    std::fs::write(&file, "about = \"x\"\n[workload]\nwritrs = 3\n").expect("a file");
    let file = file.to_str().expect("a name");
    for command in [vec!["run", "--scenario", file], vec!["scenario", "check", file]] {
        let output = run(&command);
        let told = words(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        for part in ["line 3", "writrs = 3", "^^^^^^", "unknown field `writrs`"] {
            assert!(told.contains(part), "{told}");
        }
    }
}

#[test]
fn results_are_lines_of_json_and_do_not_depend_on_jobs() {
    let last = |jobs: &str| {
        let output = run(&["run", "--seeds", "0..5", "--jobs", jobs, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", words(&output.stderr));
        let stdout = words(&output.stdout);
        let events: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(events.iter().all(|event| event["v"] == 1));
        assert_eq!(events[0]["event"], "run_started");
        events.into_iter().next_back().expect("a last line")
    };
    let (one, two) = (last("1"), last("2"));
    assert_eq!(one["event"], "run_finished");
    assert_eq!(one["seeds"], 5);
    for field in ["runs", "points", "virtual_micros", "crashes", "acks", "violations"] {
        assert!(one[field].is_u64(), "{field}");
        assert_eq!(one[field], two[field], "{field}");
    }
    assert_eq!(one["trace_hash"].as_str().map(str::len), Some(16));
    assert_eq!(one["trace_hash"], two["trace_hash"]);
    assert!(one["faults"]["sync_error"]["recovery"].is_u64());
    assert!(one["probes"]["torn_log"].is_u64());
}

#[test]
fn a_replay_is_the_same_run_and_says_when_it_is_not() {
    let output = run(&["replay", "process_kill:3"]);
    assert_eq!(output.status.code(), Some(0));
    let told = words(&output.stdout);
    let hash = told.trim_end().rsplit(' ').next().expect("a hash").to_owned();
    let expected = run(&["replay", "process_kill:3", "--expect-hash", &hash]);
    assert_eq!(expected.status.code(), Some(0));
    let other = run(&["replay", "process_kill:3", "--expect-hash", "0000000000000000"]);
    assert_eq!(other.status.code(), Some(5));
    let stale = run(&["replay", "process_kill@00000000:3"]);
    assert!(words(&stale.stderr).contains("the token names process_kill@00000000"));
    let trace = words(&run(&["replay", "process_kill:3", "--trace"]).stdout);
    for part in ["disk   create 000003.log", "engine recovered", "client write"] {
        assert!(trace.contains(part), "no `{part}` in the trace");
    }
}

#[test]
fn cases_are_added_listed_and_replayed() {
    let dir = folder("corpus");
    let dir = dir.to_str().expect("a name");
    let add = ["corpus", "add", "process_kill:3", "--name", "one", "--dir", dir];
    assert_eq!(run(&add).status.code(), Some(0));
    assert_eq!(run(&add).status.code(), Some(2), "a case is not overwritten");
    let list = words(&run(&["corpus", "list", "--dir", dir]).stdout);
    assert!(list.contains("process_kill:3"), "{list}");
    assert_eq!(run(&["corpus", "replay", "--dir", dir]).status.code(), Some(0));
    let file = Path::new(dir).join("one.toml");
    let case = std::fs::read_to_string(&file).expect("the case");
    std::fs::write(&file, case.replace("\"pass\"", "\"fail\"")).expect("the case");
    assert_eq!(run(&["corpus", "replay", "--dir", dir]).status.code(), Some(5));
    std::fs::remove_file(&file).expect("the case");
    assert_eq!(run(&["corpus", "replay", "--dir", dir]).status.code(), Some(4), "nothing ran");
}

#[test]
fn a_demand_that_no_run_meets_is_incomplete() {
    let file = folder("demand").join("demand.toml");
    let text = "about = \"Asks for what it cannot meet.\"\n[workload]\nwriters = 1\nbatches = 1\n\
                [expect]\nprobes = [\"resumed\"]\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a name");
    let output = run(&["run", "--scenario", file, "--seeds", "200"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(words(&output.stderr).contains("no run met resumed"));
}

#[test]
fn after_a_kill_the_seeds_in_flight_are_on_disk() {
    let out = folder("inflight");
    let mut child = sim(&["run", "--seeds", "100000000", "--jobs", "2", "--progress", "none"])
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sim starts");
    std::thread::sleep(Duration::from_millis(1500));
    child.kill().expect("it runs");
    child.wait().expect("it is gone");
    let notes: Vec<_> = std::fs::read_dir(out.join("inflight")).expect("notes").collect();
    assert_eq!(notes.len(), 2);
    for note in notes {
        let line = std::fs::read_to_string(note.expect("a note").path()).expect("a line");
        let token: faultline_sim::token::Token = line.trim_end().parse().expect("a token");
        assert_eq!(run(&["replay", &token.to_string()]).status.code(), Some(0), "{token}");
    }
}

#[test]
fn an_interrupt_ends_the_sweep_with_its_results() {
    let child = sim(&["run", "--seeds", "100000000", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sim starts");
    std::thread::sleep(Duration::from_millis(1500));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()));
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    let stdout = words(&output.stdout);
    let last: Value =
        serde_json::from_str(stdout.lines().next_back().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["complete"], false);
    assert!(last["runs"].as_u64() > Some(0));
}
