//! `scan` and `load`: many entries, in the same two forms.

use std::io::{self, BufRead as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use faultline::{Db, DbIterator, WriteBatch, WriteOptions};
use serde::{Deserialize, Serialize};

use crate::args::{BytesArgs, Format, LoadArgs, ScanArgs};
use crate::exit::{Exit, Failure, Result};
use crate::open::{open_or_create, open_to_read};
use crate::output::{Output, counted, remark};

/// An entry as a line of JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonEntry {
    key_base64: String,
    value_base64: String,
}

/// Which entries a scan shows.
struct Range {
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    prefix: Vec<u8>,
}

impl Range {
    fn new(args: &ScanArgs) -> Result<Self> {
        let form = args.bytes;
        Ok(Range {
            from: form.optional("--from", args.from.as_ref())?,
            to: form.optional("--to", args.to.as_ref())?,
            prefix: form.optional("--prefix", args.prefix.as_ref())?.unwrap_or_default(),
        })
    }

    /// The first key that may be shown.
    fn start(&self) -> &[u8] {
        self.from.as_deref().unwrap_or_default().max(&self.prefix)
    }

    /// The first key behind all that may be shown, if there is one.
    fn end(&self) -> Option<Vec<u8>> {
        // Behind all keys with the prefix: its last byte that can grow, grown.
        let last = self.prefix.iter().rposition(|byte| *byte < 0xff);
        let behind_prefix = last.map(|last| {
            let mut key = self.prefix[..=last].to_vec();
            key[last] += 1;
            key
        });
        match (behind_prefix, self.to.clone()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// Prints entries in order.
pub(crate) fn scan(args: &ScanArgs) -> Result {
    let range = Range::new(args)?;
    let db = open_to_read(&args.read)?;
    let mut iter = db.iter()?;
    let walked = walk(args, &range, &mut iter);
    // What the cursor needs it has; the database need not stay open for a slow reader.
    db.close()?;
    walked?;
    Ok(Exit::Done)
}

fn walk(args: &ScanArgs, range: &Range, iter: &mut DbIterator) -> Result<()> {
    let mut output = Output::new();
    let (start, end) = (range.start(), range.end());
    if !args.reverse {
        iter.seek(start);
    } else if let Some(end) = &end {
        iter.seek(end);
        if iter.valid() { iter.prev() } else { iter.seek_to_last() }
    } else {
        iter.seek_to_last();
    }
    let mut left = args.limit.unwrap_or(u64::MAX);
    while iter.valid() && left > 0 {
        let key = iter.key();
        if key < start || end.as_deref().is_some_and(|end| key >= end) {
            break;
        }
        output.line(line(args, key, iter.value()))?;
        left -= 1;
        if args.reverse { iter.prev() } else { iter.next() }
    }
    iter.status()?;
    output.finish()
}

fn line(args: &ScanArgs, key: &[u8], value: &[u8]) -> String {
    if args.format == Format::Json {
        let entry =
            JsonEntry { key_base64: BASE64.encode(key), value_base64: BASE64.encode(value) };
        return serde_json::to_string(&entry).expect("two strings are JSON");
    }
    let mut line = String::new();
    args.bytes.show(&mut line, key);
    if !args.keys_only {
        line.push('\t');
        args.bytes.show(&mut line, value);
    }
    line
}

/// Bytes of keys and values that are written at a time.
const BATCH_SIZE: usize = 256 << 10;

/// Writes the entries on standard input.
pub(crate) fn load(args: &LoadArgs) -> Result {
    let db = open_or_create(&args.open)?;
    let mut loaded = 0;
    let result = load_all(args, &db, &mut loaded);
    let synced = db.sync();
    db.close()?;
    synced?;
    remark(format!("loaded {}", counted(loaded, "entry")));
    result?;
    Ok(Exit::Done)
}

fn load_all(args: &LoadArgs, db: &Db, loaded: &mut u64) -> Result<()> {
    let mut batch = WriteBatch::new();
    let mut write = |batch: &mut WriteBatch| -> Result<()> {
        db.write(batch, &WriteOptions::default())?;
        *loaded += u64::from(batch.count());
        batch.clear();
        Ok(())
    };
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let mut result = Ok(());
    for number in 1_u64.. {
        line.clear();
        let size = input.read_until(b'\n', &mut line);
        if size.map_err(|error| Failure::stream("standard input", &error))? == 0 {
            break;
        }
        let (key, value) = match parse(args, line.strip_suffix(b"\n").unwrap_or(&line)) {
            Ok(entry) => entry,
            Err(words) => {
                // What came before it is written all the same.
                let words = format!("standard input, line {number}: {words}");
                result = Err(Failure::usage(words));
                break;
            }
        };
        batch.put(&key, &value)?;
        if batch.byte_size() > BATCH_SIZE {
            write(&mut batch)?;
        }
    }
    write(&mut batch)?;
    result
}

/// The key and value of a line, or what is wrong with it.
type Parsed = std::result::Result<(Vec<u8>, Vec<u8>), String>;

fn parse(args: &LoadArgs, line: &[u8]) -> Parsed {
    match args.format {
        Format::Text => parse_text(args.bytes, line),
        Format::Json => parse_json(line),
    }
}

fn parse_text(bytes: BytesArgs, line: &[u8]) -> Parsed {
    let tab = line.iter().position(|byte| *byte == b'\t');
    let tab = tab.ok_or_else(|| {
        let json = if line.starts_with(b"{\"") { " (JSON: `--format json`)" } else { "" };
        format!("no tab between key and value; the format is that of `scan`{json}")
    })?;
    let read = |what, text| bytes.parse(text).map_err(|defect| format!("the {what} {defect}"));
    Ok((read("key", &line[..tab])?, read("value", &line[tab + 1..])?))
}

fn parse_json(line: &[u8]) -> Parsed {
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("no JSON object; the format is that of `scan --format json`".into());
    }
    let entry: JsonEntry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let decode = |what, text| BASE64.decode(text).map_err(|error| format!("{what}: {error}"));
    Ok((decode("key_base64", entry.key_base64)?, decode("value_base64", entry.value_base64)?))
}
