//! The model on random batches: [`settle`] explains every legal prefix of them, unanswered ones
//! included, and names what is wrong with any other.
//!
//! The first operation of every batch writes a value that no other writes, so that there is one
//! right explanation; what cannot be told apart is tested by hand at the end.

#![cfg(test)]

use faultline_sim::history::{BatchState, Entry, History, Opened, Status};
use faultline_sim::model::{
    Commit, Settlement, Versions, commits, settle, settle_again, settle_losses, visible,
};
use faultline_sim::workload::{After, Plan, PlannedBatch, PlannedOp, key_bytes, value_bytes};
use proptest::prelude::*;
use proptest::sample::Index;

const KEYS: u32 = 6;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Settled,
    /// Without an answer, and in the log all the same.
    Taken(Status),
    /// Not in the log.
    Gone(Status),
}

#[derive(Clone, Debug)]
struct Batch {
    ops: Vec<(u32, Option<u32>)>,
    fate: Fate,
    /// Sequences left out before it.
    gap: u64,
}

/// Batches with a place, in commit order, and all that is needed to show them.
#[derive(Clone, Debug)]
struct World {
    plan: Plan,
    history: History,
    placed: Vec<Commit>,
}

fn batch() -> impl Strategy<Value = Batch> {
    let value = prop_oneof![2 => (0..40u32).prop_map(Some), 1 => Just(None)];
    let first = (0..KEYS, (8..40u32).prop_map(Some));
    let more = prop::collection::vec((0..KEYS, value), 0..4);
    let fate = prop_oneof![
        6 => Just(Fate::Acknowledged),
        1 => Just(Fate::Settled),
        2 => Just(Fate::Taken(Status::InFlight)),
        1 => Just(Fate::Taken(Status::Failed)),
        1 => Just(Fate::Gone(Status::InFlight)),
        1 => Just(Fate::Gone(Status::Failed)),
        1 => Just(Fate::Gone(Status::Waiting)),
        1 => Just(Fate::Gone(Status::Absent)),
    ];
    let gap = prop_oneof![5 => Just(0), 1 => 1..4u64];
    // Now and then an empty one, which takes no place.
    (prop::bool::weighted(0.1), first, more, fate, gap).prop_map(
        |(is_empty, first, more, fate, gap)| {
            let ops = if is_empty { vec![] } else { std::iter::once(first).chain(more).collect() };
            Batch { ops, fate, gap }
        },
    )
}

/// The batches in commit order, and by their numbers in the plan.
fn world() -> impl Strategy<Value = World> {
    let batches = prop::collection::vec(batch(), 1..12);
    let numbered = batches.prop_flat_map(|batches| {
        let numbers: Vec<usize> = (0..batches.len()).collect();
        (Just(batches), Just(numbers).prop_shuffle())
    });
    numbered.prop_map(|(batches, numbers)| build(&batches, &numbers))
}

fn build(batches: &[Batch], numbers: &[usize]) -> World {
    let mut plan = Plan { keys: KEYS, ..Plan::idle() };
    let mut by_number: Vec<(usize, &Batch)> = numbers.iter().copied().zip(batches).collect();
    by_number.sort_by_key(|(number, _)| *number);
    for (_, batch) in by_number {
        let first = plan.ops.len() as u32;
        plan.ops.extend(batch.ops.iter().map(|&(key, value)| PlannedOp { key, value }));
        let ops = first..plan.ops.len() as u32;
        plan.batches.push(PlannedBatch {
            writer: 0,
            ops,
            sync: false,
            no_wait: false,
            after: After::Nothing,
        });
    }
    plan.writers.push(0..batches.len() as u32);
    let mut history = History::new(&plan);
    let mut placed = Vec::new();
    let mut next = 1;
    for (&number, batch) in numbers.iter().zip(batches) {
        let (sequence, count) = (next + batch.gap, batch.ops.len() as u64);
        let status = match batch.fate {
            Fate::Acknowledged => Status::Acknowledged { sequence },
            Fate::Settled => Status::Settled { sequence },
            Fate::Taken(status) | Fate::Gone(status) => status,
        };
        history.batches[number] =
            BatchState { status, invoked: 1, returned: 2, incarnation: 0, written_at: None };
        if !matches!(batch.fate, Fate::Gone(_)) && count > 0 {
            placed.push(Commit { sequence, count, batch: number as u32 });
            next = sequence + count;
        }
    }
    World { plan, history, placed }
}

