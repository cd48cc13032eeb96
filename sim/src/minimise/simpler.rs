//! What can be made simpler without taking it out.

use crate::planned::Planned;
use crate::policy::PolicyName;
use crate::scenario::CrashKind;
use crate::workload::{After, Moment, Plan, PlannedCrash, Trigger};

use super::parts::change;

/// Runs that are simpler than `of` in one respect each, the boldest of each kind first. None can be
/// reached from itself: whoever takes one after the other comes to an end.
pub(super) fn simpler(of: &Planned) -> Vec<Planned> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Planned)| {
        let mut planned = of.clone();
        change(&mut planned);
        all.push(planned);
    };
    machine(&of.plan, &mut add);
    for (number, crash) in of.plan.crashes.iter().enumerate() {
        for simpler in simpler_crashes(crash) {
            add(&|planned| planned.plan.crashes[number] = simpler);
        }
    }
    crashes_of_writers(&of.plan, &mut add);
    batches(&of.plan, &mut add);
    for (number, rounds) in of.plan.readers.iter().enumerate() {
        for fewer in smaller(*rounds) {
            add(&|planned| planned.plan.readers[number] = fewer);
        }
    }
    keys(&of.plan, &mut add);
    for (number, rule) in of.faults.script.iter().enumerate() {
        for earlier in smaller(rule.nth).into_iter().filter(|nth| *nth > 0) {
            add(&|planned| planned.faults.script[number].nth = earlier);
        }
    }
    all
}

type Add<'a> = dyn FnMut(&dyn Fn(&mut Planned)) + 'a;

fn machine(plan: &Plan, add: &mut Add<'_>) {
    if plan.capacity.is_some() {
        add(&|planned| planned.plan.capacity = None);
    }
    if plan.resume {
        add(&|planned| planned.plan.resume = false);
    }
    if plan.holds > 0.0 {
        add(&|planned| planned.plan.holds = 0.0);
    }
    if plan.previews > 0.0 {
        add(&|planned| planned.plan.previews = 0.0);
    }
    if plan.engine.snappy {
        add(&|planned| planned.plan.engine.snappy = false);
    }
    if plan.engine.filter {
        add(&|planned| planned.plan.engine.filter = false);
    }
    // So that nothing is flushed but what has to be.
    let large = 4 << 20;
    if plan.engine.write_buffer_size < large || plan.engine.reopened_write_buffer_size < large {
        add(&|planned| {
            planned.plan.engine.write_buffer_size = large;
            planned.plan.engine.reopened_write_buffer_size = large;
        });
    }
    if plan.policy != PolicyName::Random {
        add(&|planned| planned.plan.policy = PolicyName::Random);
    }
}

/// What is below a number, and bold first: nothing, half, three quarters.
fn smaller(number: u32) -> Vec<u32> {
    let mut below = Vec::new();
    if number > 0 {
        below.extend([0, number / 2, number - number.div_ceil(4)]);
        below.dedup();
    }
    below
}

fn simpler_crashes(crash: &PlannedCrash) -> Vec<PlannedCrash> {
    let mut all = Vec::new();
    if crash.kind == CrashKind::PowerLoss {
        all.push(PlannedCrash { kind: CrashKind::Kill, ..*crash });
    }
    match crash.trigger {
        Trigger::Point(point) => {
            let points = smaller(u32::try_from(point).unwrap_or(u32::MAX));
            let at = |point| Trigger::Point(u64::from(point));
            all.extend(points.into_iter().map(|p| PlannedCrash { trigger: at(p), ..*crash }));
        }
        Trigger::Call { calls, nth, moment } => {
            let at = |nth, moment| Trigger::Call { calls, nth, moment };
            let moments = match moment {
                Moment::Before => vec![],
                Moment::After => vec![Moment::Before],
                Moment::Inside(0) => vec![Moment::Before, Moment::After],
                Moment::Inside(_) => vec![Moment::Before, Moment::After, Moment::Inside(0)],
            };
            let moments = moments.into_iter().map(|moment| at(nth, moment));
            let earlier = smaller(nth).into_iter().map(|nth| at(nth, moment));
            let triggers = moments.chain(earlier);
            all.extend(triggers.map(|trigger| PlannedCrash { trigger, ..*crash }));
        }
    }
    all
}

/// Of so many batches at most it is tried to crash behind each.
const FEW_BATCHES: usize = 8;
/// Of so many operations at most each is looked at by itself, and each batch: more are better taken
/// out first.
const FEW_OPS: usize = 64;

/// A crash that counts calls is simpler where it is a step of a writer. All of them at once, too:
/// which crash is meant for a process may hang on one before it that never strikes.
fn crashes_of_writers(plan: &Plan, add: &mut Add<'_>) {
    if plan.batches.len() > FEW_BATCHES {
        return;
    }
    let has_power_loss = plan.crashes.iter().any(|crash| crash.kind == CrashKind::PowerLoss);
    let harshest = if has_power_loss { CrashKind::PowerLoss } else { CrashKind::Kill };
    let all = (plan.crashes.len() > 1).then_some((0..plan.crashes.len(), harshest));
    let each = plan.crashes.iter().enumerate().map(|(at, crash)| (at..at + 1, crash.kind));
    for (which, kind) in all.into_iter().chain(each) {
        for (batch, planned) in plan.batches.iter().enumerate() {
            if planned.after == After::Nothing {
                add(&|planned| {
                    planned.plan.crashes.drain(which.clone());
                    planned.plan.batches[batch].after = After::Crash(kind);
                });
            }
        }
    }
}

