//! Promises 1 and 7: a batch is there whole or not at all.

use super::{AfterOpen, Checker, Violation, name_batch};

/// Looks for batches of which an open shows a part.
#[derive(Clone, Debug)]
pub struct Atomicity;

impl Checker for Atomicity {
    fn name(&self) -> &'static str {
        "atomicity"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        match open.settlement.partial.first() {
            None => Ok(()),
            Some((commit, matched)) => Err(Violation {
                checker: self.name(),
                promise: "a batch is recovered whole or not at all",
                expected: format!("all or nothing of {}", name_batch(open.plan, commit)),
                got: format!("its first {matched} operations"),
                point: open.history.opened.point,
            }),
        }
    }
}
