//! In which order conflicting steps were taken, as a number.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{ClientWord, Shared};
use crate::kernel::{Step, StepKind, ThreadId};

/// Each thread's steps so far as one hash, which covers every step that happened before its last.
///
/// Steps on one lock, condition variable or point of the engine are in conflict, and so are calls
/// to the disk, whatever the file: a crash cuts through their order. Atomic words are not told
/// apart; loads of them commute with each other. A client that asks is in conflict with the answers
/// that clients get, because checkers compare them. Steps that are not in conflict may change
/// places, and the hashes stay the same.
///
/// Source: the happens-before graph of CHESS (see [`super::Exhaustive`]), with a hash for each
/// node, made of those of the nodes before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// By thread id.
    threads: Vec<Thread>,
    shared: BTreeMap<Shared, Accesses>,
    asked: u64,
    told: u64,
}

#[derive(Clone, Debug)]
struct Thread {
    hash: u64,
    pending: Step,
}

/// The accesses to one thing.
#[derive(Clone, Copy, Debug, Default)]
struct Accesses {
    /// The last that changed it.
    change: u64,
    /// Those since then that did not, as a sum: their order is of no importance.
    looks: u64,
}

const FIRED: u64 = 0xc949_d7c7_509e_6557;
const ENDED: u64 = 0xff51_afd7_ed55_8ccd;

fn mix(hash: u64, word: u64) -> u64 {
    xxh3_64_with_seed(&word.to_le_bytes(), hash)
}

impl Order {
    pub(super) fn process_starts(&mut self) {
        *self = Order::default();
        self.add(0);
    }

    fn add(&mut self, hash: u64) {
        let number = self.threads.len() as u64;
        let pending = Step::new(StepKind::Start, 0);
        self.threads.push(Thread { hash: mix(hash, number), pending });
    }

    pub(super) fn spawned(&mut self, parent: ThreadId) {
        self.add(self.threads[parent.index()].hash);
    }

    fn note(&mut self, thread: ThreadId, word: u64) {
        let hash = &mut self.threads[thread.index()].hash;
        *hash = mix(*hash, word);
    }

    pub(super) fn fires(&mut self, thread: ThreadId) {
        self.note(thread, FIRED);
    }

    pub(super) fn arrives(&mut self, thread: ThreadId, step: Step) {
        let before = std::mem::replace(&mut self.threads[thread.index()].pending, step);
        // Who comes too early to a lock or a thread that has not ended comes again, also to the
        // lock of a wait that has ended. How often is of no importance.
        let comes_again = matches!(before.kind, StepKind::Lock | StepKind::Wait);
        if step.kind == StepKind::Join || (step.kind == StepKind::Lock && comes_again) {
            return;
        }
        self.note(thread, (step.kind as u64) << 32 | u64::from(step.object));
        // A call is submitted here, and done when its thread goes on; one that waits can be woken
        // from here on.
        if matches!(step.kind, StepKind::Io | StepKind::Wait)
            && let Some(shared) = Shared::of(step)
        {
            self.access(thread, shared, true);
        }
    }

    /// Returns what the thread does.
    pub(super) fn goes(&mut self, thread: ThreadId) -> StepKind {
        let pending = self.threads[thread.index()].pending;
        match (pending.kind, Shared::of(pending)) {
            // Told by `acquires`, or by who can go on.
            (StepKind::Lock | StepKind::Join, _) => {}
            (kind, Some(shared)) => self.access(thread, shared, kind != StepKind::Load),
            (kind, None) => self.note(thread, kind as u64),
        }
        pending.kind
    }

    pub(super) fn acquires(&mut self, thread: ThreadId, lock: u32) {
        self.threads[thread.index()].pending = Step::new(StepKind::Start, 0);
        self.access(thread, Shared::Lock(lock), true);
    }

    fn access(&mut self, thread: ThreadId, shared: Shared, is_change: bool) {
        let accesses = self.shared.entry(shared).or_default();
        let hash = &mut self.threads[thread.index()].hash;
        *hash = mix(*hash, accesses.change);
        if is_change {
            *hash = mix(*hash, accesses.looks);
            *accesses = Accesses { change: *hash, looks: 0 };
        } else {
            accesses.looks = accesses.looks.wrapping_add(*hash);
        }
    }

    pub(super) fn client(&mut self, thread: ThreadId, word: ClientWord) {
        let (own, others) = match word {
            ClientWord::Asks => (&mut self.asked, self.told),
            ClientWord::IsTold => (&mut self.told, self.asked),
        };
        let hash = &mut self.threads[thread.index()].hash;
        *hash = mix(mix(*hash, word as u64), others);
        *own = own.wrapping_add(*hash);
    }

    /// What has happened, whatever the order of what is not in conflict.
    fn so_far(&self) -> u64 {
        let threads = self.threads.iter().enumerate();
        threads.fold(0, |sum, (id, thread)| sum.wrapping_add(mix(thread.hash, id as u64)))
    }

    /// The state in which these threads can go on and `current` runs.
    pub(super) fn state(&self, candidates: &[ThreadId], current: Option<ThreadId>) -> u64 {
        let running = current.map_or(u64::MAX, |id| u64::from(id.0));
        let able = candidates.iter().fold(0, |sum, id| mix(sum, u64::from(id.0)));
        mix(mix(self.so_far(), able), running)
    }

    /// The class of the whole schedule.
    pub(super) fn class(&self) -> u64 {
        mix(self.so_far(), ENDED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: ThreadId = ThreadId(1);
    const OTHER: ThreadId = ThreadId(2);

    /// Two calls to the disk: at `true` one begins, at `false` it ends.
    fn calls(steps: [(ThreadId, bool); 4]) -> u64 {
        let mut order = Order::default();
        order.process_starts();
        order.spawned(ThreadId(0));
        order.spawned(ThreadId(0));
        for (thread, begins) in steps {
            if begins {
                order.arrives(thread, Step::new(StepKind::Io, thread.0));
            } else {
                order.goes(thread);
            }
        }
        order.class()
    }

    #[test]
    fn a_call_begins_before_or_after_another_has_ended() {
        let apart = calls([(ONE, true), (ONE, false), (OTHER, true), (OTHER, false)]);
        let together = calls([(ONE, true), (OTHER, true), (ONE, false), (OTHER, false)]);
        let nested = calls([(ONE, true), (OTHER, true), (OTHER, false), (ONE, false)]);
        assert_ne!(apart, together);
        assert_ne!(together, nested);
    }
}
