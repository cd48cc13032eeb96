//! What a search says that it has done, counted again without it: every instant is looked at and
//! everything it may leave is taken, run as a run of its own, and read by the independent decoder.

use std::collections::BTreeSet;

use faultline_sim::checker::Image;
use faultline_sim::disk::{Disk, Pick};
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

/// All that a crash may leave, with the disk that it is.
fn left(instant: &Instant) -> Vec<(Left, Disk)> {
    let mut all = Vec::new();
    for death in instant.deaths(FEW.images).0 {
        let Left::Written(bytes) = &death else { panic!("no death: {death:?}") };
        let mut disk = instant.disk.clone();
        disk.process_death(&mut Done(bytes.iter()));
        all.push((death, disk));
    }
    if instant.stage != Stage::Left {
        let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
        let space = instant.disk.crash_space();
        let images = space.images(FEW.images, &mut stream).0;
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

/// What a search of this schedule has to count, and how many images are unique.
fn counted_again(runner: &mut Runner, scenario: &Scenario, seed: u64) -> (Exhausted, u64) {
    let run = |runner: &mut Runner, steers: Vec<Steer>| -> Verdict {
        runner.run(scenario, seed, Mode { steer: Some(steers), ..Mode::default() })
    };
    let mut done = Exhausted { schedules: 1, classes: 1, ..Exhausted::default() };
    done.faults.add(&run(runner, Vec::new()).faults);
    let (mut instants, mut judged, mut unique) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for point in 1.. {
        let instant = run(runner, vec![Steer::look(point)]).instant.expect("a point or the end");
        done.points += 1;
        if instants.insert(instant.fingerprint) {
            done.instants += 1;
            for (left, disk) in left(&instant) {
                unique.insert(disk.image());
                let is_death = matches!(left, Left::Written(_));
                let key = (disk.image(), instant.obligations, disk.broken_promises().is_empty());
                if !is_death && !judged.insert(key) {
                    done.seen_before += 1;
                    continue;
                }
                let verdict = run(runner, vec![Steer { point, left }]);
                done.faults.add(&verdict.faults);
                if holds_a_record(&disk) {
                    done.recoveries += 1;
                } else {
                    done.opens_without_record += 1;
                }
            }
        }
        if matches!(instant.stage, Stage::Closed | Stage::Left) {
            break;
        }
    }
    (done, unique.len() as u64)
}

#[test]
fn a_search_counts_what_it_did() {
    // In the second of them appends fail.
    for (name, seed) in [("tiny_two_syncs", 3), ("tiny_append_fails", 5), ("tiny_log_switch", 3)] {
        let scenario = tiny(name);
        on_fresh_thread(move |runner| {
            let (again, unique) = counted_again(runner, &scenario, seed);
            let (done, images, found) = searched(runner, &scenario, seed, FEW, 1);
            assert!(found.is_empty(), "{name}: {found:?}");
            // How many instants are sampled does not follow from what is left of them.
            let done = Exhausted { sampled: 0, ..done };
            assert_eq!((&done, images.len()), (&again, unique), "{name}");
            // There is some of each, and no two counts are the same.
            assert!(0 < done.recoveries && 0 < done.opens_without_record, "{name}: {done:?}");
            assert!(0 < unique && unique < done.tried(), "{name}: {unique}, {done:?}");
            assert!(done.tried() < done.images(), "{name}: {done:?}");
        });
    }
}

#[test]
fn opens_are_crashed_on_request() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let bounds = Bounds { images: 2, ..FEW };
        let (single, first_images, _) = searched(runner, &scenario, 0, bounds, 1);
        let bounds = Bounds { crashes: 2, ..bounds };
        let (double, images, found) = searched(runner, &scenario, 0, bounds, 1);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!((single.points, single.instants), (double.points, double.instants));
        assert_eq!(double.recoveries - double.nested_recoveries, single.recoveries);
        assert!(double.nested_instants > 10 * single.instants, "{double:?}");
        assert!(double.nested_recoveries > 10 * single.recoveries, "{double:?}");
        // An image is the same however many crashes were before it.
        let mut both = images.clone();
        both.extend(first_images);
        assert_eq!(both.len(), images.len(), "those of the first crashes are among them");
        assert!(images.len() < double.tried() && double.tried() < double.images(), "{double:?}");
    });
}

#[test]
fn a_schedule_without_faults_delivers_none() {
    on_fresh_thread(|runner| {
        let mut delivered = |name| -> u64 {
            let faults = searched(runner, &tiny(name), 3, FEW, 1).0.faults;
            FaultKind::ALL.iter().map(|kind| faults.of(*kind)).sum()
        };
        assert_eq!(delivered("tiny_two_syncs"), 0);
        assert!(delivered("tiny_failed_sync") > 0);
    });
}
