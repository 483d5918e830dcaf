//! The worker's input is a leash that the parent holds.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hears from the parent: a byte asks the worker to stop when its blocks are done, the end of the input that there is no
/// parent any more.
pub fn hear(mut parent: impl Read + Send + 'static, stop: &'static AtomicBool) {
    std::thread::spawn(move || {
        while parent.read(&mut [0]).is_ok_and(|count| count > 0) {
            stop.store(true, Ordering::Relaxed);
        }
        // Nobody wants the result, and a block is kept whole or not at all.
        std::process::abort();
    });
}
