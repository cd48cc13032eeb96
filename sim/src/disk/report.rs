//! What a crash kept and lost, operation by operation, for explanations.

use super::choose::Fates;
use super::content::{OpId, Record};
use super::listing::push;
use super::names::NameId;
use super::space::{Space, Target};
use super::state::{Disk, EntryOp, Ino};

/// What an operation was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Bytes written.
    Write {
        /// Where the first byte went.
        offset: u32,
        /// How many.
        len: u32,
    },
    /// A file cut.
    Truncate {
        /// The size it was cut to.
        size: u32,
    },
    /// A directory entry changed.
    Entry(EntryOp),
}

/// An operation that was pending at a crash.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Rises in time.
    pub(super) id: OpId,
    /// What it was.
    pub kind: OpKind,
    /// The file it was done to.
    pub ino: Ino,
    pub(super) name: NameId,
}

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it is in the image.
    Survived,
    /// None of it is.
    Lost,
    /// Some is: so many of its sectors, sizes and entries (bytes, for a write in flight), of so
    /// many.
    Torn(u32, u32),
}

/// How [`Disk::power_loss`] went about choosing an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Nothing was pending, so there was nothing to choose.
    NothingPending,
    /// Everything pending is lost.
    AllLost,
    /// Everything pending survives.
    AllKept,
    /// What came before some moment survives.
    Prefix,
    /// As [`Strategy::Prefix`], and the next operation is torn.
    TornPrefix,
    /// Every register is chosen for itself.
    Independent,
    /// Each file and each name survives whole or not at all.
    WholeFiles,
    /// One operation is lost, with what needs it.
    OmitOne,
    /// A run of sectors in the middle of one file is lost, with what needs them.
    Hole,
    /// One operation survives, with what it needs.
    KeepOne,
    /// Names and sizes survive, and of the bytes only what they need.
    SizesOnly,
    /// The caller chose the image.
    Chosen,
    /// Names survive, and of sizes and bytes only what they need.
    NamesOnly,
}

/// What a power loss did.
#[derive(Clone, Debug)]
pub struct CrashReport {
    /// How the image was chosen.
    pub strategy: Strategy,
    /// The operations that were pending, in time order.
    pub ops: Vec<(Op, Fate)>,
    /// The sectors that show stale garbage: file and index of the sector.
    pub garbage: Vec<(Ino, u32)>,
}

impl CrashReport {
    pub(super) fn new(space: &Space, fates: &Fates, strategy: Strategy) -> Self {
        let mut ops: Vec<(Op, Fate)> = space.ops.iter().map(|op| (*op, Fate::Torn(0, 0))).collect();
        for (register, version) in fates.versions.iter().enumerate() {
            for step in &space.steps[space.step_range(register as u32)] {
                let Ok(index) = ops.binary_search_by_key(&step.op, |(op, _)| op.id) else {
                    continue;
                };
                if let Fate::Torn(kept, all) = &mut ops[index].1 {
                    *kept += version.saturating_sub(step.from).min(step.weight);
                    *all += step.weight;
                }
            }
        }
        for (_, fate) in &mut ops {
            *fate = match *fate {
                Fate::Torn(kept, all) if kept == all => Fate::Survived,
                Fate::Torn(0, _) => Fate::Lost,
                fate => fate,
            };
        }
        let targets = fates.garbage.iter().map(|(at, _)| space.registers[*at as usize].target);
        let garbage = targets.filter_map(|target| match target {
            Target::Sector(ino, sector) => Some((ino, sector)),
            Target::Size(_) | Target::Entry(..) => None,
        });
        Self { strategy, ops, garbage: garbage.collect() }
    }

    /// How the image was chosen, then a line for each pending operation; writes that follow each
    /// other in one file and met the same fate share one. `disk` is the disk that crashed.
    pub fn describe(&self, disk: &Disk) -> String {
        let mut text = format!("{}\n", self.strategy.words());
        let mut rest = self.ops.as_slice();
        while let Some(((op, fate), behind)) = rest.split_first() {
            let (mut whole, mut count) = (*op, 1);
            rest = behind;
            while let Some(((next, same), behind)) = rest.split_first()
                && same == fate
                && whole.grow(next)
            {
                (rest, count) = (behind, count + 1);
            }
            let fate = match fate {
                Fate::Survived => "survived".to_owned(),
                Fate::Lost => "lost".to_owned(),
                Fate::Torn(kept, all) => format!("torn, {kept} of {all} pieces survived"),
            };
            let writes = if count > 1 { format!(" ({count} writes)") } else { String::new() };
            push(&mut text, format_args!("{}{writes}: {fate}", whole.describe(disk)));
        }
        if !self.garbage.is_empty() {
            push(&mut text, format_args!("stale garbage in {} sectors", self.garbage.len()));
        }
        text
    }
}

impl Strategy {
    /// What the image has in common with others that were chosen so.
    pub fn words(self) -> &'static str {
        match self {
            Strategy::NothingPending => "nothing was pending: all was durable",
            Strategy::AllLost => "all that was pending is lost",
            Strategy::AllKept => "all that was pending survives",
            Strategy::Prefix => "what was pending survives up to some moment",
            Strategy::TornPrefix => "what was pending survives up to an operation that is torn",
            Strategy::Independent => "each sector, size and name has a fate of its own",
            Strategy::WholeFiles => "each file and each name survives whole or not at all",
            Strategy::OmitOne => "one operation is lost, with all that needs it",
            Strategy::Hole => "a run of sectors in the middle of a file is lost",
            Strategy::KeepOne => "one operation survives, with all that it needs",
            Strategy::SizesOnly => "names and sizes survive, and few of the bytes",
            Strategy::NamesOnly => "names survive, and little of sizes and bytes",
            Strategy::Chosen => "the caller chose",
        }
    }
}

impl Op {
    pub(super) fn write(record: &Record, ino: Ino, name: NameId) -> Op {
        let kind = OpKind::Write { offset: record.offset, len: record.len };
        Op { id: record.id, kind, ino, name }
    }

    /// Takes in a write to the same file that starts where this one ends; false if `next` is none.
    fn grow(&mut self, next: &Op) -> bool {
        match (&mut self.kind, next.kind) {
            (OpKind::Write { offset, len }, OpKind::Write { offset: at, len: more })
                if self.ino == next.ino && *offset + *len == at =>
            {
                *len += more;
                true
            }
            _ => false,
        }
    }

    /// Whether it changed bytes or the size of a file, and not a name.
    pub fn is_of_content(&self) -> bool {
        !matches!(self.kind, OpKind::Entry(_))
    }

    /// The last part of the name that the file was given by then, or by the operation.
    pub fn name<'a>(&self, disk: &'a Disk) -> &'a str {
        disk.names.get(self.name)
    }

    /// The operation in words, such as `write 000003.log 512..640`.
    pub fn describe(&self, disk: &Disk) -> String {
        let name = self.name(disk);
        match self.kind {
            OpKind::Write { offset, len } => format!("write {name} {offset}..{}", offset + len),
            OpKind::Truncate { size } => format!("truncate {name} to {size}"),
            OpKind::Entry(what) => {
                let what = match what {
                    EntryOp::Create => "create",
                    EntryOp::Remove => "remove",
                    EntryOp::Rename => "rename to",
                    EntryOp::Link => "link as",
                    EntryOp::CreateDir => "create directory",
                    EntryOp::RemoveDir => "remove directory",
                };
                format!("{what} {name}")
            }
        }
    }
}
