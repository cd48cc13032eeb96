//! The files MANIFEST and CURRENT: writing edits, switching from one MANIFEST to the next, and
//! reading them back.
//!
//! ```text
//! CURRENT    "MANIFEST-000004\n"
//! MANIFEST   log records, each one version edit; the first is a snapshot of the file set
//! ```
//!
//! A MANIFEST is only ever appended to by the incarnation that created it, and synced after every
//! edit. So what is wrong at its very end is an edit that was never acknowledged, while a record
//! that starts behind something wrong proves that synced bytes were damaged.
//!
//! Source: LevelDB `VersionSet::{LogAndApply, Recover}`, `SetCurrentFile` in `db/filename.cc`.
//! Differs: the directory is synced before and after CURRENT is switched; a MANIFEST is removed by
//! nobody once a switch to it was attempted; a damaged length at the end of the file is not taken
//! for its end if a record starts behind it.

use std::path::Path;
use std::sync::Arc;

use super::edit::VersionEdit;
use super::files::{Version, VersionBuilder};
use crate::directory::Directory;
use crate::env::Env;
use crate::error::{Defect, Error, Result};
use crate::filename::{
    FileNumber, current_contents, current_file_name, manifest_file_name, parse_current,
    temp_file_name,
};
use crate::key::{Comparator, InternalKeyComparator, SequenceNumber};
use crate::record::{Item, Reader, Writer};

/// A MANIFEST being written.
#[derive(Debug)]
pub struct Manifest {
    number: FileNumber,
    writer: Writer,
    buffer: Vec<u8>,
}

impl Manifest {
    /// Creates MANIFEST `number` with these edits in it, durable but for its name.
    pub fn create<E: Env>(
        env: &E,
        dir: &Path,
        number: FileNumber,
        edits: &[&VersionEdit],
    ) -> Result<Self> {
        let writer = Writer::new(env.create(&manifest_file_name(dir, number))?);
        let mut manifest = Manifest { number, writer, buffer: Vec::new() };
        for edit in edits {
            manifest.append(edit)?;
        }
        manifest.writer.sync()?;
        Ok(manifest)
    }

    /// Appends an edit and makes it durable.
    ///
    /// # Errors
    /// That of the file, now and ever after: the edit may be in it or not.
    pub fn add_edit(&mut self, edit: &VersionEdit) -> Result<()> {
        self.append(edit)?;
        self.writer.sync()
    }

    fn append(&mut self, edit: &VersionEdit) -> Result<()> {
        self.buffer.clear();
        edit.encode(&mut self.buffer);
        self.writer.add_record(&self.buffer)
    }

    /// The number in its name.
    pub fn number(&self) -> FileNumber {
        self.number
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Closes the file.
    pub fn close(self) -> Result<()> {
        self.writer.close()
    }
}

/// Makes MANIFEST `number` the live one. Its bytes must be durable and its name too.
///
/// # Errors
/// That of the file system, and whether CURRENT may have been switched all the same: then both
/// MANIFESTs must stay, and the next open decides.
pub fn switch_current<E: Env>(
    directory: &Directory<E>,
    number: FileNumber,
) -> core::result::Result<(), (Error, bool)> {
    let (env, dir) = (directory.env(), directory.path());
    let since = directory.now();
    let temp = temp_file_name(dir, number);
    let written = (|| {
        let mut file = env.create(&temp)?;
        file.append(current_contents(number).as_bytes())?;
        file.sync()?;
        file.close()
    })();
    if let Err(error) = written {
        // Best effort: a left-over temporary file is swept by the next open.
        drop(env.remove(&temp));
        return Err((error, false));
    }
    env.rename(&temp, &current_file_name(dir)).map_err(|error| (error, true))?;
    directory.sync(since).map_err(|error| (error, true))
}

/// The end of a MANIFEST that holds no whole edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestTail {
    /// The MANIFEST.
    pub number: FileNumber,
    /// Where what was read ends.
    pub offset: u64,
    /// From there to the end of the file.
    pub bytes: u64,
    /// The first thing wrong there.
    pub defect: Defect,
}

/// What CURRENT and its MANIFEST say.
#[derive(Debug)]
pub struct Recovered {
    /// The number of the MANIFEST that was read.
    pub manifest_number: FileNumber,
    /// The tables.
    pub version: Version,
    /// By level: where its next compaction starts.
    pub compact_pointers: Vec<(usize, Vec<u8>)>,
    /// The oldest log that is still needed.
    pub log_number: FileNumber,
    /// An older one that is needed besides; 0 is none.
    pub prev_log_number: FileNumber,
    /// The next number to name a file by, as far as the MANIFEST knows.
    pub next_file_number: FileNumber,
    /// The largest sequence number in use, as far as the MANIFEST knows.
    pub last_sequence: SequenceNumber,
    /// The torn end that was passed over, if there is one.
    pub tail: Option<ManifestTail>,
}

