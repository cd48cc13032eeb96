//! [`Wake`]: who is to be woken when a turn of the commit queue ends. Takes no memory of its own.

use std::sync::Arc;

use crate::env::{Condvar, Threads};

/// Places to be woken once the lock is free: a thread that wakes under it would only wait again.
pub(super) struct Wake<R: Threads> {
    condvars: [Option<Arc<Condvar<R>>>; 16],
    used: usize,
}

impl<R: Threads> Wake<R> {
    pub(super) fn new() -> Self {
        Wake { condvars: [const { None }; 16], used: 0 }
    }

    /// Adds one to be woken.
    pub(super) fn push(&mut self, condvar: Option<Arc<Condvar<R>>>) {
        let Some(condvar) = condvar else { return };
        match self.condvars.get_mut(self.used) {
            Some(place) => {
                *place = Some(condvar);
                self.used += 1;
            }
            // A long group: the rest is woken at once, which is only slower.
            None => condvar.notify_one(),
        }
    }

    /// Wakes the new leader, who was pushed last, before those who only return.
    pub(super) fn notify(self) {
        for condvar in self.condvars.into_iter().take(self.used).rev().flatten() {
            condvar.notify_one();
        }
    }
}
