//! Scheduling policies: who runs next.
//!
//! One file each, behind one small trait. No policy finds everything, so a sweep draws from a
//! portfolio.
//!
//! Architecture invariant: a policy sees identities only, never the state of the engine, and draws
//! from the schedule stream alone; a [`Pilot`], which decides nothing that is judged, has its own.

mod classed;
mod crash_adjacent;
mod deviations;
mod exhaustive;
mod order;
mod pct;
mod profile;
mod random;
mod replay;
mod sticky;
mod surw;
mod urw;

pub use classed::Classed;
pub use crash_adjacent::CrashAdjacent;
pub use deviations::{Deviating, Deviation, Deviations};
pub use exhaustive::{Exhaustive, Guide, Passage, Walk};
pub use pct::Pct;
pub use profile::{Pilot, Profile, Shared};
pub use random::Random;
pub use replay::{Decision, Replay};
pub use sticky::Sticky;
pub use surw::Surw;
pub use urw::Urw;

use std::fmt;
use std::str::FromStr;

use dyn_clone::DynClone;

use crate::kernel::{Step, ThreadId};
use crate::rng::{Purpose, Stream};

/// Chooses who runs. A clone chooses from there on as the original would have.
pub trait Policy: DynClone {
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

    /// Whom to tell of events beside the choices; `None` for a policy that counts none. Asked once,
    /// when a kernel takes the policy, and then only if there is one.
    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        None
    }

    /// Whether a wait takes as long as the policy says in the process that starts now: then the
    /// clock is a candidate also where it is the only one, and [`Policy::timer`] says whose timer
    /// fires. Else it is the one that is due first.
    fn rules_time(&self) -> bool {
        false
    }

    /// Whose timer fires, after the clock was chosen. Asked only if the policy rules time.
    fn timer(&mut self) -> ThreadId {
        unreachable!("a policy that rules time chooses a timer")
    }
}

dyn_clone::clone_trait_object!(Policy);

/// What a policy that counts events is told.
pub trait Watcher {
    /// A process starts. Its threads are numbered from 1 again.
    fn process_starts(&mut self);

    /// `parent` has started `child`, the next in number. The main thread has [`ThreadId::CLOCK`]
    /// for a parent.
    fn spawned(&mut self, parent: ThreadId, child: ThreadId);

    /// `thread` is about to do `step`.
    fn arrives(&mut self, thread: ThreadId, step: Step);

    /// `thread` does what it was about to do: it was chosen, or nobody else can go on.
    fn goes(&mut self, thread: ThreadId);

    /// `thread`, which arrives next, goes on when a timer fires, if nobody wakes it before.
    fn sets_timer(&mut self, _thread: ThreadId) {}

    /// `thread` has got the lock of this number, at once or after it was blocked.
    fn acquires(&mut self, _thread: ThreadId, _lock: u32) {}

    /// A client in `thread` asks the engine for something, or has got an answer.
    fn client(&mut self, _thread: ThreadId, _word: ClientWord) {}
}

/// What passes between a client and the engine: of two clients it matters whether one was answered
/// before the other asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientWord {
    /// A call begins.
    Asks,
    /// It has returned.
    IsTold,
}

/// A policy by name, as scenarios and `--policy` give it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyName {
    /// Draws one of [`PolicyName::PORTFOLIO`] for each seed.
    Portfolio,
    /// [`Random`].
    Random,
    /// [`Pct`] of this depth.
    Pct(u32),
    /// [`Sticky`].
    Sticky,
    /// [`CrashAdjacent`].
    CrashAdjacent,
    /// [`Urw`].
    Urw,
    /// [`Surw`].
    Surw,
}

impl PolicyName {
    /// Every policy that chooses, `pct` with two depths.
    pub const EACH: [PolicyName; 7] = [
        PolicyName::Random,
        PolicyName::Pct(2),
        PolicyName::Pct(3),
        PolicyName::Sticky,
        PolicyName::CrashAdjacent,
        PolicyName::Urw,
        PolicyName::Surw,
    ];

    /// What [`PolicyName::Portfolio`] draws from, with the weight of each: shares of the seeds, in
    /// percent. They were those of `docs/matrix.md`, rounded to add up to 100, when it had six
    /// mutants fewer: the mutant that is found worst, compared with what one policy alone would
    /// find of it, is found best. The page has what is best now, and how close these come; another
    /// draw would move the trace of every seed.
    pub const PORTFOLIO: [(PolicyName, u32); 4] = [
        (PolicyName::Pct(2), 34),
        (PolicyName::Pct(3), 20),
        (PolicyName::CrashAdjacent, 40),
        (PolicyName::Urw, 6),
    ];

