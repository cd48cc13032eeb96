//! Promise 1, entry for entry: what replay put into memtables, and the tables after it.
//!
//! The disk's image is read a second time by a decoder that shares no code with the engine. What
//! it finds is the longest prefix that can be recovered; the engine must find the same.

use super::{AfterOpen, Checker, Violation};
use crate::history::{Entry, in_commit_order};

/// Compares the entries that an open shows with those that were written and those on the disk.
#[derive(Debug)]
pub struct Contents;

impl Checker for Contents {
    fn name(&self) -> &'static str {
        "contents"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        let opened = &open.history.opened;
        let violation = |promise, expected: String, got: String| {
            Err(Violation { checker: "contents", promise, expected, got, point: opened.point })
        };
        if let Some(stranger) = open.settlement.strangers.first() {
            return violation(
                "nothing is recovered that was not written, at its own sequence",
                "only entries that some batch explains".to_owned(),
                describe(stranger),
            );
        }
        let Some(image) = &open.image.recoverable else { return Ok(()) };
        if let Some(damage) = &image.must_refuse {
            return violation(
                "an open refuses damage that no crash leaves",
                format!("an error: {damage}"),
                "Ok".to_owned(),
            );
        }
        let expected = in_commit_order(&image.log_entries);
        let replayed = in_commit_order(opened.replayed.iter().map(|(_, entry)| entry));
        if let Some((expected, got)) = difference(&expected, &replayed) {
            return violation(
                "replay puts the longest valid prefix of the logs into memtables, entry for entry",
                expected,
                got,
            );
        }
        let expected = in_commit_order(image.table_entries.iter().chain(&image.log_entries));
        match difference(&expected, &in_commit_order(&opened.entries)) {
            None => Ok(()),
            Some((expected, got)) => violation(
                "an open shows the tables and the replayed logs, entry for entry",
                expected,
                got,
            ),
        }
    }
}

/// The first place where two lists differ, if they do.
fn difference(expected: &[&Entry], got: &[&Entry]) -> Option<(String, String)> {
    let at = (0..expected.len().max(got.len())).find(|&at| expected.get(at) != got.get(at))?;
    let words = |entry: Option<&&Entry>| entry.map_or("nothing more".to_owned(), |e| describe(e));
    Some((words(expected.get(at)), words(got.get(at))))
}

fn describe(entry: &Entry) -> String {
    let key: String = String::from_utf8_lossy(entry.key()).chars().take(24).collect();
    match entry.value() {
        None => format!("delete {key:?} at sequence {}", entry.sequence),
        Some(value) => format!("put {key:?} ({} B) at sequence {}", value.len(), entry.sequence),
    }
}
