//! Opening a database for a command.

use std::io::ErrorKind;
use std::path::Path;

use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::{current_file_name, parse_file_name};
use faultline::{Db, Error, Options, RecoveryReport};

use crate::args::{OpenArgs, ReadArgs};
use crate::exit::{Failure, Result, no_database};
use crate::output::{counted, remark};

/// Opens the database that is there.
pub(crate) fn open(args: &OpenArgs) -> Result<Db> {
    expect_database(&args.dir)?;
    open_with(args, Options::default())
}

/// Opens the database that is there for a command that only reads.
pub(crate) fn open_to_read(args: &ReadArgs) -> Result<Db> {
    if !args.read_only {
        return open(&args.open);
    }
    let OpenArgs { dir, recovery } = &args.open;
    expect_database(dir)?;
    let options = Options { recovery_policy: (*recovery).into(), ..Options::default() };
    let db = Db::open_read_only(PosixEnv::new(), dir, options)?;
    tell_dropped(db.report());
    Ok(db)
}

/// Opens the database, or makes one.
pub(crate) fn open_or_create(args: &OpenArgs) -> Result<Db> {
    let above = args.dir.parent().filter(|above| !above.as_os_str().is_empty());
    if !has_current(&args.dir)?
        && let Some(above) = above
        && !PosixEnv::new().exists(above)?
    {
        let words = format!("{}: there is no such directory to make it in", above.display());
        return Err(Failure::usage(words));
    }
    open_with(args, Options { create_if_missing: true, ..Options::default() })
}

/// Checks that `dir` holds a database.
pub(crate) fn expect_database(dir: &Path) -> Result<()> {
    if !PosixEnv::new().exists(dir)? {
        return Err(Failure::usage(format!("{}: there is no such directory", dir.display())));
    }
    if has_current(dir)? || has_files(dir)? { Ok(()) } else { Err(no_database(dir)) }
}

/// Whether there is a file CURRENT in `dir`, which may be missing, but not be something else.
fn has_current(dir: &Path) -> Result<bool> {
    match PosixEnv::new().exists(&current_file_name(dir)) {
        Err(Error::Io { kind: ErrorKind::NotADirectory, .. }) => {
            Err(Failure::usage(format!("{}: is not a directory", dir.display())))
        }
        found => Ok(found?),
    }
}

/// Whether there are files of a database in `dir`: the engine says what is wrong with it then.
fn has_files(dir: &Path) -> Result<bool> {
    let names = PosixEnv::new().list(dir)?;
    let kinds = names.iter().filter_map(|name| parse_file_name(name));
    Ok(kinds.into_iter().any(|kind| kind.number().is_some()))
}

fn open_with(args: &OpenArgs, options: Options) -> Result<Db> {
    let options = Options { recovery_policy: args.recovery.into(), ..options };
    let db = Db::open(PosixEnv::new(), &args.dir, options)?;
    tell_dropped(db.report());
    Ok(db)
}

/// Says what the database no longer holds.
fn tell_dropped(report: &RecoveryReport) {
    for piece in &report.dropped {
        let file = piece.file;
        let size = counted(piece.bytes, "byte");
        let because = piece.defect.as_ref().map(|defect| format!(" ({defect})"));
        let kept = match &piece.kept_in {
            Some(path) => format!("; kept in {}", path.display()),
            None => "; left where it is".to_owned(),
        };
        remark(format!(
            "warning: {file}: dropped {size} at offset {}{}{}",
            piece.offset,
            because.unwrap_or_default(),
            kept,
        ));
    }
}
