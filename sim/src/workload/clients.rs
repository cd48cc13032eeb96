//! The simulated threads of clients: writers and readers.
//!
//! They run on the engine's side of the arena and take notes on the harness's side.

use std::time::Duration;

use faultline::env::Threads as _;
use faultline::{Db, DbIterator, Error, ReadOptions, Result, WriteBatch, WriteOptions};

use super::{After, Plan, PlannedCrash, Trigger, key_bytes, value_bytes};
use crate::arena::Outside;
use crate::env::SimEnv;
use crate::fault::Phase;
use crate::history::{Call, Flushed, Outcome, Read, Status, ValueDigest};
use crate::kernel::{SimThreads, with_kernel};
use crate::naive;
use crate::policy::ClientWord;
use crate::probe::Probe;
use crate::process::DATABASE;
use crate::report::counted;
use crate::scenario::CrashKind;
use crate::told::{Kind, Told};
use crate::trace::{Lane, Tag};
use crate::world::{World, with_world};

/// How often a writer goes on after an error before it gives up.
const ERRORS_MAX: u32 = 3;

/// A note of the harness: its allocations outlive the process.
fn note<R>(f: impl FnOnce(&World) -> R) -> R {
    let _outside = Outside::enter();
    with_world(f)
}

fn asks() -> u64 {
    with_kernel(|kernel| kernel.client(ClientWord::Asks))
}
fn is_told() -> u64 {
    with_kernel(|kernel| kernel.client(ClientWord::IsTold))
}

/// Makes a call and notes its outcome.
pub(crate) fn noted<T>(call: Call, make: impl FnOnce() -> Result<T>) -> Result<T> {
    let invoked = asks();
    let is_write = matches!(call, Call::Write { .. });
    if !is_write {
        with_kernel(|kernel| kernel.tell(Lane::Client, || format!("{call} ...")));
    }
    let result = make();
    let returned = is_told();
    note(|world| {
        let error = with_kernel(|kernel| {
            let error = result.as_ref().err().map(|error| Told::of(error, kernel.current()));
            let word = u64::from(error.is_some());
            kernel.with_trace(|trace| trace.note(Tag::Ack, word));
            if !is_write {
                kernel.tell(Lane::Client, || match &error {
                    None => format!("{call} -> ok"),
                    Some(error) => format!("{call} -> {}", error.words),
                });
            }
            error
        });
        match (call, &error) {
            (Call::Open, Some(_)) => world.hit(Probe::OpenFailed),
            (Call::Write { .. }, Some(told)) if told.form.kind == Kind::HeldUp => {
                world.hit(Probe::HeldUp);
            }
            (Call::Write { .. }, Some(_)) => world.hit(Probe::WriteFailed),
            (Call::Resume, None) => world.hit(Probe::Resumed),
            _ => {}
        }
        world.history.borrow_mut().outcomes.push(Outcome { call, error, invoked, returned });
    });
    result
}

/// Writes the remaining batches of writer number `writer`, one after another.
pub fn writer(db: &Db<SimEnv>, writer: u32) {
    let mut batch = WriteBatch::new();
    let mut buffers = (Vec::new(), Vec::new());
    let mut errors = 0;
    while let Some(number) = begin_batch(writer) {
        fill(&mut batch, number, &mut buffers);
        let options = with_world(|world| {
            let batch = &world.plan.batches[number as usize];
            WriteOptions { sync: batch.sync, no_wait: batch.no_wait }
        });
        let result = noted(Call::Write { batch: number }, || db.write(&batch, &options));
        end_batch(number, options.sync, result.as_ref().ok().copied(), &result);
        let after = with_world(|world| world.plan.batches[number as usize].after);
        match after {
            After::Close => return,
            After::Crash(kind) => with_world(|world| die(world, kind)),
            _ => {}
        }
        if matches!(result, Err(Error::HeldUp { .. })) {
            continue;
        }
        if result.is_err() {
            errors += 1;
            let may_resume = with_world(|world| world.plan.resume);
            if may_resume {
                resume(db);
            }
            if errors >= ERRORS_MAX && !may_resume || errors >= 10 * ERRORS_MAX {
                return;
            }
            continue;
        }
        match after {
            After::Nothing | After::Close | After::Crash(_) => {}
            After::Flush => {
                let acknowledged = note(|world| world.history.borrow().acknowledged_sequence);
                if noted(Call::Flush, || db.flush()).is_ok() {
                    synced_up_to(acknowledged);
                    flushed_up_to(acknowledged);
                }
            }
            After::Compact(between) => {
                let [first, last] = between.map(|number| {
                    let mut key = Vec::new();
                    key_bytes(number, &mut key);
                    key
                });
                // Its outcome is noted; there is nothing else to do about an error.
                noted(Call::Compact, || db.compact_range(Some(&first), Some(&last))).ok();
            }
            After::Sync => {
                let acknowledged = note(|world| world.history.borrow().acknowledged_sequence);
                if noted(Call::Sync, || db.sync()).is_ok() {
                    synced_up_to(acknowledged);
                }
            }
        }
    }
}

