//! The decoders, each as a function from bytes to a word about them.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use faultline::batch::BatchView;
use faultline::codec::{crc32c, mask};
use faultline::env::{RandomAccessFile, SequentialFile};
use faultline::filename::{parse_current, parse_file_name};
use faultline::iterator::InternalIterator;
use faultline::key::{InternalKeyComparator, ParsedInternalKey};
use faultline::record::{Item, Reader};
use faultline::table::{
    BlockHandle, BlockReads, BloomFilter, FOOTER_SIZE, FilterPolicy, Table, TableContext,
    TableLayout,
};
use faultline::version::edit::VersionEdit;
use faultline::{Error, Result};

use crate::{corpus, files};

/// A decoder.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Inputs that are sound.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// What the decoder says: "Sound", or the name of the first thing wrong.
    pub(crate) decode: fn(&[u8]) -> String,
    /// Makes the checksums right again, so that what they guard is reached.
    pub(crate) mend: fn(&mut [u8]),
}

pub(crate) const RECORD: Target =
    Target { name: "record", seeds: logs, decode: decode_records, mend: mend_records };

pub(crate) const BATCH: Target =
    Target { name: "batch", seeds: payloads_of_logs, decode: decode_batch, mend: |_| () };

pub(crate) const EDIT: Target =
    Target { name: "edit", seeds: payloads_of_manifests, decode: decode_edit, mend: |_| () };

pub(crate) const TABLE: Target =
    Target { name: "table", seeds: small_tables, decode: decode_table, mend: mend_table };

pub(crate) const FILTER: Target =
    Target { name: "filter", seeds: filters, decode: ask_filter, mend: |_| () };

pub(crate) const NAME: Target =
    Target { name: "name", seeds: names, decode: decode_name, mend: |_| () };

const PATH: &str = "db/file";

/// The name of a variant.
fn label(defect: &dyn Debug) -> String {
    let text = format!("{defect:?}");
    let inner = ["Batch(", "Edit("].iter().find_map(|outer| text.strip_prefix(outer));
    let text = inner.unwrap_or(&text);
    let letters = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    text[..letters].to_owned()
}

fn label_of_error(error: &Error) -> String {
    match error {
        Error::Corruption(corruption) => label(&corruption.defect),
        error => label(error),
    }
}

/// A file that is read as it lies in memory.
struct Bytes(Vec<u8>, usize);

impl SequentialFile for Bytes {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let rest = &self.0[self.1..];
        let size = rest.len().min(buf.len());
        buf[..size].copy_from_slice(&rest[..size]);
        self.1 += size;
        Ok(size)
    }
}

impl RandomAccessFile for Bytes {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let size = (self.0.len() - start).min(buf.len());
        buf[..size].copy_from_slice(&self.0[start..start + size]);
        Ok(size)
    }
}

fn samples(is_wanted: &dyn Fn(&str) -> bool, size_max: usize) -> Vec<Vec<u8>> {
    let found = files(&corpus().join("format"), is_wanted).into_iter().map(|(_, bytes)| bytes);
    found.filter(|bytes| !bytes.is_empty() && bytes.len() <= size_max).collect()
}

fn is_log(name: &str) -> bool {
    Path::new(name).extension() == Some(OsStr::new("log"))
}

fn is_manifest(name: &str) -> bool {
    name.starts_with("MANIFEST-")
}

fn is_table(name: &str) -> bool {
    let extension = Path::new(name).extension();
    extension == Some(OsStr::new("ldb")) || extension == Some(OsStr::new("sst"))
}

fn reader(input: &[u8]) -> Reader {
    Reader::new(Box::new(Bytes(input.to_vec(), 0)), Path::new(PATH))
}

fn logs() -> Vec<Vec<u8>> {
    let files = samples(&|name| is_log(name) || is_manifest(name), 1 << 20);
    // Some of the samples are torn, on purpose; and those that are long are there for their edges.
    files.into_iter().filter(|bytes| decode_records(bytes) == "Sound").collect()
}

fn decode_records(input: &[u8]) -> String {
    let mut reader = reader(input);
    let (mut first, mut end) = (None, 0);
    while let Some(item) = reader.read_record().expect("memory can be read") {
        match item {
            Item::Record { offset, payload } => {
                assert!(offset >= end && payload.len() < input.len(), "records are in order");
                end = offset + payload.len() as u64;
                assert!(end < input.len() as u64);
            }
            Item::Dropped(dropped) => {
                assert!(dropped.offset < input.len() as u64, "{dropped:?}");
                first.get_or_insert_with(|| label(&dropped.defect));
            }
        }
    }
    if let Some(tail) = reader.tail() {
        assert_eq!(tail.offset + tail.bytes, input.len() as u64, "{tail:?}");
        first.get_or_insert_with(|| label(&tail.defect));
    }
    assert!(reader.end_offset() <= input.len() as u64);
    first.unwrap_or_else(|| "Sound".into())
}

fn mend_records(input: &mut [u8]) {
    for block in input.chunks_mut(32_768) {
        let mut rest = block;
        while rest.len() >= 7 {
            let size = usize::from(rest[4]) + usize::from(rest[5]) * 256;
            let Some((record, behind)) = rest.split_at_mut_checked(7 + size) else { break };
            let crc = mask(crc32c(&record[6..]));
            record[..4].copy_from_slice(&crc.to_le_bytes());
            rest = behind;
        }
    }
}

fn payloads(is_wanted: &dyn Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for file in samples(is_wanted, 30_000) {
        let mut reader = reader(&file);
        while let Some(item) = reader.read_record().expect("memory can be read") {
            if let Item::Record { payload, .. } = item {
                payloads.push(payload.to_vec());
            }
        }
    }
    payloads.sort();
    payloads.dedup();
    // Most of them are alike.
    let step = payloads.len().div_ceil(60);
    payloads.into_iter().step_by(step).collect()
}

