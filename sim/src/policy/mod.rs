//! Scheduling policies: who runs next.
//!
//! One file each, behind one small trait. No policy finds everything, so a sweep draws from a
//! portfolio.
//!
//! Architecture invariant: a policy sees identities only, never the state of the engine, and draws
//! from the schedule stream alone.

mod crash_adjacent;
mod pct;
mod random;
mod replay;
mod sticky;

pub use crash_adjacent::CrashAdjacent;
pub use pct::Pct;
pub use random::Random;
pub use replay::{Decision, Replay};
pub use sticky::Sticky;

use std::fmt;
use std::str::FromStr;

use crate::kernel::{Step, ThreadId};
use crate::rng::{Purpose, Stream};

/// Chooses who runs.
pub trait Policy {
    /// Chooses one of `runnable`, which holds at least two threads in an order that depends on the
    /// run alone. [`ThreadId::CLOCK`] stands for "let the next timer fire". `current` is the thread
    /// at the scheduling point if it may go on, and `step` is what it is about to do.
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId;

    /// Chooses one of `n` waiters, `n` at least 2: who is notified, who gets a released lock.
    fn pick(&mut self, n: u32) -> u32;

    /// Decisions that could not be followed as recorded; 0 for a policy that follows none.
    fn drift(&self) -> u64 {
        0
    }
}

/// A policy by name, as scenarios and `--policy` give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyName {
    /// Draws one of the others for each seed.
    Portfolio,
    /// [`Random`].
    Random,
    /// [`Pct`] of this depth.
    Pct(u32),
    /// [`Sticky`].
    Sticky,
    /// [`CrashAdjacent`].
    CrashAdjacent,
}

impl PolicyName {
    /// The policy for `seed`. `Portfolio` is resolved first: see [`PolicyName::resolve`].
    pub fn build(&self, seed: u64) -> Box<dyn Policy> {
        let stream = Stream::new(seed, Purpose::Schedule);
        match self {
            PolicyName::Portfolio | PolicyName::Random => Box::new(Random::new(stream)),
            PolicyName::Pct(depth) => Box::new(Pct::new(stream, *depth)),
            PolicyName::Sticky => Box::new(Sticky::new(stream)),
            PolicyName::CrashAdjacent => Box::new(CrashAdjacent::new(stream)),
        }
    }

    /// Draws the member of the portfolio for one run; any other policy is itself.
    #[must_use]
    pub fn resolve(&self, stream: &mut Stream) -> PolicyName {
        match self {
            PolicyName::Portfolio => match stream.below(10) {
                0..4 => PolicyName::Random,
                4 => PolicyName::Pct(2),
                5 => PolicyName::Pct(3),
                6..8 => PolicyName::Sticky,
                _ => PolicyName::CrashAdjacent,
            },
            named => named.clone(),
        }
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyName::Portfolio => f.write_str("portfolio"),
            PolicyName::Random => f.write_str("random"),
            PolicyName::Pct(depth) => write!(f, "pct:{depth}"),
            PolicyName::Sticky => f.write_str("sticky"),
            PolicyName::CrashAdjacent => f.write_str("crash-adjacent"),
        }
    }
}

impl FromStr for PolicyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "portfolio" => Ok(PolicyName::Portfolio),
            "random" => Ok(PolicyName::Random),
            "pct" => Ok(PolicyName::Pct(3)),
            "sticky" => Ok(PolicyName::Sticky),
            "crash-adjacent" => Ok(PolicyName::CrashAdjacent),
            _ => match text.strip_prefix("pct:").map(str::parse) {
                Some(Ok(depth @ 1..=20)) => Ok(PolicyName::Pct(depth)),
                Some(_) => Err(format!("`{text}`: the depth of pct is a number from 1 to 20")),
                None => Err(format!(
                    "unknown policy `{text}`: there are portfolio, random, pct:D, sticky, \
                     crash-adjacent"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["portfolio", "random", "pct:2", "sticky", "crash-adjacent"] {
            assert_eq!(name.parse::<PolicyName>().map(|p| p.to_string()).as_deref(), Ok(name));
        }
        assert!("pct:0".parse::<PolicyName>().is_err());
        assert!("fair".parse::<PolicyName>().is_err());
    }
}
