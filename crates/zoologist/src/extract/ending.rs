//! Making sense of the end of a worker: by its exit code, its signal and its last words.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ExitStatus};
use std::time::Duration;

use super::limits::{Bounds, size};
use crate::base::path_text::escape;
use crate::base::{Fail, Fault};

/// The exit code of a worker that the machine refused something.
const REFUSED: i32 = 6;
/// The exit code of a worker whose code met something that it took for impossible.
pub(super) const PANICKED: i32 = 101;
/// The signal that nobody can catch.
const KILLED: i32 = 9;
/// How much of a worker's last words is kept.
const LAST_WORDS: usize = 1000;
/// How Rust, C++, the kernel and ONNX Runtime say that memory was refused.
const OUT_OF_MEMORY: [&str; 8] = [
    "memory allocation of",
    "capacity overflow",
    "failed to spawn thread",
    "bad_alloc",
    "bad allocation",
    "Failed to allocate memory",
    "Cannot allocate memory",
    "out of memory",
];

/// How a worker ended, if not well.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It could not be started.
    #[error("can't start a worker process: {0}")]
    Start(std::io::Error),
    /// The model failed, for a reason that it could say.
    #[error("{0}")]
    Model(String),
    /// The process died.
    #[error("its worker process {0}")]
    Died(String),
    /// It asked for more memory than this limit, or than there is.
    #[error("{}", too_much_memory(*.0))]
    Memory(Option<u64>),
    /// It showed no progress for so long.
    #[error("took longer than {} s for one step (--timeout sets the limit)", .0.as_secs())]
    Time(Duration),
    /// The machine refused the worker something: space, a permission.
    #[error("{0}")]
    Refused(String),
    /// The store refused.
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    /// The user asked to stop.
    #[error("interrupted; what was finished is kept, and the same command goes on from there")]
    Interrupted,
}

impl Fail for LaunchError {
    fn fault(&self) -> Fault {
        match self {
            Self::Model(_) | Self::Died(_) => Fault::Input,
            Self::Memory(_) | Self::Time(_) => Fault::Limit,
            Self::Start(_) | Self::Refused(_) | Self::Store(_) => Fault::Environment,
            Self::Interrupted => Fault::Interrupted,
        }
    }
}

fn too_much_memory(limit: Option<u64>) -> String {
    match limit {
        Some(bytes) => format!("used more than {} of memory (--memory sets the limit)", size(bytes)),
        None => "asked for more memory than there is".to_owned(),
    }
}

/// The reason that a worker gave, which may hold anything: on one line, cut, and told apart from a lack of memory.
pub(super) fn of_model(reason: &str, bounds: Bounds) -> LaunchError {
    if speaks_of_memory(reason) {
        return LaunchError::Memory(bounds.memory);
    }
    LaunchError::Model(printable(reason))
}

/// Why a process ended with this status.
pub(super) fn of_process(status: ExitStatus, words: &str, bounds: Bounds) -> LaunchError {
    let last = printable(words.trim().lines().next_back().unwrap_or_default());
    if status.code() == Some(REFUSED) {
        return LaunchError::Refused(last.trim_start_matches("zoologist: ").to_owned());
    }
    if speaks_of_memory(words) {
        return LaunchError::Memory(bounds.memory);
    }
    LaunchError::Died(described(status, &last))
}

fn speaks_of_memory(words: &str) -> bool {
    OUT_OF_MEMORY.iter().any(|sign| words.contains(sign))
}

fn described(status: ExitStatus, last: &str) -> String {
    let last = if last.is_empty() { String::new() } else { format!(": {last}") };
    match (status.signal(), status.code()) {
        (Some(KILLED), _) => {
            "was killed (signal 9: out of memory, or somebody stopped it); the same command goes on from where it was"
                .to_owned()
        }
        (Some(signal), _) => format!("crashed ({}){last}", name(signal)),
        (None, Some(PANICKED)) => format!("gave up{last}"),
        (None, Some(code)) => format!("ended with code {code}{last}"),
        (None, None) => format!("ended without a code{last}"),
    }
}

/// The name of a signal by which programs end; their numbers are the same on all systems.
fn name(signal: i32) -> String {
    match signal {
        4 => "signal SIGILL".to_owned(),
        6 => "signal SIGABRT".to_owned(),
        8 => "signal SIGFPE".to_owned(),
        11 => "signal SIGSEGV".to_owned(),
        15 => "signal SIGTERM".to_owned(),
        25 => "signal SIGXFSZ: it wrote too large a file".to_owned(),
        other => format!("signal {other}"),
    }
}

/// Text of a worker as one printable line of limited length.
pub(super) fn printable(text: &str) -> String {
    escape(&text.chars().take(LAST_WORDS).collect::<String>())
}

/// The end of what a worker wrote to its error output.
pub(super) fn last_words(mut stderr: ChildStderr) -> String {
    let mut kept: Vec<u8> = vec![];
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { memory: Some(2 << 30), silence: Duration::from_secs(1) };

    #[test]
    fn a_lack_of_memory_is_a_limit_however_it_is_said() {
        let aborted = ExitStatus::from_raw(6);
        for words in ["memory allocation of 4398046511104 bytes failed\n", "terminate called: std::bad_alloc"] {
            let error = of_process(aborted, words, BOUNDS);
            assert_eq!(error.to_string(), "used more than 2.0 GiB of memory (--memory sets the limit)");
            assert_eq!(error.fault(), Fault::Limit);
        }
        assert!(matches!(of_model("Failed to allocate memory for requested buffer", BOUNDS), LaunchError::Memory(_)));
    }

    #[test]
    fn a_crash_is_named_and_what_the_worker_says_can_not_move_the_cursor() {
        let said = of_process(ExitStatus::from_raw(11), "first\n\x1b[2Jlast\n", BOUNDS).to_string();
        assert_eq!(said, "its worker process crashed (signal SIGSEGV): \\u{1b}[2Jlast");
        let panicked = of_process(ExitStatus::from_raw(101 << 8), "attempt to add with overflow\n", BOUNDS);
        assert_eq!(panicked.to_string(), "its worker process gave up: attempt to add with overflow");
        assert_eq!(of_model("a\nb", BOUNDS).to_string(), "a\\nb");
        assert!(of_model(&"x".repeat(100_000), BOUNDS).to_string().len() <= LAST_WORDS);
    }

    #[test]
    fn what_the_machine_refuses_is_no_fault_of_the_model() {
        let refused = of_process(ExitStatus::from_raw(REFUSED << 8), "zoologist: no space\n", BOUNDS);
        assert_eq!((refused.to_string().as_str(), refused.fault()), ("no space", Fault::Environment));
    }
}
