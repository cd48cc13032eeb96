//! Sizes that are published with the page of their last byte, by brute force.

use super::{Model, What};

impl Model {
    /// The data pieces that the size or truncation at `index` needs while no later one is there:
    /// those of the page at its end, up to the call that made the file that long. A truncation to
    /// what was durable `before` needs none.
    fn end(&self, index: usize, before: &[bool]) -> Vec<usize> {
        let piece = &self.pieces[index];
        let (to, time) = match piece.what {
            What::Size { to } => (to, piece.time),
            What::Cut { to } => {
                let reached = |other: usize| match self.pieces[other].what {
                    What::Size { to: size } if self.pieces[other].ino == piece.ino => {
                        self.size_before(other) < to && to <= size
                    }
                    _ => false,
                };
                match (0..index).rev().find(|other| reached(*other)) {
                    Some(growth) if !before[growth] => (to, self.pieces[growth].time),
                    _ => return Vec::new(),
                }
            }
            What::Data { .. } | What::Entry { .. } => return Vec::new(),
        };
        let is_end = |other: &usize| match self.pieces[*other].what {
            What::Data { sector, .. } => {
                let other = &self.pieces[*other];
                let in_page = sector / 8 == (to - 1) / 4096 && sector * 512 < to;
                other.ino == piece.ino && other.time <= time && in_page
            }
            _ => false,
        };
        (0..self.pieces.len()).filter(is_end).collect()
    }

    fn size_before(&self, index: usize) -> u32 {
        let before = self.pieces[..index].iter().rev().find_map(|other| match other.what {
            What::Size { to } | What::Cut { to } if other.ino == self.pieces[index].ino => Some(to),
            _ => None,
        });
        before.unwrap_or(0)
    }

    /// The last size or truncation of `ino` among the pieces that `kept` has.
    fn last_size(&self, kept: &[bool], ino: usize) -> Option<usize> {
        (0..self.pieces.len()).rev().find(|index| {
            let piece = &self.pieces[*index];
            let is_size = matches!(piece.what, What::Size { .. } | What::Cut { .. });
            kept[*index] && piece.ino == ino && is_size
        })
    }

    /// What the sizes that `kept` shows, and that were not there `before`, need and `kept` has not.
    pub(super) fn missing_ends(&self, kept: &[bool], before: &[bool]) -> Vec<usize> {
        let sizes = (0..self.sizes.len()).filter_map(|ino| self.last_size(kept, ino));
        let new = sizes.filter(|index| !before[*index]);
        new.flat_map(|index| self.end(index, before)).filter(|index| !kept[*index]).collect()
    }

    pub(super) fn durable(&self) -> Vec<bool> {
        self.pieces.iter().map(|piece| piece.durable).collect()
    }

    /// How many of the pieces may be sizes that a sync of `ino` begun at `begin` makes durable: up
    /// to the last one whose end it writes or finds written.
    pub(super) fn reach(&self, ino: usize, begin: u32) -> usize {
        let durable = self.durable();
        let is_covered = |index: &usize| {
            let piece = &self.pieces[*index];
            let is_own = piece.ino == ino && piece.time <= begin;
            is_own
                && match piece.what {
                    What::Size { to } => {
                        let is_there = |other: &usize| durable[*other];
                        piece.durable
                            || self.dirty(ino, (to - 1) / 4096, begin)
                            || self.end(*index, &durable).iter().all(is_there)
                    }
                    What::Cut { .. } => true,
                    What::Data { .. } | What::Entry { .. } => false,
                }
        };
        (0..self.pieces.len()).rev().find(is_covered).map_or(0, |index| index + 1)
    }
}
