//! Crashes: the death of the process, the loss of power, and the space of what may be left.

use std::ops::ControlFlow;

use super::choose::Fates;
use super::content::OpId;
use super::image::Image;
use super::report::{CrashReport, Strategy};
use super::space::Space;
use super::state::{Disk, Ino, Kind, Pick};

impl Disk {
    /// Kills the process that uses the disk: every completed call survives, of a write in flight
    /// any prefix does. Open files and locks vanish; tickets of earlier calls touch nothing.
    pub fn process_death(&mut self, pick: &mut dyn Pick) {
        self.land_flights(&mut |len| pick.pick(len + 1));
        self.end_incarnation();
        for index in 0..self.inodes.len() {
            let ino = Ino(index as u32);
            self.inode_mut(ino).opens = 0;
            self.release(ino);
        }
        let taken_back = std::mem::take(&mut self.taken_back);
        self.keep_broken(taken_back);
    }

    /// Cuts the power: draws one legal image and turns the disk into it. Nothing is pending
    /// afterwards.
    pub fn power_loss(&mut self, pick: &mut dyn Pick) -> CrashReport {
        self.lose_power(&mut |disk, space, fates| space.choose(disk, pick, fates))
    }

    /// Cuts the power and turns the disk into the image that `fates` of its
    /// [`Disk::crash_space`] describe.
    pub fn power_loss_to(&mut self, fates: &Fates) -> CrashReport {
        self.lose_power(&mut |_, _, chosen| {
            chosen.clone_from(fates);
            Strategy::Chosen
        })
    }

    fn lose_power(
        &mut self,
        choose: &mut dyn FnMut(&Disk, &Space, &mut Fates) -> Strategy,
    ) -> CrashReport {
        let first_flight = self.land_all();
        let mut space = std::mem::take(&mut self.space.0);
        let mut fates = std::mem::take(&mut self.fates.0);
        space.build(self, first_flight);
        let strategy = choose(self, &space, &mut fates);
        let report = CrashReport::new(&space, &fates, strategy);
        self.become_image(&space, &fates);
        (self.space.0, self.fates.0) = (space, fates);
        report
    }

    /// The space of images that a power loss now may leave. The disk is copied: it can run on.
    pub fn crash_space(&self) -> CrashSpace {
        let mut disk = self.clone();
        let first_flight = disk.land_all();
        let mut space = Space::default();
        space.build(&disk, first_flight);
        CrashSpace { disk, space }
    }

    /// Carries all writes in flight out and returns the number of the first.
    fn land_all(&mut self) -> OpId {
        let first = self.clock + 1;
        self.land_flights(&mut |len| len);
        first
    }

    /// Completes the writes in flight in the order of their submission, each after as many bytes
    /// as `kept` says of its length. One that ends early ends those behind it on the same file.
    fn land_flights(&mut self, kept: &mut dyn FnMut(u32) -> u32) {
        let mut cut: Vec<Ino> = Vec::new();
        loop {
            let busy = self.flights.iter().enumerate().filter(|(_, flight)| flight.busy);
            let next = busy.min_by_key(|(_, flight)| flight.begun);
            let Some((slot, ino, len)) =
                next.map(|(slot, flight)| (slot, flight.ino, flight.bytes.len() as u32))
            else {
                return;
            };
            let written = if cut.contains(&ino) { 0 } else { kept(len) };
            if written < len {
                cut.push(ino);
            }
            self.land(slot, written as usize);
        }
    }

    fn end_incarnation(&mut self) {
        self.open_files.clear();
        self.locks.clear();
        self.writers_at.clear();
        self.end_misreads(None);
        self.epoch += 1;
    }

    /// Turns the disk into one image of its space.
    fn become_image(&mut self, space: &Space, fates: &Fates) {
        let broken = self.find_broken(space, fates);
        self.end_incarnation();
        self.apply(space, fates);
        self.meta.clear();
        self.has_cuts = false;
        self.used = 0;
        for inode in &mut self.inodes {
            (inode.links, inode.durable_links, inode.opens, inode.charged) = (0, 0, 0, 0);
            inode.lost.clear();
            let (volatile, durable) = (&mut inode.volatile.0, &inode.durable.0);
            volatile.clear();
            volatile.extend_from_slice(durable);
        }
        self.inode_mut(Ino::ROOT).links = 1;
        self.inode_mut(Ino::ROOT).durable_links = 1;
        self.count_links(Ino::ROOT);
        // From the end, so that numbers are reused from the beginning.
        for index in (0..self.inodes.len()).rev() {
            let ino = Ino(index as u32);
            self.release(ino);
            let inode = self.inode_mut(ino);
            if inode.kind == Kind::File {
                inode.content.settle();
                inode.charged = inode.content.volatile.len() as u32;
                let charged = u64::from(inode.charged);
                self.used += charged;
            }
        }
        self.keep_flaws();
        self.keep_broken(broken);
        self.lies.clear();
        self.late_errors.clear();
    }

