//! `stats`: what a database consists of, as its files say. Logs are read, tables are not.

use std::path::Path;

use faultline::Result as EngineResult;
use faultline::batch::BatchView;
use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::{FileKind, FileNumber, manifest_file_name, parse_file_name};
use faultline::key::InternalKeyComparator;
use faultline::record::{Item, Reader};
use faultline::version::edit::LEVEL_COUNT;
use faultline::version::{Recovered, Version, recover};

use crate::args::StatsArgs;
use crate::exit::{Exit, Result};
use crate::open::expect_database;
use crate::output::{Output, counted};

/// Prints what the database consists of.
pub(crate) fn stats(args: &StatsArgs) -> Result {
    expect_database(&args.dir)?;
    let env = PosixEnv::new();
    let recovered = recover(&env, &args.dir, &InternalKeyComparator::bytewise())?;
    let mut output = Output::new();
    levels(&recovered.version, &mut output)?;
    let mut logs = Logs::default();
    let mut all = Files::default();
    let mut others = Files::default();
    for name in env.list(&args.dir)? {
        let Some(kind) = parse_file_name(&name) else { continue };
        let path = args.dir.join(&name);
        let size = env.size(&path)?;
        all.add(size);
        match kind {
            FileKind::Log(number) if is_live(&recovered, number) => {
                logs.files.add(size);
                logs.read(&env, &path)?;
            }
            kind if is_left_over(&recovered, kind) => others.add(size),
            _ => {}
        }
    }
    let Logs { files, batches, operations, damaged, last_sequence } = logs;
    output.line(format!(
        "{} with {} to replay: {}, {}, {damaged} damaged",
        counted(files.count, "log"),
        counted(files.size, "byte"),
        counted(batches, "batch"),
        counted(operations, "operation"),
    ))?;
    output.line(format!("last sequence {}", recovered.last_sequence.max(last_sequence)))?;
    let manifest = recovered.manifest_number;
    let manifest_size = env.size(&manifest_file_name(&args.dir, manifest))?;
    output.line(format!("MANIFEST {manifest} with {}", counted(manifest_size, "byte")))?;
    let leftovers = match others.count {
        0 => String::new(),
        _ => format!("; left over: {}", others.shown()),
    };
    output.line(format!("{} in all{leftovers}", all.shown()))?;
    let lost = args.dir.join("lost");
    if env.exists(&lost)? {
        let mut kept = Files::default();
        for name in env.list(&lost)? {
            kept.add(env.size(&lost.join(name))?);
        }
        output.line(format!("{} in lost: what recovery dropped", kept.shown()))?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

fn levels(version: &Version, output: &mut Output) -> Result<()> {
    output.line("level  tables         bytes")?;
    let mut all = Files::default();
    for level in 0..LEVEL_COUNT {
        let mut here = Files::default();
        version.level(level).iter().for_each(|table| here.add(table.size));
        if here.count > 0 {
            output.line(format!("{level:>5}  {:>6}  {:>12}", here.count, here.size))?;
        }
        all.count += here.count;
        all.size += here.size;
    }
    output.line(format!("  all  {:>6}  {:>12}", all.count, all.size))
}

/// Whether an open replays log `number`.
fn is_live(recovered: &Recovered, number: FileNumber) -> bool {
    let previous = recovered.prev_log_number;
    number >= recovered.log_number || (number == previous && previous != 0)
}

/// Whether a file that is no live log is of no use to the database.
fn is_left_over(recovered: &Recovered, kind: FileKind) -> bool {
    match kind {
        FileKind::Log(_) | FileKind::Temp(_) => true,
        FileKind::Manifest(number) => number != recovered.manifest_number,
        FileKind::Table(number) | FileKind::LegacyTable(number) => {
            recovered.version.files().all(|(_, table)| table.number != number)
        }
        FileKind::Current | FileKind::Lock | FileKind::InfoLog | FileKind::OldInfoLog => false,
    }
}

/// Some files.
#[derive(Default)]
struct Files {
    count: u64,
    size: u64,
}

impl Files {
    fn add(&mut self, size: u64) {
        self.count += 1;
        self.size += size;
    }

    fn shown(&self) -> String {
        format!("{} with {}", counted(self.count, "file"), counted(self.size, "byte"))
    }
}

/// What is in the logs that an open would replay.
#[derive(Default)]
struct Logs {
    files: Files,
    batches: u64,
    operations: u64,
    damaged: u64,
    last_sequence: u64,
}

impl Logs {
    fn read(&mut self, env: &PosixEnv, path: &Path) -> EngineResult<()> {
        let mut reader = Reader::new(env.open_sequential(path)?, path);
        while let Some(item) = reader.read_record()? {
            let batch = match item {
                Item::Record { payload, .. } => BatchView::parse(payload).ok(),
                Item::Dropped(_) => None,
            };
            let Some(batch) = batch else {
                self.damaged += 1;
                continue;
            };
            self.batches += 1;
            self.operations += u64::from(batch.count());
            self.last_sequence = self.last_sequence.max(batch.last_sequence().unwrap_or_default());
        }
        self.damaged += u64::from(reader.tail().is_some());
        Ok(())
    }
}
