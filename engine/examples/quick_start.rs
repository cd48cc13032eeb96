//! The database from its creation to its second opening.
//!
//! `cargo run -p faultline-engine --example quick_start [DIRECTORY]`
//!
//! Without a directory it makes a fresh one in the system's folder for temporary files, and leaves
//! it there to be looked at.

#![expect(clippy::print_stdout, reason = "an example that shows what it reads")]
#![expect(clippy::disallowed_methods, reason = "a program for people: it takes an argument")]

use std::path::PathBuf;

use faultline::env::posix::PosixEnv;
use faultline::{Db, DbIterator, Options, ReadOptions, Result, Value, WriteBatch, WriteOptions};

fn main() -> Result<()> {
    let directory = directory();
    println!("database  {}", directory.display());
    first_run(&directory)?;
    second_run(&directory)
}

/// Creates the database, writes, reads, closes it.
fn first_run(directory: &PathBuf) -> Result<()> {
    let options = Options { create_if_missing: true, error_if_exists: true, ..Options::default() };
    let db: Db = Db::open(PosixEnv::new(), directory, options)?;

    // Handed to the operating system: survives a killed process, not a loss of power.
    let sequence = db.put(b"apple", b"red")?;
    println!("put       apple, sequence {sequence}");

    // All of a batch is there or nothing is. With `sync` it, and every write before it, is on disk
    // when the call returns.
    let mut batch = WriteBatch::new();
    batch.put(b"banana", b"green")?;
    batch.put(b"cherry", b"dark red")?;
    batch.delete(b"durian")?;
    let sequence = db.write(&batch, &WriteOptions { sync: true, ..WriteOptions::default() })?;
    println!("batch     {} operations from sequence {sequence}, synced", batch.count());

    // A key without a value is no error.
    println!(
        "get       apple = {}, durian = {}",
        show(db.get(b"apple")?),
        show(db.get(b"durian")?)
    );

    // A snapshot keeps the state of its moment, whatever is written later.
    let snapshot = db.snapshot()?;
    db.put(b"banana", b"yellow")?;
    let then = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
    let before = db.get_with(b"banana", &then)?;
    println!("snapshot  banana = {}, now {}", show(before), show(db.get(b"banana")?));

    let mut iter = db.iter()?;
    iter.seek_to_first();
    println!("forwards  {}", walk(iter, DbIterator::next)?);
    let mut iter = db.iter()?;
    iter.seek_to_last();
    println!("backwards {}", walk(iter, DbIterator::prev)?);

    // The memtable goes to a table; its log is not needed any more. Happens by itself when the
    // memtable is full.
    db.flush()?;
    println!("flush     done");
    db.put(b"date", b"brown")?;

    // Makes everything durable, waits for work in the background, gives up LOCK.
    db.close()
}

/// Opens the database again and shows what that found.
fn second_run(directory: &PathBuf) -> Result<()> {
    let db: Db = Db::open(PosixEnv::new(), directory, Options::default())?;
    let report = db.report();
    println!(
        "reopened  {} batch of {} operation replayed from log {:?} into table {:?}, \
         last sequence {}",
        report.batches, report.operations, report.logs, report.tables, report.last_sequence
    );
    println!("          {} stretches of bytes dropped", report.dropped.len());
    println!("get       date = {}", show(db.get(b"date")?));
    db.close()
}

/// What a cursor shows from where it stands.
fn walk(mut iter: DbIterator, step: fn(&mut DbIterator)) -> Result<String> {
    let mut shown = Vec::new();
    while iter.valid() {
        let (key, value) = (iter.key(), iter.value());
        shown.push(format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
        step(&mut iter);
    }
    // The walk may have ended because a table could not be read.
    iter.status()?;
    Ok(shown.join(" "))
}

fn show(value: Option<Value>) -> String {
    value.map_or("(nothing)".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}

/// The directory that the user names, or a fresh one.
fn directory() -> PathBuf {
    if let Some(named) = std::env::args_os().nth(1) {
        return PathBuf::from(named);
    }
    let name = format!("faultline-quick-start-{}", std::process::id());
    std::env::temp_dir().join(name)
}
