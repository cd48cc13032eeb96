//! `sim scenario`: list, check and show.

use super::args::ScenarioCommand;
use super::output::{complain, say};
use super::select::{select, select_one};
use super::{Exit, Failed};
use crate::scenario::Scenario;

pub(super) fn scenario(command: &ScenarioCommand) -> Result<Exit, Failed> {
    match command {
        ScenarioCommand::List => {
            let scenarios = select(&[], &[], None)?.scenarios;
            let width = scenarios.iter().map(|scenario| scenario.token().len()).max().unwrap_or(0);
            for scenario in scenarios {
                say(format!("{:<width$} {}", scenario.token(), scenario.spec.about));
                if let Some(leveldb) = &scenario.spec.leveldb {
                    say(format!("{:<width$} LevelDB: {leveldb}", ""));
                }
            }
            Ok(Exit::Clean)
        }
        ScenarioCommand::Show { name } => {
            let (scenario, _) = select_one(name, &[], None)?;
            say(format!("# {}", scenario.token()));
            say(scenario.to_toml().trim_end());
            Ok(Exit::Clean)
        }
        ScenarioCommand::Check { files } => {
            let mut exit = Exit::Clean;
            for file in files {
                let shown = file.display().to_string();
                #[expect(clippy::disallowed_methods, reason = "files that the user names")]
                let text = std::fs::read_to_string(file)
                    .map_err(|error| Failed::usage(format!("{shown}: {error}")))?;
                match Scenario::parse(&shown, &shown, &text) {
                    Ok(scenario) => say(format!("{shown}: ok, digest {}", scenario.digest)),
                    Err(error) => {
                        complain(&error.to_string());
                        exit = Exit::Usage;
                    }
                }
            }
            if files.is_empty() {
                let count = select(&[], &[], None)?.scenarios.len();
                say(format!("{count} scenarios: ok"));
            }
            Ok(exit)
        }
    }
}
