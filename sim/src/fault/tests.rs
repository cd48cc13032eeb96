//! Tests of fault plans.

use super::{FaultConfig, FaultKind, FaultPlan, FileRole, Operation, Phase, ScriptRule};
use crate::disk::Pick;

/// Draws the given numbers, in hundredths of the range, and fails when they run out.
struct Given(Vec<u32>);

impl Pick for Given {
    fn pick(&mut self, n: u32) -> u32 {
        assert!(!self.0.is_empty(), "a draw too many");
        (u64::from(self.0.remove(0)) * u64::from(n) / 100) as u32
    }
}

fn config(text: &str) -> FaultConfig {
    toml::from_str(text).expect("a table of faults")
}

fn refusal(text: &str) -> String {
    toml::from_str::<FaultConfig>(text).expect_err("a mistake").message().to_owned()
}

fn sync_log(plan: &mut FaultPlan, draws: &mut Given) -> Option<FaultKind> {
    let fault = plan.decide(Operation::Sync, FileRole::Log, Phase::Run, draws);
    fault.map(|fault| fault.kind)
}

#[test]
fn roles_are_told_by_name() {
    for (name, role) in [
        ("/db/000003.log", FileRole::Log),
        ("18446744073709551615.log", FileRole::Log),
        ("000005.ldb", FileRole::Table),
        ("000005.sst", FileRole::Table),
        ("MANIFEST-000002", FileRole::Manifest),
        ("CURRENT", FileRole::Current),
        ("000002.dbtmp", FileRole::Temp),
        ("LOCK", FileRole::Lock),
        ("LOG", FileRole::Other),
        ("CURRENTX", FileRole::Other),
        ("MANIFEST-", FileRole::Other),
        ("MANIFEST-3x", FileRole::Other),
        (".log", FileRole::Other),
        ("x.log", FileRole::Other),
        ("3.log.old", FileRole::Other),
        ("", FileRole::Other),
    ] {
        assert_eq!(FileRole::of_file(name), role, "{name}");
    }
}

#[test]
fn nothing_planned_draws_nothing() {
    let mut plan = FaultPlan::new(&config("sync_error = 0.0\nread_error = 0.5"));
    let mut draws = Given(Vec::new());
    assert_eq!(sync_log(&mut plan, &mut draws), None);
    let open = plan.decide(Operation::Open, FileRole::Table, Phase::Recovery, &mut draws);
    assert_eq!(open, None);
}

#[test]
fn a_rate_strikes_below_its_threshold() {
    let mut plan = FaultPlan::new(&config("sync_error = 0.25\nlatency_spike = 0.25"));
    let mut draws = Given(vec![20, 0, 30, 0, 60]);
    assert_eq!(sync_log(&mut plan, &mut draws), Some(FaultKind::SyncError));
    assert_eq!(sync_log(&mut plan, &mut draws), Some(FaultKind::LatencySpike));
    assert_eq!(sync_log(&mut plan, &mut draws), None);
    assert!(draws.0.is_empty(), "one draw to choose, one more for a fault");
    assert_eq!(plan.delivered(FaultKind::SyncError, Phase::Run), 1);
    assert_eq!(plan.delivered(FaultKind::SyncError, Phase::Recovery), 0);
    assert_eq!(plan.errors_delivered(), 1, "a delay is none");
}

#[test]
fn rates_hold_where_they_say() {
    let mut plan = FaultPlan::new(&config(
        "[[rate]]\nkind = 'too_many_open'\nrate = 1.0\nrole = 'table'\noperation = 'open'\n\
         phase = 'recovery'",
    ));
    let mut draws = Given(vec![90, 90]);
    let mut decide = |operation, role, phase| {
        plan.decide(operation, role, phase, &mut draws).map(|fault| fault.kind)
    };
    assert_eq!(decide(Operation::Open, FileRole::Log, Phase::Recovery), None);
    assert_eq!(decide(Operation::Open, FileRole::Table, Phase::Run), None);
    assert_eq!(decide(Operation::Create, FileRole::Table, Phase::Recovery), None);
    let struck = decide(Operation::Open, FileRole::Table, Phase::Recovery);
    assert_eq!(struck, Some(FaultKind::TooManyOpen));
}

