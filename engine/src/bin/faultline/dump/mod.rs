//! `dump`: what one file holds, in the order of the file. Damage is shown and passed over.

mod log;
mod manifest;
mod table;

use std::path::Path;

use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::filename::{FileKind, parse_file_name};
use faultline::key::{ParsedInternalKey, ValueType};
use faultline::record::{Item, Reader};

use crate::args::{BytesArgs, DumpArgs, Kind};
use crate::exit::{Exit, Failure, Result};
use crate::output::{Output, counted};

/// Prints a file.
pub(crate) fn dump(args: &DumpArgs) -> Result {
    let path = &args.file;
    let env = PosixEnv::new();
    if !env.exists(path)? {
        return Err(Failure::usage(format!("{}: there is no such file", path.display())));
    }
    let kind = args.kind.map_or_else(|| kind_by_name(path), Ok)?;
    let size = env.size(path)?;
    let mut output = Output::new();
    match kind {
        Kind::Log => {
            output.line(format!("log, {}", counted(size, "byte")))?;
            log::dump(args.bytes, path, &mut output)?;
        }
        Kind::Manifest => {
            output.line(format!("MANIFEST, {}", counted(size, "byte")))?;
            manifest::dump(args.bytes, path, &mut output)?;
        }
        Kind::Table => {
            output.line(format!("table, {}", counted(size, "byte")))?;
            table::dump(args.bytes, path, size, &mut output)?;
        }
    }
    output.finish()?;
    Ok(Exit::Done)
}

fn kind_by_name(path: &Path) -> Result<Kind> {
    let path_shown = path.display();
    match path.file_name().and_then(parse_file_name) {
        Some(FileKind::Log(_)) => Ok(Kind::Log),
        Some(FileKind::Manifest(_)) => Ok(Kind::Manifest),
        Some(FileKind::Table(_) | FileKind::LegacyTable(_)) => Ok(Kind::Table),
        Some(FileKind::Current) => {
            Err(Failure::usage(format!("{path_shown}: holds the name of the MANIFEST; dump that")))
        }
        _ => Err(Failure::usage(format!(
            "{path_shown}: the name does not tell what it is; say so with --as"
        ))),
    }
}

/// What was met in a file of records, for the last line.
#[derive(Default)]
struct Met {
    records: u64,
    damaged: u64,
}

/// Prints the records of a log or MANIFEST: `record` those that are whole, each with its offset.
fn dump_records(
    path: &Path,
    output: &mut Output,
    mut record: impl FnMut(&mut Output, u64, &[u8]) -> Result<()>,
) -> Result<Met> {
    let mut reader = Reader::new(PosixEnv::new().open_sequential(path)?, path);
    let mut met = Met::default();
    while let Some(item) = reader.read_record()? {
        match item {
            Item::Record { offset, payload } => {
                met.records += 1;
                record(output, offset, payload)?;
            }
            Item::Dropped(dropped) => {
                met.damaged += 1;
                let size = counted(dropped.bytes, "byte");
                output.line(place(
                    dropped.offset,
                    &format!("DAMAGED: {} ({size})", dropped.defect),
                ))?;
            }
        }
    }
    if let Some(tail) = reader.tail() {
        met.damaged += 1;
        let size = counted(tail.bytes, "byte");
        output.line(place(tail.offset, &format!("UNFINISHED: {} ({size})", tail.defect)))?;
    }
    Ok(met)
}

/// A line about what is at an offset.
fn place(offset: u64, words: &str) -> String {
    format!("{offset:>10}  {words}")
}

/// A line about a part of it.
fn part(words: &str) -> String {
    format!("{:>10}    {words}", "")
}

/// Bytes as they are shown among words.
fn shown(form: BytesArgs, bytes: &[u8]) -> String {
    let quote = if form.hex { "" } else { "'" };
    let mut out = quote.to_owned();
    form.show(&mut out, bytes);
    out + quote
}

/// An internal key as it is shown: user key, sequence number, type.
fn shown_internal_key(form: BytesArgs, key: &[u8]) -> String {
    match ParsedInternalKey::parse(key) {
        Some(parsed) => {
            let kind = match parsed.value_type {
                ValueType::Value => "put",
                ValueType::Deletion => "delete",
            };
            format!("{} @ {} {kind}", shown(form, parsed.user_key), parsed.sequence)
        }
        None => format!("{} (no internal key)", shown(form, key)),
    }
}
