//! [`Folder`]: one directory, for those who look on from outside, such as checkers.

use super::state::{Disk, Ino, Kind};

/// A directory as programs see it now. One that is not there has no files.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'disk> {
    disk: &'disk Disk,
    ino: Option<Ino>,
}

impl Disk {
    /// The directory that `path` names, found once for many looks.
    pub fn folder(&self, path: &str) -> Folder<'_> {
        Folder { disk: self, ino: self.lookup_directory(path).ok() }
    }
}

impl<'disk> Folder<'disk> {
    /// The names in it, in order.
    pub fn names(&self) -> Vec<&'disk str> {
        let disk = self.disk;
        let entries = self.ino.iter().flat_map(|dir| &disk.inode(*dir).volatile.0);
        entries.map(|entry| disk.names.get(entry.name)).collect()
    }

    /// The bytes of one of its files.
    pub fn bytes(&self, name: &str) -> Option<&'disk [u8]> {
        let disk = self.disk;
        let ino = disk.inode(self.ino?).volatile.get(&disk.names, name)?;
        let file = disk.inode(ino);
        (file.kind == Kind::File).then(|| &file.content.volatile[..])
    }
}

#[cfg(test)]
mod tests {
    use super::super::POSIX_WEAK;
    use super::*;

    #[test]
    fn a_folder_shows_its_own_files() {
        let mut disk = Disk::new(&POSIX_WEAK);
        disk.create_dir("/db").expect("a directory");
        disk.create_dir("/db/lost").expect("a directory");
        let fd = disk.create("/db/b").expect("a file");
        let write = disk.begin_append(fd, b"bytes").expect("an append");
        disk.finish_append(write, 5);
        disk.create("/db/a").expect("a file");
        disk.create("/c").expect("a file");
        let folder = disk.folder("/db");
        assert_eq!(folder.names(), ["a", "b", "lost"]);
        assert_eq!(folder.bytes("b"), Some(&b"bytes"[..]));
        assert_eq!((folder.bytes("a"), folder.bytes("c")), (Some(&[][..]), None));
        assert_eq!(folder.bytes("lost"), None, "a directory has no bytes");
        for missing in ["/none", "/c", "/db/none"] {
            let folder = disk.folder(missing);
            assert!(folder.names().is_empty() && folder.bytes("a").is_none());
        }
    }
}
