//! The memory of one simulated process.
//!
//! A real crash runs no destructor, so neither does a simulated one: the stacks of its threads are
//! dropped as they are, and everything those threads allocated lies in an arena that is emptied in
//! one step. This module is that arena and the global allocator that routes to it.
//!
//! ```text
//! reserved addresses:  | slot 0 | slot 1 | ...            one slot per worker thread
//! one slot:            | Arena header | blocks, handed out from low to high ->        |
//! ```
//!
//! Which allocator serves a request is a flag of the OS thread: simulated code runs with the flag
//! set ([`Inside`]), the kernel, the disk and the checkers run with it cleared ([`Outside`]).
//! What simulated code hands to the harness must therefore be copied, never moved.
//!
//! Invariant: a slot is used by one OS thread only; its addresses are the same in every
//! incarnation, so not even an address differs between two runs of a seed on one worker. No
//! result may depend on that.

#![expect(unsafe_code, reason = "a memory allocator")]
#![expect(clippy::disallowed_types, reason = "shared by the OS threads of the harness")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Serves the harness. A run makes and frees many small vectors, which it is better at than libc.
static SYSTEM: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gives freed memory back to the operating system, and returns how many bytes this process has
/// resident then; `None` if the system does not say.
///
/// Threads that have ended have left theirs too; what running ones have freed stays with them.
#[expect(clippy::disallowed_methods, reason = "a figure about the harness, which decides nothing")]
pub fn resident_when_idle() -> Option<u64> {
    // SAFETY: touches free memory only.
    unsafe { libmimalloc_sys::mi_collect(true) };
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    Some(resident * rustix::param::page_size() as u64)
}

/// Bytes of one slot. Address space only: pages are touched as they are used.
const SLOT_BYTES: usize = 4 << 30;
/// Workers that may ever exist at once, retired ones included.
const SLOT_COUNT: usize = 1024;
/// What stays resident between incarnations; the rest is given back.
const KEEP_BYTES: usize = 4 << 20;
/// Blocks are multiples of this, and so aligned.
const GRAIN: usize = 16;
/// Up to here every multiple of [`GRAIN`] has a list of its own.
const SMALL_MAX: usize = 1024;
const SMALL_CLASSES: usize = SMALL_MAX / GRAIN;
/// Above, each power of two is cut in four.
const CLASSES: usize = SMALL_CLASSES + 4 * 22 + 1;

/// First reserved address; 0 until the first arena is made, `usize::MAX` if that failed.
static BASE: AtomicUsize = AtomicUsize::new(0);
/// Slots never used so far start here.
static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);
/// Slots given back.
static FREE_SLOTS: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());

mod flag {
    use super::{Arena, Cell, ptr};
    thread_local! {
        /// The arena of the simulated process that runs on this OS thread right now, or null.
        pub(super) static CURRENT: Cell<*mut Arena> = const { Cell::new(ptr::null_mut()) };
    }
}
use flag::CURRENT;

/// Header of a slot.
#[derive(Debug)]
struct Arena {
    next: usize,
    end: usize,
    high: usize,
    live: usize,
    free: [*mut FreeBlock; CLASSES],
}

struct FreeBlock {
    next: *mut FreeBlock,
}

/// The list that serves `size` bytes, and the size of its blocks.
fn class_of(size: usize) -> (usize, usize) {
    if size <= SMALL_MAX {
        let units = size.div_ceil(GRAIN).max(1);
        return (units - 1, units * GRAIN);
    }
    // Quarters of the power of two at or below `size - 1`: 1024 < size <= 1280, ... 1536, ...
    let top = (size - 1).ilog2() as usize;
    let quarter = 1usize << (top - 2);
    let step = (size - 1 - (1 << top)) / quarter;
    (SMALL_CLASSES + 4 * (top - 10) + step, (1 << top) + (step + 1) * quarter)
}

impl Arena {
    fn first_block(&self) -> usize {
        (ptr::from_ref(self) as usize + size_of::<Arena>()).next_multiple_of(4096)
    }

    fn reset(&mut self) {
        self.next = self.first_block();
        self.live = 0;
        self.free = [ptr::null_mut(); CLASSES];
        let keep_end = self.first_block() + KEEP_BYTES;
        if self.high > keep_end {
            // Best effort: a failure costs memory, not correctness.
            // SAFETY: the range is page-aligned, inside this slot, and holds no live block.
            let given_back = unsafe {
                rustix::mm::madvise(
                    keep_end as *mut _,
                    self.high.next_multiple_of(4096) - keep_end,
                    rustix::mm::Advice::LinuxDontNeed,
                )
            };
            if given_back.is_ok() {
                self.high = keep_end;
            }
        }
    }

