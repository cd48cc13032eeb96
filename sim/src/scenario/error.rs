//! [`ScenarioError`].

use std::fmt;

/// Why a scenario was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file, or the name it would have.
    pub file: String,
    /// What is wrong; several lines, with a caret where a place in the text is at fault.
    pub words: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.words.trim_end())
    }
}

impl std::error::Error for ScenarioError {}
