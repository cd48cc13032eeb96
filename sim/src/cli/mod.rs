//! The command `sim`: one file per command, and what they share.

mod args;
mod color;
mod corpus;
mod doctor;
mod exhaust;
mod faults;
mod kept;
mod minimise;
mod mutants;
mod necessary;
mod output;
mod replay;
mod run;
mod scenario;
mod select;
mod signal;
mod summary;

pub use args::{Cli, parse_seeds};
pub use color::Color;

use std::process::ExitCode;

use args::Command;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing was found.
    Clean,
    /// A promise was broken.
    Broken,
    /// The command line or a scenario is wrong.
    Usage,
    /// Not everything that was asked for was done.
    Incomplete,
    /// Nothing ran.
    Nothing,
    /// Two runs of a seed differed, or a replay did not reproduce.
    Nondeterminism,
    /// The simulator itself failed.
    Internal,
    /// The machine failed: a file could not be written, a tool is missing.
    Environment,
    /// This signal ended it.
    Signal(u8),
}

impl Exit {
    /// The exit code: part of the contract with scripts.
    pub fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Broken => 1,
            Exit::Usage => 2,
            Exit::Incomplete => 3,
            Exit::Nothing => 4,
            Exit::Nondeterminism => 5,
            Exit::Internal => 70,
            Exit::Environment => 75,
            Exit::Signal(number) => 128 + number,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failed {
    exit: Exit,
    words: String,
}

impl Failed {
    fn usage(words: impl Into<String>) -> Self {
        Failed { exit: Exit::Usage, words: words.into() }
    }

    fn environment(words: impl Into<String>) -> Self {
        Failed { exit: Exit::Environment, words: words.into() }
    }
}

/// Carries out a command line.
pub fn main(cli: Cli) -> ExitCode {
    let result = match cli.command {
        None => run::run(&cli.run),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Replay(args)) => replay::replay(&args),
        Some(Command::Minimise(args)) => minimise::minimise(&args),
        Some(Command::Scenario { command }) => scenario::scenario(&command),
        Some(Command::Corpus { command }) => corpus::corpus(&command),
        Some(Command::Mutants(args)) => mutants::mutants(&args),
        Some(Command::Exhaust(args)) => exhaust::exhaust(&args),
        Some(Command::Doctor(args)) => doctor::doctor(&args),
    };
    let exit = result.unwrap_or_else(|failed| {
        output::complain(&failed.words);
        failed.exit
    });
    exit.into()
}
