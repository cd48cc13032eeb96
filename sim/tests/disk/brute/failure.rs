//! Failed syncs of files, by brute force, and the one order of all calls that some of them leave.

use super::{Failure, Model, Piece, Rules, What};

impl Model {
    /// The errors that a file opened now knows of.
    pub(super) fn known(&self, ino: usize) -> u32 {
        self.errors.get(&ino).map_or(0, |(_, told)| *told)
    }

    /// Whether a sync that knew of `known` errors tells of one, and does nothing else.
    pub(super) fn tells(&mut self, ino: usize, known: u32) -> bool {
        match self.errors.get_mut(&ino) {
            Some((count, told)) if known < *count => {
                *told = *count;
                true
            }
            _ => false,
        }
    }

    pub(super) fn fail_file(&mut self, rules: Rules, ino: usize, begin: u32) {
        match rules.failure() {
            Failure::Clean => self.clean(ino, begin),
            Failure::Undo => self.undo(ino, begin),
            Failure::Late => {
                self.errors.entry(ino).or_default().0 += 1;
                if !rules.lies {
                    // What it had promised.
                    return self.sync_file(rules, ino, begin);
                }
                self.lose_late(rules, ino, begin);
            }
        }
    }

    /// Writing back what is dirty fails without a sync.
    pub(super) fn fail_write_back(&mut self, rules: Rules, ino: usize) {
        self.errors.entry(ino).or_default().0 += 1;
        match rules.failure() {
            Failure::Clean => self.clean(ino, self.time),
            Failure::Undo => self.undo(ino, self.time),
            Failure::Late => self.lose_late(rules, ino, self.time),
        }
    }

    /// Pages that are clean and lost show what is durable. Where somebody may have promised them,
    /// they stay.
    pub(super) fn evict(&mut self, rules: Rules) {
        if matches!(rules.failure(), Failure::Late) {
            return;
        }
        let is_cut = |ino: usize, page: u32| {
            self.pieces.iter().any(|piece| {
                let cuts = matches!(piece.what, What::Cut { to } if to < (page + 1) * 4096);
                piece.ino == ino && cuts && !piece.durable
            })
        };
        let is_left = |piece: &Piece| match piece.what {
            What::Data { sector, .. } => {
                let (ino, page) = (piece.ino, sector / 8);
                let is_clean = !self.dirty(ino, page, self.time) && !is_cut(ino, page);
                !piece.durable && piece.is_lost() && is_clean
            }
            _ => false,
        };
        let left: Vec<bool> = self.pieces.iter().map(is_left).collect();
        for (piece, is_left) in self.pieces.iter_mut().zip(left) {
            piece.void |= is_left;
            piece.durable |= is_left;
        }
    }

    /// The pages of `ino` are lost, behind a commit of all that was before.
    fn lose_late(&mut self, rules: Rules, ino: usize, begin: u32) {
        let targets = self.targets(rules, ino, begin);
        let kept = targets.iter().map(|index| &self.pieces[*index]).filter(|p| !p.is_lost());
        let last = kept.map(Piece::order).max();
        self.clean(ino, begin);
        let is_before = |index: &usize| {
            let piece = &self.pieces[*index];
            !piece.is_lost() && Some(piece.order()) <= last
        };
        let targets = (0..self.pieces.len()).filter(is_before).collect();
        self.harden(rules, targets);
    }

    fn clean(&mut self, ino: usize, begin: u32) {
        for piece in &mut self.pieces {
            let content = !matches!(piece.what, What::Entry { .. });
            if content && piece.ino == ino && piece.time <= begin {
                piece.failed.push(self.time);
            }
        }
    }

    /// Takes the writes up to `begin` out, and has the sizes of what is left again.
    fn undo(&mut self, ino: usize, begin: u32) {
        let mut size = 0;
        let mut left: Vec<Piece> = Vec::new();
        let pieces = std::mem::take(&mut self.pieces);
        let mut pieces = pieces.into_iter().peekable();
        while let Some(piece) = pieces.next() {
            if piece.ino != ino || piece.durable {
                if let (true, What::Size { to } | What::Cut { to }) =
                    (piece.ino == ino, &piece.what)
                {
                    size = *to;
                }
                left.push(piece);
                continue;
            }
            match piece.what {
                What::Data { offset, len, .. } if begin < piece.time => {
                    let end = offset + len;
                    let time = piece.time;
                    let template = Piece { what: What::Size { to: end }, ..piece.clone() };
                    left.push(piece);
                    let is_last = pieces.peek().is_none_or(|next| {
                        next.time != time || !matches!(next.what, What::Data { .. })
                    });
                    if is_last && size < end {
                        size = end;
                        left.push(Piece { new_block: false, ..template });
                    }
                }
                What::Cut { to } if to < size => {
                    size = to;
                    left.push(piece);
                }
                What::Data { .. } | What::Size { .. } | What::Cut { .. } => {}
                What::Entry { .. } => left.push(piece),
            }
        }
        self.pieces = left;
        if size < self.sizes[ino] {
            self.writers.insert(ino, self.append_at(ino));
        }
        self.sizes[ino] = size;
    }
}

impl Piece {
    /// Whether `piece` needs this one where all calls are in one order, page by page. A page that a
    /// failed sync has left out is in no order; the next write of it takes it along.
    pub(super) fn is_before(&self, piece: &Piece) -> bool {
        let same_page = match (&self.what, &piece.what) {
            (What::Data { sector: a, .. }, What::Data { sector: b, .. }) => {
                self.ino == piece.ino && a / 8 == b / 8 && self.time < piece.time
            }
            (What::Data { sector, .. }, What::Cut { to }) if piece.failed.is_empty() => {
                let inside = to % 4096 != 0 && sector / 8 == to / 4096;
                self.ino == piece.ino && inside && self.time < piece.time
            }
            _ => false,
        };
        !piece.is_lost() && (same_page || (!self.is_lost() && self.order() <= piece.order()))
    }

    fn is_lost(&self) -> bool {
        matches!(self.what, What::Data { .. }) && !self.failed.is_empty()
    }

    /// Its place in the order of calls and, of one call, of pages.
    fn order(&self) -> (u32, u32) {
        match self.what {
            What::Data { sector, .. } => (self.time, sector / 8),
            What::Size { to } => (self.time, (to - 1) / 4096),
            What::Cut { .. } | What::Entry { .. } => (self.time, 0),
        }
    }
}
