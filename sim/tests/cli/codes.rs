//! Exit codes: the contract with scripts.

use crate::{ENDLESS, Folder, LYING, QUICK};

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
    ran.line(
        "  got        each went on in turn and nothing failed, and still there: main#1 waits: ",
    );
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
        let words = format!("incomplete: no run of demanding.toml met {name}, which it demands");
        assert!(ran.err.contains(&words), "{}", ran.err);
    }
    // Too few to say.
    sweep("199").ended(0);
}

/// What another scenario of the sweep met does not count.
#[test]
fn every_scenario_has_to_meet_what_it_demands() {
    let fails = "[faults]\nsync_error = 0.2\n";
    let resumes = DEMANDING.replace("batches = 1", "batches = 9\nsync = 1.0\nresume = 1.0");
    let folder = Folder::new("demands")
        .with("demanding.toml", DEMANDING)
        .with("failing.toml", &format!("{resumes}{fails}"));
    let sweep = |names| folder.sim(&["run", "--scenario", names, "--seeds", "200"]);
    sweep("failing.toml").ended(0);
    let ran = sweep("failing.toml,demanding.toml").ended(3);
    assert_eq!(ran.err.matches("incomplete: ").count(), 2, "{}", ran.err);
    assert!(ran.err.contains("no run of demanding.toml met sync_error"), "{}", ran.err);
    let json = ["run", "--scenario", "demanding.toml", "--seeds", "200", "--format", "json"];
    let ran = folder.sim(&json).ended(3);
    let missing = r#""missing":[{"demanded":"sync_error","scenario":"demanding.toml"},"#;
    assert!(ran.out.contains(missing), "{}", ran.out);
}

#[test]
fn a_probe_is_missed_only_where_it_is_demanded() {
    let folder = Folder::new("missed").with("quick.toml", QUICK).with("demanding.toml", DEMANDING);
    let probes = |name, seeds, code| {
        let ran = folder.sim(&["run", "--scenario", name, "--seeds", seeds]).ended(code);
        ran.out.lines().find_map(|l| l.strip_prefix("runs by probe: ").map(str::to_owned))
    };
    assert_eq!(probes("quick.toml", "200", 0), None);
    assert_eq!(probes("demanding.toml", "200", 3).as_deref(), Some("resumed MISSED"));
    // Too few to say.
    assert_eq!(probes("demanding.toml", "2", 0), None);
}

/// The seeds that a sweep told as failed, in its order.
fn failed(out: &str) -> Vec<&str> {
    let lines = out.lines().filter(|line| line.starts_with("FAIL "));
    lines.filter_map(|line| line.rsplit(':').next()).collect()
}

/// Which failures are told does not depend on which worker was first.
#[test]
fn a_sweep_stops_at_the_failures_asked_for_and_says_so() {
    let folder = Folder::new("fail-fast").with("lying.toml", LYING);
    let sweep = |jobs, stop: &str| {
        let args = ["run", "--scenario", "lying.toml", "--seeds", "40", "--jobs", jobs, stop];
        folder.sim(&args).ended(1).out
    };
    let all = sweep("3", "--keep-going");
    let seeds = failed(&all);
    assert!(seeds.len() > 5, "{all}");
    assert_eq!(all.lines().last(), Some(&*format!("{} failures", seeds.len())));
    let runs = seeds[1].parse::<u64>().expect("a seed") + 1;
    let outs = ["1", "3"].map(|jobs| sweep(jobs, "--fail-fast=2"));
    for out in &outs {
        assert_eq!(failed(out), seeds[..2]);
        assert!(out.contains(&format!("\n{runs} runs in ")), "what lies behind counts: {out}");
        let left = 40 - runs;
        let last =
            format!("2 failures, and stopped there: {left} runs are left, --keep-going does them");
        assert_eq!(out.lines().last(), Some(&*last));
    }
    let hash = |out: &str| out.lines().rfind(|l| l.starts_with("trace hash")).map(str::to_owned);
    assert_eq!(hash(&outs[0]), hash(&outs[1]));
}

#[test]
fn a_failure_leaves_its_schedule_and_a_replay_follows_it() {
    let folder = Folder::new("schedule").with("lying.toml", LYING);
    let args = ["run", "--scenario", "lying.toml", "--seeds", "40", "--out", "left"];
    let flags = ["--policy", "sticky", "--set", "workload.writers=2"];
    let ran = folder.sim(&[&args[..], &flags].concat()).ended(1);
    let name = format!("left/lying.toml-{}.schedule", failed(&ran.out)[0]);
    let file = folder.0.join(&name);
    let again = folder.sim(&["replay", &name]).ended(1);
    assert!(again.err.contains(" decisions, followed to the same trace"), "{}", again.err);
    assert_eq!(again.out.lines().next(), ran.out.lines().next());
    // Where it cannot be followed, the run goes its own way and says how far.
    let text = std::fs::read_to_string(&file).expect("is there");
    let (head, decisions) = text.split_once("\"\"\"\n").expect("a text of many lines");
    let cut: Vec<&str> = decisions.lines().take(10).collect();
    let cut = format!("{head}\"\"\"\n{}\n\"\"\"\n", cut.join("\n"));
    std::fs::write(&file, cut).expect("writes");
    let ran = folder.sim(&["replay", &name]);
    assert!(ran.err.contains("could not be followed as recorded; the trace is "), "{}", ran.err);
    std::fs::write(&file, text.replace(" lock ", " luck ")).expect("writes");
    let ran = folder.sim(&["replay", &name]).ended(2);
    assert!(ran.err.contains("is no decision"), "{}", ran.err);
    folder.sim(&["replay", &name, "--policy", "random"]).ended(2);
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
    for lane in ["client write", "disk   append 000003.log", "engine ", "END    CRASH: "] {
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
    // A bug that is known and stays for now.
    let add = ["corpus", "add", "quick.toml:6", "--dir", "known", "--name", "one"];
    let ran = folder.sim(&[&add[..], &["--expect", "fail"]].concat()).ended(0);
    assert_eq!(ran.out, "known/one.toml: passes now, must fail from here on\n");
    folder.sim(&["corpus", "replay", "--dir", "known"]).ended(5);
}
