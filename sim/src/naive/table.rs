//! Tables: sorted entries in blocks, an index of the blocks, a footer.
//!
//! ```text
//! table   := block* footer                            perhaps with a filter block among them
//! block   := contents, plain or compressed  compression: u8  checksum: u32     0 plain, 1 Snappy
//! contents := entry* restart: u32{n} n: u32
//! entry   := shared: varint32 unshared: varint32 value length: varint32 key tail, value
//! footer  := handle of the metaindex, handle of the index, padding to 40 bytes, magic: u64
//! handle  := offset: varint64 size: varint64         the size leaves out type and checksum
//! key     := user key, (sequence << 8 | type): u64   type 0 is a deletion, 1 a value
//! ```

use std::borrow::Cow;

use super::bytes::{Rest, masked_crc};

const FOOTER: usize = 48;
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;

/// Compression type and checksum, behind the contents of a block.
const TRAILER: usize = 5;

/// One entry of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'bytes> {
    /// The user key.
    pub key: Vec<u8>,
    /// Sequence number.
    pub sequence: u64,
    /// The value, or `None` if the key is deleted.
    pub value: Option<Cow<'bytes, [u8]>>,
}

/// Reads all entries of a table, in the order of the file.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Entry<'_>>, &'static str> {
    let [_, index] = handles(bytes)?;
    let mut entries = Vec::new();
    each_entry(block(bytes, index)?, &mut |_, value| {
        let data = handle(&mut Rest(&value)).ok_or("a bad index entry")?;
        each_entry(block(bytes, data)?, &mut |key, value| {
            entries.push(entry(key, value)?);
            Ok(())
        })
    })?;
    Ok(entries)
}

/// The handles of metaindex and index.
pub(super) fn handles(bytes: &[u8]) -> Result<[(u64, u64); 2], &'static str> {
    let start = bytes.len().checked_sub(FOOTER).ok_or("too short for a table")?;
    let mut footer = Rest(&bytes[start..]);
    let mut magic = Rest(&bytes[bytes.len() - 8..]);
    if magic.fixed64() != Some(MAGIC) {
        return Err("no magic number");
    }
    let mut next = || handle(&mut footer).ok_or("a bad footer");
    Ok([next()?, next()?])
}

pub(super) fn handle(rest: &mut Rest<'_>) -> Option<(u64, u64)> {
    Some((rest.varint64()?, rest.varint64()?))
}

/// The contents of a block.
pub(super) fn block(
    bytes: &[u8],
    (offset, size): (u64, u64),
) -> Result<Cow<'_, [u8]>, &'static str> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(TRAILER);
    let mut rest = Rest(bytes.get(offset..).ok_or("a block beyond the end")?);
    let whole = rest.take(size).ok_or("a block beyond the end")?;
    let (contents, trailer) = whole.split_at(size - TRAILER);
    let mut trailer = Rest(trailer);
    let compression = trailer.byte();
    if trailer.fixed32() != Some(masked_crc(&whole[..=contents.len()])) {
        return Err("a wrong block checksum");
    }
    match compression {
        Some(0) => Ok(Cow::Borrowed(contents)),
        // Three bytes of Snappy stand for at most 64.
        Some(1) if snap::raw::decompress_len(contents).is_ok_and(|len| len / 32 <= size) => {
            let contents = snap::raw::Decoder::new().decompress_vec(contents);
            contents.map(Cow::Owned).map_err(|_| "a block that is no Snappy")
        }
        Some(1) => Err("a block that is no Snappy"),
        _ => Err("a block of unknown compression"),
    }
}

/// Takes key and value of an entry.
type Each<'each, 'bytes> = dyn FnMut(&[u8], Cow<'bytes, [u8]>) -> Result<(), &'static str> + 'each;

/// Calls `each` with key and value of every entry of a block.
pub(super) fn each_entry<'bytes>(
    contents: Cow<'bytes, [u8]>,
    each: &mut Each<'_, 'bytes>,
) -> Result<(), &'static str> {
    match contents {
        Cow::Borrowed(contents) => {
            each_place(contents, &mut |key, value| each(key, Cow::Borrowed(value)))
        }
        Cow::Owned(contents) => {
            each_place(&contents, &mut |key, value| each(key, Cow::Owned(value.to_vec())))
        }
    }
}

/// Takes key and value of an entry, where they lie.
type EachPlace<'each, 'block> = dyn FnMut(&[u8], &'block [u8]) -> Result<(), &'static str> + 'each;

fn each_place<'block>(
    contents: &'block [u8],
    each: &mut EachPlace<'_, 'block>,
) -> Result<(), &'static str> {
    let end = contents.len().checked_sub(4).ok_or("a bad block")?;
    let restarts = Rest(&contents[end..]).fixed32().ok_or("a bad block")?;
    let end = end.checked_sub(restarts as usize * 4).ok_or("too many restarts")?;
    if restarts == 0 {
        return Ok(());
    }
    let mut rest = Rest(&contents[..end]);
    let mut key = Vec::new();
    while !rest.is_empty() {
        let value = next_entry(&mut rest, &mut key).ok_or("a bad entry")?;
        each(&key, value)?;
    }
    Ok(())
}

/// Takes one entry: `key`, the one before, becomes its key, and its value is returned.
fn next_entry<'bytes>(rest: &mut Rest<'bytes>, key: &mut Vec<u8>) -> Option<&'bytes [u8]> {
    let shared = rest.varint32()? as usize;
    let unshared = rest.varint32()? as usize;
    let value = rest.varint32()? as usize;
    if key.len() < shared {
        return None;
    }
    key.truncate(shared);
    key.extend_from_slice(rest.take(unshared)?);
    rest.take(value)
}

/// Splits an internal key.
fn entry<'bytes>(key: &[u8], value: Cow<'bytes, [u8]>) -> Result<Entry<'bytes>, &'static str> {
    let at = key.len().checked_sub(8).ok_or("a short key")?;
    let trailer = Rest(&key[at..]).fixed64().ok_or("a short key")?;
    let value = match trailer & 0xff {
        0 => None,
        1 => Some(value),
        _ => return Err("an unknown type of value"),
    };
    Ok(Entry { key: key[..at].to_vec(), sequence: trailer >> 8, value })
}
