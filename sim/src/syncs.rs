//! The syncs of the engine by their labels: which there are, and a run without one of them.
//!
//! A label says when, by which kind of thread and of what: `run/writer: sync log`, or
//! `open/main: sync_dir db after rename CURRENT`. The engine has no switch for it: its call returns
//! Ok, and the disk does nothing.

use std::collections::BTreeMap;

use faultline::FileOp;

use crate::fault::{FileRole, Phase};
use crate::kernel::{Kernel, ThreadId};
use crate::process::DATABASE;

/// What a run notes of syncs, if it is to.
#[derive(Clone, Debug, Default)]
pub struct SyncWatch {
    /// The label of the sync that is left out.
    left_out: Option<String>,
    /// How often each was met.
    met: BTreeMap<String, u64>,
    /// The log created last.
    newest_log: String,
    /// What each thread did last to a directory, and to what.
    changes: BTreeMap<ThreadId, (FileOp, String)>,
}

impl SyncWatch {
    /// A watch that leaves out the sync of this label, if any.
    pub fn new(left_out: Option<String>) -> Self {
        SyncWatch { left_out, ..SyncWatch::default() }
    }

    /// A process begins.
    pub fn begin_incarnation(&mut self) {
        self.changes.clear();
    }

    /// Notes a call that may change a directory.
    pub fn note(&mut self, kernel: &Kernel, op: FileOp, name: &str, role: FileRole) {
        if (op, role) == (FileOp::Create, FileRole::Log) && name.starts_with(DATABASE) {
            name.clone_into(&mut self.newest_log);
        }
        if matches!(op, FileOp::Create | FileOp::Rename | FileOp::Link | FileOp::CreateDir) {
            self.changes.insert(kernel.current(), (op, self.words(name, role)));
        }
    }

    /// A sync is met; true if it is the one to leave out.
    pub fn meet(
        &mut self,
        kernel: &Kernel,
        phase: Phase,
        (op, name, role): (FileOp, &str, FileRole),
    ) -> bool {
        let when = phase.words();
        let thread = kernel.thread_kind(kernel.current());
        let what = match role {
            FileRole::Directory => {
                let short = name.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or("/");
                let change = self.changes.get(&kernel.current());
                let after = change.map(|(op, what)| format!(" after {op} {what}"));
                format!("{short}{}", after.unwrap_or_default())
            }
            role => self.words(name, role),
        };
        let label = format!("{when}/{thread}: {op} {what}");
        let is_left_out = self.left_out.as_ref() == Some(&label);
        *self.met.entry(label).or_default() += 1;
        is_left_out
    }

    /// The kind of a file. What is in a directory of the database's own is none of its files.
    fn words(&self, name: &str, role: FileRole) -> String {
        let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_inner = parent.len() > DATABASE.len() && parent.starts_with(DATABASE);
        match role {
            _ if is_inner => format!("{} file", &parent[DATABASE.len() + 1..]),
            FileRole::Log if *name != *self.newest_log => "older log".to_owned(),
            role => role.words().to_owned(),
        }
    }

    /// The labels that were met, and how often.
    pub fn into_met(self) -> BTreeMap<String, u64> {
        self.met
    }
}
