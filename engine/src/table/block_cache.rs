//! [`BlockCache`]: data blocks that were read lately, for the tables of one database or of several.
//!
//! Sixteen parts by a hash of the key, each with a lock of its own, under which nothing is read and
//! nothing is awaited. Blocks are charged with the bytes of their contents, uncompressed. A block
//! that someone uses may leave the cache; it is freed when its last user lets go.
//!
//! Source: LevelDB `util/cache.cc`, `ShardedLRUCache`, and `Table::BlockReader`.

use core::fmt;
use std::sync::Arc;

use super::block::Block;
use crate::env::{Atomic, AtomicInt, Env, Mutex, Threads};
use crate::lru::{Lru, LruKey, spread};

/// The parts, as a power of 2.
const SHARD_BITS: u32 = 4;
const SHARD_COUNT: usize = 1 << SHARD_BITS;

/// A cache of data blocks. Clones share it, and so do the databases whose
/// [`crate::Options::block_cache`] it is.
#[derive(Clone)]
pub struct BlockCache(Arc<dyn Shared>);

/// How a cache is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCacheStats {
    /// What it may hold, in bytes.
    pub capacity: usize,
    /// What it holds, in bytes.
    pub charge: usize,
    /// How many blocks that is.
    pub blocks: usize,
    /// Lookups that found their block, since the cache was made.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Blocks that had to leave to make room.
    pub evictions: u64,
}

/// A block: the number that its table got from the cache, and its offset there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockKey {
    pub(super) table: u64,
    pub(super) offset: u64,
}

impl LruKey for BlockKey {
    fn hash(self) -> u64 {
        spread(spread(self.table) ^ self.offset)
    }
}

#[derive(Debug)]
struct Shard {
    blocks: Lru<BlockKey, Arc<Block>>,
    hits: u64,
    misses: u64,
    evictions: u64,
}

/// The cache, whatever the world its locks are of.
trait Shared: Send + Sync {
    fn new_table_number(&self) -> u64;
    fn get(&self, key: BlockKey) -> Option<Arc<Block>>;
    fn insert(&self, key: BlockKey, block: &Arc<Block>);
    fn stats(&self) -> BlockCacheStats;
}

struct Parts<R: Threads> {
    shards: [Mutex<R, Shard>; SHARD_COUNT],
    capacity: usize,
    last_table_number: R::AtomicU64,
}

fn shard_capacity(capacity: usize) -> usize {
    capacity.div_ceil(SHARD_COUNT)
}

impl<R: Threads> Parts<R> {
    #[expect(clippy::as_conversions, reason = "four bits")]
    #[expect(clippy::indexing_slicing, reason = "the key's hash, not a byte from disk")]
    fn shard(&self, key: BlockKey) -> &Mutex<R, Shard> {
        // The high bits: the low ones choose the place within the shard.
        &self.shards[(key.hash() >> (64 - SHARD_BITS)) as usize]
    }
}

impl<R: Threads> Shared for Parts<R> {
    fn new_table_number(&self) -> u64 {
        self.last_table_number.fetch_add(1)
    }

    fn get(&self, key: BlockKey) -> Option<Arc<Block>> {
        let mut shard = self.shard(key).lock();
        let found = shard.blocks.get(key).cloned();
        match &found {
            Some(_) => shard.hits += 1,
            None => shard.misses += 1,
        }
        found
    }

    fn insert(&self, key: BlockKey, block: &Arc<Block>) {
        if block.size() > shard_capacity(self.capacity) {
            // It would drive out all others, and then itself.
            return;
        }
        let mut shard = self.shard(key).lock();
        drop(shard.blocks.insert(key, Arc::clone(block), block.size()));
        // To free a block is no I/O.
        while shard.blocks.pop_excess().is_some() {
            shard.evictions += 1;
        }
    }

    fn stats(&self) -> BlockCacheStats {
        let mut stats = BlockCacheStats { capacity: self.capacity, ..BlockCacheStats::default() };
        for shard in &self.shards {
            let shard = shard.lock();
            stats.charge += shard.blocks.charge();
            stats.blocks += shard.blocks.len();
            stats.hits += shard.hits;
            stats.misses += shard.misses;
            stats.evictions += shard.evictions;
        }
        stats
    }
}

impl BlockCache {
    /// A cache of `capacity` bytes for databases in the world of `env`.
    ///
    /// A block that is larger than a sixteenth of that is not kept.
    pub fn new<E: Env>(_env: &E, capacity: usize) -> Self {
        let shard = |_| {
            let blocks = Lru::new(shard_capacity(capacity));
            Mutex::new("block cache", Shard { blocks, hits: 0, misses: 0, evictions: 0 })
        };
        let shards: [Mutex<E::Threads, Shard>; SHARD_COUNT] = core::array::from_fn(shard);
        let last_table_number = <E::Threads as Threads>::AtomicU64::new(0);
        BlockCache(Arc::new(Parts { shards, capacity, last_table_number }))
    }

    /// How the cache is doing. Each part is looked at in turn, so that the sums are of no one
    /// moment while others use it.
    pub fn stats(&self) -> BlockCacheStats {
        self.0.stats()
    }

    /// A number that no other table of this cache has.
    pub(super) fn new_table_number(&self) -> u64 {
        self.0.new_table_number()
    }

    pub(super) fn get(&self, key: BlockKey) -> Option<Arc<Block>> {
        self.0.get(key)
    }

    pub(super) fn insert(&self, key: BlockKey, block: &Arc<Block>) {
        self.0.insert(key, block);
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Looking inside would lock, which in a simulator is an event.
        f.write_str("BlockCache { .. }")
    }
}
