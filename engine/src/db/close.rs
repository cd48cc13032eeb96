//! Closing: the log synced, the background thread ended, LOCK released last.
//!
//! The memtable is not flushed: the log carries it, and the next open replays it.
//!
//! Source: LevelDB `DBImpl::~DBImpl`. Differs: closing is a call of its own that syncs and has a
//! result; LOCK is released after every other file.

use core::fmt;
use std::sync::Arc;

use super::queue::Entered;
use super::request::Request;
use super::state::Inner;
use super::write::sync_log;
use crate::env::{Env, Mutex, Threads};
use crate::error::{Error, Result};

/// What the handles of one database share, and only they: the background thread holds [`Inner`]
/// alone. Dropped with the last handle.
pub(super) struct Handle<E: Env> {
    pub(super) inner: Arc<Inner<E>>,
    worker: Mutex<E::Threads, Option<<E::Threads as Threads>::JoinHandle<()>>>,
}

impl<E: Env> Handle<E> {
    /// Starts the background thread.
    pub(super) fn new(inner: Inner<E>) -> Self {
        let inner = Arc::new(inner);
        let for_worker = Arc::clone(&inner);
        let worker = E::Threads::spawn("background", move || for_worker.work_in_background());
        Handle { inner, worker: Mutex::new("worker", Some(worker)) }
    }

    /// Closes the database for every handle.
    ///
    /// # Errors
    /// What stopped all writes before; that of syncing or closing the log; `Closed` if it is
    /// closed already. The database is closed in any case.
    pub(super) fn close(&self, sync: bool) -> Result<()> {
        self.inner.state.lock().is_closing = true;
        self.inner.done.notify_all();
        let (mut result, half) = match self.inner.queue.enter(Request::Close) {
            Entered::Leader(mut turn) => {
                let stopped = self.inner.queue.stopped().map_or(Ok(()), Err);
                // A log that failed refuses by itself.
                let synced = if sync { sync_log(&mut turn) } else { Ok(()) };
                self.inner.shut_down();
                (stopped.and(synced), turn.end_queue(Error::Closed))
            }
            Entered::Done(Err(Error::Closed)) => return Err(Error::Closed),
            Entered::Done(outcome) => {
                // A writer died in its turn. Nothing of the log can be trusted to be whole.
                self.inner.shut_down();
                (outcome.map(drop), None)
            }
        };
        let worker = self.worker.lock().take();
        if let Some(worker) = worker
            && E::Threads::join(worker).is_err()
        {
            result = result.and(Err(Error::invalid("the background thread died")));
        }
        if let Some(half) = half {
            result = result.and(half.log.close());
        }
        let lock = self.inner.lock.lock().take();
        drop(lock);
        tracing::debug!(target: "faultline", ok = result.is_ok(), "closed");
        result
    }
}

impl<E: Env> Inner<E> {
    /// Ends the background thread once it has done what it is doing, and fails who waits for it.
    pub(super) fn shut_down(&self) {
        self.state.lock().is_shutting_down = true;
        self.work.notify_all();
        self.done.notify_all();
    }
}

impl<E: Env> Drop for Handle<E> {
    fn drop(&mut self) {
        if E::Threads::panicking() {
            // Waiting could hide the panic. LOCK is released with the last owner of `Inner`.
            self.inner.shut_down();
            return;
        }
        match self.close(false) {
            Ok(()) | Err(Error::Closed) => {}
            Err(error) => tracing::warn!(target: "faultline", %error, "error at the last drop"),
        }
    }
}

impl<E: Env> fmt::Debug for Handle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}
