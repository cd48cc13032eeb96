//! Faultline's side: as a process, what `peer.cc` is for LevelDB, with the same lines and answers.

use std::hint::black_box;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use faultline::env::posix::PosixEnv;
use faultline::{Db, DbIterator, Options, Result};

use crate::entries::{Random, key};

/// Does what the lines of standard input say, and answers each with the nanoseconds that it took
/// and how many entries it met.
pub(crate) fn serve(options: &Options) -> Result<()> {
    let mut db: Option<Db> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("lines of text");
        let words: Vec<&str> = line.split(' ').collect();
        let start = Instant::now();
        let opened = || db.as_ref().expect("a database is open");
        let met = match words[..] {
            ["open", dir] => {
                db = Some(Db::open(PosixEnv::new(), dir, options.clone())?);
                0
            }
            ["get", ref numbers @ ..] => get(opened(), numbers)?,
            ["scan"] => walk(opened(), DbIterator::seek_to_first, DbIterator::next)?,
            ["back"] => walk(opened(), DbIterator::seek_to_last, DbIterator::prev)?,
            ["close"] => {
                db.take().expect("a database is open").close()?;
                0
            }
            _ => panic!("not understood: {line}"),
        };
        println!("{} {met}", start.elapsed().as_nanos());
        std::io::stdout().flush().expect("somebody listens");
    }
    Ok(())
}

/// Gets of random keys: how many, below which number, and the seed.
fn get(db: &Db, numbers: &[&str]) -> Result<u64> {
    let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().expect("a number")).collect();
    let [count, bound, seed] = numbers[..] else { panic!("three numbers") };
    let mut random = Random(seed);
    let mut met = 0;
    for _ in 0..count {
        met += u64::from(db.get(&key(random.below(bound)))?.is_some());
    }
    Ok(met)
}

fn walk(db: &Db, start: fn(&mut DbIterator), step: fn(&mut DbIterator)) -> Result<u64> {
    let mut cursor = db.iter()?;
    let mut met = 0;
    start(&mut cursor);
    while cursor.valid() {
        black_box((cursor.key(), cursor.value()));
        met += 1;
        step(&mut cursor);
    }
    cursor.status().map(|()| met)
}
