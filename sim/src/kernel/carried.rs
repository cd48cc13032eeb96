//! [`Carried`]: what of a kernel outlives a process.

use std::fmt;

use super::sched::Kernel;
use crate::policy::Policy;
use crate::trace::Trace;

/// What a kernel knows when a process has ended and before the next starts: how often it has
/// chosen, how it chooses, the time, and the trace. The threads and the memory of the process are
/// gone by then, so this is all there is.
#[derive(Clone)]
pub struct Carried {
    policy: Box<dyn Policy>,
    trace: Trace,
    nanos: u64,
    points: u64,
    switches: u64,
}

impl Carried {
    /// Nothing has happened yet.
    pub fn new(policy: Box<dyn Policy>, trace: Trace) -> Self {
        Carried { policy, trace, nanos: 0, points: 0, switches: 0 }
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Carried {{ nanos: {}, points: {} }}", self.nanos, self.points)
    }
}

impl Kernel {
    /// What the next process would start with. A schedule that is being recorded is not in it.
    pub fn carried(&self) -> Carried {
        let core = self.core.borrow();
        Carried {
            policy: core.policy.clone(),
            trace: core.trace.clone(),
            nanos: core.nanos,
            points: core.points,
            switches: core.switches,
        }
    }

    /// Drops the process, if there is one, and makes the kernel one whose next process starts with
    /// this. Memory and stacks are kept for it.
    pub fn reset_to(&self, carried: Carried) {
        self.clear_process();
        let mut core = self.core.borrow_mut();
        core.policy = carried.policy;
        core.is_watched = core.policy.watcher().is_some();
        core.trace = carried.trace;
        core.nanos = carried.nanos;
        core.points = carried.points;
        core.switches = carried.switches;
        core.schedule = None;
    }
}
