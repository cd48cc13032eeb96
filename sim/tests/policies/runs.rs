//! Whole runs under the policies that count events in a run before.

use faultline_sim::policy::PolicyName;
use faultline_sim::run::{Mode, run_on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};

const COUNTING: [PolicyName; 2] = [PolicyName::Urw, PolicyName::Surw];

/// The scenarios of the repository, under another policy.
fn scenarios(policy: &PolicyName) -> Vec<Scenario> {
    let mut scenarios = embedded().expect("the scenarios of the repository");
    for scenario in &mut scenarios {
        scenario.spec.policy = Some(policy.to_string());
    }
    scenarios
}

#[test]
fn one_seed_is_one_trace_and_its_schedule_is_the_same_run() {
    for policy in COUNTING {
        for scenario in scenarios(&policy) {
            let run = |mode| run_on_fresh_thread(&scenario, 3, mode);
            let recorded = run(Mode { record_schedule: true, ..Mode::default() });
            assert_eq!(recorded.harness_error, None, "{policy} {}", scenario.name);
            assert!(recorded.violations.is_empty(), "{policy} {}", scenario.name);
            assert!(recorded.points > 0);
            let again = run(Mode::default());
            assert_eq!(recorded.trace_hash, again.trace_hash, "{policy} {}", scenario.name);
            let followed = run(Mode { schedule: Some(recorded.schedule), ..Mode::default() });
            assert_eq!(recorded.trace_hash, followed.trace_hash, "{policy} {}", scenario.name);
            assert_eq!(followed.drift, 0, "{policy} {}", scenario.name);
        }
    }
}

#[test]
fn the_policies_take_ways_of_their_own() {
    let hash = |policy| run_on_fresh_thread(&scenarios(policy)[0], 3, Mode::default()).trace_hash;
    let hashes = PolicyName::EACH.each_ref().map(hash);
    for (index, one) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(one), "{}", PolicyName::EACH[index]);
    }
}

/// A run that only counts can be the one that breaks a promise.
#[test]
fn a_failure_while_counting_is_one_of_the_seed() {
    for policy in COUNTING {
        let mut liar = scenarios(&policy).swap_remove(0);
        liar.spec.disk.swallow_syncs = true;
        let found = (0..50).find_map(|seed| {
            let run = |mode| run_on_fresh_thread(&liar, seed, mode);
            let verdict = run(Mode { record_schedule: true, ..Mode::default() });
            assert_eq!(verdict.harness_error, None);
            let again = run(Mode::default());
            assert_eq!(verdict.trace_hash, again.trace_hash);
            let violation = verdict.violations.first()?.to_string();
            let followed = run(Mode { schedule: Some(verdict.schedule), ..Mode::default() });
            assert_eq!(followed.violations.first().map(ToString::to_string), Some(violation));
            assert_eq!(verdict.trace_hash, followed.trace_hash);
            Some(seed)
        });
        assert!(found.is_some(), "{policy}: a disk that lies is caught");
    }
}
