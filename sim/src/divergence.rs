//! Where two runs of one seed part.
//!
//! One seed is one run; where it is not, something beside the seed has had a say. The checkpoints
//! of two traces tell between which events that showed first. The runs are done again with all
//! events there kept, and compared one by one. Whatever had its say may have it elsewhere then, so
//! the two that are compared are always those whose checkpoints are looked at.

use std::fmt;

use crate::report::event_line;
use crate::run::Verdict;
use crate::trace::{CHECKPOINT_EVERY, Event, Noted};

/// The first and the last of a few events, by number.
type Span = (u64, u64);

/// How two runs of one seed differ.
#[derive(Clone, Debug)]
pub enum Divergence {
    /// The first event that does.
    At(Box<Parting>),
    /// It is one of these, by number, but did not come again in any of [`ATTEMPTS`] pairs of runs.
    Within(u64, u64),
}

/// The first event that differs.
#[derive(Clone, Debug)]
pub struct Parting {
    /// The last events before it, oldest first; they are the same in both runs.
    pub before: Vec<Noted>,
    /// What each run did then.
    pub sides: [Side; 2],
}

/// What one of two runs did where they part.
#[derive(Clone, Debug)]
pub struct Side {
    /// The event; `None` if the run had ended.
    pub noted: Option<Noted>,
    /// What was told in words from there on: a few lines.
    pub words: Vec<Event>,
}

/// Pairs of runs that are tried.
pub const ATTEMPTS: u32 = 5;
/// Events shown from before the first that differs.
const BEFORE: u64 = 4;
/// Events in words shown from there on.
const WORDS: usize = 3;

/// Finds the first event in which runs differ of which two, `one` and `other`, had another hash.
///
/// `run` does the run once more. It keeps the events of these numbers as they are hashed
/// ([`crate::run::Mode::note_between`]), and if words are to be shown, events in words too.
pub fn find(
    one: &Verdict,
    other: &Verdict,
    mut run: impl FnMut((u64, u64)) -> Verdict,
) -> Divergence {
    let mut span = span(one, other);
    for _ in 0..ATTEMPTS {
        let (one, other) = (run(span), run(span));
        if one.trace_hash == other.trace_hash {
            continue;
        }
        let now = self::span(&one, &other);
        if now == span {
            return Divergence::At(Box::new(part(&one, &other)));
        }
        span = now;
    }
    Divergence::Within(span.0, span.1)
}

/// The events among which is the first that differs, and those to be shown from before it.
fn span(one: &Verdict, other: &Verdict) -> Span {
    let pairs = one.checkpoints.iter().zip(&other.checkpoints);
    let same = pairs.take_while(|(one, other)| one == other).count() as u64;
    let start = same * CHECKPOINT_EVERY;
    (start.saturating_sub(BEFORE) + 1, start + CHECKPOINT_EVERY)
}

fn part(one: &Verdict, other: &Verdict) -> Parting {
    let pairs = one.noted.iter().zip(&other.noted);
    let alike = |(one, other): &(&Noted, &Noted)| one.tag == other.tag && one.word == other.word;
    let same = pairs.take_while(alike).count();
    let side = |verdict: &Verdict| {
        let noted = verdict.noted.get(same).cloned();
        let point = noted.as_ref().map_or(u64::MAX, |noted| noted.place.point);
        let told = verdict.events.iter().skip_while(|event| event.point < point);
        Side { noted, words: told.take(WORDS).cloned().collect() }
    };
    let first = same.saturating_sub(BEFORE as usize);
    Parting { before: one.noted[first..same].to_vec(), sides: [side(one), side(other)] }
}

impl fmt::Display for Divergence {
    /// Lines without one at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parting = match self {
            Divergence::At(parting) => parting,
            Divergence::Within(first, last) => {
                return write!(
                    f,
                    "they part between events {first} and {last}; {ATTEMPTS} more pairs of runs \
                     did not part there again"
                );
            }
        };
        writeln!(f, "the last that both did, and then what each did: event, point, virtual us")?;
        for noted in &parting.before {
            writeln!(f, "  both   {}", line(noted))?;
        }
        for (name, side) in ["one   ", "other "].iter().zip(&parting.sides) {
            match &side.noted {
                Some(noted) => write!(f, "  {name} {}", line(noted))?,
                None => write!(f, "  {name} has ended")?,
            }
            for event in &side.words {
                write!(f, "\n    from there on {}", event_line(event).trim_start())?;
            }
            if *name == "one   " {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

fn line(noted: &Noted) -> String {
    let place = &noted.place;
    let micros = place.nanos as f64 / 1000.0;
    format!(
        "{:>7} {:>6} {micros:>10.1}  {:<12} {} {:x}",
        noted.number,
        place.point,
        place.thread_name,
        noted.tag.words(),
        noted.word
    )
}
