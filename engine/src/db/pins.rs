//! [`Pins`]: which versions somebody reads, and so which tables must stay; [`ViewPin`], one
//! reader's hold.
//!
//! Invariant: a table that any held version lists is in the directory. A reader gets its view and
//! holds its version in one step under the state lock, and lets go when it is done.
//!
//! Source: LevelDB `Version::{Ref, Unref}` and `VersionSet::AddLiveFiles`. Differs: when the last
//! reader of tables that are in no newer version lets go, they are removed soon; LevelDB removes
//! them after the next compaction.

use core::borrow::Borrow;
use core::marker::PhantomData;
use core::ops::Deref;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::state::{Inner, Phase, View};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::filename::FileNumber;
use crate::key::SequenceNumber;
use crate::version::Version;

/// The place of a version among those of one incarnation.
pub(super) type VersionNumber = u64;

#[derive(Debug)]
struct Held {
    version: Arc<Version>,
    readers: usize,
    /// Whether it has tables that a newer version has not.
    has_left_over: bool,
}

/// The versions that are held: the current one, and all that have readers.
#[derive(Debug)]
pub(super) struct Pins {
    held: BTreeMap<VersionNumber, Held>,
    current: VersionNumber,
    is_sweep_due: bool,
}

impl Pins {
    pub(super) fn new(version: Arc<Version>) -> Self {
        let first = Held { version, readers: 0, has_left_over: false };
        Pins { held: BTreeMap::from([(0, first)]), current: 0, is_sweep_due: false }
    }

    /// The number of the current version.
    pub(super) fn current(&self) -> VersionNumber {
        self.current
    }

    /// Makes `version` the current one. `drops_tables` says whether it lacks any table of the one
    /// before.
    pub(super) fn advance(&mut self, version: Arc<Version>, drops_tables: bool) {
        if drops_tables {
            self.held.values_mut().for_each(|held| held.has_left_over = true);
        }
        if self.held.get(&self.current).is_some_and(|held| held.readers == 0) {
            self.held.remove(&self.current);
        }
        self.current += 1;
        let held = Held { version, readers: 0, has_left_over: false };
        self.held.insert(self.current, held);
    }

    fn pin(&mut self, number: VersionNumber) {
        if let Some(held) = self.held.get_mut(&number) {
            held.readers += 1;
        }
    }

    /// Lets go. True if tables have become useless by that.
    fn unpin(&mut self, number: VersionNumber) -> bool {
        let Some(held) = self.held.get_mut(&number) else { return false };
        held.readers -= 1;
        if held.readers > 0 || number == self.current {
            return false;
        }
        let has_left_over = held.has_left_over;
        self.held.remove(&number);
        self.is_sweep_due |= has_left_over;
        has_left_over
    }

    /// Whether tables have become useless since this was last asked.
    pub(super) fn take_sweep_due(&mut self) -> bool {
        core::mem::take(&mut self.is_sweep_due)
    }

    /// The tables of all versions that are held.
    pub(super) fn tables(&self) -> BTreeSet<FileNumber> {
        let versions = self.held.values().map(|held| &held.version);
        versions.flat_map(|version| version.files().map(|(_, file)| file.number)).collect()
    }
}

/// A view, and what keeps its tables in the directory. `I` is a reference to the database or a
/// share of it.
pub(super) struct ViewPin<E: Env, I: Borrow<Inner<E>>> {
    inner: I,
    view: Arc<View<E::Threads>>,
    sequence: SequenceNumber,
    _env: PhantomData<fn() -> E>,
}

impl<E: Env, I: Borrow<Inner<E>>> ViewPin<E, I> {
    /// What a read looks into now.
    ///
    /// # Errors
    /// `Closed`.
    pub(super) fn new(inner: I) -> Result<Self> {
        let database = inner.borrow();
        let mut state = database.state.lock();
        if state.phase == Phase::Closed {
            return Err(Error::Closed);
        }
        let view = Arc::clone(&state.view);
        state.pins.pin(view.version_number);
        // Under the lock, so that the two fit together.
        let sequence = database.published();
        drop(state);
        Ok(ViewPin { inner, view, sequence, _env: PhantomData })
    }

    /// The number up to which everything is visible in the view.
    pub(super) fn sequence(&self) -> SequenceNumber {
        self.sequence
    }
}

impl<E: Env, I: Borrow<Inner<E>>> Deref for ViewPin<E, I> {
    type Target = View<E::Threads>;

    fn deref(&self) -> &View<E::Threads> {
        &self.view
    }
}

impl<E: Env, I: Borrow<Inner<E>>> Drop for ViewPin<E, I> {
    fn drop(&mut self) {
        let database = self.inner.borrow();
        let mut state = database.state.lock();
        let is_sweep_due = state.pins.unpin(self.view.version_number);
        drop(state);
        if is_sweep_due {
            // Removing files is slow, and whoever reads should not pay for it.
            database.compaction_work.notify_one();
        }
    }
}