/// Reads CURRENT and the MANIFEST that it names. Changes nothing.
///
/// # Errors
/// `Corruption` if CURRENT does not name a MANIFEST that is there, if the MANIFEST is damaged in
/// front of a record or lacks a field, or if the tables cannot be; `InvalidArgument` if the
/// database was created with another comparator; any error of the file system.
pub fn recover<E: Env>(env: &E, dir: &Path, order: &InternalKeyComparator) -> Result<Recovered> {
    let number = read_current(env, dir)?;
    let path = manifest_file_name(dir, number);
    let file = env.open_sequential(&path).map_err(|error| match error {
        Error::NotFound { .. } => {
            other(&current_file_name(dir), 0, "names a MANIFEST that is not there")
        }
        other => other,
    })?;
    let mut reader = Reader::of_records_that_differ(file, &path);
    let mut edits = Edits::new(order);
    let mut first_defect = None;
    while let Some(item) = reader.read_record()? {
        match item {
            Item::Record { offset, payload } if first_defect.is_none() => {
                edits.take(&path, offset, payload)?;
            }
            // Behind something wrong: `start_after_damage` is true now.
            Item::Record { .. } => {}
            Item::Dropped(dropped) => {
                first_defect.get_or_insert((dropped.offset, dropped.defect));
            }
        }
    }
    let tail = reader.tail().map(|tail| (tail.offset, tail.defect.clone()));
    let tail = first_defect.or(tail);
    if let Some((offset, defect)) = &tail
        && reader.start_after_damage()
    {
        return Err(Error::corruption(&path, *offset, defect.clone()));
    }
    let tail = match tail {
        Some((offset, defect)) => {
            let bytes = env.size(&path)?.saturating_sub(offset);
            Some(ManifestTail { number, offset, bytes, defect })
        }
        None => None,
    };
    edits.finish(&path, number, tail)
}

fn read_current<E: Env>(env: &E, dir: &Path) -> Result<FileNumber> {
    let path = current_file_name(dir);
    let mut file = env.open_sequential(&path)?;
    // Longer than any content that could be right.
    let mut contents = [0; 64];
    let size = file.read(&mut contents)?;
    parse_current(&contents[..size])
        .ok_or_else(|| other(&path, 0, "does not hold the name of a MANIFEST and a newline"))
}

fn other(path: &Path, offset: u64, words: &str) -> Error {
    Error::corruption(path, offset, Defect::Other(words.into()))
}

/// What the edits so far add up to.
struct Edits<'a> {
    order: &'a InternalKeyComparator,
    files: VersionBuilder,
    // Everything but the files: the last value of each field.
    fields: VersionEdit,
}

impl<'a> Edits<'a> {
    fn new(order: &'a InternalKeyComparator) -> Self {
        let files = VersionBuilder::new(&Version::default());
        Edits { order, files, fields: VersionEdit::new() }
    }

    fn take(&mut self, path: &Path, offset: u64, payload: &[u8]) -> Result<()> {
        let edit = VersionEdit::decode(payload)
            .map_err(|defect| Error::corruption(path, offset, Defect::Edit(defect)))?;
        if let Some(name) = &edit.comparator {
            check_comparator(name, &**self.order.user())?;
        }
        self.files.apply(&edit);
        let fields = &mut self.fields;
        fields.comparator = edit.comparator.or(fields.comparator.take());
        fields.log_number = edit.log_number.or(fields.log_number);
        fields.prev_log_number = edit.prev_log_number.or(fields.prev_log_number);
        fields.next_file_number = edit.next_file_number.or(fields.next_file_number);
        fields.last_sequence = edit.last_sequence.or(fields.last_sequence);
        fields.compact_pointers.extend(edit.compact_pointers);
        Ok(())
    }

    fn finish(
        self,
        path: &Path,
        manifest_number: FileNumber,
        tail: Option<ManifestTail>,
    ) -> Result<Recovered> {
        let missing = |what: &str| other(path, 0, &format!("no {what} in any edit"));
        let fields = self.fields;
        let version = self.files.finish(self.order).map_err(|words| other(path, 0, &words))?;
        Ok(Recovered {
            manifest_number,
            version,
            compact_pointers: fields.compact_pointers,
            log_number: fields.log_number.ok_or_else(|| missing("log number"))?,
            prev_log_number: fields.prev_log_number.unwrap_or(0),
            next_file_number: fields.next_file_number.ok_or_else(|| missing("next file number"))?,
            last_sequence: fields.last_sequence.ok_or_else(|| missing("last sequence number"))?,
            tail,
        })
    }
}

fn check_comparator(stored: &[u8], given: &dyn Comparator) -> Result<()> {
    if stored == given.name().as_bytes() {
        return Ok(());
    }
    let words = format!(
        "the database is ordered by comparator {}, which is not {}",
        stored.escape_ascii(),
        given.name()
    );
    Err(Error::InvalidArgument(Arc::from(words)))
}
