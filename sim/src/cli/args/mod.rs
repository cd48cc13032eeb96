//! The command line.

mod mutants;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use mutants::MutantsArgs;

use super::color::Color;
use crate::corpus::Expectation;
use crate::exhaust::Place;
use crate::policy::{Guide, PolicyName};
use crate::sweep::Seeds;

/// Runs the Faultline engine on a simulated disk under a scheduler that owns every interleaving,
/// crashes it, replays its log, and checks what it recovered against a model.
///
/// Without a command: replays the corpus, then runs fresh seeds of every scenario for 30 seconds.
#[derive(Debug, Parser)]
#[command(
    name = "sim",
    version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("FAULTLINE_COMMIT"), ")"),
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 clean; 1 a promise was broken; 2 usage or bad scenario; \
        3 incomplete; 4 nothing ran; 5 nondeterminism, or a replay that did not reproduce; \
        70 a bug of sim; 75 the environment failed; 130 and 143 a signal, after the \
        runs in flight, or at once if another comes half a second later."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// When what is printed has colour
    #[arg(long, value_enum, default_value_t = Color::Auto, env = "SIM_COLOR", global = true)]
    pub color: Color,
    /// Flags of `run`, which is what `sim` does without a command.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sweep seeds: every seed in every selected scenario. The corpus goes first if neither seeds
    /// nor scenarios are named.
    Run(RunArgs),
    /// Run one token or case file again, with the same trace.
    Replay(ReplayArgs),
    /// Make a failing run as small as can be, and write it as a case file.
    #[command(visible_alias = "minimize")]
    Minimise(MinimiseArgs),
    /// List, check or show scenarios.
    Scenario {
        /// What to do.
        #[command(subcommand)]
        command: ScenarioCommand,
    },
    /// Cases that must stay true.
    Corpus {
        /// What to do.
        #[command(subcommand)]
        command: CorpusCommand,
    },
    /// Plant historic bugs one by one and see whether they are found.
    Mutants(MutantsArgs),
    /// Try every crash of a schedule, and all that it may leave, instead of drawing some.
    Exhaust(ExhaustArgs),
    /// Check that sim itself works here: determinism, and a planted bug that must be found.
    Doctor(DoctorArgs),
}

/// Flags of `run`.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Scenarios by name or glob, or the path of a scenario file [default: every scenario]
    #[arg(long = "scenario", value_name = "GLOB", env = "SIM_SCENARIO", value_delimiter = ',')]
    pub scenarios: Vec<String>,
    /// Seeds: A..B, N for 0..N, a list 1,5,9, @FILE, commit, or commit:HASH
    #[arg(long, value_name = "SEEDS", env = "SIM_SEEDS", value_parser = parse_seeds)]
    pub seeds: Option<Seeds>,
    /// Start no further run after this long, such as 30s or 10m
    #[arg(long, value_name = "TIME", env = "SIM_TIME_BUDGET", value_parser = parse_time)]
    pub time_budget: Option<Duration>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", env = "SIM_JOBS")]
    pub jobs: Option<usize>,
    /// Scheduling policy: portfolio, random, pct:D, sticky, crash-adjacent, urw,
    /// surw
    #[arg(long, value_name = "NAME", env = "SIM_POLICY")]
    pub policy: Option<PolicyName>,
    /// Set a field of every scenario, such as crash.count=2
    #[arg(long = "set", value_name = "FIELD=VALUE", env = "SIM_SET", value_delimiter = ';')]
    pub set: Vec<String>,
    /// Run this percentage of seeds twice and compare the traces [without a value: 5]
    #[arg(long, value_name = "PCT", env = "SIM_CHECK_DETERMINISM", num_args = 0..=1,
          default_missing_value = "5", require_equals = true)]
    pub check_determinism: Option<f64>,
    /// Stop after this many failures [default: 1]
    #[arg(long, value_name = "N", env = "SIM_FAIL_FAST", num_args = 0..=1,
          default_missing_value = "1", require_equals = true, conflicts_with = "keep_going")]
    pub fail_fast: Option<u64>,
    /// Run everything, whatever fails
    #[arg(long, env = "SIM_KEEP_GOING")]
    pub keep_going: bool,
    /// Where to note the runs in flight and leave reports
    #[arg(long, value_name = "DIR", env = "SIM_OUT")]
    pub out: Option<PathBuf>,
    /// What standard output carries
    #[arg(long, value_enum, default_value_t = Format::Human, env = "SIM_FORMAT")]
    pub format: Format,
    /// What standard error shows meanwhile
    #[arg(long, value_enum, default_value_t = Progress::Auto, env = "SIM_PROGRESS")]
    pub progress: Progress,
}

