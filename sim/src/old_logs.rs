//! What logs hold that are not needed any more: it has come into tables.
//!
//! A compaction may drop an entry of it from there on, and then the log alone tells where a batch
//! without an answer stands, and how far the tables reach. What counts is what its memtable was
//! made of, whatever befalls the bytes of the log afterwards.

use std::borrow::Cow;

use crate::disk::Disk;
use crate::fault::FileRole;
use crate::history::Entry;
use crate::model;
use crate::naive;
use crate::process::DATABASE;
use crate::world::World;

impl World {
    /// A process begins: logs that are not needed any more, `old_logs` by their names, are noted,
    /// as they were before any loss. Of all others it is given what is left.
    pub(crate) fn begin_logs(&self, old_logs: &[String]) {
        for log in old_logs {
            self.note_old_log(&format!("{DATABASE}/{log}"));
        }
        let is_old = |path: &str| old_logs.iter().any(|log| path.ends_with(log));
        self.older_logs.borrow_mut().retain(|path, _| is_old(path));
        let disk = self.disk.borrow();
        self.lost_logs.borrow_mut().retain(|path, bytes| {
            is_old(path) || disk.bytes(path).map(|left| *bytes = left.to_vec()).is_ok()
        });
    }

    /// Keeps the older logs of directory `dir` as the process saw them: the power goes. The newest
    /// is always needed. Of one that was not needed when the process began, what was kept before
    /// stays: its memtable was made of that.
    pub fn keep_older_logs(&self, dir: &str) {
        let disk = self.disk.borrow();
        let mut names = disk.folder(dir).names();
        names.retain(|name| FileRole::of_file(name) == FileRole::Log);
        names.pop();
        let mut older = self.older_logs.borrow_mut();
        let kept = names.into_iter().map(|name| {
            let path = format!("{dir}/{name}");
            let bytes = older.remove(&path);
            let bytes = bytes.unwrap_or_else(|| self.seen_log(&disk, &path).into_owned());
            (path, bytes)
        });
        *older = kept.collect();
    }

    /// Keeps the bytes of a file, if it is a log: pages of it are about to be lost, and may leave
    /// the cache at once or later.
    pub(crate) fn keep_lost_log(&self, disk: &Disk, name: &str) {
        if FileRole::of_file(name) == FileRole::Log {
            let bytes = self.seen_log(disk, name).into_owned();
            self.lost_logs.borrow_mut().insert(name.to_owned(), bytes);
        }
    }

    /// Has write-back of a file fail; false if it has lost its name.
    pub(crate) fn fail_write_back(&self, disk: &mut Disk, name: &str) -> bool {
        self.keep_lost_log(disk, name);
        disk.fail_write_back(name).is_ok()
    }

