//! The command `sim`; what it does is in the library.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use faultline_sim::cli::{self, Cli, Color};

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    #[expect(clippy::disallowed_methods, reason = "colour changes no result")]
    let variable = std::env::var("SIM_COLOR").ok();
    let color = Color::asked_for(&words, variable.as_deref());
    color.apply();
    let matches = Cli::command().color(color.of_parser()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli::main(cli)
}