/// Flags of `replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// A token SCENARIO@DIGEST:SEED, a case file, or a schedule file
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// Scheduling policy, if not the scenario's own
    #[arg(long, value_name = "NAME")]
    pub policy: Option<PolicyName>,
    /// Set a field of the scenario
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Print every event: time, thread, what happened
    #[arg(long)]
    pub trace: bool,
    /// Show the choices of the scheduler in the trace too
    #[arg(long, requires = "trace")]
    pub schedule: bool,
    /// Exit with 5 unless the trace has this hash
    #[arg(long, value_name = "HEX")]
    pub expect_hash: Option<String>,
}

/// Flags of `minimise`.
#[derive(Args, Clone, Debug)]
pub struct MinimiseArgs {
    /// A token SCENARIO@DIGEST:SEED, or a case file
    #[arg(value_name = "WHAT")]
    pub what: String,
    /// Scheduling policy, if not the scenario's own
    #[arg(long, value_name = "NAME")]
    pub policy: Option<PolicyName>,
    /// Set a field of the scenario
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// The case file to write [default: SCENARIO-SEED.min.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End after this long, such as 30s or 10m, with the best so far
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "60s")]
    pub budget: Duration,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// What standard error shows meanwhile
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// Commands of `scenario`.
#[derive(Debug, Subcommand)]
pub enum ScenarioCommand {
    /// One line per scenario.
    List,
    /// Read scenario files and say what is wrong with them.
    Check {
        /// The files [default: the scenarios of the binary]
        files: Vec<PathBuf>,
    },
    /// Print a scenario as TOML, with every field that its file leaves out.
    Show {
        /// Its name, or the path of its file.
        name: String,
    },
}

/// Commands of `corpus`.
#[derive(Debug, Subcommand)]
pub enum CorpusCommand {
    /// One line per case.
    List {
        /// The folder of case files.
        #[arg(long, default_value = "corpus/regressions")]
        dir: PathBuf,
    },
    /// Turn a run into a case file.
    Add {
        /// The token of the run.
        token: String,
        /// Name of the case.
        #[arg(long)]
        name: String,
        /// One sentence: what it is about.
        #[arg(long, default_value = "")]
        note: String,
        /// Scheduling policy, if not the scenario's own
        #[arg(long, value_name = "NAME")]
        policy: Option<PolicyName>,
        /// Set a field of the scenario
        #[arg(long = "set", value_name = "FIELD=VALUE")]
        set: Vec<String>,
        /// The crashes of a counterexample of sim exhaust, as it prints them
        #[arg(long, value_name = "CRASHES")]
        only: Option<String>,
        /// The --images that sim exhaust printed with them
        #[arg(long, value_name = "N", requires = "only")]
        images: Option<usize>,
        /// The --schedule that sim exhaust printed with them
        #[arg(long, value_name = "CHOICES", requires = "only")]
        schedule: Option<String>,
        /// What it must come to from here on: fail, for a bug that is known and stays for now
        #[arg(long, value_enum, default_value_t = Expectation::Pass)]
        expect: Expectation,
        /// The folder of case files.
        #[arg(long, default_value = "corpus/regressions")]
        dir: PathBuf,
    },
    /// Run every case and compare with what it expects.
    Replay {
        /// The folder of case files.
        #[arg(long, default_value = "corpus/regressions")]
        dir: PathBuf,
    },
}

