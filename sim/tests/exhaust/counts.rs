//! What a search says that it has done, counted again without it: every instant is looked at and
//! everything it may leave is taken, run as a run of its own, and read by the independent decoder.

use std::collections::BTreeSet;

use faultline_sim::checker::Image;
use faultline_sim::disk::{self, Disk, Pick};
use faultline_sim::exhaust::{Bounds, Exhausted};
use faultline_sim::fault::FaultKind;
use faultline_sim::rng::{Purpose, Stream};
use faultline_sim::run::{Mode, Runner, Verdict, on_fresh_thread};
use faultline_sim::scenario::Scenario;
use faultline_sim::steer::{Instant, Left, Stage, Steer};

use crate::{searched, tiny};

const FEW: Bounds = Bounds { images: 4, crashes: 1, preemptions: None, schedules: 1 };

/// Bytes done of each write in flight, chosen.
struct Done<'a>(std::slice::Iter<'a, u32>);

impl Pick for Done<'_> {
    fn pick(&mut self, _: u32) -> u32 {
        self.0.next().copied().unwrap_or(0)
    }
}

/// All that a crash may leave, `most` deaths and images at most, with the disk that it is.
fn left(instant: &Instant, most: usize) -> Vec<(Left, Disk)> {
    let mut all = Vec::new();
    for death in instant.deaths(most).0 {
        let Left::Written(bytes) = &death else { panic!("no death: {death:?}") };
        let mut disk = instant.disk.clone();
        disk.process_death(&mut Done(bytes.iter()));
        all.push((death, disk));
    }
    if instant.stage != Stage::Left {
        let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
        let space = instant.disk.crash_space();
        let images = space.images(most, &mut stream).0;
        all.extend(images.into_iter().map(|fates| {
            let disk = space.disk(&fates);
            (Left::Image(fates), disk)
        }));
    }
    all
}

fn holds_a_record(disk: &Disk) -> bool {
    let found = Image::read(disk, "/db").recoverable.unwrap_or_default();
    found.log_entries.len() + found.table_entries.len() > 0
}

/// Counts what a search has to count.
struct Recount<'a> {
    runner: &'a mut Runner,
    scenario: &'a Scenario,
    seed: u64,
    bounds: Bounds,
    done: Exhausted,
    unique: BTreeSet<disk::Image>,
    /// Each with the crashes up to there.
    instants: BTreeSet<(usize, u64)>,
    judged: BTreeSet<(usize, (disk::Image, u64, bool))>,
}

/// Whether `key` is new, behind as many crashes as `depth` or fewer.
fn is_new<K: Clone + Ord>(met: &mut BTreeSet<(usize, K)>, depth: usize, key: K) -> bool {
    !(1..depth).any(|less| met.contains(&(less, key.clone()))) && met.insert((depth, key))
}

impl Recount<'_> {
    fn run(&mut self, steers: Vec<Steer>) -> Verdict {
        let mode = Mode { steer: Some(steers), ..Mode::default() };
        self.runner.run(self.scenario, self.seed, mode)
    }

    /// Crashes the process behind these crashes, when the run has had so many points, at each of
    /// its own.
    fn count(&mut self, before: &[Steer], reached: u64) {
        let depth = before.len() + 1;
        let behind = |steer: Steer| before.iter().cloned().chain([steer]).collect::<Vec<_>>();
        for point in reached + 1.. {
            let verdict = self.run(behind(Steer::look(point)));
            let instant = verdict.instant.expect("a point or the end");
            if depth > 1 && (instant.point + 1 < point || instant.stage != Stage::Recovery) {
                return;
            }
            self.done.points += u64::from(depth == 1);
            if is_new(&mut self.instants, depth, instant.fingerprint) {
                self.done.instants += u64::from(depth == 1);
                self.done.nested_instants += u64::from(depth > 1);
                for (left, disk) in left(&instant, self.bounds.images) {
                    self.unique.insert(disk.image());
                    let key =
                        (disk.image(), instant.obligations, disk.broken_promises().is_empty());
                    let is_death = matches!(left, Left::Written(_));
                    if !is_death && !is_new(&mut self.judged, depth, key) {
                        self.done.seen_before += 1;
                        continue;
                    }
                    let crashes = behind(Steer { point, left });
                    let verdict = self.run(crashes.clone());
                    self.done.faults.add(&verdict.faults);
                    if holds_a_record(&disk) {
                        self.done.recoveries += 1;
                        self.done.nested_recoveries += u64::from(depth > 1);
                    } else {
                        self.done.opens_without_record += 1;
                    }
                    if depth < self.bounds.crashes {
                        self.count(&crashes, instant.point);
                    }
                }
            }
            if matches!(instant.stage, Stage::Closed | Stage::Left) {
                return;
            }
        }
    }
}