fn entries(plan: &Plan, commit: &Commit) -> Vec<Entry> {
    let ops = plan.batches[commit.batch as usize].ops.clone();
    let entry = |(op, sequence): (u32, u64)| {
        let planned = plan.ops[op as usize];
        let (mut key, mut value) = (Vec::new(), Vec::new());
        key_bytes(planned.key, &mut key);
        value_bytes(op, planned.value.unwrap_or(0), &mut value);
        Entry::new(&key, sequence, planned.value.map(|_| &value[..]))
    };
    ops.zip(commit.sequence..).map(entry).collect()
}

impl World {
    fn is_known(&self, commit: &Commit) -> bool {
        let status = self.history.batches[commit.batch as usize].status;
        matches!(status, Status::Acknowledged { .. } | Status::Settled { .. })
    }

    fn known(&self, commits: &[Commit]) -> Vec<Commit> {
        commits.iter().filter(|commit| self.is_known(commit)).copied().collect()
    }

    /// What an open shows that holds these, and what the model makes of it.
    fn settled(&self, shown: &[Commit], change: impl FnOnce(&mut Vec<Entry>)) -> Settlement {
        let mut all: Vec<Entry> =
            shown.iter().flat_map(|commit| entries(&self.plan, commit)).collect();
        change(&mut all);
        // In no particular order.
        all.sort_by(|a, b| (&a.key(), b.sequence).cmp(&(&b.key(), a.sequence)));
        settle(&self.plan, &self.history, &Opened { entries: all, ..Opened::default() })
    }
}

/// A world, and how many of its placed batches an open shows: at least `least`, if there are.
fn cut(least: usize) -> impl Strategy<Value = (World, usize)> {
    let enough = move |world: &World| world.placed.len() >= least;
    let world = world().prop_filter("too few batches have a place", enough);
    (world, any::<Index>()).prop_map(move |(world, index)| {
        let count = least + index.index(world.placed.len() + 1 - least);
        (world, count)
    })
}

