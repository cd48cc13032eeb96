//! One seed, one trace: twice, on other threads, with other numbers of workers, in every profile.
//!
//! The four tests at the end drive small processes through [`Kernel`] and [`World`] and show that
//! the trace hash covers what it says: one changed byte of I/O, one changed choice, one changed
//! acknowledgement and one changed step of the clock each give another hash, while all that can be
//! seen beside it stays as it was.

#![cfg(test)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faultline::env::{Atomic as _, Condvar, Env as _, Mutex, Threads as _};
use faultline::{Db, Options};
use faultline_sim::disk::{Disk, POSIX_WEAK};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{FaultConfig, FaultPlan};
use faultline_sim::kernel::{End, Kernel, Limits, SimAtomicU64, SimThreads, Step, ThreadId};
use faultline_sim::policy::{Decision, Policy};
use faultline_sim::run::{Mode, on_fresh_thread, run_on_fresh_thread};
use faultline_sim::scenario::{Scenario, embedded};
use faultline_sim::sweep::{Seeds, Sweep, Totals};
use faultline_sim::token::Token;
use faultline_sim::trace::Trace;
use faultline_sim::workload::{After, Plan, PlannedBatch, PlannedOp, writer};
use faultline_sim::world::World;

/// Runs and their trace hashes, which every build profile must give. Here they are held against
/// the profile of the tests; the gate replays them in that of the sweeps.
const TRACES: &str = include_str!("../../corpus/traces");

fn scenarios() -> Vec<Scenario> {
    embedded().expect("the scenarios of the repository")
}

fn scenario(name: &str) -> Scenario {
    let found = scenarios().into_iter().find(|scenario| scenario.name == name);
    found.expect("a scenario of this name")
}

#[test]
fn pinned_runs_have_their_trace_in_every_profile() {
    let runs = TRACES.lines().map(|line| {
        let (run, _) = line.split_once(' ').expect("a run and its hash");
        let Token { scenario: name, seed, .. } = run.parse().expect("a token");
        let verdict = run_on_fresh_thread(&scenario(&name), seed, Mode::default());
        assert_eq!(verdict.harness_error, None, "{run}");
        format!("{run} {:016x}\n", verdict.trace_hash)
    });
    let found: String = runs.collect();
    assert!(!found.is_empty());
    assert_eq!(found, TRACES, "other traces than pinned");
}

#[test]
fn a_run_on_a_fresh_thread_has_the_same_trace_and_another_seed_another() {
    for scenario in scenarios() {
        let hashes = |seed| {
            let run = || run_on_fresh_thread(&scenario, seed, Mode::default());
            let (first, second) = (run(), run());
            assert_eq!(first.trace_hash, second.trace_hash, "{}:{seed}", scenario.name);
            assert_eq!(first.points, second.points, "{}:{seed}", scenario.name);
            assert!(first.points > 0, "{}:{seed} ran", scenario.name);
            first.trace_hash
        };
        let distinct: BTreeSet<u64> = (0..3).map(hashes).collect();
        assert_eq!(distinct.len(), 3, "{}: seeds share a trace", scenario.name);
    }
}

#[test]
fn what_ran_before_on_the_thread_does_not_matter() {
    let scenario = scenario("readers_and_snapshots");
    let alone = run_on_fresh_thread(&scenario, 2, Mode::default()).trace_hash;
    let after_others = on_fresh_thread(move |runner| {
        for seed in [7, 0, 1] {
            runner.run(&scenario, seed, Mode::default());
        }
        runner.run(&scenario, 2, Mode::default()).trace_hash
    });
    assert_eq!(alone, after_others);
}

#[test]
fn keeping_events_or_the_schedule_leaves_the_trace_alone() {
    let scenario = scenario("crash_mid_add_record");
    let run = |mode| run_on_fresh_thread(&scenario, 4, mode);
    let plain = run(Mode::default());
    let kept = run(Mode { keep_events: true, record_schedule: true, ..Mode::default() });
    assert!(!kept.events.is_empty() && !kept.schedule.is_empty());
    assert_eq!(plain.trace_hash, kept.trace_hash);
    let again = run(Mode { schedule: Some(kept.schedule), ..Mode::default() });
    assert_eq!(plain.trace_hash, again.trace_hash, "the recorded schedule is the same run");
}

fn sweep(seeds: Seeds, jobs: usize, check_determinism: f64) -> Totals {
    let sweep = Sweep {
        scenarios: Arc::from(scenarios()),
        seeds,
        jobs,
        time_budget: None,
        failures_max: u64::MAX,
        check_determinism,
        classed: 0.5,
        run_timeout: Duration::from_mins(2),
        out: None,
    };
    sweep.run(&mut |_| ControlFlow::Continue(()))
}

