//! Calls on names: each is one atomic operation on directory entries, pending until synced.

use super::names::split;
use super::state::{Change, Disk, EntryOp, Errno, Fd, HeldLock, Ino, Kind, MetaOp};

impl Disk {
    /// Finds what `path` names.
    pub fn lookup(&self, path: &str) -> Result<Ino, Errno> {
        let mut ino = Ino::ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            self.expect_directory(ino)?;
            ino = self.inode(ino).volatile.get(&self.names, name).ok_or(Errno::NotFound)?;
        }
        Ok(ino)
    }

    fn expect_directory(&self, ino: Ino) -> Result<(), Errno> {
        if self.inode(ino).kind == Kind::Directory { Ok(()) } else { Err(Errno::NotADirectory) }
    }

    fn expect_file(&self, ino: Ino) -> Result<(), Errno> {
        if self.inode(ino).kind == Kind::File { Ok(()) } else { Err(Errno::IsADirectory) }
    }

    pub(super) fn lookup_directory(&self, path: &str) -> Result<Ino, Errno> {
        let ino = self.lookup(path)?;
        self.expect_directory(ino)?;
        Ok(ino)
    }

    pub(super) fn lookup_file(&self, path: &str) -> Result<Ino, Errno> {
        let ino = self.lookup(path)?;
        self.expect_file(ino)?;
        Ok(ino)
    }

    /// The directory that holds `path`, the last component, and what it names now.
    fn locate<'path>(&self, path: &'path str) -> Result<(Ino, &'path str, Option<Ino>), Errno> {
        // Every call but a lookup changes the entry, and the root has none.
        let (dir, name) = split(path).ok_or(Errno::Exists)?;
        let dir = self.lookup_directory(dir)?;
        Ok((dir, name, self.inode(dir).volatile.get(&self.names, name)))
    }

    /// Creates a file, or empties the one there is, and opens it.
    pub fn create(&mut self, path: &str) -> Result<Fd, Errno> {
        let (dir, name, found) = self.locate(path)?;
        let ino = match found {
            Some(ino) => {
                self.expect_file(ino)?;
                self.cut(ino, 0);
                self.writers_at.retain(|(file, _)| *file != ino);
                ino
            }
            None => self.make(EntryOp::Create, Kind::File, dir, name),
        };
        Ok(self.open_inode(ino))
    }

    /// Opens a file.
    pub fn open(&mut self, path: &str) -> Result<Fd, Errno> {
        let ino = self.lookup_file(path)?;
        Ok(self.open_inode(ino))
    }

    /// Opens a file as it is, or creates an empty one.
    pub fn open_or_create(&mut self, path: &str) -> Result<Fd, Errno> {
        match self.open(path) {
            Err(Errno::NotFound) => self.create(path),
            result => result,
        }
    }

    /// Cuts a file to `size` bytes.
    pub fn truncate(&mut self, path: &str, size: u64) -> Result<(), Errno> {
        let ino = self.lookup_file(path)?;
        if (self.inode(ino).content.volatile.len() as u64) < size {
            return Err(Errno::Invalid);
        }
        self.cut(ino, size as u32);
        Ok(())
    }

    fn cut(&mut self, ino: Ino, size: u32) {
        let before = self.inode(ino).content.volatile.len() as u32;
        if size < before {
            let id = self.tick();
            let inode = self.inode_mut(ino);
            inode.content.cut(id, size);
            inode.charged -= before - size;
            self.used -= u64::from(before - size);
            self.has_cuts = true;
            self.heal_cut(ino, size);
        }
    }

    /// Moves a file to another name, replacing the file that has it.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let (from_dir, from_name, found) = self.locate(from)?;
        let (to_dir, to_name, replaced) = self.locate(to)?;
        let ino = found.ok_or(Errno::NotFound)?;
        self.expect_file(ino)?;
        if let Some(replaced) = replaced {
            self.expect_file(replaced)?;
        }
        if replaced == Some(ino) {
            // Two names of one file: POSIX says that nothing happens.
            return Ok(());
        }
        let from_name = self.names.intern(from_name);
        let to_name = self.names.intern(to_name);
        let first = Change { dir: from_dir, name: from_name, to: None };
        let second = Change { dir: to_dir, name: to_name, to: Some(ino) };
        self.inode_mut(ino).label = to_name;
        self.record(EntryOp::Rename, ino, first, Some(second), replaced.is_some());
        Ok(())
    }

    /// Takes the name of a file away. An open file lives on without it.
    pub fn remove(&mut self, path: &str) -> Result<(), Errno> {
        let (dir, name, found) = self.locate(path)?;
        let ino = found.ok_or(Errno::NotFound)?;
        self.expect_file(ino)?;
        let name = self.names.intern(name);
        self.record(EntryOp::Remove, ino, Change { dir, name, to: None }, None, false);
        Ok(())
    }

    /// Gives a file a second name.
    pub fn link(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let ino = self.lookup_file(from)?;
        let (dir, name, found) = self.locate(to)?;
        if found.is_some() {
            return Err(Errno::Exists);
        }
        let name = self.names.intern(name);
        self.record(EntryOp::Link, ino, Change { dir, name, to: Some(ino) }, None, false);
        Ok(())
    }

    /// Creates a directory.
    pub fn create_dir(&mut self, path: &str) -> Result<(), Errno> {
        let (dir, name, found) = self.locate(path)?;
        if found.is_some() {
            return Err(Errno::Exists);
        }
        self.make(EntryOp::CreateDir, Kind::Directory, dir, name);
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_dir(&mut self, path: &str) -> Result<(), Errno> {
        let (dir, name, found) = self.locate(path)?;
        let ino = found.ok_or(Errno::NotFound)?;
        self.expect_directory(ino)?;
        if !self.inode(ino).volatile.0.is_empty() {
            return Err(Errno::NotEmpty);
        }
        let name = self.names.intern(name);
        self.record(EntryOp::RemoveDir, ino, Change { dir, name, to: None }, None, false);
        Ok(())
    }

    /// Calls `each` with every name in a directory, in order of their text.
    pub fn list(&self, dir: &str, each: &mut dyn FnMut(&str)) -> Result<(), Errno> {
        let dir = self.lookup_directory(dir)?;
        self.inode(dir).volatile.0.iter().for_each(|entry| each(self.names.get(entry.name)));
        Ok(())
    }

    /// Whether `path` names a file or a directory.
    pub fn exists(&self, path: &str) -> bool {
        self.lookup(path).is_ok()
    }

    /// The bytes of a file, for those who look on from outside, such as checkers.
    pub fn bytes(&self, path: &str) -> Result<&[u8], Errno> {
        let ino = self.lookup_file(path)?;
        Ok(&self.inode(ino).content.volatile)
    }

    /// Size of a file in bytes.
    pub fn size(&self, path: &str) -> Result<u64, Errno> {
        let ino = self.lookup_file(path)?;
        Ok(self.inode(ino).content.volatile.len() as u64)
    }

    /// Locks a file for `owner`; false if somebody, `owner` included, has it locked.
    pub fn lock(&mut self, path: &str, owner: u32) -> Result<bool, Errno> {
        self.lock_as(path, owner, false)
    }

    /// Locks a file for `owner` among others who share it; false if somebody, `owner` included, has
    /// it locked alone.
    pub fn lock_shared(&mut self, path: &str, owner: u32) -> Result<bool, Errno> {
        self.lock_as(path, owner, true)
    }

    fn lock_as(&mut self, path: &str, owner: u32, is_shared: bool) -> Result<bool, Errno> {
        let ino = self.lookup_file(path)?;
        let free = self.locks.iter().all(|lock| lock.ino != ino || (lock.is_shared && is_shared));
        if free {
            self.locks.push(HeldLock { ino, owner, is_shared });
        }
        Ok(free)
    }

    /// Whether somebody holds a lock that is shared with nobody.
    pub fn holds_lock(&self) -> bool {
        self.locks.iter().any(|lock| !lock.is_shared)
    }

    /// Gives up one lock that `owner` has under `path`.
    pub fn unlock(&mut self, path: &str, owner: u32) -> Result<(), Errno> {
        let ino = self.lookup_file(path)?;
        let held = self.locks.iter().position(|lock| (lock.ino, lock.owner) == (ino, owner));
        if let Some(held) = held {
            self.locks.remove(held);
        }
        Ok(())
    }

    /// Creates an inode under a free name.
    fn make(&mut self, what: EntryOp, kind: Kind, dir: Ino, name: &str) -> Ino {
        let name = self.names.intern(name);
        let ino = self.new_inode(kind, name);
        self.record(what, ino, Change { dir, name, to: Some(ino) }, None, false);
        ino
    }

    /// Carries a directory operation out in the volatile directories and leaves it pending.
    fn record(
        &mut self,
        what: EntryOp,
        ino: Ino,
        first: Change,
        second: Option<Change>,
        replaces: bool,
    ) {
        let id = self.tick();
        let op = MetaOp { id, what, ino, first, second, replaces, synced: [false; 2] };
        self.meta.push(op);
        // New links first: a rename must not let go of its file in between.
        for ino in op.changes().filter_map(|change| change.to) {
            let inode = self.inode_mut(ino);
            inode.links += 1;
            inode.durable_links += 1;
        }
        for change in op.changes() {
            let entries = &mut self.inodes[change.dir.index()].volatile;
            if let Some(old) = entries.set(&self.names, change.name, change.to) {
                self.inode_mut(old).links -= 1;
                self.release(old);
            }
        }
    }
}
