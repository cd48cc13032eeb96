//! Workloads and fault hooks of a user's own.

use std::fmt;
use std::rc::Rc;

use dyn_clone::DynClone;
use faultline::{Db, FileOp};

use crate::arena::Outside;
use crate::env::SimEnv;
use crate::fault::{Fault, FileRole, Phase};

/// What the clients of a database do.
///
/// `run` is called on the main thread of every incarnation, with the database open; it may start
/// simulated threads with `SimThreads::spawn` and must join them. It may be cut off at any
/// scheduling point, without unwinding. What it notes for a checker goes through [`outside`].
pub trait Workload {
    /// Works with `db` until done. `incarnation` counts from 0.
    fn run(&self, db: &Db<SimEnv>, incarnation: u32);
}

/// Decides which calls fail, before the scenario's own fault plan is asked.
pub trait FaultHook: DynClone {
    /// The fault for this call, if it is to have one.
    fn decide(&mut self, call: &FaultQuery<'_>) -> Option<Fault>;
}

dyn_clone::clone_trait_object!(FaultHook);

/// A call that could fail.
#[derive(Clone, Copy, Debug)]
pub struct FaultQuery<'a> {
    /// What is called.
    pub op: FileOp,
    /// The file or directory.
    pub name: &'a str,
    /// What kind of file it is.
    pub role: FileRole,
    /// What the process is doing.
    pub phase: Phase,
}

/// A user's own parts of a run.
pub struct Custom {
    /// What clients do.
    pub workload: Rc<dyn Workload>,
    /// Which calls fail.
    pub fault_hook: Option<Box<dyn FaultHook>>,
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Custom { .. }")
    }
}

/// Calls `f` on the harness's side: what it allocates outlives the simulated process.
///
/// Simulated code must note its results through this, and must copy into `f` what it keeps: memory
/// of a simulated process is gone after a crash, without any destructor.
pub fn outside<R>(f: impl FnOnce() -> R) -> R {
    let _outside = Outside::enter();
    f()
}
