//! What a signal leaves: a summary, or the runs in flight on disk.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use faultline_sim::token::Token;
use serde_json::Value;

use crate::{ENDLESS, Folder, LYING};

/// A sweep that ends by itself only in years, killed when it is dropped.
struct Sweep(Child);

impl Sweep {
    fn start(folder: &Folder, flags: &[&str]) -> Sweep {
        let endless = ["run", "--scenario", "steady_writers", "--seeds", "0..99999999999"];
        let mut command = folder.command(&[&endless[..], &["--jobs", "2"], flags].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Sweep(command.spawn().expect("starts"))
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        // It may have ended.
        self.0.kill().ok();
        self.0.wait().expect("is a child");
    }
}

#[test]
fn a_signal_ends_a_sweep_with_its_summary() {
    let folder = Folder::new("signal");
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let mut sweep = Sweep::start(&folder, &["--format", "json"]);
        let mut lines = BufReader::new(sweep.0.stdout.take().expect("a pipe")).lines();
        let started = lines.next().expect("a line").expect("reads");
        assert!(started.contains("run_started"), "{started}");
        // From its first line on it listens.
        sweep.signal(name);
        let last = lines.map(|line| line.expect("reads")).last().expect("a summary");
        let finished: Value = serde_json::from_str(&last).expect("JSON");
        assert_eq!(
            (&finished["event"], &finished["complete"]),
            (&"run_finished".into(), &false.into())
        );
        assert_eq!(sweep.0.wait().expect("is a child").code(), Some(code), "{name}");
        let mut words = String::new();
        sweep.0.stderr.take().expect("a pipe").read_to_string(&mut words).expect("text");
        assert!(words.contains(&format!("ended by signal {}", code - 128)), "{words}");
    }
}

/// As `timeout` does, which signals its child and then its own group.
#[test]
fn signals_in_one_moment_are_one() {
    let folder = Folder::new("moment");
    let mut sweep = Sweep::start(&folder, &["--format", "json"]);
    let mut lines = BufReader::new(sweep.0.stdout.take().expect("a pipe")).lines();
    assert!(lines.next().expect("a line").expect("reads").contains("run_started"));
    for _ in 0..4 {
        sweep.signal("TERM");
        // Two that it has not looked at yet become one by themselves.
        std::thread::sleep(Duration::from_millis(10));
    }
    let last = lines.map(|line| line.expect("reads")).last().expect("a summary");
    assert!(last.contains("run_finished"), "{last}");
    assert_eq!(sweep.0.wait().expect("is a child").code(), Some(143));
}

/// A person who presses ^C again does not want to wait for a run in flight.
#[test]
#[expect(clippy::disallowed_types, reason = "waits for another process")]
fn a_later_signal_ends_it_at_once() {
    let folder = Folder::new("again").with("endless.toml", ENDLESS);
    let args = ["run", "--scenario", "endless.toml", "--seeds", "5..6", "--policy", "random"];
    let mut command = folder.command(&[&args[..], &["--jobs", "1", "--out", "out"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut sweep = Sweep(child);
    wait_for_line(&folder.0.join("out/inflight/worker-0"));
    let began = std::time::Instant::now();
    let status = loop {
        sweep.signal("INT");
        std::thread::sleep(Duration::from_millis(100));
        if let Some(status) = sweep.0.try_wait().expect("is a child") {
            break status;
        }
    };
    assert_eq!(status.signal(), Some(2), "{status:?}");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    let mut text = String::new();
    sweep.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("text");
    assert_eq!(text, "", "the run in flight was not waited for");
}

#[test]
fn failures_are_told_while_the_sweep_goes_on() {
    let folder = Folder::new("told").with("lying.toml", LYING);
    let sweep = ["run", "--scenario", "lying.toml", "--seeds", "0..99999999999", "--keep-going"];
    let mut command = folder.command(&[&sweep[..], &["--format", "json"]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let mut sweep = Sweep(child);
    let mut lines = BufReader::new(sweep.0.stdout.take().expect("a pipe")).lines();
    // Would wait for years if they were told at the end.
    let failed = lines.find(|line| line.as_ref().expect("reads").contains("seed_failed"));
    assert!(failed.is_some());
    sweep.signal("TERM");
    let last = lines.map(|line| line.expect("reads")).last().expect("a summary");
    assert!(last.contains(r#""complete":false"#) && last.contains("run_finished"), "{last}");
}

/// The first line of a file, once there is one.
#[expect(clippy::disallowed_types, reason = "waits for another process")]
fn wait_for_line(file: &Path) -> String {
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_mins(1) {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(line) = text.lines().next() {
            return line.to_owned();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{} stays empty", file.display());
}

#[test]
fn the_runs_in_flight_are_on_disk_whenever_it_is_killed() {
    let folder = Folder::new("killed");
    for round in 0..3 {
        let out = format!("out-{round}");
        let mut sweep = Sweep::start(&folder, &["--out", &out]);
        let notes = ["worker-0", "worker-1"].map(|w| folder.0.join(&out).join("inflight").join(w));
        for note in &notes {
            wait_for_line(note);
        }
        std::thread::sleep(Duration::from_millis(round * 7));
        sweep.0.kill().expect("is still there");
        assert_eq!(sweep.0.wait().expect("is a child").signal(), Some(9));
        let mut seeds = notes.map(|note| {
            let text = std::fs::read_to_string(note).expect("is there");
            let token: Token = text.trim().parse().expect("a token");
            assert_eq!(token.scenario, "steady_writers");
            assert!(token.digest.is_some() && text.ends_with('\n'), "{text}");
            let replayed = folder.sim(&["replay", text.trim()]).ended(0);
            assert!(!replayed.err.contains("note:"), "{}", replayed.err);
            token.seed
        });
        seeds.sort_unstable();
        assert_ne!(seeds[0], seeds[1], "two workers are at two seeds");
    }
    // Nothing is in flight after an end.
    let whole = ["run", "--scenario", "steady_writers", "--seeds", "3", "--jobs", "1"];
    folder.sim(&[&whole[..], &["--out", "whole"]].concat()).ended(0);
    let note = std::fs::read_to_string(folder.0.join("whole/inflight/worker-0"));
    assert_eq!(note.expect("is there"), "");
}
