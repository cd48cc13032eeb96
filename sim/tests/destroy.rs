//! A database destroyed on a disk that forgets which names it failed to sync: whatever sync fails,
//! once a later call has returned Ok no power loss brings the database back.

#![cfg(test)]

use std::path::Path;

use faultline::db::destroy;
use faultline::{Db, Options};
use faultline_sim::disk::{Disk, POSIX_WEAK, Pick};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{FaultConfig, FaultPlan};
use faultline_sim::kernel::{End, Kernel, Limits};
use faultline_sim::policy::PolicyName;
use faultline_sim::trace::Trace;
use faultline_sim::workload::Plan;
use faultline_sim::world::World;

/// Runs `main` as a process in `world`.
fn process(world: &World, main: fn()) {
    let kernel = Kernel::new(PolicyName::Random.build(1), Trace::new(false));
    let end = world.enter(|| {
        kernel.start_process(Limits::NONE, main);
        std::iter::repeat_with(|| kernel.run_slice(64)).find_map(|end| end)
    });
    assert_eq!(end, Some(End::Returned(vec![])));
}

fn fill() {
    let options = Options { create_if_missing: true, ..Options::default() };
    let db = Db::open(SimEnv::default(), "/db", options).expect("opens");
    db.put(b"key", b"value").expect("writes");
    db.flush().expect("flushes");
    db.put(b"other", b"value").expect("writes");
    db.close().expect("closes");
}

fn destroy_until_ok() {
    let outcome = || destroy(&SimEnv::default(), Path::new("/db"));
    assert!(outcome().is_err(), "a fault strikes the first call");
    while outcome().is_err() {}
}

fn destroy_twice() {
    for _ in 0..2 {
        let outcome = destroy(&SimEnv::default(), Path::new("/db"));
        assert!(outcome.is_err(), "a fault strikes each call");
    }
}

/// Draws what a power loss leaves.
struct Drawn(u64);

impl Pick for Drawn {
    fn pick(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) % u64::from(n)) as u32
    }
}

/// The database's files that are there, but for LOCK, after `main` has met a fault of each of these
/// directory syncs, and a power loss.
fn what_comes_back(syncs: &[u32], main: fn(), draw: u64) -> Vec<String> {
    let script = |nth| format!("[[script]]\nkind = \"sync_dir_error\"\nnth = {nth}\n");
    let text: String = syncs.iter().map(script).collect();
    let faults: FaultConfig = toml::from_str(&text).expect("a table of faults");
    let none = FaultPlan::new(&FaultConfig::default());
    let world = World::new(Plan::idle(), none, Vec::new(), Disk::new(&POSIX_WEAK));
    process(&world, fill);
    world.faults.replace(FaultPlan::new(&faults));
    process(&world, main);
    let mut disk = world.disk.into_inner();
    disk.power_loss(&mut Drawn(draw));
    let mut names = Vec::new();
    // The directory may be gone.
    disk.list("/db", &mut |name| names.push(name.to_owned())).ok();
    names.retain(|name| name != "LOCK");
    names
}

#[test]
fn nothing_comes_back_after_ok_whichever_sync_failed_before() {
    for syncs in [&[1][..], &[2], &[1, 3], &[1, 2], &[2, 4]] {
        for draw in 1..200 {
            let names = what_comes_back(syncs, destroy_until_ok, draw);
            assert!(names.is_empty(), "syncs {syncs:?} failed, draw {draw}: {names:?}");
        }
    }
}

#[test]
fn no_part_of_a_database_comes_back_with_its_current() {
    for syncs in [[1, 3], [1, 2]] {
        for draw in 1..200 {
            let names = what_comes_back(&syncs, destroy_twice, draw);
            let has_all = ["000004.log", "000005.ldb", "MANIFEST-000002"]
                .iter()
                .all(|name| names.iter().any(|there| there == name));
            let has_current = names.iter().any(|name| name == "CURRENT");
            assert!(has_all || !has_current, "syncs {syncs:?} failed, draw {draw}: {names:?}");
        }
    }
}
