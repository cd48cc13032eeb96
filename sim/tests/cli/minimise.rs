//! `sim minimise`: from a token to a small case that fails alike.

use crate::{Folder, LYING, QUICK};

/// The first seed that loses a write.
fn losing(folder: &Folder) -> String {
    let args = ["run", "--scenario", "lying.toml", "--seeds", "40", "--jobs", "1"];
    let ran = folder.sim(&args).ended(1);
    let command = ran.line("  minimise   ");
    let (_, token) = command.split_once(" -- minimise ").expect("a command line");
    assert!(token.starts_with("lying.toml@"), "{token}");
    token.to_owned()
}

#[test]
fn a_failure_becomes_a_case_that_fails_alike() {
    let folder = Folder::new("minimise").with("lying.toml", LYING);
    let token = losing(&folder);
    let ran = folder.sim(&["minimise", &token, "--out", "small.toml"]).ended(1);
    assert_eq!(ran.out.lines().next(), Some(&*format!("FAIL durability  {token}")));
    ran.line("  writer 0   put 2 0");
    ran.line("  schedule   each thread goes on until it has to wait");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(lines[0].starts_with(&format!("{token}  durability: ")), "{lines:?}");
    assert!(lines[1].starts_with("  from  2 writers, 12 batches, "), "{lines:?}");
    assert!(
        lines[2].starts_with("  to    1 writer, 1 batch, 1 operation, 0 crashes, 0 faults, 0 c")
    );
    assert!(lines[3].ends_with(": nothing more can go"), "{lines:?}");
    // The case is the whole of it: the scenario may change or go.
    let folder = folder.with("lying.toml", QUICK);
    let again = folder.sim(&["replay", "small.toml"]).ended(1);
    assert_eq!(again.out.split_once('\n').expect("a note").1, ran.out);
    // The last line is the command that shows it, event by event.
    let command = ran.out.trim_end().lines().last().expect("the command");
    assert!(command.ends_with(" -- replay small.toml --trace"), "{command}");
    let traced = folder.sim(&["replay", "small.toml", "--trace"]).ended(1);
    assert!(traced.out.ends_with(&ran.out), "{}", traced.out);
    let event = "write batch 0 (1 op) -> ok, sequence 1";
    assert!(traced.out.starts_with("       "), "an event goes before all: {}", traced.out);
    assert!(traced.out.contains(event) && !traced.out.contains(" sched "), "{}", traced.out);
    let chosen = folder.sim(&["replay", "small.toml", "--trace", "--schedule"]).ended(1);
    assert!(chosen.out.contains(" sched "), "{}", chosen.out);
    let hash = ran.line("  trace      ").split([' ', ',']).find(|word| word.len() == 16);
    let hash = hash.expect("the hash");
    folder.sim(&["replay", "small.toml", "--expect-hash", hash]).ended(1);
    folder.sim(&["replay", "small.toml", "--expect-hash", "0123456789abcdef"]).ended(5);
}

#[test]
fn it_is_the_same_with_any_number_of_workers() {
    let folder = Folder::new("minimise-jobs").with("lying.toml", LYING);
    let token = losing(&folder);
    let file = |jobs: &str| {
        let name = format!("{jobs}.toml");
        folder.sim(&["minimise", &token, "--jobs", jobs, "--out", &name]).ended(1);
        std::fs::read_to_string(folder.0.join(name)).expect("a case")
    };
    let one = file("1");
    assert!(one.contains("\nexpect = \"pass\"\n") && one.contains("\n[plan]\n"), "{one}");
    assert_eq!(one, file("3"));
}

#[test]
fn a_case_goes_on_from_where_it_was_ended() {
    let folder = Folder::new("minimise-again").with("lying.toml", LYING);
    let token = losing(&folder);
    let cut = ["minimise", &token, "--budget", "0s", "--out", "cut.toml"];
    let ran = folder.sim(&cut).ended(1);
    assert!(ran.err.trim_end().ends_with(": ended before it was done"), "{}", ran.err);
    folder.sim(&["replay", "cut.toml"]).ended(1);
    let ran = folder.sim(&["minimise", "cut.toml", "--out", "small.toml"]).ended(1);
    ran.line("  writer 0   put 2 0");
    // The default name is that of the scenario and of the seed that it was drawn from.
    let seed = token.rsplit(':').next().expect("a seed");
    folder.sim(&["minimise", &token]).ended(1);
    let there = format!("lying-{seed}.min.toml");
    assert!(folder.0.join(&there).exists());
    let refused = folder.sim(&["minimise", &token]).ended(2);
    let words = format!("error: {there}: there is such a file; name another one by --out\n");
    assert_eq!(refused.err, words);
}

