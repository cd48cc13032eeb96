//! Programs of a user's own in the simulator: what they leave, what they wait for, what they insist
//! on.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use faultline::env::{Condvar, Env as _, Mutex};
use faultline::{Db, FileOp, WriteBatch, WriteOptions};
use faultline_sim::checker::{Checker, Liveness, Recovery, Structure};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{Fault, FaultKind, Phase};
use faultline_sim::kernel::SimThreads;
use faultline_sim::run::{Mode, on_fresh_thread};
use faultline_sim::scenario::Scenario;
use faultline_sim::workload::{Custom, FaultHook, FaultQuery, Workload};

/// A program that forgets a cursor, and with it all that the cursor pins.
struct Forgetful;

impl Workload for Forgetful {
    fn run(&self, db: &Db<SimEnv>, _incarnation: u32) {
        if let Ok(cursor) = db.iter() {
            std::mem::forget(cursor);
        }
    }
}

#[test]
fn memory_that_is_never_given_back_is_found_out() {
    let text = "about = \"Nothing but a cursor.\"\n[crash]\ncount = 0\n";
    let scenario = Scenario::parse("cursor", "cursor.toml", text).expect("a scenario");
    let found = on_fresh_thread(move |runner| {
        let custom = Custom { workload: Rc::new(Forgetful), fault_hook: None };
        runner.run_custom(&scenario, 1, custom, vec![Box::new(Liveness)], Mode::default())
    });
    let words = found.violations.first().map(ToString::to_string).unwrap_or_default();
    assert!(words.contains("holds no memory"), "{words}");
}

/// A program that waits for what nobody tells.
struct Waits;

impl Workload for Waits {
    fn run(&self, _db: &Db<SimEnv>, _incarnation: u32) {
        let mutex = Mutex::<SimThreads, ()>::new("mutex", ());
        let told = Condvar::<SimThreads>::new("told");
        drop(told.wait(mutex.lock()));
        // The next one has a time of its own, and ends before it.
        let (_guard, timed_out) = told.wait_timeout(mutex.lock(), Duration::from_secs(1));
        assert!(!timed_out, "it is the wake-up that ends it");
    }
}

#[test]
fn a_wait_ends_by_itself_only_if_the_scenario_says_so() {
    let waits = |faults: &str| {
        let text = format!("about = \"Waits.\"\n[crash]\ncount = 0\n{faults}");
        let scenario = Scenario::parse("waits", "waits.toml", &text).expect("a scenario");
        on_fresh_thread(move |runner| {
            let custom = Custom { workload: Rc::new(Waits), fault_hook: None };
            runner.run_custom(&scenario, 1, custom, vec![Box::new(Liveness)], Mode::default())
        })
    };
    let woken = waits("[[faults.rate]]\nkind = \"spurious_wakeup\"\nphase = \"run\"\nrate = 1.0");
    // The incarnation after the first clean close is healthy, and waits in vain.
    assert!(woken.faults.of(FaultKind::SpuriousWakeup) >= 2, "{:?}", woken.violations);
    for verdict in [waits(""), woken] {
        let words = verdict.violations.first().map(ToString::to_string).unwrap_or_default();
        assert!(words.contains("main#1 waits: wait told"), "{words}");
    }
}

/// A client that does not give up.
struct Insists;

impl Workload for Insists {
    fn run(&self, db: &Db<SimEnv>, _incarnation: u32) {
        let mut batch = WriteBatch::new();
        batch.put(b"key", b"value").expect("it is small");
        while db.write(&batch, &WriteOptions { sync: true, ..WriteOptions::default() }).is_err() {
            // It fails too, as long as every sync does.
            db.resume().ok();
        }
    }
}

#[derive(Clone)]
struct EverySync;

impl FaultHook for EverySync {
    fn decide(&mut self, query: &FaultQuery<'_>) -> Option<Fault> {
        let strikes = query.op == FileOp::Sync && query.phase == Phase::Run;
        strikes.then_some(Fault { kind: FaultKind::SyncError, draw: 0 })
    }
}