#[test]
fn a_script_strikes_the_nth_call_that_matches() {
    let mut plan = FaultPlan::new(&config(
        "[[script]]\nkind = 'sync_error'\nrole = 'log'\nnth = 3\ncount = 2\nphase = 'run'\n\
         [[script]]\nkind = 'long_stall'\noperation = 'sync'\nnth = 4\ndraw = 7",
    ));
    let mut draws = Given(vec![0, 0]);
    let manifest = plan.decide(Operation::Sync, FileRole::Manifest, Phase::Run, &mut draws);
    assert_eq!(manifest, None);
    let found: Vec<_> = (0..6).map(|_| sync_log(&mut plan, &mut draws)).collect();
    let sync = Some(FaultKind::SyncError);
    // The stall's fourth call is the log's third, where the first script goes before it.
    assert_eq!(found, [None, None, sync, sync, None, None]);
}

#[test]
fn what_was_delivered_replays_as_a_script() {
    let mut plan = FaultPlan::new(&config("short_append = 0.5\nsync_error = 0.5"));
    let mut draws = Given(vec![10, 50, 90, 10, 25, 90]);
    let run = |plan: &mut FaultPlan, draws: &mut Given| {
        let mut faults = Vec::new();
        for operation in [Operation::Append, Operation::Sync, Operation::Append, Operation::Sync] {
            faults.push(plan.decide(operation, FileRole::Log, Phase::Run, draws));
        }
        faults
    };
    let first = run(&mut plan, &mut draws);
    assert_eq!(first.iter().flatten().count(), 2);
    assert_eq!(first[0].expect("a short append").short_len(100), 49);
    let script: Vec<ScriptRule> = plan.script();
    let text = toml::to_string(&FaultConfig { script, ..FaultConfig::default() });
    let replayed = config(&text.expect("plain data"));
    let second = run(&mut FaultPlan::new(&replayed), &mut Given(Vec::new()));
    assert_eq!(second, first);
}

#[test]
fn a_healed_plan_strikes_no_more() {
    let mut plan = FaultPlan::new(&config("sync_error = 1.0"));
    assert!(sync_log(&mut plan, &mut Given(vec![0, 0])).is_some());
    plan.heal();
    assert_eq!(sync_log(&mut plan, &mut Given(Vec::new())), None);
}

#[test]
fn mistakes_in_a_scenario_are_refused() {
    assert!(
        refusal("sink_error = 0.1")
            .starts_with("unknown fault `sink_error`; there are short_append, ")
    );
    assert_eq!(refusal("sync_error = 1.5"), "a rate is from 0 to 1, not 1.5");
    assert_eq!(
        refusal("[[script]]\nkind = 'sync_error'\noperation = 'read'"),
        "sync_error never strikes Read"
    );
    assert_eq!(refusal("[[script]]\nkind = 'sync_error'\nnth = 0"), "`nth` counts from 1");
    assert!(refusal("[[script]]\nkind = 'sync_error'\nwhen = 1").contains("unknown field"));
    assert!(refusal("[[rate]]\nkind = 'sync_error'").contains("missing field"));
}

#[test]
fn every_kind_strikes_something_and_has_its_own_name() {
    for kind in FaultKind::ALL {
        assert!(super::plan::OPERATIONS.iter().any(|operation| kind.strikes(*operation)));
        let with_rate = config(&format!("{} = 0.5", kind.name()));
        assert_eq!(FaultPlan::new(&with_rate).delivered(*kind, Phase::Close), 0);
        let scripted = config(&format!("[[script]]\nkind = '{}'", kind.name()));
        assert_eq!(scripted.script[0].kind, *kind);
    }
}
