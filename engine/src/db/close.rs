//! Closing: the log synced, the background threads ended, LOCK released last.
//!
//! The memtable is not flushed: the log carries it, and the next open replays it.
//!
//! Source: LevelDB `DBImpl::~DBImpl`. Differs: closing is a call of its own that syncs and has a
//! result; LOCK is released after every other file.

use core::fmt;
use std::sync::Arc;

use super::queue::Entered;
use super::request::Request;
use super::state::{Inner, Phase};
use super::write::sync_log;
use crate::env::{Atomic, Env, Mutex, NoThread, Threads};
use crate::error::{Error, Result};

/// What the handles of one database share, and only they: the background threads hold [`Inner`]
/// alone. Dropped with the last handle.
pub(super) struct Handle<E: Env> {
    pub(super) inner: Arc<Inner<E>>,
    workers: Mutex<E::Threads, Vec<Worker<E>>>,
}

type Worker<E> = <<E as Env>::Threads as Threads>::JoinHandle<()>;

impl<E: Env> Handle<E> {
    /// Starts the background threads, if there is anything for them to do.
    ///
    /// # Errors
    /// `NoThread`; the database is closed again then.
    pub(super) fn new(inner: Inner<E>) -> Result<Self> {
        let inner = Arc::new(inner);
        let mut workers = Vec::new();
        let started = if inner.is_read_only {
            Ok(())
        } else {
            Self::start("flush", &inner, Inner::flush_in_background, &mut workers).and_then(|()| {
                Self::start("compaction", &inner, Inner::compact_in_background, &mut workers)
            })
        };
        // If they were not, its drop closes the database, and ends the one that was.
        let handle = Handle { inner, workers: Mutex::new("workers", workers) };
        started.map(|()| handle)
    }

    fn start(
        name: &'static str,
        inner: &Arc<Inner<E>>,
        body: fn(&Inner<E>),
        workers: &mut Vec<Worker<E>>,
    ) -> Result<()> {
        let inner = Arc::clone(inner);
        let worker = E::Threads::spawn(name, move || body(&inner));
        workers.push(worker.map_err(|NoThread| Error::NoThread { name })?);
        Ok(())
    }

    /// Closes the database for every handle.
    ///
    /// # Errors
    /// What stopped all writes before; that of syncing or closing the log; `Closed` if it is
    /// closed already. The database is closed in any case.
    pub(super) fn close(&self, sync: bool) -> Result<()> {
        let mut state = self.inner.state.lock();
        if self.inner.is_read_only && state.phase != Phase::Open {
            return Err(Error::Closed);
        }
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
        }
        drop(state);
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
            Entered::Done(Err(Error::ReadOnly)) => {
                self.inner.shut_down();
                (Ok(()), None)
            }
            Entered::Done(outcome) => {
                // A writer died in its turn. Nothing of the log can be trusted to be whole.
                self.inner.shut_down();
                (outcome.map(drop), None)
            }
        };
        let workers = core::mem::take(&mut *self.workers.lock());
        for worker in workers {
            if E::Threads::join(worker).is_err() {
                result = result.and(Err(Error::invalid("a background thread died")));
            }
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
    /// Ends the background threads, that for flushes once it has done what it is doing, and fails
    /// who waits for them.
    pub(super) fn shut_down(&self) {
        let mut state = self.state.lock();
        state.phase = Phase::Closed;
        self.stop_compaction.store(1);
        drop(state);
        self.flush_work.notify_all();
        self.compaction_work.notify_all();
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
