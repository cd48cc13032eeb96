//! The search: which candidates are tried, and in which order.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a budget of wall time")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::parts::{CHOICES, PARTS, Part};
use super::simpler::simpler;
use super::{Effort, Minimised};
use crate::checker::Violation;
use crate::fault::{FaultConfig, Phase};
use crate::planned::Planned;
use crate::policy::PolicyName;
use crate::run::{Mode, Runner, Verdict};
use crate::scenario::Scenario;
use crate::sweep::{FailureKind, Seeds, Sweep};
use crate::workload::Trigger;

/// With how many seeds of what is drawn during a run each candidate is tried beside its own: few
/// for as long as that helps.
const STREAMS: [u64; 3] = [2, 8, 32];

/// A candidate without an end is given up.
const RUN_TIMEOUT: Duration = Duration::from_secs(30);

/// What is broken, and must be broken by what comes out.
type Broken = (&'static str, &'static str);

pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    broken: Broken,
    best: Planned,
    tried: u64,
    jobs: usize,
    until: Option<Instant>,
    progress: &'a mut dyn FnMut(&Planned, u64) -> ControlFlow<()>,
    /// Whether the time is over or the caller has enough.
    is_over: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        best: Planned,
        violation: &Violation,
        effort: Effort,
        progress: &'a mut dyn FnMut(&Planned, u64) -> ControlFlow<()>,
    ) -> Self {
        Search {
            scenario,
            broken: (violation.checker, violation.promise),
            best,
            tried: 0,
            jobs: effort.jobs,
            until: effort.budget.map(|budget| Instant::now() + budget),
            progress,
            is_over: false,
        }
    }

    pub(super) fn into_minimised(self) -> Minimised {
        Minimised { planned: self.best, tried: self.tried, is_complete: !self.is_over }
    }

    pub(super) fn run(&mut self) {
        self.name_faults();
        self.reduce_all();
        if self.name_choices() {
            while self.reduce(CHOICES, 0) | self.reduce_parts(0) | self.simplify(0) {}
        }
    }

    /// Takes out and makes simpler until nothing more can be, with more and more seeds.
    fn reduce_all(&mut self) {
        for streams in STREAMS {
            while self.reduce_parts(streams) | self.simplify(streams) {}
        }
    }

    /// Takes out parts of each kind until none can go; true if anything was gained.
    fn reduce_parts(&mut self, streams: u64) -> bool {
        let mut gained = false;
        while PARTS.into_iter().fold(false, |more, part| self.reduce(part, streams) | more) {
            gained = true;
        }
        gained
    }

    /// Takes parts out: all, then halves, then quarters, down to single ones.
    fn reduce(&mut self, part: Part, streams: u64) -> bool {
        let mut gained = false;
        let mut size = (part.count)(&self.best);
        while size > 0 && !self.is_over {
            let mut at = 0;
            loop {
                let count = (part.count)(&self.best);
                let chunks: Vec<_> =
                    (at..count).step_by(size).map(|from| from..count.min(from + size)).collect();
                let candidates = chunks.iter().map(|chunk| {
                    let mut candidate = self.best.clone();
                    (part.remove)(&mut candidate, chunk);
                    candidate
                });
                // A part that cannot be taken out altogether changes nothing.
                let candidates: Vec<_> = candidates.filter(|of| (part.count)(of) < count).collect();
                let Some(taken) = self.take_first(&candidates, streams) else { break };
                gained = true;
                // What comes behind it has moved to its place.
                at = chunks[taken].start;
            }
            size /= 2;
        }
        gained
    }

    fn simplify(&mut self, streams: u64) -> bool {
        let mut gained = false;
        let mut from = 0;
        loop {
            let candidates = simpler(&self.best);
            let ahead = &candidates[from.min(candidates.len())..];
            match self.take_first(ahead, streams) {
                // What is behind it can wait: most of it was tried just now.
                Some(taken) => from += taken,
                None if from == 0 || self.is_over => return gained,
                None => {
                    from = 0;
                    continue;
                }
            }
            gained = true;
        }
    }

    /// Puts the faults that struck in the place of rates.
    fn name_faults(&mut self) {
        let faults = FaultConfig::of_script(self.course().handed_out);
        let candidate = Planned { faults, ..self.best.clone() };
        self.take_first(&[candidate], 0);
    }

    /// Puts the choices of the scheduler in the place of its policy: none if it fails without any,
    /// else those of a policy that makes few, if it fails with one.
    fn name_choices(&mut self) -> bool {
        let most = STREAMS[STREAMS.len() - 1];
        let of_itself = Planned { deviations: Some(Vec::new()), ..self.best.clone() };
        if self.take_first(&[of_itself], most).is_some() {
            return true;
        }
        let by = |policy| {
            let mut candidate = self.best.clone();
            candidate.plan.policy = policy;
            candidate
        };
        let sparing = [PolicyName::Sticky, PolicyName::Pct(2)].map(by);
        self.take_first(&sparing, most);
        let deviations = Some(self.course().deviations);
        let candidate = Planned { deviations, ..self.best.clone() };
        self.take_first(&[candidate], 0).is_some()
    }

    /// The best so far, with what it drew on its way.
    fn course(&self) -> Verdict {
        let mode = Mode { note_course: true, ..Mode::default() };
        self.best.run_on_fresh_thread(self.scenario, mode)
    }

    /// Tries candidates, each in its variants; the first that breaks the promise becomes the best.
    /// Returns which it was.
    fn take_first(&mut self, candidates: &[Planned], streams: u64) -> Option<usize> {
        let variants: Vec<(usize, Planned)> = candidates
            .iter()
            .enumerate()
            .flat_map(|(number, of)| variants(of, streams).map(move |variant| (number, variant)))
            .collect();
        let variants: Arc<[(usize, Planned)]> = variants.into();
        let mut from = 0;
        while from < variants.len() as u64 && !self.is_over {
            let (index, is_it) = self.first_failure(&variants, from)?;
            if is_it {
                let (number, best) = &variants[index as usize];
                self.best = best.clone();
                return Some(*number);
            }
            // Its run had no end, or the simulator failed: not what is looked for.
            from = index + 1;
        }
        None
    }

    /// The first of the variants behind `from` that fails, and whether it breaks the promise.
    fn first_failure(
        &mut self,
        variants: &Arc<[(usize, Planned)]>,
        from: u64,
    ) -> Option<(u64, bool)> {
        let now = Instant::now();
        let sweep = Sweep {
            scenarios: Arc::from([self.scenario.clone()]),
            seeds: Seeds::Range(from, variants.len() as u64),
            jobs: self.jobs.min(variants.len()),
            time_budget: self.until.map(|until| until.saturating_duration_since(now)),
            failures_max: 1,
            check_determinism: 0.0,
            classed: 0.0,
            run_timeout: RUN_TIMEOUT,
            out: None,
        };
        let (tried, broken) = (Arc::clone(variants), self.broken);
        let carry_out = move |runner: &mut Runner, scenario: &Scenario, index: u64, mode: Mode| {
            let mut verdict = tried[index as usize].1.run(runner, scenario, mode);
            if verdict.violations.first().is_none_or(|v| (v.checker, v.promise) != broken) {
                verdict.violations.clear();
            }
            verdict
        };
        let (best, before) = (&self.best, self.tried);
        let (mut is_over, progress) = (false, &mut *self.progress);
        let totals = sweep.run_with(Box::new(carry_out), &mut |totals| {
            let flow = progress(best, before + totals.runs);
            is_over |= flow.is_break();
            flow
        });
        self.tried += totals.runs;
        self.is_over |= is_over || self.until.is_some_and(|until| Instant::now() >= until);
        let failure = totals.failures.first()?;
        Some((failure.seed, matches!(failure.what, FailureKind::Violations(_))))
    }
}

