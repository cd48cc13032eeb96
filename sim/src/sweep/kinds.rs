//! [`Kinds`]: how many kinds of something were met, and how likely the next is of another.

use std::collections::BTreeMap;

/// The kinds of a sequence of things, each known by a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// How often each was met.
    met: BTreeMap<u64, u32>,
    seen: u64,
}

impl Kinds {
    /// Takes in the next thing.
    pub fn add(&mut self, kind: u64) {
        self.seen += 1;
        let times = self.met.entry(kind).or_default();
        *times = times.saturating_add(1);
    }

    /// Things seen.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Kinds among them.
    pub fn distinct(&self) -> u64 {
        self.met.len() as u64
    }

    /// About how likely the next thing is of a kind that was not met so far: the share of those
    /// seen that are the only one of their kind. If there is none such, three in as many as were
    /// seen, which bounds it with 95 % confidence; if nothing was seen, 1.
    ///
    /// Source: Good, "The population frequencies of species", Biometrika 1953; the bound is the
    /// "rule of three". Both ask for things drawn independently: seeds are, and the few deaths of
    /// one run are not quite.
    pub fn chance_of_another(&self) -> f64 {
        let alone = self.met.values().filter(|times| **times == 1).count() as f64;
        let alone = if alone == 0.0 { 3.0 } else { alone };
        if self.seen == 0 { 1.0 } else { (alone / self.seen as f64).min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    fn of(things: impl IntoIterator<Item = u64>) -> Kinds {
        let mut kinds = Kinds::default();
        things.into_iter().for_each(|thing| kinds.add(thing));
        kinds
    }

    #[test]
    fn singletons_say_how_much_is_left() {
        let is = |kinds: Kinds, chance: f64| (kinds.chance_of_another() - chance).abs() < 1e-9;
        assert!(is(of([]), 1.0));
        assert!(is(of([7, 8, 9]), 1.0));
        let kinds = of([7, 7, 8, 9]);
        assert_eq!((kinds.seen(), kinds.distinct()), (4, 3));
        assert!(is(kinds, 0.5));
        assert!(is(of((0..1000).map(|thing| thing % 10)), 0.003));
    }

    #[test]
    fn the_chance_is_about_right() {
        // A thousand kinds, the first of which are met far more often.
        let mut stream = Stream::new(7, Purpose::Disk);
        let mut draw = || u64::from(stream.below(1000)) * u64::from(stream.below(1000)) / 1000;
        let mut kinds = of(std::iter::repeat_with(&mut draw).take(2000));
        let expected = kinds.chance_of_another();
        let known = kinds.distinct();
        let next: Vec<u64> = std::iter::repeat_with(&mut draw).take(20_000).collect();
        let others = next.iter().filter(|thing| !kinds.met.contains_key(thing)).count();
        let got = others as f64 / 20_000.0;
        assert!((expected - got).abs() < 0.03 && 0.02 < got, "{expected} against {got}");
        for thing in next {
            kinds.add(thing);
        }
        assert!(known < kinds.distinct() && kinds.chance_of_another() < expected / 3.0);
    }
}
