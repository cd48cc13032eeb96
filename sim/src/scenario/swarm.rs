//! Swarm: each seed omits a part of what its scenario may do.
//!
//! What a scenario allows all at once hides what needs a part of it alone: where every other batch
//! is flushed, no memtable grows; where most syncs fail, nothing lives to see the second fault. So
//! a seed draws, for each feature and each kind of fault, whether this run has it at all (Groce,
//! Zhang, Eide, Chen, Regehr: "Swarm testing", ISSTA 2012; they omit half, too).

use std::borrow::Cow;
use std::fmt;

use super::{Count, Spec};
use crate::fault::FaultKind;
use crate::rng::{Purpose, Stream};

/// What of its scenario a seed goes without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// Fields of the scenario, as if they were not given or 0.
    pub fields: Vec<&'static str>,
    /// Kinds of faults that never strike.
    pub faults: Vec<FaultKind>,
}

impl Omitted {
    /// Whether the run is all that its scenario says.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.faults.is_empty()
    }
}

impl fmt::Display for Omitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.faults.iter().map(|kind| kind.name());
        let names: Vec<&str> = self.fields.iter().copied().chain(faults).collect();
        f.write_str(&names.join(", "))
    }
}

/// The value of a field that can be omitted.
trait Feature {
    const NONE: Self;
    fn is_on(&self) -> bool;
}

impl Feature for f64 {
    const NONE: f64 = 0.0;

    fn is_on(&self) -> bool {
        *self > 0.0
    }
}

impl Feature for Count {
    const NONE: Count = Count::Exactly(0);

    fn is_on(&self) -> bool {
        *self != Self::NONE
    }
}

impl Feature for Option<Count> {
    const NONE: Option<Count> = None;

    fn is_on(&self) -> bool {
        self.is_some()
    }
}

fn omit<T: Feature>(field: &mut T, name: &'static str, draw: &mut Draw<'_>) {
    if field.is_on() && draw.stream.chance(draw.share) {
        *field = T::NONE;
        draw.omitted.fields.push(name);
    }
}

struct Draw<'a> {
    share: f64,
    stream: &'a mut Stream,
    omitted: Omitted,
}

macro_rules! omit {
    ($spec:ident, $draw:ident, $($table:ident.$field:ident)*) => {
        $(omit(&mut $spec.$table.$field, stringify!($field), &mut $draw);)*
    };
}

impl Spec {
    /// What is left of the scenario for `seed`, and what is not. The whole of it if
    /// [`Spec::swarm`] is 0.
    pub(crate) fn of_seed(&self, seed: u64) -> (Cow<'_, Spec>, Omitted) {
        if self.swarm <= 0.0 {
            return (Cow::Borrowed(self), Omitted::default());
        }
        let mut spec = self.clone();
        let mut stream = Stream::new(seed, Purpose::Swarm);
        let (share, omitted) = (self.swarm, Omitted::default());
        let mut draw = Draw { share, stream: &mut stream, omitted };
        omit!(spec, draw,
            workload.sync workload.deletes workload.empty workload.large workload.hot
            workload.flushes workload.compactions workload.syncs workload.readers workload.holds
            workload.previews workload.resume workload.no_wait
            engine.reopened_write_buffer_size engine.snappy engine.filter
            disk.capacity
            crash.in_recovery crash.in_close
        );
        for kind in self.faults.kinds() {
            if draw.stream.chance(share) {
                draw.omitted.faults.push(kind);
            }
        }
        (Cow::Owned(spec), draw.omitted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::scenario::Scenario;

    const TEXT: &str = "about = \"all\"\nswarm = 0.5\n[workload]\nflushes = 0.1\nreaders = 2\n\
        [disk]\ncapacity = 50000\n[faults]\nsync_error = 0.1\n\
        [[faults.script]]\nkind = \"open_error\"\n";

    #[test]
    fn each_part_is_there_in_some_seeds_and_omitted_in_others() {
        let scenario = Scenario::parse("all", "all.toml", TEXT).expect("a scenario");
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let (spec, omitted) = scenario.spec.of_seed(seed);
            let words = omitted.to_string();
            for (name, is_there) in [
                ("flushes", spec.workload.flushes > 0.0),
                ("readers", spec.workload.readers == scenario.spec.workload.readers),
                ("capacity", spec.disk.capacity.is_some()),
            ] {
                assert_eq!(is_there, !omitted.fields.contains(&name), "{seed}: {words}");
                seen.insert((name, is_there));
            }
            for kind in scenario.spec.faults.kinds() {
                seen.insert((kind.name(), !omitted.faults.contains(&kind)));
            }
            // What the scenario does not have cannot be omitted.
            assert!(!words.contains("compactions") && !words.contains("read_error"), "{words}");
        }
        assert_eq!(seen.len(), 2 * 5, "{seen:?}");
    }

    #[test]
    fn nothing_is_omitted_unless_asked_for() {
        let text = TEXT.replace("swarm = 0.5\n", "");
        let scenario = Scenario::parse("all", "all.toml", &text).expect("a scenario");
        let (spec, omitted) = scenario.spec.of_seed(3);
        assert!(omitted.is_empty() && *spec == scenario.spec);
    }
}