#[test]
fn what_cannot_be_written_is_told_behind_the_report() {
    let folder = Folder::new("minimise-nowhere").with("lying.toml", LYING);
    let token = losing(&folder);
    let ran = folder.sim(&["minimise", &token, "--out", "missing/small.toml"]).ended(75);
    ran.line("  writer 0   put 2 0");
    let last = ran.err.lines().last().expect("an error");
    assert!(last.starts_with("error: missing/small.toml: "), "{}", ran.err);
}

#[test]
fn what_cannot_be_made_small_is_told() {
    let folder = Folder::new("minimise-not").with("quick.toml", QUICK);
    let ran = folder.sim(&["minimise", "quick.toml:1"]).ended(5);
    let words = "quick.toml:1: no promise was broken, so there is nothing to minimise\n";
    assert_eq!(ran.out, words);
    for args in [
        &["minimise"][..],
        &["minimise", "quick.toml"],
        &["minimise", "quick.toml:one"],
        &["minimise", "nobody:1"],
        &["minimise", "missing.toml"],
        &["minimise", "quick.toml:1", "--set", "workload.writers=0"],
    ] {
        let ran = folder.sim(args).ended(2);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{args:?}: {ran:?}");
    }
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_its_file_and_field() {
    let plan = |changed: &str, to: &str| {
        let text = "format = 1\nnote = \"\"\nscenario = \"x\"\ndigest = \"00000000\"\nseed = 4\n\
                    promise = \"\"\nexpect = \"pass\"\n[plan]\nstreams = 1\nkeys = 3\n\
                    profile = \"posix-weak\"\npolicy = \"random\"\nwriters = [[\"put 2 1\"]]\n\
                    [plan.engine]\nwrite_buffer_size = 4096\nreopened_write_buffer_size = 4096\n\
                    max_file_size = 4096\nlevel1_size_max = 4096\nlevel0_compaction_trigger = 4\n\
                    manifest_size_max = 4096\ntable_append_size = 1\nsnappy = false\n\
                    filter = false\n";
        assert!(text.contains(changed), "{changed}");
        text.replacen(changed, to, 1)
    };
    let folder = Folder::new("plan").with("case.toml", &plan("", ""));
    let ran = folder.sim(&["replay", "case.toml"]).ended(0);
    assert_eq!(ran.err, "case.toml: as expected\n");
    let schedule = "keys = 3\nschedule = [\"4 lock 1 999 1\"]";
    let folder = Folder::new("plan").with("case.toml", &plan("keys = 3", schedule));
    let ran = folder.sim(&["replay", "case.toml"]).ended(0);
    let words = "case.toml: 1 choice of the schedule could not be followed\n";
    assert!(ran.err.starts_with(words), "{}", ran.err);
    for (changed, to, words) in [
        ("random", "chance", "plan.policy: unknown policy `chance`"),
        ("posix-weak", "fat", "plan.profile: "),
        ("put 2 1", "put 2", "plan.writers: `put 2` in `put 2` is no operation"),
        ("put 2 1", "put 3 1", "plan.writers: key 3 is none of the 3 of the plan"),
        (
            "put 2 1",
            "put 2 307201",
            "plan.writers: the size of a value is from 0 to 307200, not 307201",
        ),
        ("[[\"put 2 1\"]]", "[]", "plan.writers: their number is from 1 to 64, not 0"),
        ("keys = 3", "keys = 0", "plan.keys is from 1 to 1000000, not 0"),
        ("keys = 3", "keys = 3\nschedule = [\"3 lock\"]", "plan.schedule: `3 lock` is no choice"),
        (
            "write_buffer_size = 4096",
            "write_buffer_size = 1",
            "plan.engine.write_buffer_size is from",
        ),
        ("max_file_size = 4096", "max_file_size = 0", "plan.engine.max_file_size is from 1024 to"),
        ("keys = 3", "keys = 3\nholds = 2.0", "plan.holds is a share from 0 to 1"),
        ("keys = 3", "keys = 3\nkey = 3", "TOML parse error at line 11, column 1"),
    ] {
        let folder = Folder::new("plan").with("case.toml", &plan(changed, to));
        let ran = folder.sim(&["replay", "case.toml"]).ended(2);
        let expected = format!("error: case.toml: {words}");
        assert!(ran.out.is_empty() && ran.err.starts_with(&expected), "{words}: {}", ran.err);
    }
}
