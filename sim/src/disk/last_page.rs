//! Edges of a file system that moves the size of a file when the last page of it is written.
//!
//! A size needs the page of its last byte, and no other. So what a size needs is not what a larger
//! one needs, too: these edges hold for the sizes within one page.

use super::content::{Content, Record};
use super::space::{Edge, Space, Step, Target};
use super::{PAGE, SECTOR};

/// Sizes of a file of which the last byte is in the same page.
struct Sizes {
    /// Register of the size, and its versions `from + 1 ..= until`.
    register: u32,
    from: u32,
    until: u32,
    /// The page's first byte, and how far the file comes.
    page_start: u32,
    size_max: u32,
}

impl Space {
    /// Ties each version of the size in register `size` to the page of its last byte.
    pub(super) fn tie_last_pages(&mut self, content: &Content, size: u32, sectors: (u32, u32)) {
        for index in self.step_range(size) {
            let step = self.steps[index];
            let record = content.record(step.op);
            if record.is_cut() {
                if let Some(growth) = content.growth_over(record.offset, record.id) {
                    let sizes = Sizes::new(size, step.from, step.from + 1, record.offset);
                    self.tie_page(&sizes, growth, sectors);
                }
            } else if step.op < self.first_flight {
                for (from, end) in (step.from..).zip(content.page_sizes(&record)) {
                    let sizes = Sizes::new(size, from, from + 1, end);
                    self.tie_page(&sizes, record, sectors);
                }
            } else {
                self.tie_flight(size, step, record, sectors);
            }
        }
    }

    /// Each byte more is a size of its own, and needs the bytes before it in its page.
    fn tie_flight(&mut self, size: u32, growth: Step, record: Record, sectors: (u32, u32)) {
        let (before, after) = (record.size_before, record.size_after());
        for page in before / PAGE..after.div_ceil(PAGE) {
            let end = after.min((page + 1) * PAGE);
            let first = growth.from + (page * PAGE).saturating_sub(before);
            let sizes = Sizes::new(size, first, growth.from + (end - before), end);
            for register in sectors.0..sectors.1 {
                if !self.is_in(register, &sizes) {
                    continue;
                }
                let Some(step) = self.step_of(register, record.id) else {
                    self.tie_sector(&sizes, register, record);
                    continue;
                };
                // Bytes of the write before the sector, and before the first byte of growth.
                let (ahead, grown) = (step.bytes_before, growth.bytes_before);
                let done = grown.saturating_sub(ahead).min(step.weight - 1);
                self.edges.push(Edge {
                    upper: size,
                    from: growth.from + ahead.saturating_sub(grown),
                    lower: register,
                    to: step.from + done,
                    len: step.weight - done,
                    until: sizes.until,
                });
            }
        }
    }

    fn tie_page(&mut self, sizes: &Sizes, growth: Record, sectors: (u32, u32)) {
        for register in sectors.0..sectors.1 {
            if self.is_in(register, sizes) {
                self.tie_sector(sizes, register, growth);
            }
        }
    }

    fn is_in(&self, register: u32, sizes: &Sizes) -> bool {
        let Target::Sector(_, sector) = self.registers[register as usize].target else {
            return false;
        };
        (sizes.page_start..sizes.size_max).contains(&(sector * SECTOR))
    }

    /// The sizes need the sector in `register` as it was after `growth`.
    fn tie_sector(&mut self, sizes: &Sizes, register: u32, growth: Record) {
        let Some(step) = self.step_before(register, growth.id + 1) else { return };
        let &Sizes { register: upper, from, until, .. } = sizes;
        let to = step.from + step.weight - 1;
        self.edges.push(Edge { upper, from, lower: register, to, len: 1, until });
    }
}

impl Sizes {
    /// Versions `from + 1 ..= until` of a size, of which the largest is `size_max`.
    fn new(register: u32, from: u32, until: u32, size_max: u32) -> Sizes {
        let page_start = size_max.saturating_sub(1) / PAGE * PAGE;
        Sizes { register, from, until, page_start, size_max }
    }
}
