//! Interned names: one path component is one small number.
//!
//! Directories and pending operations hold numbers, so recording an operation copies no text and
//! a report can still print a name after its file is gone. Numbers are given in order of first use
//! and mean nothing beyond one run; nothing may be ordered by them.

/// A name interned in [`Names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(u32);

#[derive(Clone, Copy, Debug)]
struct Span {
    hash: u32,
    start: u32,
    len: u32,
}

/// The table of names; see the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    text: String,
    spans: Vec<Span>,
}

impl Names {
    /// Forgets all names and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }

    /// Returns the number of `name`, giving it one if it has none.
    pub(super) fn intern(&mut self, name: &str) -> NameId {
        let hash = hash(name);
        let known = |span: &Span| span.hash == hash && text(&self.text, *span) == name;
        let index = self.spans.iter().position(known).unwrap_or_else(|| {
            let start = self.text.len() as u32;
            self.text.push_str(name);
            self.spans.push(Span { hash, start, len: name.len() as u32 });
            self.spans.len() - 1
        });
        NameId(index as u32)
    }

    /// The text of `id`.
    pub(super) fn get(&self, id: NameId) -> &str {
        text(&self.text, self.spans[id.0 as usize])
    }
}

fn text(all: &str, span: Span) -> &str {
    &all[span.start as usize..(span.start + span.len) as usize]
}

/// FNV-1a.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Splits an absolute path into the path of its directory and its last component. The root has
/// no last component.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.trim_end_matches('/');
    let (dir, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then_some((dir, name))
}