/// Ends the process, or the machine, here.
fn die(world: &World, kind: CrashKind) -> ! {
    world.crash.set(Some(PlannedCrash { kind, trigger: Trigger::Point(0), phase: Phase::Run }));
    with_kernel(|kernel| kernel.crash())
}

fn synced_up_to(sequence: u64) {
    note(|world| {
        let mut history = world.history.borrow_mut();
        history.synced_sequence = history.synced_sequence.max(sequence);
    });
}

/// Looks what is left in logs behind a flush.
fn flushed_up_to(acknowledged: u64) {
    note(|world| {
        let disk = world.disk.borrow();
        let folder = disk.folder(DATABASE);
        let first_in_logs = naive::first_in_logs(&folder.names(), &|name| folder.bytes(name));
        // Without a MANIFEST to read there is nothing to say here; the next open will.
        if let Ok(first_in_logs) = first_in_logs {
            let flushed = Flushed { acknowledged, first_in_logs, returned: is_told() };
            world.history.borrow_mut().flushes.push(flushed);
        }
    });
}

fn begin_batch(writer: u32) -> Option<u32> {
    note(|world| {
        let mut history = world.history.borrow_mut();
        let number = history.next_batch[writer as usize];
        if number >= world.plan.writers[writer as usize].end {
            return None;
        }
        history.next_batch[writer as usize] += 1;
        let incarnation = history.incarnation;
        let state = &mut history.batches[number as usize];
        state.status = Status::InFlight;
        state.invoked = asks();
        state.incarnation = incarnation;
        with_kernel(|kernel| {
            kernel.tell(Lane::Client, || format!("{} ...", name(&world.plan, number)));
        });
        Some(number)
    })
}

/// A write in words: its batch as the writer's own count has it, and its size.
fn name(plan: &Plan, number: u32) -> String {
    let batch = &plan.batches[number as usize];
    let sync = if batch.sync { " sync" } else { "" };
    let no_wait = if batch.no_wait { " no_wait" } else { "" };
    let first = plan.writers[batch.writer as usize].start;
    format!("write{sync}{no_wait} batch {} ({})", number - first, counted(batch.ops.len(), "op"))
}

fn fill(batch: &mut WriteBatch, number: u32, (key, value): &mut (Vec<u8>, Vec<u8>)) {
    batch.clear();
    let ops = with_world(|world| world.plan.batches[number as usize].ops.clone());
    for op in ops {
        let planned = with_world(|world| world.plan.ops[op as usize]);
        key.clear();
        key_bytes(planned.key, key);
        let added = match planned.value {
            None => batch.delete(key),
            Some(len) => {
                value.clear();
                value_bytes(op, len, value);
                batch.put(key, value)
            }
        };
        added.expect("planned batches are within all limits");
    }
}

