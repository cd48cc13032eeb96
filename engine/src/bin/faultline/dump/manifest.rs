//! A MANIFEST: its edits, field by field.

use std::path::Path;

use faultline::version::edit::VersionEdit;

use super::{dump_records, part, place, shown_internal_key};
use crate::args::BytesArgs;
use crate::exit::Result;
use crate::output::{Output, counted};

/// Prints the MANIFEST at `path`.
pub(super) fn dump(form: BytesArgs, path: &Path, output: &mut Output) -> Result<()> {
    let mut malformed = 0;
    let met = dump_records(path, output, |output, offset, payload| {
        let edit = match VersionEdit::decode(payload) {
            Ok(edit) => edit,
            Err(defect) => {
                malformed += 1;
                return output.line(place(offset, &format!("DAMAGED: {defect}")));
            }
        };
        output.line(place(offset, "edit"))?;
        fields(form, &edit).iter().try_for_each(|field| output.line(part(field)))
    })?;
    let edits = counted(met.records - malformed, "edit");
    output.line(format!("{edits}, {} damaged", met.damaged + malformed))
}

fn fields(form: BytesArgs, edit: &VersionEdit) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(name) = &edit.comparator {
        lines.push(format!("comparator {}", name.escape_ascii()));
    }
    for (name, number) in [
        ("log number", edit.log_number),
        ("previous log number", edit.prev_log_number),
        ("next file number", edit.next_file_number),
        ("last sequence", edit.last_sequence),
    ] {
        lines.extend(number.map(|number| format!("{name} {number}")));
    }
    for (level, key) in &edit.compact_pointers {
        lines.push(format!("level {level}: compact from {}", shown_internal_key(form, key)));
    }
    for (level, number) in &edit.deleted_files {
        lines.push(format!("level {level}: remove table {number}"));
    }
    for (level, file) in &edit.new_files {
        lines.push(format!(
            "level {level}: add table {}, {}, {} .. {}",
            file.number,
            counted(file.size, "byte"),
            shown_internal_key(form, &file.smallest),
            shown_internal_key(form, &file.largest),
        ));
    }
    lines
}