#[test]
fn a_sweep_does_not_depend_on_the_number_of_workers() {
    let one = sweep(Seeds::Range(0, 4), 1, 0.0);
    assert!(one.complete);
    assert_eq!(one.runs, 4 * scenarios().len() as u64);
    for jobs in [2, 1] {
        let other = sweep(Seeds::Range(0, 4), jobs, 0.0);
        let sums = |t: &Totals| {
            (t.trace_hash, t.runs, t.points, t.virtual_micros, t.crashes, t.acks, t.ops, t.bytes)
        };
        assert_eq!(sums(&one), sums(&other), "{jobs} workers");
        assert_eq!(one.faults, other.faults, "{jobs} workers");
        assert_eq!(one.by_scenario, other.by_scenario, "{jobs} workers");
        assert_eq!(one.failures.len(), other.failures.len(), "{jobs} workers");
        assert_eq!(one.situations, other.situations, "{jobs} workers");
        assert_eq!(one.classes, other.classes, "{jobs} workers");
    }
    let list = sweep(Seeds::List(vec![3, 1, 0, 2]), 2, 0.0);
    assert_eq!(one.trace_hash, list.trace_hash, "the order of seeds does not count");
    let shifted = sweep(Seeds::Range(1, 5), 1, 0.0);
    assert_ne!(one.trace_hash, shifted.trace_hash, "the seeds count");
}

#[test]
fn a_sweep_that_checks_itself_finds_no_difference() {
    let totals = sweep(Seeds::Range(10, 12), 2, 1.0);
    assert_eq!(totals.determinism_checked, totals.runs);
    assert!(totals.failures.is_empty(), "{:?}", totals.failures);
    assert_eq!(totals.trace_hash, sweep(Seeds::Range(10, 12), 2, 0.0).trace_hash);
}

/// What can be seen of a small process beside its hash, and the hash.
#[derive(Debug)]
struct Seen {
    beside: Beside,
    hash: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Beside {
    points: u64,
    nanos: u64,
    schedule: Vec<Decision>,
}

/// Runs `main` as a process of its own in the world of `plan`.
fn process(policy: Box<dyn Policy>, plan: Plan, main: impl FnOnce() + 'static) -> Seen {
    let kernel = Kernel::new(policy, Trace::new(false));
    kernel.record_schedule();
    let world = World::new(
        plan,
        FaultPlan::new(&FaultConfig::default()),
        Vec::new(),
        Disk::new(&POSIX_WEAK),
    );
    let end = world.enter(|| {
        kernel.start_process(Limits::NONE, main);
        std::iter::repeat_with(|| kernel.run_slice(64)).find_map(|end| end)
    });
    assert_eq!(end, Some(End::Returned(vec![])));
    Seen {
        beside: Beside {
            points: kernel.points(),
            nanos: kernel.nanos(),
            schedule: kernel.take_schedule(),
        },
        hash: kernel.with_trace(|trace| trace.hash()),
    }
}

/// A plan of one writer that writes `batches`, each of which is a list of operations of the plan.
fn plan(ops: &[PlannedOp], batches: &[PlannedBatch]) -> Plan {
    let mut plan = Plan::draw(&scenario("steady_writers"), 1);
    let last = batches.len() as u32;
    plan.ops = ops.to_vec();
    plan.batches = batches.to_vec();
    plan.writers.clear();
    plan.writers.push(last - 1..last);
    plan.readers = Vec::new();
    plan.engine.write_buffer_size = 1 << 20;
    plan
}

/// A plan for programs that bring their own work.
fn idle_plan() -> Plan {
    let nothing =
        PlannedBatch { writer: 0, ops: 0..0, sync: false, no_wait: false, after: After::Nothing };
    plan(&[], &[nothing])
}

/// The thread at the point goes on, else the first that can; at one decision, another.
#[derive(Clone, Debug, Default)]
struct Straight {
    decisions: u32,
    /// The decision that is taken otherwise, and how.
    other: Option<(u32, u32)>,
}

impl Straight {
    fn turn(&mut self) -> u32 {
        self.decisions += 1;
        self.other.filter(|(at, _)| at + 1 == self.decisions).map_or(0, |(_, by)| by)
    }
}

impl Policy for Straight {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, _: Step) -> ThreadId {
        let usual = runnable.iter().position(|id| Some(*id) == current).unwrap_or(0);
        runnable[(usual + self.turn() as usize) % runnable.len()]
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.turn() % n
    }
}

fn straight() -> Box<dyn Policy> {
    Box::new(Straight::default())
}

/// Picks this one; all else goes straight.
#[derive(Clone, Debug)]
struct Picks(u32);
impl Policy for Picks {
    fn next(&mut self, runnable: &[ThreadId], at: Option<ThreadId>, step: Step) -> ThreadId {
        Straight::default().next(runnable, at, step)
    }
    fn pick(&mut self, n: u32) -> u32 {
        self.0 % n
    }
}

