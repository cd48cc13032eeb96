//! Replaying logs: every record that the policy accepts goes, a memtable's worth at a time, into
//! level-0 tables, or into one memtable; what it does not accept is accounted for.
//!
//! Changes nothing but that it writes new tables, which no version names yet. Invariants: an I/O
//! error is returned, whatever the policy; entries reach the tables in the order of the logs;
//! `last_sequence` ends above every valid batch met, dropped ones included.
//!
//! Inside a log, sequence numbers ascend, with gaps where a write failed. From one log to the next
//! they go on without a gap: an older log was synced before the newer got its first record.
//!
//! Source: LevelDB `DBImpl::RecoverLogFile`. Differs: what happens at damage is decided by
//! [`RecoveryPolicy`], for each log by its place among the logs; entries on their way to a table
//! are sorted all at once, not inserted one by one.

use std::path::{Path, PathBuf};

use super::lost::Lost;
use super::replay_tables::ReplayTables;
use super::report::{DroppedBytes, RecoveryReport};
use super::sort_buffer::SortBuffer;
use crate::batch::{BatchView, last_sequence_of_head};
use crate::env::Env;
use crate::error::{Defect, Error, Result};
use crate::filename::{FileKind, FileNumber, log_file_name};
use crate::key::{InternalKeyComparator, SequenceNumber};
use crate::memtable::MemTableWriter;
use crate::options::{Options, RecoveryPolicy};
use crate::record::{Dropped, Item, Reader, Tail};
use crate::version::VersionSet;

/// A log that may be needed.
#[derive(Clone, Debug)]
pub(super) struct LiveLog {
    pub(super) number: FileNumber,
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

/// Finds the sizes of the logs `numbers`, which ascend.
pub(super) fn live_logs<E: Env>(
    env: &E,
    dir: &Path,
    numbers: impl Iterator<Item = FileNumber>,
) -> Result<Vec<LiveLog>> {
    numbers
        .map(|number| {
            let path = log_file_name(dir, number);
            let size = env.size(&path)?;
            Ok(LiveLog { number, path, size })
        })
        .collect()
}

/// Where something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the bytes of a log.
    Within,
    /// In how a log goes on from the one before.
    Between,
}

/// What the policy makes of something wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Drop it and go on behind it.
    Skip,
    /// Drop it and everything behind it.
    Stop,
}

/// Where what is replayed goes.
pub(super) enum Sink<'a, 'l, E: Env> {
    /// Into tables; what is dropped is kept in `lost`.
    Tables {
        /// What becomes the next table; none between two logs.
        filling: Option<SortBuffer>,
        writer: &'a mut ReplayTables<E>,
        versions: &'a mut VersionSet,
        lost: &'a mut Lost<'l, E>,
    },
    /// Into a memtable, however large it gets. Nothing is written.
    Memory(&'a mut MemTableWriter<E::Threads>),
}

/// A replay in progress.
pub(super) struct Replay<'a, 'l, E: Env> {
    env: &'a E,
    order: &'a InternalKeyComparator,
    options: &'a Options,
    sink: Sink<'a, 'l, E>,
    report: &'a mut RecoveryReport,
    /// The last sequence number of the last batch accepted, in any log.
    last_accepted: Option<SequenceNumber>,
    is_stopped: bool,
}

impl<'a, 'l, E: Env> Replay<'a, 'l, E> {
    pub(super) fn new(
        env: &'a E,
        order: &'a InternalKeyComparator,
        options: &'a Options,
        sink: Sink<'a, 'l, E>,
        report: &'a mut RecoveryReport,
    ) -> Self {
        Replay { env, order, options, sink, report, last_accepted: None, is_stopped: false }
    }

    /// Replays `logs`, which ascend.
    ///
    /// # Errors
    /// `Corruption` where the policy does not accept what is wrong; that of any file.
    pub(super) fn run(mut self, logs: &[LiveLog]) -> Result<()> {
        let newest = logs.iter().rev().find(|log| log.size > 0).map(|log| log.number);
        for log in logs {
            self.report.logs.push(log.number);
            if log.size > 0 {
                let mut pass = Pass::new(log, newest == Some(log.number));
                let file = self.env.open_sequential(&log.path)?;
                self.replay(&mut pass, &mut Reader::new(file, &log.path))?;
                self.keep_dropped(log, pass.dropped)?;
            }
        }
        Ok(())
    }

