//! A whole directory: CURRENT names the MANIFEST, which names the tables and the first log.

use std::ops::Range;

use super::Defect;
use super::batch::{Batch, last_sequence_of};
use super::framing::{Stop, resync, scan, search};
use super::manifest::{Manifest, NewFile};
use super::table::{self, Entry};

/// What a directory holds.
#[derive(Clone, Debug)]
pub struct Database<'bytes> {
    /// What CURRENT says.
    pub manifest_name: String,
    /// What the MANIFEST says.
    pub manifest: Manifest,
    /// Its tables, in the order of [`Manifest::files`].
    pub tables: Vec<TableFile<'bytes>>,
    /// The logs that a recovery replays, in order.
    pub logs: Vec<Log<'bytes>>,
    /// The names of the logs that are there and not needed any more.
    pub old_logs: Vec<String>,
    /// Highest sequence number in the MANIFEST, the tables and the logs, with all that the bytes
    /// behind a hole show: any record, or first part of one, with a right checksum.
    pub highest_sequence: u64,
    /// The same, but behind a hole only what a reader finds that goes on with the next block.
    pub highest_sequence_by_blocks: u64,
}

/// A table of the version.
#[derive(Clone, Debug)]
pub struct TableFile<'bytes> {
    /// What the MANIFEST says of it.
    pub file: NewFile,
    /// Its entries in order, or why they cannot be read.
    pub entries: Result<Vec<Entry<'bytes>>, Defect>,
}

/// A log.
#[derive(Clone, Debug)]
pub struct Log<'bytes> {
    /// Number, of which its name is made.
    pub number: u64,
    /// Size in bytes.
    pub size: usize,
    /// The longest valid prefix: whole batches whose sequence numbers rise and do not overlap.
    pub batches: Vec<Batch<'bytes>>,
    /// Why there are no more.
    pub stop: Stop,
    /// The first bad byte is in here, unless the log was read to its end: the fragment that is
    /// wrong, or what there is of one that the file cuts off; for a batch that is framed well and
    /// otherwise wrong, its record. Empty, at the end of the file, where the file ends between two
    /// fragments of a record: then no byte is bad.
    pub bad: Option<Range<usize>>,
    /// The sequence number behind the last batch of the logs before, and that of the first batch
    /// here, if these differ.
    pub gap: Option<(u64, u64)>,
}

/// Decodes a directory. `names` are the files in it, in any order; `read` returns the bytes of
/// one, or `None` if it is not there.
///
/// # Errors
///
/// If CURRENT or the MANIFEST do not lead to a version. What is wrong with tables and logs is
/// said beside their content.
pub fn decode<'bytes>(
    names: &[&str],
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> Result<Database<'bytes>, Defect> {
    let (manifest_name, manifest) = manifest(read)?;
    let last_sequence = manifest.last_sequence.unwrap_or(0);
    let mut database = Database {
        manifest_name,
        tables: manifest.files.iter().map(|file| read_table(file, read)).collect(),
        logs: Vec::new(),
        old_logs: Vec::new(),
        manifest,
        highest_sequence: last_sequence,
        highest_sequence_by_blocks: last_sequence,
    };
    for entry in database.tables.iter().flat_map(|table| table.entries.iter().flatten()) {
        database.highest_sequence = database.highest_sequence.max(entry.sequence);
    }
    database.highest_sequence_by_blocks = database.highest_sequence;
    let mut numbers: Vec<(u64, &str)> =
        names.iter().filter_map(|name| Some((log_number(name)?, *name))).collect();
    numbers.sort_unstable();
    let mut expected = None;
    for (number, name) in numbers {
        if !database.manifest.needs_log(number) {
            database.old_logs.push(name.to_owned());
        } else if let Some(bytes) = read(name) {
            database.add_log(number, bytes, &mut expected);
        }
    }
    Ok(database)
}

/// The batches of one log, up to the first thing that is wrong.
pub fn decode_log(bytes: &[u8]) -> Vec<Batch<'_>> {
    let decoded = scan(bytes).records.into_iter();
    decoded.map_while(|record| Batch::decode(record.place, record.payload).ok()).collect()
}

/// The first sequence number that a log holds which a recovery would replay: what is below it is in
/// tables. `None` if the logs hold nothing. Takes what [`decode`] takes, and reads no table.
///
/// # Errors
///
/// As for [`decode`].
pub fn first_in_logs<'bytes>(
    names: &[&str],
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> Result<Option<u64>, Defect> {
    let (_, manifest) = manifest(read)?;
    let live = names.iter().filter(|name| log_number(name).is_some_and(|n| manifest.needs_log(n)));
    let first_of = |bytes| {
        let batches = scan(bytes).records.into_iter();
        let mut batches =
            batches.filter_map(|record| Batch::decode(record.place, record.payload).ok());
        batches.find(|batch| batch.count != 0).map(|batch| batch.sequence)
    };
    Ok(live.filter_map(|name| read(name)).filter_map(first_of).min())
}

/// Whether the database needs the table or log `name`. Takes what [`decode`] takes.
///
/// # Errors
///
/// As for [`decode`].
pub fn needs<'bytes>(
    name: &str,
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> Result<bool, Defect> {
    let (_, manifest) = manifest(read)?;
    Ok(is_needed(name, &manifest).unwrap_or(false))
}

