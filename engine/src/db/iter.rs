//! [`DbIterator`]: the entries of one state of a database, by user key.
//!
//! Hides what is newer than its state, what is overwritten and what is deleted. Invariants: going
//! forwards, `entries` stands on the entry that is shown; going backwards, it stands before all
//! entries of the key that is shown, which is kept in `key` and `value`. An error ends the walk and
//! stays.
//!
//! Source: LevelDB `db/db_iter.cc`. Differs: owns what it reads; damage ends the walk instead of
//! being passed over; nothing is sampled for compaction.

use core::fmt;
use std::sync::Arc;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::iterator::{InternalIterator, corrupted_key};
use crate::key::{
    InternalKeyComparator, MAX_SEQUENCE, ParsedInternalKey, SequenceNumber, ValueType, user_key,
};
use crate::merging::MergingIterator;
use crate::options::ReadOptions;
use crate::version::lookup_key;

use super::entries::DbEntries;
use super::pins::ViewPin;
use super::range::KeyRange;
use super::snapshot::{Pin, Snapshot};
use super::state::Inner;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// A cursor over the keys and values of one state of a database, forwards and backwards.
///
/// Not positioned at first; so is one that has run off either end, until the next `seek*`. It owns
/// all it needs: it may outlive every handle, and what is written later does not show in it. If it
/// is of a range, nothing outside of that shows, and the first and the last key are those of the
/// range. As an `IntoIterator` it yields what is left from its position, or everything if it has
/// none.
///
/// ```text
/// let mut iter = db.prefix(b"user/")?;
/// iter.seek_to_first();
/// while iter.valid() {
///     show(iter.key(), iter.value());
///     iter.next();
/// }
/// iter.status()?;   // the walk may have ended because of an error
/// ```
pub struct DbIterator {
    entries: MergingIterator,
    order: InternalKeyComparator,
    sequence: SequenceNumber,
    range: KeyRange,
    direction: Direction,
    is_valid: bool,
    is_positioned: bool,
    // Forwards: the key whose older entries are passed over. Backwards: the key that is shown.
    key: Vec<u8>,
    // Backwards: the value that is shown.
    value: Vec<u8>,
    failed: Option<Error>,
    // Last, so that it goes after everything that reads tables.
    _pin: Box<dyn Pin>,
}

impl<E: Env> Pin for ViewPin<E, Arc<Inner<E>>> {}

impl<E: Env> Inner<E> {
    /// A cursor over the keys of `range` in the state that `options` name.
    pub(super) fn cursor(
        self: &Arc<Self>,
        range: KeyRange,
        options: &ReadOptions,
    ) -> Result<DbIterator> {
        let view = ViewPin::new(Arc::clone(self))?;
        Ok(DbIterator {
            entries: self.merge(&view, &self.tables, options.block_reads())?,
            order: self.order.clone(),
            sequence: options.snapshot.as_ref().map_or(view.sequence(), Snapshot::sequence),
            range,
            direction: Direction::Forward,
            is_valid: false,
            is_positioned: false,
            key: Vec::new(),
            value: Vec::new(),
            failed: None,
            _pin: Box::new(view),
        })
    }
}

impl DbIterator {
    /// Whether the cursor stands on an entry.
    pub fn valid(&self) -> bool {
        self.is_valid
    }

    /// The last sequence number that the state under the cursor contains.
    pub fn sequence(&self) -> SequenceNumber {
        self.sequence
    }

    /// The key here. Holds until the next move.
    ///
    /// # Panics
    /// If the cursor is not [`DbIterator::valid`].
    pub fn key(&self) -> &[u8] {
        assert!(self.is_valid, "a cursor that stands nowhere has no key");
        match self.direction {
            Direction::Forward => user_key(self.entries.key()),
            Direction::Backward => &self.key,
        }
    }

    /// The value here. Holds until the next move.
    ///
    /// # Panics
    /// If the cursor is not [`DbIterator::valid`].
    pub fn value(&self) -> &[u8] {
        assert!(self.is_valid, "a cursor that stands nowhere has no value");
        match self.direction {
            Direction::Forward => self.entries.value(),
            Direction::Backward => &self.value,
        }
    }

