//! The program that a simulated process runs: open, show what was recovered, work, close.

use std::sync::Arc;

use faultline::db::EntryVisitor;
use faultline::env::Threads as _;
use faultline::iterator::InternalIterator;
use faultline::key::ParsedInternalKey;
use faultline::table::{BloomFilter, Compression};
use faultline::{Db, Observer, Options, Result, ValueType};

use crate::arena::Outside;
use crate::checker::Excuse;
use crate::env::SimEnv;
use crate::fault::Phase;
use crate::history::{Call, Entry, ValueDigest};
use crate::kernel::{Kernel, SimThreads, with_kernel};
use crate::policy::ClientWord;
use crate::probe::Probe;
use crate::workload::{Trigger, noted, outside, reader, writer};
use crate::world::{World, with_world};

/// Where the database lies on the simulated disk.
pub(crate) const DATABASE: &str = "/db";

/// Tells the world what the process does from here on, and arms the crash that belongs there.
pub(crate) fn enter_phase(kernel: &Kernel, world: &World, phase: Phase) {
    world.phase.set(phase);
    if let Some(crash) = world.crash.get().filter(|crash| crash.phase == phase)
        && let Trigger::Point(points) = crash.trigger
    {
        kernel.crash_within(points + 1);
    }
}

fn phase(phase: Phase) {
    let _outside = Outside::enter();
    with_kernel(|kernel| with_world(|world| enter_phase(kernel, world, phase)));
}

/// Sees what recovery replays, before it is flushed, and what there is at its end.
#[derive(Debug)]
struct Onlooker;

impl Observer for Onlooker {
    fn replayed(&self, log: u64, entries: &mut dyn InternalIterator) {
        let outside = Outside::enter();
        with_world(|world| world.note_replayed(&format!("{DATABASE}/{log:06}.log")));
        drop(outside);
        entries.seek_to_first();
        while entries.valid() {
            let key = ParsedInternalKey::parse(entries.key()).expect("a memtable holds whole keys");
            let outside = Outside::enter();
            let entry = entry(key.user_key, key.sequence, key.value_type, entries.value());
            with_world(|world| world.history.borrow_mut().opened.replayed.push((log, entry)));
            drop(outside);
            entries.next();
        }
    }

