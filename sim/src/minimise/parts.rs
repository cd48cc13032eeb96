//! What can be taken out of a run, piece by piece.

use std::ops::Range;

use crate::fault::FaultKind;
use crate::planned::Planned;
use crate::workload::{Plan, PlannedBatch, PlannedOp};

/// One kind of part.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// How many there are.
    pub(super) count: fn(&Planned) -> usize,
    /// Takes these out.
    pub(super) remove: fn(&mut Planned, &Range<usize>),
}

/// The parts of a run, in the order in which it is tried to do without them: what costs most to
/// follow goes first.
pub(super) const PARTS: [Part; 7] =
    [CRASHES, DAMAGES, READERS, FAULTS, WRITERS, BATCHES, OPERATIONS];

const CRASHES: Part = Part { count: |of| of.plan.crashes.len(), remove: remove_crashes };
const DAMAGES: Part = Part { count: |of| of.plan.damages.len(), remove: remove_damages };
const READERS: Part = Part { count: |of| of.plan.readers.len(), remove: remove_readers };
const WRITERS: Part = Part { count: |of| of.plan.writers.len(), remove: remove_writers };
const BATCHES: Part = Part { count: |of| of.plan.batches.len(), remove: remove_batches };
const FAULTS: Part = Part { count: count_faults, remove: remove_faults };
const OPERATIONS: Part = Part { count: |of| of.plan.ops.len(), remove: remove_ops };

/// The choices of the scheduler: there are some only at the end.
pub(super) const CHOICES: Part = Part { count: count_choices, remove: remove_choices };

/// The batches of a plan as a list for each writer, each with its operations: a plan that is easy
/// to change.
pub(super) type Clients = Vec<Vec<(PlannedBatch, Vec<PlannedOp>)>>;

pub(super) fn clients(plan: &Plan) -> Clients {
    let with_ops = |batch: &PlannedBatch| (batch.clone(), plan.ops_of(batch).to_vec());
    plan.batches_by_writer().map(|(_, batches)| batches.iter().map(with_ops).collect()).collect()
}

pub(super) fn set_clients(plan: &mut Plan, clients: Clients) {
    plan.batches.clear();
    plan.ops.clear();
    plan.writers.clear();
    for (writer, batches) in (0..).zip(clients) {
        let first = plan.batches.len() as u32;
        for (batch, ops) in batches {
            let start = plan.ops.len() as u32;
            plan.ops.extend(ops);
            let ops = start..plan.ops.len() as u32;
            plan.batches.push(PlannedBatch { writer, ops, ..batch });
        }
        plan.writers.push(first..plan.batches.len() as u32);
    }
}

/// Changes the batches of a plan.
pub(super) fn change(planned: &mut Planned, change: impl FnOnce(&mut Clients)) {
    let mut clients = clients(&planned.plan);
    change(&mut clients);
    set_clients(&mut planned.plan, clients);
}

fn remove_crashes(planned: &mut Planned, which: &Range<usize>) {
    planned.plan.crashes.drain(which.clone());
}

fn remove_damages(planned: &mut Planned, which: &Range<usize>) {
    planned.plan.damages.drain(which.clone());
}

fn remove_readers(planned: &mut Planned, which: &Range<usize>) {
    planned.plan.readers.drain(which.clone());
}

/// Leaves one writer at least, if one without batches.
fn remove_writers(planned: &mut Planned, which: &Range<usize>) {
    change(planned, |clients| {
        clients.drain(which.clone());
        if clients.is_empty() {
            clients.push(Vec::new());
        }
    });
}

fn remove_batches(planned: &mut Planned, which: &Range<usize>) {
    change(planned, |clients| {
        let mut number = 0;
        for batches in &mut *clients {
            batches.retain(|_| {
                number += 1;
                !which.contains(&(number - 1))
            });
        }
    });
}

fn remove_ops(planned: &mut Planned, which: &Range<usize>) {
    change(planned, |clients| {
        let mut number = 0;
        for (_, ops) in clients.iter_mut().flatten() {
            ops.retain(|_| {
                number += 1;
                !which.contains(&(number - 1))
            });
        }
    });
}

fn kinds_with_rates(planned: &Planned) -> Vec<FaultKind> {
    let mut faults = planned.faults.clone();
    FaultKind::ALL.iter().copied().filter(|kind| *faults.rate_mut(*kind) > 0.0).collect()
}

/// Rates of kinds, then rates of places, then scripts.
fn count_faults(planned: &Planned) -> usize {
    kinds_with_rates(planned).len() + planned.faults.rate.len() + planned.faults.script.len()
}

fn remove_faults(planned: &mut Planned, which: &Range<usize>) {
    let mut number = 0;
    let mut is_kept = || {
        number += 1;
        !which.contains(&(number - 1))
    };
    for kind in kinds_with_rates(planned) {
        if !is_kept() {
            *planned.faults.rate_mut(kind) = 0.0;
        }
    }
    planned.faults.rate.retain(|_| is_kept());
    planned.faults.script.retain(|_| is_kept());
}

fn count_choices(planned: &Planned) -> usize {
    planned.deviations.as_ref().map_or(0, Vec::len)
}

fn remove_choices(planned: &mut Planned, which: &Range<usize>) {
    if let Some(deviations) = &mut planned.deviations {
        deviations.drain(which.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planned::{batch_from_words, batch_words};
    use crate::scenario::Without;

    fn planned() -> Planned {
        let mut plan = Plan { keys: 9, ..Plan::idle() };
        for (writer, words) in [(0, "put 2 3, delete 4"), (0, "put 5 6; sync"), (1, "delete 7")] {
            batch_from_words(&mut plan, writer, words).expect(words);
        }
        plan.writers = vec![0..2, 2..3];
        plan.readers = vec![4, 5];
        let faults =
            toml::from_str("sync_error = 0.5\nread_error = 0.5\n[[script]]\nkind = \"read_error\"");
        let faults = faults.expect("faults");
        Planned { plan, faults, without: Without::default(), deviations: None }
    }

    fn words(planned: &Planned) -> Vec<Vec<String>> {
        let plan = &planned.plan;
        let words = |batch| batch_words(plan, batch);
        plan.batches_by_writer().map(|(_, batches)| batches.iter().map(words).collect()).collect()
    }

    fn without(part: Part, which: Range<usize>) -> Planned {
        let mut planned = planned();
        let before = (part.count)(&planned);
        (part.remove)(&mut planned, &which);
        assert!((part.count)(&planned) < before);
        planned
    }

    #[test]
    fn each_part_is_what_its_number_says() {
        assert_eq!(words(&without(WRITERS, 0..1)), [["delete 7"]]);
        assert_eq!(words(&without(WRITERS, 0..2)), [[""; 0]; 1]);
        assert_eq!(words(&without(BATCHES, 1..3)), [vec!["put 2 3, delete 4"], vec![]]);
        let ops = without(OPERATIONS, 1..3);
        assert_eq!(words(&ops), [vec!["put 2 3", "empty; sync"], vec!["delete 7"]]);
        assert_eq!(without(READERS, 0..1).plan.readers, [5]);
        let left = without(FAULTS, 1..3).faults;
        assert_eq!(left, toml::from_str("read_error = 0.5").expect("faults"));
    }
}
