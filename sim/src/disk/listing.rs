//! The disk as text, for reports and snapshots.

use std::fmt::Write;

use super::report::{Op, OpKind};
use super::space::Space;
use super::state::{Destination, Disk, HeldLock, Ino, Kind};

/// A file for reports: what a process sees of it, and what no crash can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Its whole name.
    pub path: String,
    /// Bytes that a process sees; `None` if it sees no such file.
    pub size: Option<u64>,
    /// Bytes that are durable.
    pub durable: u64,
    /// What is odd about its name, or about its sectors, or nothing.
    pub note: &'static str,
}

impl Disk {
    /// The files, in order of their names, without directories.
    pub fn files(&self) -> Vec<FileState> {
        let mut files = Vec::new();
        self.each_entry(Ino::ROOT, &mut String::new(), &mut |path, ino, is_there, note| {
            let found = self.inode(ino);
            if found.kind == Kind::Directory {
                return;
            }
            let content = &found.content;
            let is_flawed = self.flaws.iter().any(|flaw| flaw.ino == ino);
            files.push(FileState {
                path: path.to_owned(),
                size: is_there.then_some(content.volatile.len() as u64),
                durable: content.durable.len() as u64,
                note: if note.is_empty() && is_flawed { "damaged" } else { note },
            });
        });
        files
    }

    /// Lists what is there now and what of it is durable: for each file its size, its durable
    /// size and its synced prefix; names that only a crash would bring back; what is pending.
    pub fn listing(&self) -> String {
        let mut text = format!("profile {}, {} bytes used\n", self.profile.name, self.used);
        self.each_entry(Ino::ROOT, &mut String::new(), &mut |path, ino, _, note| {
            let (found, comma) = (self.inode(ino), if note.is_empty() { "" } else { ", " });
            if found.kind == Kind::Directory {
                push(&mut text, format_args!("{path}/{comma}{note}"));
                return;
            }
            let content = &found.content;
            push(
                &mut text,
                format_args!(
                    "{path} inode {}: {} bytes, {} durable, {} synced{comma}{note}",
                    ino.0,
                    content.volatile.len(),
                    content.durable.len(),
                    content.synced
                ),
            );
        });
        self.list_pending(&mut text);
        for flight in self.flights.iter().filter(|flight| flight.busy) {
            let name = self.names.get(self.inode(flight.ino).label);
            let place = match flight.destination {
                Destination::End => "at the end".to_owned(),
                Destination::At(offset) => format!("at {offset}"),
            };
            push(
                &mut text,
                format_args!("in flight: {} bytes to {name} {place}", flight.bytes.len()),
            );
        }
        for flaw in &self.flaws {
            push(&mut text, format_args!("flaw {}: {}", flaw.id, self.describe_flaw(flaw)));
        }
        for HeldLock { ino, owner, is_shared } in &self.locks {
            let name = self.names.get(self.inode(*ino).label);
            let how = if *is_shared { "locked among readers" } else { "locked" };
            push(&mut text, format_args!("{how}: {name} by {owner}"));
        }
        text
    }

    /// Calls `each` for everything that is there or is durable below `dir`: its whole name, inode,
    /// whether it is there now, and what is odd about the name.
    fn each_entry(
        &self,
        dir: Ino,
        path: &mut String,
        each: &mut dyn FnMut(&str, Ino, bool, &'static str),
    ) {
        let inode = self.inode(dir);
        let durable = &inode.durable;
        let mut names: Vec<&str> = Vec::new();
        names.extend(inode.volatile.0.iter().map(|entry| self.names.get(entry.name)));
        names.extend(durable.0.iter().map(|entry| self.names.get(entry.name)));
        names.sort_unstable();
        names.dedup();
        for name in names {
            let now = inode.volatile.get(&self.names, name);
            let kept = durable.get(&self.names, name);
            let note = match (now, kept) {
                (Some(now), Some(kept)) if now == kept => "",
                (Some(_), Some(_)) => "durable name is of another file",
                (Some(_), None) => "name not durable",
                (None, _) => "removed but still durable",
            };
            let Some(ino) = now.or(kept) else { continue };
            let len = path.len();
            path.push('/');
            path.push_str(name);
            each(path, ino, now.is_some(), note);
            if self.inode(ino).kind == Kind::Directory {
                self.each_entry(ino, path, each);
            }
            path.truncate(len);
        }
    }

    fn list_pending(&self, text: &mut String) {
        let mut space = Space::default();
        space.build(self, u32::MAX);
        for op in &space.ops {
            let lost = if self.is_all_lost(op) { ", lost by a failed sync" } else { "" };
            push(text, format_args!("pending {}: {}{lost}", op.id, op.describe(self)));
        }
    }

    fn is_all_lost(&self, op: &Op) -> bool {
        let content = &self.inode(op.ino).content;
        let at = content.pending.binary_search_by_key(&op.id, |record| record.id);
        match (op.kind, at) {
            (OpKind::Write { .. }, Ok(at)) => {
                let mut sectors = content.sectors(&content.pending[at]);
                sectors.all(|sector| content.is_lost(sector, op.id))
            }
            _ => false,
        }
    }
}

/// Adds a line.
pub(super) fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes all");
    text.push('\n');
}