/// Whoever tries until it succeeds is not to blame for a disk on which nothing does.
#[test]
fn a_client_that_insists_has_its_way_once_nothing_fails() {
    let text = "about = \"Insists.\"\n[crash]\ncount = 0\n";
    let rate = "[[faults.rate]]\nkind = \"sync_error\"\nphase = \"run\"\nrate = 1.0";
    for (text, is_hooked) in [(text.to_owned(), true), (format!("{text}{rate}"), false)] {
        let scenario = Scenario::parse("insists", "insists.toml", &text).expect("a scenario");
        let verdict = on_fresh_thread(move |runner| {
            let fault_hook = is_hooked.then(|| Box::new(EverySync) as Box<dyn FaultHook>);
            let custom = Custom { workload: Rc::new(Insists), fault_hook };
            let mode = Mode { points_max: Some(20_000), ..Mode::default() };
            runner.run_custom(&scenario, 1, custom, vec![Box::new(Liveness)], mode)
        });
        assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
        assert!(20_000 < verdict.points, "it had to insist: {}", verdict.points);
    }
}

/// A program that does something to the first table, by its path.
#[derive(Clone, Copy)]
struct Meddles(fn(&SimEnv, &Path) -> faultline::Result<()>);

impl Workload for Meddles {
    fn run(&self, db: &Db<SimEnv>, incarnation: u32) {
        if incarnation == 0 {
            db.put(b"key", b"value").and_then(|_| db.flush()).expect("nothing fails");
            let (env, dir) = (SimEnv::default(), Path::new("/db"));
            let tables = env.list(dir).expect("nothing fails").into_iter();
            let mut tables =
                tables.filter(|name| Path::new(name).extension() == Some("ldb".as_ref()));
            self.0(&env, &dir.join(tables.next().expect("the flush made one"))).expect("it may");
        }
    }
}

#[test]
fn a_needed_table_does_not_go_in_any_way() {
    let text = "about = \"Meddles.\"\n[crash]\ncount = 0\n";
    let cases: [(Meddles, &str); 4] = [
        (Meddles(SimEnv::remove), "000005.ldb is removed"),
        (
            Meddles(|env, table| env.rename(table, Path::new("/db/else"))),
            "000005.ldb is moved away",
        ),
        (
            Meddles(|env, table| {
                drop(env.create(Path::new("/db/else"))?);
                env.rename(Path::new("/db/else"), table)
            }),
            "000005.ldb is written over",
        ),
        (Meddles(|env, table| env.link(table, Path::new("/db/else"))), ""),
    ];
    for (meddles, told) in cases {
        let scenario = Scenario::parse("meddles", "meddles.toml", text).expect("a scenario");
        let verdict = on_fresh_thread(move |runner| {
            let custom = Custom { workload: Rc::new(meddles), fault_hook: None };
            let checkers: Vec<Box<dyn Checker>> = vec![Box::new(Structure::default())];
            runner.run_custom(&scenario, 1, custom, checkers, Mode::default())
        });
        let words = verdict.violations.first().map(ToString::to_string).unwrap_or_default();
        assert!(words.contains(told) && words.is_empty() == told.is_empty(), "{told}: {words}");
    }
}

/// A process in which nobody goes on keeps the database locked until it is killed.
#[test]
fn a_stuck_process_is_killed_if_no_checker_minds() {
    let text = "about = \"Waits.\"\n[crash]\ncount = 0\n";
    let scenario = Scenario::parse("waits", "waits.toml", text).expect("a scenario");
    let verdict = on_fresh_thread(move |runner| {
        let custom = Custom { workload: Rc::new(Waits), fault_hook: None };
        runner.run_custom(&scenario, 1, custom, vec![Box::new(Recovery)], Mode::default())
    });
    assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
    assert!(verdict.situations.len() > 1, "each process is");
}