    /// # Safety
    /// `self` must be the arena of this OS thread.
    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let (class, bytes) = class_of(layout.size().max(layout.align()));
        self.live += 1;
        if layout.align() <= GRAIN && class < CLASSES {
            let head = self.free[class];
            if !head.is_null() {
                // SAFETY: blocks on a list are free and hold their link.
                self.free[class] = unsafe { (*head).next };
                return head.cast();
            }
        }
        let start = self.next.next_multiple_of(layout.align().max(GRAIN));
        let Some(end) = start.checked_add(bytes).filter(|&end| end <= self.end) else {
            return ptr::null_mut();
        };
        self.next = end;
        self.high = self.high.max(end);
        start as *mut u8
    }

    /// # Safety
    /// `block` came from `alloc` of this arena with `layout`, in this incarnation.
    unsafe fn dealloc(&mut self, block: *mut u8, layout: Layout) {
        self.live -= 1;
        let (class, bytes) = class_of(layout.size().max(layout.align()));
        if cfg!(debug_assertions) {
            // A read after free shows as nonsense, not as luck.
            // SAFETY: the block is `bytes` long and no longer in use.
            unsafe { ptr::write_bytes(block, 0xdd, bytes.min(4096)) };
        }
        if layout.align() <= GRAIN && class < CLASSES {
            #[expect(clippy::cast_ptr_alignment, reason = "blocks are aligned to GRAIN")]
            let block = block.cast::<FreeBlock>();
            // SAFETY: the block is free, aligned to GRAIN and at least GRAIN bytes.
            unsafe { (*block).next = self.free[class] };
            self.free[class] = block;
        }
    }
}

/// The arena that holds `address`, if any does.
fn owner(address: usize) -> Option<NonNull<Arena>> {
    let base = BASE.load(Ordering::Relaxed);
    let offset = address.wrapping_sub(base);
    if base == 0 || offset >= SLOT_BYTES * SLOT_COUNT {
        return None;
    }
    NonNull::new((base + offset / SLOT_BYTES * SLOT_BYTES) as *mut Arena)
}

/// Routes to the arena of the running simulated process, or to the system.
#[derive(Debug)]
pub struct RoutingAllocator;

