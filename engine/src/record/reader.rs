//! [`Reader`]: the records of a log or MANIFEST, and what is wrong between them.
//!
//! Tells what it finds and decides nothing: whether dropped bytes or a torn end stop a recovery is
//! the caller's policy. Invariant: what it yields comes in the order of offsets in the file, and a
//! record comes out whole, with every checksum right, or not at all.
//!
//! Source: LevelDB `db/log_reader.cc`. Differs: yields data instead of calling a reporter; an error
//! of the file is an error, never an end; types 5 and 6 are reported; a zeroed block and a torn end
//! are told, not passed over in silence; where damage interrupts a record, the record is told
//! before the damage.

#![deny(clippy::as_conversions, clippy::indexing_slicing)]

use core::fmt;
use core::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::physical::{Physical, PhysicalReader};
use super::{RecordHead, RecordType};
use crate::codec::to_u64;
use crate::env::SequentialFile;
use crate::error::{Defect, Error, Result};

/// What comes next in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A record.
    Record {
        /// Where its first header is in the file.
        offset: u64,
        /// Its bytes.
        payload: &'a [u8],
    },
    /// Bytes that form none. Reading goes on behind them.
    Dropped(Dropped),
}

/// Bytes of a log that form no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Where the first header of what is lost is in the file: that of the whole unfinished record,
    /// if the fault lies in a later fragment of one.
    pub offset: u64,
    /// How much is lost: the rest of the block where the framing is damaged, else the bytes of
    /// payload, which may be 0.
    pub bytes: u64,
    /// What is wrong.
    pub defect: Defect,
}

impl Dropped {
    /// The error for a caller that does not go on.
    pub fn to_error(&self, file: &Path) -> Error {
        Error::corruption(file, self.offset, self.defect.clone())
    }
}

/// The end of a log whose writer was stopped in the middle of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Where the first header of the unfinished record is in the file.
    pub offset: u64,
    /// From there to the end of the file.
    pub bytes: u64,
    /// [`Defect::TornHeader`], [`Defect::TornRecord`], or [`Defect::MissingEnd`] if the file ends
    /// between two fragments.
    pub defect: Defect,
}

impl Tail {
    /// The error for a caller that accepts no such end.
    pub fn to_error(&self, file: &Path) -> Error {
        Error::corruption(file, self.offset, self.defect.clone())
    }
}

/// An [`Item`] that does not borrow yet.
enum Step {
    Whole { offset: u64, payload: Range<usize>, end: u64 },
    Assembled { offset: u64, end: u64 },
    Dropped(Dropped),
}

/// How far a reader is.
#[derive(Debug)]
enum State {
    Reading,
    Ended(Option<Tail>),
    Failed(Error),
}

/// Reads the records of a log in order.
pub struct Reader {
    physical: PhysicalReader,
    path: Arc<Path>,
    // Offset of the first fragment of a record whose last one has not come yet.
    open: Option<u64>,
    // Payload of the fragments of that record so far, or of the record yielded last.
    assembled: Vec<u8>,
    // The second thing learned from one physical record.
    pending: Option<Step>,
    // Fragments of a record that started before the initial offset are still to be expected.
    is_resyncing: bool,
    initial_offset: u64,
    end_offset: u64,
    state: State,
    is_damaged: bool,
    start_after_damage: bool,
}

impl Reader {
    /// Reads `file` from its start. `path` is for messages.
    pub fn new(file: Box<dyn SequentialFile>, path: &Path) -> Self {
        Self::with_initial_offset(file, path, 0)
    }

    /// Reads `file`, in which no two records are equal, as in a MANIFEST. Then a copy of a record
    /// in damaged bytes behind it is no start of a record: a sector that was never written may
    /// show earlier bytes of the same file.
    pub fn of_records_that_differ(file: Box<dyn SequentialFile>, path: &Path) -> Self {
        let mut reader = Self::new(file, path);
        reader.physical.pass_over_copies();
        reader
    }

