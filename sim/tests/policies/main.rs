//! The published guarantees of the policies, on small programs straight on the kernel.
//!
//! Every seed is fixed, so each test gives the same figures wherever it runs. Where a guarantee
//! says "uniform", a chi-squared test decides, and the same test refuses a policy that is not.

#![cfg(test)]
#![expect(
    clippy::disallowed_types,
    reason = "tests carry results out of the simulation, on OS threads of their own"
)]

mod classed;
mod exhaustive;
mod pct;
mod runs;
mod spin;
mod uniform;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use faultline::env::{Access, Point, Threads as _};
use faultline_sim::kernel::{End, Kernel, Limits, SimThreads, Step, ThreadId};
use faultline_sim::policy::{Pilot, Policy, PolicyName, Profile, Watcher};
use faultline_sim::rng::{Purpose, Stream};
use faultline_sim::run::on_fresh_thread;
use faultline_sim::trace::Trace;
use faultline_sim::workload::outside;

/// What the threads of a program did, a letter each time, in the order in which they did it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn note(&self, letter: char) {
        outside(|| self.0.lock().expect("not poisoned").push(letter));
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }
}

/// The main function of a program.
type Program = fn(&Log);

/// A step that only thread `object` takes.
fn step_aside(object: u64) {
    SimThreads::point(Point { label: "aside", object, access: Access::Write });
}

fn carry_out(kernel: &Kernel, limits: Limits, program: Program, log: &Log) -> End {
    let inside = log.clone();
    kernel.start_process(limits, move || program(&inside));
    std::iter::repeat_with(|| kernel.run_slice(1000)).find_map(|end| end).expect("it ends")
}

/// The profile of `program` by a run of its own, as the simulator makes it for each seed.
fn profile(kernel: &Kernel, seed: u64, limits: Limits, program: Program, log: &Log) -> Profile {
    let profile: Rc<RefCell<Profile>> = Rc::default();
    let stream = Stream::new(seed, Purpose::Pilot);
    kernel.reset(Box::new(Pilot::new(stream, Rc::clone(&profile))), Trace::new(false));
    carry_out(kernel, limits, program, log);
    log.take();
    profile.take()
}

/// Runs `program` under `policy` once for each seed below `seeds`; the ends, and what was done.
fn runs(policy: PolicyName, seeds: u64, limits: Limits, program: Program) -> Vec<(End, String)> {
    runs_under(move |seed, profile| policy.build_with(seed, profile), seeds, limits, program)
}

/// As [`runs`], but the main thread goes first whenever it can.
fn runs_after_main(policy: PolicyName, seeds: u64, program: Program) -> Vec<(End, String)> {
    let build = move |seed, profile| -> Box<dyn Policy> {
        Box::new(MainFirst(policy.build_with(seed, profile)))
    };
    runs_under(build, seeds, Limits::NONE, program)
}

fn runs_under(
    build: impl Fn(u64, Profile) -> Box<dyn Policy> + Send + 'static,
    seeds: u64,
    limits: Limits,
    program: Program,
) -> Vec<(End, String)> {
    on_fresh_thread(move |_| {
        let (kernel, log) =
            (Kernel::new(PolicyName::Random.build(0), Trace::new(false)), Log::default());
        let one = |seed| {
            let profile = profile(&kernel, seed, limits, program, &log);
            kernel.reset(build(seed, profile), Trace::new(false));
            (carry_out(&kernel, limits, program, &log), log.take())
        };
        (0..seeds).map(one).collect()
    })
}

/// Lets the main thread start all others, and wait for them, before any of them does a step: what
/// is left is a set of chains with nothing between them.
#[derive(Clone)]
struct MainFirst(Box<dyn Policy>);

impl Policy for MainFirst {
    fn next(&mut self, runnable: &[ThreadId], current: Option<ThreadId>, step: Step) -> ThreadId {
        let main = ThreadId(1);
        if runnable.contains(&main) { main } else { self.0.next(runnable, current, step) }
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.0.pick(n)
    }

    fn watcher(&mut self) -> Option<&mut dyn Watcher> {
        self.0.watcher()
    }
}
