//! [`DbEntries`]: a [`DbIterator`] as an iterator of Rust, from both ends.
//!
//! There is one cursor, and it stands at the end that was asked last. To turn to the other end
//! costs a seek; to walk from one end, or from the other with `rev`, costs none.

use core::iter::FusedIterator;

use super::iter::DbIterator;
use crate::error::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Front,
    Back,
}

/// The rest of a [`DbIterator`] as pairs of key and value. An error is the last item, at whichever
/// end it was met.
///
/// `next_back` and `rev` give the last entry first. Whoever asks both ends by turns pays a seek for
/// each turn.
#[derive(Debug)]
pub struct DbEntries {
    // Stands on the entry that `end` gives next, if there is one.
    iter: DbIterator,
    end: End,
    // The key that the other end gives next, if that end was ever asked or left.
    other: Option<Vec<u8>>,
    is_done: bool,
}

impl DbEntries {
    /// Starts with what is left of `iter`, which is positioned.
    pub(super) fn new(iter: DbIterator) -> Self {
        DbEntries { iter, end: End::Front, other: None, is_done: false }
    }

    /// Takes the cursor from a valid position to the other end.
    fn turn(&mut self) {
        let here = self.iter.key().to_vec();
        match self.other.replace(here) {
            Some(key) => self.iter.seek(&key),
            // The front comes first, so this is the first time at the back.
            None => self.iter.seek_to_last(),
        }
        self.end = match self.end {
            End::Front => End::Back,
            End::Back => End::Front,
        };
    }

    fn give(&mut self, end: End) -> Option<Result<(Vec<u8>, Vec<u8>)>> {
        if self.is_done {
            return None;
        }
        if self.end != end && self.iter.valid() {
            self.turn();
        }
        if !self.iter.valid() {
            self.is_done = true;
            return self.iter.status().err().map(Err);
        }
        let key = self.iter.key();
        let is_beyond = self.other.as_ref().is_some_and(|other| {
            let order = self.iter.order().compare_user(key, other);
            if end == End::Front { order.is_gt() } else { order.is_lt() }
        });
        if is_beyond {
            // The two ends have met.
            self.is_done = true;
            return None;
        }
        let entry = (key.to_vec(), self.iter.value().to_vec());
        match end {
            End::Front => self.iter.next(),
            End::Back => self.iter.prev(),
        }
        Some(Ok(entry))
    }
}

impl Iterator for DbEntries {
    type Item = Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.give(End::Front)
    }
}

impl DoubleEndedIterator for DbEntries {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.give(End::Back)
    }
}

impl FusedIterator for DbEntries {}
