//! How fast the simulator is, and whether it keeps memory: seeds of the scenario
//! `crash_mid_add_record`, one after another on one OS thread, with all checkers.
//!
//! Beside runs and points a second stands what a run does, since a run that does less is faster.
//! Resident memory is measured as `run_finished` has it, after a tenth of the seeds and after all:
//! a simulator that leaks shows in the difference. Each measurement takes a moment, which is not
//! counted.
//!
//! Does not compare with anything, and asserts no time: a benchmark is no test. A run that breaks
//! a promise ends it, as its figures would say nothing.
//! `cargo bench -p faultline-sim --bench crash_mid_add_record`, with ` -- 5000` for fewer seeds.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark runs on the operating system, reads its clock and prints"
)]

use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use faultline_sim::arena::resident_when_idle;
use faultline_sim::run::{Mode, Runner, on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};

const SCENARIO: &str = "crash_mid_add_record";
/// With `--bench` and no number.
const SEEDS: u64 = 100_000;
/// Without `--bench`, which only wants to know that it works.
const SEEDS_OF_A_TEST: u64 = 100;

/// What runs add up to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    runs: u64,
    points: u64,
    acks: u64,
    ops: u64,
    bytes: u64,
    crashes: u64,
    elapsed: Duration,
}

impl Sum {
    /// Runs these seeds, too.
    fn add(&mut self, runner: &mut Runner, scenario: &Scenario, seeds: Range<u64>) {
        let start = Instant::now();
        for seed in seeds {
            let verdict = runner.run(scenario, seed, Mode::default());
            let failed = (&verdict.violations[..], &verdict.harness_error);
            assert_eq!(failed, (&[][..], &None), "{SCENARIO}:{seed}");
            self.runs += 1;
            self.points += verdict.points;
            self.acks += verdict.acks;
            self.ops += verdict.ops;
            self.bytes += verdict.bytes;
            self.crashes += u64::from(verdict.crashes);
        }
        self.elapsed += start.elapsed();
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64()
    }

    fn per_run(&self, count: u64) -> f64 {
        count as f64 / self.runs as f64
    }

    fn print(&self) {
        println!("{} runs in {:.1} s", self.runs, self.elapsed.as_secs_f64());
        println!("  {:>11.0} runs/s", self.per_second(self.runs));
        println!("  {:>11.0} points/s", self.per_second(self.points));
        println!("a run has, on average");
        for (count, what) in [
            (self.points, "scheduling points"),
            (self.crashes, "crashes"),
            (self.acks, "acknowledgements"),
            (self.ops, "acknowledged operations"),
            (self.bytes, "bytes of acknowledged values"),
        ] {
            println!("  {:>11.1} {what}", self.per_run(count));
        }
    }
}

/// Resident KiB of this process when freed memory has been given back; called on the thread that
/// ran, as each has its own.
fn resident_kib() -> u64 {
    resident_when_idle().expect("Linux tells the size of a process") / 1024
}

/// The number of seeds that the command line asks for; in words, what is wrong with it.
fn seeds_wanted() -> Result<u64, String> {
    // `cargo bench` says so.
    let (bench, rest): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument == "--bench");
    let usual = if bench.is_empty() { SEEDS_OF_A_TEST } else { SEEDS };
    let wanted = match rest.as_slice() {
        [] => Ok(usual),
        [number] => number.parse().map_err(|_| format!("`{number}` is no number of seeds")),
        [_, more, ..] => Err(format!("`{more}` is too much: a number of seeds, and nothing else")),
    }?;
    if wanted < 10 {
        return Err(format!("a tenth of {wanted} seeds is none"));
    }
    Ok(wanted)
}

fn main() -> ExitCode {
    let seeds = match seeds_wanted() {
        Ok(seeds) => seeds,
        Err(words) => {
            eprintln!("error: {words}");
            return ExitCode::from(2);
        }
    };
    let scenarios = embedded().expect("the scenarios of the repository");
    let found = scenarios.into_iter().find(|scenario| scenario.name == SCENARIO);
    let scenario = found.expect("a scenario of this name");
    println!("{SCENARIO}: {seeds} seeds from 0, all checkers, one OS thread\n");
    on_fresh_thread(move |runner| {
        let tenth = seeds / 10;
        let mut sum = Sum::default();
        sum.add(runner, &scenario, 0..tenth);
        let early = resident_kib();
        sum.add(runner, &scenario, tenth..seeds);
        let late = resident_kib();
        sum.print();
        println!("resident memory");
        println!("  {early:>11} KiB after {tenth} seeds");
        println!("  {late:>11} KiB after {seeds} seeds");
        println!("  {:>+11} KiB between them", late.cast_signed() - early.cast_signed());
    });
    ExitCode::SUCCESS
}