    /// The bytes of a log as those who wrote it have seen them. Pages that were lost were written
    /// before that was noticed; what was appended later lies behind them.
    fn seen_log<'a>(&self, disk: &'a Disk, name: &str) -> Cow<'a, [u8]> {
        let left = disk.bytes(name).unwrap_or_default();
        match self.lost_logs.borrow().get(name) {
            None => Cow::Borrowed(left),
            Some(kept) => Cow::Owned([kept, left.get(kept.len()..).unwrap_or_default()].concat()),
        }
    }

    /// Notes what a log holds that is not needed any more. A compaction may drop an entry of it
    /// from here on; then nothing else tells where a batch without an answer stands. What a power
    /// loss or an eviction left of the log tells nothing more.
    pub fn note_old_log(&self, name: &str) {
        let disk = self.disk.borrow();
        let (older, rotten) = (self.older_logs.borrow(), self.rotten_logs.borrow());
        let bytes = match rotten.get(name).or(older.get(name)) {
            Some(bytes) => Cow::Borrowed(&bytes[..]),
            None => self.seen_log(&disk, name),
        };
        let mut history = self.history.borrow_mut();
        let placed = model::commits(&self.plan, &history);
        let has_place = |sequence| {
            let next = placed.partition_point(|commit| commit.end() <= sequence);
            placed.get(next).is_some_and(|commit| commit.sequence <= sequence)
        };
        let records = naive::decode_log(&bytes);
        // The last record of a log that failed may have come into no memtable, so into no table.
        // But who was told that its batch is in the database tells it of the whole record.
        let certain = self.failed_logs.borrow().get(name).copied().unwrap_or(u64::MAX);
        let is_doubtful = |last: &&naive::Batch<'_>| {
            let mut sequences = (last.sequence..).take(last.count as usize);
            certain <= last.place.start as u64 && !sequences.any(has_place)
        };
        let failed = records.last().filter(is_doubtful).map_or(u64::MAX, |last| last.sequence);
        let mut entries = Vec::new();
        for batch in &records {
            for (operation, sequence) in batch.operations().zip(batch.sequence..) {
                let is_placed = has_place(sequence);
                if is_placed || sequence < failed {
                    history.flushed_sequence = history.flushed_sequence.max(sequence);
                }
                if !is_placed {
                    entries.push(Entry::new(operation.key, sequence, operation.value));
                }
            }
        }
        for commit in model::settle_log(&self.plan, &history, &entries) {
            if commit.sequence < failed {
                history.batches[commit.batch as usize].written_at = Some(commit.sequence);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::POSIX_WEAK;
    use crate::fault::{FaultConfig, FaultPlan};
    use crate::history::Status;
    use crate::naive::tests::{batch, fragment};
    use crate::workload::{After, Plan, PlannedBatch, PlannedOp, key_bytes};

    fn world(plan: Plan) -> World {
        let faults = FaultPlan::new(&FaultConfig::default());
        World::new(plan, faults, Vec::new(), Disk::new(&POSIX_WEAK))
    }

    #[test]
    fn a_process_that_replays_a_log_is_given_what_is_left_of_it() {
        let world = world(Plan::idle());
        let path = |log: &str| format!("{DATABASE}/{log}");
        let logs = ["000003.log", "000004.log", "000005.log"];
        world.disk.borrow_mut().create_dir(DATABASE).expect("a directory");
        for log in &logs[..2] {
            world.disk.borrow_mut().create(&path(log)).expect("a file");
        }
        for log in logs {
            world.lost_logs.borrow_mut().insert(path(log), b"all".to_vec());
        }
        world.begin_logs(&[logs[0].to_owned()]);
        let left: Vec<(String, Vec<u8>)> = world.lost_logs.into_inner().into_iter().collect();
        let expected = [(path(logs[0]), b"all".to_vec()), (path(logs[1]), Vec::new())];
        assert_eq!(left, expected, "the first is in tables, the second is read, the third is gone");
    }

    #[test]
    fn a_log_that_is_in_tables_is_kept_through_any_number_of_power_losses() {
        for is_old in [true, false] {
            let world = world(Plan::idle());
            let path = |log: &str| format!("{DATABASE}/{log}");
            let (log, newest) = ("000003.log", "000004.log");
            put(&mut world.disk.borrow_mut(), &path(log), b"all of it");
            world.disk.borrow_mut().create(&path(newest)).expect("a file");
            let mut kept = Vec::new();
            for left in [6, 3] {
                world.keep_older_logs(DATABASE);
                kept.push(world.older_logs.borrow()[&path(log)].clone());
                world.disk.borrow_mut().truncate(&path(log), left).expect("a file");
                let old_logs = Vec::from_iter(is_old.then(|| log.to_owned()));
                world.begin_logs(&old_logs);
                assert_eq!(world.older_logs.borrow().contains_key(&path(log)), is_old);
            }
            let second: &[u8] = if is_old { b"all of it" } else { b"all of" };
            assert_eq!(kept, [b"all of it", second], "is old: {is_old}");
        }
    }

    #[test]
    fn an_answered_batch_vouches_for_the_record_that_it_is_in() {
        let path = format!("{DATABASE}/000003.log");
        let mut keys = [Vec::new(), Vec::new()];
        (2..).zip(&mut keys).for_each(|(key, bytes)| key_bytes(key, bytes));
        // Both batches in one group, the first behind another record.
        let group = fragment(1, &batch(2, &[&keys[0], &keys[1]]));
        let before = fragment(1, &batch(1, &[b"another"]));
        let log = [before.clone(), group].concat();
        for (is_answered, certain, told) in [
            (true, 0, true),
            (false, 0, false),
            (false, before.len(), false),
            (false, log.len(), true),
        ] {
            let mut plan = Plan::idle();
            plan.ops = vec![PlannedOp { key: 2, value: None }, PlannedOp { key: 3, value: None }];
            plan.batches = [0..1, 1..2].map(planned).to_vec();
            let world = world(plan);
            put(&mut world.disk.borrow_mut(), &path, &log);
            world.failed_logs.borrow_mut().insert(path.clone(), certain as u64);
            {
                let batches = &mut world.history.borrow_mut().batches;
                batches[0].status = if is_answered {
                    Status::Acknowledged { sequence: 2 }
                } else {
                    Status::InFlight
                };
                batches[1].status = Status::InFlight;
            }
            world.note_old_log(&path);
            let history = world.history.borrow();
            let found = (history.flushed_sequence, history.batches[1].written_at);
            let expected = if told { (3, Some(3)) } else { (1, None) };
            assert_eq!(found, expected, "answered: {is_answered}, certain: {certain}");
        }
    }

    fn planned(ops: std::ops::Range<u32>) -> PlannedBatch {
        PlannedBatch { writer: 0, ops, sync: false, no_wait: false, after: After::Nothing }
    }

    fn put(disk: &mut Disk, path: &str, bytes: &[u8]) {
        disk.create_dir(DATABASE).expect("a directory");
        let fd = disk.create(path).expect("a file");
        let write = disk.begin_append(fd, bytes).expect("an append");
        disk.finish_append(write, bytes.len());
    }
}
