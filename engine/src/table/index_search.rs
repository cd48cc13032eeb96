//! [`IndexSearch`]: eight bytes of each key of an index block, side by side, so that a search
//! touches a few cache lines instead of two for each step.
//!
//! ```text
//! separators   user/000017..  user/000039..  user/000052..      in the index block
//! prefix       user/                                         what they all start with
//! heads        "000017.."     "000039.."     "000052.."         as numbers, big end first
//! ```
//!
//! It narrows a search down and decides nothing: the keys themselves are compared wherever their
//! heads are equal. For plain byte order only. It costs 8 bytes for each data block of an open
//! table. LevelDB has nothing like it.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use core::ops::RangeInclusive;
use std::sync::Arc;

use super::block::Block;
use crate::iterator::InternalIterator;
use crate::key::{InternalKeyComparator, user_key};

/// The heads of the keys of one index block.
pub(super) struct IndexSearch {
    prefix: Vec<u8>,
    // Ascending, as the keys are.
    heads: Vec<u64>,
}

impl IndexSearch {
    /// For `index`, if its keys are in plain byte order and each is stored whole.
    pub(super) fn new(index: &Arc<Block>, order: &InternalKeyComparator) -> Option<Self> {
        if !order.is_bytewise() {
            return None;
        }
        let mut cursor = index.iter(order.clone());
        cursor.seek_to_last();
        let last = cursor.valid().then(|| user_key(cursor.key()).to_vec())?;
        cursor.seek_to_first();
        let first = user_key(cursor.key());
        let shared = first.iter().zip(&last).take_while(|(a, b)| a == b);
        let prefix: Vec<u8> = shared.map(|(&byte, _)| byte).collect();
        let mut heads = Vec::with_capacity(index.restart_count());
        while cursor.valid() {
            heads.push(head(user_key(cursor.key()), prefix.len()));
            cursor.next();
        }
        // What is wrong with a block that ends early is for its readers to find.
        (heads.len() == index.restart_count()).then_some(IndexSearch { prefix, heads })
    }

    /// Among which entries the first at or after `internal_key` is, if there is one at all. `None`
    /// if that would take more than the heads.
    pub(super) fn narrow(&self, internal_key: &[u8]) -> Option<RangeInclusive<usize>> {
        let key = user_key(internal_key);
        if !key.starts_with(&self.prefix) {
            return None;
        }
        let sought = head(key, self.prefix.len());
        let first = self.heads.partition_point(|&head| head < sought);
        let behind = self.heads.get(first..).unwrap_or_default();
        let is_equal = |head: &u64| *head == sought;
        let equal =
            if behind.first().is_some_and(is_equal) { behind.partition_point(is_equal) } else { 0 };
        Some(first..=first + equal)
    }
}

/// The eight bytes of `key` from `skip` on, zeros behind its end: in order wherever they differ.
fn head(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    let mut first = [0; 8];
    if let Some(whole) = rest.first_chunk() {
        first = *whole;
    } else {
        first.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
    }
    u64::from_le_bytes(first).swap_bytes()
}

impl fmt::Debug for IndexSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("IndexSearch");
        shown.field("heads", &self.heads.len()).finish_non_exhaustive()
    }
}
