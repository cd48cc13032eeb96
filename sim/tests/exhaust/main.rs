//! Exhausted schedules: what is tried is all there is, and a planted bug is found and shown again.

#![cfg(test)]

mod counts;
mod file_systems;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use faultline_sim::disk::{Fate, Fates};
use faultline_sim::exhaust::{Bounds, Counterexample, Course, Exhausted, Hashes, Search, Step};
use faultline_sim::necessary::{Effort, Sync, leave_out, syncs};
use faultline_sim::policy::{Guide, Passage, PolicyName, Walk};
use faultline_sim::probe::Probe;
use faultline_sim::rng::{Purpose, Stream};
use faultline_sim::run::{Mode, Runner, Verdict, on_fresh_thread};
use faultline_sim::scenario::{Count, Scenario, embedded};
use faultline_sim::steer::{Instant, Left, Stage, Steer};

const FEW: Bounds = Bounds { images: 64, crashes: 1, preemptions: None, schedules: 1 };

fn tiny(name: &str) -> Scenario {
    let all = embedded().expect("they are right");
    all.into_iter().find(|scenario| scenario.name == name).expect("it is there")
}

/// What was done, and the counterexamples, `most` at most.
fn search(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    bounds: Bounds,
    most: usize,
) -> (Exhausted, Vec<Counterexample>) {
    let (done, _, found) = searched(runner, scenario, seed, bounds, most);
    (done, found)
}

/// As [`search`], with the images.
fn searched(
    runner: &mut Runner,
    scenario: &Scenario,
    seed: u64,
    bounds: Bounds,
    most: usize,
) -> (Exhausted, Hashes, Vec<Counterexample>) {
    let mut search = Search::new(scenario, seed, bounds);
    let mut found = Vec::new();
    let mut explorer = search.explore(runner);
    loop {
        match explorer.step().expect("the harness works") {
            Step::GoOn => {}
            Step::Found(counterexample) => found.push(*counterexample),
            Step::Done => break,
        }
        if found.len() == most {
            break;
        }
    }
    let done = explorer.search().done().clone();
    (done, search.into_images(), found)
}

fn checkers(verdict: &Verdict) -> Vec<&'static str> {
    verdict.violations.iter().map(|violation| violation.checker).collect()
}

#[test]
fn no_crash_of_a_tiny_schedule_breaks_a_promise() {
    for name in ["tiny_two_syncs", "tiny_log_switch", "tiny_failed_sync"] {
        let scenario = tiny(name);
        let (first, second) = on_fresh_thread(move |runner| {
            // A runner that was used for other things comes to the same.
            let first = search(runner, &scenario, 3, FEW, 1);
            runner.run(&tiny("crash_mid_add_record"), 1, Mode::default());
            (first, search(runner, &scenario, 3, FEW, 1))
        });
        assert!(first.1.is_empty(), "{name}: {:?}", first.1);
        assert_eq!(first.0, second.0, "{name}");
        let Exhausted { points, instants, sampled, seen_before, .. } = first.0;
        assert!(50 < points && 30 < instants && instants < points, "{name}: {:?}", first.0);
        assert!(sampled < instants / 2, "{name}: {:?}", first.0);
        assert!(300 < first.0.tried() && 0 < seen_before, "{name}: {:?}", first.0);
        assert_eq!((first.0.nested_instants, first.0.nested_recoveries), (0, 0));
    }
}

#[test]
fn the_first_process_alone_is_crashed_up_to_its_close() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let (done, _) = search(runner, &scenario, 1, FEW, 1);
        let look = |runner: &mut Runner, point| {
            let steer = Some(vec![Steer { point, left: Left::Anything }]);
            runner.run(&scenario, 1, Mode { steer, ..Mode::default() }).instant
        };
        let end = look(runner, u64::MAX).expect("the process ends");
        assert_eq!(end.stage, Stage::Closed);
        // One for each point, and one for the end.
        assert_eq!(done.points, end.point + 1);
        let last = look(runner, end.point).expect("the last point");
        assert_eq!((last.point, last.stage), (end.point, Stage::Work));
        // Without a steered death nobody dies, also not at the close.
        let mode = Mode { steer: Some(Vec::new()), keep_events: true, ..Mode::default() };
        let verdict = runner.run(&scenario, 1, mode);
        assert!(verdict.disks.is_empty() && verdict.crashes == 0);
        assert!(verdict.points > end.point, "a second process shows what is there");
    });
}

