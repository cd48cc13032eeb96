//! A workload, a checker and a fault hook of one's own: money moves between accounts, and no crash
//! may make or destroy any.
//!
//! `cargo run --release -p faultline-sim --example own_workload`

#![expect(clippy::print_stdout, reason = "an example that prints what it found")]

use std::cell::RefCell;
use std::rc::Rc;

use faultline::env::Threads as _;
use faultline::{Db, FileOp, WriteBatch, WriteOptions};
use faultline_sim::checker::{AfterOpen, Checker, Liveness, Violation};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{Fault, FaultKind, FileRole};
use faultline_sim::kernel::SimThreads;
use faultline_sim::run::{Mode, on_fresh_thread};
use faultline_sim::scenario::Scenario;
use faultline_sim::workload::{Custom, FaultHook, FaultQuery, Workload, outside};

const ACCOUNTS: u8 = 4;
const TOTAL: u64 = 100 * ACCOUNTS as u64;

/// What the workload and the checker both know. It lives on the harness's side.
#[derive(Default)]
struct Known {
    transfers: u64,
}

/// Two threads move money, each between accounts of its own; every transfer is one batch.
struct Transfers(Rc<RefCell<Known>>);

impl Workload for Transfers {
    fn run(&self, db: &Db<SimEnv>, incarnation: u32) {
        if incarnation == 0 {
            let mut opening = WriteBatch::new();
            for account in 0..ACCOUNTS {
                opening.put(&[account], &100u64.to_le_bytes()).expect("a small batch");
            }
            if db.write(&opening, &WriteOptions { sync: true, ..WriteOptions::default() }).is_err()
            {
                return;
            }
        }
        let tellers = [0, 2].map(|first| {
            let db = db.clone();
            SimThreads::spawn("teller", move || move_money(&db, first)).expect("a thread")
        });
        let done: u64 = tellers.map(|teller| SimThreads::join(teller).unwrap_or(0)).iter().sum();
        // Memory of the simulated process is gone after a crash; notes go outside.
        outside(|| self.0.borrow_mut().transfers += done);
    }
}

fn move_money(db: &Db<SimEnv>, first: u8) -> u64 {
    let balance = |account: u8| {
        let value = db.get(&[account]).ok().flatten()?;
        Some(u64::from_le_bytes(value[..].try_into().ok()?))
    };
    let mut done = 0;
    for amount in 1..20 {
        let (Some(from), Some(to)) = (balance(first), balance(first + 1)) else { break };
        let mut batch = WriteBatch::new();
        let moved = from.min(amount);
        let puts = batch
            .put(&[first], &(from - moved).to_le_bytes())
            .and_then(|()| batch.put(&[first + 1], &(to + moved).to_le_bytes()));
        puts.expect("a small batch");
        if db
            .write(&batch, &WriteOptions { sync: amount % 4 == 0, ..WriteOptions::default() })
            .is_err()
        {
            break;
        }
        done += 1;
    }
    done
}

/// The sum over all accounts is the same after every open.
#[derive(Clone)]
struct NoMoneyMade;

impl Checker for NoMoneyMade {
    fn name(&self) -> &'static str {
        "no_money_made"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        let mut newest = [None; ACCOUNTS as usize];
        for entry in &open.history.opened.entries {
            let (&[account], Some(value)) = (entry.key(), entry.value()) else { continue };
            let balance = u64::from_le_bytes(value[..].try_into().expect("eight bytes"));
            let newest: &mut Option<(u64, u64)> = &mut newest[account as usize];
            if newest.is_none_or(|(sequence, _)| sequence < entry.sequence) {
                *newest = Some((entry.sequence, balance));
            }
        }
        let sum: u64 = newest.iter().flatten().map(|(_, balance)| balance).sum();
        if sum == 0 || sum == TOTAL {
            return Ok(());
        }
        Err(Violation {
            checker: self.name(),
            promise: "a transfer is recovered whole or not at all",
            expected: format!("{TOTAL} in all accounts"),
            got: sum.to_string(),
            point: open.history.opened.point,
        })
    }
}

/// Every seventh sync of a log fails.
#[derive(Clone, Default)]
struct SeventhSync(u32);

impl FaultHook for SeventhSync {
    fn decide(&mut self, call: &FaultQuery<'_>) -> Option<Fault> {
        if (call.op, call.role) != (FileOp::Sync, FileRole::Log) {
            return None;
        }
        self.0 += 1;
        self.0.is_multiple_of(7).then_some(Fault { kind: FaultKind::SyncError, draw: 0 })
    }
}

const SCENARIO: &str = r#"
about = "Transfers, crashed at any call."

[crash]
count = [1, 3]
kind = "either"
at = "any_call"
in_recovery = 0.2
"#;

fn main() {
    let scenario = Scenario::parse("transfers", "transfers.toml", SCENARIO).expect("a scenario");
    let (mut transfers, mut crashes, mut broken) = (0, 0, 0);
    for seed in 0..500 {
        let scenario = scenario.clone();
        let (done, verdict) = on_fresh_thread(move |runner| {
            let known = Rc::new(RefCell::new(Known::default()));
            let custom = Custom {
                workload: Rc::new(Transfers(Rc::clone(&known))),
                fault_hook: Some(Box::new(SeventhSync::default())),
            };
            let checkers: Vec<Box<dyn Checker>> = vec![Box::new(NoMoneyMade), Box::new(Liveness)];
            let verdict = runner.run_custom(&scenario, seed, custom, checkers, Mode::default());
            let done = known.borrow().transfers;
            (done, verdict)
        });
        transfers += done;
        crashes += verdict.crashes;
        for violation in &verdict.violations {
            broken += 1;
            println!("seed {seed}: {violation}");
        }
    }
    println!("500 seeds, {transfers} transfers, {crashes} crashes, {broken} promises broken");
}
