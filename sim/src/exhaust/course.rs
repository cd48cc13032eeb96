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
            let (_, left, _) = left.swap_remove(nth);
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
        let verdict = runner.run_caught(&self.scenario, self.seed, mode);
        match verdict.harness_error {
            Some(words) => Err(words),
            None => Ok(verdict),
        }
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

/// All that a crash may leave, numbered, with the hash of the image after a power loss and of what
/// it must not have lost; and whether it is all.
pub(super) fn everything_left(
    instant: &Instant,
    most: usize,
) -> (Vec<(usize, Left, Option<u64>)>, bool) {
    let (deaths, all_deaths) = instant.deaths(most);
    let deaths = deaths.into_iter().map(|death| (death, None));
    // A process that left without a close is dead already, and its disk is that of its last point.
    if instant.stage == Stage::Left {
        let left = deaths.enumerate().map(|(nth, (death, image))| (nth, death, image));
        return (left.collect(), all_deaths);
    }
    let space = instant.disk.crash_space();
    let mut stream = Stream::new(instant.fingerprint, Purpose::Disk);
    let (images, all_images) = space.images(most, &mut stream);
    let images = images.into_iter().map(|fates| {
        let disk = space.disk(&fates);
        // A promise that the device broke excuses a loss, so the same image is judged otherwise.
        let broken = if disk.broken_promises().is_empty() { "" } else { " broken" };
        let text = format!("{:x} {:x}{broken}", disk.image_hash(), instant.obligations);
        (Left::Image(fates), Some(xxh3_64(text.as_bytes())))
    });
    let left = deaths.chain(images).enumerate().map(|(nth, (left, image))| (nth, left, image));
    (left.collect(), all_deaths && all_images)
}
