//! The checkers that look at what clients were told: sequence, reads, errors, liveness, recovery.

use faultline_sim::checker::{
    Durability, Ending, Errors, Excuse, Liveness, Met, Reads, Recovery, Sequence,
};
use faultline_sim::history::{Call, Flushed, LogDone, LogFailure, Status};
use faultline_sim::kernel::End;

use crate::story::{CLOSED, GAVE_UP, KILLED, POWERLESS, STUCK, Story, fails, passes};

#[test]
fn no_sequence_is_given_twice() {
    let judge = |story: &Story| story.judge_end(&mut Sequence::default());
    let twice = "no sequence is given twice within an incarnation";
    // Batch 0 takes two sequences.
    passes(&judge(&Story::new().acked(0, 1).acked(1, 3)));
    fails(judge(&Story::new().acked(0, 1).acked(1, 2)), "sequence", 2, twice);
    fails(judge(&Story::new().acked(0, 1).acked(1, 1)), "sequence", 2, twice);
    passes(&judge(&Story::new().acked(1, 1).acked(0, 2)));
    // An empty batch takes none.
    passes(&judge(&Story::new().acked(0, 1).acked(5, 3).acked(1, 3)));
    // It shows when the second of the two is answered.
    let late = Story::new().acked_at(0, 1, 1, 40).acked_at(1, 2, 1, 20);
    fails(judge(&late), "sequence", 40, twice);
    // The earliest of two violations.
    let two = late.acked_at(3, 2, 1, 15);
    fails(judge(&two), "sequence", 20, twice);
}

#[test]
fn no_sequence_is_given_that_may_be_on_disk() {
    let given = "a sequence is never given again once a record with it may be on disk";
    let opened = |highest| {
        let mut story = Story::after(POWERLESS).acked(0, 1).shows(0, 1);
        story.image.highest_sequence = highest;
        story.history.opened.last_sequence = 9;
        story
    };
    let judge = |highest, sequence| {
        let (mut checker, open) = (Sequence::default(), opened(highest));
        passes(&open.judge_open(&mut checker));
        // The next incarnation's writes.
        let mut story = open.written(0, Status::Settled { sequence: 1 }, 1, 2);
        story.history.incarnation = 1;
        story.acked_at(1, sequence, 71, 80).judge_end(&mut checker)
    };
    passes(&judge(2, 3));
    fails(judge(2, 2), "sequence", 80, given);
    passes(&judge(6, 7));
    fails(judge(6, 6), "sequence", 80, given);
    fails(judge(6, 3), "sequence", 80, "sequences above 6 for batch 1 of writer 0");
}

#[test]
fn sequences_rise_with_real_time() {
    let judge = |story: &Story| story.judge_end(&mut Sequence::default());
    let rise = "sequences rise with real time";
    // Batch 0 is answered at 20 with sequences 2 and 3; batch 3 gets sequence 1.
    let with = |invoked| Story::new().acked_at(0, 2, 10, 20).acked_at(3, 1, invoked, 60);
    passes(&judge(&with(5)));
    passes(&judge(&with(15)));
    passes(&judge(&with(20)));
    fails(judge(&with(21)), "sequence", 60, rise);
    // With another one in between, which overlaps both.
    let between = |invoked| with(invoked).acked_at(1, 4, 1, 70);
    passes(&judge(&between(20)));
    fails(judge(&between(21)), "sequence", 60, rise);
    // What an earlier incarnation was told has its own time.
    let mut earlier = with(21);
    earlier.history.incarnation = 1;
    passes(&judge(&earlier));
}

/// Key 2 is written by batch 0 at 1, batch 1 at 3 and batch 3 at 5; key 3 by batch 0 at 2 and
/// deleted by batch 2 at 4.
fn versions() -> Story {
    Story::new().acked(0, 1).acked(1, 3).acked(2, 4).acked(3, 5)
}

#[track_caller]
fn sees(story: &Story) {
    passes(&story.judge_end(&mut Reads));
}

#[track_caller]
fn sees_wrong(story: &Story, words: &str) {
    fails(story.judge_end(&mut Reads), "reads", 30, words);
}

#[test]
fn a_snapshot_sees_the_newest_value_below_it() {
    let newest = "a read sees the newest value at its own sequence";
    let story = versions();
    let [first, second, third] = [0, 1, 3].map(|batch| story.value_of(batch));
    for (at, found) in [(1, first), (2, first), (3, second), (4, second), (5, third), (9, third)] {
        sees(&story.clone().read(Some(at), 0, 2, found));
        for other in [first, second, third, None].into_iter().filter(|other| *other != found) {
            sees_wrong(&story.clone().read(Some(at), 0, 2, other), newest);
        }
    }
    // Before the first, and behind a delete, there is nothing.
    sees(&story.clone().read(Some(0), 0, 2, None));
    sees_wrong(&story.clone().read(Some(0), 0, 2, first), newest);
    sees(&story.clone().read(Some(4), 0, 3, None));
    sees_wrong(&story.clone().read(Some(3), 0, 3, None), newest);
    sees(&story.clone().read(Some(5), 0, 7, None));
    sees_wrong(&story.read(Some(5), 0, 7, first), "expected nothing for key 7 at 5");
}

