//! [`Interruptible`]: a thread that gets a signal while it waits in a system call.

#![expect(unsafe_code, reason = "the standard library knows no signals")]

use std::cell::Cell;
use std::fs;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::libc;

thread_local! {
    /// Where this thread counts the signals that it has handled.
    static HANDLED: Cell<Option<&'static AtomicU32>> = const { Cell::new(None) };
}

extern "C" fn handle(_signal: libc::c_int) {
    if let Some(count) = HANDLED.get() {
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// The system calls by which a file is opened, a pipe read and written.
#[cfg(target_arch = "x86_64")]
pub(crate) const OPEN: &[libc::c_long] = &[libc::SYS_open, libc::SYS_openat];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const OPEN: &[libc::c_long] = &[libc::SYS_openat];
pub(crate) const READ: &[libc::c_long] = &[libc::SYS_read];
pub(crate) const WRITE: &[libc::c_long] = &[libc::SYS_write];

/// A thread, how the kernel calls it, and how many signals it has handled.
pub(crate) struct Interruptible<T> {
    handle: JoinHandle<T>,
    id: libc::pid_t,
    handled: &'static AtomicU32,
}

impl<T: Send + 'static> Interruptible<T> {
    pub(crate) fn spawn(body: impl FnOnce() -> T + Send + 'static) -> Self {
        static INSTALLED: Once = Once::new();
        // Without SA_RESTART: what is interrupted fails, or ends early.
        INSTALLED.call_once(|| {
            // SAFETY: all zeros is an action without flags and with an empty mask; the handler
            // does nothing that a handler may not do.
            let done = unsafe {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_sigaction = handle as extern "C" fn(libc::c_int) as libc::sighandler_t;
                libc::sigaction(libc::SIGUSR1, &raw const action, core::ptr::null_mut())
            };
            assert_eq!(done, 0);
        });
        let handled: &AtomicU32 = Box::leak(Box::default());
        let (told, id) = mpsc::channel();
        let handle = thread::spawn(move || {
            HANDLED.set(Some(handled));
            // SAFETY: asks for a number.
            told.send(unsafe { libc::gettid() }).expect("somebody asked");
            body()
        });
        Interruptible { handle, id: id.recv().expect("it runs"), handled }
    }

    /// Waits until the thread sleeps in one of these system calls, sends it a signal, and waits
    /// until it is handled.
    pub(crate) fn interrupt(&self, system_calls: &[libc::c_long]) {
        self.wait_for(system_calls);
        let before = self.handled.load(Ordering::SeqCst);
        // SAFETY: the thread is not joined, so its handle is good, whether it has ended or not.
        let sent = unsafe { libc::pthread_kill(self.handle.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
        until("the signal is handled", || self.handled.load(Ordering::SeqCst) != before);
    }

    /// Waits until the thread sleeps in one of these system calls.
    pub(crate) fn wait_for(&self, system_calls: &[libc::c_long]) {
        let file = format!("/proc/self/task/{}/syscall", self.id);
        until("the thread is in its call", || {
            assert!(!self.handle.is_finished(), "it has not waited");
            // Of a thread that runs, nothing but this word is told.
            let told = fs::read_to_string(&file).expect("a thread of this process");
            let number = told.split(' ').next().and_then(|number| number.parse().ok());
            number.is_some_and(|number| system_calls.contains(&number))
        });
    }

    pub(crate) fn join(self) -> T {
        self.handle.join().expect("it returns")
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}: in vain");
        thread::sleep(Duration::from_micros(100));
    }
}
