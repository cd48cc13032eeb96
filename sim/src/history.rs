//! What clients asked for and were told, and what the engine showed of itself.
//!
//! Written by simulated threads through [`crate::world`], read by the model and the checkers. All
//! of it is the harness's memory: it outlives every crash.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::told::Told;
use crate::workload::Plan;

/// What is known of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not yet given to the engine.
    Waiting,
    /// Given to the engine, which has not answered; if the process died meanwhile, never will.
    InFlight,
    /// Acknowledged with its first sequence.
    Acknowledged {
        /// First sequence.
        sequence: u64,
    },
    /// The engine returned an error: absent, or present once, as the next open decides.
    Failed,
    /// Seen by an open after its call had no answer or an error.
    Settled {
        /// First sequence.
        sequence: u64,
    },
    /// May never be seen again: an open or a `resume` decided so, or a crash lost it legally. But
    /// where damage of the medium leads to a version before, it may.
    Absent,
}

/// One batch, by its place in the plan.
#[derive(Clone, Copy, Debug)]
pub struct BatchState {
    /// What is known of it.
    pub status: Status,
    /// Scheduling point at which it was given to the engine.
    pub invoked: u64,
    /// Scheduling point at which the engine answered.
    pub returned: u64,
    /// The incarnation that wrote it, from 0.
    pub incarnation: u32,
    /// Where it stands in a log that was not needed any more, if it had no answer then.
    pub written_at: Option<u64>,
}

/// Bytes of a value, by length and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueDigest {
    /// Length in bytes.
    pub len: u64,
    /// Hash of the bytes.
    pub hash: u64,
}

impl ValueDigest {
    /// The digest of `value`.
    pub fn of(value: &[u8]) -> Self {
        ValueDigest { len: value.len() as u64, hash: xxh3_64(value) }
    }
}

/// One answer of a read.
#[derive(Clone, Debug)]
pub struct Read {
    /// The thread that read, by its number among readers.
    pub reader: u32,
    /// Sequence of the snapshot read at; `None` for a plain get.
    pub sequence: Option<u64>,
    /// Number of the key.
    pub key: u32,
    /// What was found.
    pub found: Option<ValueDigest>,
    /// Scheduling point at which the snapshot, or the get, was asked for.
    pub invoked: u64,
    /// Scheduling point at which the snapshot, or the get, had returned.
    pub returned: u64,
    /// Highest sequence acknowledged when it was asked for.
    pub acknowledged: u64,
    /// Whether the key was looked up by an iterator that showed all keys of the snapshot.
    pub by_scan: bool,
}

/// An entry of the engine: one operation of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The sequence.
    pub sequence: u64,
    /// Key and value in one piece: an open shows thousands of entries.
    bytes: Box<[u8]>,
    key_size: usize,
    is_delete: bool,
}

impl Entry {
    /// A put, or a delete if there is no value.
    pub fn new(key: &[u8], sequence: u64, value: Option<&[u8]>) -> Self {
        let mut bytes = Vec::with_capacity(key.len() + value.map_or(0, <[u8]>::len));
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value.unwrap_or_default());
        let (key_size, is_delete) = (key.len(), value.is_none());
        Entry { sequence, bytes: bytes.into_boxed_slice(), key_size, is_delete }
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_size]
    }

    /// The value; `None` for a delete.
    pub fn value(&self) -> Option<&[u8]> {
        (!self.is_delete).then(|| &self.bytes[self.key_size..])
    }
}

/// What one `open` showed.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Entries that replay put into memtables, with the log that held them, in order of replay.
    pub replayed: Vec<(u64, Entry)>,
    /// Every live entry after the open, in no particular order.
    pub entries: Vec<Entry>,
    /// What an open for reading alone had shown just before: each key with its value.
    pub preview: Option<Vec<(Box<[u8]>, ValueDigest)>>,
    /// The engine's last sequence.
    pub last_sequence: u64,
    /// Whether the engine said that it left bytes of a log or MANIFEST out.
    pub has_dropped: bool,
    /// Scheduling point at which `open` returned.
    pub point: u64,
    /// The error that ended the showing of entries. No fault strikes while they are shown.
    pub unreadable: Option<String>,
}

/// One client call of which only the outcome counts.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was called.
    pub call: Call,
    /// The error, or `None` for Ok.
    pub error: Option<Told>,
    /// Scheduling point of the call.
    pub invoked: u64,
    /// Scheduling point of the answer.
    pub returned: u64,
}

/// A flush that returned Ok.
#[derive(Clone, Copy, Debug)]
pub struct Flushed {
    /// Highest sequence acknowledged when it was asked for.
    pub acknowledged: u64,
    /// The first sequence that a recovery would have found in a log when it had returned.
    pub first_in_logs: Option<u64>,
    /// Scheduling point at which it returned.
    pub returned: u64,
}

/// A call to a log that failed outside of recovery, `resume` and `close`.
#[derive(Clone, Debug)]
pub struct LogFailure {
    /// Scheduling point at which the engine was told.
    pub point: u64,
    /// The call, as reports name it.
    pub what: String,
    /// What had come to logs before it.
    pub done: LogDone,
}

