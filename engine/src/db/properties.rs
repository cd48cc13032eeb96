//! What LevelDB tells as text, by name: [`Db::property`](super::Db::property), and how much room a
//! range of keys takes.
//!
//! Source: LevelDB `DBImpl::{GetProperty, GetApproximateSizes}`, `Version::DebugString`. Differs:
//! the same numbers are there as numbers, in [`super::Metrics`]; an error of reading a table is
//! returned, where LevelDB counts the table as nothing.

use core::fmt::Write;
use core::ops::Range;

use super::metrics::Metrics;
use super::pins::ViewPin;
use super::state::Inner;
use crate::env::Env;
use crate::error::Result;
use crate::key::{InternalKeyComparator, MAX_SEQUENCE, ParsedInternalKey};
use crate::table_cache::TableCache;
use crate::version::edit::LEVEL_COUNT;
use crate::version::{Version, lookup_key};

const MIB: f64 = 1_048_576.0;
/// What writing to a string is.
const INFALLIBLE: &str = "a string takes all that is written to it";

impl<E: Env> Inner<E> {
    /// The property `name`; `None` if there is none of that name.
    pub(super) fn property(&self, name: &str) -> Result<Option<String>> {
        let Some(name) = name.strip_prefix("leveldb.") else { return Ok(None) };
        if let Some(level) = name.strip_prefix("num-files-at-level") {
            let metrics = self.metrics()?;
            let level: Option<usize> = level.parse().ok();
            let level = level.and_then(|level| metrics.levels.get(level));
            return Ok(level.map(|level| level.files.to_string()));
        }
        Ok(match name {
            "stats" => Some(stats(&self.metrics()?)),
            "sstables" => Some(tables(&ViewPin::new(self)?.version)),
            "approximate-memory-usage" => {
                let metrics = self.metrics()?;
                let cached = metrics.block_cache.map_or(0, |cache| cache.charge as u64);
                Some((cached + metrics.memtable_size).to_string())
            }
            _ => None,
        })
    }

    /// About how many bytes of tables each range of user keys takes.
    pub(super) fn approximate_sizes(&self, ranges: &[Range<&[u8]>]) -> Result<Vec<u64>> {
        let view = ViewPin::new(self)?;
        let offset = |key| offset_of(&view.version, key, &self.tables, &self.order);
        ranges
            .iter()
            .map(|range| Ok(offset(range.end)?.saturating_sub(offset(range.start)?)))
            .collect()
    }
}

/// About how many bytes of the tables of `version` come before `key`.
fn offset_of<E: Env>(
    version: &Version,
    key: &[u8],
    tables: &TableCache<E>,
    order: &InternalKeyComparator,
) -> Result<u64> {
    let lookup = lookup_key(key, MAX_SEQUENCE);
    let mut offset = 0;
    for (_, file) in version.files() {
        if order.compare(&file.largest, &lookup).is_le() {
            offset += file.size;
        } else if order.compare(&file.smallest, &lookup).is_lt() {
            offset += tables.table(file)?.approximate_offset_of(&lookup);
        }
    }
    Ok(offset)
}

fn stats(metrics: &Metrics) -> String {
    let mut text = String::from(
        "                               Compactions\n\
         Level  Files Size(MB) Time(sec) Read(MB) Write(MB)\n\
         --------------------------------------------------\n",
    );
    for (number, level) in metrics.levels.iter().enumerate() {
        if level.files == 0 && level.time.is_zero() {
            continue;
        }
        let [size, read, written] =
            [level.size, level.bytes_read, level.bytes_written].map(|bytes| bytes as f64 / MIB);
        let (files, seconds) = (level.files, level.time.as_secs_f64());
        writeln!(text, "{number:3} {files:8} {size:8.0} {seconds:9.0} {read:8.0} {written:9.0}")
            .expect(INFALLIBLE);
    }
    text
}

fn tables(version: &Version) -> String {
    let mut text = String::new();
    for level in 0..LEVEL_COUNT {
        writeln!(text, "--- level {level} ---").expect(INFALLIBLE);
        for file in version.level(level) {
            writeln!(
                text,
                " {}:{}[{} .. {}]",
                file.number,
                file.size,
                words(&file.smallest),
                words(&file.largest)
            )
            .expect(INFALLIBLE);
        }
    }
    text
}

fn words(internal_key: &[u8]) -> String {
    match ParsedInternalKey::parse(internal_key) {
        Some(key) => {
            let (user_key, sequence) = (key.user_key.escape_ascii(), key.sequence);
            format!("'{user_key}' @ {sequence} : {}", key.value_type.to_byte())
        }
        None => format!("(bad){}", internal_key.escape_ascii()),
    }
}
