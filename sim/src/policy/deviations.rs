//! Schedules by what they do not do of themselves.
//!
//! Of itself the thread at a scheduling point goes on, and if it cannot, the first one that can; of
//! those that wait the first is woken. A schedule is what *deviates* from that: mostly preemptions,
//! and few of them matter. Each is named by where it is taken, so that one can be left out and the
//! others still find their places.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use super::{Policy, Watcher};
use crate::kernel::{Step, StepKind, ThreadId};

/// A choice that is not the one that comes of itself.
///
/// As text: `3 lock 7 2 4` for "when thread 3 is about to lock object 7 for the second time, thread
/// 4 goes on"; `-` for a thread that cannot go on; with `pick`, the last number is an index among
/// those that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// Where it is taken.
    pub place: Place,
    /// Which of the decisions at this place it is, counted from 1 over the whole run.
    pub visit: u32,
    /// The thread chosen; for a pick among waiters, the index chosen.
    pub chosen: u32,
}

/// Where a decision is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The thread at the scheduling point, if it could go on.
    pub current: Option<ThreadId>,
    /// What it was about to do.
    pub step: Step,
}

impl Place {
    const PICK: Place = Place { current: None, step: Step::PICK };

    fn key(self) -> Key {
        (self.current, self.step.kind as u8, self.step.object)
    }
}

type Key = (Option<ThreadId>, u8, u32);

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deviation { place: Place { current, step }, visit, chosen } = self;
        match current {
            Some(thread) => write!(f, "{}", thread.0)?,
            None => f.write_str("-")?,
        }
        write!(f, " {} {} {visit} {chosen}", step.kind.name(), step.object)
    }
}

impl FromStr for Deviation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("`{text}` is no choice: it has the form THREAD STEP OBJECT VISIT CHOSEN");
        let words: Vec<&str> = text.split(' ').collect();
        let [current, kind, object, visit, chosen] = words[..] else {
            return Err(malformed());
        };
        let number = |text: &str| text.parse::<u32>().map_err(|_| malformed());
        let current = match current {
            "-" => None,
            id => Some(ThreadId(number(id)?)),
        };
        let kind = StepKind::named(kind).ok_or_else(malformed)?;
        let place = Place { current, step: Step { kind, object: number(object)? } };
        Ok(Deviation { place, visit: number(visit)?, chosen: number(chosen)? })
    }
}

/// How often a decision was taken at each place.
#[derive(Clone, Debug, Default)]
struct Visits(BTreeMap<Key, u32>);

impl Visits {
    /// Counts one more.
    fn count(&mut self, place: Place) -> u32 {
        let visits = self.0.entry(place.key()).or_default();
        *visits += 1;
        *visits
    }
}

fn of_itself(runnable: &[ThreadId], current: Option<ThreadId>) -> ThreadId {
    current.unwrap_or(runnable[0])
}

/// Follows deviations, and goes on of itself elsewhere.
///
/// One whose choice is not there is left out. [`Policy::drift`] counts those, and those whose place
/// the run has not come to.
#[derive(Clone, Debug)]
pub struct Deviations {
    chosen: BTreeMap<(Key, u32), u32>,
    visits: Visits,
    followed: u64,
}

impl Deviations {
    /// Follows `deviations`. Of two with one place and visit the last counts.
    pub fn new(deviations: &[Deviation]) -> Self {
        let chosen = deviations.iter().map(|d| ((d.place.key(), d.visit), d.chosen)).collect();
        Deviations { chosen, visits: Visits::default(), followed: 0 }
    }

    fn take(&mut self, place: Place, can_be: impl Fn(u32) -> bool) -> Option<u32> {
        let visit = self.visits.count(place);
        let chosen = *self.chosen.get(&(place.key(), visit))?;
        let there = can_be(chosen);
        self.followed += u64::from(there);
        there.then_some(chosen)
    }
}

impl Policy for Deviations {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        let chosen = self.take(Place { current, step }, |id| runnable.contains(&ThreadId(id)));
        chosen.map_or_else(|| of_itself(runnable, current), ThreadId)
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.take(Place::PICK, |index| index < n).unwrap_or(0)
    }

    fn drift(&self) -> u64 {
        self.chosen.len() as u64 - self.followed
    }
}

/// Chooses as another policy does, and notes where that is not what comes of itself. Not for one
/// that rules time.
#[derive(Clone)]
pub struct Deviating {
    behind: Box<dyn Policy>,
    visits: Visits,
    noted: Rc<RefCell<Vec<Deviation>>>,
}

