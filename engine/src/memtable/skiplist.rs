//! [`SkipList`]: byte strings in order, in an [`Arena`]; one writer, any number of readers that
//! take no lock.
//!
//! The list does not know its order: each search brings its own, as a function from a stored key to
//! where that key lies relative to what is sought. All searches of one list must agree.
//!
//! ```text
//! node  = pointer to entry | key length | value length | tower of `height` next pointers
//! entry = key bytes || value bytes
//! ```
//!
//! Invariants: nodes are never removed or moved, and nothing in a node but its next pointers ever
//! changes after it is linked. The writer links a node from level 0 upwards, each link a release
//! store that every reader's load acquires; so whoever sees a node sees all of it, and whoever sees
//! it at one level finds it at those below.
//!
//! Source: LevelDB `db/skiplist.h`. Differs: atomics come from [`Threads`]; node and entry are one
//! piece of memory and the lengths stand in the node, so that a comparison decodes nothing; heights
//! come from a generator seeded by a constant, the same in every list.

#![expect(unsafe_code, reason = "nodes live in an arena and are reached through raw pointers")]

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::cmp::Ordering;
use core::ptr::{self, NonNull};
use core::slice;

use super::arena::{ALIGN_MAX, Arena};
use crate::env::{Atomic, Threads};

/// Most levels of a tower.
pub(crate) const MAX_HEIGHT: usize = 12;

/// One node in this many reaches the next level.
const BRANCHING: u64 = 4;

/// The fixed part of a node; its tower follows in memory.
#[repr(C)]
struct Node {
    entry: *const u8,
    key_size: u32,
    value_size: u32,
}

type Link<R> = <R as Threads>::AtomicPtr<Node>;

/// A node, or the end of the list. Good for as long as the list it came from, and for it alone.
#[derive(Clone, Copy)]
pub(crate) struct Position(*mut Node);

impl Position {
    /// The end, or nowhere.
    pub(crate) const NONE: Self = Position(ptr::null_mut());

    /// Whether this is no node.
    pub(crate) fn is_none(self) -> bool {
        self.0.is_null()
    }
}

/// What only the writer touches.
struct Writing {
    arena: Arena,
    random: u64,
}

/// The list. See the module.
pub(crate) struct SkipList<R: Threads> {
    /// A node without an entry and with a full tower.
    head: NonNull<Node>,
    /// Levels in use. A stale value only makes a search start lower or find null higher up.
    height: R::AtomicU32,
    /// A copy of the arena's count, for other threads.
    usage: R::AtomicU64,
    writing: UnsafeCell<Writing>,
}

// SAFETY: readers reach only memory that was published by a release store and never changes after
// it, or atomics; `writing` is touched only by `insert`, whose caller is the only writer.
unsafe impl<R: Threads> Sync for SkipList<R> {}
// SAFETY: the raw pointers are into the arena, which moves along.
unsafe impl<R: Threads> Send for SkipList<R> {}

fn node_layout<R: Threads>(height: usize) -> (Layout, usize) {
    let tower = Layout::array::<Link<R>>(height).expect("a tower is at most 12 words");
    let (layout, offset) = Layout::new::<Node>().extend(tower).expect("a node is small");
    const { assert!(align_of::<Link<R>>() <= ALIGN_MAX) };
    (layout, offset)
}

/// The link of `node` at `level`.
///
/// # Safety
/// `node` points to a live node of a list of the same `R` whose tower is higher than `level`.
unsafe fn link<'a, R: Threads>(node: *mut Node, level: usize) -> &'a Link<R> {
    let (_, offset) = node_layout::<R>(0);
    // SAFETY: the tower starts at `offset` and has a link at `level`, by contract.
    unsafe { &*node.cast::<u8>().add(offset).cast::<Link<R>>().add(level) }
}

