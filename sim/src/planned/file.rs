//! The `[plan]` table of a case file.
//!
//! ```toml
//! [plan]
//! streams = 17                # seed of what is drawn during the run
//! profile = "posix-weak"
//! policy = "random"
//! keys = 3
//! writers = [
//!     ["put 2 300, delete 3; sync", "put 2 0; then flush"],
//! ]
//! schedule = ["3 lock 7 2 4"] # in place of the policy
//!
//! [[plan.crash]]
//! kind = "power_loss"
//! phase = "run"
//! trigger = { call = { calls = "log_append", nth = 1, moment = "after" } }
//!
//! [[plan.faults.script]]
//! kind = "sync_error"
//! ```
//!
//! What is drawn during a run is how long calls take, and which of the images that a power loss may
//! leave it leaves.

use serde::{Deserialize, Serialize};

use super::{Planned, batch_from_words, batch_words};
use crate::disk::Profile;
use crate::fault::FaultConfig;
use crate::policy::Deviation;
use crate::scenario::{CrashKind, Damage, Omitted, Without, bounds, check_damages};
use crate::workload::{After, Plan, PlannedCrash, PlannedEngine};

/// A planned run as TOML has it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    streams: u64,
    profile: String,
    policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    swallow_syncs: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leave_out: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    resume: bool,
    #[serde(default, skip_serializing_if = "crate::fault::is_zero")]
    holds: f64,
    #[serde(default, skip_serializing_if = "crate::fault::is_zero")]
    previews: f64,
    #[serde(default, skip_serializing_if = "is_false")]
    scripted: bool,
    keys: u32,
    /// Rounds of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    readers: Vec<u32>,
    /// Batches of each, in words.
    writers: Vec<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Vec<String>>,
    engine: PlannedEngine,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    crash: Vec<PlannedCrash>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    damage: Vec<Damage>,
    #[serde(default, skip_serializing_if = "is_without_faults")]
    faults: FaultConfig,
    #[serde(default, skip_serializing_if = "Without::is_empty")]
    without: Without,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_without_faults(faults: &FaultConfig) -> bool {
    *faults == FaultConfig::default()
}

impl PlanFile {
    /// The file of a run.
    pub fn of(planned: &Planned) -> PlanFile {
        let plan = &planned.plan;
        let words = |batch| batch_words(plan, batch);
        let writers = plan.batches_by_writer();
        let writers = writers.map(|(_, batches)| batches.iter().map(words).collect());
        let schedule = planned.deviations.as_ref();
        PlanFile {
            streams: plan.seed,
            profile: plan.profile.name.to_owned(),
            policy: plan.policy.to_string(),
            capacity: plan.capacity,
            swallow_syncs: plan.swallow_syncs,
            leave_out: plan.leave_out.clone(),
            resume: plan.resume,
            holds: plan.holds,
            previews: plan.previews,
            scripted: plan.is_scripted,
            keys: plan.keys,
            readers: plan.readers.clone(),
            writers: writers.collect(),
            schedule: schedule.map(|all| all.iter().map(ToString::to_string).collect()),
            engine: plan.engine,
            crash: plan.crashes.clone(),
            damage: plan.damages.clone(),
            faults: planned.faults.clone(),
            without: planned.without.clone(),
        }
    }

