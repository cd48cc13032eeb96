//! Scenarios: one story a file, of workload, faults and crashes.
//!
//! A scenario says what may happen; a seed draws from it what does happen (the *plan*). Unknown
//! fields are refused with line and caret. The text of every scenario of `scenarios/` is part of
//! the binary.

pub(crate) mod bounds;
mod count;
mod embedded;
mod error;
mod script;
mod swarm;
mod without;

pub use count::Count;
pub use embedded::{EMBEDDED, embedded};
pub use error::ScenarioError;
pub(crate) use script::check_damages;
pub use script::{Damage, Harm, Script, Step, Then};
pub use swarm::Omitted;
pub use without::Without;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::disk::Profile;
use crate::fault::{FaultConfig, FaultKind};
use crate::policy::PolicyName;
use crate::probe::Probe;

/// A scenario as its file gives it, with its name and digest.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file's name without `.toml`.
    pub name: String,
    /// Eight hex digits over the text: two scenarios with one digest are the same.
    pub digest: String,
    /// What the file says.
    pub spec: Spec,
}

/// The contents of a scenario file.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// One sentence: what this scenario is for.
    pub about: String,
    /// What LevelDB 1.23 does instead, if the scenario is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leveldb: Option<String>,
    /// What clients do.
    #[serde(default)]
    pub workload: Workload,
    /// Options of the engine.
    #[serde(default)]
    pub engine: Engine,
    /// The disk under it.
    #[serde(default)]
    pub disk: DiskSpec,
    /// Crashes.
    #[serde(default)]
    pub crash: Crash,
    /// Faults; see [`FaultConfig`].
    #[serde(default)]
    pub faults: FaultConfig,
    /// Writers that do what is written here, in place of those that the workload draws.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<Script>,
    /// What happens to files between two processes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
    /// The scheduling policy; `portfolio` unless given.
    #[serde(default)]
    pub policy: Option<String>,
    /// Share of features and of kinds of faults that each seed omits; see [`Omitted`].
    #[serde(default, skip_serializing_if = "crate::fault::is_zero")]
    pub swarm: f64,
    /// What a sweep must have seen for its result to count.
    #[serde(default)]
    pub expect: Expect,
    /// What is switched off.
    #[serde(default, skip_serializing_if = "Without::is_empty")]
    pub without: Without,
}

/// What clients do.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Concurrent writers, 1 to 64.
    pub writers: Count,
    /// Batches that each writer writes over the whole run.
    pub batches: Count,
    /// Operations of a batch, 1 to 1,000.
    pub ops: Count,
    /// Share of batches written with `sync`.
    pub sync: f64,
    /// Share of batches written with `no_wait`.
    pub no_wait: f64,
    /// Share of operations that delete.
    pub deletes: f64,
    /// Share of batches with no operation.
    pub empty: f64,
    /// Bytes of an ordinary value.
    pub value: Count,
    /// Share of values that are large: sizes that hit block edges, or up to 300 KiB.
    pub large: f64,
    /// Different keys.
    pub keys: Count,
    /// Share of operations that go to one of four hot keys.
    pub hot: f64,
    /// Share of batches after which the writer asks for a memtable switch.
    pub flushes: f64,
    /// Share of batches after which the writer compacts a range of keys, unless it flushed.
    pub compactions: f64,
    /// Share of batches after which the writer syncs all that was acknowledged.
    pub syncs: f64,
    /// Concurrent readers.
    pub readers: Count,
    /// Rounds of each reader: a snapshot, a few gets, sometimes a scan.
    pub reads: Count,
    /// Share of rounds that sleep between two steps, with a snapshot or a cursor in hand.
    pub holds: f64,
    /// Share of opens before which the process opens the database for reading alone.
    pub previews: f64,
    /// Share of runs whose writers call `resume` after a background error.
    pub resume: f64,
}

impl Default for Workload {
    fn default() -> Self {
        Workload {
            writers: Count::Exactly(8),
            batches: Count::Between([20, 30]),
            ops: Count::Between([1, 3]),
            sync: 0.3,
            no_wait: 0.0,
            deletes: 0.15,
            empty: 0.01,
            value: Count::Between([0, 100]),
            large: 0.0,
            keys: Count::Between([8, 200]),
            hot: 0.3,
            flushes: 0.0,
            compactions: 0.0,
            syncs: 0.0,
            readers: Count::Exactly(0),
            reads: Count::Exactly(0),
            holds: 0.0,
            previews: 0.0,
            resume: 0.0,
        }
    }
}