/// Some of what the process may leave at an instant.
fn some_of_what_is_left(instant: &Instant) -> Vec<Left> {
    let mut left = instant.deaths(2).0;
    if instant.stage != Stage::Left {
        let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
        let images = instant.disk.crash_space().images(3, &mut stream).0;
        left.extend(images.into_iter().map(Left::Image));
    }
    left
}

fn assert_same(one: &Verdict, other: &Verdict) {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    assert!(one == other, "the first lines that differ: {differs:?}");
}

/// Halts a run in some places, and goes on from there in more than one way, also with another halt;
/// each is as if the whole run had been run with these deaths. Returns how many were compared.
fn goes_on_as_if_run_whole(runner: &mut Runner, scenario: &Scenario, seed: u64) -> usize {
    let run = |runner: &mut Runner, steers: Vec<Steer>| {
        let mode = Mode { steer: Some(steers), note_syncs: true, ..Mode::default() };
        runner.run(scenario, seed, mode)
    };
    let end = run(runner, vec![Steer::look(u64::MAX)]).points;
    let mut compared = 0;
    for point in (1..=end + 1).step_by((end / 7 + 1) as usize) {
        let Some(instant) = run(runner, vec![Steer::look(point)]).instant else { continue };
        let halt = runner.take_halt().expect("the run halted");
        for left in some_of_what_is_left(&instant) {
            let first = Steer { point, left: left.clone() };
            let whole = run(runner, vec![first.clone()]);
            assert!(runner.take_halt().is_none(), "nothing was to be looked at");
            assert_same(&runner.go_on(&halt, left.clone(), vec![]), &whole);
            compared += 1;
            let point = instant.point + 40;
            let look = vec![Steer::look(point)];
            let Some(second) = runner.go_on(&halt, left.clone(), look).instant else { continue };
            let nested = runner.take_halt().expect("the run halted again");
            for then in some_of_what_is_left(&second) {
                let whole = run(runner, vec![first.clone(), Steer { point, left: then.clone() }]);
                assert_same(&runner.go_on(&nested, then, vec![]), &whole);
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn a_run_goes_on_from_a_halt_as_if_it_had_been_run_whole() {
    let names = ["tiny_append_fails", "tiny_log_switch", "fsync_failure", "bit_rot", "swarm"];
    for (name, policy) in names.into_iter().flat_map(|name| PolicyName::EACH.map(|p| (name, p))) {
        let seed = if name == "swarm" { 4 } else { 1 };
        let mut scenario = tiny(name);
        scenario.spec.policy = Some(policy.to_string());
        let compared =
            on_fresh_thread(move |runner| goes_on_as_if_run_whole(runner, &scenario, seed));
        assert!(compared > 20, "{name} with {policy}: {compared}");
    }
}

#[test]
fn a_disk_that_swallows_syncs_is_found_and_shown_again() {
    for seed in 0..4 {
        let mut scenario = tiny("tiny_two_syncs");
        scenario.spec.disk.swallow_syncs = true;
        on_fresh_thread(move |runner| {
            let (_, found) = search(runner, &scenario, seed, FEW, 3);
            assert!(!found.is_empty(), "an acknowledged write is lost");
            let course = Course { scenario, seed, schedule: None };
            for found in found {
                assert_eq!(found.schedule, None);
                let shown = course.again(runner, FEW.images, &found.crashes);
                let shown = shown.expect("the harness works").expect("the same crash");
                assert_eq!(shown.trace_hash, found.verdict.trace_hash);
                assert_eq!(checkers(&shown), checkers(&found.verdict));
                assert!(!shown.events.is_empty(), "it is told in full");
            }
            let shown = course.again(runner, FEW.images, &[(u64::MAX, 0)]);
            assert!(shown.expect("the harness works").is_none(), "there is no such point");
        });
    }
}

#[test]
fn what_is_cut_short_is_not_called_exhausted() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let mut search = Search::new(&scenario, 2, FEW);
        let mut cut = BTreeSet::new();
        let mut explorer = search.explore(runner);
        while !matches!(explorer.step().expect("the harness works"), Step::Done) {
            let search = explorer.search();
            let (done, short) = (search.done(), search.cut_short());
            cut.insert(short.sampled - done.sampled);
            assert_eq!(Exhausted { sampled: done.sampled, ..short }, *done);
        }
        // In the middle of an instant, and between two.
        assert_eq!(cut, BTreeSet::from([0, 1]));
        assert_eq!(search.cut_short(), *search.done());
    });
}

#[test]
fn schedules_of_one_seed_share_what_they_have_tried() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let bounds = Bounds { images: 4, crashes: 1, preemptions: None, schedules: 1 };
        let (single, _) = search(runner, &scenario, 2, bounds, 1);
        assert_eq!((single.schedules, single.classes), (1, 1));
        let bounds = Bounds { preemptions: Some(0), schedules: u64::MAX, ..bounds };
        let (whole, found) = search(runner, &scenario, 2, bounds, 1);
        assert!(found.is_empty(), "{found:?}");
        assert!(1 < whole.classes && whole.classes < whole.schedules, "{whole:?}");
        assert_eq!(whole.whole, 0, "with preemptions there are more");
        // Orders of calls and of answers differ; most moments are met in many schedules.
        assert!(2 * single.instants < whole.instants, "{whole:?}");
        assert!(whole.instants < single.instants * whole.classes / 4, "{whole:?}");
        assert_eq!(search(runner, &scenario, 2, bounds, 1).0, whole);
    });
}

