//! What the commands print. Results go to standard output, everything else to standard error.

#![expect(clippy::print_stderr, reason = "the one place that prints")]
#![expect(clippy::disallowed_types, reason = "progress is told in wall time")]

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::args::Progress;
use crate::sweep::Totals;

/// A line of result.
pub(super) fn say(line: impl AsRef<str>) {
    let written = writeln!(std::io::stdout(), "{}", line.as_ref());
    if written.is_err() {
        // Whoever read it has gone, as `head` does.
        std::process::exit(141);
    }
}

/// A line beside the result.
pub(super) fn remark(line: impl AsRef<str>) {
    eprintln!("{}", line.as_ref());
}

/// An error that ends a command.
pub(super) fn complain(words: &str) {
    eprintln!("error: {words}");
}

/// One JSON event.
pub(super) fn event(value: &serde_json::Value) {
    say(value.to_string());
}

/// Shows how far a sweep is.
pub(super) struct Meter {
    bar: Option<ProgressBar>,
    lines: bool,
    wanted: Option<u64>,
    last_line: Instant,
}

const LINE_EVERY: Duration = Duration::from_secs(10);

impl Meter {
    /// A meter for `wanted` runs, or for as long as `budget` lasts.
    pub(super) fn new(progress: Progress, wanted: Option<u64>, budget: Option<Duration>) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = match progress {
            Progress::None => None,
            Progress::Auto if !on_terminal => None,
            Progress::Auto | Progress::Bar => {
                let length = wanted.or(budget.map(|budget| budget.as_millis() as u64));
                let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
                let style = ProgressStyle::with_template("  {elapsed_precise} {bar:24} {msg}");
                bar.set_style(style.expect("the template is right"));
                Some(bar)
            }
        };
        Meter {
            lines: progress == Progress::Auto && bar.is_none(),
            bar,
            wanted,
            #[expect(clippy::disallowed_methods, reason = "progress is told in wall time")]
            last_line: Instant::now(),
        }
    }

    /// Shows the totals so far; goes on unless a signal came.
    pub(super) fn show(&mut self, totals: &Totals) -> ControlFlow<()> {
        if let Some(bar) = &self.bar {
            let at =
                if self.wanted.is_some() { totals.runs } else { totals.elapsed.as_millis() as u64 };
            bar.set_position(at);
            bar.set_message(words(totals));
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            #[expect(clippy::disallowed_methods, reason = "progress is told in wall time")]
            let now = Instant::now();
            self.last_line = now;
            eprintln!("  {:>4} s  {}", totals.elapsed.as_secs(), words(totals));
        }
        match super::signal::received() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// Calls `print`, with the bar out of its way.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn words(totals: &Totals) -> String {
    let rate = totals.runs as f64 / totals.elapsed.as_secs_f64().max(0.001);
    format!(
        "{} runs  {rate:.0}/s  {} crashes  {} acknowledgements  {} failures",
        totals.runs,
        totals.crashes,
        totals.acks,
        totals.failures.len()
    )
}
