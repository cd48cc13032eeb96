//! [`TableLayout`]: where the blocks of a table are and what each of them holds, for tools that
//! show or check a table.
//!
//! Reads every block anew, with its checksum, and keeps none. Unlike [`super::Table`] it tells
//! where things are, and one damaged block keeps nobody from the next.
//!
//! Source: LevelDB `db/dumpfile.cc` shows the entries of a table, without the blocks.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use std::path::Path;
use std::sync::Arc;

use super::block::{Block, BlockIter};
use super::builder::filter_key;
use super::filter_block::FilterBlock;
use super::filter_policy::FilterPolicy;
use super::format::{BlockHandle, Footer, TableFile};
use crate::codec::{Decoder, to_u64};
use crate::env::RandomAccessFile;
use crate::error::{Defect, Result};
use crate::iterator::InternalIterator as _;
use crate::key::InternalKeyComparator;

/// A table of which nothing is known but its footer.
pub struct TableLayout {
    file: Box<dyn RandomAccessFile>,
    size: u64,
    path: Arc<Path>,
    order: InternalKeyComparator,
    footer: Footer,
}

impl TableLayout {
    /// Reads the footer of the table in `file`, which has `size` bytes. `path` is for messages.
    ///
    /// # Errors
    /// `Corruption` if the file has none; that of the file.
    pub fn open(
        file: Box<dyn RandomAccessFile>,
        size: u64,
        path: &Path,
        order: InternalKeyComparator,
    ) -> Result<Self> {
        let path: Arc<Path> = path.into();
        let footer = TableFile { file: &*file, size, path: &path }.read_footer()?;
        Ok(TableLayout { file, size, path, order, footer })
    }

    /// Whether the footer is, to the bit, what a writer makes of its two handles: readers pass
    /// over the padding behind them.
    ///
    /// # Errors
    /// That of the file.
    pub fn is_footer_exact(&self) -> Result<bool> {
        let mut exact = Vec::new();
        self.footer.encode(&mut exact);
        let mut stored = vec![0; exact.len()];
        self.file.read_at(self.size.saturating_sub(to_u64(exact.len())), &mut stored)?;
        Ok(stored == exact)
    }

    /// Where the metaindex is.
    pub fn metaindex(&self) -> BlockHandle {
        self.footer.metaindex
    }

    /// Where the index is.
    pub fn index(&self) -> BlockHandle {
        self.footer.index
    }

    /// Shows the entries of the metaindex: the name of each block beside the data, and where that
    /// block is, if the entry tells.
    ///
    /// # Errors
    /// `Corruption` if the metaindex is damaged; `NotSupported` if it is compressed in a way that
    /// is not read here; that of the file.
    pub fn visit_metaindex(&self, visit: &mut dyn FnMut(&[u8], Option<BlockHandle>)) -> Result<()> {
        self.block(self.footer.metaindex)?.visit_names(&mut |name, value| {
            visit(name, BlockHandle::decode(&mut Decoder::new(value)));
            true
        })
    }

    /// A cursor over the index, not positioned: keys that separate the data blocks, with handles
    /// for [`TableLayout::handle_at`].
    ///
    /// # Errors
    /// As for [`TableLayout::visit_metaindex`], of the index.
    pub fn index_iter(&self) -> Result<BlockIter> {
        self.data_block(self.footer.index)
    }

    /// The data block that the index entry under the cursor leads to.
    ///
    /// # Errors
    /// `Corruption` if it leads nowhere.
    pub fn handle_at(&self, index: &BlockIter) -> Result<BlockHandle> {
        BlockHandle::decode(&mut Decoder::new(index.value()))
            .ok_or_else(|| self.source().corruption(index.file_offset(), Defect::BadBlockHandle))
    }

    /// A cursor over a data block, not positioned.
    ///
    /// # Errors
    /// As for [`TableLayout::visit_metaindex`], of that block.
    pub fn data_block(&self, handle: BlockHandle) -> Result<BlockIter> {
        Ok(Arc::new(self.block(handle)?).iter(self.order.clone()))
    }

    /// The filters that were made with `policy`, if there are any.
    ///
    /// # Errors
    /// As for [`TableLayout::visit_metaindex`], of the block of filters too.
    pub fn filters(&self, policy: &Arc<dyn FilterPolicy>) -> Result<Option<TableFilters>> {
        let (wanted, mut found) = (filter_key(&**policy), None);
        self.visit_metaindex(&mut |name, handle| {
            if name == wanted {
                found = Some(handle);
            }
        })?;
        let Some(handle) = found else { return Ok(None) };
        let bad = |offset, defect| self.source().corruption(offset, defect);
        let handle =
            handle.ok_or_else(|| bad(self.footer.metaindex.offset, Defect::BadBlockHandle))?;
        let contents = self.source().read_block(handle, true)?;
        let filters = FilterBlock::parse(Arc::clone(policy), contents);
        let filters = filters.ok_or_else(|| bad(handle.offset, Defect::BadBlockContents))?;
        Ok(Some(TableFilters(filters)))
    }

    fn block(&self, handle: BlockHandle) -> Result<Block> {
        let contents = self.source().read_block(handle, true)?;
        Block::parse(contents, Arc::clone(&self.path), handle.offset, true)
    }

    fn source(&self) -> TableFile<'_> {
        TableFile { file: &*self.file, size: self.size, path: &self.path }
    }
}

impl fmt::Debug for TableLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TableLayout");
        shown.field("path", &self.path).field("footer", &self.footer).finish_non_exhaustive()
    }
}

/// The filters of a table.
#[derive(Debug)]
pub struct TableFilters(FilterBlock);

impl TableFilters {
    /// Whether the data block at `offset` may hold an entry of `user_key`, as far as they know.
    pub fn key_may_match(&self, offset: u64, user_key: &[u8]) -> bool {
        self.0.key_may_match(offset, user_key)
    }
}