// SAFETY: both allocators it routes to uphold the contract; `owner` tells their blocks apart by
// address.
unsafe impl GlobalAlloc for RoutingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let arena = CURRENT.get();
        if arena.is_null() {
            // SAFETY: passed on as it came.
            return unsafe { SYSTEM.alloc(layout) };
        }
        // SAFETY: CURRENT is this OS thread's arena, and `alloc` does not re-enter.
        unsafe { (*arena).alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match owner(block as usize) {
            // SAFETY: passed on as it came.
            None => unsafe { SYSTEM.dealloc(block, layout) },
            // SAFETY: blocks of a slot are freed by its OS thread only.
            Some(arena) => unsafe { (*arena.as_ptr()).dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(arena) = owner(block as usize) else {
            // SAFETY: passed on as it came.
            return unsafe { SYSTEM.realloc(block, layout, new_size) };
        };
        if class_of(layout.size().max(layout.align())) == class_of(new_size.max(layout.align())) {
            return block;
        }
        // A block stays in the arena it came from, whoever asks for more.
        // SAFETY: the caller guarantees that the size, rounded up to the alignment, fits.
        let wanted = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: as in `alloc` and `dealloc`; both blocks hold the bytes copied.
        unsafe {
            let fresh = (*arena.as_ptr()).alloc(wanted);
            if !fresh.is_null() {
                ptr::copy_nonoverlapping(block, fresh, layout.size().min(new_size));
                (*arena.as_ptr()).dealloc(block, layout);
            }
            fresh
        }
    }
}

#[global_allocator]
static ALLOCATOR: RoutingAllocator = RoutingAllocator;

/// The memory of the simulated processes of one worker, one after another.
#[derive(Debug)]
pub struct ProcessMemory {
    arena: NonNull<Arena>,
}

impl ProcessMemory {
    /// Takes a slot for this OS thread.
    ///
    /// # Panics
    /// If the address space cannot be reserved, or more than a thousand workers were started.
    pub fn new() -> Self {
        let base = reserve();
        let given_back = FREE_SLOTS.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let slot = given_back.unwrap_or_else(|| NEXT_SLOT.fetch_add(1, Ordering::Relaxed));
        assert!(slot < SLOT_COUNT, "more than {SLOT_COUNT} workers were started");
        let start = base + slot * SLOT_BYTES;
        let arena = start as *mut Arena;
        // SAFETY: the slot is ours alone, writable and page-aligned.
        unsafe {
            arena.write(Arena {
                next: 0,
                end: start + SLOT_BYTES,
                high: 0,
                live: 0,
                free: [ptr::null_mut(); CLASSES],
            });
            (*arena).reset();
            ProcessMemory { arena: NonNull::new_unchecked(arena) }
        }
    }

    /// Frees everything that simulated code allocated, without running any destructor.
    pub(crate) fn reset(&mut self) {
        debug_assert!(CURRENT.get().is_null(), "an arena is emptied from outside");
        // SAFETY: no simulated code runs, and the slot is ours.
        unsafe { self.arena.as_mut().reset() };
    }

    /// Blocks that simulated code holds.
    pub fn live_blocks(&self) -> usize {
        // SAFETY: the slot is ours.
        unsafe { self.arena.as_ref().live }
    }

    /// Marks what follows on this OS thread as simulated code, until dropped.
    pub(crate) fn enter(&self) -> Inside {
        Inside { before: CURRENT.replace(self.arena.as_ptr()) }
    }
}

impl Drop for ProcessMemory {
    fn drop(&mut self) {
        self.reset();
        let slot = (self.arena.as_ptr() as usize - BASE.load(Ordering::Acquire)) / SLOT_BYTES;
        FREE_SLOTS.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
    }
}

impl Default for ProcessMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether simulated code runs on this OS thread right now.
pub(crate) fn is_inside() -> bool {
    !CURRENT.get().is_null()
}

/// Reserves the address space once for the whole process.
fn reserve() -> usize {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let base = BASE.load(Ordering::Acquire);
    if base != 0 {
        return base;
    }
    // SAFETY: a fresh anonymous mapping; untouched pages cost nothing.
    let mapped = unsafe {
        mmap_anonymous(
            ptr::null_mut(),
            SLOT_BYTES * (SLOT_COUNT + 1),
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::NORESERVE,
        )
    };
    let start = mapped.expect("address space for simulated processes") as usize;
    let base = start.next_multiple_of(4096);
    match BASE.compare_exchange(0, base, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => base,
        // Another worker was first; this mapping stays reserved and unused.
        Err(theirs) => theirs,
    }
}

/// Simulated code runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Inside {
    before: *mut Arena,
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// The harness runs until this is dropped: what it allocates outlives a crash.
#[derive(Debug)]
pub(crate) struct Outside {
    before: *mut Arena,
}

impl Outside {
    #[inline]
    pub(crate) fn enter() -> Self {
        Outside { before: CURRENT.replace(ptr::null_mut()) }
    }
}

impl Drop for Outside {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_their_sizes_and_rise() {
        let mut last = (0, 0);
        for size in 1..200_000 {
            let (class, bytes) = class_of(size);
            assert!(bytes >= size && bytes < size + size / 4 + 2 * GRAIN, "{size} -> {bytes}");
            assert!(class == last.0 || class == last.0 + 1, "{size}: {class} after {}", last.0);
            if class == last.0 && size > 1 {
                assert_eq!(bytes, last.1);
            }
            last = (class, bytes);
        }
        assert!(class_of(SLOT_BYTES - 1).0 < CLASSES + 1);
    }

    #[test]
    fn what_simulated_code_allocates_is_gone_after_a_reset() {
        let mut memory = ProcessMemory::new();
        let inside = memory.enter();
        let leaked: &'static mut Vec<u8> = Box::leak(Box::new(vec![7u8; 100_000]));
        leaked.push(1);
        let first = leaked.as_ptr() as usize;
        let outside = Outside::enter();
        let kept = String::from("outlives the process");
        drop(outside);
        drop(inside);
        assert!(owner(first).is_some());
        assert!(owner(kept.as_ptr() as usize).is_none());
        assert_eq!(memory.live_blocks(), 2);
        memory.reset();
        assert_eq!(memory.live_blocks(), 0);
        let inside = memory.enter();
        let again = vec![0u8; 16];
        assert!(owner(again.as_ptr() as usize).is_some());
        drop(again);
        drop(inside);
        assert_eq!(memory.live_blocks(), 0);
    }
}