fn end_batch<T>(number: u32, sync: bool, sequence: Option<u64>, result: &Result<T>) {
    note(|world| {
        let mut history = world.history.borrow_mut();
        let history = &mut *history;
        let count = world.plan.batches[number as usize].ops.len() as u64;
        let state = &mut history.batches[number as usize];
        state.returned = is_told();
        let word = sequence.unwrap_or(u64::MAX) ^ u64::from(number) << 40;
        with_kernel(|kernel| {
            kernel.with_trace(|trace| trace.note(Tag::Ack, word));
            kernel.tell(Lane::Client, || {
                let words = name(&world.plan, number);
                match result {
                    Ok(_) => format!("{words} -> ok, sequence {}", sequence.unwrap_or_default()),
                    Err(error) => format!("{words} -> {error}"),
                }
            });
        });
        let Some(sequence) = sequence else {
            let is_refused = matches!(result, Err(Error::HeldUp { .. }));
            state.status = if is_refused { Status::Absent } else { Status::Failed };
            return;
        };
        state.status = Status::Acknowledged { sequence };
        history.acknowledged.push(number);
        // An empty batch takes no sequence: what it was told is the one behind the last.
        let last = sequence + count - 1;
        history.acknowledged_sequence = history.acknowledged_sequence.max(last);
        if sync {
            history.synced_sequence = history.synced_sequence.max(last);
        }
    });
}

/// After a successful `resume` a write that had failed is absent for ever. It need not have made
/// anything durable: somebody else may have resumed before, or nothing was stopped.
fn resume(db: &Db<SimEnv>) {
    let caller = with_kernel(crate::kernel::Kernel::current);
    note(|world| {
        let failed = failed_batches(world);
        world.failed_before_resume.borrow_mut().insert(caller, failed);
    });
    let resumed = noted(Call::Resume, || db.resume());
    note(|world| {
        let failed = world.failed_before_resume.borrow_mut().remove(&caller).unwrap_or_default();
        if resumed.is_err() {
            return;
        }
        for batch in failed {
            world.history.borrow_mut().batches[batch as usize].status = Status::Absent;
        }
    });
}

fn failed_batches(world: &World) -> Vec<u32> {
    let history = world.history.borrow();
    let failed = history.batches.iter().enumerate();
    failed.filter(|(_, state)| state.status == Status::Failed).map(|(b, _)| b as u32).collect()
}

/// Does the remaining rounds of reader number `reader`: a snapshot and gets at it, or a plain get,
/// or a scan.
pub fn reader(db: &Db<SimEnv>, reader: u32) {
    let mut key = Vec::new();
    while let Some(draw) = begin_round(reader) {
        let (invoked, acknowledged) = (asks(), note(|w| w.history.borrow().acknowledged_sequence));
        let keys = with_world(|world| world.plan.keys);
        if draw % 4 == 0 {
            let number = draw / 4 % keys.min(8);
            key.clear();
            key_bytes(number, &mut key);
            let Some(found) = asked(db.get(&key)) else { continue };
            let read = Read {
                reader,
                sequence: None,
                key: number,
                found: found.map(|value| ValueDigest::of(&value)),
                invoked,
                returned: is_told(),
                acknowledged,
                by_scan: false,
            };
            noted_read(read);
            continue;
        }
        let at = |sequence| Read {
            reader,
            sequence: Some(sequence),
            key: 0,
            found: None,
            invoked,
            returned: is_told(),
            acknowledged,
            by_scan: false,
        };
        if draw % 8 == 1 {
            // A cursor without a snapshot shows a moment too, and says which.
            let Some(cursor) = asked(db.iter()) else { return };
            let at = at(cursor.sequence());
            scan(cursor, &at, draw);
            continue;
        }
        let Some(snapshot) = asked(db.snapshot()) else { return };
        let at = at(snapshot.sequence());
        let options = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
        if draw % 8 == 5 {
            let Some(cursor) = asked(db.iter_with(&options)) else { continue };
            scan(cursor, &at, draw);
            continue;
        }
        hold(draw);
        for step in 0..3 {
            if step == 1 {
                hold(draw);
            }
            let number = (draw / 4).wrapping_mul(step * 7 + 1) % keys;
            key.clear();
            key_bytes(number, &mut key);
            let Some(found) = asked(db.get_with(&key, &options)) else { break };
            let found = found.map(|value| ValueDigest::of(&value));
            noted_read(Read { key: number, found, ..at.clone() });
        }
    }
}

