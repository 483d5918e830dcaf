//! A command of ours in a process of its own, under the limits of a worker.
//!
//! For reading files that the parsers of others unpack: what their sizes become is known too late. The command gives its
//! result on its standard output itself, at its very end; what it says otherwise is handed back.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::ending::{LaunchError, PANICKED, of_process};
use super::launch::Launcher;
use super::limits::{Bounds, bytes_of};

/// Names the limit on memory, in bytes, of a process that is to bind itself.
pub const VARIABLE: &str = "ZOOLOGIST_CONFINED";
/// How often the parent looks.
const TICK: Duration = Duration::from_millis(5);
/// How much is kept of what the command says.
const MOST_WORDS: u64 = 1 << 16;

/// How a command ended that could end by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confined {
    /// Its exit code.
    pub code: u8,
    /// What it said on its error output.
    pub words: String,
}

/// Runs a command that reads this file. It hears of its parent's end on its standard input, and is to bind itself by
/// [`bind`].
pub fn run(command: &mut Command, file: &Path, launcher: &Launcher) -> Result<Confined, LaunchError> {
    let bounds = launcher.limits.of_a_look(0, bytes_of([file]));
    let memory = bounds.memory.unwrap_or(u64::MAX);
    command.env(VARIABLE, memory.to_string()).env("RAYON_NUM_THREADS", "1");
    // For a backtrace the whole program would be read into memory that is counted.
    command.env("RUST_BACKTRACE", "0").env_remove("RUST_LIB_BACKTRACE");
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(LaunchError::Start)?;
    let words = child.stderr.take().map(|stderr| std::thread::spawn(move || said(stderr)));
    let ended = wait(&mut child, bounds, launcher.stop);
    if ended.is_err() {
        // It may be gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
    let words = words.and_then(|thread| thread.join().ok()).unwrap_or_default();
    let status = ended?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) if i32::from(code) != PANICKED => Ok(Confined { code, words }),
        _ => Err(of_process(status, &words, bounds)),
    }
}

/// Binds this process as its parent says; `false` where no parent says so.
pub fn bind() -> std::io::Result<bool> {
    let Some(memory) = std::env::var(VARIABLE).ok().and_then(|bytes| bytes.parse().ok()) else { return Ok(false) };
    super::limits::bind(Some(memory), super::limits::LARGEST_FILE).map(|()| true)
}

fn wait(child: &mut Child, bounds: Bounds, stop: &AtomicBool) -> Result<ExitStatus, LaunchError> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(LaunchError::Start)? {
            return Ok(status);
        }
        if stop.load(Ordering::Relaxed) {
            return Err(LaunchError::Interrupted);
        }
        if begun.elapsed() > bounds.silence {
            return Err(LaunchError::Time(bounds.silence));
        }
        std::thread::sleep(TICK);
    }
}

/// What a process says, to its end; what is too much is not kept.
fn said(mut stderr: ChildStderr) -> String {
    let mut kept = vec![];
    // Where the pipe breaks, what was said before is as good.
    let _ = stderr.by_ref().take(MOST_WORDS).read_to_end(&mut kept);
    let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}
