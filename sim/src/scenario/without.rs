//! [`Without`]: what is switched off, to see what it is needed for.

use serde::{Deserialize, Serialize};

use crate::checker;
use crate::fault::FaultKind;

/// What is switched off. A scenario of the repository switches nothing off.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Without {
    /// Checkers that do not judge.
    pub checkers: Vec<String>,
    /// Kinds of faults that never strike, whatever is planned.
    pub faults: Vec<FaultKind>,
    /// Crashes, whatever is planned: no process dies, and the power stays when a database has been
    /// closed.
    pub crashes: bool,
}

impl Without {
    pub(crate) fn is_empty(&self) -> bool {
        self.checkers.is_empty() && self.faults.is_empty() && !self.crashes
    }

    /// Whether there are such checkers.
    pub(crate) fn check(&self) -> Result<(), String> {
        let known = checker::all();
        let is_known = |name: &&String| known.iter().any(|checker| checker.name() == **name);
        if let Some(name) = self.checkers.iter().find(|name| !is_known(name)) {
            return Err(format!("without.checkers: there is no checker `{name}`"));
        }
        Ok(())
    }

    /// The simulator's own checkers but for those that do not judge.
    pub fn checkers(&self) -> Vec<Box<dyn checker::Checker>> {
        let mut checkers = checker::all();
        checkers.retain(|checker| !self.checkers.iter().any(|name| checker.name() == name));
        checkers
    }
}