impl Deviating {
    /// Chooses as `behind` does, and adds to `noted`.
    pub fn new(behind: Box<dyn Policy>, noted: Rc<RefCell<Vec<Deviation>>>) -> Self {
        Deviating { behind, visits: Visits::default(), noted }
    }

    fn note(&mut self, place: Place, chosen: u32, of_itself: u32) {
        let visit = self.visits.count(place);
        if chosen != of_itself {
            self.noted.borrow_mut().push(Deviation { place, visit, chosen });
        }
    }
}

impl Policy for Deviating {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        let chosen = self.behind.next(runnable, current, step);
        self.note(Place { current, step }, chosen.0, of_itself(runnable, current).0);
        chosen
    }

    fn pick(&mut self, n: u32) -> u32 {
        let chosen = self.behind.pick(n);
        self.note(Place::PICK, chosen, 0);
        chosen
    }

    fn drift(&self) -> u64 {
        self.behind.drift()
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        self.behind.watcher()
    }
}

impl fmt::Debug for Deviating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deviating {{ noted: {} }}", self.noted.borrow().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREADS: [ThreadId; 3] = [ThreadId(1), ThreadId(2), ThreadId(3)];

    fn lock(object: u32) -> Step {
        Step::new(StepKind::Lock, object)
    }

    fn deviation(text: &str) -> Deviation {
        text.parse().expect("a choice")
    }

    #[test]
    fn texts_round_trip() {
        for text in ["3 lock 7 2 4", "- io 16777216 1 2", "- pick 0 1 1"] {
            assert_eq!(deviation(text).to_string(), text);
        }
        for text in ["", "3 lock 7 2", "3 lock 7 2 4 5", "x lock 7 2 4", "3 luck 7 2 4"] {
            let refused = text.parse::<Deviation>().expect_err(text);
            assert!(refused.starts_with(&format!("`{text}` is no choice")), "{refused}");
        }
    }

    #[test]
    fn only_what_is_named_deviates() {
        let mut policy = Deviations::new(&[deviation("2 lock 7 2 3"), deviation("- pick 0 1 1")]);
        let at = Some(ThreadId(2));
        let chosen: Vec<u32> = (0..3).map(|_| policy.next(&THREADS, at, lock(7)).0).collect();
        assert_eq!(chosen, [2, 3, 2]);
        assert_eq!(policy.next(&THREADS, at, lock(8)), ThreadId(2), "at another lock");
        assert_eq!(policy.next(&THREADS, None, lock(7)), ThreadId(1), "it cannot go on");
        assert_eq!([policy.pick(2), policy.pick(2)], [1, 0]);
        assert_eq!(policy.drift(), 0);
    }

    #[test]
    fn a_choice_that_is_not_there_is_left_out_and_counted() {
        let mut policy = Deviations::new(&[deviation("2 lock 7 1 9"), deviation("- pick 0 1 5")]);
        assert_eq!(policy.next(&THREADS, Some(ThreadId(2)), lock(7)), ThreadId(2));
        assert_eq!(policy.pick(2), 0);
        assert_eq!(policy.drift(), 2);
        let mut policy = Deviations::new(&[deviation("2 lock 7 1 3"), deviation("2 lock 7 2 3")]);
        assert_eq!(policy.next(&THREADS, Some(ThreadId(2)), lock(7)), ThreadId(3));
        assert_eq!(policy.drift(), 1, "nobody has come to the other");
    }

    #[test]
    fn what_is_noted_chooses_the_same_again() {
        let steps = [(Some(ThreadId(1)), 4), (None, 4), (Some(ThreadId(1)), 4), (None, 5)];
        let behind = Deviations::new(&[deviation("1 lock 4 2 3"), deviation("- lock 4 1 2")]);
        let noted = Rc::default();
        let mut noting = Deviating::new(Box::new(behind), Rc::clone(&noted));
        let go = |policy: &mut dyn Policy| {
            steps.map(|(current, object)| policy.next(&THREADS, current, lock(object)).0)
        };
        let chosen = go(&mut noting);
        assert_eq!(chosen, [1, 2, 3, 1]);
        assert_eq!(noted.borrow().len(), 2, "what comes of itself is not noted");
        assert_eq!(go(&mut Deviations::new(&noted.borrow())), chosen);
    }
}
