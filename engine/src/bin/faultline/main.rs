//! The command `faultline`: looks into a database, changes it, checks it.
//!
//! Uses the library as any other program does. Results go to standard output, everything else to
//! standard error.

mod args;
mod check;
mod dump;
mod entries;
mod exit;
mod keys;
mod open;
mod output;
mod stats;
mod text;
mod whole;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use exit::{Exit, Failure};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Get(args) => keys::get(&args),
        Command::Put(args) => keys::put(&args),
        Command::Delete(args) => keys::delete(&args),
        Command::Scan(args) => entries::scan(&args),
        Command::Load(args) => entries::load(&args),
        Command::Compact(args) => whole::compact(&args),
        Command::Destroy(args) => whole::destroy(&args),
        Command::Stats(args) => stats::stats(&args),
        Command::Dump(args) => dump::dump(&args),
        Command::Verify(args) => check::verify(&args),
    };
    let exit = result.unwrap_or_else(|failure| match failure {
        // Whoever read it has gone, as `head` does.
        Failure::OutputClosed => Exit::OutputClosed,
        Failure::Said { exit, words } => {
            output::complain(&words);
            exit
        }
    });
    exit.into()
}