fn payloads_of_logs() -> Vec<Vec<u8>> {
    payloads(&is_log)
}

fn payloads_of_manifests() -> Vec<Vec<u8>> {
    payloads(&is_manifest)
}

fn decode_batch(input: &[u8]) -> String {
    match BatchView::parse(input) {
        Ok(batch) => {
            assert_eq!(batch.iter().count() as u64, u64::from(batch.count()));
            let bytes: usize = batch.iter().map(|op| op.key().len() + op.value().len()).sum();
            assert!(bytes <= input.len());
            "Sound".into()
        }
        Err(defect) => label(&defect),
    }
}

fn decode_edit(input: &[u8]) -> String {
    match VersionEdit::decode(input) {
        Ok(edit) => {
            let mut encoded = Vec::new();
            edit.encode(&mut encoded);
            assert_eq!(VersionEdit::decode(&encoded).as_ref(), Ok(&edit), "comes back");
            "Sound".into()
        }
        Err(defect) => label(&defect),
    }
}

fn small_tables() -> Vec<Vec<u8>> {
    samples(&is_table, 8 << 10)
}

fn decode_table(input: &[u8]) -> String {
    match read_table(input) {
        Ok(()) => "Sound".into(),
        Err(error) => label_of_error(&error),
    }
}

/// Reads a table in every way that there is. The first error.
fn read_table(input: &[u8]) -> Result<()> {
    let context = TableContext {
        order: InternalKeyComparator::bytewise(),
        filter_policy: Some(Arc::new(BloomFilter::new(10))),
        block_cache: None,
    };
    let file = || Box::new(Bytes(input.to_vec(), 0));
    let (size, path) = (input.len() as u64, Path::new(PATH));
    let table = Arc::new(Table::open(file(), size, path, &context)?);
    let mut error = table.filter_error().cloned();
    for verify_checksums in [true, false] {
        let reads = BlockReads { verify_checksums, fill_cache: false };
        let mut iter = table.iter(reads);
        let mut keys = Vec::new();
        iter.seek_to_first();
        while iter.valid() {
            keys.push(iter.key().to_vec());
            assert!(iter.value().len() <= 64 * input.len());
            iter.next();
        }
        error = error.or(iter.status().err());
        let mut iter = table.iter(reads);
        iter.seek_to_last();
        let mut left = 1_000;
        while iter.valid() && left > 0 {
            iter.prev();
            left -= 1;
        }
        error = error.or(iter.status().err());
        for key in keys.iter().step_by(keys.len().div_ceil(20).max(1)) {
            if ParsedInternalKey::parse(key).is_some() {
                error = error.or(table.get(key, reads).err());
            }
            table.iter(reads).seek(key);
        }
    }
    let layout = TableLayout::open(file(), size, path, context.order)?;
    let visited = layout.visit_metaindex(&mut |_, _| ());
    error.or(visited.err()).map_or(Ok(()), Err)
}

/// Checksums of the blocks that the footer and the index lead to, as far as they lead anywhere.
fn mend_table(input: &mut [u8]) {
    if input.len() < FOOTER_SIZE {
        return;
    }
    let magic = faultline::table::TABLE_MAGIC.to_le_bytes();
    let magic_start = input.len() - magic.len();
    input[magic_start..].copy_from_slice(&magic);
    let open = |input: &[u8]| {
        let (file, order) = (Box::new(Bytes(input.to_vec(), 0)), InternalKeyComparator::bytewise());
        TableLayout::open(file, input.len() as u64, Path::new(PATH), order).ok()
    };
    let Some(layout) = open(input) else { return };
    mend_block(input, layout.index());
    mend_block(input, layout.metaindex());
    let Some(layout) = open(input) else { return };
    let mut handles = Vec::new();
    layout.visit_metaindex(&mut |_, handle| handles.extend(handle)).ok();
    if let Ok(mut index) = layout.index_iter() {
        index.seek_to_first();
        while index.valid() {
            handles.extend(layout.handle_at(&index));
            index.next();
        }
    }
    for handle in handles {
        mend_block(input, handle);
    }
}

fn mend_block(input: &mut [u8], handle: BlockHandle) {
    let bounds = usize::try_from(handle.offset).ok().zip(usize::try_from(handle.size).ok());
    let Some((start, size)) = bounds else { return };
    let Some(rest) = input.get_mut(start..) else { return };
    let Some((covered, behind)) = rest.split_at_mut_checked(size.saturating_add(1)) else { return };
    if let Some(stored) = behind.first_chunk_mut::<4>() {
        *stored = mask(crc32c(covered)).to_le_bytes();
    }
}

fn filters() -> Vec<Vec<u8>> {
    let keys = [&b"hello"[..], b"world", b"", b"key000001"];
    let make = |count: usize| {
        let mut filter = Vec::new();
        BloomFilter::new(10).create_filter(&keys[..count], &mut filter);
        filter
    };
    (0..=keys.len()).map(make).collect()
}

fn ask_filter(input: &[u8]) -> String {
    // What it says of other bytes is its business; that it says something is ours.
    let policy = BloomFilter::new(10);
    for key in [&b"hello"[..], b"", &[0xff; 100]] {
        policy.key_may_match(key, input);
    }
    "Sound".into()
}

fn names() -> Vec<Vec<u8>> {
    let names = ["MANIFEST-000002\n", "MANIFEST-18446744073709551615\n", "MANIFEST-1000000\n"];
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn decode_name(input: &[u8]) -> String {
    parse_file_name(OsStr::from_bytes(input));
    parse_current(input).map_or("Refused", |_| "Sound").into()
}