fn checked(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(checked(400))]

    #[test]
    fn every_prefix_is_explained((world, count) in cut(0)) {
        let (shown, rest) = world.placed.split_at(count);
        let found = world.settled(shown, |_| {});
        prop_assert_eq!(&found.present, shown);
        let unanswered: Vec<Commit> =
            shown.iter().filter(|commit| !world.is_known(commit)).copied().collect();
        prop_assert_eq!(found.settled, unanswered);
        prop_assert_eq!(found.lost, world.known(rest));
        prop_assert_eq!((found.partial, found.strangers, found.holes), (vec![], vec![], vec![]));
        prop_assert_eq!(found.last, shown.last().map_or(0, |commit| commit.end() - 1));
    }

    #[test]
    fn a_missing_batch_is_a_hole_if_it_was_acknowledged((world, count) in cut(2), at: Index) {
        let at = at.index(count - 1);
        let missing = world.placed[at];
        let mut shown = world.placed[..count].to_vec();
        shown.remove(at);
        let found = world.settled(&shown, |_| {});
        prop_assert_eq!(found.holes, world.known(&[missing]));
        prop_assert_eq!(found.lost, world.known(&world.placed[count..]));
        prop_assert_eq!((&found.present, found.partial, found.strangers), (&shown, vec![], vec![]));
    }

    #[test]
    fn a_part_of_the_last_batch_is_a_part((world, count) in cut(1), keep: Index) {
        let (last, whole) = world.placed[..count].split_last().expect("one at least");
        let keep = keep.index(last.count as usize);
        let found = world.settled(&world.placed[..count], |entries| {
            entries.retain(|entry| entry.sequence < last.sequence + keep as u64);
        });
        prop_assert_eq!(&found.present, whole);
        let part = (*last, keep as u64);
        let (partial, lost) = if keep > 0 { (vec![part], count) } else { (vec![], count - 1) };
        prop_assert_eq!(found.partial, partial);
        prop_assert_eq!(found.lost, world.known(&world.placed[lost..]));
        prop_assert_eq!((found.strangers, found.holes), (vec![], vec![]));
    }

    #[test]
    fn an_entry_that_is_not_as_written_is_a_stranger(
        (world, count) in cut(1),
        at: Index,
        way in 0..3,
    ) {
        let mut foreign = None;
        let found = world.settled(&world.placed[..count], |entries| {
            let at = at.index(entries.len());
            let entry = &mut entries[at];
            let (key, sequence) = (entry.key(), entry.sequence);
            *entry = match (way, entry.value()) {
                (0, Some([first, rest @ ..])) => {
                    Entry::new(key, sequence, Some(&[&[first ^ 0x80], rest].concat()))
                }
                (1, _) => Entry::new(key, sequence, Some(&[7; 41])),
                (_, value) => Entry::new(b"nobody's", sequence, value),
            };
            foreign = Some(entry.clone());
        });
        let foreign = foreign.expect("some entry");
        prop_assert!(found.strangers.contains(&foreign), "{:?}", found.strangers);
        let whole = |commit: &&Commit| foreign.sequence >= commit.end()
            || foreign.sequence < commit.sequence;
        let others: Vec<Commit> = world.placed[..count].iter().filter(whole).copied().collect();
        prop_assert_eq!(found.present, others);
        // What stands before it in its batch is a part of that.
        let broken = world.placed[..count].iter().find(|commit| !whole(commit)).expect("its own");
        let before = foreign.sequence - broken.sequence;
        let partial = if before > 0 { vec![(*broken, before)] } else { vec![] };
        prop_assert_eq!(found.partial, partial);
        prop_assert_eq!(found.holes, vec![]);
    }

    #[test]
    fn an_entry_away_from_its_batch_is_a_stranger((world, count) in cut(1), by in 100..200u64) {
        let last = world.placed[count - 1];
        prop_assume!(last.count > 1);
        let mut moved = entries(&world.plan, &last).pop().expect("two at least");
        let found = world.settled(&world.placed[..count], |entries| {
            entries.retain(|entry| *entry != moved);
            moved.sequence += by;
            entries.push(moved.clone());
        });
        prop_assert_eq!(found.partial, vec![(last, last.count - 1)]);
        prop_assert_eq!(found.strangers, vec![moved.clone()]);
        prop_assert_eq!(found.last, moved.sequence);
        // It stands behind all that is acknowledged, so what is not shown is no loss, but holes.
        prop_assert_eq!((found.holes, found.lost), (world.known(&world.placed[count..]), vec![]));
    }

    #[test]
    fn a_batch_at_another_place_is_a_stranger((world, count) in cut(1), at: Index, by in 0..5u64) {
        let moved = world.placed[at.index(count)];
        let end = world.placed.last().expect("one at least").end();
        let again = Commit { sequence: end + by, ..moved };
        let copy = entries(&world.plan, &again);
        let found = world.settled(&world.placed, |entries| entries.extend(copy.clone()));
        prop_assert_eq!(found.strangers, copy);
        prop_assert_eq!((found.present, found.lost), (world.placed.clone(), vec![]));
    }

    #[test]
    fn a_read_sees_the_newest_version_at_its_sequence(world in world(), at in 0..40u64) {
        let known = commits(&world.plan, &world.history);
        prop_assert_eq!(&known, &world.known(&world.placed));
        let versions = Versions::new(&world.plan, &known);
        let all: Vec<Entry> = known.iter().flat_map(|c| entries(&world.plan, c)).collect();
        let mut scratch = Vec::new();
        for key in 0..KEYS {
            let mut bytes = Vec::new();
            key_bytes(key, &mut bytes);
            let of_key = || all.iter().filter(|entry| *entry.key() == *bytes);
            let newest = of_key().rfind(|entry| entry.sequence <= at);
            let expected = newest.and_then(|entry| entry.value());
            let seen = visible(&world.plan, versions.at(key, at), &mut scratch);
            prop_assert_eq!(seen, expected.map(faultline_sim::history::ValueDigest::of));
            let later = of_key().filter(|entry| entry.sequence > at && entry.sequence <= at + 9);
            prop_assert_eq!(versions.between(key, at, at + 9).count(), later.count());
        }
    }
}

/// Batches without an answer, with these operations, of which those in `taken` are shown in that
/// order from sequence 1 on.
fn unanswered(batches: &[&[(u32, Option<u32>)]], taken: &[u32]) -> (Settlement, Vec<Commit>) {
    let fate = Fate::Gone(Status::InFlight);
    let batches: Vec<Batch> =
        batches.iter().map(|ops| Batch { ops: ops.to_vec(), fate, gap: 0 }).collect();
    let numbers: Vec<usize> = (0..batches.len()).collect();
    let world = build(&batches, &numbers);
    let mut sequence = 1;
    let mut shown = Vec::new();
    for &batch in taken {
        let count = batches[batch as usize].ops.len() as u64;
        shown.push(Commit { sequence, count, batch });
        sequence += count;
    }
    (world.settled(&shown, |_| {}), shown)
}

