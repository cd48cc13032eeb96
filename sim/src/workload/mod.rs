//! What clients do: the plan of a run, and the simulated threads that carry it out.

mod clients;
mod custom;
mod generate;
mod readers;

pub(crate) use clients::noted;
pub use clients::writer;
pub use custom::{Custom, FaultHook, FaultQuery, Workload, outside};
pub use readers::reader;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::disk::{POSIX_WEAK, Profile};
use crate::policy::PolicyName;
use crate::scenario::{CrashKind, Damage, Omitted};

/// Everything that a seed decides before a run starts. Printable, and replayable by itself.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed it was drawn from; decides the streams that are drawn from during the run.
    pub seed: u64,
    /// What of its scenario it goes without.
    pub omitted: Omitted,
    /// Who runs when.
    pub policy: PolicyName,
    /// The disk's profile.
    pub profile: &'static Profile,
    /// Byte budget of the disk.
    pub capacity: Option<u64>,
    /// Whether syncs return Ok and do nothing.
    pub swallow_syncs: bool,
    /// The label of a sync that returns Ok and does nothing.
    pub leave_out: Option<String>,
    /// The engine's sizes, and how it writes tables.
    pub engine: PlannedEngine,
    /// Whether writers call `resume` after a background error.
    pub resume: bool,
    /// The batches of all writers; those of one writer stand together.
    pub batches: Vec<PlannedBatch>,
    /// The operations of all batches.
    pub ops: Vec<PlannedOp>,
    /// The batches of each writer.
    pub writers: Vec<Range<u32>>,
    /// Rounds of each reader.
    pub readers: Vec<u32>,
    /// Share of those that sleep between two steps.
    pub holds: f64,
    /// Share of opens before which the database is opened for reading alone.
    pub previews: f64,
    /// Different keys.
    pub keys: u32,
    /// The crashes, in order.
    pub crashes: Vec<PlannedCrash>,
    /// Damage to files between processes.
    pub damages: Vec<Damage>,
    /// Whether the writers follow a script, all of which is carried out.
    pub is_scripted: bool,
}

/// The options of the engine that a plan decides; see the fields of [`faultline::Options`] of the
/// same names.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the engine's options of these names")]
pub struct PlannedEngine {
    pub write_buffer_size: usize,
    /// That of every process but the first.
    pub reopened_write_buffer_size: usize,
    pub max_file_size: u64,
    pub level1_size_max: u64,
    pub level0_compaction_trigger: usize,
    pub manifest_size_max: u64,
    pub table_append_size: usize,
    /// Whether tables are compressed.
    pub snappy: bool,
    /// Whether tables have bloom filters.
    pub filter: bool,
}

/// One batch, by its place in [`Plan::batches`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBatch {
    /// Who writes it.
    pub writer: u32,
    /// Its operations, in [`Plan::ops`].
    pub ops: Range<u32>,
    /// Whether it is written with `sync`.
    pub sync: bool,
    /// Whether it is written with `no_wait`.
    pub no_wait: bool,
    /// What its writer does afterwards.
    pub after: After,
}

/// What a writer does after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Goes on.
    Nothing,
    /// Asks for a memtable switch and waits for the flush.
    Flush,
    /// Syncs everything acknowledged.
    Sync,
    /// Compacts the keys between two, whose numbers these are.
    Compact([u32; 2]),
    /// Leaves the rest to the next process.
    Close,
    /// Dies, whatever the write returned.
    Crash(CrashKind),
}

/// One operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedOp {
    /// Number of the key.
    pub key: u32,
    /// Bytes of the value, or `None` for a delete.
    pub value: Option<u32>,
}

/// One crash.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PlannedCrash {
    /// Process or machine; never [`CrashKind::Either`].
    pub kind: CrashKind,
    /// Where it strikes.
    pub trigger: Trigger,
    /// The part of an incarnation in which it may strike.
    pub phase: crate::fault::Phase,
}

