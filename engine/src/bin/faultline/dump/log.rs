//! A log: its batches, and the operations in them.

use std::path::Path;

use faultline::batch::{BatchOp, BatchView};

use super::{dump_records, part, place, shown};
use crate::args::BytesArgs;
use crate::exit::Result;
use crate::output::{Output, counted};

/// Prints the log at `path`.
pub(super) fn dump(form: BytesArgs, path: &Path, output: &mut Output) -> Result<()> {
    let mut operations = 0;
    let mut malformed = 0;
    let met = dump_records(path, output, |output, offset, payload| {
        let batch = match BatchView::parse(payload) {
            Ok(batch) => batch,
            Err(defect) => {
                malformed += 1;
                return output.line(place(offset, &format!("DAMAGED: {defect}")));
            }
        };
        operations += u64::from(batch.count());
        let count = counted(batch.count().into(), "operation");
        output.line(place(offset, &format!("batch @ {}, {count}", batch.sequence())))?;
        for op in &batch {
            let words = match op {
                BatchOp::Put { key, value } => {
                    format!("put {} = {}", shown(form, key), shown(form, value))
                }
                BatchOp::Delete { key } => format!("delete {}", shown(form, key)),
            };
            output.line(part(&words))?;
        }
        Ok(())
    })?;
    let damaged = met.damaged + malformed;
    output.line(format!(
        "{}, {}, {damaged} damaged",
        counted(met.records - malformed, "batch"),
        counted(operations, "operation"),
    ))
}
