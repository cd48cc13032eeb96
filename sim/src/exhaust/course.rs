//! [`Course`]: one schedule, and all that a crash in it may leave.

use xxhash_rust::xxh3::xxh3_64;

use super::Place;
use crate::host::Host;
use crate::policy::{Guide, Passage};
use crate::rng::{Purpose, Stream};
use crate::run::{Mode, Runner, Verdict};
use crate::scenario::Scenario;
use crate::steer::{Instant, Left, Stage, Steer};

/// One schedule of one seed, which can be taken as often as one likes.
#[derive(Clone, Debug)]
pub struct Course {
    /// What runs.
    pub scenario: Scenario,
    /// Its seed.
    pub seed: u64,
    /// The schedule of the first process; `None` for the one that the seed gives.
    pub schedule: Option<Guide>,
}

impl Course {
    /// One run of the schedule again, all of it kept, with the crashes at `places`; `None` if there
    /// is no such crash. `images` is the bound of the search that found them.
    ///
    /// # Errors
    /// In words, if the simulator itself fails.
    pub fn again(
        &self,
        runner: &mut Runner,
        images: usize,
        places: &[Place],
    ) -> Result<Option<Verdict>, String> {
        let mut steers: Vec<Steer> = Vec::new();
        for &(point, nth) in places {
            let Some(instant) = self.look(runner, steers.clone(), point)? else { return Ok(None) };
            let (mut left, _) = everything_left(&instant, images);
            if nth >= left.len() {
                return Ok(None);
            }
            let Remnant { left, .. } = left.swap_remove(nth);
            steers.push(Steer { point, left });
        }
        self.run(runner, steers, true).map(Some)
    }

    pub(super) fn run(
        &self,
        runner: &mut Runner,
        steers: Vec<Steer>,
        keep_events: bool,
    ) -> Result<Verdict, String> {
        let guided = self.schedule.clone().map(|guide| (guide, Passage::default()));
        self.run_guided(runner, guided, steers, keep_events)
    }

    pub(super) fn run_guided(
        &self,
        runner: &mut Runner,
        guide: Option<(Guide, Passage)>,
        steers: Vec<Steer>,
        keep_events: bool,
    ) -> Result<Verdict, String> {
        // A node for each would take a twentieth of the time.
        let host = Host::Bare;
        let mode = Mode { keep_events, guide, steer: Some(steers), host, ..Mode::default() };
        runner.run_caught(&self.scenario, self.seed, mode).sound()
    }

    /// The instant at `point` of the process after these crashes, or at its end, if that is the
    /// point behind its last; `None` if the process has fewer.
    fn look(
        &self,
        runner: &mut Runner,
        mut steers: Vec<Steer>,
        point: u64,
    ) -> Result<Option<Instant>, String> {
        steers.push(Steer::look(point));
        instant_at(point, self.run(runner, steers, false)?)
    }
}

/// The instant that a run halted at, which was to halt at `point`; `None` if that is behind the end
/// of its last process.
pub(super) fn instant_at(point: u64, verdict: Verdict) -> Result<Option<Instant>, String> {
    let Some(instant) = verdict.instant else {
        return Err(format!("no process runs at point {point}, nor ends before it"));
    };
    Ok(Some(instant).filter(|instant| point <= instant.point + 1))
}

/// One thing that a crash may leave.
#[derive(Debug)]
pub(super) struct Remnant {
    /// Its number among all that may be left there.
    pub(super) nth: usize,
    pub(super) left: Left,
    /// Hash of the names and bytes that the next process finds.
    pub(super) image: u64,
    /// Hash of the image and of what it must not have lost. `None` after the death of a process:
    /// what that leaves pending is not in the image, so each is tried.
    pub(super) judged: Option<u64>,
}

/// All that a crash may leave, numbered; and whether it is all.
pub(super) fn everything_left(instant: &Instant, most: usize) -> (Vec<Remnant>, bool) {
    let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
    let (deaths, all_deaths) = instant.deaths(most);
    let mut remnants: Vec<Remnant> = Vec::new();
    for left in deaths {
        let mut disk = instant.disk.clone();
        left.strike(&mut disk, &mut stream);
        let (nth, image) = (remnants.len(), disk.image_hash());
        remnants.push(Remnant { nth, left, image, judged: None });
    }
    // A process that left without a close is dead already, and its disk is that of its last point.
    if instant.stage == Stage::Left {
        return (remnants, all_deaths);
    }
    let space = instant.disk.crash_space();
    let (images, all_images) = space.images(most, &mut stream);
    for fates in images {
        let disk = space.disk(&fates);
        // A promise that the device broke excuses a loss, so the same image is judged otherwise.
        let broken = if disk.broken_promises().is_empty() { "" } else { " broken" };
        let (nth, image) = (remnants.len(), disk.image_hash());
        let text = format!("{image:x} {:x}{broken}", instant.obligations);
        let judged = Some(xxh3_64(text.as_bytes()));
        remnants.push(Remnant { nth, left: Left::Image(fates), image, judged });
    }
    (remnants, all_deaths && all_images)
}
