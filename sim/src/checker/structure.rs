//! The files of the database: the tables add up to levels, nothing that is needed is removed,
//! moved away or written over, and nothing useless stays for good.
//!
//! All of it is read from the disk by the independent decoder, at the beginning of an incarnation,
//! whenever a file goes, and behind a clean close.

use std::collections::BTreeMap;

use super::{AfterEnd, AfterOpen, Checker, Ending, Excuse, Violation};
use crate::naive::{Database, TableFile};

/// Looks at which files there are, and at what is in which table.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    /// Whether this incarnation's open had something to drop: such an open removes nothing.
    has_dropped: bool,
}

impl Checker for Structure {
    fn name(&self) -> &'static str {
        "structure"
    }

    fn after_open(&mut self, open: &AfterOpen<'_>) -> Result<(), Violation> {
        self.has_dropped = open.image.is_torn;
        match &open.image.structure_defect {
            Some(defect) if open.excuse == Excuse::None => Err(Violation {
                checker: self.name(),
                promise: "the tables of the MANIFEST are there, levels are sorted, and of one key \
                          newer entries stand above older ones",
                expected: "tables that add up to levels".to_owned(),
                got: defect.clone(),
                point: open.history.opened.point,
            }),
            _ => Ok(()),
        }
    }

    fn after_end(&mut self, end: &AfterEnd<'_>) -> Result<(), Violation> {
        if let Some(breach) = end.history.file_breaches.first() {
            return Err(Violation {
                checker: self.name(),
                promise: "only who holds the lock changes files, and none that is needed goes",
                expected: "no such call".to_owned(),
                got: breach.what.clone(),
                point: breach.point,
            });
        }
        let is_clean = matches!(end.ending, Ending::Returned { closed: true, .. });
        match end.left_over.first() {
            Some(name) if is_clean && end.faults == 0 && !self.has_dropped => Err(Violation {
                checker: self.name(),
                promise: "after a close that met no fault only needed files are there",
                expected: "only what the MANIFEST needs".to_owned(),
                got: format!("{name}, which it does not name"),
                point: end.point,
            }),
            _ => Ok(()),
        }
    }
}

/// What is wrong with the levels of a database, in words.
pub(super) fn defect_of(database: &Database<'_>) -> Option<String> {
    let mut levels: BTreeMap<u32, Vec<&TableFile<'_>>> = BTreeMap::new();
    for table in &database.tables {
        levels.entry(table.file.level).or_default().push(table);
    }
    let mut found = database.tables.iter().find_map(edges);
    // What may hide what, from the top: each table of level 0, newest first, then whole levels.
    let mut layers: Vec<&[&TableFile<'_>]> = Vec::new();
    for (&level, tables) in &mut levels {
        if level == 0 {
            tables.sort_by_key(|table| std::cmp::Reverse(table.file.number));
            layers.extend(tables.chunks(1));
        } else {
            tables.sort_by(|a, b| order(&a.file.smallest, &b.file.smallest));
            found = found.or_else(|| tables.windows(2).find_map(|pair| overlap(pair[0], pair[1])));
            layers.push(tables);
        }
    }
    found.or_else(|| buried(&layers))
}

/// Order of internal keys: user keys ascend, of one user key the newest entry comes first.
fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let split = |key: &[u8]| {
        let (user_key, trailer) = key.split_last_chunk::<8>().unwrap_or((&[], &[0; 8]));
        (user_key.to_vec(), std::cmp::Reverse(u64::from_le_bytes(*trailer)))
    };
    split(a).cmp(&split(b))
}

/// Whether a table cannot be read, or begins or ends elsewhere than the MANIFEST says.
fn edges(table: &TableFile<'_>) -> Option<String> {
    let entries = match &table.entries {
        Ok(entries) => entries,
        Err(defect) => return Some(format!("{}: {}", defect.file, defect.what)),
    };
    let is_edge = |entry: Option<&crate::naive::Entry<'_>>, edge: &[u8]| {
        entry.is_some_and(|entry| {
            let trailer = entry.sequence << 8 | u64::from(entry.value.is_some());
            edge.strip_prefix(&entry.key[..]) == Some(&trailer.to_le_bytes())
        })
    };
    let file = &table.file;
    let is_right =
        is_edge(entries.first(), &file.smallest) && is_edge(entries.last(), &file.largest);
    (!is_right).then(|| format!("table {} does not hold the range of the MANIFEST", file.number))
}

fn overlap(left: &TableFile<'_>, right: &TableFile<'_>) -> Option<String> {
    order(&left.file.largest, &right.file.smallest).is_ge().then(|| {
        let (left, right) = (&left.file, &right.file);
        format!("tables {} and {} overlap at level {}", left.number, right.number, left.level)
    })
}

/// Looks for an entry that is newer than one of its key in a layer above.
fn buried(layers: &[&[&TableFile<'_>]]) -> Option<String> {
    let entries_of = |layer: usize| {
        layers[layer].iter().flat_map(|table| {
            table.entries.iter().flatten().map(|entry| (table.file.number, entry))
        })
    };
    // By user key: the lowest sequence above.
    let mut above: BTreeMap<&[u8], u64> = BTreeMap::new();
    for layer in 1..layers.len() {
        for (_, entry) in entries_of(layer - 1) {
            let lowest = above.entry(&entry.key).or_insert(entry.sequence);
            *lowest = entry.sequence.min(*lowest);
        }
        for (number, entry) in entries_of(layer) {
            if let Some(lowest) = above.get(&entry.key[..]).filter(|low| **low <= entry.sequence) {
                return Some(format!(
                    "sequence {} of a key, in table {number}, stands below sequence {lowest} of it",
                    entry.sequence,
                ));
            }
        }
    }
    None
}
