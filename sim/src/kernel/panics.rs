//! A panic of a simulated thread: ends its process.

#![expect(clippy::disallowed_types, reason = "the panic hook is installed once a process")]

use std::panic::PanicHookInfo;
use std::sync::Once;

use super::End;
use super::sched::{is_on_coroutine, with_kernel};
use crate::arena::Outside;

/// Makes a panic of a simulated thread end its process.
///
/// The hook takes down the message; from then on the first step of that thread that reaches the
/// kernel is its last, so no destructor can wait for a thread that will never run. If it got that
/// far, the OS thread's panic count stays raised: whoever drives the kernel must retire that OS
/// thread when `std::thread::panicking()` says so after a run.
pub(super) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if is_on_coroutine() {
                note_panic(info);
            } else {
                before(info);
            }
        }));
    });
}

fn note_panic(info: &PanicHookInfo<'_>) {
    let by_harness = !crate::arena::is_inside();
    let _outside = Outside::enter();
    let words = info.payload_as_str().unwrap_or("a panic without words");
    let place = info.location().map(|l| format!(" at {}:{}", l.file(), l.line()));
    let message = format!("{words}{}", place.unwrap_or_default());
    let end = if by_harness { End::HarnessPanicked(message) } else { End::Panicked(message) };
    with_kernel(|kernel| {
        // The first panic is the cause; one in a destructor is a consequence.
        kernel.note_panic(end);
    });
}
