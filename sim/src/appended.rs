//! [`Appended`]: how much of the newest log has come into a memtable for certain.

use crate::kernel::ThreadId;

/// What a process has appended to its newest log, and how much of it has come into a memtable for
/// certain: nobody leads a group before the last one is in, and after its sync nothing keeps one
/// out.
#[derive(Clone, Debug, Default)]
pub struct Appended {
    log: String,
    /// Bytes.
    end: u64,
    /// Who made the last call for it.
    by: Option<ThreadId>,
    /// Bytes that are in a memtable for certain.
    certain: u64,
}

impl Appended {
    /// Thread `by` was told of an append.
    pub(crate) fn note_append(&mut self, log: &str, by: ThreadId, bytes: u64, is_ok: bool) {
        if self.log != log {
            *self = Appended { log: log.to_owned(), ..Appended::default() };
        }
        self.pass_to(by);
        self.end += if is_ok { bytes } else { 0 };
    }

    /// Thread `by` was told of a sync.
    pub(crate) fn note_sync(&mut self, log: &str, by: ThreadId, is_ok: bool) {
        if self.log == log {
            self.pass_to(by);
            self.certain = if is_ok { self.end } else { self.certain };
        }
    }

    fn pass_to(&mut self, by: ThreadId) {
        if self.by.replace(by) != Some(by) {
            self.certain = self.end;
        }
    }

    /// How many bytes of `log` have come into memtables for certain.
    pub(crate) fn certain(&self, log: &str) -> u64 {
        if self.log == log { self.certain } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_in_a_memtable_once_another_call_for_its_log_has_been_made() {
        let (log, first, second) = ("/db/000003.log", ThreadId(1), ThreadId(2));
        let mut appended = Appended::default();
        appended.note_append(log, first, 10, true);
        assert_eq!(appended.certain(log), 0, "its thread may be told yet that its sync failed");
        appended.note_sync(log, second, false);
        assert_eq!(appended.certain(log), 10, "the second thread had to wait for the first");
        appended.note_append(log, second, 5, true);
        appended.note_append(log, second, 5, false);
        assert_eq!(appended.certain(log), 10, "a record may be appended in two pieces");
        appended.note_sync(log, second, true);
        assert_eq!(appended.certain(log), 15, "nothing can go wrong any more");
        appended.note_sync("/db/000002.log", first, false);
        assert_eq!((appended.certain(log), appended.certain("/db/000002.log")), (15, 0));
        appended.note_append("/db/000004.log", first, 7, true);
        assert_eq!(appended.certain("/db/000004.log"), 0, "a new log begins");
    }
}