#[test]
fn of_batches_that_look_alike_the_whole_and_the_longest_explains() {
    let delete: &[(u32, Option<u32>)] = &[(2, None)];
    let twice: &[(u32, Option<u32>)] = &[(2, None), (2, None)];
    let put: &[(u32, Option<u32>)] = &[(2, None), (3, Some(9))];
    for (batches, taken) in [
        ([delete, twice, put].as_slice(), [1].as_slice()),
        (&[delete, twice, put], &[0]),
        (&[delete, twice, put], &[2]),
        (&[delete, twice, put], &[1, 2]),
        (&[twice, put, delete], &[1, 2]),
    ] {
        let (found, shown) = unanswered(batches, taken);
        assert_eq!((&found.present, &found.settled), (&shown, &shown));
        assert!(found.partial.is_empty() && found.strangers.is_empty());
    }
    // A part is a part only where nothing whole explains it.
    let (found, _) = unanswered(&[delete, put], &[0]);
    assert_eq!(found.present, [Commit { sequence: 1, count: 1, batch: 0 }]);
    // Two that are the same are taken once each.
    let (found, shown) = unanswered(&[delete, delete], &[0, 1]);
    assert_eq!(found.present.len(), shown.len());
}

#[test]
fn a_choice_that_turns_out_wrong_is_taken_back() {
    let first: &[(u32, Option<u32>)] = &[(2, None)];
    let second: &[(u32, Option<u32>)] = &[(3, None), (4, Some(9))];
    let both: &[(u32, Option<u32>)] = &[(2, None), (3, None)];
    let put: &[(u32, Option<u32>)] = &[(5, Some(9))];
    for (batches, taken) in [
        ([first, second, both].as_slice(), [0, 1].as_slice()),
        (&[both, second, first], &[2, 1]),
        // The wrong one fits as long as its last entry is not needed elsewhere.
        (&[first, second, both], &[2]),
        // Many batches later, and one wrong choice within another.
        (&[first, second, both, put, first, second], &[0, 1, 3, 4, 5]),
        (&[first, second, both, put, first, second], &[2, 3, 0, 5]),
    ] {
        let (found, shown) = unanswered(batches, taken);
        assert!(found.strangers.is_empty() && found.partial.is_empty(), "{taken:?}: {found:?}");
        let places = |commits: &[Commit]| -> Vec<(u64, u64)> {
            commits.iter().map(|commit| (commit.sequence, commit.count)).collect()
        };
        assert_eq!(places(&found.present), places(&shown), "{taken:?}");
    }
}

#[test]
fn what_nothing_explains_does_not_take_for_ever() {
    // Every number of deletes of one key can be put together in many ways; the end never fits.
    let deletes: Vec<(u32, Option<u32>)> = vec![(2, None); 12];
    let batches: Vec<&[(u32, Option<u32>)]> = (1..=12).map(|count| &deletes[..count]).collect();
    let everything: Vec<u32> = (0..12).collect();
    let (found, shown) = unanswered(&batches, &everything);
    assert_eq!((found.strangers.len(), found.present.len()), (0, shown.len()));
    let once_more: Vec<u32> = everything.iter().copied().chain([0]).collect();
    let (found, _) = unanswered(&batches, &once_more);
    assert_eq!(found.strangers.len() + found.partial.len(), 1);
}

