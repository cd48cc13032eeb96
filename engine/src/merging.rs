//! [`MergingIterator`]: several cursors as one, in order.
//!
//! Entries of equal internal key are all yielded, the child with the lowest index first going
//! forwards and last going backwards. A child's error ends the walk: what it would have yielded is
//! unknown, so anything further would be a guess.
//!
//! The children that stand on an entry are kept in order, so that a step costs one comparison as
//! long as the same child goes on yielding, and never more than there are children.
//!
//! Source: LevelDB `table/merger.cc`. Differs: an error stops the walk at once instead of being
//! noted for later; LevelDB compares all children at every step.

use core::cmp::Ordering;
use core::fmt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::iterator::InternalIterator;
use crate::key::InternalKeyComparator;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// Every child stands at or after the current entry.
    Forward,
    /// Every other child stands before the current entry.
    Backward,
}

/// The merge.
pub(crate) struct MergingIterator {
    order: InternalKeyComparator,
    children: Vec<Box<dyn InternalIterator>>,
    // Invariant: the indexes of the valid children, that whose entry comes next first; empty once
    // a child has failed.
    live: Vec<usize>,
    direction: Direction,
    failed: Option<Error>,
    // The key to which the others are moved when the direction turns; kept for its memory.
    turn: Vec<u8>,
}

impl MergingIterator {
    /// Merges `children`, each in the order `order`.
    pub(crate) fn new(
        order: InternalKeyComparator,
        children: Vec<Box<dyn InternalIterator>>,
    ) -> Self {
        MergingIterator {
            order,
            children,
            live: Vec::new(),
            direction: Direction::Forward,
            failed: None,
            turn: Vec::new(),
        }
    }

    /// Moves every child by `movement` and starts anew from there.
    fn reposition(
        &mut self,
        direction: Direction,
        mut movement: impl FnMut(&mut dyn InternalIterator),
    ) {
        self.direction = direction;
        for child in &mut self.children {
            movement(&mut **child);
        }
        self.sort();
    }

    /// Puts all children in order.
    fn sort(&mut self) {
        self.live.clear();
        for (index, child) in self.children.iter().enumerate() {
            if child.valid() {
                self.live.push(index);
            } else if let Err(error) = child.status() {
                self.fail(error);
                return;
            }
        }
        let mut live = core::mem::take(&mut self.live);
        live.sort_unstable_by(|&a, &b| self.compare(a, b));
        self.live = live;
    }

    /// Which of two valid children comes first.
    fn compare(&self, a: usize, b: usize) -> Ordering {
        let order = self.order.compare(self.children[a].key(), self.children[b].key());
        let order = order.then(a.cmp(&b));
        match self.direction {
            Direction::Forward => order,
            Direction::Backward => order.reverse(),
        }
    }

    /// Puts the first child where it belongs after it has moved.
    #[inline]
    fn settle_first(&mut self) {
        let Some(&first) = self.live.first() else { return };
        if self.children[first].valid() {
            let mut at = 0;
            while let Some(&next) = self.live.get(at + 1)
                && self.compare(next, first).is_lt()
            {
                self.live.swap(at, at + 1);
                at += 1;
            }
        } else if let Err(error) = self.children[first].status() {
            self.fail(error);
        } else {
            self.live.remove(0);
        }
    }

    fn fail(&mut self, error: Error) {
        self.live.clear();
        self.failed.get_or_insert(error);
    }

    /// Moves every child but the current one across the current entry.
    fn turn(&mut self, current: usize, direction: Direction) {
        let mut turn = core::mem::take(&mut self.turn);
        turn.clear();
        turn.extend_from_slice(self.children[current].key());
        for (index, child) in self.children.iter_mut().enumerate() {
            if index == current {
                continue;
            }
            child.seek(&turn);
            match direction {
                Direction::Forward => {
                    if child.valid() && self.order.compare(child.key(), &turn).is_eq() {
                        child.next();
                    }
                }
                Direction::Backward => {
                    if child.valid() {
                        child.prev();
                    } else {
                        child.seek_to_last();
                    }
                    // What was added to a memtable since may lie behind the current entry.
                    while child.valid() && self.order.compare(child.key(), &turn).is_gt() {
                        child.prev();
                    }
                }
            }
        }
        self.turn = turn;
        self.direction = direction;
    }

    #[inline]
    fn current(&self) -> Option<&dyn InternalIterator> {
        self.live.first().map(|&index| &*self.children[index])
    }
}

impl InternalIterator for MergingIterator {
    #[inline]
    fn valid(&self) -> bool {
        self.failed.is_none() && !self.live.is_empty()
    }

    fn seek_to_first(&mut self) {
        self.reposition(Direction::Forward, |child| child.seek_to_first());
    }

    fn seek_to_last(&mut self) {
        self.reposition(Direction::Backward, |child| child.seek_to_last());
    }

    fn seek(&mut self, target: &[u8]) {
        self.reposition(Direction::Forward, |child| child.seek(target));
    }

    fn next(&mut self) {
        let Some(&current) = self.live.first() else { return };
        if self.direction == Direction::Forward {
            self.children[current].next();
            self.settle_first();
        } else {
            self.turn(current, Direction::Forward);
            self.children[current].next();
            self.sort();
        }
    }