    fn replay(&mut self, pass: &mut Pass<'_>, reader: &mut Reader) -> Result<()> {
        let number = pass.log.number;
        tracing::debug!(target: "faultline", log = number, size = pass.log.size, "log replay");
        if self.is_stopped {
            pass.drop_rest(0, None);
        }
        while let Some(item) = reader.read_record()? {
            match item {
                Item::Record { offset, payload } => self.take_record(pass, offset, payload)?,
                Item::Dropped(Dropped { offset, bytes, defect }) => {
                    self.meet(pass, Place::Within, offset, bytes, defect)?;
                }
            }
        }
        if let Some(Tail { offset, bytes, defect }) = reader.tail().cloned() {
            self.meet(pass, Place::Within, offset, bytes, defect)?;
        }
        pass.finish_survey(&mut self.report.last_sequence);
        // Not even a record behind a hole, or one without its end, may share its numbers with a
        // later write: for as long as the file is there, somebody may read it.
        for head in reader.lost_heads() {
            let last = last_sequence_of_head(head.bytes()).unwrap_or_default();
            self.report.last_sequence = self.report.last_sequence.max(last);
        }
        self.flush(number, false)
    }

    fn take_record(&mut self, pass: &mut Pass<'_>, offset: u64, payload: &[u8]) -> Result<()> {
        let bytes = payload.len() as u64;
        let batch = match BatchView::parse(payload) {
            Ok(batch) => batch,
            Err(defect) => {
                return self.meet(pass, Place::Within, offset, bytes, Defect::Batch(defect));
            }
        };
        if self.is_stopped {
            // Not accepted, but its numbers may not be given again.
            pass.survey.take(&batch);
            return Ok(());
        }
        let may_skip = self.options.recovery_policy == RecoveryPolicy::SkipCorrupt;
        if let Some((place, defect)) = pass.check_order(&batch, self.last_accepted, may_skip) {
            pass.survey.take(&batch);
            return self.meet(pass, place, offset, bytes, defect);
        }
        let ops = (batch.sequence()..).zip(&batch);
        let usage = match &mut self.sink {
            Sink::Tables { filling, .. } => {
                let filling = filling.get_or_insert_with(|| SortBuffer::new(self.order.clone()));
                for (sequence, op) in ops {
                    filling.add(sequence, op.value_type(), op.key(), op.value());
                }
                filling.memory_usage()
            }
            Sink::Memory(mem) => {
                for (sequence, op) in ops {
                    mem.add(sequence, op.value_type(), op.key(), op.value());
                }
                0
            }
        };
        if let Some(last) = batch.last_sequence() {
            pass.last = Some(last);
            self.last_accepted = Some(last);
            self.report.last_sequence = self.report.last_sequence.max(last);
        }
        self.report.batches += 1;
        self.report.operations += u64::from(batch.count());
        if usage > self.options.write_buffer_size {
            self.flush(pass.log.number, true)?;
        }
        Ok(())
    }

    /// Decides about something wrong, and notes what is dropped because of it.
    fn meet(
        &mut self,
        pass: &mut Pass<'_>,
        place: Place,
        offset: u64,
        bytes: u64,
        defect: Defect,
    ) -> Result<()> {
        if self.is_stopped {
            // Part of what is dropped already.
            return Ok(());
        }
        let verdict = match (self.options.recovery_policy, place) {
            (RecoveryPolicy::SkipCorrupt, _) => Verdict::Skip,
            (RecoveryPolicy::PointInTime, _) => Verdict::Stop,
            (RecoveryPolicy::TolerateTail, Place::Within) if pass.is_newest => Verdict::Stop,
            (RecoveryPolicy::TolerateTail | RecoveryPolicy::Absolute, _) => {
                let error = Error::corruption(&pass.log.path, offset, defect);
                tracing::warn!(
                    target: "faultline", %error,
                    "open refused; PointInTime or SkipCorrupt would open without some of the data"
                );
                return Err(error);
            }
        };
        tracing::warn!(
            target: "faultline", log = pass.log.number, offset, %defect, ?verdict, "log damaged"
        );
        match verdict {
            Verdict::Skip => pass.drop_piece(offset, bytes, defect),
            Verdict::Stop => {
                self.is_stopped = true;
                pass.drop_rest(offset, Some(defect));
            }
        }
        Ok(())
    }