/// Makes a node without an entry, its links null.
fn new_node<R: Threads>(arena: &mut Arena, height: usize, entry_size: usize) -> NonNull<Node> {
    let (node, tower) = node_layout::<R>(height);
    let bytes = Layout::array::<u8>(entry_size).expect("entries are capped below 8 GiB");
    let (whole, entry) = node.extend(bytes).expect("entries are capped below 8 GiB");
    let memory = arena.allocate(whole);
    // SAFETY: `whole` covers the node, `height` links at `tower`, and the entry at `entry`; the
    // memory is fresh, so nothing else points there.
    unsafe {
        let links = memory.add(tower).cast::<Link<R>>();
        for level in 0..height {
            links.add(level).write(Link::<R>::new(ptr::null_mut()));
        }
        let node = memory.cast::<Node>();
        node.write(Node { entry: memory.add(entry).as_ptr(), key_size: 0, value_size: 0 });
        node
    }
}

impl<R: Threads> SkipList<R> {
    pub(crate) fn new() -> Self {
        let mut arena = Arena::new();
        let head = new_node::<R>(&mut arena, MAX_HEIGHT, 0);
        let usage = R::AtomicU64::new(arena.memory_usage() as u64);
        // Any constant but zero. The heights need no secret, only a spread.
        let writing = UnsafeCell::new(Writing { arena, random: 0x9e37_79b9_7f4a_7c15 });
        SkipList { head, height: R::AtomicU32::new(1), usage, writing }
    }

    /// Bytes that the list takes. May lag behind a running insert.
    pub(crate) fn memory_usage(&self) -> u64 {
        self.usage.load_unsync()
    }

    /// Adds an entry whose key is `key` followed by `key_tail`. If the key is there already, the
    /// new entry comes before the old one.
    ///
    /// # Safety
    /// No other call of `insert` on this list runs at the same time, and all calls so far happened
    /// before this one.
    pub(crate) unsafe fn insert(
        &self,
        key: &[u8],
        key_tail: &[u8],
        value: &[u8],
        order: impl Fn(&[u8]) -> Ordering,
    ) {
        // SAFETY: by contract nobody else is inside `insert`, and nothing else touches the cell.
        let writing = unsafe { &mut *self.writing.get() };
        let mut before = [self.head.as_ptr(); MAX_HEIGHT];
        // Only the writer stores links, so its own loads need no ordering.
        self.search(order, Link::<R>::load_unsync, Some(&mut before));

        let height = random_height(&mut writing.random);
        // By the size of a batch that is made here, by its check if it is from a log.
        let size = |bytes: usize| u32::try_from(bytes).expect("keys and values are capped");
        let key_size = size(key.len() + key_tail.len());
        let entry_size = key.len() + key_tail.len() + value.len();
        let mut node = new_node::<R>(&mut writing.arena, height, entry_size);
        // SAFETY: the node is fresh and not yet linked; its entry has room for the three parts.
        unsafe {
            let node = node.as_mut();
            node.key_size = key_size;
            node.value_size = size(value.len());
            let mut to = node.entry.cast_mut();
            for part in [key, key_tail, value] {
                to.copy_from_nonoverlapping(part.as_ptr(), part.len());
                to = to.add(part.len());
            }
        }
        if height > self.levels() {
            self.height.store_unsync(height as u32);
        }
        for (level, &previous) in before.iter().enumerate().take(height) {
            // SAFETY: `previous` is the head or was found at this level; the node has `height`.
            let (new, old) =
                unsafe { (link::<R>(node.as_ptr(), level), link::<R>(previous, level)) };
            // The node is not reachable at this level before the store below publishes it.
            new.store_unsync(old.load_unsync());
            old.store(node.as_ptr());
        }
        self.usage.store_unsync(writing.arena.memory_usage() as u64);
    }

    fn levels(&self) -> usize {
        self.height.load_unsync() as usize
    }