#[test]
fn a_plain_get_sees_some_moment_after_it_was_asked_for() {
    let newest = "a read sees the newest value at its own sequence";
    let story = versions();
    let [first, second, third] = [0, 1, 3].map(|batch| story.value_of(batch));
    for fine in [first, second, third] {
        sees(&story.clone().read(None, 2, 2, fine));
    }
    sees_wrong(&story.clone().read(None, 2, 2, None), newest);
    sees(&story.clone().read(None, 3, 2, second));
    sees_wrong(&story.clone().read(None, 3, 2, first), newest);
    sees_wrong(&story.clone().read(None, 5, 2, second), newest);
    sees(&story.clone().read(None, 2, 3, None));
    sees_wrong(&story.clone().read(None, 4, 3, story.value_at(0, 1)), newest);
}

#[test]
fn a_snapshot_stands_where_real_time_puts_it() {
    let stands = "a snapshot stands between what was acknowledged before and begun after it";
    let story = versions();
    let value = story.value_of(1);
    sees(&story.clone().read(Some(3), 3, 2, value));
    sees_wrong(&story.clone().read(Some(3), 4, 2, value), stands);
    // A batch begun at 31, after the snapshot had returned at 30, stands above it.
    let begun = |at| versions().acked_at(1, 3, at, 40).read(Some(3), 0, 2, value);
    sees(&begun(30));
    sees_wrong(&begun(31), "a sequence below 3, which was begun after it");
    let mut before = begun(31);
    before.history.incarnation = 1;
    sees(&before);
    // No thread goes back in time; another one may be behind.
    let twice = |reader, at, found| {
        let mut story = versions().read(Some(4), 0, 2, value).read(Some(at), 0, 2, found);
        story.history.reads[1].reader = reader;
        story
    };
    sees(&twice(0, 4, value));
    sees(&twice(0, 5, story.value_of(3)));
    sees_wrong(&twice(0, 3, value), "at or above 4, which the same thread saw before");
    sees(&twice(1, 3, value));
}

#[test]
fn a_failed_write_is_not_seen_and_one_without_an_answer_may_be() {
    let newest = "a read sees the newest value at its own sequence";
    let found = Story::new().value_of(1);
    let with = |status, invoked| {
        let story = Story::new().acked(0, 1).written(1, status, invoked, 99);
        [story.clone().read(Some(3), 0, 2, found), story.read(None, 2, 2, found)]
    };
    for read in with(Status::InFlight, 29) {
        sees(&read);
        let mut other_life = read.clone();
        other_life.history.incarnation = 1;
        sees_wrong(&other_life, newest);
        // Its value is no other key's.
        let mut other_key = read;
        other_key.history.reads[0].key = 3;
        sees_wrong(&other_key, newest);
    }
    for (status, invoked) in
        [(Status::InFlight, 30), (Status::Failed, 1), (Status::Absent, 1), (Status::Waiting, 0)]
    {
        for read in with(status, invoked) {
            sees_wrong(&read, newest);
        }
    }
}

const SYNC_FAILED: Option<&str> = Some("sync 000003.log: an error");

pub(crate) fn write(batch: u32) -> Call {
    Call::Write { batch }
}

/// A world with faults, in which batch 0 failed between 10 and 20.
fn failed_at_20(call: Call, error: Option<&str>) -> Story {
    Story { faults: 1, ..Story::new() }.called(call, error, 10, 20)
}

#[track_caller]
pub(crate) fn goes_on(story: &Story) {
    passes(&story.judge_end(&mut Errors));
}

#[track_caller]
pub(crate) fn goes_wrong(story: &Story, point: u64, words: &str) {
    fails(story.judge_end(&mut Errors), "errors", point, words);
}

#[test]
fn after_a_fatal_error_nothing_is_acknowledged() {
    let fatal = "after a fatal error nothing is acknowledged until resume";
    for call in [write(0), Call::Sync] {
        let failed = failed_at_20(call, SYNC_FAILED);
        goes_on(&failed);
        goes_on(&failed.clone().called(write(1), None, 20, 50));
        goes_wrong(&failed.clone().called(write(1), None, 21, 50), 50, fatal);
        goes_wrong(&failed.clone().called(write(3), None, 21, 50), 50, "an error for writer 1");
        goes_on(&failed.clone().called(write(1), SYNC_FAILED, 21, 50));
        // A log that could not be created may be tried again; reads and the like are no writes.
        let again = failed_at_20(call, Some("create 000009.log: no space"));
        goes_on(&again.called(write(1), None, 21, 50));
    }
    let harmless = failed_at_20(Call::Flush, Some("append 000007.ldb: an error"));
    goes_on(&harmless.called(write(1), None, 21, 50));
}

