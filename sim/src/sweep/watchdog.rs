//! [`Watchdog`]: which run each worker is at, and which of them does not end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A supervisor that has not looked for so long stood still itself, as after `Ctrl-Z` and `fg`.
const STANDSTILL: Duration = Duration::from_secs(1);

/// The run that a worker is at.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) index: u64,
    pub(super) scenario: usize,
    pub(super) seed: u64,
    pub(super) since: Instant,
}

/// The runs in flight.
#[derive(Debug)]
pub(super) struct Watchdog {
    watch: Mutex<Watch>,
}

#[derive(Debug)]
struct Watch {
    /// By worker.
    at: BTreeMap<usize, At>,
    /// When somebody looked at them last.
    looked: Instant,
}

impl Watchdog {
    /// Nobody is at anything.
    pub(super) fn new(now: Instant) -> Self {
        Watchdog { watch: Mutex::new(Watch { at: BTreeMap::new(), looked: now }) }
    }

    /// A worker begins a run.
    pub(super) fn begin(&self, worker: usize, at: At) {
        self.lock().at.insert(worker, at);
    }

    /// A worker has ended its run; false if the run had been given up.
    pub(super) fn end(&self, worker: usize) -> bool {
        self.lock().at.remove(&worker).is_some()
    }

    /// The workers, with their runs, that have been at them for longer than `timeout`: they are
    /// given up. If the last look was so long ago that nobody can have run since, that time counts
    /// for none of them.
    pub(super) fn hung(&self, timeout: Duration, now: Instant) -> Vec<(usize, At)> {
        let mut watch = self.lock();
        let gap = now.saturating_duration_since(watch.looked);
        watch.looked = now;
        if STANDSTILL < gap {
            watch.at.values_mut().for_each(|at| at.since = now.min(at.since + gap));
        }
        let is_hung = |at: &At| timeout < now.saturating_duration_since(at.since);
        let hung = watch.at.iter().filter(|(_, at)| is_hung(at));
        let hung: Vec<_> = hung.map(|(worker, at)| (*worker, *at)).collect();
        for (worker, _) in &hung {
            watch.at.remove(worker);
        }
        hung
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn at(seed: u64, since: Instant) -> At {
        At { index: seed, scenario: 0, seed, since }
    }

    /// Looks at each tick after `from` until `to`; the seeds that were given up.
    fn look(dog: &Watchdog, from: Instant, to: Instant) -> Vec<u64> {
        let ticks = (to - from).as_millis() / TICK.as_millis();
        let looks = (1..=ticks as u32).map(|tick| dog.hung(TIMEOUT, from + tick * TICK));
        looks.flatten().map(|(_, at)| at.seed).collect()
    }

    #[test]
    fn a_run_that_does_not_end_is_given_up_once() {
        let start = Instant::now();
        let dog = Watchdog::new(start);
        dog.begin(0, at(7, start));
        dog.begin(1, at(8, start + TIMEOUT));
        assert!(look(&dog, start, start + TIMEOUT).is_empty());
        assert_eq!(look(&dog, start + TIMEOUT, start + TIMEOUT + 9 * TICK), [7]);
        assert!(!dog.end(0) && dog.end(1));
    }

    #[test]
    fn the_time_in_which_the_sweep_itself_stood_still_does_not_count() {
        let start = Instant::now();
        let dog = Watchdog::new(start);
        dog.begin(0, at(7, start));
        assert!(look(&dog, start, start + 10 * TICK).is_empty());
        // It begins when all go on, a moment before anybody looks.
        let moment = start + 10 * TIMEOUT;
        let back = moment + TICK;
        dog.begin(1, at(8, moment));
        assert!(dog.hung(TIMEOUT, back).is_empty());
        // The first has had a second before.
        let late = moment + Duration::from_secs(29);
        assert!(look(&dog, back, late).is_empty());
        assert_eq!(look(&dog, late, back + TIMEOUT), [7]);
        assert_eq!(look(&dog, back + TIMEOUT, back + TIMEOUT + 2 * TICK), [8]);
    }
}
