//! Checking the logs that an open would replay.

use super::{Scope, Severity, VerifyReport};
use crate::batch::BatchView;
use crate::env::Env;
use crate::error::{Defect, Error, Result};
use crate::filename::{FileNumber, log_file_name};
use crate::key::SequenceNumber;
use crate::record::{Item, Reader};

impl<E: Env> Scope<'_, E> {
    /// Checks the logs with these numbers, which ascend.
    pub(super) fn check_logs(
        &self,
        numbers: impl Iterator<Item = FileNumber>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let mut logs = Vec::new();
        for number in numbers {
            let size = self.env.size(&log_file_name(self.dir, number))?;
            logs.push((number, size));
        }
        // Only this one can have an end that was never durable.
        let newest = logs.iter().rev().find(|(_, size)| *size > 0).map(|(number, _)| *number);
        let mut last_before = None;
        for (number, _) in logs {
            let is_newest = newest == Some(number);
            self.check_log(number, is_newest, &mut last_before, report)?;
        }
        Ok(())
    }

    /// Checks one log. `last_before` is the last sequence number of the logs before, if they have
    /// any, and becomes that of this one.
    fn check_log(
        &self,
        number: FileNumber,
        is_newest: bool,
        last_before: &mut Option<SequenceNumber>,
        report: &mut VerifyReport,
    ) -> Result<()> {
        report.logs += 1;
        let path = log_file_name(self.dir, number);
        let mut reader = Reader::new(self.env.open_sequential(&path)?, &path);
        let (mut last, mut is_broken) = (None, false);
        while let Some(item) = reader.read_record()? {
            let wrong = match item {
                Item::Record { .. } if is_newest && is_broken => None,
                Item::Record { offset, payload } => match BatchView::parse(payload) {
                    Ok(batch) => {
                        let defect = check_order(&batch, last, *last_before);
                        if let (None, Some(sequence)) = (&defect, batch.last_sequence()) {
                            last = Some(sequence);
                            report.last_sequence = report.last_sequence.max(sequence);
                        }
                        report.batches += u64::from(defect.is_none());
                        defect.map(|(is_gap, defect)| (offset, is_gap, defect))
                    }
                    Err(defect) => Some((offset, false, Defect::Batch(defect))),
                },
                Item::Dropped(dropped) => Some((dropped.offset, false, dropped.defect)),
            };
            let Some((offset, is_gap, defect)) = wrong else { continue };
            // What follows the first thing wrong in the newest log is part of it.
            if !is_broken || !is_newest {
                report.find(
                    severity(is_newest && !is_gap),
                    Error::corruption(&path, offset, defect),
                )?;
            }
            is_broken = true;
        }
        if let Some(tail) = reader.tail().filter(|_| !is_broken || !is_newest) {
            report.find(severity(is_newest), tail.to_error(&path))?;
        }
        *last_before = last.or(*last_before);
        Ok(())
    }
}

fn severity(is_end: bool) -> Severity {
    if is_end { Severity::UnfinishedEnd } else { Severity::Damage }
}

/// What is wrong with the place of `batch` in the order of sequence numbers, and whether it lies
/// between two logs.
fn check_order(
    batch: &BatchView<'_>,
    last: Option<SequenceNumber>,
    last_before: Option<SequenceNumber>,
) -> Option<(bool, Defect)> {
    // A batch without operations occupies no number.
    batch.last_sequence()?;
    let first = batch.sequence();
    match (last, last_before) {
        // Gaps are legal inside a log: a write that failed uses numbers up.
        (Some(last), _) if first <= last => {
            let words = format!("sequence {first} comes after sequence {last}");
            Some((false, Defect::Other(words.into())))
        }
        (None, Some(last)) if first != last + 1 => {
            let words = format!("sequence {first} follows {last} of the log before");
            Some((true, Defect::Other(words.into())))
        }
        _ => None,
    }
}
