//! What damage of the medium excuses, and its end.
//!
//! An open that is given rotten bytes of a log or MANIFEST may refuse them, or go on without what
//! is behind them and say so. If it refused, or a call failed, all damage is healed when the
//! process has ended, and the next open must show everything again, as if there had been none.
//! Only what an open has made durable of a damaged reading stays lost; and even that may show once
//! more, where other damage leads to a version before.

use crate::checker::{Excuse, Image};
use crate::disk::Disk;
use crate::fault::FileRole;
use crate::process::DATABASE;
use crate::world::World;

impl World {
    /// From here on this process may be given what `disk` has damaged of the files that an open
    /// reads from start to end.
    pub(crate) fn note_damaged(&self, disk: &Disk) {
        let (image, excuse) = Image::read_damaged(disk, DATABASE, &self.unseen_flaws.borrow());
        if excuse != Excuse::None {
            self.keep_rotten_logs(disk);
        }
        self.judge.borrow_mut().note_damage(image, excuse);
    }

    /// What a recovery is not given of a log does not come into any table.
    fn keep_rotten_logs(&self, disk: &Disk) {
        let mut rotten = self.rotten_logs.borrow_mut();
        for name in disk.folder(DATABASE).names() {
            let path = format!("{DATABASE}/{name}");
            if FileRole::of_file(name) == FileRole::Log
                && let Ok(Some(bytes)) = disk.rotten_bytes(&path, &self.unseen_flaws.borrow())
            {
                rotten.insert(path, bytes);
            }
        }
    }

    /// A process has ended. What it was given and had not shown may be durable all the same: then
    /// its loss stays excused. Damage is healed if it `is_over`: if the process met it and ended by
    /// itself. Behind a crash the next process meets it again.
    pub(crate) fn end_damaged(&self, is_over: bool) {
        if let Some((pristine, excuse)) = self.judge.borrow().undecided() {
            let image = Image::read(&self.disk.borrow(), DATABASE);
            if image.holds_as_much_as(pristine) {
                // Nothing was decided: what is needed of them will be read again.
                let is_old = |path: &str| image.old_logs.iter().any(|log| path.ends_with(log));
                self.rotten_logs.borrow_mut().retain(|path, _| is_old(path));
            } else {
                self.broken.set(self.broken.get().max(excuse));
            }
        }
        if is_over {
            self.disk.borrow_mut().heal_all();
            let history = self.history.borrow();
            let failed = history.outcomes.iter().any(|outcome| outcome.error.is_some());
            if failed || history.opened.unreadable.is_some() {
                self.is_healed.set(true);
            }
        }
    }
}
