//! The command `sim`; what it does is in the library.

use std::process::ExitCode;

use clap::Parser as _;
use faultline_sim::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
