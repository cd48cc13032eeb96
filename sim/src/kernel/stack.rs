//! Stacks of simulated threads, pooled per OS thread.

#![expect(unsafe_code, reason = "implements corosensei's Stack by delegation")]

use std::cell::RefCell;
use std::mem::ManuallyDrop;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

const GUARD_PAGE_BYTES: usize = 4096;
/// Bytes of one stack, beside its guard page.
const STACK_BYTES: usize = 256 * 1024;

mod pool {
    use super::{DefaultStack, RefCell};
    thread_local! {
        pub(super) static FREE: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
    }
}

/// A mapped stack with a guard page; goes back to the pool when dropped.
pub(super) struct PooledStack(ManuallyDrop<DefaultStack>);

impl PooledStack {
    /// # Panics
    /// If the system has no memory for another stack.
    pub(super) fn take() -> Self {
        let stack = pool::FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            DefaultStack::new(STACK_BYTES).expect("memory for the stack of a simulated thread")
        });
        PooledStack(ManuallyDrop::new(stack))
    }
}

impl PooledStack {
    /// The lowest address that may be used; the guard page lies below it.
    pub(super) fn lowest_usable(&self) -> usize {
        // The limit of a mapped stack counts its guard page in.
        self.limit().get() + GUARD_PAGE_BYTES
    }
}

impl Drop for PooledStack {
    fn drop(&mut self) {
        // SAFETY: `self.0` is not used after this.
        let stack = unsafe { ManuallyDrop::take(&mut self.0) };
        // At the end of the OS thread the pool may be gone; then the stack is unmapped here.
        pool::FREE.try_with(|free| free.borrow_mut().push(stack)).ok();
    }
}

// SAFETY: both bounds are those of the stack that this value owns and keeps mapped.
unsafe impl Stack for PooledStack {
    fn base(&self) -> StackPointer {
        self.0.base()
    }

    fn limit(&self) -> StackPointer {
        self.0.limit()
    }
}