/// Whether the table or log `name` is needed; `None` if it is neither.
fn is_needed(name: &str, manifest: &Manifest) -> Option<bool> {
    if let Some(number) = log_number(name) {
        return Some(manifest.needs_log(number));
    }
    let number = table_number(name)?;
    Some(manifest.files.iter().any(|file| file.number == number))
}

/// The files among `names` that belong to a database and that it does not need. Takes what
/// [`decode`] takes.
///
/// # Errors
///
/// As for [`decode`].
pub fn left_over<'bytes>(
    names: &[&str],
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> Result<Vec<String>, Defect> {
    let (manifest_name, manifest) = manifest(read)?;
    let is_useless = |name: &str| match is_needed(name, &manifest) {
        Some(is_needed) => !is_needed,
        None if name.starts_with("MANIFEST-") => name != manifest_name,
        None => numbered(name, ".dbtmp").is_some(),
    };
    let useless = names.iter().filter(|name| is_useless(name));
    let mut left_over: Vec<String> = useless.map(|name| (*name).to_owned()).collect();
    left_over.sort_unstable();
    Ok(left_over)
}

/// The MANIFEST that CURRENT names, and its name.
fn manifest<'bytes>(
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> Result<(String, Manifest), Defect> {
    let name = current(read)?;
    let defect = |what| Defect { file: name.clone(), what };
    let bytes = read(&name).ok_or_else(|| defect("missing"))?;
    let manifest = Manifest::decode(bytes).map_err(defect)?;
    Ok((name, manifest))
}

/// The name that CURRENT holds.
fn current<'bytes>(read: &dyn Fn(&str) -> Option<&'bytes [u8]>) -> Result<String, Defect> {
    let defect = |what| Defect { file: "CURRENT".to_owned(), what };
    let bytes = read("CURRENT").ok_or_else(|| defect("missing"))?;
    let name = bytes.strip_suffix(b"\n").ok_or_else(|| defect("no newline at its end"))?;
    let name = std::str::from_utf8(name).map_err(|_| defect("not a name"))?;
    Ok(name.to_owned())
}

/// The number of a file called `NNNNNN.log`.
fn log_number(name: &str) -> Option<u64> {
    numbered(name, ".log")
}

/// The number of a table.
fn table_number(name: &str) -> Option<u64> {
    numbered(name, ".ldb").or_else(|| numbered(name, ".sst"))
}

fn numbered(name: &str, ending: &str) -> Option<u64> {
    let digits = name.strip_suffix(ending)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

fn read_table<'bytes>(
    file: &NewFile,
    read: &dyn Fn(&str) -> Option<&'bytes [u8]>,
) -> TableFile<'bytes> {
    let name = format!("{:06}.ldb", file.number);
    let bytes = read(&name).or_else(|| read(&format!("{:06}.sst", file.number)));
    let entries = bytes.ok_or("missing").and_then(table::decode);
    let entries = entries.map_err(|what| Defect { file: name, what });
    TableFile { file: file.clone(), entries }
}

impl<'bytes> Database<'bytes> {
    fn add_log(&mut self, number: u64, bytes: &'bytes [u8], expected: &mut Option<u64>) {
        let scan = scan(bytes);
        let mut log = Log {
            number,
            size: bytes.len(),
            batches: Vec::with_capacity(scan.records.len()),
            stop: scan.stop,
            bad: scan.bad,
            gap: None,
        };
        for record in scan.records {
            let place = record.place.clone();
            let wrong = match Batch::decode(record.place, record.payload) {
                Err(what) => what,
                Ok(batch) if expected.is_some_and(|expected| batch.sequence < expected) => {
                    "a sequence number that goes back"
                }
                Ok(batch) => {
                    // A batch without operations stands at a number, and takes none.
                    if batch.count != 0 {
                        if log.batches.iter().all(|batch| batch.count == 0) {
                            let before = expected.filter(|expected| *expected != batch.sequence);
                            log.gap = before.map(|before| (before, batch.sequence));
                        }
                        *expected = Some(batch.end());
                    }
                    log.batches.push(batch);
                    continue;
                }
            };
            log.stop = Stop::Bad(wrong);
            log.bad = Some(place);
            break;
        }
        let last = log.batches.iter().rfind(|batch| batch.count != 0);
        let last = last.map_or(0, |batch| batch.end() - 1);
        self.highest_sequence = self.highest_sequence.max(last);
        self.highest_sequence_by_blocks = self.highest_sequence_by_blocks.max(last);
        if let Some(bad) = &log.bad {
            self.search_behind(bytes, bad);
        }
        self.logs.push(log);
    }

    /// Looks for sequence numbers from the first bad byte of a log on.
    fn search_behind(&mut self, bytes: &[u8], bad: &Range<usize>) {
        let highest = &mut self.highest_sequence;
        search(bytes, bad.start, &mut |payload| {
            *highest = (*highest).max(last_sequence_of(payload).unwrap_or(0));
        });
        for record in resync(bytes, bad.start) {
            let last = last_sequence_of(&record.payload).unwrap_or(0);
            self.highest_sequence_by_blocks = self.highest_sequence_by_blocks.max(last);
        }
    }
}
