//! From a scenario and a seed to a plan.

use super::{
    After, Calls, Moment, Plan, PlannedBatch, PlannedCrash, PlannedEngine, PlannedOp, Trigger,
};
use crate::disk::Profile;
use crate::fault::Phase;
use crate::rng::{Purpose, Stream};
use crate::scenario::{CrashKind, CrashSite, Engine, Scenario, Script, Spec, Then, Workload};

/// Bytes of a batch at most.
const BATCH_BYTES_MAX: u32 = 8 << 20;
/// A block of the log, and what a record of one put spends besides key and value.
const BLOCK_BYTES: u32 = 32 << 10;
const RECORD_OVERHEAD: u32 = 7 + 12 + 1 + 1 + 6 + 3;

impl Plan {
    /// Draws the plan of `seed`.
    ///
    /// # Panics
    /// Never for a scenario that [`Scenario::parse`] returned.
    pub fn draw(scenario: &Scenario, seed: u64) -> Plan {
        let (spec, omitted) = scenario.spec.of_seed(seed);
        let spec = &*spec;
        let mut stream = Stream::new(seed, Purpose::Plan);
        let profile = &spec.disk.profiles[stream.below(spec.disk.profiles.len() as u32) as usize];
        let mut plan = Plan {
            seed,
            omitted,
            policy: spec.policy().resolve(&mut stream),
            profile: Profile::named(profile).expect("checked when the scenario was read"),
            capacity: spec.disk.capacity.map(|bytes| u64::from(bytes.draw(&mut stream))),
            swallow_syncs: spec.disk.swallow_syncs,
            leave_out: spec.disk.leave_out.clone(),
            engine: draw_engine(&spec.engine, &mut stream),
            resume: stream.chance(spec.workload.resume),
            batches: Vec::new(),
            ops: Vec::new(),
            writers: Vec::new(),
            readers: Vec::new(),
            holds: spec.workload.holds,
            previews: spec.workload.previews,
            keys: spec.workload.keys.draw(&mut stream),
            crashes: Vec::new(),
            damages: spec.damage.clone(),
            is_scripted: !spec.script.is_empty(),
        };
        plan.draw_crashes(spec, &mut stream);
        plan.engine.snappy = stream.chance(spec.engine.snappy);
        plan.engine.filter = stream.chance(spec.engine.filter);
        plan.draw_clients(spec, seed);
        plan
    }

    fn draw_clients(&mut self, spec: &Spec, seed: u64) {
        let workload = &spec.workload;
        let mut stream = Stream::new(seed, Purpose::Workload);
        if self.is_scripted {
            self.follow(&spec.script, &mut stream);
        } else {
            for writer in 0..workload.writers.draw(&mut stream) {
                let first = self.batches.len() as u32;
                for _ in 0..workload.batches.draw(&mut stream) {
                    self.draw_batch(workload, writer, &mut stream);
                }
                self.writers.push(first..self.batches.len() as u32);
            }
        }
        for _ in 0..workload.readers.draw(&mut stream) {
            self.readers.push(workload.reads.draw(&mut stream));
        }
    }

    /// Takes all deaths out of it: the drawn ones and those of scripts.
    pub fn leave_out_crashes(&mut self) {
        self.crashes.clear();
        for batch in &mut self.batches {
            if matches!(batch.after, After::Crash(_)) {
                batch.after = After::Nothing;
            }
        }
    }

    /// Takes the writers from scripts; only sizes are drawn.
    fn follow(&mut self, scripts: &[Script], stream: &mut Stream) {
        let keys = scripts.iter().flat_map(|script| &script.steps).map(|step| step.key + 1);
        self.keys = keys.max().unwrap_or(1);
        for (writer, script) in (0..).zip(scripts) {
            let first = self.batches.len() as u32;
            for step in &script.steps {
                let op = self.ops.len() as u32;
                let value = step.value.map(|bytes| bytes.draw(stream));
                self.ops.push(PlannedOp { key: step.key, value });
                let after = match step.then {
                    Then::Continue => After::Nothing,
                    Then::Flush => After::Flush,
                    Then::Sync => After::Sync,
                    Then::Compact => After::Compact([0, self.keys - 1]),
                    Then::Close => After::Close,
                    Then::Kill => After::Crash(CrashKind::Kill),
                    Then::PowerLoss => After::Crash(CrashKind::PowerLoss),
                };
                let (sync, no_wait) = (step.sync, false);
                self.batches.push(PlannedBatch { writer, ops: op..op + 1, sync, no_wait, after });
            }
            self.writers.push(first..self.batches.len() as u32);
        }
    }

