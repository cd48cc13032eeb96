//! Looking up one key, and looking at every entry.
//!
//! Source: LevelDB `DBImpl::Get`, `Version::Get` and `DBImpl::NewInternalIterator`. Differs: no
//! seek is charged to any table.

use std::sync::Arc;

use super::pins::ViewPin;
use super::snapshot::Snapshot;
use super::state::{Inner, View};
use crate::env::Env;
use crate::error::Result;
use crate::iterator::{InternalIterator, corrupted_key};
use crate::key::{ParsedInternalKey, SequenceNumber, ValueType};
use crate::level_iterator::LevelIterator;
use crate::merging::MergingIterator;
use crate::options::{Options, ReadOptions};
use crate::table::BlockReads;
use crate::table_cache::TableCache;
use crate::value::{Found, Value};
use crate::version::edit::LEVEL_COUNT;
use crate::version::{Version, lookup_key};

/// Who is shown entries: user key, sequence number, type and value.
pub type EntryVisitor<'a> = dyn FnMut(&[u8], SequenceNumber, ValueType, &[u8]) + 'a;

impl<E: Env> Inner<E> {
    /// The value of `key` in the state that `options` name.
    pub(super) fn get(&self, key: &[u8], options: &ReadOptions) -> Result<Option<Value>> {
        let view = ViewPin::new(self)?;
        let sequence = options.snapshot.as_ref().map_or(view.sequence(), Snapshot::sequence);
        for memtable in core::iter::once(&view.mem).chain(&view.imm) {
            match memtable.find(key, sequence) {
                Found::Value(value) => return Ok(Some(value)),
                // Not "look further": there may be an older value below.
                Found::Deleted => return Ok(None),
                Found::Absent => {}
            }
        }
        let lookup = lookup_key(key, sequence);
        for file in view.version.candidates(&lookup, &self.order) {
            match self.tables.get(file, &lookup, options.block_reads())? {
                Found::Value(value) => return Ok(Some(value)),
                Found::Deleted => return Ok(None),
                Found::Absent => {}
            }
        }
        Ok(None)
    }

    /// A cursor over every entry of `view`, newest memtable first, its tables those of `tables`.
    pub(super) fn merge(
        &self,
        view: &View<E::Threads>,
        tables: &Arc<TableCache<E>>,
        reads: BlockReads,
    ) -> Result<MergingIterator> {
        let mut children: Vec<Box<dyn InternalIterator>> = Vec::new();
        for memtable in core::iter::once(&view.mem).chain(&view.imm) {
            children.push(Box::new(memtable.iter()));
        }
        self.add_tables(&view.version, tables, reads, &mut children)?;
        Ok(MergingIterator::new(self.order.clone(), children))
    }

    /// Adds a cursor for each table of level 0 of `version`, newest first, and for each deeper
    /// level.
    pub(super) fn add_tables(
        &self,
        version: &Arc<Version>,
        tables: &Arc<TableCache<E>>,
        reads: BlockReads,
        children: &mut Vec<Box<dyn InternalIterator>>,
    ) -> Result<()> {
        let mut level0: Vec<_> = version.level(0).iter().collect();
        level0.sort_unstable_by_key(|file| core::cmp::Reverse(file.number));
        for file in level0 {
            children.push(Box::new(tables.cursor(file, reads)?));
        }
        for level in 1..LEVEL_COUNT {
            if !version.level(level).is_empty() {
                let (tables, version) = (Arc::clone(tables), Arc::clone(version));
                let order = self.order.clone();
                children.push(Box::new(LevelIterator::new(tables, order, version, level, reads)));
            }
        }
        Ok(())
    }

    /// Shows every published entry to `visit`, in internal-key order. Opens tables of its own: who
    /// reads after it finds the caches as they were.
    pub(super) fn visit_entries(&self, visit: &mut EntryVisitor<'_>) -> Result<()> {
        let view = ViewPin::new(self)?;
        let reads = BlockReads { verify_checksums: true, fill_cache: false };
        let (env, dir, order) = (self.env.clone(), self.dir.clone(), self.order.clone());
        let options =
            Options { block_cache: None, block_cache_capacity: 0, ..self.options.clone() };
        let tables = Arc::new(TableCache::new(env, dir, order, &options));
        let mut entries = self.merge(&view, &tables, reads)?;
        entries.seek_to_first();
        while entries.valid() {
            let Some(key) = ParsedInternalKey::parse(entries.key()) else {
                return Err(corrupted_key(&entries));
            };
            // What is in the memtable and not published is a group on its way.
            if key.sequence <= view.sequence() {
                visit(key.user_key, key.sequence, key.value_type, entries.value());
            }
            entries.next();
        }
        entries.status()
    }
}
