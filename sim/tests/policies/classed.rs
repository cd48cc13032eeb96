//! The class of a schedule that a policy chose, noted beside it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use faultline_sim::kernel::{Kernel, Limits};
use faultline_sim::policy::{Classed, PolicyName};
use faultline_sim::run::{Mode, on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};
use faultline_sim::trace::Trace;

use super::exhaustive::two_of_three;
use super::{Log, carry_out};

#[test]
fn a_class_is_an_order_of_conflicting_steps() {
    let met = on_fresh_thread(|_| {
        let kernel = Kernel::new(PolicyName::Random.build(0), Trace::new(false));
        let log = Log::default();
        let mut met: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for seed in 0..2000 {
            let class = Rc::new(Cell::new(None));
            let policy = Classed::new(PolicyName::Random.build(seed), Rc::clone(&class));
            kernel.reset(Box::new(policy), Trace::new(false));
            carry_out(&kernel, Limits::NONE, two_of_three, &log);
            let order = log.take();
            assert_eq!(class.get(), None, "another process says that the first has ended");
            carry_out(&kernel, Limits::NONE, |_| (), &log);
            met.entry(order).or_default().insert(class.get().expect("it has ended"));
        }
        met
    });
    // As many as a walk over all schedules finds.
    assert_eq!(met.len(), 20);
    let classes: BTreeSet<u64> = met.values().flatten().copied().collect();
    assert_eq!(classes.len(), 20, "one each: {met:?}");
}

#[test]
fn looking_at_a_class_leaves_the_run_alone() {
    let is_tiny = |scenario: &Scenario| scenario.name == "tiny_two_syncs";
    let tiny = embedded().expect("they are right").into_iter().find(is_tiny).expect("is there");
    for policy in PolicyName::EACH {
        let mut scenario = tiny.clone();
        scenario.spec.policy = Some(policy.to_string());
        let classes: BTreeSet<u64> = on_fresh_thread(move |runner| {
            let mut classed = |seed| {
                let mut run = |note_class| {
                    runner.run(&scenario, seed, Mode { note_class, ..Mode::default() })
                };
                let (plain, classed) = (run(false), run(true));
                assert_eq!(plain.class, None);
                assert_eq!(plain.trace_hash, classed.trace_hash, "seed {seed}");
                // Whatever has run before it.
                assert_eq!(run(true).class, classed.class, "seed {seed}");
                classed.class.expect("there is a second process")
            };
            (0..20).map(&mut classed).collect()
        });
        assert!(10 < classes.len(), "{policy}: {}", classes.len());
    }
}
