//! What the disk held when an open began, by the independent decoder.

use std::collections::{BTreeMap, BTreeSet};

use super::Excuse;
use super::structure::defect_of;
use crate::commit_order::in_commit_order;
use crate::disk::{Disk, Ino};
use crate::fault::FileRole;
use crate::history::Entry;
use crate::naive::{self, Stop};
use crate::probe::{Probe, ProbeSet};

/// A directory as [`naive::decode`] reads it, copied out of the disk.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Highest sequence in any file that a recovery reads, behind holes too.
    pub highest_sequence: u64,
    /// What there is to be met: torn ends, holes, several logs, deep tables.
    pub probes: ProbeSet,
    /// Whether a log or the MANIFEST ends in something else than a whole record.
    pub is_torn: bool,
    /// What is wrong with the tables and their levels, if anything is.
    pub structure_defect: Option<String>,
    /// The names of logs of which everything has come into tables.
    pub old_logs: Vec<String>,
    /// What can be recovered; `None` if there is no database, or none that can be read.
    pub recoverable: Option<Recoverable>,
}

/// What the tables and the longest valid prefix of the logs hold.
#[derive(Clone, Debug, Default)]
pub struct Recoverable {
    /// Entries of the logs, in order.
    pub log_entries: Vec<Entry>,
    /// Entries of the tables.
    pub table_entries: Vec<Entry>,
    /// Damage that a recovery must refuse by its default policy: in a log older than the newest
    /// that has any bytes, or a gap between two logs.
    pub must_refuse: Option<String>,
}

impl Image {
    /// Notes damage that an open must refuse though a crash might have left it, as far as the bytes
    /// tell.
    pub(crate) fn demand_refusal(&mut self, damage: String) {
        self.recoverable.get_or_insert_default().must_refuse.get_or_insert(damage);
    }

    /// Reads directory `dir` of `disk`.
    pub fn read(disk: &Disk, dir: &str) -> Self {
        let folder = disk.folder(dir);
        naive::decode(&folder.names(), &|name| folder.bytes(name))
            .map_or_else(|_| Image::default(), |found| Image::of(&found))
    }

    /// Reads directory `dir` of `disk` as one that opens it does who is given the damaged sectors
    /// of CURRENT, the MANIFEST and the logs, but for those `unseen`; and what that excuses.
    ///
    /// Tables are read as they were written: their checksums tell, so whoever shows an entry of one
    /// shows what was written. A table of which they would not tell is not damaged so, see
    /// [`naive::table_tells`].
    pub(crate) fn read_damaged(disk: &Disk, dir: &str, unseen: &[(Ino, u32)]) -> (Self, Excuse) {
        let pristine = Image::read(disk, dir);
        let folder = disk.folder(dir);
        let names = folder.names();
        let is_read_once = |name: &&&str| {
            let role = FileRole::of_file(name);
            matches!(role, FileRole::Log | FileRole::Manifest | FileRole::Current)
        };
        let mut rotten = BTreeMap::new();
        for &name in names.iter().filter(is_read_once) {
            if let Ok(Some(bytes)) = disk.rotten_bytes(&format!("{dir}/{name}"), unseen) {
                rotten.insert(name, bytes);
            }
        }
        let read = |name: &str| match rotten.get(name) {
            Some(bytes) => Some(&bytes[..]),
            None => folder.bytes(name),
        };
        let database = match naive::decode(&names, &read) {
            Ok(database) => database,
            Err(defect) => {
                let mut image = Image::default();
                if pristine.recoverable.is_some() {
                    image.demand_refusal(format!("{}: {}", defect.file, defect.what));
                }
                return (image, Excuse::None);
            }
        };
        let mut image = Image::of(&database);
        if database.manifest.record_after_bad {
            image.demand_refusal(format!("{} is damaged before a record", database.manifest_name));
        }
        let excuse = match (&pristine.recoverable, &image.recoverable) {
            _ if image.holds_as_much_as(&pristine) => Excuse::None,
            // The same tables, and nothing but the end of the logs is missing.
            (Some(whole), Some(left)) if whole.table_entries == left.table_entries => Excuse::End,
            _ => Excuse::Anywhere,
        };
        (image, excuse)
    }

    /// The sequences of all entries that can be recovered.
    pub(crate) fn sequences(&self) -> BTreeSet<u64> {
        let found = self.recoverable.iter();
        let entries = found.flat_map(|found| found.table_entries.iter().chain(&found.log_entries));
        entries.map(|entry| entry.sequence).collect()
    }

    /// Whether there is anything to recover: an entry in a log that is to be replayed, or in a
    /// table.
    pub fn holds_entries(&self) -> bool {
        let holds =
            |found: &Recoverable| !(found.log_entries.is_empty() && found.table_entries.is_empty());
        self.recoverable.as_ref().is_some_and(holds)
    }

    /// Whether a recovery of it shows the same as one of `other`.
    pub(crate) fn holds_as_much_as(&self, other: &Image) -> bool {
        let entries = |image: &'_ Image| -> Option<Vec<Entry>> {
            let found = image.recoverable.as_ref()?;
            let all = found.table_entries.iter().chain(&found.log_entries);
            Some(in_commit_order(all).into_iter().cloned().collect())
        };
        entries(self) == entries(other)
    }

    fn of(database: &naive::Database<'_>) -> Self {
        let mut found = Recoverable::default();
        for table in &database.tables {
            // A table that cannot be read fails the reads that need it, not the open.
            for entry in table.entries.iter().flatten() {
                let value = entry.value.as_deref();
                found.table_entries.push(Entry::new(&entry.key, entry.sequence, value));
            }
        }
        let newest = database.logs.iter().rposition(|log| log.size > 0);
        for (index, log) in database.logs.iter().enumerate() {
            if let Some((expected, first)) = log.gap {
                let words = format!("log {} begins at {first}, not at {expected}", log.number);
                found.must_refuse.get_or_insert(words);
            }
            if log.stop != Stop::End && newest.is_some_and(|newest| index < newest) {
                let words = format!("log {} is damaged and not the newest", log.number);
                found.must_refuse.get_or_insert(words);
            }
            for batch in &log.batches {
                for (operation, sequence) in batch.operations().zip(batch.sequence..) {
                    found.log_entries.push(Entry::new(operation.key, sequence, operation.value));
                }
            }
        }
        let highest_sequence = database.highest_sequence;
        let with_entries = |log: &&naive::Log<'_>| log.batches.iter().any(|batch| batch.count > 0);
        let last = database.logs.iter().flat_map(|log| &log.batches).map(naive::Batch::end).max();
        let has_torn_log = database.logs.iter().any(|log| log.stop != Stop::End);
        let mut probes = ProbeSet::default();
        for (probe, is_hit) in [
            (Probe::TornLog, has_torn_log),
            (Probe::SeveralLogs, database.logs.iter().filter(with_entries).count() > 1),
            (Probe::RecordBehindHole, last.is_some_and(|end| highest_sequence >= end)),
            (Probe::CompactedDeep, database.manifest.files.iter().any(|file| file.level > 2)),
        ] {
            if is_hit {
                probes.hit(probe);
            }
        }
        Image {
            highest_sequence,
            probes,
            is_torn: has_torn_log || database.manifest.bad.is_some(),
            structure_defect: defect_of(database),
            old_logs: database.old_logs.clone(),
            recoverable: Some(found),
        }
    }
}
