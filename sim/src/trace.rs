//! The trace: every event of a run, hashed always and kept when asked for.
//!
//! The hash covers each choice of the scheduler, each byte of I/O, each fault, each acknowledgement
//! and each step of the clock. Two runs of one seed have the same hash, in every build profile and
//! whatever the number of worker threads; one changed byte gives another hash.
//!
//! The hash is a chain, and every [`CHECKPOINT_EVERY`] events it is put down. Where two runs have
//! the same checkpoint they did the same until then, so [`crate::divergence`] finds the first event
//! that differs from two lists of numbers.

use xxhash_rust::xxh3::xxh3_64;

use crate::arena::Outside;
use crate::kernel::ThreadId;

/// Events from one checkpoint of the hash to the next.
pub const CHECKPOINT_EVERY: u64 = 256;

/// What kind of event a word of the hash belongs to; keeps neighbours from aliasing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tag {
    Choice = 1,
    Pick = 2,
    Clock = 3,
    Io = 4,
    Bytes = 5,
    Fault = 6,
    Ack = 7,
    Crash = 8,
    Read = 9,
    Verdict = 10,
    Spawn = 11,
}

impl Tag {
    /// What the event is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Tag::Choice => "who goes on",
            Tag::Pick => "who is woken",
            Tag::Clock => "a timer fires, at",
            Tag::Io => "a call to the disk, or its result",
            Tag::Bytes => "bytes of the call, by length or hash",
            Tag::Fault => "a fault",
            Tag::Ack => "an answer to a client",
            Tag::Crash => "the disk after a crash",
            Tag::Read => "what was read",
            Tag::Verdict => "a violation",
            Tag::Spawn => "a thread starts",
        }
    }
}

/// One event as it is hashed, and where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its number among the events of the run, from 1.
    pub number: u64,
    /// Its kind.
    pub tag: Tag,
    /// What is hashed of it.
    pub word: u64,
    /// Where it happened.
    pub place: Place,
}

/// A place in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The scheduling points before it.
    pub point: u64,
    /// Virtual time in nanoseconds.
    pub nanos: u64,
    /// The simulated thread, with its number.
    pub thread_name: String,
}

/// One recorded event, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its place among all scheduling points of the run.
    pub point: u64,
    /// Virtual time in nanoseconds.
    pub nanos: u64,
    /// The simulated thread, or [`ThreadId::CLOCK`] for what no thread did.
    pub thread: ThreadId,
    /// Its name, with its number.
    pub thread_name: String,
    /// Which lane of a report it belongs to.
    pub lane: Lane,
    /// What happened, in words.
    pub text: String,
}

/// The lane of a report that an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What a writer or reader asked for and was told.
    Client,
    /// What the engine said of itself.
    Engine,
    /// Operations on the disk.
    Disk,
    /// Faults.
    Fault,
    /// The end of a process.
    End,
    /// Choices of the scheduler.
    Schedule,
}

/// The events of one run.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    count: u64,
    /// The next event that is more than hashed.
    attend_at: u64,
    checkpoints: Vec<u64>,
    /// The first and the last event that are kept as they are hashed.
    between: Option<(u64, u64)>,
    noted: Vec<Noted>,
    /// Where the next of them happens.
    place: Place,
    kept: Option<Vec<Event>>,
    keeps_choices: bool,
}

/// Any odd constant with well-mixed bits will do; this one is the golden ratio's.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

impl Trace {
    /// A trace that hashes, and keeps events in words too if `keep` is set.
    pub fn new(keep: bool) -> Self {
        Trace {
            hash: 0,
            count: 0,
            attend_at: CHECKPOINT_EVERY,
            checkpoints: Vec::new(),
            between: None,
            noted: Vec::new(),
            place: Place::default(),
            kept: keep.then(Vec::new),
            keeps_choices: false,
        }
    }

    /// A trace that keeps events in words, the choices of the scheduler among them.
    pub fn with_choices() -> Self {
        Trace { keeps_choices: true, ..Trace::new(true) }
    }

    /// Adds one event to the hash.
    #[inline]
    pub fn note(&mut self, tag: Tag, word: u64) {
        self.count += 1;
        let mixed = u128::from(self.hash ^ word ^ ((tag as u64) << 56))
            * u128::from(MULTIPLIER ^ (self.count << 1));
        self.hash = (mixed as u64) ^ ((mixed >> 64) as u64) ^ self.count;
        if self.count == self.attend_at {
            self.attend(tag, word);
        }
    }