    /// The first node that `order` does not call less; null if there is none. Fills `before` with
    /// the last node that it does call less, per level in use.
    fn search(
        &self,
        order: impl Fn(&[u8]) -> Ordering,
        load: impl Fn(&Link<R>) -> *mut Node,
        mut before: Option<&mut [*mut Node; MAX_HEIGHT]>,
    ) -> *mut Node {
        let mut at = self.head.as_ptr();
        let mut level = self.levels() - 1;
        // A node known not to be less: met again one level down, it need not be compared again.
        let mut bound = ptr::null_mut();
        loop {
            // SAFETY: `at` is the head or was reached at `level` or above.
            let next = load(unsafe { link::<R>(at, level) });
            if !next.is_null() && next != bound && order(self.key(Position(next))).is_lt() {
                at = next;
                continue;
            }
            bound = next;
            if let Some(before) = before.as_deref_mut() {
                before[level] = at;
            }
            if level == 0 {
                return next;
            }
            level -= 1;
        }
    }

    /// The first entry that `order` does not call less than what is sought.
    pub(crate) fn seek(&self, order: impl Fn(&[u8]) -> Ordering) -> Position {
        Position(self.search(order, Link::<R>::load, None))
    }

    /// The last entry that `order` calls less than what is sought.
    pub(crate) fn seek_before(&self, order: impl Fn(&[u8]) -> Ordering) -> Position {
        let mut at = self.head.as_ptr();
        let mut level = self.levels() - 1;
        loop {
            // SAFETY: `at` is the head or was reached at `level` or above.
            let next = unsafe { link::<R>(at, level) }.load();
            if !next.is_null() && order(self.key(Position(next))).is_lt() {
                at = next;
            } else if level > 0 {
                level -= 1;
            } else if at == self.head.as_ptr() {
                return Position::NONE;
            } else {
                return Position(at);
            }
        }
    }

    /// The first entry.
    pub(crate) fn first(&self) -> Position {
        // SAFETY: the head has a full tower.
        Position(unsafe { link::<R>(self.head.as_ptr(), 0) }.load())
    }

    /// The last entry.
    pub(crate) fn last(&self) -> Position {
        self.seek_before(|_| Ordering::Less)
    }

    /// The entry after `at`, which is one of this list.
    #[expect(clippy::unused_self, reason = "the list keeps the node alive")]
    pub(crate) fn next(&self, at: Position) -> Position {
        debug_assert!(!at.is_none(), "only an entry has a next one");
        // SAFETY: positions come from this list, whose nodes live as long as it; every node has
        // level 0.
        Position(unsafe { link::<R>(at.0, 0) }.load())
    }

    /// The key of the entry at `at`, which is one of this list.
    #[expect(clippy::unused_self, reason = "the list keeps the node alive")]
    pub(crate) fn key(&self, at: Position) -> &[u8] {
        debug_assert!(!at.is_none(), "only an entry has a key");
        // SAFETY: positions come from this list; a reachable node and its entry never change.
        unsafe {
            let node = &*at.0;
            slice::from_raw_parts(node.entry, node.key_size as usize)
        }
    }

    /// The value of the entry at `at`, which is one of this list.
    #[expect(clippy::unused_self, reason = "the list keeps the node alive")]
    pub(crate) fn value(&self, at: Position) -> &[u8] {
        debug_assert!(!at.is_none(), "only an entry has a value");
        // SAFETY: as in `key`; the value follows the key.
        unsafe {
            let node = &*at.0;
            slice::from_raw_parts(node.entry.add(node.key_size as usize), node.value_size as usize)
        }
    }
}

/// Draws 1 with probability 3/4, 2 with 3/16, and so on.
fn random_height(random: &mut u64) -> usize {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    // The low bits of a xorshift are its weakest.
    let mut bits = *random >> 32;
    let mut height = 1;
    while height < MAX_HEIGHT && bits.is_multiple_of(BRANCHING) {
        bits /= BRANCHING;
        height += 1;
    }
    height
}

#[cfg(test)]
#[path = "skiplist_tests.rs"]
mod tests;