    /// The run.
    ///
    /// # Errors
    /// In words, with the field that is at fault.
    pub fn planned(&self) -> Result<Planned, String> {
        let field = |name: &'static str| move |words: String| format!("plan.{name}: {words}");
        let mut plan = Plan {
            seed: self.streams,
            omitted: Omitted::default(),
            policy: self.policy.parse().map_err(field("policy"))?,
            profile: Profile::find(&self.profile).map_err(field("profile"))?,
            capacity: self.capacity,
            swallow_syncs: self.swallow_syncs,
            leave_out: self.leave_out.clone(),
            engine: self.engine,
            resume: self.resume,
            batches: Vec::new(),
            ops: Vec::new(),
            writers: Vec::new(),
            readers: self.readers.clone(),
            holds: self.holds,
            previews: self.previews,
            keys: self.keys,
            crashes: self.crash.clone(),
            damages: self.damage.clone(),
            is_scripted: self.scripted,
        };
        for (writer, batches) in (0..).zip(&self.writers) {
            let first = plan.batches.len() as u32;
            for words in batches {
                batch_from_words(&mut plan, writer, words).map_err(field("writers"))?;
            }
            plan.writers.push(first..plan.batches.len() as u32);
        }
        check(&plan).map_err(|words| format!("plan.{words}"))?;
        self.without.check().map_err(field("without"))?;
        let schedule = self.schedule.as_ref().map(|choices| {
            choices.iter().map(|choice| choice.parse()).collect::<Result<Vec<Deviation>, String>>()
        });
        let deviations = schedule.transpose().map_err(field("schedule"))?;
        let (faults, without) = (self.faults.clone(), self.without.clone());
        Ok(Planned { plan, faults, without, deviations })
    }
}

/// Refuses what no scenario could draw and the world is not made for.
fn check(plan: &Plan) -> Result<(), String> {
    let engine = &plan.engine;
    let of_a_batch = plan.batches.iter().map(|batch| batch.ops.len().max(1)).max().unwrap_or(1);
    let of_a_value = plan.ops.iter().filter_map(|op| op.value).max().unwrap_or(0);
    let of_a_reader = plan.readers.iter().copied().max().unwrap_or(0);
    for (what, number, (low, high)) in [
        ("writers: their number", plan.writers.len() as u64, bounds::WRITERS),
        ("writers: the number of operations in a batch", of_a_batch as u64, bounds::OPS),
        ("writers: the size of a value", u64::from(of_a_value), bounds::VALUE),
        ("readers: their number", plan.readers.len() as u64, bounds::READERS),
        ("readers: the number of rounds", u64::from(of_a_reader), bounds::READS),
        ("keys", u64::from(plan.keys), bounds::KEYS),
        ("capacity", plan.capacity.unwrap_or(1), bounds::CAPACITY),
        ("crash: their number", plan.crashes.len() as u64, bounds::CRASHES),
        (
            "engine.write_buffer_size",
            engine.write_buffer_size.min(engine.reopened_write_buffer_size) as u64,
            bounds::WRITE_BUFFER_SIZE,
        ),
        (
            "engine.reopened_write_buffer_size",
            engine.write_buffer_size.max(engine.reopened_write_buffer_size) as u64,
            bounds::WRITE_BUFFER_SIZE,
        ),
        ("engine.max_file_size", engine.max_file_size, bounds::MAX_FILE_SIZE),
        ("engine.level1_size_max", engine.level1_size_max, bounds::LEVEL1_SIZE_MAX),
        (
            "engine.level0_compaction_trigger",
            engine.level0_compaction_trigger as u64,
            bounds::LEVEL0_COMPACTION_TRIGGER,
        ),
        ("engine.manifest_size_max", engine.manifest_size_max, bounds::MANIFEST_SIZE_MAX),
        ("engine.table_append_size", engine.table_append_size as u64, bounds::TABLE_APPEND_SIZE),
    ] {
        if !(u64::from(low)..=u64::from(high)).contains(&number) {
            return Err(format!("{what} is from {low} to {high}, not {number}"));
        }
    }
    if let Some(op) = plan.ops.iter().find(|op| op.key >= plan.keys) {
        return Err(format!("writers: key {} is none of the {} of the plan", op.key, plan.keys));
    }
    let is_backwards = |after: After| matches!(after, After::Compact([from, to]) if from > to);
    if plan.batches.iter().any(|batch| is_backwards(batch.after)) {
        return Err("writers: keys to be compacted stand in order".to_owned());
    }
    for (name, share) in [("holds", plan.holds), ("previews", plan.previews)] {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("{name} is a share from 0 to 1"));
        }
    }
    if plan.crashes.iter().any(|crash| crash.kind == CrashKind::Either) {
        return Err("crash: its kind is kill or power_loss".to_owned());
    }
    check_damages(&plan.damages)
}
