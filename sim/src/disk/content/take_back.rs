//! Bytes that a failed sync takes back.

use super::{Content, OpId, Record};

impl Content {
    /// Drops the writes up to operation `begin` that are not durable, and returns them. What came
    /// later is done again over the durable bytes, with zeros before a write that begins behind
    /// their end; of truncations those stand that still cut something.
    pub(in crate::disk) fn take_back(&mut self, begin: OpId) -> Vec<Record> {
        self.preserve();
        let pending = std::mem::take(&mut self.pending);
        self.volatile = self.durable.clone();
        let mut dropped = Vec::new();
        for record in pending {
            let size_before = self.volatile.len() as u32;
            if !record.is_cut() && record.id <= begin {
                dropped.push(record);
            } else if !record.is_cut() {
                let (offset, end) = (record.offset as usize, record.end() as usize);
                if self.volatile.len() < end {
                    self.volatile.resize(end, 0);
                }
                let bytes = record.saved as usize..(record.saved + record.len) as usize;
                self.volatile[offset..end].copy_from_slice(&self.arena[bytes]);
                self.pending.push(Record { size_before, ..record });
            } else if record.offset < size_before {
                self.volatile.truncate(record.offset as usize);
                self.pending.push(Record { size_before, ..record });
            }
        }
        if self.pending.is_empty() {
            self.forget_pending();
        }
        self.synced = self.synced.min(self.volatile.len() as u32);
        dropped
    }
}
