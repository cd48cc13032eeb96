//! `get`, `put` and `delete`: one key.

use std::io::{self, Read as _};

use faultline::WriteOptions;

use crate::args::{DeleteArgs, GetArgs, PutArgs};
use crate::exit::{Exit, Failure, Result};
use crate::open::{open, open_or_create, open_to_read};
use crate::output::{Output, remark};

/// One command, one write: it is durable when the command ends.
const DURABLE: WriteOptions = WriteOptions { sync: true, no_wait: false };

/// Prints a value as it is, or in hexadecimal.
pub(crate) fn get(args: &GetArgs) -> Result {
    let key = args.bytes.bytes("key", &args.key)?;
    let db = open_to_read(&args.read)?;
    let value = db.get(&key)?;
    db.close()?;
    let Some(value) = value else {
        remark(format!("{}: no such key", args.key.to_string_lossy()));
        return Ok(Exit::NotFound);
    };
    let mut output = Output::new();
    if args.bytes.hex {
        let mut digits = String::new();
        args.bytes.show(&mut digits, &value);
        output.bytes(digits.as_bytes())?;
    } else {
        output.bytes(&value)?;
    }
    if !args.no_newline {
        output.bytes(b"\n")?;
    }
    output.finish()?;
    Ok(Exit::Done)
}

/// Sets a key.
pub(crate) fn put(args: &PutArgs) -> Result {
    let key = args.bytes.bytes("key", &args.key)?;
    let value = match &args.value {
        Some(value) => args.bytes.bytes("value", value)?,
        None => read_value()?,
    };
    let db = open_or_create(&args.open)?;
    db.put_with(&key, &value, &DURABLE)?;
    db.close()?;
    Ok(Exit::Done)
}

fn read_value() -> Result<Vec<u8>> {
    let mut value = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut value);
    read.map_err(|error| Failure::stream("standard input", &error))?;
    Ok(value)
}

/// Removes a key.
pub(crate) fn delete(args: &DeleteArgs) -> Result {
    let key = args.bytes.bytes("key", &args.key)?;
    let db = open(&args.open)?;
    db.delete_with(&key, &DURABLE)?;
    db.close()?;
    Ok(Exit::Done)
}