/// Flags of `exhaust`.
#[derive(Args, Clone, Debug)]
pub struct ExhaustArgs {
    /// The scenario, by name or path: a small one, such as tiny_two_syncs
    #[arg(required_unless_present = "necessary_syncs")]
    pub scenario: Option<String>,
    /// Instead of that: leave out each sync of the engine in turn, on each profile of the disk that
    /// is honest, and show what breaks
    #[arg(long, conflicts_with_all = [
        "scenario", "only", "nested", "preemptions", "schedules", "policy", "set", "keep_going",
    ])]
    pub necessary_syncs: bool,
    /// Where that keeps what it found, cell by cell: it goes on where it was ended, and tries all
    /// anew if there is no such file
    #[arg(long, value_name = "FILE", default_value = "sim/necessary-syncs.jsonl")]
    pub cells: PathBuf,
    /// Seeds, of which each is a schedule: A..B, N for 0..N, a list 1,5,9
    #[arg(long, value_name = "SEEDS", default_value = "1", value_parser = parse_seeds)]
    pub seeds: Seeds,
    /// Instead of the schedule that a seed gives: every schedule of at most so many preemptions,
    /// one of each happens-before class; `all` for any number
    #[arg(long, value_name = "N", value_parser = parse_preemptions)]
    pub preemptions: Option<Preemptions>,
    /// Schedules of each seed, at most: those of few preemptions first
    #[arg(long, value_name = "N", requires = "preemptions")]
    pub schedules: Option<u64>,
    /// Instead of the schedule that the seed gives: the one with these choices, as TURN:CHOICE,...
    /// or `none`
    #[arg(long, value_name = "CHOICES", value_parser = parse_schedule, requires = "only")]
    pub schedule: Option<Schedule>,
    /// Images of an instant, at most: if there are more, so many are tried, the telling ones first
    #[arg(long, value_name = "N", default_value_t = IMAGES_MAX)]
    pub images: usize,
    /// Further crashes, one after another, each while what the one before left is opened
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub nested: usize,
    /// End after this long, such as 30s or 10m, and say what was done
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "necessary_syncs")]
    pub time_budget: Option<Duration>,
    /// Only the run with these crashes, as POINT:NUMBER,POINT:NUMBER or `none`; it is told in full
    #[arg(long, value_name = "CRASHES", value_parser = parse_only)]
    pub only: Option<Only>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Scheduling policy, if not the scenario's own
    #[arg(long, value_name = "NAME")]
    pub policy: Option<PolicyName>,
    /// Set a field of the scenario
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Go on behind the first counterexample
    #[arg(long)]
    pub keep_going: bool,
    /// What standard output carries
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// What standard error shows meanwhile
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
}

/// What `--images` is if it is not given.
pub(super) const IMAGES_MAX: usize = 4096;

/// A bound of preemptions.
#[derive(Clone, Copy, Debug)]
pub struct Preemptions(pub u32);

fn parse_preemptions(text: &str) -> Result<Preemptions, String> {
    let most = if text == "all" { Some(u32::MAX) } else { text.parse().ok() };
    most.map(Preemptions).ok_or_else(|| format!("`{text}` is neither a number nor `all`"))
}

/// The choices of one schedule that are not those of themselves.
#[derive(Clone, Debug)]
pub struct Schedule(pub Guide);

fn parse_schedule(text: &str) -> Result<Schedule, String> {
    text.parse().map(Schedule)
}

/// The crashes of one run.
#[derive(Clone, Debug)]
pub struct Only(pub Vec<Place>);

pub(super) fn parse_only(text: &str) -> Result<Only, String> {
    if text == "none" {
        return Ok(Only(Vec::new()));
    }
    let place = |part: &str| {
        let (point, number) = part.split_once(':')?;
        Some((point.parse().ok().filter(|point| *point > 0)?, number.parse().ok()?))
    };
    let places = text.split(',').map(place).collect::<Option<_>>().map(Only);
    places.ok_or_else(|| {
        format!(
            "`{text}` is neither `none` nor points with numbers, such as 117:20 or 117:20,140:3"
        )
    })
}

/// Flags of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Runs of each scenario that are run twice.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub runs: u64,
}

/// What standard output carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text.
    Human,
    /// One JSON object a line.
    Json,
}

/// What standard error shows while a sweep runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// A bar on a terminal, a line every 10 s elsewhere.
    Auto,
    /// A bar.
    Bar,
    /// Nothing.
    None,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Reads a set of seeds; see `--seeds`.
pub fn parse_seeds(text: &str) -> Result<Seeds, String> {
    let number = |text: &str| {
        text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no seed: a seed is a number"))
    };
    if let Some(rest) = text.strip_prefix("commit") {
        let hash = match rest.strip_prefix(':') {
            Some(hash) => hash.to_owned(),
            None if rest.is_empty() => env!("FAULTLINE_COMMIT").to_owned(),
            None => return Err(format!("`{text}`: say commit or commit:HASH")),
        };
        let base = xxhash_rust::xxh3::xxh3_64(hash.as_bytes()) >> 24;
        return Ok(Seeds::Range(base, base + 1000));
    }
    if let Some(file) = text.strip_prefix('@') {
        #[expect(clippy::disallowed_methods, reason = "a file that the user names")]
        let lines = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let seeds = lines.split_whitespace().map(number).collect::<Result<_, _>>()?;
        return Ok(Seeds::List(seeds));
    }
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (number(from)?, number(to)?);
        if from >= to {
            return Err(format!("`{text}` holds no seed"));
        }
        return Ok(Seeds::Range(from, to));
    }
    if text.contains(',') {
        return Ok(Seeds::List(text.split(',').map(number).collect::<Result<_, _>>()?));
    }
    match number(text)? {
        0 => Err("0 seeds are none".to_owned()),
        count => Ok(Seeds::Range(0, count)),
    }
}
