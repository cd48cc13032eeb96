//! Promise 1, entry for entry: what replay put into memtables, and the tables after it.
//!
//! The disk's image is read a second time by a decoder that shares no code with the engine. What
//! it finds is the longest prefix that can be recovered; the engine must find the same.

use std::collections::BTreeMap;

use super::{AfterOpen, Checker, Violation};
use crate::commit_order::in_commit_order;
use crate::history::{Entry, ValueDigest};

/// Compares the entries that an open shows with those that were written and those on the disk.
#[derive(Clone, Debug)]
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
        if let Some(preview) = &opened.preview
            && let Some((key, expected, got)) = difference_of_preview(preview, &opened.entries)
        {
            return violation(
                "an open for reading alone shows what the next open shows",
                format!("for key {key:?} {expected}"),
                got,
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
        if open.image.is_torn && !opened.has_dropped {
            return violation(
                "an open that leaves bytes of a log or MANIFEST out says so",
                "a report of what it dropped".to_owned(),
                "none".to_owned(),
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

/// The first key of which an open for reading alone showed something else than these entries say,
/// with what they say and what it showed.
fn difference_of_preview(
    preview: &[(Box<[u8]>, ValueDigest)],
    entries: &[Entry],
) -> Option<(String, String, String)> {
    let mut newest: BTreeMap<&[u8], &Entry> = BTreeMap::new();
    for entry in entries {
        let kept = newest.entry(entry.key()).or_insert(entry);
        if kept.sequence < entry.sequence {
            *kept = entry;
        }
    }
    let expected = newest.iter().filter_map(|(key, entry)| Some((*key, entry.value()?)));
    let expected: BTreeMap<&[u8], ValueDigest> =
        expected.map(|(key, value)| (key, ValueDigest::of(value))).collect();
    let got: BTreeMap<&[u8], ValueDigest> =
        preview.iter().map(|(key, value)| (&key[..], *value)).collect();
    let mut keys = expected.keys().chain(got.keys());
    let key = keys.find(|key| expected.get(*key) != got.get(*key))?;
    let words = |value: Option<&ValueDigest>| match value {
        None => "nothing".to_owned(),
        Some(value) => format!("{} B, hash {:x}", value.len, value.hash),
    };
    let name = String::from_utf8_lossy(key).chars().take(24).collect();
    Some((name, words(expected.get(key)), words(got.get(key))))
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
