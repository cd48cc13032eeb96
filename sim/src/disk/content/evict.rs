//! Pages that leave the cache although they never reached the medium.

use std::collections::BTreeMap;

use super::{Content, OpId};
use crate::disk::{PAGE, SECTOR};

impl Content {
    /// Drops the pages that a failed write-back has left clean and that were not written since:
    /// readers see the durable bytes, and so will every crash. The size stays. Returns the writes
    /// that lost something, in time order.
    pub(in crate::disk) fn evict(&mut self) -> Vec<OpId> {
        let mut pages: BTreeMap<u32, OpId> = BTreeMap::new();
        for lost in &self.lost {
            let upto = pages.entry(lost.page).or_default();
            *upto = lost.upto.max(*upto);
        }
        // A pending truncation keeps a page busy, too.
        let is_cut = |page: u32| {
            self.pending.iter().any(|record| record.is_cut() && record.offset < (page + 1) * PAGE)
        };
        pages.retain(|page, upto| !self.is_dirty(*page, *upto, OpId::MAX) && !is_cut(*page));
        let mut dropped: Vec<OpId> = Vec::new();
        self.preserve();
        for (&page, &upto) in &pages {
            for sector in page * (PAGE / SECTOR)..(page + 1) * (PAGE / SECTOR) {
                let durable = self.mark(sector);
                let writes = self.pending.iter().filter(|record| {
                    (durable + 1..=upto).contains(&record.id)
                        && !record.is_cut()
                        && self.sectors(record).contains(&sector)
                });
                let before = dropped.len();
                dropped.extend(writes.map(|record| record.id));
                if before < dropped.len() {
                    self.set_mark(sector, upto);
                    self.show_durable(sector);
                }
            }
        }
        self.lost.retain(|lost| !pages.contains_key(&lost.page));
        self.prune();
        dropped.sort_unstable();
        dropped.dedup();
        dropped
    }

    /// Has readers see the durable bytes of `sector`.
    fn show_durable(&mut self, sector: u32) {
        let bytes = self.durable_sector(sector);
        let start = ((sector * SECTOR) as usize).min(self.volatile.len());
        let end = (start + SECTOR as usize).min(self.volatile.len());
        self.volatile[start..end].copy_from_slice(&bytes[..end - start]);
        self.synced = self.synced.min(start as u32);
    }
}
