//! The images of a program by brute force: try every subset of its pieces.
//!
//! Shares nothing with the disk. A program becomes a list of pieces in time order (a sector of a
//! write, a new size, a truncation, a directory operation). An image is a subset that holds every
//! durable piece and, with each piece, all that the rules say it needs. Durability is computed
//! the same way: a sync marks its targets and all that they need.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::Act;

mod last_page;
mod subsets;

pub(crate) use subsets::images;

#[derive(Clone, Debug)]
enum What {
    /// `len` bytes of `letter` at `offset`, all within `sector`.
    Data { sector: u32, offset: u32, letter: u8, len: u32 },
    /// The size grows.
    Size { to: u32 },
    /// The size shrinks, and what was beyond is zero.
    Cut { to: u32 },
    /// Names get new meanings.
    Entry { changes: Vec<(&'static str, Option<usize>)>, replaces: bool },
}

#[derive(Clone, Debug)]
struct Piece {
    /// Call that it belongs to; in flight, the byte that it belongs to.
    time: u32,
    ino: usize,
    what: What,
    /// Data in a block that nothing had touched before.
    new_block: bool,
    durable: bool,
    /// When a sync that had it to write failed.
    failed: Vec<u32>,
    /// For names: directories whose sync has covered it.
    synced: BTreeSet<&'static str>,
    /// For names: directories whose sync was to cover it and failed.
    unsynced: BTreeSet<&'static str>,
}

/// The rules of a profile, written out once more.
#[derive(Clone, Copy, Default)]
struct Rules {
    /// Names and truncations are in one journal, sizes wait for what is in it, and files bring
    /// their names along.
    journal: bool,
    /// A write into a new block waits for nothing, and its size for it.
    block_first: bool,
    /// A rename over a name takes the sizes of the file along.
    carries: bool,
    /// A size has the page of its last byte, and is published page by page.
    last_page: bool,
    /// Whether a sync that lies makes nothing durable; else it is a sync like others.
    lies: bool,
}

impl Rules {
    fn of(profile: &str) -> Rules {
        let journal = Rules { journal: true, lies: true, ..Rules::default() };
        match profile {
            "posix-weak" | "device-lies" => Rules { lies: true, ..Rules::default() },
            "ext4-ordered" => Rules { block_first: true, carries: true, ..journal },
            "xfs" => Rules { last_page: true, ..journal },
            other => panic!("the rules of {other} are not written out"),
        }
    }
}

#[derive(Default)]
struct Model {
    rules: Rules,
    pieces: Vec<Piece>,
    names: BTreeMap<&'static str, usize>,
    sizes: Vec<u32>,
    mapped: Vec<u32>,
    directories: BTreeSet<usize>,
    time: u32,
    sync: Option<(usize, u32)>,
}

/// How many pieces are pending after `acts`.
pub(crate) fn pending(profile: &str, acts: &[Act]) -> usize {
    let model = play(&Rules::of(profile), acts);
    model.pieces.iter().filter(|piece| !piece.durable).count()
}

fn play(rules: &Rules, acts: &[Act]) -> Model {
    let mut model = Model { rules: *rules, ..Model::default() };
    for act in acts {
        model.time += 1;
        // A call that does not apply is skipped.
        let _skipped = model.act(rules, *act);
    }
    model
}

fn dir_of(path: &'static str) -> &'static str {
    path.rsplit_once('/').expect("an absolute path").0
}

impl Model {
    fn file(&self, path: &str) -> Option<usize> {
        self.names.get(path).copied().filter(|ino| !self.directories.contains(ino))
    }

    fn dir_exists(&self, dir: &str) -> bool {
        dir.is_empty() || self.names.get(dir).is_some_and(|ino| self.directories.contains(ino))
    }

    fn push(&mut self, ino: usize, what: What, new_block: bool) {
        self.pieces.push(Piece {
            time: self.time,
            ino,
            what,
            new_block,
            durable: false,
            failed: Vec::new(),
            synced: BTreeSet::new(),
            unsynced: BTreeSet::new(),
        });
    }

    fn entry(&mut self, ino: usize, changes: Vec<(&'static str, Option<usize>)>, replaces: bool) {
        for (path, to) in &changes {
            match to {
                Some(ino) => self.names.insert(path, *ino),
                None => self.names.remove(path),
            };
        }
        self.push(ino, What::Entry { changes, replaces }, false);
    }

    fn make(&mut self, path: &'static str) -> usize {
        let ino = self.sizes.len();
        self.sizes.push(0);
        self.mapped.push(0);
        self.entry(ino, vec![(path, Some(ino))], false);
        ino
    }

    fn act(&mut self, rules: &Rules, act: Act) -> Option<()> {
        match act {
            Act::Create(path) => match self.names.get(path) {
                Some(_) => self.cut(self.file(path)?, 0),
                None if self.dir_exists(dir_of(path)) => drop(self.make(path)),
                None => {}
            },
            Act::CreateDir(path) => {
                if !self.names.contains_key(path) && self.dir_exists(dir_of(path)) {
                    let ino = self.make(path);
                    self.directories.insert(ino);
                }
            }
            Act::Append(path, letter, len) => {
                let ino = self.file(path)?;
                self.write(ino, self.sizes[ino], letter, len);
            }
            Act::Write(path, offset, letter, len) => {
                let ino = self.file(path)?;
                if offset <= self.sizes[ino] {
                    self.write(ino, offset, letter, len);
                }
            }
            Act::InFlight(path, letter, len) => {
                let ino = self.file(path)?;
                let first_new = self.mapped[ino].next_multiple_of(4096);
                for _ in 0..len {
                    self.time += 1;
                    let offset = self.sizes[ino];
                    let first = self.pieces.len();
                    self.write(ino, offset, letter, 1);
                    for piece in &mut self.pieces[first..] {
                        let data = matches!(piece.what, What::Data { .. });
                        piece.new_block = data && first_new <= offset;
                    }
                }
            }
            Act::Truncate(path, size) => {
                let ino = self.file(path)?;
                if size < self.sizes[ino] {
                    self.cut(ino, size);
                }
            }
            Act::Rename(from, to) => self.rename(from, to)?,
            Act::Remove(path) => {
                let ino = self.file(path)?;
                self.entry(ino, vec![(path, None)], false);
            }
            Act::Link(from, to) => {
                let ino = self.file(from)?;
                if !self.names.contains_key(to) && self.dir_exists(dir_of(to)) {
                    self.entry(ino, vec![(to, Some(ino))], false);
                }
            }
            act => self.act_sync(rules, act)?,
        }
        Some(())
    }

    fn act_sync(&mut self, rules: &Rules, act: Act) -> Option<()> {
        match act {
            Act::Sync(path) => self.sync_file(rules, self.file(path)?, self.time),
            Act::FailSync(path) => self.fail_file(self.file(path)?, self.time),
            Act::SyncDir(path) if self.dir_exists(path.trim_end_matches('/')) => {
                self.sync_dir(rules, path.trim_end_matches('/'));
            }
            Act::FailSyncDir(path) if self.dir_exists(path.trim_end_matches('/')) => {
                self.fail_dir(rules, path.trim_end_matches('/'));
            }
            Act::SyncDir(_) | Act::FailSyncDir(_) => {}
            Act::Lie(_) | Act::LieDir(_) if rules.lies => {}
            Act::Lie(path) => self.act_sync(rules, Act::Sync(path))?,
            Act::LieDir(path) => self.act_sync(rules, Act::SyncDir(path))?,
            Act::LieEndSync if rules.lies => drop(self.sync.take()),
            Act::LieEndSync => self.act_sync(rules, Act::EndSync)?,
            Act::BeginSync(path) => {
                let ino = self.file(path)?;
                self.sync.get_or_insert((ino, self.time));
            }
            Act::EndSync => {
                let (ino, begin) = self.sync.take()?;
                self.sync_file(rules, ino, begin);
            }
            Act::FailEndSync => {
                let (ino, begin) = self.sync.take()?;
                self.fail_file(ino, begin);
            }
            _ => unreachable!("the other acts are not syncs"),
        }
        Some(())
    }

    fn rename(&mut self, from: &'static str, to: &'static str) -> Option<()> {
        let ino = self.file(from)?;
        let replaced = self.names.get(to).copied();
        let free = replaced.is_none_or(|old| old != ino && !self.directories.contains(&old));
        if free && self.dir_exists(dir_of(to)) {
            self.entry(ino, vec![(from, None), (to, Some(ino))], replaced.is_some());
        }
        Some(())
    }

    fn write(&mut self, ino: usize, offset: u32, letter: u8, len: u32) {
        let end = offset + len;
        let first_new = self.mapped[ino].next_multiple_of(4096);
        for sector in offset / 512..end.div_ceil(512) {
            let from = offset.max(sector * 512);
            let len = end.min(sector * 512 + 512) - from;
            let what = What::Data { sector, offset: from, letter, len };
            self.push(ino, what, first_new <= sector * 512);
        }
        while self.sizes[ino] < end {
            let page_end = (self.sizes[ino] + 1).next_multiple_of(4096);
            let to = if self.rules.last_page { end.min(page_end) } else { end };
            self.sizes[ino] = to;
            self.push(ino, What::Size { to }, false);
        }
        self.mapped[ino] = self.mapped[ino].max(end);
    }

    fn cut(&mut self, ino: usize, to: u32) {
        if to < self.sizes[ino] {
            self.sizes[ino] = to;
            self.mapped[ino] = to;
            self.push(ino, What::Cut { to }, false);
        }
    }

    /// Whether some sync that had `piece` to write failed by `now`.
    fn failed(piece: &Piece, now: u32) -> bool {
        piece.failed.iter().any(|failed| *failed <= now)
    }

    fn dirty(&self, ino: usize, page: u32, begin: u32) -> bool {
        self.pieces.iter().any(|piece| {
            let touches = match piece.what {
                What::Data { sector, .. } => sector / 8 == page,
                What::Cut { to } => to % 4096 != 0 && to / 4096 == page,
                What::Size { .. } | What::Entry { .. } => false,
            };
            touches
                && piece.ino == ino
                && piece.time <= begin
                && !piece.durable
                && !Self::failed(piece, begin)
        })
    }

    fn sync_file(&mut self, rules: &Rules, ino: usize, begin: u32) {
        let mut targets = Vec::new();
        let reach = if rules.last_page { self.reach(ino, begin) } else { usize::MAX };
        for (index, piece) in self.pieces.iter().enumerate() {
            let target = match piece.what {
                What::Data { sector, .. } => self.dirty(ino, sector / 8, begin),
                What::Size { .. } | What::Cut { .. } => index < reach,
                What::Entry { .. } => rules.journal,
            };
            if target && piece.ino == ino && piece.time <= begin {
                targets.push(index);
            }
        }
        self.harden(rules, targets);
    }

    fn fail_file(&mut self, ino: usize, begin: u32) {
        for piece in &mut self.pieces {
            let content = !matches!(piece.what, What::Entry { .. });
            if content && piece.ino == ino && piece.time <= begin {
                piece.failed.push(self.time);
            }
        }
    }

    fn dirs(piece: &Piece) -> BTreeSet<&'static str> {
        match &piece.what {
            What::Entry { changes, .. } => changes.iter().map(|(path, _)| dir_of(path)).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn sync_dir(&mut self, rules: &Rules, dir: &'static str) {
        let mut targets = Vec::new();
        // A directory is one page: it is written whole or, if nothing changed, not at all.
        let changed = self.pieces.iter().any(|piece| {
            let written = piece.durable || piece.synced.contains(dir);
            Self::dirs(piece).contains(dir) && !written && !piece.unsynced.contains(dir)
        });
        for (index, piece) in self.pieces.iter_mut().enumerate() {
            let dirs = Self::dirs(piece);
            if dirs.contains(dir) && changed {
                piece.synced.insert(dir);
                if rules.journal || piece.synced == dirs {
                    targets.push(index);
                }
            }
        }
        self.harden(rules, targets);
    }

    fn fail_dir(&mut self, rules: &Rules, dir: &'static str) {
        for piece in &mut self.pieces {
            if Self::dirs(piece).contains(dir) && !rules.journal {
                piece.unsynced.insert(dir);
            }
        }
    }

    fn harden(&mut self, rules: &Rules, mut work: Vec<usize>) {
        let before = self.durable();
        while let Some(index) = work.pop() {
            if !self.pieces[index].durable {
                work.extend(self.needs(rules, index));
                self.pieces[index].durable = true;
            }
            if work.is_empty() && rules.last_page {
                work.extend(self.missing_ends(&self.durable(), &before));
            }
        }
    }

    /// The pieces that have to be in every image that has the piece at `index`.
    fn needs(&self, rules: &Rules, index: usize) -> Vec<usize> {
        let piece = &self.pieces[index];
        let is_meta = |piece: &Piece| matches!(piece.what, What::Entry { .. } | What::Cut { .. });
        let needed = |earlier: &usize| {
            let other = &self.pieces[*earlier];
            if *earlier < index && share_register(other, piece) {
                return true;
            }
            if !rules.journal {
                return false;
            }
            let size = matches!(piece.what, What::Size { .. });
            let same_file = piece.ino == other.ino;
            let journal = *earlier < index && is_meta(other) && (is_meta(piece) || size);
            let block = rules.block_first
                && size
                && same_file
                && other.time == piece.time
                && other.new_block
                && other.failed.is_empty();
            let replaces = matches!(piece.what, What::Entry { replaces: true, .. });
            let carried = rules.carries
                && replaces
                && same_file
                && *earlier < index
                && matches!(other.what, What::Size { .. } | What::Cut { .. });
            journal || block || carried
        };
        (0..self.pieces.len()).filter(needed).collect()
    }
}

/// Whether two pieces change the same sector, the same size or the same name.
fn share_register(a: &Piece, b: &Piece) -> bool {
    if let (What::Entry { changes: a, .. }, What::Entry { changes: b, .. }) = (&a.what, &b.what) {
        return a.iter().any(|(path, _)| b.iter().any(|(other, _)| path == other));
    }
    if a.ino != b.ino {
        return false;
    }
    let cuts = |to: u32, sector: u32| to < sector * 512 + 512;
    match (&a.what, &b.what) {
        (What::Data { sector: a, .. }, What::Data { sector: b, .. }) => a == b,
        (What::Data { sector, .. }, What::Cut { to })
        | (What::Cut { to }, What::Data { sector, .. }) => cuts(*to, *sector),
        (What::Size { .. } | What::Cut { .. }, What::Size { .. } | What::Cut { .. }) => true,
        _ => false,
    }
}