    /// Whether the policy counts on the [`Profile`] of a [`Pilot`].
    pub fn wants_profile(&self) -> bool {
        matches!(self, PolicyName::Urw | PolicyName::Surw)
    }

    /// The policy for `seed`. `Portfolio` is resolved first: see [`PolicyName::resolve`]. One that
    /// wants a profile does without.
    pub fn build(&self, seed: u64) -> Box<dyn Policy> {
        self.build_with(seed, Profile::default())
    }

    /// As [`PolicyName::build`], with a profile for those that want one.
    pub fn build_with(&self, seed: u64, profile: Profile) -> Box<dyn Policy> {
        let stream = Stream::new(seed, Purpose::Schedule);
        match self {
            PolicyName::Portfolio | PolicyName::Random => Box::new(Random::new(stream)),
            PolicyName::Pct(depth) => Box::new(Pct::new(stream, *depth)),
            PolicyName::Sticky => Box::new(Sticky::new(stream)),
            PolicyName::CrashAdjacent => Box::new(CrashAdjacent::new(stream)),
            PolicyName::Urw => Box::new(Urw::new(stream, profile)),
            PolicyName::Surw => Box::new(Surw::new(stream, profile)),
        }
    }

    /// Draws the member of the portfolio for one run; any other policy is itself. It draws all the
    /// same, so that a seed has one plan, whatever the policy.
    #[must_use]
    pub fn resolve(&self, stream: &mut Stream) -> PolicyName {
        let mut left = stream.below(Self::PORTFOLIO.iter().map(|(_, weight)| weight).sum());
        let drawn = Self::PORTFOLIO.iter().find(|(_, weight)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        match (self, drawn) {
            (PolicyName::Portfolio, Some((policy, _))) => policy.clone(),
            _ => self.clone(),
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
            PolicyName::Urw => f.write_str("urw"),
            PolicyName::Surw => f.write_str("surw"),
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
            "urw" => Ok(PolicyName::Urw),
            "surw" => Ok(PolicyName::Surw),
            _ => match text.strip_prefix("pct:").map(str::parse) {
                Some(Ok(depth @ 1..=20)) => Ok(PolicyName::Pct(depth)),
                Some(_) => Err(format!("`{text}`: the depth of pct is a number from 1 to 20")),
                None => Err(format!(
                    "unknown policy `{text}`: there are portfolio, random, pct:D, sticky, \
                     crash-adjacent, urw, surw"
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
        for policy in PolicyName::EACH.into_iter().chain([PolicyName::Portfolio]) {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        assert!("pct:0".parse::<PolicyName>().is_err());
        assert!("fair".parse::<PolicyName>().is_err());
    }

    #[test]
    fn the_portfolio_draws_by_its_weights() {
        const DRAWS: u32 = 20_000;
        let mut stream = Stream::new(7, Purpose::Plan);
        let drawn: Vec<PolicyName> =
            (0..DRAWS).map(|_| PolicyName::Portfolio.resolve(&mut stream)).collect();
        let total: u32 = PolicyName::PORTFOLIO.iter().map(|(_, weight)| weight).sum();
        let mut all = 0;
        for (policy, weight) in PolicyName::PORTFOLIO {
            let count = drawn.iter().filter(|name| **name == policy).count() as u32;
            let wanted = DRAWS * weight / total;
            // More than five standard deviations.
            assert!(count.abs_diff(wanted) < 400, "{policy}: {count} draws, {wanted} wanted");
            all += count;
        }
        assert_eq!(all, DRAWS);
    }

    #[test]
    fn a_given_policy_takes_as_many_draws_as_the_portfolio() {
        let (mut given, mut drawn) = (Stream::new(7, Purpose::Plan), Stream::new(7, Purpose::Plan));
        assert_eq!(PolicyName::Sticky.resolve(&mut given), PolicyName::Sticky);
        assert_ne!(PolicyName::Portfolio.resolve(&mut drawn), PolicyName::Portfolio);
        assert_eq!(given.below(u32::MAX), drawn.below(u32::MAX));
    }
}
