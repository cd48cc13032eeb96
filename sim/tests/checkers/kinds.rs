//! What errors say, against what had failed.

use std::io::ErrorKind;

use faultline::FileOp;
use faultline_sim::checker::{Excuse, Met};
use faultline_sim::history::Call;
use faultline_sim::told::{Form, Kind, Told};

use crate::at_end::{goes_on, goes_wrong, write};
use crate::story::{Story, form, told};

const EXPLAINED: &str = "an error is that of a call that failed";
const MET: &str = "who meets a failure is told of it as it was";
const FIRST: &str = "the first failure is what has stopped writes";

fn no_space() -> Form {
    form(Kind::NoSpace, FileOp::Append, "000003.log")
}

fn sync_failed() -> Form {
    form(Kind::Io(ErrorKind::Other), FileOp::Sync, "000003.log")
}

fn table_failed() -> Form {
    form(Kind::Io(ErrorKind::Other), FileOp::Append, "000005.ldb")
}

fn background(form: &Form, thread: u32) -> Told {
    Told { is_background: true, ..told(form, thread) }
}

fn faulty() -> Story {
    Story { faults: 1, ..Story::new() }
}

/// At 15 thread 1 runs out of space for the log.
fn full_at_15() -> Story {
    faulty().failed(no_space(), 1, "writer", 15)
}

#[test]
fn who_meets_a_failure_is_told_its_kind_operation_and_file() {
    let says = |form: &Form| full_at_15().answered(write(0), Some(told(form, 1)), 10, 20);
    goes_on(&says(&no_space()));
    let file = Some("/db/000003.log".to_owned());
    for wrong in [
        Form { kind: Kind::Io(ErrorKind::Other), ..no_space() },
        Form { op: Some(FileOp::Sync), ..no_space() },
        Form { file: Some("/db/000002.log".to_owned()), ..no_space() },
        Form { kind: Kind::InvalidArgument, op: None, file: None },
        Form { kind: Kind::Corruption, op: None, file },
        Form { kind: Kind::Closed, op: None, file: None },
        Form { kind: Kind::ReadOnly, op: None, file: None },
        Form { kind: Kind::NoThread, op: None, file: None },
    ] {
        goes_wrong(&says(&wrong), 20, EXPLAINED);
    }
    // It says that somebody else has met it.
    let aside = full_at_15().answered(write(0), Some(background(&no_space(), 1)), 10, 20);
    goes_wrong(&aside, 20, MET);
    // Of two failures it is the one that ended the call.
    let two = full_at_15().failed(sync_failed(), 1, "writer", 16);
    goes_on(&two.clone().answered(write(0), Some(told(&no_space(), 1)), 10, 20));
    goes_wrong(&two.answered(write(0), Some(told(&sync_failed(), 1)), 10, 20), 20, MET);
}

#[test]
fn a_group_is_told_what_its_leader_is() {
    let says = |call, told, invoked| full_at_15().answered(call, Some(told), invoked, 20);
    for call in [write(1), Call::Sync] {
        goes_on(&says(call, told(&no_space(), 2), 10));
        // It came when the group had failed already.
        goes_wrong(&says(call, told(&no_space(), 2), 16), 20, EXPLAINED);
    }
    // They ride in nobody's group.
    for call in [Call::Flush, Call::Compact, Call::Resume, Call::Close] {
        goes_wrong(&says(call, told(&no_space(), 2), 10), 20, EXPLAINED);
    }
    // Nor does anybody ride along when a log is created; but one sync is for the names of all.
    let create = form(Kind::NoSpace, FileOp::Create, "000009.log");
    let made = faulty().failed(create.clone(), 1, "writer", 15);
    goes_on(&made.clone().answered(write(0), Some(told(&create, 1)), 10, 20));
    goes_wrong(&made.answered(write(0), Some(told(&create, 2)), 10, 20), 20, EXPLAINED);
    let names = Form { file: Some("/db".to_owned()), op: Some(FileOp::SyncDir), ..sync_failed() };
    let named = faulty().failed(names.clone(), 1, "flush", 15);
    goes_on(&named.answered(write(0), Some(told(&names, 2)), 10, 20));
    // What a background thread met comes as what has stopped writes.
    let flushed = faulty().failed(table_failed(), 7, "flush", 15);
    goes_on(&flushed.clone().answered(write(0), Some(background(&table_failed(), 1)), 10, 20));
    goes_wrong(&flushed.answered(write(0), Some(told(&table_failed(), 1)), 10, 20), 20, EXPLAINED);
}

