//! The page about the syncs of the engine: as Markdown, or row by row as events.

use serde_json::{Value, json};

use super::super::kept::{Kept, commits};
use super::{Broken, Cell, Reason, Reasons};
use crate::exhaust::Place;
use crate::necessary::Effort;

pub(super) struct Page<'a> {
    pub(super) profiles: &'a [&'a str],
    pub(super) reasons: &'a Reasons,
    pub(super) effort: Effort,
    /// What there is to tell; a sync without a cell is not told.
    pub(super) kept: &'a Kept<Cell>,
}

impl Page<'_> {
    /// Labels of the syncs, in their order.
    fn syncs(&self) -> Vec<&str> {
        let mut syncs: Vec<&str> = self.kept.all().map(|cell| cell.sync.as_str()).collect();
        syncs.dedup();
        syncs
    }

    fn row(&self, sync: &str) -> Vec<Option<&Cell>> {
        let key = |profile: &str| (sync.to_owned(), profile.to_owned());
        self.profiles.iter().map(|profile| self.kept.get(&key(profile))).collect()
    }

    fn is_needed(&self, sync: &str) -> bool {
        self.row(sync).into_iter().flatten().any(|cell| cell.broken.is_some())
    }

    fn reason(&self, sync: &str) -> Option<&Reason> {
        self.reasons.reason.iter().find(|reason| reason.sync == sync)
    }

    /// Whether every sync is needed, or somebody has said why it is there.
    pub(super) fn is_explained(&self) -> bool {
        self.syncs().iter().all(|sync| self.is_needed(sync) || self.reason(sync).is_some())
    }

    /// The whole page.
    pub(super) fn text(&self) -> String {
        let commits = commits(self.kept.all().map(|cell| &cell.commit));
        let Effort { schedules, images, seeds, .. } = self.effort;
        let head = format!(
            "# What breaks without each sync\n\n\
             The output of `sim exhaust --necessary-syncs` at {commits}.\n\
             Each sync of the engine is left out in turn, on each file system: the call returns\n\
             Ok, and the disk does nothing. A cell has the checker whose promise breaks first, \
             and\n\
             the run that shows it, small before large. Tried are every crash of {schedules} \
             schedules of each\n\
             tiny scenario, with {images} images an instant, and {seeds} seeds of every other \
             scenario that\n\
             meets the sync. The label says when, by which thread and of what; of a directory,\n\
             after which change of that thread.\n\n"
        );
        let mut lines = vec![
            format!("| sync | {} |", self.profiles.join(" | ")),
            format!("|---|{}", "---|".repeat(self.profiles.len())),
        ];
        for sync in self.syncs() {
            let why = match self.reason(sync) {
                _ if self.is_needed(sync) => String::new(),
                Some(reason) => format!("<br>{}", reason.why),
                None => "<br>**unexplained**".to_owned(),
            };
            let cells: Vec<String> = self.row(sync).into_iter().map(words).collect();
            lines.push(format!("| `{sync}`{why} | {} |", cells.join(" | ")));
        }
        head + &lines.join("\n") + "\n"
    }

    /// The row of `sync`, which was met so often, as an event.
    pub(super) fn json(&self, sync: &str, met: u64) -> Value {
        let profiles: Vec<Value> = self.row(sync).into_iter().flatten().map(cell_json).collect();
        json!({
            "v": 1, "event": "sync_left_out", "sync": sync, "met": met,
            "profiles": profiles, "reason": self.reason(sync).map(|reason| reason.why.as_str()),
        })
    }
}

fn words(cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "-".to_owned() };
    let Some(Broken { scenario, seed, crash, checker, .. }) = &cell.broken else {
        return format!("no run of {}", cell.runs);
    };
    let place = match crash.as_deref() {
        None => String::new(),
        Some([]) => " without a crash".to_owned(),
        Some(crash) => format!(" at {}", places(crash)),
    };
    format!("{checker}: `{scenario}:{seed}`{place}")
}

