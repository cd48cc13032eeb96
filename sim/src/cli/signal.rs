//! Signals: the first ends a sweep after the runs in flight, so that what is known is printed. One
//! that comes half a second or more after it ends the process at once.
//!
//! What comes sooner is the first once more: `timeout` signals its child and then its own group,
//! in which the child is too, and a terminal may say twice what was pressed once.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a thread of its own waits for signals"
)]

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// What comes within this time of the first signal belongs to it.
const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// The first signal; 0 if there was none.
static FIRST: AtomicU8 = AtomicU8::new(0);

/// From here on, the first SIGINT or SIGTERM is noted and a later one kills.
pub(super) fn watch() {
    // Without a listener each kills at once, which is what they do elsewhere.
    let Ok(signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    let listener = std::thread::Builder::new().name("signals".to_owned());
    listener.spawn(move || listen(signals)).expect("a thread for signals");
}

fn listen(mut signals: Signals) {
    let first = signals.forever().next().and_then(|signal| u8::try_from(signal).ok());
    FIRST.store(first.unwrap_or(0), Ordering::Relaxed);
    std::thread::sleep(ONE_SIGNAL);
    signals.pending().for_each(drop);
    for signal in &mut signals {
        // Does not return: both end a process.
        emulate_default_handler(signal).ok();
    }
}

/// The signal received, if any was.
pub(super) fn received() -> Option<u8> {
    let number = FIRST.load(Ordering::Relaxed);
    (number != 0).then_some(number)
}
