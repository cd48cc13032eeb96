//! Promise 1, entry for entry: what replay put into memtables, and the tables after it.
//!
//! The disk's image is read a second time by a decoder that shares no code with the engine. What
//! it finds is the longest prefix that can be recovered; the engine must find the same.

use super::{AfterOpen, Checker, Violation};
use crate::history::Entry;

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
        let replayed: Vec<&Entry> = opened.replayed.iter().map(|(_, entry)| entry).collect();
        if let Some((expected, got)) = first_difference(&image.log_entries, &replayed) {
            return violation(
                "replay puts the longest valid prefix of the logs into memtables, entry for entry",
                expected,
                got,
            );
        }
        let mut on_disk: Vec<&Entry> =
            image.table_entries.iter().chain(&image.log_entries).collect();
        on_disk.sort_by(|a, b| a.by_sequence(b));
        let mut shown: Vec<&Entry> = opened.entries.iter().collect();
        shown.sort_by(|a, b| a.by_sequence(b));
        match difference(&on_disk, &shown) {
            None => Ok(()),
            Some((expected, got)) => violation(
                "an open shows the tables and the replayed logs, entry for entry",
                expected,
                got,
            ),
        }
    }
}

/// Both in order of commit: replay within one log is in that order, but equal sets are enough.
fn first_difference(expected: &[Entry], got: &[&Entry]) -> Option<(String, String)> {
    let mut expected: Vec<&Entry> = expected.iter().collect();
    let mut got = got.to_vec();
    expected.sort_by(|a, b| a.by_sequence(b));
    got.sort_by(|a, b| a.by_sequence(b));
    difference(&expected, &got)
}

fn difference(expected: &[&Entry], got: &[&Entry]) -> Option<(String, String)> {
    let at = (0..expected.len().max(got.len())).find(|&at| expected.get(at) != got.get(at))?;
    let words = |entry: Option<&&Entry>| entry.map_or("nothing more".to_owned(), |e| describe(e));
    Some((words(expected.get(at)), words(got.get(at))))
}

fn describe(entry: &Entry) -> String {
    let key: String = String::from_utf8_lossy(&entry.key).chars().take(24).collect();
    match &entry.value {
        None => format!("delete {key:?} at sequence {}", entry.sequence),
        Some(value) => format!("put {key:?} ({} B) at sequence {}", value.len(), entry.sequence),
    }
}
