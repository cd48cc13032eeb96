//! Signals: the first ends a sweep after the runs in flight, so that what is known is printed.

#![expect(clippy::disallowed_types, reason = "a signal handler can only set a flag")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

static FLAG: std::sync::OnceLock<Arc<AtomicUsize>> = std::sync::OnceLock::new();

/// From here on, the first SIGINT or SIGTERM is noted and the second kills.
pub(super) fn watch() {
    let flag = FLAG.get_or_init(|| Arc::new(AtomicUsize::new(0)));
    for signal in [SIGINT, SIGTERM] {
        let number = usize::from(signal.unsigned_abs() as u16);
        // The order matters: a signal that finds the flag set ends the process at once.
        let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&armed)).ok();
        signal_hook::flag::register(signal, armed).ok();
        signal_hook::flag::register_usize(signal, Arc::clone(flag), number).ok();
    }
}

/// The signal received, if any was.
pub(super) fn received() -> Option<u8> {
    let number = FLAG.get()?.load(Ordering::Relaxed);
    (number != 0).then_some(number as u8)
}