    fn draw_batch(&mut self, workload: &Workload, writer: u32, stream: &mut Stream) {
        let first = self.ops.len() as u32;
        let count = if stream.chance(workload.empty) { 0 } else { workload.ops.draw(stream) };
        let mut bytes = 0;
        for _ in 0..count {
            let key = if stream.chance(workload.hot) {
                stream.below(self.keys.min(4))
            } else {
                stream.below(self.keys)
            };
            let value = (!stream.chance(workload.deletes)).then(|| draw_value(workload, stream));
            bytes += value.unwrap_or(0) + 256;
            if bytes > BATCH_BYTES_MAX {
                break;
            }
            self.ops.push(PlannedOp { key, value });
        }
        let after = if stream.chance(workload.flushes) {
            After::Flush
        } else if workload.compactions > 0.0 && stream.chance(workload.compactions) {
            let (a, b) = (stream.below(self.keys), stream.below(self.keys));
            After::Compact([a.min(b), a.max(b)])
        } else if stream.chance(workload.syncs) {
            After::Sync
        } else {
            After::Nothing
        };
        let sync = stream.chance(workload.sync);
        let no_wait = workload.no_wait > 0.0 && stream.chance(workload.no_wait);
        let ops = first..self.ops.len() as u32;
        self.batches.push(PlannedBatch { writer, ops, sync, no_wait, after });
    }

    fn draw_crashes(&mut self, spec: &Spec, stream: &mut Stream) {
        for _ in 0..spec.crash.count.draw(stream) {
            let kind = match spec.crash.kind {
                CrashKind::Either if stream.below(2) == 0 => CrashKind::Kill,
                CrashKind::Either => CrashKind::PowerLoss,
                given => given,
            };
            let (phase, trigger) = if stream.chance(spec.crash.in_recovery) {
                let trigger = match spec.crash.at {
                    CrashSite::Rename => draw_trigger(CrashSite::Rename, stream),
                    _ => any_call(stream, 24),
                };
                (Phase::Recovery, trigger)
            } else if stream.chance(spec.crash.in_close) {
                (Phase::Close, any_call(stream, 4))
            } else {
                (Phase::Run, draw_trigger(spec.crash.at, stream))
            };
            self.crashes.push(PlannedCrash { kind, trigger, phase });
        }
    }
}

fn draw_engine(engine: &Engine, stream: &mut Stream) -> PlannedEngine {
    let write_buffer_size = engine.write_buffer_size.draw(stream) as usize;
    let reopened = engine.reopened_write_buffer_size;
    PlannedEngine {
        write_buffer_size,
        reopened_write_buffer_size: reopened
            .map_or(write_buffer_size, |size| size.draw(stream) as usize),
        max_file_size: u64::from(engine.max_file_size.draw(stream)),
        level1_size_max: u64::from(engine.level1_size_max.draw(stream)),
        level0_compaction_trigger: engine.level0_compaction_trigger.draw(stream) as usize,
        manifest_size_max: u64::from(engine.manifest_size_max.draw(stream)),
        table_append_size: engine.table_append_size.draw(stream) as usize,
        snappy: false,
        filter: false,
    }
}

fn draw_value(workload: &Workload, stream: &mut Stream) -> u32 {
    if !stream.chance(workload.large) {
        return workload.value.draw(stream);
    }
    match stream.below(4) {
        // Leaves about 0 to 8 bytes of a block, if the record starts one.
        0..2 => BLOCK_BYTES - RECORD_OVERHEAD - stream.below(16),
        // Crosses pages.
        2 => stream.between(4000, 9000),
        _ => stream.between(BLOCK_BYTES, 300 << 10),
    }
}

/// Small numbers often, large ones now and then: most runs are short.
fn skewed(stream: &mut Stream, below: u32) -> u32 {
    let bound = stream.between(1, below);
    stream.below(bound)
}

fn draw_trigger(site: CrashSite, stream: &mut Stream) -> Trigger {
    let call =
        |calls, nth, stream: &mut Stream| Trigger::Call { calls, nth, moment: draw_moment(stream) };
    match site {
        CrashSite::Point => Trigger::Point(u64::from(skewed(stream, 6000))),
        CrashSite::LogAppend => {
            let moment = Moment::Inside(stream.below(8));
            Trigger::Call { calls: Calls::LogAppend, nth: stream.below(100), moment }
        }
        CrashSite::LogSync => call(Calls::LogSync, skewed(stream, 40), stream),
        CrashSite::LogSwitch => match stream.below(3) {
            // The calls around the n-th switch: all that changes the disk is near one.
            0 => any_call(stream, 100),
            _ => call(Calls::LogCreate, stream.below(6), stream),
        },
        CrashSite::Rename => call(Calls::Rename, stream.below(2), stream),
        CrashSite::AnyCall => any_call(stream, 150),
    }
}

fn any_call(stream: &mut Stream, below: u32) -> Trigger {
    Trigger::Call {
        calls: Calls::Mutating,
        nth: skewed(stream, below),
        moment: draw_moment(stream),
    }
}

fn draw_moment(stream: &mut Stream) -> Moment {
    match stream.below(4) {
        0 => Moment::Before,
        1 => Moment::After,
        _ => Moment::Inside(stream.below(12)),
    }
}
