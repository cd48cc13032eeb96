//! LevelDB's Randomized: thousands of random steps against a sorted map, with snapshots, flushes,
//! compactions, batches, reopens and walks in both directions.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{SYNC, TestDb, options};
use crate::batch::WriteBatch;
use crate::db::{DbIterator, Snapshot};
use crate::options::{Options, ReadOptions, WriteOptions};
use crate::table::{BloomFilter, Compression, FilterPolicy};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn key(&mut self) -> Vec<u8> {
        let length = match self.below(20) {
            0 => 0,
            1 => 50 + self.below(100),
            _ => 1 + self.below(3),
        };
        (0..length).map(|_| b'a' + self.below(8) as u8).collect()
    }

    fn value(&mut self) -> Vec<u8> {
        let length = if self.below(50) == 0 { self.below(20_000) } else { self.below(20) };
        vec![b'0' + self.below(10) as u8; length as usize]
    }
}

fn check(model: &Model, mut iter: DbIterator, random: &mut Random) {
    let forward: Vec<_> = {
        let mut entries = Vec::new();
        iter.seek_to_first();
        while iter.valid() {
            entries.push((iter.key().to_vec(), iter.value().to_vec()));
            iter.next();
        }
        entries
    };
    assert!(forward.iter().map(|(k, v)| (k, v)).eq(model));
    for _ in 0..10 {
        let target = random.key();
        iter.seek(&target);
        let mut expected = model.range(target.clone()..);
        let mut here = expected.next();
        for _ in 0..3 {
            assert_eq!(iter.valid().then(|| iter.key()), here.map(|(k, _)| &k[..]));
            if here.is_some() {
                iter.next();
                here = expected.next();
            }
        }
        iter.seek(&target);
        let mut expected = model.range(..target).rev();
        while iter.valid() {
            iter.prev();
            let here = expected.next();
            assert_eq!(iter.valid().then(|| iter.key()), here.map(|(k, _)| &k[..]));
            assert_eq!(iter.valid().then(|| iter.value()), here.map(|(_, v)| &v[..]));
            if random.below(4) == 0 {
                break;
            }
        }
    }
    iter.status().unwrap();
}

fn check_at(test: &TestDb, model: &Model, snapshot: &Snapshot, random: &mut Random) {
    let options = ReadOptions { snapshot: Some(snapshot.clone()), ..ReadOptions::default() };
    check(model, test.db().iter_with(&options).unwrap(), random);
    let key = random.key();
    assert_eq!(
        test.db().get_with(&key, &options).unwrap().map(Vec::from),
        model.get(&key).cloned()
    );
}

fn write(test: &TestDb, model: &mut Model, random: &mut Random) {
    let options = if random.below(50) == 0 { SYNC } else { WriteOptions::default() };
    let mut batch = WriteBatch::new();
    for _ in 0..random.below(8) {
        let key = random.key();
        if random.below(3) == 0 {
            batch.delete(&key).unwrap();
            model.remove(&key);
        } else {
            let value = random.value();
            batch.put(&key, &value).unwrap();
            model.insert(key, value);
        }
    }
    test.db().write(&batch, &options).unwrap();
}

fn run(seed: u64, steps: u32, options: Options) {
    let mut random = Random(seed);
    // So small that entries go down several levels.
    let mut test = TestDb::with(Options {
        write_buffer_size: 8 << 10,
        max_file_size: 4 << 10,
        level1_size_max: 16 << 10,
        level0_compaction_trigger: 2,
        ..options
    });
    let mut model = Model::new();
    let mut saved: Option<(Model, Snapshot)> = None;
    let mut deepest = 0;
    for step in 0..steps {
        write(&test, &mut model, &mut random);
        if step % 10 == 0 {
            let levels = test.db().metrics().unwrap().levels;
            let used = levels.iter().rposition(|level| level.files > 0).unwrap_or(0);
            deepest = deepest.max(used);
        }
        let key = random.key();
        assert_eq!(test.db().get(&key).unwrap().map(Vec::from), model.get(&key).cloned());
        match step % 100 {
            20 => saved = Some((model.clone(), test.db().snapshot().unwrap())),
            40 => test.db().flush().unwrap(),
            60 => check(&model, test.db().iter().unwrap(), &mut random),
            80 => {
                if let Some((model, snapshot)) = &saved {
                    check_at(&test, model, snapshot, &mut random);
                }
            }
            50 if random.below(3) == 0 => {
                let (begin, end) = (random.key(), random.key());
                test.db().compact_range(Some(&begin), Some(&end)).unwrap();
            }
            90 => test.reopen_keeping(&mut saved),
            _ => {}
        }
    }
    check(&model, test.db().iter().unwrap(), &mut random);
    test.db().compact_range(None, None).unwrap();
    check(&model, test.db().iter().unwrap(), &mut random);
    assert!(deepest >= 2, "level {deepest} is the deepest that was met");
}

impl TestDb {
    /// A snapshot is of one incarnation: it goes before a reopen.
    fn reopen_keeping(&mut self, saved: &mut Option<(Model, Snapshot)>) {
        *saved = None;
        self.reopen();
    }
}

#[test]
fn randomized() {
    run(301, 10_000, options());
    // LevelDB runs most of its tests with a filter and without compression too.
    let filter_policy: Option<Arc<dyn FilterPolicy>> = Some(Arc::new(BloomFilter::new(10)));
    run(1, 1500, Options { filter_policy, compression: Compression::None, ..options() });
}