    /// `Ok`, or the error that ended the walk.
    pub fn status(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// The order of keys.
    pub(super) fn order(&self) -> &InternalKeyComparator {
        &self.order
    }

    /// Moves to the first key.
    pub fn seek_to_first(&mut self) {
        self.start(Direction::Forward);
        match &self.range.start {
            Some(start) => self.entries.seek(&lookup_key(start, self.sequence)),
            None => self.entries.seek_to_first(),
        }
        self.find_next(false);
    }

    /// Moves to the last key.
    pub fn seek_to_last(&mut self) {
        self.start(Direction::Backward);
        if let Some(end) = &self.range.end {
            self.entries.seek(&lookup_key(end, MAX_SEQUENCE));
        }
        if self.range.end.is_some() && self.entries.valid() {
            self.entries.prev();
        } else {
            self.entries.seek_to_last();
        }
        self.find_prev();
    }

    /// Moves to the first key at or after `target`.
    pub fn seek(&mut self, target: &[u8]) {
        self.start(Direction::Forward);
        let start = self.range.start.as_deref().unwrap_or(target);
        let is_before = self.order.compare_user(target, start).is_lt();
        let target = if is_before { start } else { target };
        self.entries.seek(&lookup_key(target, self.sequence));
        self.find_next(false);
    }

    /// Moves one key on.
    ///
    /// # Panics
    /// If the cursor is not [`DbIterator::valid`].
    pub fn next(&mut self) {
        assert!(self.is_valid, "next on a cursor that stands nowhere");
        if self.direction == Direction::Backward {
            // The entries stand before those of the key that is shown: go in among them.
            self.direction = Direction::Forward;
            if self.entries.valid() {
                self.entries.next();
            } else {
                self.entries.seek_to_first();
            }
            // `key` is the key that was shown: what is left of it is passed over.
        } else {
            self.key.clear();
            self.key.extend_from_slice(user_key(self.entries.key()));
            self.entries.next();
        }
        self.find_next(true);
    }

    /// Moves one key back.
    ///
    /// # Panics
    /// If the cursor is not [`DbIterator::valid`].
    pub fn prev(&mut self) {
        assert!(self.is_valid, "prev on a cursor that stands nowhere");
        if self.direction == Direction::Forward {
            self.direction = Direction::Backward;
            self.key.clear();
            self.key.extend_from_slice(user_key(self.entries.key()));
            loop {
                self.entries.prev();
                let here = user_key(self.entries.key());
                if !self.entries.valid() || self.order.compare_user(here, &self.key).is_lt() {
                    break;
                }
            }
        }
        self.find_prev();
    }

    fn start(&mut self, direction: Direction) {
        self.direction = direction;
        self.is_positioned = true;
        self.is_valid = false;
        self.key.clear();
    }

    /// Walks on to the next entry to be shown. With `skipping`, entries of `key` are not.
    fn find_next(&mut self, mut skipping: bool) {
        self.is_valid = false;
        while self.entries.valid() {
            let Some(here) = ParsedInternalKey::parse(self.entries.key()) else {
                self.fail(corrupted_key(&self.entries));
                return;
            };
            if let Some(end) = &self.range.end
                && self.order.compare_user(here.user_key, end).is_ge()
            {
                return;
            }
            let is_visible = here.sequence <= self.sequence;
            let is_hidden = skipping && self.order.compare_user(here.user_key, &self.key).is_le();
            if is_visible && !is_hidden {
                match here.value_type {
                    ValueType::Value => {
                        self.is_valid = true;
                        return;
                    }
                    ValueType::Deletion => {
                        self.key.clear();
                        self.key.extend_from_slice(here.user_key);
                        skipping = true;
                    }
                }
            }
            self.entries.next();
        }
        self.end_walk();
    }

    /// Walks back over all entries of the key to be shown, the newest visible of which is last.
    fn find_prev(&mut self) {
        self.is_valid = false;
        let mut newest = ValueType::Deletion;
        while self.entries.valid() {
            let Some(here) = ParsedInternalKey::parse(self.entries.key()) else {
                self.fail(corrupted_key(&self.entries));
                return;
            };
            if let Some(start) = &self.range.start
                && self.order.compare_user(here.user_key, start).is_lt()
            {
                break;
            }
            if here.sequence <= self.sequence {
                // Without a value so far there is no key to compare with, and a comparator is
                // given nothing but keys.
                let has_value = newest == ValueType::Value;
                if has_value && self.order.compare_user(here.user_key, &self.key).is_lt() {
                    break;
                }
                newest = here.value_type;
                self.key.clear();
                self.value.clear();
                if newest == ValueType::Value {
                    self.key.extend_from_slice(here.user_key);
                    self.value.extend_from_slice(self.entries.value());
                }
            }
            self.entries.prev();
        }
        self.end_walk();
        self.is_valid = self.failed.is_none() && newest == ValueType::Value;
    }

    fn end_walk(&mut self) {
        if let Err(error) = self.entries.status() {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: Error) {
        self.is_valid = false;
        self.failed.get_or_insert(error);
    }
}

impl IntoIterator for DbIterator {
    type Item = Result<(Vec<u8>, Vec<u8>)>;
    type IntoIter = DbEntries;

    fn into_iter(mut self) -> DbEntries {
        if !self.is_positioned {
            self.seek_to_first();
        }
        DbEntries::new(self)
    }
}

impl fmt::Debug for DbIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbIterator")
            .field("sequence", &self.sequence)
            .field("is_valid", &self.is_valid)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