    fn prev(&mut self) {
        let Some(&current) = self.live.first() else { return };
        if self.direction == Direction::Backward {
            self.children[current].prev();
            self.settle_first();
        } else {
            self.turn(current, Direction::Backward);
            self.children[current].prev();
            self.sort();
        }
    }

    fn key(&self) -> &[u8] {
        self.current().map_or(&[], InternalIterator::key)
    }

    fn value(&self) -> &[u8] {
        self.current().map_or(&[], InternalIterator::value)
    }

    fn status(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
    fn place(&self) -> (&Path, u64) {
        self.current().map_or((Path::new(""), 0), InternalIterator::place)
    }
}

impl fmt::Debug for MergingIterator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MergingIterator")
            .field("children", &self.children.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::env::posix::PosixEnv;
    use crate::key::ValueType;
    use crate::memtable::{MemTableIterator, MemTableWriter};

    fn child(entries: &[(u64, &str)]) -> Box<dyn InternalIterator> {
        let mut writer: MemTableWriter<<PosixEnv as Env>::Threads> =
            MemTableWriter::new(InternalKeyComparator::bytewise());
        for (sequence, key) in entries {
            writer.add(*sequence, ValueType::Value, key.as_bytes(), b"");
        }
        Box::new(writer.table().iter())
    }

    fn here(iter: &MergingIterator) -> String {
        let key = crate::key::ParsedInternalKey::parse(iter.key());
        key.map_or("end".into(), |key| format!("{}{}", key.user_key.escape_ascii(), key.sequence))
    }

    /// A memtable to which an entry is added right after each seek.
    struct Growing {
        writer: MemTableWriter<<PosixEnv as Env>::Threads>,
        iter: MemTableIterator<<PosixEnv as Env>::Threads>,
        late: Vec<(u64, &'static str)>,
    }

    impl InternalIterator for Growing {
        fn valid(&self) -> bool {
            self.iter.valid()
        }
        fn seek_to_first(&mut self) {
            self.iter.seek_to_first();
        }
        fn seek_to_last(&mut self) {
            self.iter.seek_to_last();
        }
        fn seek(&mut self, target: &[u8]) {
            self.iter.seek(target);
            for (sequence, key) in self.late.drain(..) {
                self.writer.add(sequence, ValueType::Value, key.as_bytes(), b"");
            }
        }
        fn next(&mut self) {
            self.iter.next();
        }
        fn prev(&mut self) {
            self.iter.prev();
        }
        fn key(&self) -> &[u8] {
            self.iter.key()
        }
        fn value(&self) -> &[u8] {
            self.iter.value()
        }
        fn status(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_added_during_a_turn_hides_nothing() {
        for late in [&[(8, "cc")][..], &[(8, "zz")], &[(8, "cc"), (9, "cc"), (8, "dd"), (7, "a")]] {
            let mut writer = MemTableWriter::new(InternalKeyComparator::bytewise());
            for (sequence, key) in [(3, "b"), (5, "d")] {
                writer.add(sequence, ValueType::Value, key.as_bytes(), b"");
            }
            let iter = writer.table().iter();
            let growing = Box::new(Growing { writer, iter, late: late.to_vec() });
            let children = vec![child(&[(1, "a"), (2, "c"), (6, "e")]), growing];
            let mut iter = MergingIterator::new(InternalKeyComparator::bytewise(), children);
            iter.seek_to_first();
            iter.next();
            iter.next();
            assert_eq!(here(&iter), "c2");
            iter.prev();
            assert_eq!(here(&iter), "b3", "after {late:?}");
            iter.prev();
            assert_eq!(here(&iter), "a1");
            iter.prev();
            // In front of it there is only what was added there.
            let expected = if late.contains(&(7, "a")) { "a7" } else { "end" };
            assert_eq!(here(&iter), expected);
        }
    }

    #[test]
    fn turns_at_every_entry() {
        let children = vec![
            child(&[(1, "a"), (9, "c"), (7, "e")]),
            child(&[]),
            child(&[(3, "b"), (2, "c"), (5, "d")]),
        ];
        let mut iter = MergingIterator::new(InternalKeyComparator::bytewise(), children);
        assert!(!iter.valid());
        let expected = ["a1", "b3", "c9", "c2", "d5", "e7"];
        for (at, entry) in expected.iter().enumerate() {
            // Forwards to the entry, back to the start, and forwards again.
            iter.seek_to_first();
            (0..at).for_each(|_| iter.next());
            assert_eq!(here(&iter), *entry);
            for back in expected[..at].iter().rev() {
                iter.prev();
                assert_eq!(here(&iter), *back);
            }
            for forth in &expected[1..] {
                iter.next();
                assert_eq!(here(&iter), *forth);
            }
            iter.next();
            assert!(!iter.valid());
            iter.seek_to_last();
            assert_eq!(here(&iter), "e7");
            iter.prev();
            iter.next();
            assert_eq!(here(&iter), "e7");
        }
        assert_eq!(iter.status(), Ok(()));
    }
}
