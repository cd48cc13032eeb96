//! What clients were told and what an open showed, put together step by step.

use std::io::ErrorKind;

use faultline::FileOp;
use faultline_sim::checker::{
    AfterEnd, AfterOpen, Checker, Ending, Excuse, Image, Met, Recoverable, Violation,
};
use faultline_sim::history::{Call, Entry, History, Outcome, Read, Status, ValueDigest};
use faultline_sim::kernel::{End, ThreadId};
use faultline_sim::model::{commits, settle};
use faultline_sim::scenario::CrashKind;
use faultline_sim::told::{Failure, Form, Kind, Told};
use faultline_sim::workload::{After, Plan, PlannedBatch, PlannedOp, key_bytes, value_bytes};

pub(crate) const KILLED: Ending = Ending::Crashed(CrashKind::Kill);
pub(crate) const POWERLESS: Ending = Ending::Crashed(CrashKind::PowerLoss);
pub(crate) const CLOSED: Ending = Ending::Returned { closed: true, left: Vec::new(), leaked: 0 };
pub(crate) const GAVE_UP: Ending = Ending::Returned { closed: false, left: Vec::new(), leaked: 0 };
pub(crate) const STUCK: Ending = Ending::Stuck(End::Livelock { is_calm: true, left: Vec::new() });

/// Key and value length of every operation, by batch; the first three batches are writer 0's.
const BATCHES: [&[(u32, Option<u32>)]; 6] = [
    &[(2, Some(10)), (3, Some(20))],
    &[(2, Some(11))],
    &[(3, None)],
    &[(2, Some(12))],
    &[(4, Some(30)), (5, Some(0)), (6, None)],
    &[],
];

/// A history in the making. Without a word to the contrary, time is 1 to 2 for every call.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) plan: Plan,
    pub(crate) history: History,
    pub(crate) image: Image,
    pub(crate) before: Option<Ending>,
    pub(crate) ending: Ending,
    pub(crate) excuse: Excuse,
    pub(crate) faults: u64,
    pub(crate) left_over: Vec<String>,
    pub(crate) damaged: Vec<String>,
    pub(crate) met: Met,
    pub(crate) failures: Vec<Failure>,
    pub(crate) resuming: Vec<u64>,
}

fn plan() -> Plan {
    let mut ops = Vec::new();
    let mut batches = Vec::new();
    for (number, planned) in (0..).zip(BATCHES) {
        let first = ops.len() as u32;
        ops.extend(planned.iter().map(|&(key, value)| PlannedOp { key, value }));
        let ops = first..ops.len() as u32;
        let (writer, after) = (u32::from(number > 2), After::Nothing);
        batches.push(PlannedBatch { writer, ops, sync: number == 0, no_wait: false, after });
    }
    Plan {
        resume: true,
        batches,
        ops,
        writers: vec![0..3, 3..6],
        readers: vec![9, 9],
        keys: 8,
        ..Plan::idle()
    }
}

impl Story {
    /// The first incarnation, before anything has been asked of it.
    pub(crate) fn new() -> Story {
        let plan = plan();
        let mut history = History::new(&plan);
        history.opened.point = 70;
        Story {
            plan,
            history,
            image: Image::default(),
            before: None,
            ending: CLOSED,
            excuse: Excuse::None,
            faults: 0,
            left_over: Vec::new(),
            damaged: Vec::new(),
            met: Met::default(),
            failures: Vec::new(),
            resuming: Vec::new(),
        }
    }

    /// An open after an incarnation that ended so.
    pub(crate) fn after(before: Ending) -> Story {
        Story { before: Some(before), ..Story::new() }
    }

    /// Batch `number` was acknowledged at `sequence`.
    pub(crate) fn acked(self, number: u32, sequence: u64) -> Story {
        self.acked_at(number, sequence, 1, 2)
    }

    /// The same, asked for at one point and answered at another.
    pub(crate) fn acked_at(self, number: u32, sequence: u64, invoked: u64, returned: u64) -> Story {
        let mut story = self.written(number, Status::Acknowledged { sequence }, invoked, returned);
        let last = sequence + story.plan.batches[number as usize].ops.len() as u64 - 1;
        let history = &mut story.history;
        history.acknowledged_sequence = history.acknowledged_sequence.max(last);
        history.acknowledged.push(number);
        story.called(Call::Write { batch: number }, None, invoked, returned)
    }

    /// Batch `number` was given to the engine, and this is known of it.
    pub(crate) fn written(
        mut self,
        number: u32,
        status: Status,
        invoked: u64,
        returned: u64,
    ) -> Story {
        let incarnation = self.history.incarnation;
        let state = &mut self.history.batches[number as usize];
        (state.status, state.invoked, state.returned) = (status, invoked, returned);
        state.incarnation = incarnation;
        self
    }

    /// A call was answered; if with an error, the disk gave it one.
    pub(crate) fn called(
        self,
        call: Call,
        error: Option<&str>,
        invoked: u64,
        returned: u64,
    ) -> Story {
        let Some(words) = error else { return self.answered(call, None, invoked, returned) };
        // Each by a thread of its own: none has met what befell another.
        let thread = 100 + self.failures.len() as u32;
        let op = if words.starts_with("create ") { FileOp::Create } else { FileOp::Sync };
        let form = form(Kind::Io(ErrorKind::Other), op, "000003.log");
        let told = Told { words: words.to_owned(), ..told(&form, thread) };
        self.failed(form, thread, "writer", invoked).answered(call, Some(told), invoked, returned)
    }