fn batches(plan: &Plan, add: &mut Add<'_>) {
    if plan.ops.iter().any(|op| op.value.is_some_and(|bytes| bytes > 0)) {
        add(&|planned| {
            for op in &mut planned.plan.ops {
                op.value = op.value.map(|_| 0);
            }
        });
    }
    if plan.ops.len() > FEW_OPS {
        return;
    }
    for (number, batch) in plan.batches.iter().enumerate() {
        if batch.after == After::Crash(CrashKind::PowerLoss) {
            add(&|planned| planned.plan.batches[number].after = After::Crash(CrashKind::Kill));
        }
        if batch.after != After::Nothing {
            add(&|planned| planned.plan.batches[number].after = After::Nothing);
        }
        if batch.sync {
            add(&|planned| planned.plan.batches[number].sync = false);
        }
        if batch.no_wait {
            add(&|planned| planned.plan.batches[number].no_wait = false);
        }
    }
    for (number, op) in plan.ops.iter().enumerate() {
        for fewer in smaller(op.value.unwrap_or(0)) {
            add(&|planned| planned.plan.ops[number].value = Some(fewer));
        }
    }
}

/// Keys are numbered anew, without gaps, from the first one that is an ordinary short text.
fn keys(plan: &Plan, add: &mut Add<'_>) {
    const FIRST: u32 = 2;
    let mut used: Vec<u32> = plan.ops.iter().map(|op| op.key).collect();
    used.sort_unstable();
    used.dedup();
    let end = FIRST + used.len() as u32;
    if plan.keys == end && used.iter().copied().eq(FIRST..end) {
        return;
    }
    add(&|planned| {
        planned.plan.keys = end;
        change(planned, |clients| {
            for (batch, ops) in clients.iter_mut().flatten() {
                for op in ops {
                    op.key = FIRST + used.partition_point(|key| *key < op.key) as u32;
                }
                if let After::Compact(keys) = &mut batch.after {
                    *keys = [0, end - 1];
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Phase;
    use crate::planned::{batch_from_words, batch_words};
    use crate::scenario::Without;
    use crate::workload::Calls;

    fn planned() -> Planned {
        let mut plan = Plan { keys: 9, readers: vec![3], resume: true, ..Plan::idle() };
        let words = "put 0 300, delete 7; sync; no_wait; then compact 1 8";
        batch_from_words(&mut plan, 0, words).expect(words);
        plan.writers.push(0..1);
        let trigger = Trigger::Call { calls: Calls::LogAppend, nth: 5, moment: Moment::Inside(3) };
        let kind = CrashKind::PowerLoss;
        plan.crashes.push(PlannedCrash { kind, trigger, phase: Phase::Run });
        let faults = crate::fault::FaultConfig::default();
        Planned { plan, faults, without: Without::default(), deviations: None }
    }

    #[test]
    fn whoever_makes_it_simpler_comes_to_an_end() {
        let mut planned = planned();
        let mut steps = 0;
        while let Some(simpler) = simpler(&planned).pop() {
            planned = simpler;
            steps += 1;
            assert!(steps < 1000, "{planned:?}");
        }
        let plan = &planned.plan;
        assert_eq!(batch_words(plan, &plan.batches[0]), "put 2 0, delete 3");
        assert_eq!((plan.keys, plan.resume, &plan.readers[..]), (4, false, &[0][..]));
        assert_eq!(plan.crashes, []);
    }

    #[test]
    fn each_differs_in_one_respect() {
        let words: Vec<String> = simpler(&planned())
            .iter()
            .map(|planned| batch_words(&planned.plan, &planned.plan.batches[0]))
            .collect();
        for simpler in [
            "put 0 0, delete 7; sync; no_wait; then compact 1 8",
            "put 0 150, delete 7; sync; no_wait; then compact 1 8",
            "put 0 300, delete 7; no_wait; then compact 1 8",
            "put 0 300, delete 7; sync; then compact 1 8",
            "put 0 300, delete 7; sync; no_wait",
            "put 2 300, delete 3; sync; no_wait; then compact 0 3",
        ] {
            assert!(words.iter().any(|of| of == simpler), "{simpler} is none of {words:#?}");
        }
    }

    #[test]
    fn crashes_come_earlier_and_in_whole_moments() {
        let all = simpler(&planned());
        let at = |kind, nth, moment| {
            let trigger = Trigger::Call { calls: Calls::LogAppend, nth, moment };
            vec![PlannedCrash { kind, trigger, phase: Phase::Run }]
        };
        let power = CrashKind::PowerLoss;
        for crashes in [
            at(CrashKind::Kill, 5, Moment::Inside(3)),
            at(power, 0, Moment::Inside(3)),
            at(power, 2, Moment::Inside(3)),
            at(power, 5, Moment::After),
            at(power, 5, Moment::Before),
        ] {
            assert!(all.iter().any(|of| of.plan.crashes == crashes), "{crashes:?}");
        }
    }

    #[test]
    fn smaller_numbers_come_to_nothing_in_few_steps() {
        let mut number = 300_000;
        let mut steps = 0;
        while let Some(below) = smaller(number).last() {
            assert!(*below < number);
            number = *below;
            steps += 1;
        }
        assert!(number == 0 && steps < 50, "{steps} steps to {number}");
    }
}
