//! Small programs of disk calls, how to run them on the disk, and images as short text.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use faultline_sim::disk::{CrashReport, Disk, Pick, Profile, SECTOR, SyncOutcome, SyncTicket};

/// One call. Writes fill their bytes with a letter, so that an image says which write it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Create(&'static str),
    Append(&'static str, u8, u32),
    Write(&'static str, u32, u8, u32),
    Truncate(&'static str, u32),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Link(&'static str, &'static str),
    CreateDir(&'static str),
    Sync(&'static str),
    FailSync(&'static str),
    SyncDir(&'static str),
    FailSyncDir(&'static str),
    BeginSync(&'static str),
    EndSync,
    FailEndSync,
    /// A sync that lies: Ok, and nothing is durable.
    Lie(&'static str),
    LieDir(&'static str),
    LieEndSync,
    /// Writing back fails without a sync.
    FailWriteBack(&'static str),
    /// Lost pages leave the cache.
    Evict,
    /// An append that is still in flight when the power goes.
    InFlight(&'static str, u8, u32),
}

/// Runs `acts` on a new disk; calls that fail are skipped.
pub(crate) fn run(profile: &'static Profile, acts: &[Act]) -> Disk {
    let mut disk = Disk::new(profile);
    let mut ticket = None;
    for act in acts {
        step(&mut disk, *act, &mut ticket);
    }
    disk
}

/// Does one thing that is no part of a longer sync; a call that fails is skipped.
pub(crate) fn act_on(disk: &mut Disk, act: Act) {
    step(disk, act, &mut None);
}

fn step(disk: &mut Disk, act: Act, ticket: &mut Option<SyncTicket>) -> Option<()> {
    match act {
        Act::Create(path) => {
            let fd = disk.create(path).ok()?;
            disk.close(fd);
        }
        Act::Append(path, letter, len) => {
            let fd = disk.open(path).ok()?;
            let write = disk.begin_append(fd, &vec![letter; len as usize]).ok()?;
            disk.finish_append(write, len as usize);
            disk.close(fd);
        }
        Act::Write(path, offset, letter, len) => {
            let fd = disk.open(path).ok()?;
            let write = disk.begin_write(fd, u64::from(offset), &vec![letter; len as usize]);
            if let Ok(write) = write {
                disk.finish_append(write, len as usize);
            }
            disk.close(fd);
        }
        Act::Truncate(path, size) => disk.truncate(path, u64::from(size)).ok()?,
        Act::Rename(from, to) => disk.rename(from, to).ok()?,
        Act::Remove(path) => disk.remove(path).ok()?,
        Act::Link(from, to) => disk.link(from, to).ok()?,
        Act::CreateDir(path) => disk.create_dir(path).ok()?,
        Act::Sync(path) => sync(disk, path, SyncOutcome::Ok)?,
        Act::FailSync(path) => sync(disk, path, SyncOutcome::Failed)?,
        Act::SyncDir(path) => sync_dir(disk, path, SyncOutcome::Ok)?,
        Act::FailSyncDir(path) => sync_dir(disk, path, SyncOutcome::Failed)?,
        Act::BeginSync(path) => {
            let fd = disk.open(path).ok()?;
            if ticket.is_none() {
                *ticket = Some(disk.begin_sync(fd));
            }
            disk.close(fd);
        }
        Act::EndSync => finish(disk, ticket.take()?, SyncOutcome::Ok),
        Act::FailEndSync => finish(disk, ticket.take()?, SyncOutcome::Failed),
        Act::Lie(path) => sync(disk, path, SyncOutcome::Lied)?,
        Act::LieDir(path) => sync_dir(disk, path, SyncOutcome::Lied)?,
        Act::LieEndSync => finish(disk, ticket.take()?, SyncOutcome::Lied),
        Act::FailWriteBack(path) => disk.fail_write_back(path).ok()?,
        Act::Evict => {
            disk.evict();
        }
        Act::InFlight(path, letter, len) => {
            let fd = disk.open(path).ok()?;
            let _in_flight = disk.begin_append(fd, &vec![letter; len as usize]).ok()?;
        }
    }
    Some(())
}

fn sync(disk: &mut Disk, path: &str, outcome: SyncOutcome) -> Option<()> {
    let fd = disk.open(path).ok()?;
    let ticket = disk.begin_sync(fd);
    finish(disk, ticket, outcome);
    disk.close(fd);
    Some(())
}

/// Completes a sync. If it is to tell of an earlier error, it does that, and no more.
fn finish(disk: &mut Disk, ticket: SyncTicket, outcome: SyncOutcome) {
    let outcome = if disk.take_late_error(&ticket) { SyncOutcome::Told } else { outcome };
    disk.finish_sync(ticket, outcome);
}

fn sync_dir(disk: &mut Disk, path: &str, outcome: SyncOutcome) -> Option<()> {
    let ticket = disk.begin_sync_dir(path).ok()?;
    disk.finish_sync(ticket, outcome);
    Some(())
}

/// What `disk` holds, as text, with the garbage that `report` knows of shown as `?`, and a `!`
/// behind an image that breaks what a sync had promised.
pub(crate) fn show(disk: &Disk, report: &CrashReport) -> String {
    let mut parts = Vec::new();
    for (path, bytes) in disk.image().entries {
        let path = path.trim_start_matches('/');
        let Some(mut bytes) = bytes else {
            parts.push(format!("{path}/"));
            continue;
        };
        let ino = disk.lookup(&format!("/{path}")).expect("a file of the image");
        for (_, sector) in report.garbage.iter().filter(|(garbage, _)| *garbage == ino) {
            let start = ((sector * SECTOR) as usize).min(bytes.len());
            let end = (start + SECTOR as usize).min(bytes.len());
            bytes[start..end].fill(b'?');
        }
        parts.push(format!("{path}={}", runs(&bytes)));
    }
    if parts.is_empty() {
        parts.push("(nothing)".to_owned());
    }
    if !disk.broken_promises().is_empty() {
        parts.push("!".to_owned());
    }
    parts.join(" ")
}

/// Bytes as runs: `A100.28` is a hundred times `A`, then 28 zeros.
pub(crate) fn runs(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        text.push(if run[0] == 0 { '.' } else { char::from(run[0]) });
        text.push_str(&run.len().to_string());
    }
    text
}

/// Every image that the disk allows, as text.
pub(crate) fn images(disk: &Disk) -> BTreeSet<String> {
    let space = disk.crash_space();
    let mut images = BTreeSet::new();
    let end = space.walk(&mut |fates| {
        let image = show(&space.disk(fates), &space.report(fates));
        let mut lost = disk.clone();
        let report = lost.power_loss_to(fates);
        assert_eq!(show(&lost, &report), image, "in place and as a copy");
        images.insert(image);
        ControlFlow::Continue(())
    });
    assert!(end.is_continue(), "the walk is never broken off");
    images
}

/// Choices from a SplitMix64 stream.
pub(crate) struct Draws(pub(crate) u64);

impl Pick for Draws {
    fn pick(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(n)) as u32
    }
}