/// How far the logs have come: the scheduling points at which the engine was last told Ok.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogDone {
    /// Of an append.
    pub appended: u64,
    /// Of a sync.
    pub synced: u64,
}

/// Something that the engine did to a file that it must leave alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBreach {
    /// Scheduling point of the call.
    pub point: u64,
    /// What it did to which file.
    pub what: String,
}

/// Calls of clients beside writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the engine's methods of these names")]
pub enum Call {
    Open,
    OpenReadOnly,
    CloseReadOnly,
    Write { batch: u32 },
    Flush,
    Sync,
    Compact,
    Read,
    Resume,
    Close,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::Open => "open",
            Call::OpenReadOnly => "open for reading alone",
            Call::CloseReadOnly => "close what was open for reading alone",
            Call::Write { .. } => "write",
            Call::Flush => "flush",
            Call::Sync => "sync",
            Call::Resume => "resume",
            Call::Close => "close",
            Call::Compact => "compact",
            Call::Read => "read",
        })
    }
}

/// What clients have seen.
#[derive(Clone, Debug)]
pub struct History {
    /// By place in the plan.
    pub batches: Vec<BatchState>,
    /// Next batch of each writer.
    pub next_batch: Vec<u32>,
    /// Rounds that each reader has done.
    pub rounds: Vec<u32>,
    /// Acknowledged batches of this incarnation, in order of acknowledgement.
    pub acknowledged: Vec<u32>,
    /// Highest last sequence acknowledged in this incarnation or recovered by it.
    pub acknowledged_sequence: u64,
    /// Everything up to this sequence was synced by a call that returned Ok.
    pub synced_sequence: u64,
    /// The highest sequence of a log that was not needed any more: all up to it had come into
    /// tables.
    pub flushed_sequence: u64,
    /// Reads of this incarnation.
    pub reads: Vec<Read>,
    /// Calls of this incarnation, in order of their answers.
    pub outcomes: Vec<Outcome>,
    /// Flushes of this incarnation that returned Ok.
    pub flushes: Vec<Flushed>,
    /// Appends, syncs and closes of logs that failed in this incarnation, in order.
    pub log_failures: Vec<LogFailure>,
    /// What this incarnation did to files that it must leave alone, in order.
    pub file_breaches: Vec<FileBreach>,
    /// What the last open showed.
    pub opened: Opened,
    /// Incarnations started so far, less one.
    pub incarnation: u32,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(plan: &Plan) -> Self {
        let untouched = BatchState {
            status: Status::Waiting,
            invoked: 0,
            returned: 0,
            incarnation: 0,
            written_at: None,
        };
        History {
            batches: vec![untouched; plan.batches.len()],
            next_batch: plan.writers.iter().map(|batches| batches.start).collect(),
            rounds: vec![0; plan.readers.len()],
            acknowledged: Vec::new(),
            acknowledged_sequence: 0,
            synced_sequence: 0,
            flushed_sequence: 0,
            reads: Vec::new(),
            outcomes: Vec::new(),
            flushes: Vec::new(),
            log_failures: Vec::new(),
            file_breaches: Vec::new(),
            opened: Opened::default(),
            incarnation: 0,
        }
    }

    /// The same, with the number of each scheduling point among those that are named here or in
    /// `more` instead of the point, there too: what checkers see of two histories that this makes
    /// equal is the same.
    #[must_use]
    pub fn in_order(&self, more: &mut [&mut u64]) -> History {
        let mut history = self.clone();
        let mut points: Vec<u64> = history.points().map(|point| *point).collect();
        points.extend(more.iter().map(|point| **point));
        points.push(0);
        points.sort_unstable();
        points.dedup();
        for point in history.points().chain(more.iter_mut().map(|point| &mut **point)) {
            let rank = points.binary_search(point);
            *point = rank.unwrap_or_default() as u64;
        }
        history
    }

    fn points(&mut self) -> impl Iterator<Item = &mut u64> {
        let History { batches, reads, outcomes, flushes, .. } = self;
        let batches = batches.iter_mut().flat_map(|b| [&mut b.invoked, &mut b.returned]);
        let reads = reads.iter_mut().flat_map(|r| [&mut r.invoked, &mut r.returned]);
        let outcomes = outcomes.iter_mut().flat_map(|o| [&mut o.invoked, &mut o.returned]);
        let flushes = flushes.iter_mut().map(|flushed| &mut flushed.returned);
        let failures = self.log_failures.iter_mut().flat_map(|failure| {
            let LogDone { appended, synced } = &mut failure.done;
            [&mut failure.point, appended, synced]
        });
        let breaches = self.file_breaches.iter_mut().map(|breach| &mut breach.point);
        let clients = batches.chain(reads).chain(outcomes).chain(flushes);
        clients.chain(failures).chain(breaches).chain([&mut self.opened.point])
    }

    /// Forgets what concerns the last incarnation alone.
    pub fn begin_incarnation(&mut self, number: u32) {
        self.acknowledged.clear();
        self.reads.clear();
        self.outcomes.clear();
        self.flushes.clear();
        self.log_failures.clear();
        self.file_breaches.clear();
        self.opened = Opened::default();
        self.incarnation = number;
    }
}
