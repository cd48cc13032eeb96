//! One body over both worlds: what the engine may rely on holds in the simulator and on Linux.
//!
//! Without it, the simulator would only agree with itself. Errors are compared by variant, kind,
//! path and operation. Not compared, because the engine never asks: opening a directory as a file,
//! the size of a directory, moving a directory, and growing a file by truncating it.

#![cfg(test)]

mod files;
mod threads;

use std::path::{Path, PathBuf};

use faultline::env::Env;
use faultline::env::posix::PosixEnv;
use faultline_sim::disk::{Disk, EXT4_ORDERED, POSIX_WEAK};
use faultline_sim::env::SimEnv;
use faultline_sim::fault::{FaultConfig, FaultPlan};
use faultline_sim::kernel::{End, Kernel, Limits};
use faultline_sim::policy::PolicyName;
use faultline_sim::run::on_fresh_thread;
use faultline_sim::scenario::embedded;
use faultline_sim::trace::Trace;
use faultline_sim::workload::Plan;
use faultline_sim::world::World;

/// Everything, in directory `dir`, which does not exist yet; its parent does.
fn conformance<E: Env>(env: &E, dir: &Path) {
    env.create_dir(dir).expect("creates");
    env.create_dir(dir).expect("is there already");
    assert_eq!(files::names(env, dir), Vec::<String>::new());
    files::reads_and_appends(env, dir);
    files::names_and_their_changes(env, dir);
    files::open_files_outlive_their_names(env, dir);
    files::directories(env, dir);
    files::absence(env, dir);
    files::wrong_kinds(env, dir);
    files::locks(env, dir);
    threads::mutexes_and_condvars::<E::Threads>();
    threads::timeouts(env);
    threads::threads_and_words::<E::Threads>();
    for name in files::names(env, dir) {
        env.remove(&dir.join(name)).expect("removes");
    }
    env.remove_dir(dir).expect("is empty");
    assert_eq!(env.exists(dir), Ok(false));
}

#[test]
fn linux_conforms() {
    let env = PosixEnv::new();
    #[expect(clippy::disallowed_methods, reason = "two runs of this test may share a folder")]
    let name = format!("conformance-{}", std::process::id());
    let dir: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    conformance(&env, &dir);
}

#[test]
fn the_simulator_conforms_under_every_policy_and_profile() {
    for policy in PolicyName::EACH {
        for seed in 0..12 {
            let name = policy.clone();
            let (end, left) = on_fresh_thread(move |_| simulated(&name, seed));
            assert_eq!(end, End::Returned(vec![]), "{policy} {seed}");
            assert_eq!(left, 0, "{policy} {seed}: memory is left");
        }
    }
}

/// Runs the body as a simulated process; how it ended, and the blocks of memory that it left.
fn simulated(policy: &PolicyName, seed: u64) -> (End, usize) {
    let scenarios = embedded().expect("the scenarios of the repository");
    let mut plan = Plan::draw(&scenarios[0], seed);
    plan.profile = if seed.is_multiple_of(2) { &POSIX_WEAK } else { &EXT4_ORDERED };
    plan.capacity = None;
    let kernel = Kernel::new(policy.build(seed), Trace::new(false));
    let world = World::new(
        plan,
        FaultPlan::new(&FaultConfig::default()),
        Vec::new(),
        Disk::new(&POSIX_WEAK),
    );
    let end = world.enter(|| {
        kernel.start_process(Limits::NONE, || {
            conformance(&SimEnv::default(), Path::new("/conformance"));
        });
        std::iter::repeat_with(|| kernel.run_slice(1000)).find_map(|end| end)
    });
    (end.expect("it ends"), kernel.live_blocks())
}