    /// Makes a table of what there is; `has_more` if there is more to read meanwhile.
    fn flush(&mut self, log: FileNumber, has_more: bool) -> Result<()> {
        let Sink::Tables { filling, writer, versions, .. } = &mut self.sink else { return Ok(()) };
        let Some(filled) = filling.take() else { return Ok(()) };
        let sorted = filled.sort();
        if let Some(observer) = &self.options.observer {
            observer.replayed(log, &mut sorted.iter());
        }
        let number = versions.new_file_number();
        if has_more { writer.write_beside(number, &sorted) } else { writer.write(number, &sorted) }
    }

    /// Copies what was dropped of a log to `lost`: from the first byte dropped to the end.
    fn keep_dropped(&mut self, log: &LiveLog, dropped: Vec<DroppedBytes>) -> Result<()> {
        let Some(first) = dropped.first() else { return Ok(()) };
        let kept_in = match &mut self.sink {
            Sink::Tables { lost, .. } => Some(lost.keep(&log.path, first.offset)?),
            Sink::Memory(_) => None,
        };
        for piece in dropped {
            self.report.dropped.push(DroppedBytes { kept_in: kept_in.clone(), ..piece });
        }
        Ok(())
    }
}

/// One walk over one log.
struct Pass<'l> {
    log: &'l LiveLog,
    /// Whether this is the newest log with any bytes.
    is_newest: bool,
    /// The last sequence number of the last batch accepted from this log.
    last: Option<SequenceNumber>,
    dropped: Vec<DroppedBytes>,
    survey: Survey,
}

impl<'l> Pass<'l> {
    fn new(log: &'l LiveLog, is_newest: bool) -> Self {
        Pass { log, is_newest, last: None, dropped: Vec::new(), survey: Survey::default() }
    }

    /// What is wrong with the place of `batch` in the order of sequence numbers.
    fn check_order(
        &self,
        batch: &BatchView<'_>,
        last_accepted: Option<SequenceNumber>,
        may_skip: bool,
    ) -> Option<(Place, Defect)> {
        // A batch without operations occupies no number.
        batch.last_sequence()?;
        let first = batch.sequence();
        match (self.last, last_accepted) {
            (Some(last), _) if first <= last => Some((
                Place::Within,
                Defect::Other(format!("sequence {first} comes after sequence {last}").into()),
            )),
            (None, Some(last)) if first <= last || (first > last + 1 && !may_skip) => {
                let words = format!("sequence {first} follows {last} of the log before");
                Some((Place::Between, Defect::Other(words.into())))
            }
            _ => None,
        }
    }

    fn drop_piece(&mut self, offset: u64, bytes: u64, defect: Defect) {
        let survey = core::mem::take(&mut self.survey);
        self.dropped.push(DroppedBytes {
            file: FileKind::Log(self.log.number),
            offset,
            bytes,
            defect: Some(defect),
            batches: survey.batches,
            sequences: survey.sequences,
            kept_in: None,
        });
    }

    /// Everything from `offset` on is dropped; what it holds is found out on the way to the end.
    fn drop_rest(&mut self, offset: u64, defect: Option<Defect>) {
        self.dropped.push(DroppedBytes {
            file: FileKind::Log(self.log.number),
            offset,
            bytes: self.log.size.saturating_sub(offset),
            defect,
            batches: 0,
            sequences: None,
            kept_in: None,
        });
    }

    fn finish_survey(&mut self, last_sequence: &mut SequenceNumber) {
        if let Some(rest) = self.dropped.last_mut()
            && self.survey.batches > 0
        {
            rest.batches += self.survey.batches;
            rest.sequences = self.survey.sequences;
        }
        for piece in &self.dropped {
            if let Some((_, last)) = piece.sequences {
                *last_sequence = (*last_sequence).max(last);
            }
        }
    }
}

/// What dropped records hold.
#[derive(Debug, Default)]
struct Survey {
    batches: u64,
    sequences: Option<(SequenceNumber, SequenceNumber)>,
}

impl Survey {
    fn take(&mut self, batch: &BatchView<'_>) {
        self.batches += 1;
        let Some(last) = batch.last_sequence() else { return };
        let first = batch.sequence();
        self.sequences = Some(match self.sequences {
            Some((low, high)) => (low.min(first), high.max(last)),
            None => (first, last),
        });
    }
}
