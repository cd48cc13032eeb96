//! The checkers that look at what an open shows: durability, contents, atomicity, and the half of
//! sequence that concerns the disk.

use faultline_sim::checker::{Atomicity, Contents, Durability, Excuse, Sequence};
use faultline_sim::history::{Entry, Status};

use crate::story::{CLOSED, GAVE_UP, KILLED, POWERLESS, STUCK, Story, fails, passes};

/// Batch 0 at sequences 1 and 2, batch 1 at 3, batch 3 at 4; the first two are durable.
fn three_acked(before: faultline_sim::checker::Ending) -> Story {
    Story::after(before).acked(0, 1).synced(2).acked(1, 3).acked(3, 4)
}

#[track_caller]
fn is_lost(story: &Story, words: &str) {
    fails(story.judge_open(&mut Durability), "durability", 70, words);
}

#[track_caller]
fn is_durable(story: &Story) {
    passes(&story.judge_open(&mut Durability));
}

#[test]
fn a_power_loss_takes_nothing_synced() {
    let synced = "a power loss loses nothing ordered at or before an acknowledged sync write";
    for before in [POWERLESS, STUCK] {
        let story = three_acked(before);
        is_lost(&story, synced);
        is_lost(&story, "batch 0 of writer 0 (2 operations at sequence 1, sync)");
        is_durable(&story.clone().synced(0));
        is_durable(&story.clone().shows(0, 1));
        is_durable(&story.clone().shows(0, 1).shows(1, 3));
        is_lost(&story.clone().synced(3).shows(0, 1), "batch 1 of writer 0");
        is_lost(&story.clone().synced(4).shows(0, 1).shows(1, 3), "batch 0 of writer 1");
        is_durable(&Story { excuse: Excuse::End, ..story });
    }
}

#[test]
fn the_death_of_the_process_takes_nothing_acknowledged() {
    for before in [KILLED, CLOSED, GAVE_UP] {
        let story = three_acked(before).shows(0, 1).shows(1, 3);
        is_lost(&story, "loses nothing acknowledged");
        is_lost(&story, "batch 0 of writer 1 (1 operation at sequence 4)");
        is_durable(&story.clone().shows(3, 4));
        is_durable(&Story { excuse: Excuse::End, ..story.clone() });
        // The same on the first open, of which nothing was promised.
        is_durable(&Story { before: None, ..story });
    }
    // What had no answer, or an error, may go.
    let unanswered = three_acked(KILLED).shows(0, 1).shows(1, 3).shows(3, 4);
    is_durable(&unanswered.clone().written(4, Status::InFlight, 5, 6));
    is_durable(&unanswered.written(4, Status::Failed, 5, 6));
}

#[test]
fn what_survives_is_a_prefix() {
    let prefix = "what is recovered is a prefix of the commit order";
    for before in [POWERLESS, KILLED] {
        let hole = three_acked(before.clone()).synced(0).shows(0, 1).shows(3, 4);
        is_lost(&hole, prefix);
        is_lost(&hole, "batch 1 of writer 0 (1 operation at sequence 3), or nothing behind it");
        // Damage at the end of what survives excuses no hole.
        is_lost(&Story { excuse: Excuse::End, ..hole.clone() }, prefix);
        is_durable(&Story { excuse: Excuse::Anywhere, ..hole.clone() });
        is_durable(&hole.shows(1, 3));
        // A batch without an answer behind a hole makes it one, too.
        let late = three_acked(before).synced(0).written(4, Status::InFlight, 5, 6);
        is_lost(&late.clone().shows(0, 1).shows(1, 3).shows(4, 5), prefix);
        is_durable(&late.shows(0, 1).shows(1, 3).shows(3, 4).shows(4, 5));
    }
}

#[track_caller]
fn is_foreign(story: &Story, words: &str) {
    fails(story.judge_open(&mut Contents), "contents", 70, words);
}

#[track_caller]
fn is_right(story: &Story) {
    passes(&story.judge_open(&mut Contents));
}

fn entry(key: &str, sequence: u64, value: Option<&[u8]>) -> Entry {
    Entry::new(key.as_bytes(), sequence, value)
}

fn showing(mut story: Story, entry: Entry) -> Story {
    story.history.opened.entries.push(entry);
    story
}

#[test]
fn nothing_comes_out_that_nobody_put_in() {
    let written = "nothing is recovered that was not written, at its own sequence";
    let story = three_acked(POWERLESS);
    is_right(&story.clone().shows(0, 1).shows(1, 3));
    is_foreign(&showing(story.clone().shows(0, 1), entry("k00007", 3, Some(b"x"))), written);
    is_foreign(&showing(story.clone().shows(0, 1), entry("k00002", 3, None)), "delete \"k00002\"");
    is_foreign(&story.clone().shows(1, 7), "put \"k00002\" (11 B) at sequence 7");
    // A value that differs in one byte, or is another operation's.
    let mut flipped = story.clone().shows(0, 1).shows(1, 3);
    let entry = &mut flipped.history.opened.entries[2];
    let mut value = entry.value().expect("a put").to_vec();
    value[10] ^= 1;
    *entry = Entry::new(entry.key(), entry.sequence, Some(&value));
    is_foreign(&flipped, written);
    is_foreign(&story.clone().shows(0, 1).shows(3, 3), written);
    // The same batch twice: at its own sequence, and later.
    is_foreign(&story.clone().shows(0, 1).shows(1, 3).shows(3, 4).shows(1, 5), written);
    // What had no answer may come out, once, at any free place; what was never asked for, never.
    let in_flight = story.clone().shows(0, 1).written(2, Status::InFlight, 5, 6);
    is_right(&in_flight.clone().shows(1, 3).shows(3, 4).shows(2, 5));
    is_foreign(&in_flight.shows(1, 3).shows(3, 4).shows(2, 5).shows(2, 6), written);
    is_foreign(&story.clone().shows(0, 1).shows(1, 3).shows(3, 4).shows(2, 5), written);
    let gone = story.written(2, Status::Absent, 5, 6);
    is_foreign(&gone.shows(0, 1).shows(1, 3).shows(3, 4).shows(2, 5), written);
}

