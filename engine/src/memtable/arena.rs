//! [`Arena`]: memory that is handed out piece by piece and freed all at once.
//!
//! It frees nothing before it is dropped and runs no destructor of what was put into it. It is not
//! shared: whoever may allocate holds it by `&mut`.
//!
//! Invariant: a piece, once handed out, never moves, so pointers into it hold as long as the arena.
//!
//! Source: LevelDB `util/arena.h`. Differs: usage counts what was handed out or wasted, not what is
//! still free in the last block, so that it grows with every entry and a small limit means
//! something; the first block is taken with the first allocation.

#![expect(unsafe_code, reason = "hands out raw memory; that is its purpose")]

use core::alloc::Layout;
use core::ptr::NonNull;
use std::alloc::{alloc, dealloc, handle_alloc_error};

/// Bytes of an ordinary block.
pub(crate) const BLOCK_SIZE: usize = 4096;

/// Alignment of every block, and the most that a piece can ask for.
pub(crate) const ALIGN_MAX: usize = 16;

/// A growing set of blocks, the last of which is being filled.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Unused rest of the current block.
    next: *mut u8,
    left: usize,
    blocks: Vec<(NonNull<u8>, Layout)>,
    /// Bytes of all blocks.
    reserved: usize,
}

impl Arena {
    pub(crate) const fn new() -> Self {
        Arena { next: core::ptr::null_mut(), left: 0, blocks: Vec::new(), reserved: 0 }
    }

    /// Hands out memory of this layout, not initialised. It lives as long as the arena.
    pub(crate) fn allocate(&mut self, layout: Layout) -> NonNull<u8> {
        assert!(layout.align() <= ALIGN_MAX, "no piece is aligned beyond its block");
        let padding = self.next.align_offset(layout.align());
        match layout.size().checked_add(padding) {
            Some(needed) if needed <= self.left => {
                // SAFETY: `needed <= left` bytes follow `next` in one block, so `next + padding`
                // and `next + needed` lie within it or one past its end.
                let (piece, next) = unsafe { (self.next.add(padding), self.next.add(needed)) };
                self.next = next;
                self.left -= needed;
                NonNull::new(piece).unwrap_or_else(|| handle_alloc_error(layout))
            }
            _ => self.allocate_fallback(layout),
        }
    }

    fn allocate_fallback(&mut self, layout: Layout) -> NonNull<u8> {
        if layout.size() > BLOCK_SIZE / 4 {
            // A block of its own, so that the rest of the current one is not wasted.
            return self.new_block(layout.size());
        }
        let block = self.new_block(BLOCK_SIZE);
        // SAFETY: the piece is at most a quarter of the block.
        self.next = unsafe { block.as_ptr().add(layout.size()) };
        self.left = BLOCK_SIZE - layout.size();
        block
    }

    fn new_block(&mut self, size: usize) -> NonNull<u8> {
        let layout = Layout::from_size_align(size.max(1), ALIGN_MAX)
            .expect("entries are capped far below the address space");
        // SAFETY: the size is not zero.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        self.blocks.push((block, layout));
        self.reserved += layout.size();
        block
    }

    /// Bytes handed out or wasted at the end of a block.
    pub(crate) fn memory_usage(&self) -> usize {
        self.reserved - self.left
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for (block, layout) in &self.blocks {
            // SAFETY: allocated in `new_block` with this layout, and freed only here.
            unsafe { dealloc(block.as_ptr(), *layout) };
        }
    }
}

// SAFETY: the raw pointers are to memory that this value alone owns.
unsafe impl Send for Arena {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_bytes_and_alignment() {
        let mut arena = Arena::new();
        assert_eq!(arena.memory_usage(), 0);
        let mut pieces = Vec::new();
        let mut total = 0;
        for i in 0..20_000_usize {
            let size = match i % 100 {
                0 => 6000 + i % 7,
                1..=10 => 100 + i % 900,
                _ => 1 + i % 20,
            };
            let align = 1 << (i % 5);
            let layout = Layout::from_size_align(size, align).unwrap();
            let piece = arena.allocate(layout);
            assert_eq!(piece.as_ptr().align_offset(align), 0);
            // SAFETY: the piece has `size` bytes.
            unsafe { piece.as_ptr().write_bytes(i as u8, size) };
            total += size;
            pieces.push((piece, size, i as u8));
            assert!(arena.memory_usage() >= total);
        }
        // Padding and block ends cost something, but not much.
        assert!(arena.memory_usage() < total + total / 4);
        for (piece, size, byte) in pieces {
            // SAFETY: all `size` bytes were written above.
            let bytes = unsafe { core::slice::from_raw_parts(piece.as_ptr(), size) };
            assert!(bytes.iter().all(|&b| b == byte));
        }
    }
}
