//! Group commit as a toy, under the kernel and under shuttle, in one run.
//!
//! Eight writers share a mutex-guarded FIFO queue. The head leads: it takes the whole queue as its
//! group, appends and syncs outside the lock, marks its followers done and wakes them. The toy is
//! written once over [`Threads`]; [`SimThreads`] puts it under the kernel, with the hash of the
//! whole trace on, and [`ShuttleThreads`] under shuttle, with its defaults.
//!
//! The two sides are measured in pairs, one right after the other, the first of a pair changing
//! sides each time, so that a machine whose speed drifts slows both. What is compared is writes per
//! second. The cost of a point differs less than that: shuttle has points that the kernel does
//! without (a release of a lock, the end of a wait), and the table shows how many.
//!
//! Does not compare how well the two find bugs, and asserts no time: a benchmark is no test.
//! `cargo bench -p faultline-sim --bench group_commit`

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark runs on the operating system, reads its clock and prints"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use faultline::env::{Access, Atomic, AtomicInt, Condvar, Died, Mutex, NoThread, Point, Threads};
use faultline_sim::kernel::{End, Kernel, Limits, SimThreads};
use faultline_sim::policy::PolicyName;
use faultline_sim::trace::Trace;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};

const WRITERS: usize = 8;
const WRITES_EACH: u64 = 20;
const WRITES_PER_RUN: u64 = WRITERS as u64 * WRITES_EACH;
/// Switches of stacks between two returns of the kernel, as in a sweep.
const SLICE: u64 = 512;
/// How many times as many writes per second the kernel must do.
const RATIO_REQUIRED: f64 = 8.0;

// The toy.

/// What the writers share.
struct Shared<R: Threads> {
    state: Mutex<R, State>,
    /// One per writer: told that it is done, or that it is the head.
    turn: Vec<Condvar<R>>,
}

#[derive(Default)]
struct State {
    /// Writers with a write to do, in commit order; the head leads.
    queue: VecDeque<usize>,
    done: [bool; WRITERS],
    written: u64,
    groups: u64,
}

/// One write of `writer`, by itself or in the group of another.
fn write<R: Threads>(shared: &Shared<R>, writer: usize) {
    let mut state = shared.state.lock();
    state.done[writer] = false;
    state.queue.push_back(writer);
    while !state.done[writer] && state.queue.front() != Some(&writer) {
        state = shared.turn[writer].wait(state);
    }
    if state.done[writer] {
        return;
    }
    let group = state.queue.len();
    drop(state);
    R::point(Point { label: "append", object: 0, access: Access::Write });
    R::point(Point { label: "sync", object: 0, access: Access::Write });
    let mut state = shared.state.lock();
    state.written += group as u64;
    state.groups += 1;
    for _ in 0..group {
        let member = state.queue.pop_front().expect("a group stays queued until it is done");
        if member != writer {
            state.done[member] = true;
            shared.turn[member].notify_one();
        }
    }
    if let Some(&head) = state.queue.front() {
        shared.turn[head].notify_one();
    }
}

/// All writes of all writers; returns writes and groups.
fn toy<R: Threads>() -> (u64, u64) {
    let turn = (0..WRITERS).map(|_| Condvar::new("turn")).collect();
    let state = Mutex::new("queue", State::default());
    let shared: Arc<Shared<R>> = Arc::new(Shared { state, turn });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let shared = Arc::clone(&shared);
            R::spawn("writer", move || {
                for _ in 0..WRITES_EACH {
                    write(&shared, writer);
                }
            })
            .expect("a thread")
        })
        .collect();
    for writer in writers {
        R::join(writer).expect("a writer returns");
    }
    let state = shared.state.lock();
    (state.written, state.groups)
}

// The two sides.

/// What runs add up to; shared with simulated code, which may only count in it.
#[derive(Default)]
struct Tally {
    writes: AtomicU64,
    groups: AtomicU64,
    points: AtomicU64,
    hash: AtomicU64,
}

impl Tally {
    fn add_run(&self, (writes, groups): (u64, u64)) {
        self.writes.fetch_add(writes, Ordering::Relaxed);
        self.groups.fetch_add(groups, Ordering::Relaxed);
    }
}

/// Totals of one measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    runs: u64,
    writes: u64,
    groups: u64,
    points: u64,
    hash: u64,
    elapsed: Duration,
}

impl Measured {
    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64()
    }
}

/// Times `body`, which adds its runs to the tally, on an OS thread of its own.
fn measure(runs: u64, body: impl FnOnce(&Arc<Tally>) + Send + 'static) -> Measured {
    let timed = move || {
        let tally = Arc::new(Tally::default());
        let start = Instant::now();
        body(&tally);
        let elapsed = start.elapsed();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Measured {
            runs,
            writes: read(&tally.writes),
            groups: read(&tally.groups),
            points: read(&tally.points),
            hash: read(&tally.hash),
            elapsed,
        }
    };
    let measured = std::thread::spawn(timed).join().expect("a measurement does not panic");
    assert_eq!(measured.writes, runs * WRITES_PER_RUN, "every write is counted once");
    assert!(measured.groups < measured.writes, "writers form groups");
    measured
}