/// One batch for each of two writers, along the schedule of `guide`.
fn along(runner: &mut Runner, guide: Guide, passage: Passage, steer: Vec<Steer>) -> Verdict {
    let mut scenario = tiny("tiny_two_syncs");
    scenario.spec.workload.batches = Count::Exactly(1);
    let mode = Mode { guide: Some((guide, passage)), steer: Some(steer), ..Mode::default() };
    runner.run(&scenario, 2, mode)
}

/// What the disk held and how many writes were acknowledged at a point of that schedule, if it
/// has the point.
fn look(runner: &mut Runner, guide: &Guide, point: u64) -> Option<(u64, u64)> {
    let steer = vec![Steer { point, left: Left::Anything }];
    let verdict = along(runner, guide.clone(), Passage::default(), steer);
    verdict.instant.map(|instant| (instant.disk.fingerprint(), verdict.acks))
}

/// What [`look`] finds at the points that a walk calls telling, with the schedules and the classes
/// that it took.
fn walked(runner: &mut Runner, mut walk: Walk) -> (BTreeSet<(u64, u64)>, u32, u32) {
    let (mut instants, mut schedules, mut classes) = (BTreeSet::new(), 0, 0);
    while let Some(guide) = walk.next(0) {
        let passage = std::mem::take(&mut along(runner, guide, walk.passage(), vec![]).passage);
        let telling = passage.telling().to_vec();
        let (guide, is_new) = walk.learn(passage);
        schedules += 1;
        classes += u32::from(is_new);
        for point in telling {
            instants.insert(look(runner, &guide, point).expect("the process has the point"));
        }
    }
    (instants, schedules, classes)
}