#[test]
fn an_open_refuses_what_no_crash_leaves() {
    let mut story = three_acked(POWERLESS).shows(0, 1).on_disk(&[], &[(0, 1)]);
    is_right(&story);
    let found = story.image.recoverable.as_mut().expect("just put there");
    found.must_refuse = Some("log 3 is damaged and not the newest".to_owned());
    is_foreign(&story, "an open refuses damage that no crash leaves");
    is_foreign(&story, "an error: log 3 is damaged and not the newest");
}

#[test]
fn replay_finds_the_longest_valid_prefix_and_no_more() {
    let replay = "replay puts the longest valid prefix of the logs into memtables";
    let story = three_acked(POWERLESS).shows(0, 1).shows(1, 3).on_disk(&[], &[(0, 1), (1, 3)]);
    is_right(&story);
    let mut other_order = story.clone();
    other_order.history.opened.replayed.reverse();
    other_order.history.opened.entries.reverse();
    is_right(&other_order);
    let mut short = story.clone();
    short.history.opened.replayed.pop();
    is_foreign(&short, replay);
    is_foreign(&short, "got nothing more");
    let mut long = story.clone();
    long.history.opened.replayed.push((3, entry("k00002", 4, None)));
    is_foreign(&long, replay);
    let mut wrong = story.clone();
    wrong.history.opened.replayed[1].1.sequence = 9;
    is_foreign(&wrong, replay);
    // Where there is nothing that can be read, there is nothing to compare with.
    short.image.recoverable = None;
    is_right(&short);
}

#[test]
fn an_open_shows_tables_and_logs_entry_for_entry() {
    let shown = "an open shows the tables and the replayed logs, entry for entry";
    let base = three_acked(POWERLESS).shows(0, 1);
    let story = base.clone().shows(1, 3).on_disk(&[(0, 1)], &[(1, 3)]);
    is_right(&story);
    is_foreign(&base.on_disk(&[(0, 1)], &[(1, 3)]), shown);
    is_foreign(&story.clone().shows(3, 4), shown);
    is_foreign(&story.clone().on_disk(&[], &[(1, 3)]), shown);
    // Shown twice, as from a table and from the log that it was made of.
    let mut twice = story;
    let again = twice.history.opened.entries[0].clone();
    twice.history.opened.entries.push(again);
    assert!(twice.judge_open(&mut Contents).is_err());
}

#[test]
fn an_open_says_what_it_leaves_out() {
    let mut story = three_acked(POWERLESS).shows(0, 1).on_disk(&[], &[(0, 1)]);
    is_right(&story);
    story.image.is_torn = true;
    is_foreign(&story, "an open that leaves bytes of a log or MANIFEST out says so");
    story.history.opened.has_dropped = true;
    is_right(&story);
    // It may say so of zeros, too, which leave nothing out.
    story.image.is_torn = false;
    is_right(&story);
}

#[test]
fn a_batch_is_there_whole_or_not_at_all() {
    let judge = |story: &Story| story.judge_open(&mut Atomicity);
    let whole = "a batch is recovered whole or not at all";
    let story = three_acked(POWERLESS);
    passes(&judge(&story));
    passes(&judge(&story.clone().shows(0, 1)));
    fails(judge(&story.clone().shows_part(0, 1, 1)), "atomicity", 70, whole);
    let unanswered = story.clone().shows(0, 1).shows(1, 3).shows(3, 4);
    for status in [Status::InFlight, Status::Failed] {
        let story = unanswered.clone().written(4, status, 5, 6);
        passes(&judge(&story));
        passes(&judge(&story.clone().shows(4, 5)));
        for count in [1, 2] {
            let part = story.clone().shows_part(4, 5, count);
            fails(judge(&part), "atomicity", 70, &format!("its first {count} operations"));
        }
    }
    // A part in the middle of others, and of one that an open had shown before.
    let settled = story.written(0, Status::Settled { sequence: 1 }, 1, 2);
    passes(&judge(&settled.clone().shows(0, 1).shows(1, 3)));
    fails(judge(&settled.shows_part(0, 1, 1).shows(1, 3)), "atomicity", 70, whole);
}

#[test]
fn the_counter_of_sequences_stands_above_the_disk() {
    let judge = |story: &Story| story.judge_open(&mut Sequence::default());
    let above = "after an open the last sequence is at or above every record on disk";
    let mut story = three_acked(POWERLESS).shows(0, 1).shows(1, 3);
    passes(&judge(&story));
    story.history.opened.last_sequence = 2;
    fails(judge(&story), "sequence", 70, above);
    story.history.opened.last_sequence = 7;
    passes(&judge(&story));
    // A record behind a hole counts, too.
    story.image.highest_sequence = 7;
    passes(&judge(&story));
    story.image.highest_sequence = 8;
    fails(judge(&story), "sequence", 70, "expected at least 8; got 7");
}
