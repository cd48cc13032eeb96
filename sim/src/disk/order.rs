//! The images of a crash one by one: all of them, or the telling ones first.
//!
//! Where there are more images than anybody wants to try, those come first that single out one
//! thing: nothing kept, everything kept, each prefix of time, everything but one operation,
//! nothing but one (with what it needs), each file alone kept or lost, and each operation torn at
//! each of its places with everything before it. After these they are drawn. None comes twice.
//!
//! Source: the order of ALICE's abstract persistence models (Pillai et al., OSDI'14).

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::choose::Fates;
use super::content::OpId;
use super::crash::CrashSpace;
use super::space::Space;
use super::state::Pick;

/// Draws for each image that is still missing, before it is taken for given that there are few
/// more that a strategy would draw.
const DRAWS: usize = 4;

impl CrashSpace {
    /// At most `most` images, and whether these are all.
    pub fn images(&self, most: usize, pick: &mut dyn Pick) -> (Vec<Fates>, bool) {
        let mut images = Vec::new();
        let walked = self.walk(&mut |fates| {
            if images.len() == most {
                return ControlFlow::Break(());
            }
            images.push(fates.clone());
            ControlFlow::Continue(())
        });
        if walked.is_continue() {
            return (images, true);
        }
        let mut chosen = Chosen { most, images: Vec::new(), seen: BTreeSet::new() };
        if self.space().telling(&mut |versions| chosen.add(Fates::of(versions))).is_continue() {
            for _ in 0..most.saturating_mul(DRAWS) {
                if chosen.add(self.draw(pick)).is_break() {
                    break;
                }
            }
        }
        (chosen.images, false)
    }
}

/// Different images, up to a number.
struct Chosen {
    most: usize,
    images: Vec<Fates>,
    seen: BTreeSet<Fates>,
}

impl Chosen {
    fn add(&mut self, fates: Fates) -> ControlFlow<()> {
        if self.seen.insert(fates.clone()) {
            self.images.push(fates);
        }
        if self.images.len() < self.most {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

impl Space {
    /// Calls `each` with the images that single out one thing, until it breaks.
    fn telling(&self, each: &mut dyn FnMut(Vec<u32>) -> ControlFlow<()>) -> ControlFlow<()> {
        let count = self.registers.len();
        let until = |last: OpId| {
            let mut versions = vec![0; count];
            self.keep_until(last, &mut versions);
            versions
        };
        each(vec![0; count])?;
        each(until(OpId::MAX))?;
        for op in &self.ops {
            each(until(op.id))?;
        }
        for op in &self.ops {
            let mut versions = until(OpId::MAX);
            self.each_step_of(op.id, |version, from, _| *version = from, &mut versions);
            self.lower(&mut versions);
            each(versions)?;
        }
        for op in &self.ops {
            let mut versions = vec![0; count];
            let keep = |version: &mut u32, from, weight| *version = from + weight;
            self.each_step_of(op.id, keep, &mut versions);
            self.raise(&mut versions);
            each(versions)?;
        }
        for span in &self.files {
            let of_file = || span.size.into_iter().chain(span.sectors.0..span.sectors.1);
            let mut alone = vec![0; count];
            let mut missing = until(OpId::MAX);
            for register in of_file() {
                alone[register as usize] = self.registers[register as usize].top;
                missing[register as usize] = 0;
            }
            self.raise(&mut alone);
            self.lower(&mut missing);
            each(alone)?;
            each(missing)?;
        }
        for op in &self.ops {
            self.tears(op.id, &until(op.id - 1), each)?;
        }
        ControlFlow::Continue(())
    }

    /// `op` torn at each of its places: of its registers in their order some have it, and the next
    /// has each part of it.
    fn tears(
        &self,
        op: OpId,
        before: &[u32],
        each: &mut dyn FnMut(Vec<u32>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut places = Vec::new();
        for register in 0..self.registers.len() {
            let steps = &self.steps[self.step_range(register as u32)];
            if let Ok(at) = steps.binary_search_by_key(&op, |step| step.op) {
                places.push((register, steps[at].from, steps[at].weight));
            }
        }
        for torn in 0..places.len() {
            let (register, from, weight) = places[torn];
            for part in 1..=weight {
                let mut versions = before.to_vec();
                for (earlier, from, weight) in &places[..torn] {
                    versions[*earlier] = from + weight;
                }
                versions[register] = from + part;
                self.lower(&mut versions);
                each(versions)?;
            }
        }
        ControlFlow::Continue(())
    }
}