/// Where a crash strikes, counted from the start of its phase.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Trigger {
    /// After this many scheduling points.
    Point(u64),
    /// At the n-th call (from 0) of these, and in which part of it.
    Call {
        /// Which calls count.
        calls: Calls,
        /// How many of them come before.
        nth: u32,
        /// Before, inside or after it.
        moment: Moment,
    },
}

/// A set of calls to the disk.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Calls {
    /// Appends to logs.
    LogAppend,
    /// Syncs of logs.
    LogSync,
    /// Creations of logs.
    LogCreate,
    /// Renames.
    Rename,
    /// Whatever changes the disk.
    Mutating,
}

/// A part of a call.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Moment {
    /// Nothing of it has happened.
    Before,
    /// It was submitted; this many more scheduling points pass, unless it completes first.
    Inside(u32),
    /// It has happened; the caller does not know yet.
    After,
}

/// Appends the bytes of key number `key` to `out`.
///
/// Key 0 is empty and key 1 is long and binary, because those are the odd ones; the rest are short
/// text.
pub fn key_bytes(key: u32, out: &mut Vec<u8>) {
    match key {
        0 => {}
        1 => out.extend((0..200u8).map(|byte| byte.wrapping_mul(151))),
        _ => {
            out.push(b'k');
            let digits =
                [key / 10_000 % 10, key / 1000 % 10, key / 100 % 10, key / 10 % 10, key % 10];
            out.extend(digits.map(|digit| b'0' + digit as u8));
            if key >= 100_000 {
                out.extend(key.to_le_bytes());
            }
        }
    }
}

/// Appends the value that operation `op` of the plan writes: `len` bytes that no other operation
/// writes, where they are long enough to tell.
pub fn value_bytes(op: u32, len: u32, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + len as usize, 0);
    let mut word = u64::from(op) | 0xa5 << 56;
    let mut words = out[start..].chunks_exact_mut(8);
    for place in &mut words {
        place.copy_from_slice(&word.to_le_bytes());
        // xorshift64: cheap, and never 0 from a start that is not.
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    let rest = words.into_remainder();
    rest.copy_from_slice(&word.to_le_bytes()[..rest.len()]);
}

impl Plan {
    /// A plan in which nothing happens, with small sizes: what a test fills in.
    pub fn idle() -> Plan {
        Plan {
            seed: 0,
            omitted: Omitted::default(),
            policy: PolicyName::Random,
            profile: &POSIX_WEAK,
            capacity: None,
            swallow_syncs: false,
            leave_out: None,
            engine: PlannedEngine {
                write_buffer_size: 4096,
                reopened_write_buffer_size: 4096,
                max_file_size: 1 << 20,
                level1_size_max: 1 << 20,
                level0_compaction_trigger: 4,
                manifest_size_max: 1 << 20,
                table_append_size: 1,
                snappy: false,
                filter: false,
            },
            resume: false,
            batches: Vec::new(),
            ops: Vec::new(),
            writers: Vec::new(),
            readers: Vec::new(),
            holds: 0.0,
            previews: 0.0,
            keys: 1,
            crashes: Vec::new(),
            damages: Vec::new(),
            is_scripted: false,
        }
    }

    /// The batches of each writer, with its number.
    pub fn batches_by_writer(&self) -> impl Iterator<Item = (usize, &[PlannedBatch])> {
        let of_writer = |of: &Range<u32>| &self.batches[of.start as usize..of.end as usize];
        self.writers.iter().map(of_writer).enumerate()
    }

    /// The operations of a batch.
    pub fn ops_of(&self, batch: &PlannedBatch) -> &[PlannedOp] {
        &self.ops[batch.ops.start as usize..batch.ops.end as usize]
    }

    /// Whether an entry is what operation `op` wrote.
    pub fn op_matches(
        &self,
        op: u32,
        key: &[u8],
        value: Option<&[u8]>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        let planned = self.ops[op as usize];
        scratch.clear();
        key_bytes(planned.key, scratch);
        if scratch != key {
            return false;
        }
        match (planned.value, value) {
            (None, None) => true,
            (Some(len), Some(value)) if len as usize == value.len() => {
                scratch.clear();
                value_bytes(op, len, scratch);
                scratch == value
            }
            _ => false,
        }
    }
}