#[test]
fn a_resume_in_between_lets_writes_go_on() {
    let failed = failed_at_20(write(0), SYNC_FAILED);
    let resumed = |error, invoked, returned| {
        failed.clone().called(Call::Resume, error, invoked, returned).called(write(1), None, 41, 50)
    };
    goes_on(&resumed(None, 30, 40));
    // It may have struck at any time while it was under way.
    goes_on(&resumed(None, 30, 45));
    goes_on(&resumed(None, 5, 15));
    let fatal = "after a fatal error nothing is acknowledged until resume";
    goes_wrong(&resumed(SYNC_FAILED, 30, 40), 50, fatal);
    goes_wrong(&resumed(None, 2, 10), 50, fatal);
    goes_wrong(&resumed(None, 50, 60), 50, fatal);
    // One that did not return before the end may have struck too.
    let resuming = |invoked| {
        let written = failed.clone().called(write(1), None, 41, 50);
        Story { resuming: vec![invoked], ..written }
    };
    goes_on(&resuming(30));
    goes_wrong(&resuming(50), 50, fatal);
    // A second error needs a second resume.
    let second = resumed(None, 30, 40).called(write(2), SYNC_FAILED, 51, 60);
    goes_on(&second);
    goes_wrong(&second.clone().called(write(3), None, 61, 70), 70, fatal);
    let resumed_again = second.called(Call::Resume, None, 61, 65);
    goes_on(&resumed_again.called(write(3), None, 66, 70));
}

#[test]
fn without_a_fault_no_call_fails() {
    let unprovoked = "without a fault no call fails";
    for call in [write(0), Call::Flush, Call::Sync, Call::Resume, Call::Close] {
        goes_on(&Story::new().called(call, None, 10, 20));
        let story = Story::new().called(call, SYNC_FAILED, 10, 20);
        goes_wrong(&story, 20, unprovoked);
        goes_on(&Story { faults: 1, ..story });
    }
    // The main thread gave up without a word; an open that failed is another checker's.
    let opened = Story { ending: GAVE_UP, ..Story::new() }.called(Call::Open, None, 1, 5);
    goes_wrong(&opened, 90, unprovoked);
    goes_on(&Story { faults: 1, ..opened.clone() });
    goes_on(&Story { ending: CLOSED, ..opened.clone() });
    goes_on(&Story { ending: KILLED, ..opened });
    let refused = Story { ending: GAVE_UP, ..Story::new() };
    goes_on(&refused.called(Call::Open, Some("open CURRENT: an error"), 1, 5));
}

#[test]
fn every_thread_comes_to_an_end() {
    let judge = |ending| Story { ending, ..Story::new() }.judge_end(&mut Liveness);
    for fine in [CLOSED, GAVE_UP, KILLED, POWERLESS] {
        passes(&judge(fine));
    }
    for closed in [true, false] {
        let left = vec!["flusher"];
        let ending = Ending::Returned { closed, left, leaked: 3 };
        fails(judge(ending), "liveness", 90, "a closed database has no thread");
        let ending = Ending::Returned { closed, left: vec![], leaked: 1 };
        fails(judge(ending), "liveness", 90, "1 blocks that nobody gave back");
    }
    let deadlock = End::Deadlock(vec!["writer#3 waits: lock state".to_owned()]);
    for (end, words) in [
        (deadlock, "nobody can run: writer#3 waits: lock state"),
        (
            End::Livelock { is_calm: true, left: vec!["writer#3 goes on".to_owned()] },
            "each went on in turn and nothing failed, and still there: writer#3 goes on",
        ),
        (End::Panicked("index out of bounds".to_owned()), "got index out of bounds"),
        (End::HarnessPanicked("oh".to_owned()), "every call returns"),
    ] {
        fails(judge(Ending::Stuck(end)), "liveness", 90, words);
    }
    fails(judge(STUCK), "liveness", 90, "every call returns");
}

#[test]
fn an_open_that_meets_no_fault_succeeds() {
    let judge = |story: &Story| story.judge_end(&mut Recovery);
    let story = Story::new().called(Call::Open, Some("CURRENT: damaged"), 1, 5);
    fails(judge(&story), "recovery", 5, "recovers every image a crash can leave");
    fails(judge(&story), "recovery", 5, "got CURRENT: damaged");
    passes(&judge(&Story { faults: 1, ..story }));
    passes(&judge(&Story::new().called(Call::Open, None, 1, 5)));
    passes(&judge(&Story::new().called(write(0), SYNC_FAILED, 1, 5)));
}

