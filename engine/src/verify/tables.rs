//! Checking tables: block by block, entry by entry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Scope, VerifyReport};
use crate::codec::to_u64;
use crate::env::Env;
use crate::error::{Defect, Error, Result};
use crate::filename::{FileKind, legacy_table_file_name, table_file_name};
use crate::iterator::InternalIterator;
use crate::key::{MAX_SEQUENCE, ParsedInternalKey, SequenceNumber};
use crate::table::{
    BlockHandle, BlockIter, BloomFilter, FOOTER_SIZE, FilterPolicy, TableFilters, TableLayout,
};
use crate::version::edit::FileMetaData;

/// What is known of a table while it is read.
struct Walk<'a> {
    path: &'a Path,
    layout: TableLayout,
    filters: Vec<TableFilters>,
    last_sequence: SequenceNumber,
    /// The first key read, and the last one so far.
    first: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
    /// Whether all blocks so far could be read to their end.
    is_whole: bool,
}

impl<E: Env> Scope<'_, E> {
    /// Checks a table against what the MANIFEST says of it.
    pub(super) fn check_table_of_version(
        &self,
        table: &FileMetaData,
        files: &BTreeSet<FileKind>,
        last_sequence: SequenceNumber,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let path = if files.contains(&FileKind::Table(table.number)) {
            table_file_name(self.dir, table.number)
        } else if files.contains(&FileKind::LegacyTable(table.number)) {
            legacy_table_file_name(self.dir, table.number)
        } else {
            let path = table_file_name(self.dir, table.number);
            return report.damage(other(&path, 0, "is missing"));
        };
        let size = self.env.size(&path)?;
        if size != table.size {
            let words = format!("has {size} bytes; the MANIFEST says {}", table.size);
            report.damage(other(&path, size.min(table.size), &words))?;
        }
        let Some(walk) = self.check_table(&path, size, last_sequence, report)? else {
            return Ok(());
        };
        let ends = [("first", walk.first, &table.smallest), ("last", walk.last, &table.largest)];
        for (what, found, expected) in ends {
            if walk.is_whole && found.as_ref() != Some(expected) {
                let shown = |key: &[u8]| key.escape_ascii().to_string();
                let found = found.as_deref().map_or("none".to_owned(), shown);
                let words =
                    format!("its {what} key is {found}; the MANIFEST says {}", shown(expected));
                report.damage(other(&path, 0, &words))?;
            }
        }
        Ok(())
    }

    /// Checks every table in the directory, where no MANIFEST tells which belong to the database.
    pub(super) fn check_loose_tables(
        &self,
        files: &BTreeSet<FileKind>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let path = |kind: &FileKind| -> Option<PathBuf> {
            match kind {
                FileKind::Table(number) => Some(table_file_name(self.dir, *number)),
                FileKind::LegacyTable(number) => Some(legacy_table_file_name(self.dir, *number)),
                _ => None,
            }
        };
        for path in files.iter().filter_map(path) {
            let size = self.env.size(&path)?;
            self.check_table(&path, size, MAX_SEQUENCE, report)?;
        }
        Ok(())
    }

    /// Reads a table from end to end. `None` if its data blocks could not be found.
    fn check_table<'p>(
        &self,
        path: &'p Path,
        size: u64,
        last_sequence: SequenceNumber,
        report: &mut VerifyReport,
    ) -> Result<Option<Walk<'p>>> {
        report.tables += 1;
        let file = self.env.open_random_access(path)?;
        let layout = match TableLayout::open(file, size, path, self.order.clone()) {
            Ok(layout) => layout,
            Err(error) => return report.damage(readable(error)).map(|()| None),
        };
        if !layout.is_footer_exact()? {
            let words = "its footer is padded with something";
            report.damage(other(path, size.saturating_sub(to_u64(FOOTER_SIZE)), words))?;
        }
        let filters = self.filters(&layout, report)?;
        let index = match layout.index_iter() {
            Ok(index) => index,
            Err(error) => return report.damage(readable(error)).map(|()| None),
        };
        let (first, last) = (None, None);
        let mut walk = Walk { path, layout, filters, last_sequence, first, last, is_whole: true };
        self.check_blocks(&mut walk, index, report)?;
        Ok(Some(walk))
    }

    /// The filters of the policies that are known here.
    fn filters(
        &self,
        layout: &TableLayout,
        report: &mut VerifyReport,
    ) -> Result<Vec<TableFilters>> {
        let builtin: Arc<dyn FilterPolicy> = Arc::new(BloomFilter::new(10));
        let given =
            self.options.filter_policy.iter().filter(|given| given.name() != builtin.name());
        let mut filters = Vec::new();
        for policy in given.chain([&builtin]) {
            match layout.filters(policy) {
                Ok(found) => filters.extend(found),
                Err(error) => {
                    report.damage(readable(error))?;
                    // What is wrong with the metaindex is said once.
                    break;
                }
            }
        }
        Ok(filters)
    }

    fn check_blocks(
        &self,
        walk: &mut Walk<'_>,
        mut index: BlockIter,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let mut separator: Option<Vec<u8>> = None;
        index.seek_to_first();
        while index.valid() {
            let handle = walk.layout.handle_at(&index);
            let checked = handle.and_then(|handle| {
                let block = walk.layout.data_block(handle)?;
                self.check_block(walk, handle, block, separator.as_deref(), index.key(), report)
            });
            match checked {
                Ok(()) => report.blocks += 1,
                Err(error) => {
                    walk.is_whole = false;
                    report.damage(readable(error))?;
                }
            }
            if separator
                .as_ref()
                .is_some_and(|before| self.order.compare(before, index.key()).is_ge())
            {
                let offset = walk.layout.index().offset;
                report.damage(other(walk.path, offset, "keys of the index do not ascend"))?;
            }
            separator = Some(index.key().to_vec());
            index.next();
        }
        if let Err(error) = index.status() {
            walk.is_whole = false;
            report.damage(readable(error))?;
        }
        Ok(())
    }

    /// Checks a block between two keys of the index: above `after`, at or below `up_to`.
    ///
    /// # Errors
    /// The first thing wrong with it.
    fn check_block(
        &self,
        walk: &mut Walk<'_>,
        handle: BlockHandle,
        mut block: BlockIter,
        after: Option<&[u8]>,
        up_to: &[u8],
        report: &mut VerifyReport,
    ) -> Result<()> {
        let bad = |block: &BlockIter, words: &str| other(walk.path, block.file_offset(), words);
        block.seek_to_first();
        while block.valid() {
            let key = block.key();
            let Some(parsed) = ParsedInternalKey::parse(key) else {
                return Err(bad(&block, "a key is no internal key"));
            };
            if walk.last.as_ref().is_some_and(|last| self.order.compare(last, key).is_ge()) {
                return Err(bad(&block, "keys do not ascend"));
            }
            let is_below = after.is_some_and(|after| self.order.compare(key, after).is_le());
            if is_below || self.order.compare(key, up_to).is_gt() {
                return Err(bad(&block, "a key is not where the index says"));
            }
            if parsed.sequence > walk.last_sequence {
                let words =
                    format!("sequence {} is above the last of the MANIFEST", parsed.sequence);
                return Err(bad(&block, &words));
            }
            let mut filters = walk.filters.iter();
            if !filters.all(|filter| filter.key_may_match(handle.offset, parsed.user_key)) {
                return Err(bad(&block, "a filter denies a key"));
            }
            report.entries += 1;
            let last = walk.last.get_or_insert_default();
            last.clear();
            last.extend_from_slice(key);
            walk.first.get_or_insert_with(|| key.to_vec());
            block.next();
        }
        block.status()
    }
}

fn other(path: &Path, offset: u64, words: &str) -> Error {
    Error::corruption(path, offset, Defect::Other(words.into()))
}

/// A block in a form that is not read here is as good as damaged: nobody can vouch for it.
fn readable(error: Error) -> Error {
    match error {
        Error::NotSupported { path, .. } => {
            other(&path, 0, "a block is compressed with zstd, which is not read here")
        }
        error => error,
    }
}
