//! The simulated threads of clients: writers, and what every client notes.
//!
//! They run on the engine's side of the arena and take notes on the harness's side.

use faultline::{Db, Error, Result, WriteBatch, WriteOptions};

use super::{After, Plan, PlannedCrash, Trigger, key_bytes, value_bytes};
use crate::arena::Outside;
use crate::env::SimEnv;
use crate::fault::Phase;
use crate::history::{Call, Flushed, Outcome, Status};
use crate::kernel::with_kernel;
use crate::naive;
use crate::policy::ClientWord;
use crate::probe::Probe;
use crate::process::DATABASE;
use crate::report::counted;
use crate::scenario::CrashKind;
use crate::told::{Kind, Told};
use crate::trace::{Lane, Tag};
use crate::world::{Resuming, World, with_world};

/// How often a writer goes on after an error before it gives up.
const ERRORS_MAX: u32 = 3;

/// A note of the harness: its allocations outlive the process.
pub(super) fn note<R>(f: impl FnOnce(&World) -> R) -> R {
    let _outside = Outside::enter();
    with_world(f)
}

pub(super) fn asks() -> u64 {
    with_kernel(|kernel| kernel.client(ClientWord::Asks))
}
pub(super) fn is_told() -> u64 {
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
        let invoked = with_kernel(crate::kernel::Kernel::points);
        let resuming = Resuming { invoked, failed: failed_batches(world) };
        world.resuming.borrow_mut().insert(caller, resuming);
    });
    let resumed = noted(Call::Resume, || db.resume());
    note(|world| {
        let resuming = world.resuming.borrow_mut().remove(&caller);
        if resumed.is_err() {
            return;
        }
        for batch in resuming.map_or(Vec::new(), |resuming| resuming.failed) {
            world.history.borrow_mut().batches[batch as usize].status = Status::Absent;
        }
    });
}

fn failed_batches(world: &World) -> Vec<u32> {
    let history = world.history.borrow();
    let failed = history.batches.iter().enumerate();
    failed.filter(|(_, state)| state.status == Status::Failed).map(|(b, _)| b as u32).collect()
}
