//! What the commands print. Results go to standard output, everything else to standard error.

#![expect(clippy::print_stderr, reason = "the one place that prints")]
#![expect(clippy::disallowed_types, reason = "progress is told in wall time")]

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::Progress;
use super::color::paint;

/// A line of result.
pub(super) fn say(line: impl AsRef<str>) {
    let written = writeln!(anstream::stdout(), "{}", paint(line.as_ref()));
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
    let style = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{style}error:{style:#} {words}");
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
    /// A meter for `wanted` pieces of work, or for as long as `budget` lasts.
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

    /// Shows that so many pieces are done after such a time, and `words`; goes on unless a signal
    /// came.
    pub(super) fn show(
        &mut self,
        done: u64,
        elapsed: Duration,
        words: impl FnOnce() -> String,
    ) -> ControlFlow<()> {
        if let Some(bar) = &self.bar {
            bar.set_position(if self.wanted.is_some() { done } else { elapsed.as_millis() as u64 });
            bar.set_message(words());
        } else if self.lines && self.last_line.elapsed() >= LINE_EVERY {
            #[expect(clippy::disallowed_methods, reason = "progress is told in wall time")]
            let now = Instant::now();
            self.last_line = now;
            eprintln!("  {:>4} s  {}", elapsed.as_secs(), words());
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
