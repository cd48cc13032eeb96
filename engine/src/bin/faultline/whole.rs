//! `compact` and `destroy`: the database as a whole.

use std::path::Path;

use faultline::Metrics;
use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::parse_file_name;

use crate::args::{CompactArgs, DestroyArgs};
use crate::exit::{Exit, Failure, Result};
use crate::open::{expect_database, open};
use crate::output::{counted, remark};

/// Compacts a range of keys, and says what became of the tables.
pub(crate) fn compact(args: &CompactArgs) -> Result {
    let from = args.bytes.optional("--from", args.from.as_ref())?;
    let to = args.bytes.optional("--to", args.to.as_ref())?;
    let db = open(&args.open)?;
    let before = tables(&db.metrics()?);
    let compacted = db.compact_range(from.as_deref(), to.as_deref());
    let after = db.metrics().map(|metrics| tables(&metrics));
    db.close()?;
    compacted?;
    remark(format!("before: {before}; after: {}", after?));
    Ok(Exit::Done)
}

fn tables(metrics: &Metrics) -> String {
    let count: usize = metrics.levels.iter().map(|level| level.files).sum();
    let size = metrics.levels.iter().map(|level| level.size).sum();
    format!("{} with {}", counted(count as u64, "table"), counted(size, "byte"))
}

/// Removes a database for good.
pub(crate) fn destroy(args: &DestroyArgs) -> Result {
    let dir = args.dir.display();
    expect_database(&args.dir)?;
    let files = files(&args.dir)?;
    if !args.yes {
        let words = format!("{dir}: a database of {files}; with --yes they are removed for good");
        return Err(Failure::usage(words));
    }
    let env = PosixEnv::new();
    faultline::destroy(&env, &args.dir)?;
    remark(format!("removed {files}"));
    if env.exists(&args.dir)? {
        remark(format!("{dir} stays, for what else is in it"));
    }
    Ok(Exit::Done)
}

/// How many files the database has, and of how many bytes.
fn files(dir: &Path) -> Result<String> {
    let env = PosixEnv::new();
    let (mut count, mut size) = (0, 0);
    for name in env.list(dir)? {
        if parse_file_name(&name).is_some() {
            count += 1;
            size += env.size(&dir.join(name))?;
        }
    }
    Ok(format!("{} with {}", counted(count, "file"), counted(size, "byte")))
}