#[test]
fn what_changes_at_a_point_is_told_of_it() {
    on_fresh_thread(|runner| {
        let mut walk = Walk::new();
        let guide = walk.next(0).expect("a first schedule");
        let passage = along(runner, guide, walk.passage(), vec![]).passage;
        let (telling, points) = (passage.telling().to_vec(), passage.new_points());
        let (guide, _) = walk.learn(passage);
        let mut last = None;
        let mut changes = 0;
        for point in 1..=points {
            let here = look(runner, &guide, point);
            assert!(here.is_some(), "{point} of {points}");
            if here != last {
                assert!(telling.contains(&point), "point {point} is not told, unlike {telling:?}");
                changes += 1;
            }
            last = here;
        }
        assert!(40 < changes && 3 * changes < 2 * points, "{changes} of {points}");
    });
}

#[test]
fn a_walk_that_is_cut_at_known_states_misses_nothing() {
    on_fresh_thread(|runner| {
        let (instants, schedules, classes) = walked(runner, Walk::new());
        let (all_instants, all_schedules, all_classes) = walked(runner, Walk::uncut());
        assert!(50 < instants.len() && 50 < classes, "{} {classes}", instants.len());
        assert_eq!((instants, classes), (all_instants, all_classes));
        assert!(10 * schedules < all_schedules, "{schedules} of {all_schedules}");
    });
}

#[test]
fn a_counterexample_names_its_schedule() {
    let mut scenario = tiny("tiny_two_syncs");
    scenario.spec.disk.leave_out = Some("run/writer: sync log".to_owned());
    on_fresh_thread(move |runner| {
        let bounds = Bounds { images: 8, crashes: 1, preemptions: Some(0), schedules: u64::MAX };
        let (_, found) = search(runner, &scenario, 2, bounds, 400);
        let schedules: BTreeSet<String> = found
            .iter()
            .map(|found| found.schedule.as_ref().expect("it follows one").to_string())
            .collect();
        assert!(schedules.len() > 1, "{schedules:?}");
        for found in found.iter().step_by(20) {
            let schedule = found.schedule.clone();
            let course = Course { scenario: scenario.clone(), seed: 2, schedule };
            let shown = course.again(runner, 8, &found.crashes).expect("the harness works");
            let shown = shown.expect("the same crash");
            assert_eq!(shown.trace_hash, found.verdict.trace_hash);
            assert_eq!(checkers(&shown), checkers(&found.verdict));
        }
    });
}

#[test]
fn a_sync_that_is_left_out_is_missed() {
    let scenarios = [tiny("tiny_two_syncs")];
    let effort = Effort { looks: 8, schedules: 2, images: 64, seeds: 0 };
    let met = syncs(&scenarios, effort).expect("the harness works");
    let labels: Vec<&str> = met.iter().map(|sync| sync.label.as_str()).collect();
    for label in [
        "open/main: sync MANIFEST",
        "open/main: sync dbtmp",
        "open/main: sync_dir db after create log",
        "open/main: sync_dir db after rename CURRENT",
        "run/writer: sync log",
    ] {
        assert!(labels.contains(&label), "{label} is not among {labels:?}");
    }
    let commit = met.iter().find(|sync| sync.label == "run/writer: sync log").expect("is there");
    let found = leave_out(&scenarios, commit, "posix-weak", effort).expect("the harness works");
    let needed = found.needed.expect("an acknowledged write is lost");
    assert_eq!((needed.scenario, needed.violation.checker), (0, "durability"));
    // The same crash with the sync in its place breaks nothing.
    let shown = |leave_out: Option<String>| {
        let mut scenario = tiny("tiny_two_syncs");
        scenario.spec.disk.profiles = vec!["posix-weak".to_owned()];
        scenario.spec.disk.leave_out = leave_out;
        let (crash, seed) = (needed.crash.clone().expect("it was exhausted"), needed.seed);
        let course = Course { scenario, seed, schedule: None };
        on_fresh_thread(move |runner| course.again(runner, 64, &crash)).expect("the harness works")
    };
    let without = shown(Some(commit.label.clone())).expect("the same crash");
    assert_eq!(checkers(&without), ["durability"]);
    assert!(without.probes.has(Probe::SyncLeftOut));
    let with = shown(None);
    assert!(with.is_none_or(|verdict| {
        verdict.violations.is_empty() && !verdict.probes.has(Probe::SyncLeftOut)
    }));
    // A sync of which nothing was ever pending is not missed.
    let nothing = Sync { label: "run/writer: sync table".to_owned(), ..commit.clone() };
    let found = leave_out(&scenarios, &nothing, "posix-weak", effort).expect("the harness works");
    assert!(found.needed.is_none() && found.runs > 1000, "{found:?}");
}

