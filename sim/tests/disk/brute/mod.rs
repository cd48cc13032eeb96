//! The images of a program by brute force: try every subset of its pieces.
//!
//! Shares nothing with the disk. A program becomes a list of pieces in time order (a sector of a
//! write, a new size, a truncation, a directory operation). An image is a subset that holds every
//! durable piece and, with each piece, all that the rules say it needs. Durability is computed
//! the same way: a sync marks its targets and all that they need.

use std::collections::{BTreeMap, BTreeSet};

use crate::program::Act;

mod failure;
mod last_page;
mod needs;
mod rules;
mod subsets;

use rules::{Failure, Rules};
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
    /// Data that has left the cache without reaching the medium.
    void: bool,
    /// When a sync that had it to write failed.
    failed: Vec<u32>,
    /// For names: directories whose sync has covered it.
    synced: BTreeSet<&'static str>,
    /// For names: directories whose sync was to cover it and failed.
    unsynced: BTreeSet<&'static str>,
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
    /// A sync under way: its file, when it began, and the errors it knew of.
    sync: Option<(usize, u32, u32)>,
    /// Where the writer of a file goes on of which the end was taken back.
    writers: BTreeMap<usize, u32>,
    /// By file: how often a sync failed that said Ok, and of how many somebody was told.
    errors: BTreeMap<usize, (u32, u32)>,
}

/// How many pieces are pending after `acts`.
pub(crate) fn pending(profile: &str, acts: &[Act]) -> usize {
    let model = play(Rules::of(profile), acts);
    model.pieces.iter().filter(|piece| !piece.durable).count()
}

fn play(rules: Rules, acts: &[Act]) -> Model {
    let mut model = Model { rules, ..Model::default() };
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
    /// Where an append goes.
    fn append_at(&self, ino: usize) -> u32 {
        self.sizes[ino].max(self.writers.get(&ino).copied().unwrap_or(0))
    }

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
            void: false,
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

    fn act(&mut self, rules: Rules, act: Act) -> Option<()> {
        match act {
            Act::Create(path) => match self.names.get(path) {
                Some(_) => {
                    let ino = self.file(path)?;
                    self.cut(ino, 0);
                    self.writers.remove(&ino);
                }
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
                self.write(ino, self.append_at(ino), letter, len);
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
                    let offset = self.append_at(ino);
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

    fn act_sync(&mut self, rules: Rules, act: Act) -> Option<()> {
        match act {
            Act::Sync(path) => {
                let ino = self.file(path)?;
                if !self.tells(ino, self.known(ino)) {
                    self.sync_file(rules, ino, self.time);
                }
            }
            Act::FailSync(path) => {
                let ino = self.file(path)?;
                if !self.tells(ino, self.known(ino)) {
                    self.fail_file(rules, ino, self.time);
                }
            }
            Act::SyncDir(path) if self.dir_exists(path.trim_end_matches('/')) => {
                self.sync_dir(rules, path.trim_end_matches('/'));
            }
            Act::FailSyncDir(path) if self.dir_exists(path.trim_end_matches('/')) => {
                self.fail_dir(rules, path.trim_end_matches('/'));
            }
            Act::SyncDir(_) | Act::FailSyncDir(_) => {}
            Act::FailWriteBack(path) => {
                let ino = self.file(path)?;
                self.fail_write_back(rules, ino);
            }
            Act::Evict => self.evict(rules),
            // The device lies; what a sync has to tell of an earlier failure it tells all the same.
            Act::Lie(path) if rules.lies => {
                let ino = self.file(path)?;
                self.tells(ino, self.known(ino));
            }
            Act::LieDir(_) if rules.lies => {}
            Act::Lie(path) => self.act_sync(rules, Act::Sync(path))?,
            Act::LieDir(path) => self.act_sync(rules, Act::SyncDir(path))?,
            Act::LieEndSync if rules.lies => {
                let (ino, _, known) = self.sync.take()?;
                self.tells(ino, known);
            }
            Act::LieEndSync => self.act_sync(rules, Act::EndSync)?,
            Act::BeginSync(path) => {
                let ino = self.file(path)?;
                let known = self.known(ino);
                self.sync.get_or_insert((ino, self.time, known));
            }
            Act::EndSync => {
                let (ino, begin, known) = self.sync.take()?;
                if !self.tells(ino, known) {
                    self.sync_file(rules, ino, begin);
                }
            }
            Act::FailEndSync => {
                let (ino, begin, known) = self.sync.take()?;
                if !self.tells(ino, known) {
                    self.fail_file(rules, ino, begin);
                }
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
            let by_pages = self.rules.last_page() || self.rules.whole();
            let to = if by_pages { end.min(page_end) } else { end };
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

    fn sync_file(&mut self, rules: Rules, ino: usize, begin: u32) {
        let targets = self.targets(rules, ino, begin);
        self.harden(rules, targets);
    }

    /// The pieces that a sync of `ino` begun at `begin` covers.
    fn targets(&self, rules: Rules, ino: usize, begin: u32) -> Vec<usize> {
        let reach = if rules.last_page() { self.reach(ino, begin) } else { usize::MAX };
        let is_target = |index: &usize| {
            let piece = &self.pieces[*index];
            let target = match piece.what {
                What::Data { sector, .. } => self.dirty(ino, sector / 8, begin),
                What::Size { .. } | What::Cut { .. } => *index < reach,
                What::Entry { .. } => rules.journal(),
            };
            target && piece.ino == ino && piece.time <= begin
        };
        (0..self.pieces.len()).filter(is_target).collect()
    }

    fn dirs(piece: &Piece) -> BTreeSet<&'static str> {
        match &piece.what {
            What::Entry { changes, .. } => changes.iter().map(|(path, _)| dir_of(path)).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn sync_dir(&mut self, rules: Rules, dir: &'static str) {
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
                if rules.journal() || piece.synced == dirs {
                    targets.push(index);
                }
            }
        }
        self.harden(rules, targets);
    }

    fn fail_dir(&mut self, rules: Rules, dir: &'static str) {
        for piece in &mut self.pieces {
            if Self::dirs(piece).contains(dir) && !rules.journal() {
                piece.unsynced.insert(dir);
            }
        }
    }

    fn harden(&mut self, rules: Rules, mut work: Vec<usize>) {
        let before = self.durable();
        while let Some(index) = work.pop() {
            if !self.pieces[index].durable {
                work.extend(self.needs(Rules { in_sync: true, ..rules }, index));
                self.pieces[index].durable = true;
            }
            if work.is_empty() && rules.last_page() {
                work.extend(self.missing_ends(&self.durable(), &before));
            }
        }
    }
}
