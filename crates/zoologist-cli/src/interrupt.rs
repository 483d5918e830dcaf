//! The user's wish to stop: Ctrl-C (SIGINT), or SIGTERM as schedulers send it.
//!
//! The first is a request: blocks that are begun are finished and kept. The second ends the program at once; its worker
//! notices that it is alone and ends too.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Set by the first signal.
pub static STOP: AtomicBool = AtomicBool::new(false);
/// What the program ends with when it was interrupted: 128 and the number of the signal, first that of SIGINT.
static EXIT_CODE: AtomicU8 = AtomicU8::new(130);

/// The exit code of a run that was interrupted.
pub fn exit_code() -> u8 {
    EXIT_CODE.load(Ordering::Relaxed)
}

/// Listens for the user: a second signal ends the program.
pub fn listen() {
    each_signal(|signal| {
        EXIT_CODE.store(128 + signal, Ordering::Relaxed);
        if STOP.swap(true, Ordering::Relaxed) {
            #[allow(clippy::exit, reason = "the main thread may be in the middle of anything")]
            std::process::exit(i32::from(exit_code()));
        }
    });
}

/// Listens as a worker: a terminal sends Ctrl-C to it too, and it is the parent that decides about the second.
pub fn listen_as_worker() {
    each_signal(|_| STOP.store(true, Ordering::Relaxed));
}

/// Calls this for each signal that asks to stop. SIGHUP is not one of them: `nohup` has it ignored.
#[cfg(unix)]
fn each_signal(act: impl Fn(u8) + Send + 'static) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    // Without a listener a signal still ends the program; only the farewell is lost.
    let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || signals.forever().filter_map(|signal| signal.try_into().ok()).for_each(act));
}

/// Ctrl-C ends the program here, without a farewell.
#[cfg(not(unix))]
fn each_signal(_: impl Fn(u8) + Send + 'static) {}