    /// Reads the records that start at or after `initial_offset`. A record that reaches across it
    /// is passed over in silence, and so is what is wrong in front of it. For tools.
    pub fn with_initial_offset(
        file: Box<dyn SequentialFile>,
        path: &Path,
        initial_offset: u64,
    ) -> Self {
        Reader {
            physical: PhysicalReader::new(file, initial_offset),
            path: path.into(),
            open: None,
            assembled: Vec::new(),
            pending: None,
            is_resyncing: initial_offset > 0,
            initial_offset,
            end_offset: 0,
            state: State::Reading,
            is_damaged: false,
            start_after_damage: false,
        }
    }

    /// Yields the next record or the next dropped bytes; `None` at the end, and ever after.
    ///
    /// # Errors
    /// That of the file, now and from every later call: what lies behind it is unknown. Never
    /// `Corruption`.
    pub fn read_record(&mut self) -> Result<Option<Item<'_>>> {
        let Some(step) = self.next_step()? else { return Ok(None) };
        let item = match step {
            Step::Whole { offset, payload, end } => {
                self.end_offset = end;
                Item::Record { offset, payload: self.physical.payload(payload) }
            }
            Step::Assembled { offset, end } => {
                self.end_offset = end;
                Item::Record { offset, payload: &self.assembled }
            }
            Step::Dropped(dropped) => Item::Dropped(dropped),
        };
        Ok(Some(item))
    }

    /// What the file ends with, if not with a whole record. Known once
    /// [`Reader::read_record`] has returned `None`.
    ///
    /// A few zero bytes can be such an end: the padding of a block is appended together with the
    /// next record.
    pub fn tail(&self) -> Option<&Tail> {
        match &self.state {
            State::Ended(tail) => tail.as_ref(),
            State::Reading | State::Failed(_) => None,
        }
    }

    /// Where the last record that was yielded ends; 0 before the first.
    ///
    /// Up to the first dropped bytes or the tail, the file up to here consists of what was yielded.
    pub fn end_offset(&self) -> u64 {
        self.end_offset
    }

    /// Whether a FULL or FIRST fragment with a right checksum was met behind the first thing
    /// wrong, at any offset of the damaged bytes or in order behind them. Final once
    /// [`Reader::read_record`] has returned `None`.
    ///
    /// In a file whose every record was synced before the next was appended, such as a MANIFEST,
    /// this tells damage from a torn end: a MIDDLE or LAST may belong to the same torn record.
    pub fn start_after_damage(&self) -> bool {
        self.start_after_damage
    }

    /// The first bytes of every record whose start has a right checksum and that was not yielded:
    /// one in dropped bytes, at any offset, or one without its end. What they number may have been
    /// given out. Final once [`Reader::read_record`] has returned `None`.
    pub fn lost_heads(&self) -> &[RecordHead] {
        &self.physical.lost_heads
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn next_step(&mut self) -> Result<Option<Step>> {
        if let Some(step) = self.pending.take() {
            return Ok(Some(step));
        }
        loop {
            match &self.state {
                State::Reading => {}
                State::Ended(_) => return Ok(None),
                State::Failed(error) => return Err(error.clone()),
            }
            let physical = match self.physical.read() {
                Ok(physical) => physical,
                Err(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            };
            if self.is_resyncing && self.resync(&physical) {
                continue;
            }
            match self.take(physical) {
                Some(Step::Dropped(dropped)) if dropped.offset < self.initial_offset => {}
                Some(step) => return Ok(Some(step)),
                None => {}
            }
        }
    }

    /// Whether `physical` is a fragment of a record that started before the initial offset.
    fn resync(&mut self, physical: &Physical) -> bool {
        let fragment = match physical {
            // The next may be of the same record. LevelDB takes it for damage then.
            Physical::BeforeStart => return true,
            Physical::Fragment { record_type, .. } => Some(*record_type),
            _ => None,
        };
        self.is_resyncing = fragment == Some(RecordType::Middle);
        matches!(fragment, Some(RecordType::Middle | RecordType::Last))
    }

    /// Fits the next physical record to what came before.
    fn take(&mut self, physical: Physical) -> Option<Step> {
        match physical {
            Physical::Fragment { record_type, offset, payload } => {
                self.take_fragment(record_type, offset, payload)
            }
            Physical::UnknownType { byte, offset, payload_size } => {
                // One report for all that is lost by it.
                let (offset, collected) = self.abandon().unwrap_or((offset, 0));
                let bytes = collected + to_u64(payload_size);
                Some(self.dropped(offset, bytes, Defect::UnknownRecordType(byte)))
            }
            Physical::Damaged { offset, bytes, defect, start_follows } => {
                let interrupted = self.abandon();
                let damage = self.dropped(offset, bytes, defect);
                self.start_after_damage |= start_follows;
                let Some((offset, collected)) = interrupted else { return Some(damage) };
                self.pending = Some(damage);
                Some(self.dropped(offset, collected, Defect::InterruptedRecord))
            }
            Physical::BeforeStart => None,
            Physical::End { torn, start_follows } => {
                self.take_end(torn);
                self.start_after_damage |= start_follows;
                None
            }
        }
    }

    fn take_fragment(
        &mut self,
        record_type: RecordType,
        offset: u64,
        payload: Range<usize>,
    ) -> Option<Step> {
        let end = self.physical.offset();
        match record_type {
            RecordType::Full => {
                let unfinished = self.restart();
                let whole = Step::Whole { offset, payload, end };
                if unfinished.is_none() {
                    return Some(whole);
                }
                self.pending = Some(whole);
                unfinished
            }
            RecordType::First => {
                let unfinished = self.restart();
                self.open = Some(offset);
                self.collect(payload);
                unfinished
            }
            RecordType::Middle | RecordType::Last if self.open.is_none() => {
                Some(self.dropped(offset, to_u64(payload.len()), Defect::MissingStart))
            }
            RecordType::Middle => {
                self.collect(payload);
                None
            }
            RecordType::Last => {
                self.collect(payload);
                self.open.take().map(|offset| Step::Assembled { offset, end })
            }
        }
    }

    /// A record starts here. Reports the one that should have ended before.
    fn restart(&mut self) -> Option<Step> {
        let unfinished = self.abandon();
        // Old writers left an empty FIRST at the end of a block and then began the record again:
        // nothing is lost by that.
        let unfinished = unfinished
            .filter(|&(_, collected)| collected > 0)
            .map(|(offset, collected)| self.dropped(offset, collected, Defect::MissingEnd));
        self.start_after_damage |= self.is_damaged;
        self.assembled.clear();
        unfinished
    }

    fn collect(&mut self, payload: Range<usize>) {
        self.assembled.extend_from_slice(self.physical.payload(payload));
    }

    /// Gives up the record that is being put together; its offset and the bytes it had so far.
    fn abandon(&mut self) -> Option<(u64, u64)> {
        let offset = self.open.take()?;
        self.physical.lost_heads.push(RecordHead::of(&self.assembled));
        Some((offset, to_u64(self.assembled.len())))
    }

    fn dropped(&mut self, offset: u64, bytes: u64, defect: Defect) -> Step {
        self.is_damaged = true;
        Step::Dropped(Dropped { offset, bytes, defect })
    }

    fn take_end(&mut self, torn: Option<(u64, Defect)>) {
        let unfinished = self.abandon().map(|(offset, _)| (offset, Defect::MissingEnd));
        let place = match (unfinished, torn) {
            // The record starts where it started, but what ends it is the torn fragment.
            (Some((offset, _)), Some((_, defect))) => Some((offset, defect)),
            (unfinished, torn) => unfinished.or(torn),
        };
        let file_end = self.physical.block_end();
        let tail = place.map(|(offset, defect)| Tail { offset, bytes: file_end - offset, defect });
        self.state = State::Ended(tail);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reader");
        shown.field("path", &self.path).field("end_offset", &self.end_offset);
        shown.field("state", &self.state).finish_non_exhaustive()
    }
}