fn measure_kernel(policy: &PolicyName, first_seed: u64, runs: u64) -> Measured {
    let policy = policy.clone();
    measure(runs, move |tally| {
        let kernel = Kernel::new(policy.build(first_seed), Trace::new(false));
        for seed in first_seed..first_seed + runs {
            kernel.reset(policy.build(seed), Trace::new(false));
            let inside = Arc::clone(tally);
            kernel.start_process(Limits::NONE, move || inside.add_run(toy::<SimThreads>()));
            let end = loop {
                if let Some(end) = kernel.run_slice(SLICE) {
                    break end;
                }
            };
            assert_eq!(end, End::Returned(Vec::new()), "seed {seed}");
            tally.points.fetch_add(kernel.points(), Ordering::Relaxed);
            tally.hash.fetch_add(kernel.with_trace(|trace| trace.hash()), Ordering::Relaxed);
        }
    })
}

fn measure_shuttle<S>(scheduler: impl FnOnce() -> S + Send + 'static, runs: u64) -> Measured
where
    S: Scheduler + 'static,
{
    measure(runs, move |tally| {
        let tally = Arc::clone(tally);
        let runner = shuttle::Runner::new(scheduler(), shuttle::Config::new());
        let done = runner.run(move || {
            tally.add_run(toy::<ShuttleThreads>());
            let points = shuttle::current::context_switches() as u64;
            tally.points.fetch_add(points, Ordering::Relaxed);
        });
        assert_eq!(done as u64, runs, "shuttle does all runs");
    })
}

/// A policy of the kernel and the scheduler of shuttle that does the same.
struct Contest {
    name: &'static str,
    policy: PolicyName,
    shuttle: fn(seed: u64, runs: u64) -> Measured,
}

const CONTESTS: [Contest; 2] = [
    Contest {
        name: "random",
        policy: PolicyName::Random,
        shuttle: |seed, runs| {
            measure_shuttle(move || RandomScheduler::new_from_seed(seed, runs as usize), runs)
        },
    },
    Contest {
        name: "pct:3",
        policy: PolicyName::Pct(3),
        shuttle: |seed, runs| {
            measure_shuttle(move || PctScheduler::new_from_seed(seed, 3, runs as usize), runs)
        },
    },
];

/// How long and how often.
#[derive(Clone, Copy)]
struct Effort {
    pairs: u64,
    side: Duration,
}

/// Runs that take about `side`, by the rate of a short warm-up.
fn runs_for(side: Duration, measure: impl Fn(u64) -> Measured) -> u64 {
    measure(20);
    let warm = measure(100);
    let runs = u128::from(warm.runs) * side.as_nanos() / warm.elapsed.as_nanos().max(1);
    (runs as u64).max(20)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

fn print_side(name: &str, side: &[Measured]) {
    let median_of = |value: fn(&Measured) -> f64| median(side.iter().map(value).collect());
    println!(
        "  {name:<8} {:>12.0} {:>10.0} {:>12.1} {:>10.1} {:>13.2}",
        median_of(|m| m.per_second(m.writes)),
        median_of(|m| m.per_second(m.runs)),
        median_of(|m| m.points as f64 / m.runs as f64),
        median_of(|m| m.elapsed.as_nanos() as f64 / m.points as f64),
        median_of(|m| m.writes as f64 / m.groups as f64),
    );
}

fn run_contest(contest: &Contest, effort: Effort) {
    let kernel = |seed, runs| measure_kernel(&contest.policy, seed, runs);
    let kernel_runs = runs_for(effort.side, |runs| kernel(0, runs));
    let shuttle_runs = runs_for(effort.side, |runs| (contest.shuttle)(0, runs));
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..effort.pairs {
        let seed = 1_000_000 * pair;
        let (our, their) = if pair % 2 == 0 {
            let our = kernel(seed, kernel_runs);
            (our, (contest.shuttle)(seed, shuttle_runs))
        } else {
            let their = (contest.shuttle)(seed, shuttle_runs);
            (kernel(seed, kernel_runs), their)
        };
        ratios.push(our.per_second(our.writes) / their.per_second(their.writes));
        ours.push(our);
        theirs.push(their);
    }
    println!(
        "{}: {} pairs, {kernel_runs} runs of the kernel and {shuttle_runs} of shuttle each",
        contest.name, effort.pairs
    );
    println!("              writes/s     runs/s   points/run   ns/point  writes/group");
    print_side("kernel", &ours);
    print_side("shuttle", &theirs);
    let hash = ours.iter().fold(0, |sum: u64, m| sum.wrapping_add(m.hash));
    println!("  sum of the kernel's trace hashes: {hash:016x}");
    let each: Vec<_> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    println!("  paired ratios of writes/s: {}", each.join(" "));
    let measured = median(ratios);
    let verdict = if measured >= RATIO_REQUIRED { "met" } else { "NOT met" };
    println!(
        "  ratio of writes/s, {}: required {RATIO_REQUIRED:.1}, measured {measured:.2} (median): \
         {verdict}\n",
        contest.name
    );
}

fn main() {
    // `cargo bench` says so; without it a test run only wants to know that the benchmark works.
    let bench = std::env::args().any(|argument| argument == "--bench");
    let effort = if bench {
        Effort { pairs: 9, side: Duration::from_millis(500) }
    } else {
        Effort { pairs: 1, side: Duration::from_millis(10) }
    };
    println!(
        "group commit: {WRITERS} writers, {WRITES_EACH} writes each; shuttle 0.9.9; one OS thread; \
         medians\n"
    );
    for contest in &CONTESTS {
        run_contest(contest, effort);
    }
}

// Shuttle behind `Threads`.

/// [`Threads`] over shuttle's primitives.
#[derive(Clone, Debug)]
struct ShuttleThreads;

impl Threads for ShuttleThreads {
    type Mutex<T: Send> = shuttle::sync::Mutex<T>;
    type Guard<'a, T: Send + 'a> = shuttle::sync::MutexGuard<'a, T>;
    type Condvar = shuttle::sync::Condvar;
    type JoinHandle<T: Send + 'static> = shuttle::thread::JoinHandle<T>;
    type AtomicU32 = Word<shuttle::sync::atomic::AtomicU32>;
    type AtomicU64 = Word<shuttle::sync::atomic::AtomicU64>;
    type AtomicPtr<T> = Word<shuttle::sync::atomic::AtomicPtr<T>>;

    fn mutex<T: Send>(_name: &'static str, value: T) -> Self::Mutex<T> {
        shuttle::sync::Mutex::new(value)
    }

    fn condvar(_name: &'static str) -> Self::Condvar {
        shuttle::sync::Condvar::new()
    }

    fn lock<T: Send>(mutex: &Self::Mutex<T>) -> Self::Guard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a, T: Send>(condvar: &Self::Condvar, guard: Self::Guard<'a, T>) -> Self::Guard<'a, T> {
        condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_timeout<'a, T: Send>(
        condvar: &Self::Condvar,
        guard: Self::Guard<'a, T>,
        timeout: Duration,
    ) -> (Self::Guard<'a, T>, bool) {
        let woken = condvar.wait_timeout(guard, timeout);
        let (guard, result) = woken.unwrap_or_else(PoisonError::into_inner);
        (guard, result.timed_out())
    }

    fn notify_one(condvar: &Self::Condvar) {
        condvar.notify_one();
    }

    fn notify_all(condvar: &Self::Condvar) {
        condvar.notify_all();
    }

    fn sleep(duration: Duration) {
        shuttle::thread::sleep(duration);
    }

    fn spawn<T, F>(_name: &'static str, body: F) -> Result<Self::JoinHandle<T>, NoThread>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        Ok(shuttle::thread::spawn(body))
    }

    fn join<T: Send + 'static>(handle: Self::JoinHandle<T>) -> Result<T, Died> {
        handle.join().map_err(|_| Died)
    }

    fn yield_now() {
        shuttle::thread::yield_now();
    }

    fn panicking() -> bool {
        std::thread::panicking()
    }

    fn point(_point: Point) {
        // The cheapest step of shuttle at which it may switch: `yield_now` would also tell PCT to
        // lower the thread's priority, which a point does not mean.
        shuttle::sync::atomic::AtomicU32::new(0).load(Ordering::SeqCst);
    }
}

/// A shuttle atomic as a word of [`Threads`]. The toy has none; the trait asks for them.
struct Word<A>(A);

macro_rules! word {
    ($atomic:ident $(<$param:ident>)?, $value:ty) => {
        impl $(<$param>)? Atomic<$value> for Word<shuttle::sync::atomic::$atomic $(<$param>)?> {
            fn new(value: $value) -> Self {
                Word(shuttle::sync::atomic::$atomic::new(value))
            }

            fn load(&self) -> $value {
                self.0.load(Ordering::SeqCst)
            }

            fn store(&self, value: $value) {
                self.0.store(value, Ordering::SeqCst);
            }

            // Shuttle has no access without a point but in unsafe code.
            fn load_unsync(&self) -> $value {
                self.load()
            }

            fn store_unsync(&self, value: $value) {
                self.store(value);
            }
        }
    };
}

word!(AtomicU32, u32);
word!(AtomicU64, u64);
word!(AtomicPtr<T>, *mut T);

impl AtomicInt<u32> for Word<shuttle::sync::atomic::AtomicU32> {
    fn fetch_add(&self, value: u32) -> u32 {
        self.0.fetch_add(value, Ordering::SeqCst)
    }
}

impl AtomicInt<u64> for Word<shuttle::sync::atomic::AtomicU64> {
    fn fetch_add(&self, value: u64) -> u64 {
        self.0.fetch_add(value, Ordering::SeqCst)
    }
}