fn cell_json(cell: &Cell) -> Value {
    let Cell { sync, profile, commit, runs, broken } = cell;
    let Some(Broken { scenario, seed, crash, checker, promise, expected, got }) = broken else {
        return json!({ "profile": profile, "commit": commit, "needed": false, "runs": runs });
    };
    let set = format!("--set 'disk.profiles=[\"{profile}\"]' --set 'disk.leave_out=\"{sync}\"'");
    let command = match crash {
        None => format!("sim replay {scenario}:{seed} {set}"),
        Some(crash) => format!(
            "sim exhaust {scenario} --seeds {seed}..{} --images {} --only {} {set}",
            seed + 1,
            Effort::default().images,
            if crash.is_empty() { "none".to_owned() } else { places(crash) },
        ),
    };
    json!({
        "profile": profile, "commit": commit, "needed": true, "runs": runs, "checker": checker,
        "promise": promise, "expected": expected, "got": got, "replay": command,
    })
}

fn places(crash: &[Place]) -> String {
    let places: Vec<String> = crash.iter().map(|(point, nth)| format!("{point}:{nth}")).collect();
    places.join(",")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{REASONS, honest_profiles};
    use super::*;

    fn cell(sync: &str, profile: &str, broken: Option<(Option<Vec<Place>>, u64)>) -> Cell {
        let broken = broken.map(|(crash, seed)| Broken {
            scenario: "tiny_flush".to_owned(),
            seed,
            crash,
            checker: "recovery".to_owned(),
            promise: "p".to_owned(),
            expected: "e".to_owned(),
            got: "g".to_owned(),
        });
        let (sync, profile) = (sync.to_owned(), profile.to_owned());
        Cell { sync, profile, commit: "c0ffee".to_owned(), runs: 70, broken }
    }

    #[test]
    fn a_row_has_what_breaks_on_each_profile_or_why_the_sync_is_there() {
        let mut kept = Kept::default();
        for cell in [
            cell("a: sync log", "xfs", Some((Some(vec![(12, 3), (40, 1)]), 5))),
            cell("a: sync log", "btrfs", Some((Some(vec![]), 6))),
            cell("b: sync log", "xfs", None),
            cell("b: sync log", "btrfs", Some((None, 7))),
            cell("c: sync log", "xfs", None),
        ] {
            kept.insert(cell);
        }
        let reason = |sync: &str| Reason { sync: sync.to_owned(), why: "Because.".to_owned() };
        let mut reasons = Reasons { reason: vec![reason("b: sync log")] };
        let effort = Effort::default();
        let profiles = ["xfs", "btrfs"];
        let page = Page { profiles: &profiles, reasons: &reasons, effort, kept: &kept };
        let text = page.text();
        for line in [
            "The output of `sim exhaust --necessary-syncs` at c0ffee.",
            "| sync | xfs | btrfs |",
            "|---|---|---|",
            "| `a: sync log` | recovery: `tiny_flush:5` at 12:3,40:1 \
             | recovery: `tiny_flush:6` without a crash |",
            "| `b: sync log` | no run of 70 | recovery: `tiny_flush:7` |",
            "| `c: sync log`<br>**unexplained** | no run of 70 | - |",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        assert!(!page.is_explained());
        let row = page.json("a: sync log", 3);
        let command = row["profiles"][0]["replay"].as_str().expect("a command");
        assert!(command.starts_with("sim exhaust tiny_flush --seeds 5..6 --images 64 --only 12:3"));
        assert!(command.ends_with("'disk.leave_out=\"a: sync log\"'"), "{command}");
        assert_eq!((&row["met"], &row["reason"]), (&3.into(), &Value::Null));
        reasons.reason.push(reason("c: sync log"));
        let page = Page { profiles: &profiles, reasons: &reasons, effort, kept: &kept };
        assert!(page.is_explained());
        assert!(page.text().contains("| `c: sync log`<br>Because. | no run of 70 | - |"));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "reads files of the repository")]
    fn the_page_of_the_documents_is_what_was_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let kept = Kept::load(&root.join("sim/necessary-syncs.jsonl")).expect("reads");
        let reasons: Reasons = toml::from_str(REASONS).expect("reads");
        let profiles = honest_profiles();
        let effort = Effort::default();
        let page = Page { profiles: &profiles, reasons: &reasons, effort, kept: &kept };
        let shown = std::fs::read_to_string(root.join("docs/necessary-syncs.md")).expect("reads");
        assert!(page.is_explained(), "sim/necessary-syncs.toml lacks a reason");
        assert_eq!(shown, page.text(), "put the output of `sim exhaust --necessary-syncs` there");
        for sync in page.syncs() {
            assert!(page.row(sync).iter().all(Option::is_some), "{sync} lacks a profile");
        }
    }
}
