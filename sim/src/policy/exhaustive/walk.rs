//! Which schedules are still to be taken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// A schedule, or its beginning: what is chosen at which turn, where it is not what is chosen if
/// nobody says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guide {
    /// By turn, in order.
    said: Vec<(u32, u32)>,
    /// Turns that this is about.
    turns: u32,
}

impl Guide {
    /// A whole schedule.
    fn whole(said: Vec<(u32, u32)>) -> Self {
        Guide { said, turns: u32::MAX }
    }

    pub(super) fn at(&self, turn: usize) -> Option<u32> {
        let said = self.said.binary_search_by_key(&(turn as u32), |(turn, _)| *turn);
        said.ok().map(|index| self.said[index].1)
    }

    /// Whether nothing is said of this turn and those after it.
    pub(super) fn is_behind(&self, turn: usize) -> bool {
        self.turns as usize <= turn
    }
}

impl fmt::Display for Guide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.said.is_empty() {
            return f.write_str("none");
        }
        let said: Vec<String> =
            self.said.iter().map(|(turn, chosen)| format!("{turn}:{chosen}")).collect();
        f.write_str(&said.join(","))
    }
}

impl FromStr for Guide {
    type Err = String;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Guide::whole(Vec::new()));
        }
        let one = |part: &str| {
            let (turn, chosen) = part.split_once(':')?;
            Some((turn.parse().ok()?, chosen.parse().ok()?))
        };
        let said: Option<Vec<(u32, u32)>> = text.split(',').map(one).collect();
        let said = said.filter(|said| said.is_sorted_by(|one, next| one.0 < next.0));
        said.map(Guide::whole).ok_or_else(|| {
            format!(
                "`{text}` is neither `none` nor ascending turns with choices, such as 12:3,40:2"
            )
        })
    }
}

/// One turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    /// What was chosen.
    pub(super) chosen: u32,
    /// What could be chosen; first what is, if nobody says otherwise.
    pub(super) among: &'a [u32],
    /// Preemptions before it.
    pub(super) preemptions: u32,
    /// Preemptions that it takes to choose another than the first.
    pub(super) cost: u32,
}

/// One run of a schedule through a process.
#[derive(Clone, Debug, Default)]
pub struct Passage {
    /// The states that any passage has come to.
    states: BTreeSet<u64>,
    /// What was chosen so far.
    said: Vec<(u32, u32)>,
    turns: u32,
    /// Schedules that part from it, with their preemptions.
    branches: Vec<(u32, Guide)>,
    /// Whether it goes on past states that another had come to.
    is_uncut: bool,
    /// Whether it has come to such a state, and another went on from there.
    is_known: bool,
    class: Option<u64>,
    new_points: u64,
    telling: Vec<u64>,
}

impl Passage {
    /// Notes a turn; `is_new` if its schedule does not say what to choose there or later.
    pub(super) fn take(&mut self, turn: Turn<'_>, state: Option<u64>, is_new: bool) {
        if is_new && !self.is_known {
            let is_known = state.is_some_and(|state| !self.states.insert(state));
            self.is_known = is_known && !self.is_uncut;
        }
        if is_new && !self.is_known {
            for other in turn.among.iter().filter(|other| **other != turn.chosen) {
                let mut said = self.said.clone();
                said.push((self.turns, *other));
                let guide = Guide { said, turns: self.turns + 1 };
                self.branches.push((turn.preemptions + turn.cost, guide));
            }
        }
        if turn.chosen != turn.among[0] {
            self.said.push((self.turns, turn.chosen));
        }
        self.turns += 1;
    }

    /// The process comes to a point behind what its schedule says; if it `is_news`, a crash may
    /// leave something else there than at the point before.
    pub(super) fn comes_to(&mut self, point: u64, is_news: bool) {
        if !self.is_known {
            self.new_points += 1;
            if is_news {
                self.telling.push(point);
            }
        }
    }

    /// The process has ended after so many points, and its steps are of this class.
    pub(super) fn end(&mut self, class: u64, points: u64) {
        self.class = Some(class);
        self.comes_to(points + 1, true);
    }

    /// How many of the points of the process, its end included, no passage had been at.
    pub fn new_points(&self) -> u64 {
        self.new_points
    }

    /// Those of them, in order, at which a crash may leave, or must not lose, something else than
    /// at the point before: the disk and the clients' knowledge change at no other.
    pub fn telling(&self) -> &[u64] {
        &self.telling
    }
}

/// All schedules of a process with at most so many preemptions.
#[derive(Debug)]
pub struct Walk {
    /// The states that any passage has come to; with the passage while there is one.
    states: BTreeSet<u64>,
    /// By preemptions, and then by how much is said: schedules to be taken.
    ahead: BTreeMap<(u32, usize), Vec<Guide>>,
    classes: BTreeSet<u64>,
    is_uncut: bool,
}

impl Walk {
    /// A walk that has taken no schedule.
    pub fn new() -> Self {
        let ahead = BTreeMap::from([((0, 0), vec![Guide::default()])]);
        Walk { states: BTreeSet::new(), ahead, classes: BTreeSet::new(), is_uncut: false }
    }

    /// A walk that takes every schedule from its beginning to its end, also past states that it
    /// knows: far more of them, which must not show more.
    pub fn uncut() -> Self {
        Walk { is_uncut: true, ..Walk::new() }
    }

    /// The next schedule; `None` if none is left that has at most `preemptions` of them.
    pub fn next(&mut self, preemptions: u32) -> Option<Guide> {
        let mut first = self.ahead.first_entry().filter(|entry| entry.key().0 <= preemptions)?;
        let guide = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        guide
    }

    /// Whether no schedule is left that has at most `preemptions` of them.
    pub fn is_done_with(&self, preemptions: u32) -> bool {
        self.ahead.first_key_value().is_none_or(|(first, _)| preemptions < first.0)
    }

    /// Where the policy that follows the next schedule notes what it meets.
    pub fn passage(&mut self) -> Passage {
        let (states, is_uncut) = (std::mem::take(&mut self.states), self.is_uncut);
        Passage { states, is_uncut, ..Passage::default() }
    }

    /// Takes over what the passage has met. Returns the whole schedule, and whether it is the first
    /// of its class.
    pub fn learn(&mut self, mut passage: Passage) -> (Guide, bool) {
        self.states = passage.states;
        for (cost, guide) in passage.branches.drain(..) {
            self.ahead.entry((cost, guide.said.len())).or_default().push(guide);
        }
        // One that came to a known state goes on as another did, or will.
        let class = passage.class.filter(|_| !passage.is_known);
        let guide = Guide::whole(passage.said);
        (guide, class.is_some_and(|class| self.classes.insert(class)))
    }
}

impl Default for Walk {
    fn default() -> Self {
        Walk::new()
    }
}