#[test]
fn a_failure_of_the_log_counts_although_nobody_was_told() {
    let close_failed = || {
        let mut story = Story::new();
        story.faults = 1;
        let what = "close 000007.log".to_owned();
        let done = LogDone { appended: 10, synced: 6 };
        story.history.log_failures.push(LogFailure { point: 20, what, done });
        story
    };
    let fatal = "after a fatal error nothing is acknowledged until resume";
    goes_on(&close_failed().called(write(1), None, 20, 50));
    goes_wrong(&close_failed().called(write(1), None, 21, 50), 50, fatal);
    goes_wrong(&close_failed().called(write(1), None, 21, 50), 50, "close 000007.log");
    goes_on(&close_failed().called(write(1), SYNC_FAILED, 21, 50));
    goes_on(&close_failed().called(Call::Resume, None, 22, 30).called(write(1), None, 31, 50));
    let in_vain = close_failed().called(Call::Resume, Some("disk full"), 22, 30);
    goes_wrong(&in_vain.called(write(1), None, 31, 50), 50, fatal);
    // Who waited when it failed may have been written before: batch 0 is one with sync.
    for (batch, since) in [(1, 10), (0, 6)] {
        goes_on(&close_failed().called(write(batch), None, since, 50));
        let lost = || close_failed().called(write(batch), None, since + 1, 50);
        goes_wrong(&lost(), 50, fatal);
        goes_on(&lost().called(Call::Resume, None, 22, 30));
        goes_on(&close_failed().called(write(batch), None, since + 1, 19));
    }
    // One without operations need not be in a log.
    goes_on(&close_failed().called(write(5), None, 15, 50));
}

#[test]
fn what_was_opened_can_be_read() {
    let mut story = Story::new();
    // Nothing fails while entries are shown, so no fault excuses it.
    story.faults = 1;
    passes(&story.judge_end(&mut Recovery));
    story.history.opened.unreadable = Some("000005.ldb: damaged".to_owned());
    fails(story.judge_end(&mut Recovery), "recovery", 70, "can be read");
    fails(story.judge_end(&mut Recovery), "recovery", 70, "got 000005.ldb: damaged");
    story.excuse = Excuse::End;
    fails(story.judge_end(&mut Recovery), "recovery", 70, "can be read");
    // The disk took bytes of tables that had been synced.
    story.excuse = Excuse::Anywhere;
    passes(&story.judge_end(&mut Recovery));
    // A read met damage, and the error is about it.
    story.excuse = Excuse::None;
    story.met = Met { reads: 1, files: [String::from("000005.ldb")].into() };
    passes(&story.judge_end(&mut Recovery));
}

#[test]
fn a_call_that_fails_over_damage_names_the_file() {
    let judge = |file: &str, reads, faults, call, error: &'static str| {
        let mut story = Story::new().called(call, Some(error), 20, 30);
        story.met = Met { reads, files: [file.to_owned()].into() };
        story.faults = faults;
        story.judge_end(&mut Recovery)
    };
    let words = "a call that fails over damage names the file";
    for call in [Call::Open, Call::Read, Call::Resume, write(1)] {
        passes(&judge("000005.ldb", 2, 2, call, "/db/000005.ldb: corrupt at offset 7: checksum"));
        passes(&judge("000005.ldb", 2, 2, call, "read /db/000005.ldb: other error"));
        let other =
            judge("000005.ldb", 2, 2, call, "/db/000006.ldb: corrupt at offset 7: checksum");
        fails(other, "recovery", 30, words);
        // Another fault may be what it tells of.
        passes(&judge("000005.ldb", 2, 3, call, "sync /db/000007.log: other error"));
    }
    // Where CURRENT or the MANIFEST are damaged, what they name may be.
    for file in ["CURRENT", "MANIFEST-000002"] {
        let missing = "/db/000013.ldb: corrupt at offset 0: 4 missing files; this is one";
        passes(&judge(file, 1, 1, Call::Open, missing));
        fails(judge(file, 1, 1, Call::Open, "the weather"), "recovery", 30, words);
    }
}

#[test]
fn a_flush_leaves_nothing_acknowledged_in_a_log() {
    let judge = |acknowledged, first_in_logs| {
        let mut story = Story::new();
        story.history.flushes.push(Flushed { acknowledged, first_in_logs, returned: 20 });
        story.judge_end(&mut Durability)
    };
    for fine in [None, Some(6), Some(9)] {
        passes(&judge(5, fine));
    }
    let words = "a flush puts everything acknowledged before it into tables";
    fails(judge(5, Some(5)), "durability", 20, words);
    fails(judge(5, Some(1)), "durability", 20, "got sequence 1");
}
