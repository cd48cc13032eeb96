//! Exit codes: the contract with scripts.

use crate::{ENDLESS, Folder, QUICK};

/// Two hundred runs are enough to miss a fault or a probe that is demanded.
const DEMANDING: &str = r#"
about = "Demands a fault that never strikes, and what only follows from one."

[workload]
writers = 1
batches = 1

[expect]
faults = ["sync_error"]
probes = ["resumed"]
"#;

fn case(expect: &str) -> String {
    format!(
        "format = 1\nnote = \"a case\"\nscenario = \"quick.toml\"\ndigest = \"00000000\"\n\
         seed = 4\npromise = \"every promise holds\"\nexpect = \"{expect}\"\n"
    )
}

#[test]
fn a_clean_sweep_is_0() {
    let folder = Folder::new("clean").with("quick.toml", QUICK);
    let ran = folder.sim(&["run", "--scenario", "quick.toml", "--seeds", "3"]).ended(0);
    assert!(ran.out.ends_with("\nno promise was broken\n"), "{}", ran.out);
    assert!(ran.out.starts_with("3 runs in "), "{}", ran.out);
    // Without --seeds, for as long as the budget lasts.
    let fresh = ["--scenario", "quick.toml", "--time-budget", "50ms"];
    folder.sim(&fresh).ended(0);
}

#[test]
fn a_broken_promise_is_1_and_its_report_says_how_to_see_it_again() {
    let folder = Folder::new("broken").with("endless.toml", ENDLESS);
    let args = ["run", "--scenario", "endless.toml", "--seeds", "5..6", "--policy", "random"];
    let ran = folder.sim(&[&args[..], &["--jobs", "1", "--out", "reports"]].concat()).ended(1);
    // The token carries the digest of the file as it is, and the flags stand beside it.
    let token = format!("endless.toml@{}:5", folder.digest("endless.toml"));
    assert_eq!(ran.out.lines().next(), Some(&*format!("FAIL liveness  {token}")));
    ran.line("  promise    every call returns");
    ran.line("  got        the limit of scheduling points was reached");
    assert_eq!(ran.out.lines().last(), Some("1 failure"));
    let report = std::fs::read_to_string(folder.0.join("reports/endless.toml-5.txt"));
    let report = report.expect("a report is left");
    assert!(ran.out.starts_with(report.trim_end()), "{report}");
    // The last line of a report is the command that gives it again.
    let command = report.trim_end().lines().last().expect("the command");
    let (_, again) = command.split_once(" --bin sim -- ").expect("a command line");
    let mut again: Vec<&str> = again.split(' ').collect();
    assert_eq!(again.pop(), Some("--trace"));
    assert_eq!(again[2..], ["--policy", "random"], "with every flag that is not the default");
    assert_eq!(folder.sim(&again).ended(1).out.trim_end(), report.trim_end());
}

