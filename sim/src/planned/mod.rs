//! A run by all that decides it: what a scenario and a seed draw, taken out of their hands.
//!
//! A seed means a run only as long as the generators draw the same. A [`Planned`] run names its
//! clients and their batches, its crashes and its faults one by one, so it stays what it is when
//! they change, and can be changed itself: [`crate::minimise`] does.

mod file;
mod words;

pub use file::PlanFile;
pub use words::{batch_from_words, batch_words};

use crate::fault::FaultConfig;
use crate::policy::Deviation;
use crate::run::{Mode, Runner, Verdict, caught, on_fresh_thread};
use crate::scenario::{Scenario, Without};
use crate::workload::{After, Plan};

/// A run by all that decides it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What clients do, on which machine, and where it crashes. It omits nothing.
    pub plan: Plan,
    /// The calls that go wrong.
    pub faults: FaultConfig,
    /// What is switched off.
    pub without: Without,
    /// The schedule, where it is not what comes of itself; without it the plan's policy decides.
    pub deviations: Option<Vec<Deviation>>,
}

impl Planned {
    /// What `seed` of `scenario` draws. Its faults are still the rates of the scenario.
    pub fn draw(scenario: &Scenario, seed: u64) -> Planned {
        let mut plan = Plan::draw(scenario, seed);
        let mut faults = scenario.spec.faults.clone();
        for kind in std::mem::take(&mut plan.omitted).faults {
            faults.leave_out(kind);
        }
        Planned { plan, faults, without: scenario.spec.without.clone(), deviations: None }
    }

    /// Runs it. `scenario` gives it its name, and nothing else.
    pub fn run(&self, runner: &mut Runner, scenario: &Scenario, mode: Mode) -> Verdict {
        let scenario = self.as_scenario(scenario);
        let mode = Mode { deviations: self.deviations.clone(), ..mode };
        runner.run_plan(&scenario, self.plan.clone(), mode)
    }

    /// As [`Planned::run`], on an OS thread of its own. A panic of the harness is in the verdict.
    pub fn run_on_fresh_thread(&self, scenario: &Scenario, mode: Mode) -> Verdict {
        let (planned, scenario) = (self.clone(), scenario.clone());
        on_fresh_thread(move |runner| caught(|| planned.run(runner, &scenario, mode)))
    }

    /// A scenario of the name and digest of `scenario` with what of this run is not in its plan.
    pub fn as_scenario(&self, scenario: &Scenario) -> Scenario {
        let mut scenario = scenario.clone();
        scenario.spec.faults = self.faults.clone();
        scenario.spec.without = self.without.clone();
        scenario
    }

    /// What there is of it.
    pub fn size(&self) -> Size {
        let plan = &self.plan;
        let crashes_of_scripts =
            plan.batches.iter().filter(|batch| matches!(batch.after, After::Crash(_)));
        Size {
            writers: plan.writers.len(),
            readers: plan.readers.len(),
            batches: plan.batches.len(),
            ops: plan.batches.iter().map(|batch| batch.ops.len()).sum(),
            crashes: plan.crashes.len() + crashes_of_scripts.count(),
            faults: self.faults.is_scripted().then_some(self.faults.script.len()),
            choices: self.deviations.as_ref().map(Vec::len),
        }
    }
}

/// How much there is of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Size {
    pub writers: usize,
    pub readers: usize,
    pub batches: usize,
    pub ops: usize,
    pub crashes: usize,
    /// If no rate stands in their place.
    pub faults: Option<usize>,
    /// Of the scheduler, if no policy stands in their place.
    pub choices: Option<usize>,
}