/// A candidate as it is, and with other seeds and all that strikes it earlier.
fn variants(of: &Planned, streams: u64) -> impl Iterator<Item = Planned> {
    let mut retimed = vec![of.clone()];
    if streams > 0 {
        let mut earlier = of.clone();
        for divisor in [2, 8] {
            if bring_forward(&mut earlier, divisor) {
                retimed.push(earlier.clone());
            }
        }
    }
    let own = of.plan.seed;
    let seeds = std::iter::once(own).chain((0..streams).filter(move |seed| *seed != own));
    seeds.flat_map(move |seed| {
        let seeded = move |mut planned: Planned| {
            planned.plan.seed = seed;
            planned
        };
        retimed.clone().into_iter().map(seeded)
    })
}

/// Divides what counts until something strikes: calls until a crash of clients at work or a fault,
/// bytes until the disk is full. False if that changes nothing.
fn bring_forward(planned: &mut Planned, divisor: u32) -> bool {
    let mut has_changed = false;
    for crash in planned.plan.crashes.iter_mut().filter(|crash| crash.phase == Phase::Run) {
        has_changed |= match &mut crash.trigger {
            Trigger::Point(point) => divide(point, u64::from(divisor)),
            Trigger::Call { nth, .. } => divide(nth, divisor),
        };
    }
    for rule in planned.faults.script.iter_mut().filter(|rule| rule.nth > 1) {
        rule.nth = (rule.nth / divisor).max(1);
        has_changed = true;
    }
    if let Some(capacity) = planned.plan.capacity.as_mut().filter(|capacity| **capacity > 1) {
        *capacity = (*capacity / u64::from(divisor)).max(1);
        has_changed = true;
    }
    has_changed
}

