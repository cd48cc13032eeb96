//! [`Shared`]: a value that copies have in common until one of them changes it.
//!
//! A disk is copied for each image that is looked at, and most files of most images are as they
//! were: what a copy costs is what differs.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that is copied when it is changed, if it is shared.
#[derive(Default)]
pub(super) struct Shared<T>(Arc<T>);

/// Its value: whether it is shared is nobody's business.
impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl Shared<Vec<u8>> {
    /// Leaves it without bytes. Nothing is copied for that, and memory of its own is kept.
    #[expect(clippy::disallowed_methods, reason = "it decides whose memory is kept, and no more")]
    pub(super) fn clear(&mut self) {
        match Arc::get_mut(&mut self.0) {
            Some(bytes) => bytes.clear(),
            None => *self = Shared::default(),
        }
    }

    /// Whether both have one and the same bytes in memory.
    #[cfg(test)]
    pub(super) fn is_one_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Memory that is kept to be used again. A copy has none.
#[derive(Debug, Default)]
pub(super) struct Scratch<T>(pub(super) T);

impl<T: Default> Clone for Scratch<T> {
    fn clone(&self) -> Self {
        Scratch::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::disk::{Disk, Fd, POSIX_WEAK, SyncOutcome};

    #[test]
    fn a_copy_shares_what_neither_has_changed() {
        let mut disk = Disk::new(&POSIX_WEAK);
        for (name, bytes) in [("/kept", b"kept"), ("/more", b"more")] {
            let file = disk.create(name).expect("creates");
            append(&mut disk, file, bytes);
            let ticket = disk.begin_sync(file);
            disk.finish_sync(ticket, SyncOutcome::Ok);
        }
        let ticket = disk.begin_sync_dir("/").expect("begins");
        disk.finish_sync(ticket, SyncOutcome::Ok);
        let file = disk.open("/more").expect("opens");
        append(&mut disk, file, b"!");
        let contents = |disk: &Disk| {
            ["/kept", "/more"].map(|name| {
                let ino = disk.lookup(name).expect("is there");
                disk.inode(ino).content.clone()
            })
        };
        let [kept, more] = contents(&disk);
        let mut image = disk.clone();
        image.power_loss(&mut Second);
        let [kept_left, more_left] = contents(&image);
        assert!(kept.durable.is_one_with(&kept_left.durable), "nothing was pending");
        assert!(kept.volatile.is_one_with(&kept_left.volatile), "and readers see the same");
        assert!(!more.durable.is_one_with(&more_left.durable), "it got the last byte");
        assert!(more_left.volatile.is_one_with(&more_left.durable), "there is nothing else now");
        assert_eq!((&more.durable[..], &more_left.durable[..]), (&b"more"[..], &b"more!"[..]));
    }

    fn append(disk: &mut Disk, file: Fd, bytes: &[u8]) {
        let write = disk.begin_append(file, bytes).expect("begins");
        disk.finish_append(write, bytes.len());
    }

    /// Chooses the second: of what a power loss may leave, all.
    struct Second;

    impl crate::disk::Pick for Second {
        fn pick(&mut self, n: u32) -> u32 {
            1.min(n - 1)
        }
    }
}
