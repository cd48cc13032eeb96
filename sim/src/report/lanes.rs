//! The last events of a run: a lane for each thread and one for the disk, in one order of time.
//!
//! ```text
//!    point virtual us   w3  w4  b2  disk
//!      218     1253.3   *   |   |   |     write batch 7 (2 ops) -> ok, sequence 33
//!      219     1253.9   |   |   o   o     append 000005.ldb 3153 B
//!      220     1254.0   |   !   |   |     dies inside append 000004.log
//!   ============================ CRASH: power loss ============================
//! ```

use crate::kernel::ThreadId;
use crate::trace::{Event, Lane};

/// Last events shown of each thread of a process.
const OF_A_THREAD: usize = 5;
/// Last calls to the disk shown of a process, whoever made them.
const OF_THE_DISK: usize = 14;
/// Threads with a lane of their own.
const LANES_MAX: usize = 16;

/// One event as a line of a trace.
pub fn event_line(event: &Event) -> String {
    let lane = match event.lane {
        Lane::Client => "client",
        Lane::Engine => "engine",
        Lane::Disk => "disk",
        Lane::Fault => "FAULT",
        Lane::End => "END",
        Lane::Schedule => "sched",
    };
    let thread = match event.lane {
        Lane::End => "-",
        _ if event.thread == ThreadId::CLOCK => "-",
        _ => &event.thread_name,
    };
    format!("  {} {thread:<12} {lane:<6} {}", moment(event), event.text)
}

fn moment(event: &Event) -> String {
    format!("{:>6} {:>10.1} ", event.point, event.nanos as f64 / 1000.0)
}

/// The last events before point `until` of the process that came to it, and of the one before.
pub(super) fn lines(events: &[Event], until: u64) -> Vec<String> {
    let happened: Vec<&Event> = events
        .iter()
        .filter(|event| event.lane != Lane::Schedule && event.point <= until)
        .collect();
    let mut processes: Vec<&[&Event]> =
        happened.split_inclusive(|event| event.lane == Lane::End).collect();
    let first = processes.len().saturating_sub(2);
    let mut lines = vec![
        "  a lane for each thread and one for the disk:  * client  - engine  o call to the disk  \
         ! fault"
            .to_owned(),
    ];
    for process in processes.drain(first..) {
        lines.push(String::new());
        lines.extend(lines_of(process));
    }
    lines.push(rule("here it shows"));
    lines
}

/// The last events of one process.
fn lines_of(process: &[&Event]) -> Vec<String> {
    let shown = select(process);
    let mut lanes: Vec<&Event> = Vec::new();
    for event in shown.iter().rev().filter(|event| is_of_a_thread(event)) {
        if lanes.len() < LANES_MAX && !lanes.iter().any(|lane| lane.thread == event.thread) {
            lanes.push(event);
        }
    }
    lanes.sort_unstable_by_key(|lane| lane.thread.0);
    let heads: Vec<String> = lanes.iter().map(|lane| abbreviation(&lane.thread_name)).collect();
    let names: Vec<String> = lanes
        .iter()
        .zip(&heads)
        .map(|(lane, head)| format!("{head} {}", lane.thread_name))
        .collect();
    let heads: Vec<String> = heads.iter().map(|head| format!("{head:<3}")).collect();
    let mut lines = vec![
        format!("   {}", names.join(", ")),
        format!("   point virtual us   {} disk", heads.join(" ")),
    ];
    if shown.len() < process.len() {
        let left_out = process.len() - shown.len();
        lines.push(format!("   ({left_out} other events of this process are left out)"));
    }
    for event in shown {
        if event.lane == Lane::End {
            lines.push(rule(&event.text));
            continue;
        }
        let mark = match event.lane {
            Lane::Client => '*',
            Lane::Disk => 'o',
            Lane::Fault => '!',
            Lane::Engine | Lane::End | Lane::Schedule => '-',
        };
        let mut gutter = String::new();
        let mut has_lane = false;
        for lane in &lanes {
            let is_here = is_of_a_thread(event) && lane.thread == event.thread;
            has_lane |= is_here;
            gutter.push(if is_here { mark } else { '|' });
            gutter.push_str("   ");
        }
        gutter.push(if event.lane == Lane::Disk { 'o' } else { '|' });
        let who = if has_lane || !is_of_a_thread(event) {
            String::new()
        } else {
            format!("{}: ", event.thread_name)
        };
        lines.push(format!("  {}  {gutter}    {who}{}", moment(event), event.text));
    }
    lines
}

/// A line across all lanes.
fn rule(words: &str) -> String {
    let words = format!(" {words} ");
    format!("  {words:=^76}")
}

fn is_of_a_thread(event: &Event) -> bool {
    event.thread != ThreadId::CLOCK && event.lane != Lane::End
}

/// The last calls to the disk and the faults among them, the last events of each thread, and the
/// end, in order. Of a thread
/// that did nothing while those calls were made, the last event alone.
fn select<'a>(process: &[&'a Event]) -> Vec<&'a Event> {
    let calls = process.iter().rev().filter(|event| event.lane == Lane::Disk).take(OF_THE_DISK);
    let since = calls.last().map_or(0, |event| event.point);
    let mut of_threads: Vec<(ThreadId, usize)> = Vec::new();
    let mut shown = Vec::new();
    for event in process.iter().rev() {
        let mut is_last_of_thread = false;
        if is_of_a_thread(event) {
            let known = of_threads.iter().position(|(thread, _)| *thread == event.thread);
            let place = known.unwrap_or(of_threads.len());
            if known.is_none() {
                of_threads.push((event.thread, 0));
            }
            of_threads[place].1 += 1;
            let most = if event.point < since { 1 } else { OF_A_THREAD };
            is_last_of_thread = of_threads[place].1 <= most;
        }
        let is_late_call = matches!(event.lane, Lane::Disk | Lane::Fault) && event.point >= since;
        if is_last_of_thread || is_late_call || event.lane == Lane::End {
            shown.push(*event);
        }
    }
    shown.reverse();
    shown
}

/// `writer#13` as `w13`.
fn abbreviation(name: &str) -> String {
    let (kind, number) = name.split_once('#').unwrap_or((name, ""));
    kind.chars().take(1).chain(number.chars()).collect()
}
