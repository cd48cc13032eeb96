//! What is planted beside the seed is found, at the first event in which it shows.

#![cfg(test)]
#![expect(clippy::disallowed_types, reason = "the nondeterminism that is planted")]

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use faultline::Db;
use faultline::env::Threads as _;
use faultline_sim::checker::Liveness;
use faultline_sim::divergence::{self, ATTEMPTS, Divergence, Parting};
use faultline_sim::env::SimEnv;
use faultline_sim::kernel::SimThreads;
use faultline_sim::run::{Mode, Verdict, on_fresh_thread};
use faultline_sim::scenario::Scenario;
use faultline_sim::trace::{CHECKPOINT_EVERY, Noted, Tag};
use faultline_sim::workload::{Custom, Workload};

/// Writes again and again; once, what it does hangs on how often this operating system's process
/// has come there before.
struct Planted {
    came_before: Arc<AtomicU64>,
    does: fn(&Db<SimEnv>, u64),
}

const WRITES: u32 = 100;

impl Workload for Planted {
    fn run(&self, db: &Db<SimEnv>, incarnation: u32) {
        for number in 0..WRITES {
            db.put(format!("key {number}").as_bytes(), b"value").expect("no fault is planned");
            if incarnation == 0 && number == WRITES / 2 {
                (self.does)(db, self.came_before.fetch_add(1, Ordering::Relaxed));
            }
        }
    }
}

/// What does one of a number of runs of the same seed.
fn runs_of(does: fn(&Db<SimEnv>, u64)) -> impl FnMut(Option<(u64, u64)>) -> Verdict {
    let came_before = Arc::new(AtomicU64::new(0));
    move |note_between| {
        let came_before = Arc::clone(&came_before);
        on_fresh_thread(move |runner| {
            let text = "about = \"Writes.\"\n[crash]\ncount = 0\n";
            let scenario = Scenario::parse("writes", "writes.toml", text).expect("a scenario");
            let workload = Rc::new(Planted { came_before, does });
            let custom = Custom { workload, fault_hook: None };
            let keep_events = note_between.is_some();
            let mode = Mode { keep_events, note_between, ..Mode::default() };
            let verdict = runner.run_custom(&scenario, 1, custom, vec![Box::new(Liveness)], mode);
            assert_eq!(verdict.harness_error, None);
            assert!(verdict.violations.is_empty(), "{:?}", verdict.violations);
            verdict
        })
    }
}

fn found(does: fn(&Db<SimEnv>, u64)) -> Divergence {
    let mut run = runs_of(does);
    let (one, other) = (run(None), run(None));
    assert_ne!(one.trace_hash, other.trace_hash, "it shows");
    divergence::find(&one, &other, |numbers| run(Some(numbers)))
}

fn parting(does: fn(&Db<SimEnv>, u64)) -> Parting {
    match found(does) {
        Divergence::At(parting) => *parting,
        within @ Divergence::Within(..) => panic!("{within}"),
    }
}

fn sides(parting: &Parting) -> [&Noted; 2] {
    parting.sides.each_ref().map(|side| side.noted.as_ref().expect("an event"))
}

#[test]
fn other_bytes_are_found_in_the_call_that_writes_them() {
    let parting = parting(|db, before| {
        db.put(b"planted", &before.to_le_bytes()).expect("no fault is planned");
    });
    let [one, other] = sides(&parting);
    assert_eq!((one.tag, other.tag), (Tag::Bytes, Tag::Bytes));
    assert_ne!(one.word, other.word);
    assert_eq!((one.number, &one.place), (other.number, &other.place));
    assert!(one.number > CHECKPOINT_EVERY, "beyond the first checkpoint");
    assert_eq!(one.place.thread_name, "main#1");
    // Right behind the length of the same bytes, which is the same.
    let last = parting.before.last().expect("an event before");
    assert_eq!((last.number, last.tag), (one.number - 1, Tag::Bytes));
    for side in &parting.sides {
        let told = side.words.iter().any(|event| event.text.starts_with("append 000003.log"));
        assert!(told, "{parting:?}");
    }
    let words = Divergence::At(Box::new(parting.clone())).to_string();
    for expected in [format!("one    {:>7} ", one.number), format!("other  {:>7} ", one.number)] {
        assert!(words.contains(&expected), "{words}");
    }
}

#[test]
fn another_wait_is_found_where_the_clock_shows_it() {
    let parting = parting(|_, before| SimThreads::sleep(Duration::from_nanos(5000 + before)));
    let [one, other] = sides(&parting);
    assert_eq!((one.tag, other.tag), (Tag::Clock, Tag::Clock));
    assert_eq!(other.word.abs_diff(one.word), 1);
}

#[test]
fn another_way_is_found_at_its_first_step() {
    let parting = parting(|db, before| {
        if before % 2 == 0 {
            db.flush().expect("no fault is planned");
        } else {
            db.sync().expect("no fault is planned");
        }
    });
    let [one, other] = sides(&parting);
    assert_ne!((one.tag, one.word), (other.tag, other.word));
    for side in [one, other] {
        let last = parting.before.last().expect("an event before");
        assert!(side.place.point <= last.place.point + 2, "{parting:?}");
    }
}

#[test]
fn what_does_not_come_again_is_told_by_its_checkpoints() {
    let does = |db: &Db<SimEnv>, before| {
        db.put(b"planted", if before == 0 { b"one" } else { b"two" }).expect("no fault is planned");
    };
    let Divergence::Within(first, last) = found(does) else { panic!("it came once") };
    assert!(first < last && last % CHECKPOINT_EVERY == 0);
    let words = Divergence::Within(first, last).to_string();
    assert!(words.contains(&format!("between events {first} and {last}; {ATTEMPTS} more")));
}

#[test]
fn where_nothing_is_planted_all_checkpoints_are_the_same() {
    let mut run = runs_of(|_, _| ());
    let (one, other) = (run(None), run(Some((300, 340))));
    assert_eq!(one.trace_hash, other.trace_hash);
    assert_eq!(one.checkpoints, other.checkpoints);
    assert!(one.checkpoints.len() > 2 && one.noted.is_empty());
    let numbers: Vec<u64> = other.noted.iter().map(|noted| noted.number).collect();
    assert_eq!(numbers, (300..=340).collect::<Vec<_>>());
    assert!(other.noted.windows(2).all(|pair| pair[0].place.point <= pair[1].place.point));
}

#[test]
fn a_run_that_ends_early_parts_at_its_end() {
    let mut run = runs_of(|_, _| ());
    let whole = run(Some((1, 1000)));
    let mut short = whole.clone();
    short.noted.truncate(200);
    short.checkpoints.clear();
    short.trace_hash ^= 1;
    let mut again = [whole.clone(), short.clone()].into_iter();
    let divergence = divergence::find(&whole, &short, |_| again.next().expect("two are asked for"));
    let Divergence::At(parting) = &divergence else { panic!("{divergence}") };
    assert_eq!(parting.sides[0].noted.as_ref().map(|noted| noted.number), Some(201));
    assert!(parting.sides[1].noted.is_none());
    assert!(divergence.to_string().contains("other  has ended"), "{divergence}");
}