    fn count_links(&mut self, dir: Ino) {
        for index in 0..self.inode(dir).durable.0.len() {
            let entry = self.inode(dir).durable.0[index];
            let inode = self.inode_mut(entry.ino);
            inode.links += 1;
            inode.durable_links += 1;
            inode.label = entry.name;
            if inode.kind == Kind::Directory {
                self.count_links(entry.ino);
            }
        }
    }
}

/// All the images that a power loss may leave, as a pure function of a disk at one moment.
#[derive(Clone, Debug)]
pub struct CrashSpace {
    disk: Disk,
    space: Space,
}

impl CrashSpace {
    /// How many registers have anything pending. The number of images is at most the product of
    /// their versions, and of two for each sector that may show garbage.
    pub fn register_count(&self) -> usize {
        self.space.registers.len()
    }

    /// How many versions each register has, the durable one included.
    pub fn version_counts(&self) -> impl Iterator<Item = u32> {
        self.space.registers.iter().map(|register| register.top + 1)
    }

    /// Calls `each` with every legal image, garbage of one kind included, until it breaks.
    pub fn walk(&self, each: &mut dyn FnMut(&Fates) -> ControlFlow<()>) -> ControlFlow<()> {
        let count = self.space.registers.len();
        let mut fates = Fates { versions: vec![0; count], garbage: Vec::new() };
        // An edge is checked when the later of its two registers is chosen.
        let mut edges: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (index, edge) in self.space.edges.iter().enumerate() {
            edges[edge.upper.max(edge.lower) as usize].push(index);
        }
        self.walk_register(0, &edges, &mut fates, each)
    }

    fn walk_register(
        &self,
        register: usize,
        edges: &[Vec<usize>],
        fates: &mut Fates,
        each: &mut dyn FnMut(&Fates) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(chain) = self.space.registers.get(register) else {
            return self.walk_garbage(fates, each);
        };
        for version in 0..=chain.top {
            fates.versions[register] = version;
            let holds = |index: &usize| {
                let edge = &self.space.edges[*index];
                edge.needs(fates.versions[edge.upper as usize])
                    <= fates.versions[edge.lower as usize]
            };
            if edges[register].iter().all(holds) {
                self.walk_register(register + 1, edges, fates, each)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn walk_garbage(
        &self,
        fates: &mut Fates,
        each: &mut dyn FnMut(&Fates) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut unwritten = Vec::new();
        self.space.each_unwritten(&self.disk, &fates.versions, &mut |register| {
            unwritten.push(register);
        });
        // One bit for each: more than these never fit into a walk anyway.
        for set in 0..1_u64 << unwritten.len().min(20) {
            let shown = unwritten.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
            fates.garbage = shown.map(|(_, register)| (*register, 2)).collect();
            each(fates)?;
        }
        fates.garbage.clear();
        ControlFlow::Continue(())
    }

    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// One image by one of the strategies, and garbage of many kinds.
    pub fn draw(&self, pick: &mut dyn Pick) -> Fates {
        let mut fates = Fates::default();
        self.space.choose(&self.disk, pick, &mut fates);
        fates
    }

    /// The disk after the power loss that `fates` describes.
    pub fn disk(&self, fates: &Fates) -> Disk {
        let mut disk = self.disk.clone();
        disk.become_image(&self.space, fates);
        disk
    }

    /// What a reader would find after the power loss that `fates` describes.
    pub fn image(&self, fates: &Fates) -> Image {
        self.disk(fates).image()
    }

    /// What became of each pending operation under `fates`.
    pub fn report(&self, fates: &Fates) -> CrashReport {
        CrashReport::new(&self.space, fates, Strategy::Chosen)
    }
}