#[test]
fn what_has_stopped_writes_is_a_failure_that_does() {
    let later =
        |story: Story, form: &Form| story.answered(write(1), Some(background(form, 2)), 30, 40);
    goes_on(&later(full_at_15(), &no_space()));
    goes_wrong(&later(full_at_15(), &sync_failed()), 40, EXPLAINED);
    goes_wrong(&later(full_at_15(), &sync_failed()), 40, "NoSpace of append /db/000003.log");
    goes_wrong(&later(faulty(), &no_space()), 40, "no call had failed");
    // It had not failed yet.
    goes_wrong(&later(faulty().failed(no_space(), 1, "writer", 41), &no_space()), 40, EXPLAINED);
    for (op, file, role, stops) in [
        (FileOp::Create, "000009.log", "writer", false),
        (FileOp::Close, "000003.log", "writer", true),
        (FileOp::SyncDir, "", "writer", true),
        (FileOp::Read, "000005.ldb", "reader", false),
        (FileOp::Read, "000005.ldb", "compaction", true),
        (FileOp::Create, "000009.ldb", "flush", true),
        (FileOp::Remove, "000005.ldb", "compaction", false),
        (FileOp::List, "", "flush", false),
    ] {
        let failed = form(Kind::Io(ErrorKind::Other), op, file);
        let story = later(faulty().failed(failed.clone(), 9, role, 15), &failed);
        if stops { goes_on(&story) } else { goes_wrong(&story, 40, EXPLAINED) }
    }
}

#[test]
fn the_first_failure_is_what_has_stopped_writes() {
    let both = || full_at_15().failed(table_failed(), 7, "flush", 25);
    let after = |first: Option<Told>, second: &Form| {
        both().answered(write(0), first, 10, 20).answered(
            write(1),
            Some(background(second, 2)),
            30,
            40,
        )
    };
    goes_on(&after(Some(told(&no_space(), 1)), &no_space()));
    goes_wrong(&after(Some(told(&no_space(), 1)), &table_failed()), 40, FIRST);
    // Whoever hears of it hears the same.
    let heard = |first: &Form, second: &Form| {
        let story = both().answered(Call::Flush, Some(background(first, 3)), 26, 28);
        story.answered(write(1), Some(background(second, 2)), 30, 40)
    };
    goes_on(&heard(&no_space(), &no_space()));
    goes_on(&heard(&table_failed(), &table_failed()));
    goes_wrong(&heard(&no_space(), &table_failed()), 40, FIRST);
    // A log that could not be created stopped nothing.
    let create = form(Kind::NoSpace, FileOp::Create, "000009.log");
    let again = faulty().failed(create.clone(), 1, "writer", 15);
    let again = again.answered(write(0), Some(told(&create, 1)), 10, 20);
    let stopped = again.failed(table_failed(), 7, "flush", 25);
    goes_on(&stopped.answered(write(1), Some(background(&table_failed(), 2)), 30, 40));
}

#[test]
fn a_resume_lets_another_failure_be_the_first() {
    let resumed = |invoked, returned, form: &Form| {
        let story = full_at_15().answered(write(0), Some(told(&no_space(), 1)), 10, 20);
        let story = story.answered(Call::Resume, None, invoked, returned);
        let story = story.failed(table_failed(), 7, "flush", 32);
        story.answered(write(1), Some(background(form, 2)), 35, 40)
    };
    goes_on(&resumed(24, 30, &table_failed()));
    // What it has undone stops nobody any more; while it was under way, it may.
    goes_wrong(&resumed(24, 30, &no_space()), 40, EXPLAINED);
    goes_on(&resumed(24, 36, &no_space()));
    goes_on(&resumed(24, 36, &table_failed()));
    goes_wrong(&resumed(2, 8, &table_failed()), 40, FIRST);
    // One that has not returned when all ends may have done it too.
    let resuming = |invoked| {
        let story = full_at_15().answered(write(0), Some(background(&no_space(), 1)), 18, 20);
        let story = story.failed(table_failed(), 7, "flush", 32);
        let story = story.answered(write(1), Some(background(&table_failed(), 2)), 35, 40);
        Story { resuming: vec![invoked], ..story }
    };
    goes_on(&resuming(24));
    goes_wrong(&resuming(41), 40, FIRST);
}

#[test]
fn corruption_needs_damage() {
    let file = Some("/db/000005.ldb".to_owned());
    let corrupt = Form { kind: Kind::Corruption, op: None, file };
    let story = faulty().answered(Call::Read, Some(told(&corrupt, 1)), 10, 20);
    goes_wrong(&story, 20, EXPLAINED);
    goes_on(&Story { damaged: vec!["000005.ldb".to_owned()], ..story.clone() });
    goes_on(&Story { excuse: Excuse::End, ..story.clone() });
    let files = [String::from("000005.ldb")].into();
    goes_on(&Story { met: Met { reads: 1, files }, ..story });
}

