//! The filter block: the filters of a table, one for each stretch of 2 KiB in which data blocks
//! start.
//!
//! ```text
//! +---------+-------------------------+------------------------+---------+
//! | filters | fixed32 offset ... of   | fixed32 offset of that | 1-byte  |
//! |         | each filter             | array                  | base_lg |
//! +---------+-------------------------+------------------------+---------+
//! ```
//!
//! Filter `i` is for the data blocks whose offset in the file is in `[i << 11, (i + 1) << 11)`;
//! where none starts it is empty. `base_lg` is 11.
//!
//! The filters only save reads. So whatever of this block does not make sense answers "may match";
//! what a filter says is the policy's business.
//!
//! Source: LevelDB `table/filter_block.cc`. Differs: keys are user keys here, not internal ones
//! behind a policy that cuts them.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use std::sync::Arc;

use super::filter_policy::FilterPolicy;
use crate::codec::{Decoder, put_fixed32, to_usize};
use crate::error::{Error, Result};

/// Bytes of the file that one filter is for, as a power of 2.
// Never change: written to disk.
const BASE_LG: u8 = 11;

/// Bytes behind the offsets: where they start, and `base_lg`.
const TRAILER_SIZE: usize = 5;

/// The contents of a filter block in the making.
#[derive(Debug)]
pub(super) struct FilterBlockBuilder {
    policy: Arc<dyn FilterPolicy>,
    // The keys since the last filter, one behind the other, and where each starts.
    keys: Vec<u8>,
    starts: Vec<usize>,
    filters: Vec<u8>,
    offsets: Vec<u32>,
}

impl FilterBlockBuilder {
    pub(super) fn new(policy: Arc<dyn FilterPolicy>) -> Self {
        let (keys, starts) = (Vec::new(), Vec::new());
        FilterBlockBuilder { policy, keys, starts, filters: Vec::new(), offsets: Vec::new() }
    }

    pub(super) fn policy(&self) -> &dyn FilterPolicy {
        &*self.policy
    }

    /// The keys from here on are in a data block that starts at `offset`. Offsets ascend.
    pub(super) fn start_block(&mut self, offset: u64) -> Result<()> {
        let index = offset >> BASE_LG;
        let index = usize::try_from(index).map_err(|_too_wide| too_large())?;
        while self.offsets.len() < index {
            self.end_filter()?;
        }
        Ok(())
    }

    pub(super) fn add_key(&mut self, user_key: &[u8]) {
        self.starts.push(self.keys.len());
        self.keys.extend_from_slice(user_key);
    }

    fn end_filter(&mut self) -> Result<()> {
        self.offsets.push(self.filters_size()?);
        if self.starts.is_empty() {
            return Ok(());
        }
        let ends = self.starts.iter().skip(1).copied().chain([self.keys.len()]);
        let keys: Vec<&[u8]> = self
            .starts
            .iter()
            .zip(ends)
            .map(|(&start, end)| self.keys.get(start..end).unwrap_or_default())
            .collect();
        self.policy.create_filter(&keys, &mut self.filters);
        self.keys.clear();
        self.starts.clear();
        Ok(())
    }

    fn filters_size(&self) -> Result<u32> {
        u32::try_from(self.filters.len()).map_err(|_too_wide| too_large())
    }

    /// Completes the contents.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        if !self.starts.is_empty() {
            self.end_filter()?;
        }
        let offsets_start = self.filters_size()?;
        let mut contents = self.filters;
        for offset in self.offsets {
            put_fixed32(&mut contents, offset);
        }
        put_fixed32(&mut contents, offsets_start);
        contents.push(BASE_LG);
        Ok(contents)
    }
}

fn too_large() -> Error {
    Error::invalid("the filters of a table must stay below 4 GiB")
}

/// The contents of a filter block, and whom to ask about them.
pub(super) struct FilterBlock {
    policy: Arc<dyn FilterPolicy>,
    contents: Vec<u8>,
    // Invariant: filters are in front of it; `filter_count` offsets, and one more, follow it.
    offsets_start: usize,
    filter_count: usize,
    base_lg: u32,
}

impl FilterBlock {
    /// Takes the contents of a filter block that was made with `policy`, if they can be one.
    pub(super) fn parse(policy: Arc<dyn FilterPolicy>, contents: Vec<u8>) -> Option<Self> {
        let trailer_start = contents.len().checked_sub(TRAILER_SIZE)?;
        let mut trailer = Decoder::new(contents.get(trailer_start..)?);
        let offsets_start = to_usize(trailer.fixed32()?);
        let base_lg = u32::from(trailer.byte()?);
        let filter_count = trailer_start.checked_sub(offsets_start)? / 4;
        Some(FilterBlock { policy, contents, offsets_start, filter_count, base_lg })
    }

    /// Whether the data block at `offset` may hold an entry of `user_key`.
    pub(super) fn key_may_match(&self, offset: u64, user_key: &[u8]) -> bool {
        match self.filter(offset) {
            Some(filter) => self.policy.key_may_match(user_key, filter),
            None => true,
        }
    }

    fn filter(&self, offset: u64) -> Option<&[u8]> {
        let index = usize::try_from(offset.checked_shr(self.base_lg)?).ok()?;
        if index >= self.filter_count {
            return None;
        }
        // The last filter ends where the array starts, which is what follows the array.
        let mut offsets = Decoder::new(self.contents.get(self.offsets_start + index * 4..)?);
        let (start, end) = (to_usize(offsets.fixed32()?), to_usize(offsets.fixed32()?));
        self.contents.get(..self.offsets_start)?.get(start..end)
    }
}

impl fmt::Debug for FilterBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FilterBlock");
        shown.field("policy", &self.policy).field("size", &self.contents.len());
        shown.finish_non_exhaustive()
    }
}
