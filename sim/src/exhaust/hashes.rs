//! [`Hashes`]: a set of 64-bit hashes that takes little memory.
//!
//! A search remembers every image for as long as it lasts, and there are millions of them. The
//! hashes lie in sorted leaves, in their order. A leaf grows by a step at a time and is cut in half
//! when it is full, so that, but for the first, no more than a fifth of it is empty: a hash takes 8
//! to 10 bytes, and the allocator's rounding. A `BTreeSet` takes 15, a hash table up to 31 while it
//! grows. Nothing here depends on an order of insertion or on a seed.

/// Hashes in a leaf, at most.
const LEAF: usize = 512;
/// By how many a leaf grows.
const STEP: usize = 64;

/// A set of hashes.
#[derive(Clone, Debug, Default)]
pub struct Hashes {
    /// None is empty; all of one are below all of the next.
    leaves: Vec<Vec<u64>>,
    len: u64,
}

impl Hashes {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `hash` is among them.
    pub fn contains(&self, hash: u64) -> bool {
        self.leaves.get(self.leaf_of(hash)).is_some_and(|leaf| leaf.binary_search(&hash).is_ok())
    }

    /// Adds `hash`; false if it was there.
    pub fn insert(&mut self, hash: u64) -> bool {
        let at = self.leaf_of(hash);
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.leaves.push(vec![hash]);
            self.len = 1;
            return true;
        };
        let Err(place) = leaf.binary_search(&hash) else { return false };
        if leaf.len() == leaf.capacity() {
            leaf.reserve_exact(STEP);
        }
        leaf.insert(place, hash);
        self.len += 1;
        if leaf.len() == LEAF {
            let upper = leaf.split_off(LEAF / 2);
            leaf.shrink_to_fit();
            self.leaves.insert(at + 1, upper);
        }
        true
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: Hashes) {
        for leaf in others.leaves {
            for hash in leaf {
                self.insert(hash);
            }
        }
    }

    /// The leaf in which `hash` is, or belongs: the last that begins at or below it.
    fn leaf_of(&self, hash: u64) -> usize {
        let behind =
            self.leaves.partition_point(|leaf| leaf.first().is_some_and(|&first| first <= hash));
        behind.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::disk::split_mix;

    /// Bytes that are allocated for the hashes and for what leads to them.
    fn allocated(hashes: &Hashes) -> usize {
        let leaves: usize = hashes.leaves.iter().map(|leaf| leaf.capacity() * 8).sum();
        leaves + hashes.leaves.capacity() * size_of::<Vec<u64>>()
    }

    #[test]
    fn it_holds_what_a_set_holds() {
        let (mut hashes, mut set, mut state) = (Hashes::default(), BTreeSet::new(), 7);
        assert!(hashes.is_empty() && !hashes.contains(0));
        for round in 0..20_000_u64 {
            // Spread widely, close together, and in order; many come twice.
            let drawn = split_mix(&mut state);
            let hash = [drawn, drawn % 6000, round / 2][(round % 3) as usize];
            assert_eq!(hashes.contains(hash), set.contains(&hash), "{hash:x}");
            assert_eq!(hashes.insert(hash), set.insert(hash), "{hash:x}");
            assert!(hashes.contains(hash), "{hash:x}");
            assert_eq!(hashes.len(), set.len() as u64);
        }
        assert!(hashes.leaves.iter().flatten().eq(&set), "they are not in order");
        let mut both = Hashes::default();
        for hash in (0..9000).chain([u64::MAX]) {
            both.insert(hash);
            set.insert(hash);
        }
        both.extend(hashes);
        assert!(both.leaves.iter().flatten().eq(&set), "some are missing");
        assert_eq!(both.len(), set.len() as u64);
    }

    #[test]
    fn a_hash_takes_little_more_than_itself() {
        let (mut hashes, mut state) = (Hashes::default(), 1);
        for number in 1..=300_000 {
            hashes.insert(split_mix(&mut state));
            if number % 1000 == 0 && number >= 10_000 {
                let bytes = allocated(&hashes);
                assert!(bytes <= 11 * number, "{bytes} bytes for {number} hashes");
            }
        }
    }
}