    /// Does for the event just hashed what is not done for every one.
    #[cold]
    fn attend(&mut self, tag: Tag, word: u64) {
        // Some events come from within simulated calls; what is kept here outlives their process.
        let _outside = Outside::enter();
        if self.count.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoints.push(self.hash);
        }
        if self.is_between(self.count) {
            let place = self.place.clone();
            self.noted.push(Noted { number: self.count, tag, word, place });
        }
        self.attend_at = self.count - self.count % CHECKPOINT_EVERY + CHECKPOINT_EVERY;
        self.attend_to_next();
    }

    fn is_between(&self, number: u64) -> bool {
        self.between.is_some_and(|(first, last)| (first..=last).contains(&number))
    }

    fn attend_to_next(&mut self) {
        if let Some((first, last)) = self.between {
            let next = first.max(self.count + 1);
            if next <= last {
                self.attend_at = self.attend_at.min(next);
            }
        }
    }

    /// Keeps the events from the first of these numbers to the second as they are hashed. Called
    /// before the run.
    pub fn note_between(&mut self, numbers: (u64, u64)) {
        self.between = Some(numbers);
        self.attend_to_next();
    }

    /// Whether the next event is kept as it is hashed, and so needs its place.
    #[inline]
    pub(crate) fn wants_place(&self) -> bool {
        self.count + 1 == self.attend_at && self.is_between(self.attend_at)
    }

    /// Says where the next event happens.
    pub(crate) fn set_place(&mut self, place: Place) {
        self.place = place;
    }

    /// The events kept as they were hashed, oldest first.
    pub fn take_noted(&mut self) -> Vec<Noted> {
        std::mem::take(&mut self.noted)
    }

    /// The hash after each [`CHECKPOINT_EVERY`] events.
    pub fn take_checkpoints(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.checkpoints)
    }

    /// Adds bytes to the hash: their length and every one of them.
    #[inline]
    pub fn note_bytes(&mut self, tag: Tag, bytes: &[u8]) {
        self.note(tag, bytes.len() as u64);
        self.note(Tag::Bytes, xxh3_64(bytes));
    }

    /// Whether events are kept; what only fills a kept event need not be computed otherwise.
    #[inline]
    pub fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether choices of the scheduler are kept.
    #[inline]
    pub fn keeps_choices(&self) -> bool {
        self.keeps_choices
    }

    /// Keeps an event, if events are kept.
    pub fn keep(&mut self, event: impl FnOnce() -> Event) {
        if let Some(kept) = &mut self.kept {
            kept.push(event());
        }
    }

    /// The hash so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Events hashed so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The kept events, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.kept.replace(Vec::new()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(events: &[(Tag, u64)], bytes: &[u8]) -> u64 {
        let mut trace = Trace::new(false);
        for &(tag, word) in events {
            trace.note(tag, word);
        }
        trace.note_bytes(Tag::Io, bytes);
        trace.hash()
    }

    #[test]
    fn order_kind_value_and_bytes_all_count() {
        let base = hash(&[(Tag::Choice, 1), (Tag::Clock, 2)], b"abc");
        assert_eq!(base, hash(&[(Tag::Choice, 1), (Tag::Clock, 2)], b"abc"));
        for other in [
            hash(&[(Tag::Clock, 2), (Tag::Choice, 1)], b"abc"),
            hash(&[(Tag::Choice, 2), (Tag::Clock, 2)], b"abc"),
            hash(&[(Tag::Pick, 1), (Tag::Clock, 2)], b"abc"),
            hash(&[(Tag::Choice, 1), (Tag::Clock, 2)], b"abd"),
            hash(&[(Tag::Choice, 1), (Tag::Clock, 2)], b"abc\0"),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn events_are_kept_only_when_asked_for() {
        let event = || Event {
            point: 1,
            nanos: 2,
            thread: ThreadId::CLOCK,
            thread_name: "clock".into(),
            lane: Lane::Disk,
            text: "sync".into(),
        };
        let mut silent = Trace::new(false);
        silent.keep(|| unreachable!("nobody keeps it"));
        assert!(silent.take_events().is_empty());
        let mut trace = Trace::new(true);
        trace.keep(event);
        assert_eq!(trace.take_events(), vec![event()]);
    }
}
