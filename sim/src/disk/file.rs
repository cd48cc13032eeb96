//! Calls on open files: reading, and writing as submission and completion.

use super::state::{Destination, Disk, Errno, Fd, Flight, Ino, OpenFile};

/// A write submitted with [`Disk::begin_append`] and not completed.
#[derive(Debug)]
#[must_use = "a write in flight has to be completed"]
pub struct InFlight {
    slot: u32,
    epoch: u32,
    accepted: u32,
}

impl InFlight {
    /// How many of the bytes there is room for. Less than were submitted means that the disk is
    /// full: the write ends with [`Errno::NoSpace`] after these.
    pub fn accepted(&self) -> usize {
        self.accepted as usize
    }
}

impl Disk {
    pub(super) fn open_inode(&mut self, ino: Ino) -> Fd {
        self.inode_mut(ino).opens += 1;
        let slot = self.open_files.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open_files.push(None);
            self.open_files.len() - 1
        });
        let errors_known = self.errors_told(ino);
        self.open_files[slot] = Some(OpenFile { ino, errors_known });
        Fd(slot as u32)
    }

    /// The inode of an open file.
    ///
    /// # Panics
    ///
    /// If `fd` is closed: using a stale handle is a bug of the caller, not an error of the disk.
    pub fn ino(&self, fd: Fd) -> Ino {
        self.open_files[fd.0 as usize].expect("an open file").ino
    }

    /// Closes a file. This syncs nothing.
    pub fn close(&mut self, fd: Fd) {
        let ino = self.ino(fd);
        self.open_files[fd.0 as usize] = None;
        self.inode_mut(ino).opens -= 1;
        self.release(ino);
    }

    /// Size of an open file in bytes.
    pub fn file_size(&self, fd: Fd) -> u64 {
        self.inode(self.ino(fd)).content.volatile.len() as u64
    }

    /// Reads into `buffer` from `offset` and returns how many bytes there were.
    ///
    /// # Errors
    ///
    /// [`Errno::Io`] if one of them is in a sector that cannot be read.
    pub fn read_at(&self, fd: Fd, offset: u64, buffer: &mut [u8]) -> Result<usize, Errno> {
        let ino = self.ino(fd);
        let bytes = &self.inode(ino).content.volatile;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        self.distort(ino, offset, &mut buffer[..count])?;
        Ok(count)
    }

    /// Submits `bytes` to be written at the end of the file.
    ///
    /// Writes to one file complete one after another, as if under a lock of the inode: each goes
    /// to what is the end when it completes.
    ///
    /// # Errors
    ///
    /// [`Errno::NoSpace`] if there is room for none of them.
    pub fn begin_append(&mut self, fd: Fd, bytes: &[u8]) -> Result<InFlight, Errno> {
        self.begin(fd, Destination::End, bytes.len() as u32, bytes)
    }

    /// Submits `bytes` to be written over those from `offset` on.
    ///
    /// # Errors
    ///
    /// As [`Disk::begin_append`]; [`Errno::Invalid`] if `offset` is beyond the end of the file.
    pub fn begin_write(&mut self, fd: Fd, offset: u64, bytes: &[u8]) -> Result<InFlight, Errno> {
        let size = self.file_size(fd);
        if size < offset {
            return Err(Errno::Invalid);
        }
        let growth = (offset + bytes.len() as u64).saturating_sub(size);
        self.begin(fd, Destination::At(offset as u32), growth as u32, bytes)
    }

    fn begin(
        &mut self,
        fd: Fd,
        destination: Destination,
        growth: u32,
        bytes: &[u8],
    ) -> Result<InFlight, Errno> {
        let ino = self.ino(fd);
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used));
        let reserved = u64::from(growth).min(room) as u32;
        let accepted = bytes.len() as u32 - (growth - reserved);
        if accepted == 0 && !bytes.is_empty() {
            return Err(Errno::NoSpace);
        }
        self.used += u64::from(reserved);
        // A write in flight holds the file open.
        self.inode_mut(ino).opens += 1;
        let slot = self.flights.iter().position(|flight| !flight.busy).unwrap_or_else(|| {
            self.flights.push(Flight {
                busy: false,
                ino,
                begun: 0,
                destination,
                reserved,
                bytes: Vec::new(),
            });
            self.flights.len() - 1
        });
        self.flights_begun += 1;
        let begun = self.flights_begun;
        let flight = &mut self.flights[slot];
        (flight.busy, flight.ino, flight.begun) = (true, ino, begun);
        (flight.destination, flight.reserved) = (destination, reserved);
        flight.bytes.clear();
        flight.bytes.extend_from_slice(&bytes[..accepted as usize]);
        Ok(InFlight { slot: slot as u32, epoch: self.epoch, accepted })
    }

    /// Completes a write after its first `written` bytes, at most those accepted.
    ///
    /// A write submitted before the last crash touches nothing.
    #[expect(clippy::needless_pass_by_value, reason = "a write in flight completes once")]
    pub fn finish_append(&mut self, write: InFlight, written: usize) {
        if write.epoch == self.epoch {
            debug_assert!(written <= write.accepted as usize, "no more than there is room for");
            self.land(write.slot as usize, written);
        }
    }

    /// Carries the first `written` bytes of a write in flight out and forgets the rest.
    pub(super) fn land(&mut self, slot: usize, written: usize) {
        let id = self.clock + 1;
        let writer_at = self.writer_at(self.flights[slot].ino);
        let flight = &mut self.flights[slot];
        flight.busy = false;
        let inode = &mut self.inodes[flight.ino.index()];
        let before = inode.content.volatile.len() as u32;
        if 0 < written {
            self.clock = id;
            let offset = match flight.destination {
                Destination::End => before.max(writer_at),
                // The file may have been cut in between.
                Destination::At(offset) => offset.min(before),
            };
            inode.content.write(id, offset, &flight.bytes[..written]);
            let (ino, end) = (flight.ino, offset + written as u32);
            self.heal_written(ino, &(offset..end));
        }
        let flight = &self.flights[slot];
        let inode = &mut self.inodes[flight.ino.index()];
        let growth = inode.content.volatile.len() as u32 - before;
        inode.charged += growth;
        self.used = self.used + u64::from(growth) - u64::from(flight.reserved);
        inode.opens -= 1;
        if inode.opens == 0 {
            let ino = flight.ino;
            self.release(ino);
        }
    }

    /// Limits the bytes that files may hold together; no limit is the default. Less than they hold
    /// now makes every further growth fail.
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    /// The bytes that files hold and that writes in flight have set aside.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// How long a prefix of the file an Ok sync has covered. A crash shortens it only with the
    /// file; bytes that reached the medium without a sync never count.
    pub fn synced_len(&self, ino: Ino) -> u64 {
        u64::from(self.inode(ino).content.synced)
    }

    /// Whether every byte of `range` was covered by an Ok sync.
    pub fn is_synced(&self, ino: Ino, range: std::ops::Range<u64>) -> bool {
        range.is_empty() || range.end <= self.synced_len(ino)
    }
}
