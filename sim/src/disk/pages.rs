//! Edges of file systems that write whole pages: to a new place, or into a journal.
//!
//! With copy on write a page is in the tree or it is not: its sectors go together, and what points
//! to them is metadata and keeps its order. A journal of everything keeps the order of all calls,
//! page by page: what is left is a prefix of time.

use super::content::{Content, OpId};
use super::space::{Place, Space, Target};
use super::state::{Disk, Ino};
use super::{PAGE, SECTOR};

/// What one call does to one register as part of one page.
#[derive(Clone, Copy, Debug)]
struct Piece {
    op: OpId,
    ino: Ino,
    page: u32,
    register: u32,
    /// The version before, and with all of it.
    from: u32,
    to: u32,
}

impl Piece {
    /// What goes together.
    fn group(&self) -> (OpId, Ino, u32) {
        (self.op, self.ino, self.page)
    }
}

impl Space {
    /// Ties the sectors of each page together, in the order in which calls changed them. Each such
    /// change is one of those that metadata keep in order.
    pub(super) fn tie_pages(&mut self, content: &Content, sectors: (u32, u32)) {
        let mut places: Vec<Place> = Vec::new();
        for register in sectors.0..sectors.1 {
            let steps = self.steps[self.step_range(register)].iter();
            places.extend(steps.map(|step| Place { op: step.op, register, step: *step }));
        }
        let page_of = |space: &Space, place: &Place| space.page_of(place.register);
        places.sort_by_key(|place| (page_of(self, place), place.op));
        for (index, place) in places.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| places[before]);
            let before = before.filter(|before| page_of(self, before) == page_of(self, place));
            if before.is_none_or(|before| before.op != place.op)
                && !content.record(place.op).is_cut()
            {
                self.growths.push(*place);
            }
            if let Some(before) = before {
                self.follow(&Piece::of(place), &Piece::of(&before));
                if before.op == place.op && place.op < self.first_flight {
                    self.follow(&Piece::of(&before), &Piece::of(place));
                }
            }
        }
    }

    /// Ties each truncation inside a page to what the page held: it is written out before.
    pub(super) fn tie_cuts(&mut self, content: &Content, size: u32, sectors: (u32, u32)) {
        for index in self.step_range(size) {
            let step = self.steps[index];
            let record = content.record(step.op);
            if !record.is_cut() || record.offset.is_multiple_of(PAGE) {
                continue;
            }
            for register in sectors.0..sectors.1 {
                if self.page_of(register) == record.offset / PAGE
                    && let Some(held) = self.step_before(register, step.op)
                {
                    self.tie((size, step.from), (register, held.from + held.weight - 1), 1);
                }
            }
        }
    }

    /// Puts all calls into one order, page by page. Writes in flight come behind all others, each
    /// file's behind each other.
    pub(super) fn order_calls(&mut self, disk: &Disk) {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut lost: Vec<Piece> = Vec::new();
        for at in 0..self.files.len() {
            let span = self.files[at];
            let content = &disk.inode(span.ino).content;
            self.size_pieces(content, span.ino, span.size, &mut pieces);
            for register in span.sectors.0..span.sectors.1 {
                let Target::Sector(ino, sector) = self.registers[register as usize].target else {
                    continue;
                };
                for index in self.step_range(register) {
                    let step = self.steps[index];
                    let (from, to) = (step.from, step.from + step.weight);
                    let is_cut = content.record(step.op).is_cut();
                    let page = if is_cut { 0 } else { sector * SECTOR / PAGE };
                    let piece = Piece { op: step.op, ino, page, register, from, to };
                    if is_cut || !content.is_lost(sector, step.op) {
                        pieces.push(piece);
                    } else {
                        lost.push(piece);
                    }
                }
            }
        }
        for register in self.entries..self.registers.len() as u32 {
            for index in self.step_range(register) {
                let step = self.steps[index];
                let (from, to) = (step.from, step.from + step.weight);
                pieces.push(Piece { op: step.op, ino: Ino::ROOT, page: 0, register, from, to });
            }
        }
        pieces.sort_by_key(Piece::group);
        self.chain(&pieces);
        pieces.retain(|piece| piece.register < self.entries);
        for left in &lost {
            let content = &disk.inode(left.ino).content;
            let next = pieces.iter().find(|piece| {
                left.op < piece.op
                    && piece.ino == left.ino
                    && self.writes(piece, left.page, content)
            });
            // A page goes into the journal whole, with what a failed write-back has left out.
            if let Some(next) = next {
                self.follow(next, left);
            }
        }
    }

    /// Whether the call of `piece` writes something of the page, or cuts inside it.
    fn writes(&self, piece: &Piece, page: u32, content: &Content) -> bool {
        let record = content.record(piece.op);
        if record.is_cut() {
            let is_inside = !record.offset.is_multiple_of(PAGE) && record.offset / PAGE == page;
            return is_inside && !content.is_lost(record.offset / SECTOR, record.id);
        }
        let target = self.registers[piece.register as usize].target;
        matches!(target, Target::Sector(_, sector) if sector * SECTOR / PAGE == page)
    }

    fn chain(&mut self, pieces: &[Piece]) {
        let flights = pieces.partition_point(|piece| piece.op < self.first_flight);
        for pair in pieces[..flights].windows(2) {
            self.follow(&pair[1], &pair[0]);
            if pair[0].group() == pair[1].group() {
                self.follow(&pair[0], &pair[1]);
            }
        }
        for (index, piece) in pieces.iter().enumerate().skip(flights) {
            let is_before = |other: &&Piece| other.ino == piece.ino;
            let same_file = pieces[flights..index].iter().rev().find(is_before);
            let before = same_file.or_else(|| pieces[..flights].last());
            if let Some(before) = before {
                self.follow(piece, before);
            }
        }
    }

    /// The sizes that calls gave a file. Those in flight are left to [`Space::tie_flight_size`].
    fn size_pieces(
        &mut self,
        content: &Content,
        ino: Ino,
        size: Option<u32>,
        pieces: &mut Vec<Piece>,
    ) {
        let Some(register) = size else { return };
        for index in self.step_range(register) {
            let step = self.steps[index];
            let record = content.record(step.op);
            if self.first_flight <= step.op {
                self.tie_flight_size(register, step.op);
                continue;
            }
            for (from, size) in (step.from..).zip(content.page_sizes(&record)) {
                let page = if record.is_cut() { 0 } else { (size - 1) / PAGE };
                pieces.push(Piece { op: step.op, ino, page, register, from, to: from + 1 });
            }
        }
    }

    /// Ties each byte that a write in flight adds to the size.
    fn tie_flight_size(&mut self, size: u32, op: OpId) {
        let Some(growth) = self.step_of(size, op) else { return };
        for register in 0..self.entries {
            let Some(step) = self.step_of(register, op).filter(|_| register != size) else {
                continue;
            };
            // Bytes of the write before the sector, and before the first byte of growth.
            let (ahead, grown) = (step.bytes_before, growth.bytes_before);
            let done = grown.saturating_sub(ahead).min(step.weight);
            let upper = growth.from + ahead.saturating_sub(grown);
            if done < step.weight {
                let len = step.weight - done;
                self.tie((size, upper), (register, step.from + done), len);
                self.tie((register, step.from + done), (size, upper), len);
            }
        }
    }

    /// Any of `above` needs all of `below`.
    fn follow(&mut self, above: &Piece, below: &Piece) {
        self.tie((above.register, above.from), (below.register, below.to - 1), 1);
    }

    /// The page of the sector in `register`.
    fn page_of(&self, register: u32) -> u32 {
        match self.registers[register as usize].target {
            Target::Sector(_, sector) => sector * SECTOR / PAGE,
            Target::Size(_) | Target::Entry(..) => unreachable!("not a sector"),
        }
    }
}

impl Piece {
    fn of(place: &Place) -> Piece {
        let Place { op, register, step } = *place;
        let (from, to) = (step.from, step.from + step.weight);
        Piece { op, ino: Ino::ROOT, page: 0, register, from, to }
    }
}
