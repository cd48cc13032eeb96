//! A table: its blocks in the order of the index, and the entries in them.

use std::path::Path;

use faultline::env::Env as _;
use faultline::env::posix::PosixEnv;
use faultline::iterator::InternalIterator as _;
use faultline::key::InternalKeyComparator;
use faultline::table::{BlockHandle, FOOTER_SIZE, TableLayout};

use super::{part, place, shown, shown_internal_key};
use crate::args::BytesArgs;
use crate::exit::Result;
use crate::output::{Output, counted};

/// Prints the table at `path`, of `size` bytes.
pub(super) fn dump(form: BytesArgs, path: &Path, size: u64, output: &mut Output) -> Result<()> {
    // Entries are shown as they lie there: no order is looked at.
    let order = InternalKeyComparator::bytewise();
    let file = PosixEnv::new().open_random_access(path)?;
    let layout = match TableLayout::open(file, size, path, order) {
        Ok(layout) => layout,
        Err(error) => {
            output.line(format!("DAMAGED: {error}"))?;
            return output.line("no footer, so no block can be found");
        }
    };
    let mut totals = Totals::default();
    totals.data(form, &layout, output)?;
    totals.metaindex(&layout, output)?;
    output.line(place(layout.index().offset, &block("index", layout.index())))?;
    output.line(place(size - FOOTER_SIZE as u64, "footer"))?;
    output.line(format!(
        "{}, {}, {} damaged",
        counted(totals.blocks, "data block"),
        counted(totals.entries, "entry"),
        totals.damaged
    ))
}

fn block(name: &str, handle: BlockHandle) -> String {
    format!("{name}, {} as stored", counted(handle.size, "byte"))
}

#[derive(Default)]
struct Totals {
    blocks: u64,
    entries: u64,
    damaged: u64,
}

impl Totals {
    fn damage(&mut self, offset: u64, error: &faultline::Error, output: &mut Output) -> Result<()> {
        self.damaged += 1;
        let words = match error {
            faultline::Error::Corruption(corruption) => corruption.defect.to_string(),
            error => error.to_string(),
        };
        output.line(place(offset, &format!("DAMAGED: {words}")))
    }

    fn data(&mut self, form: BytesArgs, layout: &TableLayout, output: &mut Output) -> Result<()> {
        let mut index = match layout.index_iter() {
            Ok(index) => index,
            Err(error) => return self.damage(layout.index().offset, &error, output),
        };
        index.seek_to_first();
        while index.valid() {
            match layout.handle_at(&index) {
                Ok(handle) => self.data_block(form, layout, handle, index.key(), output)?,
                Err(error) => self.damage(layout.index().offset, &error, output)?,
            }
            index.next();
        }
        match index.status() {
            Ok(()) => Ok(()),
            Err(error) => self.damage(layout.index().offset, &error, output),
        }
    }

    fn data_block(
        &mut self,
        form: BytesArgs,
        layout: &TableLayout,
        handle: BlockHandle,
        separator: &[u8],
        output: &mut Output,
    ) -> Result<()> {
        let up_to = shown_internal_key(form, separator);
        let words = format!("{}, up to {up_to}", block("data", handle));
        output.line(place(handle.offset, &words))?;
        let mut entries = match layout.data_block(handle) {
            Ok(entries) => entries,
            Err(error) => return self.damage(handle.offset, &error, output),
        };
        self.blocks += 1;
        entries.seek_to_first();
        while entries.valid() {
            self.entries += 1;
            let key = shown_internal_key(form, entries.key());
            output.line(part(&format!("{key} = {}", shown(form, entries.value()))))?;
            entries.next();
        }
        match entries.status() {
            Ok(()) => Ok(()),
            Err(error) => self.damage(handle.offset, &error, output),
        }
    }

    fn metaindex(&mut self, layout: &TableLayout, output: &mut Output) -> Result<()> {
        let handle = layout.metaindex();
        let mut blocks = Vec::new();
        let visited = layout.visit_metaindex(&mut |name, at| {
            blocks.push((name.escape_ascii().to_string(), at));
        });
        for (name, at) in blocks {
            let line = match at {
                Some(at) => place(at.offset, &block(&name, at)),
                None => place(handle.offset, &format!("DAMAGED: {name} is nowhere")),
            };
            output.line(line)?;
        }
        output.line(place(handle.offset, &block("metaindex", handle)))?;
        match visited {
            Ok(()) => Ok(()),
            Err(error) => self.damage(handle.offset, &error, output),
        }
    }
}