    /// A call was answered.
    pub(crate) fn answered(
        mut self,
        call: Call,
        error: Option<Told>,
        invoked: u64,
        returned: u64,
    ) -> Story {
        self.history.outcomes.push(Outcome { call, error, invoked, returned });
        self
    }

    /// The engine was given this error, on a thread of this name and number.
    pub(crate) fn failed(
        mut self,
        form: Form,
        thread: u32,
        role: &'static str,
        point: u64,
    ) -> Story {
        self.failures.push(Failure { point, thread: ThreadId(thread), role, form });
        self
    }

    /// Everything up to `sequence` was synced.
    pub(crate) fn synced(mut self, sequence: u64) -> Story {
        self.history.synced_sequence = sequence;
        self
    }

    /// The open shows the first `count` operations of a batch.
    pub(crate) fn shows_part(mut self, number: u32, sequence: u64, count: usize) -> Story {
        let entries = self.entries(number, sequence);
        self.history.opened.entries.extend(entries.into_iter().take(count));
        let shown = self.history.opened.entries.iter().map(|entry| entry.sequence);
        self.history.opened.last_sequence = shown.max().unwrap_or(0);
        self
    }

    /// The open shows a batch.
    pub(crate) fn shows(self, number: u32, sequence: u64) -> Story {
        self.shows_part(number, sequence, usize::MAX)
    }

    /// The independent decoder finds these batches, in tables and in logs; replay found those of
    /// the logs.
    pub(crate) fn on_disk(mut self, tables: &[(u32, u64)], logs: &[(u32, u64)]) -> Story {
        let all = |batches: &[(u32, u64)]| -> Vec<Entry> {
            let entries = |&(number, sequence): &(u32, u64)| self.entries(number, sequence);
            batches.iter().flat_map(entries).collect()
        };
        let (table_entries, log_entries) = (all(tables), all(logs));
        self.history.opened.replayed = log_entries.iter().map(|entry| (3, entry.clone())).collect();
        let found = Recoverable { log_entries, table_entries, must_refuse: None };
        self.image.recoverable = Some(found);
        self
    }

    /// A read at a snapshot, or a plain get.
    pub(crate) fn read(
        mut self,
        sequence: Option<u64>,
        acknowledged: u64,
        key: u32,
        found: Option<ValueDigest>,
    ) -> Story {
        let (reader, by_scan, invoked, returned) = (0, false, 20, 30);
        self.history.reads.push(Read {
            reader,
            sequence,
            key,
            found,
            invoked,
            returned,
            acknowledged,
            by_scan,
        });
        self
    }

    /// The entries that a batch makes.
    pub(crate) fn entries(&self, number: u32, sequence: u64) -> Vec<Entry> {
        let ops = self.plan.batches[number as usize].ops.clone();
        let entry = |(op, sequence): (u32, u64)| {
            let planned = self.plan.ops[op as usize];
            let mut key = Vec::new();
            key_bytes(planned.key, &mut key);
            let value = planned.value.map(|len| value(op, len));
            Entry::new(&key, sequence, value.as_deref())
        };
        ops.zip(sequence..).map(entry).collect()
    }

    /// The value that the first operation of a batch writes.
    pub(crate) fn value_of(&self, number: u32) -> Option<ValueDigest> {
        self.value_at(number, 0)
    }

    /// The value that operation `nth` of a batch writes.
    pub(crate) fn value_at(&self, number: u32, nth: usize) -> Option<ValueDigest> {
        self.entries(number, 1)[nth].value().map(ValueDigest::of)
    }

    /// What `checker` says of the open.
    pub(crate) fn judge_open(&self, checker: &mut dyn Checker) -> Result<(), Violation> {
        checker.after_open(&AfterOpen {
            plan: &self.plan,
            history: &self.history,
            before: self.before.as_ref(),
            settlement: &settle(&self.plan, &self.history, &self.history.opened),
            image: &self.image,
            excuse: self.excuse,
        })
    }

    /// What `checker` says of the end.
    pub(crate) fn judge_end(&self, checker: &mut dyn Checker) -> Result<(), Violation> {
        checker.after_end(&AfterEnd {
            plan: &self.plan,
            history: &self.history,
            commits: &commits(&self.plan, &self.history),
            ending: &self.ending,
            left_over: &self.left_over,
            damaged: &self.damaged,
            met: &self.met,
            failures: &self.failures,
            resuming: &self.resuming,
            excuse: self.excuse,
            faults: self.faults,
            point: 90,
        })
    }
}

/// What an error about a file of the database says.
pub(crate) fn form(kind: Kind, op: FileOp, file: &str) -> Form {
    Form { kind, op: Some(op), file: Some(format!("/db/{file}")) }
}

/// The error, as a thread is told it that has met it.
pub(crate) fn told(form: &Form, thread: u32) -> Told {
    let (words, form) = (form.to_string(), form.clone());
    Told { words, form, is_background: false, thread: ThreadId(thread) }
}

fn value(op: u32, len: u32) -> Vec<u8> {
    let mut value = Vec::new();
    value_bytes(op, len, &mut value);
    value
}

/// Nothing may be wrong.
#[track_caller]
pub(crate) fn passes(judgement: &Result<(), Violation>) {
    assert_eq!(*judgement, Ok(()));
}

/// This checker complains, in words that hold `words`, at `point`.
#[track_caller]
pub(crate) fn fails(judgement: Result<(), Violation>, checker: &str, point: u64, words: &str) {
    let violation = judgement.expect_err("has to be found");
    assert_eq!((violation.checker, violation.point), (checker, point), "{violation}");
    assert!(violation.to_string().contains(words), "{violation}");
    assert_ne!(violation.expected, violation.got, "{violation}");
}