#[test]
fn a_batch_that_the_disk_took_hides_nothing() {
    let known =
        |ops: &[(u32, Option<u32>)]| Batch { ops: ops.to_vec(), fate: Fate::Acknowledged, gap: 0 };
    // Sequence 1, key 1; 2 and 3, keys 1 (again) and 2; 4 and 5, which delete 1 and write 3; 6,
    // key 4; 7, which deletes what was never there.
    let batches = [
        known(&[(1, Some(9))]),
        known(&[(1, Some(10)), (2, Some(11))]),
        known(&[(1, None), (3, Some(12))]),
        known(&[(4, Some(13))]),
        known(&[(5, None)]),
    ];
    let World { plan, mut history, placed } = build(&batches, &[0, 1, 2, 3, 4]);
    history.flushed_sequence = 7;
    let show = |sequences: &[u64], last_sequence: u64| {
        let entries = placed.iter().flat_map(|commit| entries(&plan, commit));
        let entries = entries.filter(|entry| sequences.contains(&entry.sequence)).collect();
        let opened = Opened { entries, last_sequence, ..Opened::default() };
        let found = settle_losses(&plan, &history, &opened);
        assert!(found.holes.is_empty() && found.partial.is_empty() && found.strangers.is_empty());
        let numbers =
            |commits: &[Commit]| -> Vec<u32> { commits.iter().map(|c| c.batch).collect() };
        (numbers(&found.present), numbers(&found.lost), found.last)
    };
    // A compaction may have left only what came after the delete, and the delete's own batch.
    assert_eq!(show(&[3, 5, 6], 7), (vec![0, 1, 2, 3, 4], vec![], 7));
    // Nothing is shown of the last one, and its place will be given again.
    assert_eq!(show(&[3, 5, 6], 6), (vec![0, 1, 2, 3], vec![4], 6));
    // Of the batch with the delete nothing is left: it is gone, and with it what it would hide.
    assert_eq!(show(&[6], 6), (vec![3], vec![0, 1, 2, 4], 6));
    // An older version that a newer one hides is there as long as the newer one is.
    assert_eq!(show(&[2, 3, 6], 6), (vec![0, 1, 3], vec![2, 4], 6));
    assert_eq!(show(&[2, 3], 3), (vec![0, 1], vec![2, 3, 4], 3));
}

#[test]
fn a_batch_without_an_answer_that_the_disk_took_hides_nothing() {
    let of = |ops: &[(u32, Option<u32>)], fate| Batch { ops: ops.to_vec(), fate, gap: 0 };
    // The log of the second has told where it stands: it deletes key 1 and writes key 2.
    let taken = of(&[(1, None), (2, Some(9))], Fate::Taken(Status::InFlight));
    let [first, last] = [1, 3].map(|key| of(&[(key, Some(9))], Fate::Acknowledged));
    let World { plan, mut history, placed } = build(&[first, taken, last], &[0, 1, 2]);
    history.batches[1].written_at = Some(placed[1].sequence);
    history.flushed_sequence = 4;
    let show = |sequences: &[u64]| {
        let entries = placed.iter().flat_map(|commit| entries(&plan, commit));
        let entries = entries.filter(|entry| sequences.contains(&entry.sequence)).collect();
        let opened = Opened { entries, last_sequence: 4, ..Opened::default() };
        let found = settle_losses(&plan, &history, &opened);
        [found.present, found.lost].map(|s| s.iter().map(|c| c.batch).collect::<Vec<_>>())
    };
    // Its delete may have been dropped with what it hides, if it was there.
    assert_eq!(show(&[3, 4]), [vec![0, 1, 2], vec![]]);
    assert_eq!(show(&[4]), [vec![2], vec![0]]);
    assert_eq!(show(&[1, 4]), [vec![0, 2], vec![]]);
}

#[test]
fn a_batch_that_was_given_up_is_found_again_where_all_of_it_is() {
    let of = |key, fate| Batch { ops: vec![(key, Some(9)), (key + 1, None)], fate, gap: 0 };
    let absent = Fate::Gone(Status::Absent);
    let batches = [
        of(0, absent),
        of(1, Fate::Taken(Status::Failed)),
        of(2, Fate::Gone(Status::Waiting)),
        of(3, absent),
        of(4, absent),
    ];
    let World { plan, history, .. } = build(&batches, &[0, 1, 2, 3, 4]);
    let found = |shown: &[(u32, u64)], left: usize| {
        let commits = shown.iter().map(|&(batch, sequence)| Commit { sequence, count: 2, batch });
        let mut all: Vec<Entry> = commits.flat_map(|commit| entries(&plan, &commit)).collect();
        all.truncate(left);
        let found = settle_again(&plan, &history, &all);
        found.iter().map(|commit| (commit.batch, commit.sequence)).collect::<Vec<_>>()
    };
    assert_eq!(found(&[(0, 5), (3, 7), (4, 20)], 6), [(0, 5), (3, 7), (4, 20)]);
    assert_eq!(found(&[(0, 5), (3, 7)], 3), [(0, 5)], "of the other there is a part");
    assert_eq!(found(&[(1, 5), (0, 7)], 4), [(0, 7)], "an open may show the first anyway");
    assert_eq!(found(&[(2, 5), (0, 7)], 4), [(0, 7)], "nobody has written the first");
}