#[test]
fn one_changed_byte_of_a_write_or_a_read_changes_the_hash() {
    let append = |byte: u8| {
        process(straight(), idle_plan(), move || {
            let mut data = [7; 100];
            data[61] = byte;
            let mut file = SimEnv::default().create(Path::new("/000003.log")).expect("a new file");
            file.append(&data).expect("appends");
            file.close().expect("closes");
        })
    };
    let (one, other) = (append(7), append(8));
    assert_eq!(one.beside, other.beside);
    assert_ne!(one.hash, other.hash);
    assert_eq!(one.hash, append(7).hash);

    // The byte lies on the disk before the process starts: only the read shows it.
    let read = |byte: u8| {
        process(straight(), idle_plan(), move || {
            faultline_sim::world::with_world(|world| {
                let mut disk = world.disk.borrow_mut();
                let fd = disk.create("/a").expect("a new file");
                let write = disk.begin_append(fd, &[1, byte]).expect("there is room");
                disk.finish_append(write, 2);
            });
            let file = SimEnv::default().open_random_access(Path::new("/a")).expect("is there");
            assert_eq!(file.read_at(0, &mut [0; 10]), Ok(2));
        })
    };
    let (one, other) = (read(2), read(3));
    assert_eq!(one.beside, other.beside);
    assert_ne!(one.hash, other.hash);
}

#[test]
fn one_changed_choice_changes_the_hash() {
    // Two threads look at a word that nobody changes: whoever goes first, no one can tell.
    let program = || {
        let word = Arc::new(SimAtomicU64::new(1));
        let threads = [1, 2].map(|_| {
            let word = Arc::clone(&word);
            SimThreads::spawn("looker", move || (word.load(), word.load(), word.load()))
                .expect("a thread")
        });
        for thread in threads {
            SimThreads::join(thread).expect("returns");
        }
    };
    let run = |other| process(Box::new(Straight { decisions: 0, other }), idle_plan(), program);
    let base = run(None);
    let decisions = base.beside.schedule.len() as u32;
    assert!(decisions >= 6, "{base:?}");
    let mut hashes = BTreeSet::from([base.hash]);
    for at in 0..decisions {
        let changed = run(Some((at, 1)));
        assert_ne!(changed.beside.schedule, base.beside.schedule, "decision {at}");
        assert!(hashes.insert(changed.hash), "decision {at} leaves a hash as it was");
    }
}

#[test]
fn one_changed_pick_among_waiters_changes_the_hash() {
    let run = |policy: Box<dyn Policy>| {
        process(policy, idle_plan(), || {
            type Gate = (Mutex<SimThreads, (u32, bool)>, Condvar<SimThreads>);
            let gate: Arc<Gate> = Arc::new((Mutex::new("gate", (0, false)), Condvar::new("open")));
            let threads = [1, 2].map(|_| {
                let gate = Arc::clone(&gate);
                SimThreads::spawn("waiter", move || {
                    let mut state = gate.0.lock();
                    state.0 += 1;
                    while !state.1 {
                        state = gate.1.wait(state);
                    }
                    drop(state);
                    gate.1.notify_one();
                })
                .expect("a thread")
            });
            while gate.0.lock().0 < 2 {
                SimThreads::yield_now();
            }
            gate.0.lock().1 = true;
            gate.1.notify_one();
            for thread in threads {
                SimThreads::join(thread).expect("returns");
            }
        })
    };
    let [first, second] = [0, 1].map(|nth| run(Box::new(Picks(nth))));
    assert!(first.beside.schedule.iter().any(|decision| decision.step == Step::PICK));
    assert_ne!(first.hash, second.hash);
}

#[test]
fn one_changed_acknowledgement_changes_the_hash() {
    let ops = [PlannedOp { key: 5, value: Some(20) }];
    let batch =
        PlannedBatch { writer: 0, ops: 0..1, sync: true, no_wait: false, after: After::Nothing };
    let run = |batches: &[PlannedBatch]| {
        process(straight(), plan(&ops, batches), || {
            let options = Options { create_if_missing: true, ..Options::default() };
            let db = Db::open(SimEnv::default(), "/db", options).expect("opens");
            writer(&db, 0);
            db.close().expect("closes");
        })
    };
    // The same operations at the same time; what is acknowledged is batch 0, or batch 1.
    let zero = run(std::slice::from_ref(&batch));
    let one = run(&[batch.clone(), batch.clone()]);
    assert_eq!(zero.beside, one.beside);
    assert_ne!(zero.hash, one.hash);
    assert_eq!(zero.hash, run(&[batch]).hash);
}

#[test]
fn one_changed_step_of_the_clock_changes_the_hash() {
    let run = |nanos| {
        process(straight(), idle_plan(), move || {
            SimThreads::sleep(Duration::from_nanos(nanos));
        })
    };
    let (one, other) = (run(5000), run(5001));
    assert_eq!(one.beside.points, other.beside.points);
    assert_eq!(one.beside.schedule, other.beside.schedule);
    assert_ne!(one.hash, other.hash);
    assert_eq!(one.hash, run(5000).hash);
}
