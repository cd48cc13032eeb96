//! Readers: snapshots, gets and scans beside the writers.

use std::time::Duration;

use faultline::env::Threads as _;
use faultline::{Db, DbIterator, ReadOptions, Result};

use super::clients::{asks, is_told, note, noted};
use super::key_bytes;
use crate::env::SimEnv;
use crate::history::{Call, Read, ValueDigest};
use crate::kernel::{SimThreads, with_kernel};
use crate::report::counted;
use crate::trace::Lane;
use crate::world::with_world;

/// Does the remaining rounds of reader number `reader`: a snapshot and gets at it, or a plain get,
/// or a scan.
pub fn reader(db: &Db<SimEnv>, reader: u32) {
    let mut key = Vec::new();
    while let Some(draw) = begin_round(reader) {
        let (invoked, acknowledged) = (asks(), note(|w| w.history.borrow().acknowledged_sequence));
        let keys = with_world(|world| world.plan.keys);
        if draw % 4 == 0 {
            let number = draw / 4 % keys.min(8);
            key.clear();
            key_bytes(number, &mut key);
            let Some(found) = asked(db.get(&key)) else { continue };
            let read = Read {
                reader,
                sequence: None,
                key: number,
                found: found.map(|value| ValueDigest::of(&value)),
                invoked,
                returned: is_told(),
                acknowledged,
                by_scan: false,
            };
            noted_read(read);
            continue;
        }
        let at = |sequence| Read {
            reader,
            sequence: Some(sequence),
            key: 0,
            found: None,
            invoked,
            returned: is_told(),
            acknowledged,
            by_scan: false,
        };
        if draw % 8 == 1 {
            // A cursor without a snapshot shows a moment too, and says which.
            let Some(cursor) = asked(db.iter()) else { return };
            let at = at(cursor.sequence());
            scan(cursor, &at, draw);
            continue;
        }
        let Some(snapshot) = asked(db.snapshot()) else { return };
        let at = at(snapshot.sequence());
        let options = ReadOptions { snapshot: Some(snapshot), ..ReadOptions::default() };
        if draw % 8 == 5 {
            let Some(cursor) = asked(db.iter_with(&options)) else { continue };
            scan(cursor, &at, draw);
            continue;
        }
        hold(draw);
        for step in 0..3 {
            if step == 1 {
                hold(draw);
            }
            let number = (draw / 4).wrapping_mul(step * 7 + 1) % keys;
            key.clear();
            key_bytes(number, &mut key);
            let Some(found) = asked(db.get_with(&key, &options)) else { break };
            let found = found.map(|value| ValueDigest::of(&value));
            noted_read(Read { key: number, found, ..at.clone() });
        }
    }
}

/// What a read found. One that failed is noted.
fn asked<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(found) => Some(found),
        Err(error) => noted(Call::Read, || Err(error)).ok(),
    }
}

/// Sleeps, in a share of the rounds: what the reader has in hand grows old meanwhile.
fn hold(draw: u32) {
    let holds = with_world(|world| world.plan.holds);
    if f64::from(draw >> 8 & 0xffff) < holds * 65536.0 {
        let micros = 200 << (draw >> 4 & 7);
        SimThreads::sleep(Duration::from_micros(micros));
    }
}

fn noted_read(read: Read) {
    note(|world| {
        with_kernel(|kernel| {
            kernel.tell(Lane::Client, || {
                let at = read.sequence.map_or(String::new(), |at| format!(" at sequence {at}"));
                let found = read.found.map_or("nothing".to_owned(), |v| format!("{} B", v.len));
                format!("get key {}{at} -> {found}", read.key)
            });
        });
        world.history.borrow_mut().reads.push(read);
    });
}

fn scan(mut cursor: DbIterator, at: &Read, draw: u32) {
    let keys = with_world(|world| world.plan.keys);
    let mut found = note(|_| vec![None; keys as usize]);
    hold(draw);
    // Every other scan goes backwards, and turns round once on its way.
    let is_backward = at.invoked % 2 == 1;
    if is_backward {
        cursor.seek_to_last();
    } else {
        cursor.seek_to_first();
    }
    let mut seen = 0;
    while cursor.valid() {
        if let Some(number) = key_number(cursor.key(), keys) {
            found[number as usize] = Some(ValueDigest::of(cursor.value()));
        }
        seen += 1;
        if seen == 3 {
            hold(draw);
            turn_round(&mut cursor, is_backward);
        }
        if cursor.valid() {
            step(&mut cursor, is_backward);
        }
    }
    if asked(cursor.status()).is_none() {
        return;
    }
    note(|world| {
        with_kernel(|kernel| {
            kernel.tell(Lane::Client, || {
                let keys = found.iter().flatten().count();
                let way = if is_backward { "backwards" } else { "forwards" };
                let at = at.sequence.unwrap_or_default();
                format!("scan {way} at sequence {at} -> {}", counted(keys, "key"))
            });
        });
        is_told();
        let mut history = world.history.borrow_mut();
        for (key, found) in (0..).zip(found) {
            history.reads.push(Read { key, found, by_scan: true, ..at.clone() });
        }
    });
}

fn step(cursor: &mut DbIterator, is_backward: bool) {
    if is_backward {
        cursor.prev();
    } else {
        cursor.next();
    }
}

/// One step back and one on again: the same place, unless the cursor loses it.
fn turn_round(cursor: &mut DbIterator, is_backward: bool) {
    let here = cursor.key().to_vec();
    step(cursor, !is_backward);
    if cursor.valid() {
        step(cursor, is_backward);
    } else {
        cursor.seek(&here);
    }
}

fn key_number(bytes: &[u8], keys: u32) -> Option<u32> {
    let number = match bytes {
        [] => 0,
        [b'k', digits @ ..] if digits.len() == 5 => {
            digits.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'))
        }
        _ => 1,
    };
    (number < keys).then_some(number)
}

/// Begins a round, unless all are done; the number decides what the round does.
fn begin_round(reader: u32) -> Option<u32> {
    note(|world| {
        let mut history = world.history.borrow_mut();
        let round = history.rounds[reader as usize];
        if round >= world.plan.readers[reader as usize] {
            return None;
        }
        history.rounds[reader as usize] += 1;
        // Any fixed mixing will do: it is the schedule that varies.
        let mixed = (world.plan.seed ^ u64::from(reader) << 32 ^ u64::from(round))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some((mixed >> 33) as u32)
    })
}