#[test]
fn a_wrong_command_line_is_2() {
    let folder = Folder::new("usage").with("case.toml", &case("pass"));
    for args in [
        &["walk"][..],
        &["run", "--jobs", "many"],
        &["run", "--fail-fast", "--keep-going"],
        &["--seeds", "3", "replay", "steady_writers:1"],
        &["replay"],
        &["replay", "steady_writers:one"],
        &["scenario", "show", "nobody"],
        &["corpus", "replay", "--dir", "missing"],
        // The case is well; the scenario that it names is not there.
        &["replay", "case.toml"],
    ] {
        let ran = folder.sim(args).ended(2);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_sweep_that_missed_what_was_demanded_is_3() {
    let folder = Folder::new("incomplete").with("demanding.toml", DEMANDING);
    let sweep = |seeds| folder.sim(&["run", "--scenario", "demanding.toml", "--seeds", seeds]);
    let ran = sweep("200").ended(3);
    for name in ["sync_error", "resumed"] {
        let words = format!("incomplete: no run met {name}, which its scenario demands");
        assert!(ran.err.contains(&words), "{}", ran.err);
    }
    // Too few to say.
    sweep("199").ended(0);
}

#[test]
fn nothing_at_all_is_4() {
    let folder = Folder::new("nothing").with("cases/readme.md", "no case");
    folder.sim(&["corpus", "replay", "--dir", "cases"]).ended(4);
}

#[test]
fn a_replay_shows_what_happened() {
    let folder = Folder::new("trace");
    let plain = folder.sim(&["replay", "process_kill:2"]).ended(0);
    let trace = folder.sim(&["replay", "process_kill:2", "--trace"]).ended(0);
    let schedule = folder.sim(&["replay", "process_kill:2", "--trace", "--schedule"]).ended(0);
    for lane in ["client write", "disk   append 000003.log", "engine ", "FAULT  CRASH: "] {
        assert!(trace.out.contains(lane), "no `{lane}` in the trace:\n{}", trace.out);
    }
    assert!(trace.out.ends_with(&plain.out), "and the same verdict in the end");
    let all: Vec<&str> = schedule.out.lines().collect();
    let shown = all.iter().filter(|line| !line.contains(" sched  "));
    assert_eq!(shown.copied().collect::<Vec<_>>(), trace.out.lines().collect::<Vec<_>>());
    assert!(all.len() > trace.out.lines().count());
}

#[test]
fn a_replay_that_differs_is_5() {
    let folder = Folder::new("differs")
        .with("quick.toml", QUICK)
        .with("cases/fails.toml", &case("fail"))
        .with("good/passes.toml", &case("pass"));
    let ran = folder.sim(&["replay", "quick.toml:1"]).ended(0);
    let hash = ran.out.trim().rsplit(' ').next().expect("a hash").to_owned();
    assert_eq!(hash.len(), 16, "{hash}");
    folder.sim(&["replay", "quick.toml:1", "--expect-hash", &hash]).ended(0);
    let other = folder.sim(&["replay", "quick.toml:2", "--expect-hash", &hash]).ended(5);
    assert!(other.out.contains(&format!(", not {hash}")), "{}", other.out);
    folder.sim(&["replay", "cases/fails.toml"]).ended(5);
    let ran = folder.sim(&["corpus", "replay", "--dir", "cases"]).ended(5);
    assert!(ran.out.contains("fails.toml: expected to fail, and passes"), "{}", ran.out);
    let ran = folder.sim(&["corpus", "replay", "--dir", "good"]).ended(0);
    assert!(ran.err.contains("passes.toml: the scenario has changed since"), "{}", ran.err);
}

#[test]
fn a_folder_that_cannot_be_is_75() {
    let folder = Folder::new("environment").with("file", "");
    let ran = folder.sim(&["run", "--seeds", "1", "--out", "file/out"]).ended(75);
    assert!(ran.err.starts_with("error: file/out: "), "{}", ran.err);
}

#[test]
fn a_case_is_added_listed_and_replayed() {
    let folder = Folder::new("corpus").with("quick.toml", QUICK);
    let add = ["corpus", "add", "quick.toml:6", "--dir", "cases", "--name", "first"];
    let add = [&add[..], &["--note", "Something.", "--policy", "sticky"]].concat();
    let ran = folder.sim(&add).ended(0);
    assert_eq!(ran.out, "cases/first.toml: passes now, must pass from here on\n");
    let listed = folder.sim(&["corpus", "list", "--dir", "cases"]).ended(0).out;
    let words: Vec<&str> = listed.split_whitespace().collect();
    assert_eq!(words, ["first", "quick.toml:6", "Something."]);
    let ran = folder.sim(&["corpus", "replay", "--dir", "cases"]).ended(0);
    assert_eq!(ran.err, "cases/first.toml: as expected\ncorpus: 1 case replayed\n");
    let case = std::fs::read_to_string(folder.0.join("cases/first.toml")).expect("is there");
    let digest = folder.digest("quick.toml");
    assert!(case.contains(&format!("digest = \"{digest}\"")), "that of the text: {case}");
    // A name is given once.
    folder.sim(&add).ended(2);
}