/// What a read found. One that failed is noted.
fn asked<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(found) => Some(found),
        Err(error) => noted(Call::Read, || Err(error)).ok(),
    }
}

/// Sleeps, in a share of the rounds: what the reader has in hand grows old meanwhile.
fn hold(draw: u32) {
    let holds = with_world(|world| world.plan.holds);
    if f64::from(draw >> 8 & 0xffff) < holds * 65536.0 {
        let micros = 200 << (draw >> 4 & 7);
        SimThreads::sleep(Duration::from_micros(micros));
    }
}

fn noted_read(read: Read) {
    note(|world| {
        with_kernel(|kernel| {
            kernel.tell(Lane::Client, || {
                let at = read.sequence.map_or(String::new(), |at| format!(" at sequence {at}"));
                let found = read.found.map_or("nothing".to_owned(), |v| format!("{} B", v.len));
                format!("get key {}{at} -> {found}", read.key)
            });
        });
        world.history.borrow_mut().reads.push(read);
    });
}

fn scan(mut cursor: DbIterator, at: &Read, draw: u32) {
    let keys = with_world(|world| world.plan.keys);
    let mut found = note(|_| vec![None; keys as usize]);
    hold(draw);
    // Every other scan goes backwards, and turns round once on its way.
    let is_backward = at.invoked % 2 == 1;
    if is_backward {
        cursor.seek_to_last();
    } else {
        cursor.seek_to_first();
    }
    let mut seen = 0;
    while cursor.valid() {
        if let Some(number) = key_number(cursor.key(), keys) {
            found[number as usize] = Some(ValueDigest::of(cursor.value()));
        }
        seen += 1;
        if seen == 3 {
            hold(draw);
            turn_round(&mut cursor, is_backward);
        }
        if cursor.valid() {
            step(&mut cursor, is_backward);
        }
    }
    if asked(cursor.status()).is_none() {
        return;
    }
    note(|world| {
        with_kernel(|kernel| {
            kernel.tell(Lane::Client, || {
                let keys = found.iter().flatten().count();
                let way = if is_backward { "backwards" } else { "forwards" };
                let at = at.sequence.unwrap_or_default();
                format!("scan {way} at sequence {at} -> {}", counted(keys, "key"))
            });
        });
        is_told();
        let mut history = world.history.borrow_mut();
        for (key, found) in (0..).zip(found) {
            history.reads.push(Read { key, found, by_scan: true, ..at.clone() });
        }
    });
}

fn step(cursor: &mut DbIterator, is_backward: bool) {
    if is_backward {
        cursor.prev();
    } else {
        cursor.next();
    }
}

/// One step back and one on again: the same place, unless the cursor loses it.
fn turn_round(cursor: &mut DbIterator, is_backward: bool) {
    let here = cursor.key().to_vec();
    step(cursor, !is_backward);
    if cursor.valid() {
        step(cursor, is_backward);
    } else {
        cursor.seek(&here);
    }
}

fn key_number(bytes: &[u8], keys: u32) -> Option<u32> {
    let number = match bytes {
        [] => 0,
        [b'k', digits @ ..] if digits.len() == 5 => {
            digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
        }
        _ => 1,
    };
    (number < keys).then_some(number)
}

/// Begins a round, unless all are done; the number decides what the round does.
fn begin_round(reader: u32) -> Option<u32> {
    note(|world| {
        let mut history = world.history.borrow_mut();
        let round = history.rounds[reader as usize];
        if round >= world.plan.readers[reader as usize] {
            return None;
        }
        history.rounds[reader as usize] += 1;
        // Any fixed mixing will do: it is the schedule that varies.
        let mixed = (world.plan.seed ^ u64::from(reader) << 32 ^ u64::from(round))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some((mixed >> 33) as u32)
    })
}