/// Options of the engine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Engine {
    /// Bytes of a memtable before it is switched.
    pub write_buffer_size: Count,
    /// The same for every process but the first, if it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reopened_write_buffer_size: Option<Count>,
    /// Share of runs whose tables are compressed with Snappy.
    pub snappy: f64,
    /// Share of runs whose tables have bloom filters.
    pub filter: f64,
    /// Bytes at which a table that a compaction writes is ended.
    pub max_file_size: Count,
    /// Bytes at level 1 beyond which it is compacted.
    pub level1_size_max: Count,
    /// Number of tables at level 0 at which they are compacted.
    pub level0_compaction_trigger: Count,
    /// Bytes after which a MANIFEST may be replaced.
    pub manifest_size_max: Count,
    /// Bytes of a new table that are gathered before they are appended to its file.
    pub table_append_size: Count,
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            write_buffer_size: Count::Exactly(4 << 20),
            reopened_write_buffer_size: None,
            snappy: 0.5,
            filter: 0.5,
            max_file_size: Count::Exactly(2 << 20),
            level1_size_max: Count::Exactly(10 << 20),
            level0_compaction_trigger: Count::Exactly(4),
            manifest_size_max: Count::Exactly(64 << 20),
            // A call for each block: more places to crash and to fail at.
            table_append_size: Count::Exactly(1),
        }
    }
}

/// The disk under the engine.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSpec {
    /// Names of profiles, of which each seed draws one.
    pub profiles: Vec<String>,
    /// Byte budget of the disk, if it has one.
    pub capacity: Option<Count>,
    /// A disk that lies: syncs return Ok and do nothing. No engine survives it; it shows what a
    /// failure looks like, and that one is found.
    pub swallow_syncs: bool,
    /// The label of a sync of the engine that returns Ok and does nothing: see [`crate::syncs`].
    pub leave_out: Option<String>,
}

impl Default for DiskSpec {
    fn default() -> Self {
        DiskSpec {
            profiles: vec!["posix-weak".into(), "ext4-ordered".into()],
            capacity: None,
            swallow_syncs: false,
            leave_out: None,
        }
    }
}

/// Crashes of a run.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Crash {
    /// How many; the run ends with a clean close after the last.
    pub count: Count,
    /// Which kind.
    pub kind: CrashKind,
    /// Where.
    pub at: CrashSite,
    /// Share of crashes that strike during the recovery from the one before.
    pub in_recovery: f64,
    /// Share of crashes that strike while the database is being closed.
    pub in_close: f64,
}

impl Default for Crash {
    fn default() -> Self {
        Crash {
            count: Count::Exactly(0),
            kind: CrashKind::PowerLoss,
            at: CrashSite::Point,
            in_recovery: 0.0,
            in_close: 0.0,
        }
    }
}

/// What dies.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CrashKind {
    /// The process: every completed call survives.
    Kill,
    /// The machine: the disk's profile says what survives.
    PowerLoss,
    /// One of the two, drawn for each crash.
    Either,
}

impl CrashKind {
    /// In reports.
    pub(crate) fn words(self) -> &'static str {
        if self == CrashKind::PowerLoss { "power loss" } else { "process death" }
    }
}

/// Where a crash strikes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum CrashSite {
    /// At any scheduling point.
    Point,
    /// Inside an append to a log: in the middle of `AddRecord`.
    LogAppend,
    /// Before, inside or after a sync of a log.
    LogSync,
    /// Near the creation of a log and the calls around it: the memtable switch.
    LogSwitch,
    /// Before, inside or after one of the first renames, during an open too.
    Rename,
    /// Before, inside or after any call that changes the disk.
    AnyCall,
}

/// What a sweep must have seen.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Kinds of faults that must have been delivered at least once, or the sweep is incomplete.
    pub faults: Vec<String>,
    /// Probes that must have been hit at least once, or the sweep is incomplete.
    pub probes: Vec<String>,
}

impl Scenario {
    /// Reads a scenario from its text.
    ///
    /// # Errors
    /// If the text is not TOML, has an unknown field or asks for what cannot be.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Scenario, ScenarioError> {
        let error = |words: String| ScenarioError { file: file.to_owned(), words };
        let spec: Spec = toml::from_str(text).map_err(|e| error(e.to_string()))?;
        spec.check().map_err(error)?;
        let digest = format!("{:08x}", xxh3_64(text.as_bytes()) >> 32);
        Ok(Scenario { name: name.to_owned(), digest, spec })
    }

    /// A scenario that says nothing: the name of a run that has its plan already.
    ///
    /// # Panics
    /// Never.
    pub fn bare(name: &str, digest: &str) -> Scenario {
        let scenario = Scenario::parse(name, name, "about = \"\"");
        Scenario { digest: digest.to_owned(), ..scenario.expect("a text without a mistake") }
    }

    /// The same scenario with other fields: those of `table`, which is a whole scenario. The
    /// digest stays, for the changes are part of a run's flags.
    ///
    /// # Errors
    /// In words, without a place in any text, if that is no scenario.
    pub fn with_fields(&self, table: toml::Table) -> Result<Scenario, String> {
        let spec: Spec = table.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        spec.check()?;
        Ok(Scenario { spec, ..self.clone() })
    }

    /// The scenario as TOML with every field that has a value, those left out in its file among
    /// them.
    ///
    /// # Panics
    /// Never.
    pub fn to_toml(&self) -> String {
        let mut spec = self.spec.clone();
        spec.policy = Some(self.spec.policy().to_string());
        toml::to_string(&spec).expect("a scenario is TOML")
    }

    /// The name by which runs are called: `NAME@DIGEST`.
    pub fn token(&self) -> String {
        format!("{}@{}", self.name, self.digest)
    }
}

