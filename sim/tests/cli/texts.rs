//! Help and errors, word for word.

use crate::{Folder, QUICK, version};

#[track_caller]
fn shows(name: &str, folder: &Folder, args: &[&str]) {
    let ran = folder.sim(args);
    let text = format!(
        "$ sim {}\n[exit code {}]\n\n--- standard output\n{}\n--- standard error\n{}",
        args.join(" "),
        ran.code,
        ran.out,
        ran.err
    );
    // Help pads empty lines.
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(name, lines.join("\n").replace(&version().1, "[COMMIT]"));
    });
}

#[test]
fn help_says_what_there_is() {
    let folder = Folder::new("help");
    shows("help", &folder, &["--help"]);
    shows("help-run", &folder, &["run", "--help"]);
    for command in [
        &["replay"][..],
        &["minimise"],
        &["scenario"],
        &["scenario", "list"],
        &["scenario", "check"],
        &["scenario", "show"],
        &["corpus"],
        &["corpus", "list"],
        &["corpus", "add"],
        &["corpus", "replay"],
        &["mutants"],
        &["exhaust"],
        &["doctor"],
    ] {
        shows(&format!("help-{}", command.join("-")), &folder, &[command, &["--help"]].concat());
    }
}

#[test]
fn scenarios_are_listed() {
    shows("scenario-list", &Folder::new("list"), &["scenario", "list"]);
}

#[test]
fn the_version_names_the_commit() {
    let (version, commit) = version();
    assert_eq!(version, format!("sim {} ({commit})\n", env!("CARGO_PKG_VERSION")));
    let hash = commit.strip_suffix("-dirty").unwrap_or(&commit);
    let is_hash = hash.len() >= 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || hash == "unknown", "{hash}");
}

#[test]
fn what_cannot_be_is_refused_with_words() {
    let folder = Folder::new("refused");
    for (name, args) in [
        ("unknown-scenario", ["run", "--scenario", "stedy_writers"]),
        ("unknown-scenario-of-a-token", ["replay", "stedy_writers:1", "--trace"]),
        ("bad-seed", ["run", "--seeds", "one"]),
        ("empty-seeds", ["run", "--seeds", "7..7"]),
        ("bad-policy", ["run", "--policy", "fair"]),
        ("bad-policy-depth", ["run", "--policy", "pct:0"]),
        ("bad-time", ["run", "--time-budget", "soon"]),
        ("set-without-value", ["run", "--set", "crash.count"]),
        ("set-of-no-field", ["run", "--set", "crash.cuont=2"]),
        ("set-out-of-range", ["run", "--set", "workload.writers=65"]),
        ("set-of-no-number", ["run", "--set", "workload.writers=many"]),
        ("set-of-no-fault", ["run", "--set", "faults.snyc_error=0.1"]),
        ("missing-scenario-file", ["run", "--scenario", "missing.toml"]),
        ("schedule-without-trace", ["replay", "steady_writers:1", "--schedule"]),
    ] {
        shows(name, &folder, &args);
    }
    shows("bad-token", &folder, &["replay", "steady_writers"]);
    for (name, args) in [
        ("bad-profile", &["mutants", "--profile", "ext4"][..]),
        ("profile-of-no-sweep", &["mutants", "--unseen", "--profile", "xfs"]),
        ("profile-of-a-record", &["mutants", "--record", "--profile", "xfs"]),
        ("profile-of-the-matrix", &["mutants", "--matrix", "--profile", "xfs"]),
    ] {
        shows(name, &folder, args);
    }
}

#[test]
fn a_mutant_that_is_not_there_is_refused_with_where_it_is() {
    let patch = "--- a/engine/src/lib.rs\n";
    let swept =
        format!("what: w\nsource: s\npromise: 1\nchecker: reads\nscenario: s\nruns: 1\n\n{patch}");
    let unseen = format!("what: w\nsource: s\npromise: 1\nkiller: loom\nkilled by: a\n\n{patch}");
    let folder = Folder::new("no-mutant")
        .with("corpus/mutants/late-sync.patch", &swept)
        .with("corpus/mutants/unseen/weak-link.patch", &unseen)
        .with("wrong/unseen/weak-link.patch", &unseen.replace("loom", "lomo"));
    for (name, args) in [
        ("unknown-mutant", &["mutants", "late-snyc"][..]),
        ("unknown-unseen-mutant", &["mutants", "--unseen", "nothing-like-it"]),
        ("mutant-of-another-set", &["mutants", "--check", "late-sync", "weak-link"]),
        ("mutant-of-no-flag", &["mutants", "--unseen", "late-sync"]),
        ("unknown-killer", &["mutants", "--unseen", "--dir", "wrong"]),
    ] {
        shows(name, &folder, args);
    }
}

#[test]
fn a_scenario_file_is_refused_with_line_and_caret() {
    let unknown = QUICK.replace("batches", "batchs");
    let torn = QUICK.replace("writers = 1", "writers = [1");
    let fault = format!("{QUICK}\n[faults]\nsync_error = 0.1\nsnyc_error = 0.1\n");
    let rate = format!("{QUICK}\n[faults]\nsync_error = 0.1\nread_error = 1.5\n");
    let count = QUICK.replace("writers = 1", "writers = \"many\"");
    let range = QUICK.replace("writers = 1", "writers = [1, 2, 3]");
    let folder = Folder::new("caret")
        .with("good.toml", QUICK)
        .with("unknown.toml", &unknown)
        .with("torn.toml", &torn)
        .with("fault.toml", &fault)
        .with("rate.toml", &rate)
        .with("count.toml", &count)
        .with("range.toml", &range);
    let files = ["good", "unknown", "torn", "fault", "rate", "count", "range"];
    let files = files.map(|name| format!("{name}.toml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    shows("scenario-check", &folder, &[&["scenario", "check"], &files[..]].concat());
    shows("unknown-field", &folder, &["run", "--scenario", "unknown.toml"]);
}

#[test]
fn a_scenario_is_shown_with_what_its_file_leaves_out() {
    let folder = Folder::new("show").with("quick.toml", QUICK);
    shows("scenario-show", &folder, &["scenario", "show", "quick.toml"]);
    // What is shown is a scenario, and shows itself.
    for name in ["quick.toml", "io_errors"] {
        let shown = folder.sim(&["scenario", "show", name]).ended(0).out;
        let again = Folder::new("show-again").with("again.toml", &shown);
        let second = again.sim(&["scenario", "show", "again.toml"]).ended(0).out;
        let fields = |out: &str| out.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(fields(&second), fields(&shown), "{name}");
        assert!(fields(&shown).len() > 20, "{name}");
    }
}

#[test]
fn a_token_of_another_text_is_remarked_on() {
    let folder = Folder::new("digest").with("quick.toml", QUICK);
    let token = "quick.toml@00000000:1";
    let ran = folder.sim(&["replay", token]).ended(0);
    insta::assert_snapshot!(ran.err.lines().next().expect("a note"));
    let digest = folder.digest("quick.toml");
    let ran = folder.sim(&["replay", &format!("quick.toml@{digest}:1")]).ended(0);
    assert!(!ran.err.contains("note:"), "{}", ran.err);
}
