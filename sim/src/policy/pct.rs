//! Probabilistic concurrency testing.

use super::Policy;
use crate::kernel::{Step, ThreadId};
use crate::rng::Stream;

/// Random priorities and `depth - 1` points at which the running thread falls below all others.
///
/// Guarantee (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): a bug of depth `d` that
/// needs `d` ordering constraints is found with probability at least 1 / (n * k^(d-1)) for `n`
/// threads and `k` steps. Differs from the paper: `k` is not known before the run, so the change
/// points are drawn in a window that doubles each time the run outgrows it; a thread that gives
/// way lets others run once (the kernel sees to that) and keeps its priority.
#[derive(Clone, Debug)]
pub struct Pct {
    stream: Stream,
    depth: u32,
    /// By thread id; higher runs first. Initial ones are at or above `FIRST_PRIORITY`.
    priority: Vec<u64>,
    step: u64,
    window_end: u64,
    change_at: Vec<u64>,
    /// The next priority to fall to; decreases.
    lowest: u64,
}

const FIRST_PRIORITY: u64 = 1 << 32;
const FIRST_WINDOW: u64 = 1024;

impl Pct {
    /// Draws from `stream`; `depth` is at least 1.
    pub fn new(stream: Stream, depth: u32) -> Self {
        let mut pct = Pct {
            stream,
            depth,
            priority: Vec::new(),
            step: 0,
            window_end: 0,
            change_at: Vec::new(),
            lowest: FIRST_PRIORITY,
        };
        pct.draw_window(FIRST_WINDOW);
        pct
    }

    fn draw_window(&mut self, length: u64) {
        let start = self.window_end;
        self.window_end += length;
        let stream = &mut self.stream;
        self.change_at = (1..self.depth).map(|_| start + stream.next_u64() % length).collect();
    }

    fn highest(&self, runnable: &[ThreadId]) -> ThreadId {
        let by_priority = |id: &&ThreadId| self.priority[id.index()];
        *runnable.iter().max_by_key(by_priority).expect("a choice has candidates")
    }
}

impl Policy for Pct {
    fn next(&mut self, runnable: &[ThreadId], _current: Option<ThreadId>, _step: Step) -> ThreadId {
        for id in runnable {
            while self.priority.len() <= id.index() {
                self.priority.push(FIRST_PRIORITY + u64::from(self.stream.next_u32()));
            }
        }
        self.step += 1;
        if self.step >= self.window_end {
            self.draw_window(self.window_end);
        }
        let chosen = self.highest(runnable);
        if self.change_at.contains(&self.step) {
            self.lowest -= 1;
            self.priority[chosen.index()] = self.lowest;
            return self.highest(runnable);
        }
        chosen
    }

    fn pick(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }
}
