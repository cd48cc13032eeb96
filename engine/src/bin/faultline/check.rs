//! `verify`: what is wrong with a database.

use std::sync::Arc;

use faultline::env::posix::PosixEnv;
use faultline::verify::{Severity, verify as check};
use faultline::{Error, Options};

use crate::args::VerifyArgs;
use crate::exit::{Exit, Result};
use crate::open::expect_database;
use crate::output::{Output, counted};

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
