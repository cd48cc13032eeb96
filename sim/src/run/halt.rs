//! [`Halt`]: a run that stands still between the end of a process and what that leaves.
//!
//! What the process was is gone: its threads, their stacks and its memory die with it, whatever the
//! disk keeps. So a run is plain data at this moment, which can be copied, and of which each copy
//! goes on with another image of all that a crash may leave there. To come to the same moment by
//! running the same schedule again would give the same, and take as long as the schedule does.

use std::fmt;
use std::rc::Rc;

use super::incarnations::{Ended, Run};
use super::{Runner, Verdict, caught};
use crate::kernel::Carried;
use crate::steer::{Left, Steer};

/// A run that stands still: a process has ended, and what it leaves is open.
pub struct Halt {
    /// With the process, which is not judged yet.
    run: Box<Run>,
    kernel: Carried,
}

impl Halt {
    /// The run whose process has just ended.
    pub(super) fn of(run: &Run, ended: &Ended) -> Self {
        let mut run = Box::new(run.clone());
        run.ended = Some(ended.clone());
        Halt { kernel: run.kernel.carried(), run }
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Halt {{ {}, {:?} }}", self.run.name, self.kernel)
    }
}

impl Runner {
    /// Where the last run halted: it had a death of which it was open what it leaves
    /// ([`Left::Anything`]), and came to it.
    pub fn take_halt(&mut self) -> Option<Halt> {
        self.halt.take()
    }

    /// Goes on from `halt`, as often as one likes: the process leaves `left`, and those after it
    /// die as `steers` say. The verdict is that of the whole run, as if it had been run with these
    /// deaths from the beginning on, but for [`Verdict::passage`]; the harness's panics are in it.
    pub fn go_on(&mut self, halt: &Halt, left: Left, steers: Vec<Steer>) -> Verdict {
        caught(|| {
            self.kernel.reset_to(halt.kernel.clone());
            let mut run = halt.run.clone();
            run.kernel = Rc::clone(&self.kernel);
            if let Some(steer) = run.ended.as_mut().and_then(|ended| ended.steer.as_mut()) {
                steer.left = left;
            }
            run.steered += steers.len();
            run.steers = steers.into();
            self.drive(run)
        })
    }
}
