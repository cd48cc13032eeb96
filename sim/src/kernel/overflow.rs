//! Memory that a simulated thread must not touch: says which thread of which run did.
//!
//! A stack ends at a guard page, so its overflow is a SIGSEGV, from which there is no way back. The
//! handler may do almost nothing: it compares one address, writes one line and exits with 70. Any
//! other SIGSEGV is the work of unsafe code; it gets its line too, and then ends the process as
//! SIGSEGV does.

#![expect(unsafe_code, reason = "a signal handler")]
#![expect(clippy::disallowed_types, reason = "the handler is installed once a process")]

use std::cell::Cell;
use std::sync::Once;

use nix::libc;

use super::sched::is_on_coroutine;

/// What the handler needs to know, kept up to date by the kernel.
#[derive(Clone, Copy)]
struct Running {
    /// Lowest usable address of the stack that ran last; 0 if none did.
    stack_limit: usize,
    thread: &'static str,
    number: u32,
}

/// Bytes below a stack in which a fault is taken for its overflow: more than the guard page, for
/// a large frame can step over a part of it.
const GUARD_BYTES: usize = 64 * 1024;

mod current {
    use super::{Cell, Line, Running};
    thread_local! {
        pub(super) static RUNNING: Cell<Running> =
            const { Cell::new(Running { stack_limit: 0, thread: "", number: 0 }) };
        pub(super) static RUN: Cell<Line> = const { Cell::new(Line::EMPTY) };
    }
}

/// Names the run on this OS thread.
pub(super) fn set_run(name: &str) {
    let mut run = Line::EMPTY;
    run.text(name.as_bytes());
    current::RUN.set(run);
}

/// A simulated thread runs from here on. Nothing says when it no longer does: a fault elsewhere is
/// not at the end of its stack.
#[inline]
pub(super) fn enter(stack_limit: usize, thread: &'static str, number: u32) {
    current::RUNNING.set(Running { stack_limit, thread, number });
}

/// Installs the handler, once a process.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the action is valid and the handler keeps to what a handler may do. Threads made
        // by std have an alternate stack, which it needs because the own one is full.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        }
    });
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the system passes a valid siginfo of a SIGSEGV.
    let address = unsafe { (*info).si_addr() } as usize;
    let running = current::RUNNING.get();
    let limit = running.stack_limit;
    let is_overflow = limit.saturating_sub(GUARD_BYTES) <= address && address < limit;
    if limit != 0 && (is_overflow || is_on_coroutine()) {
        let mut line = Line::EMPTY;
        line.text(if is_overflow { b"\nstack overflow" } else { b"\nbad memory access" });
        line.text(b" in simulated thread ");
        line.text(running.thread.as_bytes());
        line.text(b"#");
        line.number(u64::from(running.number));
        line.text(b" of run ");
        let run = current::RUN.get();
        line.text(run.bytes.get(..run.len).unwrap_or_default());
        line.text(b"\n");
        // SAFETY: the call is allowed in a handler, and the bytes are initialised.
        unsafe { libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.len) };
    }
    // SAFETY: both calls are allowed in a handler. After the second, the instruction that faulted
    // faults again, and ends the process.
    unsafe {
        if is_overflow {
            libc::_exit(70);
        }
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// A line put together without allocation or formatting.
#[derive(Clone, Copy)]
struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    const EMPTY: Line = Line { bytes: [0; 256], len: 0 };

    fn text(&mut self, text: &[u8]) {
        for &byte in text {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
    }

    fn number(&mut self, number: u64) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text(&digits[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn numbers_and_text_make_a_line() {
        let mut line = Line::EMPTY;
        line.text(b"seed ");
        line.number(0);
        line.text(b" ");
        line.number(u64::MAX);
        assert_eq!(&line.bytes[..line.len], b"seed 0 18446744073709551615");
    }
}
