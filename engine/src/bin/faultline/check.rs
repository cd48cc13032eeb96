//! `stats` and `verify`: what a database consists of, and what is wrong with it.

use std::sync::Arc;

use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::{FileKind, parse_file_name};
use faultline::key::InternalKeyComparator;
use faultline::verify::{Severity, verify as check};
use faultline::version::edit::LEVEL_COUNT;
use faultline::version::recover;
use faultline::{Error, Options};

use crate::args::{StatsArgs, VerifyArgs};
use crate::exit::{Exit, Result};
use crate::open::expect_database;
use crate::output::{Output, counted};

/// Prints what the database consists of, as its files say.
pub(crate) fn stats(args: &StatsArgs) -> Result {
    expect_database(&args.dir)?;
    let env = PosixEnv::new();
    let recovered = recover(&env, &args.dir, &InternalKeyComparator::bytewise())?;
    let mut output = Output::new();
    output.line("level  tables         bytes")?;
    for level in 0..LEVEL_COUNT {
        let tables = recovered.version.level(level);
        if !tables.is_empty() {
            let size: u64 = tables.iter().map(|table| table.size).sum();
            output.line(format!("{level:>5}  {:>6}  {size:>12}", tables.len()))?;
        }
    }
    let tables = recovered.version.files();
    let (count, size) =
        tables.fold((0_u64, 0), |(count, size), (_, table)| (count + 1, size + table.size));
    output.line(format!("  all  {count:>6}  {size:>12}"))?;
    let (mut logs, mut log_size) = (0, 0);
    for name in env.list(&args.dir)? {
        if let Some(FileKind::Log(number)) = parse_file_name(&name)
            && number >= recovered.log_number
        {
            logs += 1;
            log_size += env.size(&args.dir.join(name))?;
        }
    }
    let logs = counted(logs, "log");
    output.line(format!("{logs} with {} to replay", counted(log_size, "byte")))?;
    output.line(format!("MANIFEST {}", recovered.manifest_number))?;
    output.line(format!("last sequence {}, without the logs", recovered.last_sequence))?;
    output.finish()?;
    Ok(Exit::Done)
}

/// Checks the database.
pub(crate) fn verify(args: &VerifyArgs) -> Result {
    expect_database(&args.dir)?;
    let report = check(&PosixEnv::new(), &args.dir, &Options::default())?;
    let mut output = Output::new();
    for finding in &report.findings {
        let what = match finding.severity {
            Severity::Damage => "DAMAGED",
            Severity::UnfinishedEnd => "UNFINISHED",
        };
        let error = Error::Corruption(Arc::new(finding.corruption.clone()));
        output.line(format!("{what} {error}"))?;
    }
    output.line(format!(
        "{}, {}, {}; {}, {}; last sequence {}",
        counted(report.tables, "table"),
        counted(report.blocks, "block"),
        counted(report.entries, "entry"),
        counted(report.logs, "log"),
        counted(report.batches, "batch"),
        report.last_sequence,
    ))?;
    if !report.leftovers.is_empty() {
        let files = counted(report.leftovers.len() as u64, "file");
        output.line(format!("{files} that the next open removes"))?;
    }
    let (verdict, exit) = match (report.is_sound(), report.findings.is_empty()) {
        (true, true) => ("nothing is wrong", Exit::Done),
        (true, false) => (
            "nothing is damaged; the next open drops what is unfinished and keeps it in `lost`",
            Exit::Done,
        ),
        (false, _) => ("the database is damaged", Exit::Damaged),
    };
    output.line(verdict)?;
    output.finish()?;
    Ok(exit)
}