#[test]
fn opens_and_reads_are_told_of_any_thread() {
    let read = form(Kind::Io(ErrorKind::Other), FileOp::Read, "000005.ldb");
    let story = faulty().failed(read.clone(), 4, "replay", 15);
    let says = |call, invoked| story.clone().answered(call, Some(told(&read, 0)), invoked, 20);
    goes_on(&says(Call::Open, 10));
    goes_wrong(&says(Call::Open, 16), 20, EXPLAINED);
    // A cursor keeps what it has met.
    goes_on(&says(Call::Read, 16));
    goes_wrong(&says(Call::Close, 10), 20, EXPLAINED);
}

#[test]
fn a_directory_tells_of_its_failed_sync_again() {
    let failed = form(Kind::Io(ErrorKind::Other), FileOp::SyncDir, "");
    let story = faulty().failed(failed.clone(), 4, "compaction", 5);
    goes_on(&story.clone().answered(Call::Flush, Some(told(&failed, 1)), 10, 20));
    // Another kind of call does not, and nobody is told before it fails.
    let log = faulty().failed(sync_failed(), 4, "writer", 5);
    goes_wrong(&log.answered(Call::Flush, Some(told(&sync_failed(), 1)), 10, 20), 20, EXPLAINED);
    let later = faulty().failed(failed.clone(), 4, "compaction", 21);
    goes_wrong(&later.answered(Call::Flush, Some(told(&failed, 1)), 10, 20), 20, EXPLAINED);
}

#[test]
fn what_is_tidied_up_behind_a_failure_is_not_told() {
    let remove = form(Kind::NotFound, FileOp::Remove, "000009.ldb");
    let create = form(Kind::Io(ErrorKind::Other), FileOp::Create, "000009.ldb");
    let then_full = |first: &Form| {
        let story = faulty().failed(first.clone(), 1, "writer", 12);
        let story = story.failed(no_space(), 1, "writer", 15);
        story.answered(write(0), Some(told(&no_space(), 1)), 10, 20)
    };
    goes_on(&then_full(&remove));
    goes_wrong(&then_full(&create), 20, MET);
    // Rot is met in bytes, whatever call fails behind it.
    let file = Some("/db/000009.ldb".to_owned());
    let corrupt = Form { kind: Kind::Corruption, op: None, file };
    let rotten = Story { damaged: vec!["000009.ldb".to_owned()], ..full_at_15() };
    goes_on(&rotten.answered(Call::Resume, Some(told(&corrupt, 1)), 10, 20));
}

#[test]
fn a_resume_is_refused_only_for_what_it_cannot_repair() {
    let told_at_once = |story: Story, form: &Form| {
        story.failed(form.clone(), 3, "compaction", 8).answered(
            Call::Resume,
            Some(background(form, 2)),
            10,
            20,
        )
    };
    let helps = "a resume helps after all but damage and a switch of CURRENT in doubt";
    goes_wrong(&told_at_once(faulty(), &table_failed()), 20, helps);
    for op in [FileOp::Rename, FileOp::SyncDir] {
        goes_on(&told_at_once(faulty(), &form(Kind::Io(ErrorKind::Other), op, "CURRENT")));
    }
    let damaged = Story { met: Met { reads: 1, ..Met::default() }, ..faulty() };
    goes_on(&told_at_once(damaged, &table_failed()));
    // Others are told at once what has stopped them.
    let stopped = faulty().failed(table_failed(), 3, "compaction", 8);
    goes_on(&stopped.answered(write(1), Some(background(&table_failed(), 2)), 10, 20));
}

#[test]
fn only_who_asked_not_to_wait_is_told_that_it_would_have_to() {
    let held_up = Form { kind: Kind::HeldUp, op: None, file: None };
    let says = |call, faults, no_wait| {
        let mut story = Story { faults, ..Story::new() };
        story.plan.batches[0].no_wait = no_wait;
        story.answered(call, Some(told(&held_up, 1)), 10, 20)
    };
    goes_on(&says(write(0), 0, true));
    goes_wrong(&says(write(0), 0, false), 20, "without a fault no call fails");
    goes_wrong(&says(write(0), 1, false), 20, EXPLAINED);
    goes_wrong(&says(Call::Flush, 1, true), 20, EXPLAINED);
    // It stops nothing.
    goes_on(&says(write(0), 1, true).answered(write(1), None, 21, 50));
}
