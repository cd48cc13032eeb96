//! [`BlockBuilder`]: puts the contents of a block together. The layout is drawn in the module
//! above.
//!
//! Does not know what keys mean: their order is the caller's business.
//!
//! Source: LevelDB `table/block_builder.cc`.

use crate::codec::{put_fixed32, put_varint32};
use crate::error::{Error, Result};

/// The contents of one block in the making.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    restart_interval: usize,
    contents: Vec<u8>,
    // Invariant: ascending offsets of entries whose key is stored whole; the first is 0.
    restarts: Vec<u32>,
    // Entries since the last restart.
    since_restart: usize,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    /// A key is stored whole every `restart_interval` entries, of which there is at least one.
    pub(super) fn new(restart_interval: usize) -> Self {
        BlockBuilder {
            restart_interval: restart_interval.max(1),
            contents: Vec::new(),
            restarts: vec![0],
            since_restart: 0,
            last_key: Vec::new(),
        }
    }

    /// Adds an entry, or refuses it and changes nothing.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let is_restart = self.since_restart == self.restart_interval;
        let too_long = || Error::invalid("keys, values and blocks must stay below 4 GiB");
        let size = |bytes: usize| u32::try_from(bytes).map_err(|_too_wide| too_long());
        let (offset, key_size) = (size(self.contents.len())?, size(key.len())?);
        let value_size = size(value.len())?;
        let shared = if is_restart { 0 } else { shared_prefix(&self.last_key, key) };
        let shared_size = size(shared)?;
        let (_, unshared) = key.split_at(shared);

        if is_restart {
            self.restarts.push(offset);
            self.since_restart = 0;
        }
        put_varint32(&mut self.contents, shared_size);
        put_varint32(&mut self.contents, key_size - shared_size);
        put_varint32(&mut self.contents, value_size);
        self.contents.extend_from_slice(unshared);
        self.contents.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(unshared);
        self.since_restart += 1;
        Ok(())
    }

    /// Size of the contents, were the block finished now.
    pub(super) fn size_estimate(&self) -> usize {
        self.contents.len() + 4 * self.restarts.len() + 4
    }

    pub(super) fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// Completes the contents and starts the next block.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        for &restart in &self.restarts {
            put_fixed32(&mut self.contents, restart);
        }
        let count = u32::try_from(self.restarts.len()).expect("restarts have distinct offsets");
        put_fixed32(&mut self.contents, count);
        self.restarts.truncate(1);
        self.since_restart = 0;
        self.last_key.clear();
        core::mem::take(&mut self.contents)
    }
}

/// Length of the longest prefix that both have.
fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