#[test]
fn where_there_are_too_many_images_the_telling_ones_come_first() {
    let scenario = tiny("tiny_failed_sync");
    on_fresh_thread(move |runner| {
        let mut compared = 0;
        let places = (0..4).flat_map(|seed| (1..200).map(move |point| (seed, point)));
        for (seed, point) in places {
            let steer = Some(vec![Steer { point, left: Left::Anything }]);
            let verdict = runner.run(&scenario, seed, Mode { steer, ..Mode::default() });
            let space = verdict.instant.expect("a point or an end").disk.crash_space();
            let mut legal = BTreeSet::new();
            let walked = space.walk(&mut |fates| {
                legal.insert(fates.clone());
                if legal.len() < 400 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if walked.is_break() || legal.len() < 10 {
                continue;
            }
            let stream = || Stream::new(point, Purpose::Disk);
            let (all, are_all) = space.images(legal.len(), &mut stream());
            assert!(are_all);
            assert_eq!(all.iter().collect::<BTreeSet<_>>(), legal.iter().collect());
            let most = legal.len() - 1;
            let (some, are_all) = space.images(most, &mut stream());
            assert!(!are_all && some.len() <= most);
            assert_eq!(some.iter().collect::<BTreeSet<_>>().len(), some.len(), "none comes twice");
            // What is singled out is legal; what is drawn may show garbage of other kinds.
            let hashes: BTreeSet<u64> = legal.iter().map(|f| space.disk(f).image_hash()).collect();
            let is_legal = |fates: &Fates| hashes.contains(&space.disk(fates).image_hash());
            assert!(some.iter().take(5).all(is_legal), "seed {seed}, point {point}");
            // Nothing is kept, then all is.
            assert_eq!(some.first(), legal.first());
            let report = space.report(&some[1]);
            assert!(report.ops.iter().all(|(_, fate)| *fate == Fate::Survived), "{report:?}");
            compared += 1;
        }
        assert!(compared > 50, "{compared}");
    });
}

#[test]
fn a_dying_process_has_done_any_number_of_bytes_of_its_writes() {
    let scenario = tiny("tiny_two_syncs");
    on_fresh_thread(move |runner| {
        let mut lone_writes = 0;
        for point in 1.. {
            let steer = Some(vec![Steer { point, left: Left::Anything }]);
            let verdict = runner.run(&scenario, 0, Mode { steer, ..Mode::default() });
            let Some(instant) = verdict.instant.filter(|instant| instant.point == point) else {
                break;
            };
            let (deaths, are_all) = instant.deaths(4096);
            assert!(are_all);
            let most = |at: usize| {
                let chosen = deaths.iter().map(|death| match death {
                    Left::Written(bytes) => bytes.get(at).copied(),
                    other => panic!("no death: {other:?}"),
                });
                chosen.max().flatten()
            };
            match (most(0), most(1)) {
                (None, _) => assert_eq!(deaths, [Left::Written(Vec::new())]),
                (Some(most), None) => {
                    let each = (0..=most).map(|bytes| Left::Written(vec![bytes]));
                    assert_eq!(deaths, each.collect::<Vec<_>>());
                    lone_writes += 1;
                }
                _ => assert!(deaths.len() > 4),
            }
            let (some, are_all) = instant.deaths(1);
            assert_eq!((some.len(), are_all), (1, deaths.len() == 1));
        }
        assert!(lone_writes > 5, "{lone_writes}");
    });
}