    fn recovered(&self, visit: &dyn Fn(&mut EntryVisitor<'_>) -> Result<()>) {
        with_world(|world| world.is_looking.set(true));
        let visited = visit(&mut |key, sequence, value_type, value| {
            let _outside = Outside::enter();
            let entry = entry(key, sequence, value_type, value);
            with_world(|world| world.history.borrow_mut().opened.entries.push(entry));
        });
        let _outside = Outside::enter();
        with_world(|world| {
            let unreadable = visited.err().map(|error| error.to_string());
            world.history.borrow_mut().opened.unreadable = unreadable;
            world.is_looking.set(false);
        });
    }
}

fn entry(key: &[u8], sequence: u64, value_type: ValueType, value: &[u8]) -> Entry {
    Entry::new(key, sequence, (value_type == ValueType::Value).then_some(value))
}

fn options() -> Options {
    let (engine, incarnation) =
        with_world(|world| (world.plan.engine, world.history.borrow().incarnation));
    Options {
        create_if_missing: true,
        write_buffer_size: match incarnation {
            0 => engine.write_buffer_size,
            _ => engine.reopened_write_buffer_size,
        },
        max_file_size: engine.max_file_size,
        level1_size_max: engine.level1_size_max,
        level0_compaction_trigger: engine.level0_compaction_trigger,
        manifest_size_max: engine.manifest_size_max,
        table_append_size: engine.table_append_size,
        compression: if engine.snappy { Compression::Snappy } else { Compression::None },
        filter_policy: engine.filter.then(|| Arc::new(BloomFilter::new(10)) as _),
        observer: Some(Arc::new(Onlooker)),
        ..Options::default()
    }
}

/// Opens the database for reading alone and notes all that it shows. Nothing is noted if a call
/// fails: that is judged by its outcome.
fn preview() {
    with_world(|world| world.is_previewing.set(true));
    let options = Options { observer: None, ..options() };
    let open = || Db::open_read_only(SimEnv::default(), DATABASE, options);
    if let Ok(db) = noted(Call::OpenReadOnly, open)
        && let Ok(mut cursor) = noted(Call::Read, || db.iter())
    {
        let mut shown = outside(Vec::new);
        cursor.seek_to_first();
        while cursor.valid() {
            outside(|| shown.push((cursor.key().into(), ValueDigest::of(cursor.value()))));
            cursor.next();
        }
        if noted(Call::Read, || cursor.status()).is_ok() {
            outside(|| {
                with_world(|world| {
                    world.hit(Probe::Previewed);
                    if world.is_read_only.get() {
                        world.hit(Probe::PreviewedReadOnly);
                    }
                    world.history.borrow_mut().opened.preview = Some(shown);
                });
            });
        }
        drop(cursor);
        // Its outcome is noted.
        noted(Call::CloseReadOnly, || db.close()).ok();
    }
    with_world(|world| world.is_previewing.set(false));
}

/// The main thread of a process.
pub(crate) fn main() {
    let previews = {
        let _outside = Outside::enter();
        with_world(|world| world.previews(DATABASE))
    };
    if previews {
        preview();
    }
    let Ok(db) = noted(Call::Open, || Db::open(SimEnv::default(), DATABASE, options())) else {
        return;
    };
    if !show(&db) {
        return;
    }
    phase(Phase::Run);
    // Borrowed, not counted: a crash would never give the count back.
    let is_custom = with_world(|world| match &world.workload {
        Some(workload) => {
            let incarnation = world.history.borrow().incarnation;
            workload.run(&db, incarnation);
            true
        }
        None => false,
    });
    if !is_custom {
        work_as_planned(&db);
    }
    phase(Phase::Close);
    // Its outcome is noted; there is nothing else to do about an error.
    noted(Call::Close, || db.close()).ok();
}

/// Starts the plan's writers and readers, and waits for them.
fn work_as_planned(db: &Db<SimEnv>) {
    let (writers, readers) =
        with_world(|world| (world.plan.writers.len() as u32, world.plan.readers.len() as u32));
    let mut clients = Vec::new();
    for number in 0..writers {
        let db = db.clone();
        clients.push(
            SimThreads::spawn("writer", move || writer(&db, number)).expect("the kernel has one"),
        );
    }
    for number in 0..readers {
        let db = db.clone();
        clients.push(
            SimThreads::spawn("reader", move || reader(&db, number)).expect("the kernel has one"),
        );
    }
    for client in clients {
        SimThreads::join(client).expect("a client that panics ends the run");
    }
}

/// Lets the harness judge what the open has shown. Ends the process if a promise is broken; false
/// if an entry cannot be read, which is judged when the process has ended.
fn show(db: &Db<SimEnv>) -> bool {
    let (last_sequence, has_dropped) = (db.last_sequence(), db.report().has_dropped());
    let _outside = Outside::enter();
    with_kernel(|kernel| {
        with_world(|world| {
            world.trust_found();
            let mut history = world.history.borrow_mut();
            history.opened.last_sequence = last_sequence;
            history.opened.has_dropped = has_dropped;
            history.opened.point = kernel.client(ClientWord::IsTold);
            if history.opened.unreadable.is_some() {
                return false;
            }
            let mut probes = world.probes.get();
            let mut judge = world.judge.borrow_mut();
            let kept = judge.after_open(&world.plan, &mut history, &mut probes);
            // What is gone is known from here on.
            world.broken.set(Excuse::None);
            if world.is_healed.replace(false) && kept && judge.excuse() == Excuse::None {
                probes.hit(Probe::DamageHealed);
            }
            world.probes.set(probes);
            drop(judge);
            drop(history);
            if !kept {
                kernel.crash();
            }
            true
        })
    })
}
