//! [`Lru`]: a map of bounded charge that forgets what has not been asked for the longest.
//!
//! Values are shared handles: whoever holds one keeps using it after it is forgotten here.
//! Forgetting is a step of its own ([`Lru::pop_excess`]), so that a caller can give up its lock
//! before a value's end does I/O. Takes no lock.
//!
//! Nothing depends on an address or a random seed: the hash is of the key alone, and the table of
//! hashes is never walked.
//!
//! Source: LevelDB `util/cache.cc`, `LRUCache`. Differs: a value in use is forgotten like any
//! other, as its users keep it alive; LevelDB keeps it in the cache until they let go.

use core::fmt;
use core::mem;

use hashbrown::HashTable;

use crate::codec::to_usize;

/// A key that is spread by a fixed function of its own.
pub(crate) trait LruKey: Copy + Eq {
    /// Where the key goes. Fixed: no seed.
    fn hash(self) -> u64;
}

/// Spreads the bits of a small number over all 64.
pub(crate) fn spread(number: u64) -> u64 {
    // The finisher of SplitMix64.
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

impl LruKey for u64 {
    fn hash(self) -> u64 {
        spread(self)
    }
}

/// No slot.
const NONE: u32 = u32::MAX;

struct Slot<K, V> {
    key: K,
    // `None` in a slot that is free.
    value: Option<V>,
    charge: usize,
}

/// The neighbours of a slot by time of use; of a free slot, `older` is the next free one.
///
/// Apart from the slots: each use of a value writes to its neighbours, which were used at other
/// times, and the links alone are small enough to be in the processor's cache.
#[derive(Clone, Copy)]
struct Links {
    newer: u32,
    older: u32,
}

/// The map.
pub(crate) struct Lru<K, V> {
    slots: Vec<Slot<K, V>>,
    // As many.
    links: Vec<Links>,
    // Invariant: the slots that hold a value, by the hash of their key.
    table: HashTable<u32>,
    newest: u32,
    oldest: u32,
    free: u32,
    charge: usize,
    capacity: usize,
}

impl<K: LruKey, V> Lru<K, V> {
    /// An empty map that is to hold values of `capacity` charge at most.
    pub(crate) fn new(capacity: usize) -> Self {
        let (newest, oldest, free) = (NONE, NONE, NONE);
        let (slots, links, table) = (Vec::new(), Vec::new(), HashTable::new());
        Lru { slots, links, table, newest, oldest, free, charge: 0, capacity }
    }

    /// The value of `key`, which is now the last used.
    pub(crate) fn get(&mut self, key: K) -> Option<&V> {
        let slots = &self.slots;
        let at = *self.table.find(key.hash(), |&at| slots[to_usize(at)].key == key)?;
        self.unlink(at);
        self.link_newest(at);
        self.slots[to_usize(at)].value.as_ref()
    }

    /// Sets the value of `key`, which is now the last used. Returns the one it had.
    pub(crate) fn insert(&mut self, key: K, value: V, charge: usize) -> Option<V> {
        let replaced = self.remove(key);
        let slot = Slot { key, value: Some(value), charge };
        let mut at = self.free;
        if at == NONE {
            let next = u32::try_from(self.slots.len()).ok().filter(|&next| next != NONE);
            at = next.expect("fewer than 2^32 - 1 values");
            self.slots.push(slot);
            self.links.push(Links { newer: NONE, older: NONE });
        } else {
            self.slots[to_usize(at)] = slot;
            self.free = self.links[to_usize(at)].older;
        }
        let slots = &self.slots;
        self.table.insert_unique(key.hash(), at, |&at| slots[to_usize(at)].key.hash());
        self.charge += charge;
        self.link_newest(at);
        replaced
    }

    /// Forgets `key`. Returns the value it had.
    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let slots = &self.slots;
        let found = self.table.find_entry(key.hash(), |&at| slots[to_usize(at)].key == key);
        let (at, _) = found.ok()?.remove();
        self.unlink(at);
        self.links[to_usize(at)].older = mem::replace(&mut self.free, at);
        let slot = &mut self.slots[to_usize(at)];
        self.charge -= slot.charge;
        slot.value.take()
    }

    /// Forgets the value that has not been used for the longest, and returns it, if there is more
    /// here than there should be.
    pub(crate) fn pop_excess(&mut self) -> Option<V> {
        self.pop_to_fit(0)
    }

    /// Forgets the value that has not been used for the longest, and returns it, if there is no
    /// room for `more` beside what is here.
    pub(crate) fn pop_to_fit(&mut self, more: usize) -> Option<V> {
        if self.charge.saturating_add(more) <= self.capacity {
            return None;
        }
        let oldest = self.slots.get(to_usize(self.oldest))?.key;
        self.remove(oldest)
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// What the values are charged with.
    pub(crate) fn charge(&self) -> usize {
        self.charge
    }

    fn unlink(&mut self, at: u32) {
        let Links { newer, older } = self.links[to_usize(at)];
        match self.links.get_mut(to_usize(newer)) {
            Some(links) => links.older = older,
            None => self.newest = older,
        }
        match self.links.get_mut(to_usize(older)) {
            Some(links) => links.newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_newest(&mut self, at: u32) {
        let before = mem::replace(&mut self.newest, at);
        match self.links.get_mut(to_usize(before)) {
            Some(links) => links.newer = at,
            None => self.oldest = at,
        }
        self.links[to_usize(at)] = Links { newer: NONE, older: before };
    }
}

impl<K, V> fmt::Debug for Lru<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lru");
        shown.field("len", &self.table.len()).field("charge", &self.charge);
        shown.field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "lru_tests.rs"]
mod tests;
