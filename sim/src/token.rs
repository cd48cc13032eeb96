//! Tokens: the short name of a run, `SCENARIO@DIGEST:SEED`.

use std::fmt;
use std::str::FromStr;

/// The name of one run. The digest may be left out; then the scenario is taken as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Name of the scenario, or the path of its file.
    pub scenario: String,
    /// Digest of the scenario's text when the token was printed.
    pub digest: Option<String>,
    /// The seed.
    pub seed: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.digest {
            Some(digest) => write!(f, "{}@{digest}:{}", self.scenario, self.seed),
            None => write!(f, "{}:{}", self.scenario, self.seed),
        }
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is no token: it has the form SCENARIO@DIGEST:SEED");
        let (scenario, seed) = text.rsplit_once(':').ok_or_else(malformed)?;
        let seed = seed.parse().map_err(|_| malformed())?;
        let (scenario, digest) = match scenario.rsplit_once('@') {
            Some((scenario, digest)) => (scenario, Some(digest.to_owned())),
            None => (scenario, None),
        };
        if scenario.is_empty() {
            return Err(malformed());
        }
        Ok(Token { scenario: scenario.to_owned(), digest, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip() {
        for text in ["steady_writers@0123abcd:42", "steady_writers:7", "dir/my.toml@00000000:0"] {
            assert_eq!(text.parse::<Token>().map(|t| t.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "steady_writers", "steady_writers:x", ":4", "a@b"] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }
}
