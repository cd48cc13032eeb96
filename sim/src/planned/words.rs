//! Batches in words, as plan files and reports have them.
//!
//! ```text
//! put 2 300, delete 3; sync; then flush
//! ```
//!
//! are a value of 300 bytes for key 2 and a delete of key 3 in one batch, written with `sync`; then
//! its writer calls `flush`. An `empty` batch has no operation. `no_wait` stands beside `sync`; and
//! what follows is one of `flush`, `sync`, `compact KEY KEY`, `close`, `kill`, `power_loss`.

use crate::scenario::CrashKind;
use crate::workload::{After, Plan, PlannedBatch, PlannedOp};

/// The words of a batch of `plan`.
pub fn batch_words(plan: &Plan, batch: &PlannedBatch) -> String {
    let ops: Vec<String> = plan
        .ops_of(batch)
        .iter()
        .map(|op| match op.value {
            Some(bytes) => format!("put {} {bytes}", op.key),
            None => format!("delete {}", op.key),
        })
        .collect();
    let mut words = if ops.is_empty() { "empty".to_owned() } else { ops.join(", ") };
    if batch.sync {
        words += "; sync";
    }
    if batch.no_wait {
        words += "; no_wait";
    }
    let then = match batch.after {
        After::Nothing => return words,
        After::Flush => "flush".to_owned(),
        After::Sync => "sync".to_owned(),
        After::Compact([from, to]) => format!("compact {from} {to}"),
        After::Close => "close".to_owned(),
        After::Crash(CrashKind::PowerLoss) => "power_loss".to_owned(),
        After::Crash(CrashKind::Kill | CrashKind::Either) => "kill".to_owned(),
    };
    words + "; then " + &then
}

/// Adds the batch of these words to `plan`, as the last of `writer`.
///
/// # Errors
/// What is wrong with them.
pub fn batch_from_words(plan: &mut Plan, writer: u32, words: &str) -> Result<(), String> {
    let in_batch = |part: &str| format!("`{part}` in `{words}`");
    let mut parts = words.split("; ");
    let first = plan.ops.len() as u32;
    match parts.next() {
        None | Some("empty") => {}
        Some(ops) => {
            for op in ops.split(", ") {
                let op = op_from_words(op).ok_or_else(|| {
                    in_batch(op) + " is no operation: there are put KEY BYTES and delete KEY"
                })?;
                plan.ops.push(op);
            }
        }
    }
    let ops = first..plan.ops.len() as u32;
    let mut batch =
        PlannedBatch { writer, ops, sync: false, no_wait: false, after: After::Nothing };
    for part in parts {
        match part {
            "sync" => batch.sync = true,
            "no_wait" => batch.no_wait = true,
            _ => {
                let after = part.strip_prefix("then ").and_then(after_from_words);
                batch.after = after.ok_or_else(|| {
                    in_batch(part)
                        + " is none of sync, no_wait, and `then` with flush, sync, \
                                      compact KEY KEY, close, kill, power_loss"
                })?;
            }
        }
    }
    plan.batches.push(batch);
    Ok(())
}

fn op_from_words(words: &str) -> Option<PlannedOp> {
    match words.split(' ').collect::<Vec<_>>()[..] {
        ["put", key, bytes] => {
            Some(PlannedOp { key: key.parse().ok()?, value: Some(bytes.parse().ok()?) })
        }
        ["delete", key] => Some(PlannedOp { key: key.parse().ok()?, value: None }),
        _ => None,
    }
}

fn after_from_words(words: &str) -> Option<After> {
    Some(match words.split(' ').collect::<Vec<_>>()[..] {
        ["flush"] => After::Flush,
        ["sync"] => After::Sync,
        ["compact", from, to] => After::Compact([from.parse().ok()?, to.parse().ok()?]),
        ["close"] => After::Close,
        ["kill"] => After::Crash(CrashKind::Kill),
        ["power_loss"] => After::Crash(CrashKind::PowerLoss),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for words in [
            "empty",
            "put 2 300, delete 3; sync; no_wait; then flush",
            "put 0 0; then compact 3 7",
            "delete 1; then power_loss",
            "empty; sync; then sync",
            "delete 4; then kill",
            "put 4 1; then close",
        ] {
            let mut plan = Plan::idle();
            batch_from_words(&mut plan, 3, "put 9 9").expect("one before");
            batch_from_words(&mut plan, 3, words).expect(words);
            assert_eq!(batch_words(&plan, &plan.batches[1]), words);
            assert_eq!(plan.batches[1].writer, 3);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (words, wrong) in [
            ("", "`` in `` is no operation"),
            ("put 2", "`put 2` in `put 2` is no operation"),
            ("put 2 3, del 4", "`del 4` in `put 2 3, del 4` is no operation"),
            ("put 2 3; snyc", "`snyc` in `put 2 3; snyc` is none of sync"),
            ("put 2 3; then rest", "`then rest` in `put 2 3; then rest` is none of sync"),
            ("put 2 3; then compact 4", "`then compact 4` in"),
        ] {
            let refused = batch_from_words(&mut Plan::idle(), 0, words).expect_err(words);
            assert!(refused.starts_with(wrong), "{refused}");
        }
    }
}