impl Spec {
    /// The scheduling policy.
    ///
    /// # Panics
    /// Never after a successful [`Scenario::parse`].
    pub fn policy(&self) -> PolicyName {
        match &self.policy {
            None => PolicyName::Portfolio,
            Some(name) => name.parse().expect("checked when the scenario was read"),
        }
    }

    fn check(&self) -> Result<(), String> {
        let (w, engine) = (&self.workload, &self.engine);
        let reopened = engine.reopened_write_buffer_size.unwrap_or(engine.write_buffer_size);
        for (field, count, (low, high)) in [
            ("workload.writers", w.writers, bounds::WRITERS),
            ("workload.batches", w.batches, bounds::BATCHES),
            ("workload.ops", w.ops, bounds::OPS),
            ("workload.value", w.value, bounds::VALUE),
            ("workload.keys", w.keys, bounds::KEYS),
            ("workload.readers", w.readers, bounds::READERS),
            ("workload.reads", w.reads, bounds::READS),
            ("engine.write_buffer_size", engine.write_buffer_size, bounds::WRITE_BUFFER_SIZE),
            ("engine.reopened_write_buffer_size", reopened, bounds::WRITE_BUFFER_SIZE),
            ("engine.max_file_size", engine.max_file_size, bounds::MAX_FILE_SIZE),
            ("engine.level1_size_max", engine.level1_size_max, bounds::LEVEL1_SIZE_MAX),
            (
                "engine.level0_compaction_trigger",
                engine.level0_compaction_trigger,
                bounds::LEVEL0_COMPACTION_TRIGGER,
            ),
            ("engine.manifest_size_max", engine.manifest_size_max, bounds::MANIFEST_SIZE_MAX),
            ("engine.table_append_size", engine.table_append_size, bounds::TABLE_APPEND_SIZE),
            ("crash.count", self.crash.count, bounds::CRASHES),
            ("disk.capacity", self.disk.capacity.unwrap_or(Count::Exactly(1)), bounds::CAPACITY),
        ] {
            let (first, last) = match count {
                Count::Exactly(n) => (n, n),
                Count::Between([first, last]) => (first, last),
            };
            if !count.is_ordered() || first < low || last > high {
                return Err(format!(
                    "{field} is a number or a range [low, high] within {low} to {high}"
                ));
            }
        }
        for (field, share) in [
            ("swarm", self.swarm),
            ("workload.sync", w.sync),
            ("workload.no_wait", w.no_wait),
            ("workload.deletes", w.deletes),
            ("workload.empty", w.empty),
            ("workload.large", w.large),
            ("workload.hot", w.hot),
            ("workload.flushes", w.flushes),
            ("workload.compactions", w.compactions),
            ("workload.syncs", w.syncs),
            ("workload.holds", w.holds),
            ("workload.previews", w.previews),
            ("workload.resume", w.resume),
            ("engine.snappy", self.engine.snappy),
            ("engine.filter", self.engine.filter),
            ("crash.in_recovery", self.crash.in_recovery),
            ("crash.in_close", self.crash.in_close),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{field} is a share from 0 to 1"));
            }
        }
        if self.disk.profiles.is_empty() {
            return Err("disk.profiles names no profile".into());
        }
        for name in &self.disk.profiles {
            Profile::find(name).map_err(|words| format!("disk.profiles: {words}"))?;
        }
        let known = |name: &&String| Probe::ALL.iter().any(|probe| probe.name() == **name);
        if let Some(name) = self.expect.probes.iter().find(|name| !known(name)) {
            return Err(format!("expect.probes: there is no probe `{name}`"));
        }
        let known = |name: &&String| FaultKind::ALL.iter().any(|kind| kind.name() == **name);
        if let Some(name) = self.expect.faults.iter().find(|name| !known(name)) {
            return Err(format!("expect.faults: there is no fault `{name}`"));
        }
        self.without.check()?;
        script::check(&self.script)?;
        check_damages(&self.damage)?;
        if let Some(policy) = &self.policy {
            policy.parse::<PolicyName>().map_err(|e| format!("policy: {e}"))?;
        }
        Ok(())
    }
}