/// What a search of this schedule has to count, and how many images are unique.
fn counted_again(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    bounds: Bounds,
) -> (Exhausted, u64) {
    let done = Exhausted { schedules: 1, classes: 1, ..Exhausted::default() };
    let (unique, instants, judged) = Default::default();
    let mut again = Recount { runner, scenario, seed, bounds, done, unique, instants, judged };
    let verdict = again.run(Vec::new());
    again.done.faults.add(&verdict.faults);
    again.count(&[], 0);
    (again.done, again.unique.len() as u64)
}

#[test]
fn a_search_counts_what_it_did() {
    let nested = Bounds { images: 1, crashes: 2, ..FEW };
    // In the second of them appends fail.
    for (name, seed, bounds) in [
        ("tiny_two_syncs", 3, FEW),
        ("tiny_append_fails", 1, FEW),
        ("tiny_log_switch", 3, FEW),
        ("tiny_two_syncs", 0, nested),
    ] {
        let scenario = tiny(name);
        on_fresh_thread(move |runner| {
            let (again, unique) = counted_again(runner, &scenario, seed, bounds);
            let (done, images, found) = searched(runner, &scenario, seed, bounds, 1);
            assert!(found.is_empty(), "{name}: {found:?}");
            // How many instants are sampled does not follow from what is left of them.
            let done = Exhausted { sampled: 0, ..done };
            assert_eq!((&done, images.len()), (&again, unique), "{name}");
            // There is some of each, and no two counts are the same.
            assert!(0 < done.recoveries && 0 < done.opens_without_record, "{name}: {done:?}");
            assert!(0 < unique && unique < done.tried(), "{name}: {unique}, {done:?}");
            assert!(done.tried() < done.images(), "{name}: {done:?}");
            assert_eq!(0 < done.nested_recoveries, 1 < bounds.crashes, "{name}: {done:?}");
        });
    }
}

#[test]
fn opens_are_crashed_on_request() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let bounds = Bounds { images: 2, ..FEW };
        let (single, ..) = searched(runner, &scenario, 0, bounds, 1);
        let bounds = Bounds { crashes: 2, ..bounds };
        let (double, _, found) = searched(runner, &scenario, 0, bounds, 1);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((single.points, single.instants), (double.points, double.instants));
        assert_eq!(double.recoveries - double.nested_recoveries, single.recoveries);
        assert!(double.nested_instants > 10 * single.instants, "{double:?}");
        assert!(double.nested_recoveries > 10 * single.recoveries, "{double:?}");
    });
}

#[test]
fn a_schedule_without_faults_delivers_none() {
    on_fresh_thread(|runner| {
        let mut delivered = |name| -> u64 {
            let faults = searched(runner, &tiny(name), 1, FEW, 1).0.faults;
            FaultKind::ALL.iter().map(|kind| faults.of(*kind)).sum()
        };
        assert_eq!(delivered("tiny_two_syncs"), 0);
        assert!(delivered("tiny_failed_sync") > 0);
    });
}