fn divide<N: Copy + PartialEq + std::ops::Div<Output = N>>(number: &mut N, divisor: N) -> bool {
    let before = *number;
    *number = before / divisor;
    *number != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{CrashKind, Without};
    use crate::workload::{Calls, Moment, Plan, PlannedCrash};

    fn planned() -> Planned {
        let mut plan = Plan { seed: 1, capacity: Some(4000), ..Plan::idle() };
        for phase in [Phase::Run, Phase::Recovery] {
            let (calls, moment) = (Calls::LogAppend, Moment::After);
            let trigger = Trigger::Call { calls, nth: 9, moment };
            plan.crashes.push(PlannedCrash { kind: CrashKind::Kill, trigger, phase });
        }
        let faults = toml::from_str("[[script]]\nkind = \"sync_error\"\nnth = 5");
        let faults = faults.expect("faults");
        Planned { plan, faults, without: Without::default(), deviations: None }
    }

    /// Its seed, then what each of its crashes and its fault counts to, and how large its disk is.
    fn of(planned: &Planned) -> (u64, [u32; 3], Option<u64>) {
        let nth = |crash: &PlannedCrash| match crash.trigger {
            Trigger::Call { nth, .. } => nth,
            Trigger::Point(_) => unreachable!("there is none"),
        };
        let crashes = &planned.plan.crashes;
        let counts = [nth(&crashes[0]), nth(&crashes[1]), planned.faults.script[0].nth];
        (planned.plan.seed, counts, planned.plan.capacity)
    }

    #[test]
    fn a_candidate_is_tried_as_it_is_then_earlier_then_with_other_seeds() {
        let as_it_is = (1, [9, 9, 5], Some(4000));
        let all: Vec<_> = variants(&planned(), 0).map(|variant| of(&variant)).collect();
        assert_eq!(all, [as_it_is]);
        let all: Vec<_> = variants(&planned(), 3).map(|variant| of(&variant)).collect();
        // A crash during recovery counts calls that are the same, however little was done before.
        let earlier = [(1, [4, 9, 2], Some(2000)), (1, [0, 9, 1], Some(250))];
        assert_eq!(all[..3], [as_it_is, earlier[0], earlier[1]]);
        let seeds: Vec<u64> = all.iter().map(|(seed, ..)| *seed).collect();
        assert_eq!(seeds, [1, 1, 1, 0, 0, 0, 2, 2, 2]);
    }

    #[test]
    fn what_cannot_come_earlier_has_no_variant() {
        let mut at_once = planned();
        while bring_forward(&mut at_once, 8) {}
        assert_eq!(of(&at_once), (1, [0, 9, 1], Some(1)));
        assert_eq!(variants(&at_once, 2).count(), 2);
    }
}
