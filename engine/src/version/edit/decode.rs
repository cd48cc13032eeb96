//! Reads a [`VersionEdit`] out of its stored form, which is drawn in the module above.
//!
//! Source: LevelDB `db/version_edit.cc`, `VersionEdit::DecodeFrom`.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;

use super::{FileMetaData, LEVEL_COUNT, VersionEdit, tag};
use crate::codec::{Decoder, to_u64, to_usize};
use crate::key::{MAX_SEQUENCE, ParsedInternalKey};

/// A field of an edit, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the field of the same name")]
pub enum EditField {
    Comparator,
    LogNumber,
    PrevLogNumber,
    NextFileNumber,
    LastSequence,
    CompactPointer,
    DeletedFile,
    NewFile,
}

impl fmt::Display for EditField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EditField::Comparator => "comparator name",
            EditField::LogNumber => "log number",
            EditField::PrevLogNumber => "previous log number",
            EditField::NextFileNumber => "next file number",
            EditField::LastSequence => "last sequence number",
            EditField::CompactPointer => "compaction pointer",
            EditField::DeletedFile => "deleted file",
            EditField::NewFile => "new file",
        })
    }
}

/// What is wrong with the bytes of an edit. Offsets count from the start of the edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditDefect {
    /// Bytes that are no tag, or one that is not in use.
    InvalidTag {
        /// Where they start.
        offset: u64,
    },
    /// A field that runs past the end, names a level that does not exist, or holds a key that is
    /// no internal key.
    BadField {
        /// Which.
        field: EditField,
        /// Where its tag starts.
        offset: u64,
    },
    /// A last sequence number that no key can have.
    SequenceTooLarge {
        /// The number.
        sequence: u64,
        /// Where its tag starts.
        offset: u64,
    },
}

impl fmt::Display for EditDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditDefect::InvalidTag { offset } => {
                write!(f, "invalid tag at byte {offset} of a version edit")
            }
            EditDefect::BadField { field, offset } => {
                write!(f, "bad {field} at byte {offset} of a version edit")
            }
            EditDefect::SequenceTooLarge { sequence, offset } => {
                write!(f, "impossible sequence {sequence} at byte {offset} of a version edit")
            }
        }
    }
}

impl std::error::Error for EditDefect {}

pub(super) fn decode(contents: &[u8]) -> Result<VersionEdit, EditDefect> {
    let mut edit = VersionEdit::new();
    let mut decoder = Decoder::new(contents);
    while !decoder.is_empty() {
        let offset = to_u64(contents.len() - decoder.rest().len());
        let field =
            decoder.varint32().and_then(field_of_tag).ok_or(EditDefect::InvalidTag { offset })?;
        decode_field(&mut edit, field, &mut decoder)
            .ok_or(EditDefect::BadField { field, offset })?;
        if field == EditField::LastSequence
            && let Some(sequence) = edit.last_sequence.filter(|&last| last > MAX_SEQUENCE)
        {
            return Err(EditDefect::SequenceTooLarge { sequence, offset });
        }
    }
    Ok(edit)
}

fn field_of_tag(tag: u32) -> Option<EditField> {
    Some(match tag {
        tag::COMPARATOR => EditField::Comparator,
        tag::LOG_NUMBER => EditField::LogNumber,
        tag::PREV_LOG_NUMBER => EditField::PrevLogNumber,
        tag::NEXT_FILE_NUMBER => EditField::NextFileNumber,
        tag::LAST_SEQUENCE => EditField::LastSequence,
        tag::COMPACT_POINTER => EditField::CompactPointer,
        tag::DELETED_FILE => EditField::DeletedFile,
        tag::NEW_FILE => EditField::NewFile,
        _ => return None,
    })
}

fn decode_field(edit: &mut VersionEdit, field: EditField, decoder: &mut Decoder<'_>) -> Option<()> {
    match field {
        EditField::Comparator => edit.comparator = Some(decoder.length_prefixed()?.to_vec()),
        EditField::LogNumber => edit.log_number = Some(decoder.varint64()?),
        EditField::PrevLogNumber => edit.prev_log_number = Some(decoder.varint64()?),
        EditField::NextFileNumber => edit.next_file_number = Some(decoder.varint64()?),
        EditField::LastSequence => edit.last_sequence = Some(decoder.varint64()?),
        EditField::CompactPointer => {
            let level = level(decoder)?;
            edit.compact_pointers.push((level, internal_key(decoder)?));
        }
        EditField::DeletedFile => {
            let level = level(decoder)?;
            edit.deleted_files.insert((level, decoder.varint64()?));
        }
        EditField::NewFile => {
            let level = level(decoder)?;
            let file = FileMetaData {
                number: decoder.varint64()?,
                size: decoder.varint64()?,
                smallest: internal_key(decoder)?,
                largest: internal_key(decoder)?,
            };
            edit.new_files.push((level, file));
        }
    }
    Some(())
}

fn level(decoder: &mut Decoder<'_>) -> Option<usize> {
    decoder.varint32().map(to_usize).filter(|&level| level < LEVEL_COUNT)
}

fn internal_key(decoder: &mut Decoder<'_>) -> Option<Vec<u8>> {
    let key = decoder.length_prefixed()?;
    ParsedInternalKey::parse(key)?;
    Some(key.to_vec())
}
