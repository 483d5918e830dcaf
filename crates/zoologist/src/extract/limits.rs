//! What a worker may use of the machine.
//!
//! The parent decides; the worker binds itself before it reads a byte of a model. The limit on memory is one on private
//! memory that can be written (`RLIMIT_DATA`): unlike the address space it leaves out what is only reserved, and so
//! comes close to the resident set. Time is counted by the parent, from one sign of progress to the next.

use std::path::Path;
use std::time::Duration;

/// How long a worker may show no progress.
const LONGEST_SILENCE: Duration = Duration::from_mins(10);
/// How long loading a small model may take.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// Bytes of a model's files that are granted a second more.
const READ_PER_SECOND: u64 = 16 << 20;
/// Bytes of texts that are granted a second more.
const COUNTED_PER_SECOND: u64 = 256 << 10;
/// What loading a small model may take. With the program itself it stays below 256 MiB of resident memory.
const SMALL_MODEL: u64 = 208 << 20;
/// How often a model's files may stand in memory while it is loaded: as bytes, edited, as tensors, rearranged for speed.
const COPIES: u64 = 8;
/// A byte of a tokenizer counts as so many of weights.
const VOCABULARY: u64 = 4;
/// Share of the memory that is available, in percent.
const SHARE: u64 = 80;
/// No file that a worker writes is larger, unless it writes weights: a block of features holds 128 rows.
pub(super) const LARGEST_FILE: u64 = 1 << 30;

/// The limits that the user set; `None` leaves the choice to the job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Time from one sign of progress to the next.
    pub silence: Option<Duration>,
}

/// The limits of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of memory; `None` where the machine doesn't say how much there is.
    pub memory: Option<u64>,
    /// Time from one sign of progress to the next.
    pub silence: Duration,
}

impl Limits {
    /// Those of one of some workers that compute features: its part of most of the memory that is available, and ten
    /// minutes per step.
    pub fn of_work(&self, workers: usize) -> Bounds {
        let part = || Some(share_of_the_machine()? / workers.max(1) as u64);
        Bounds { memory: self.memory.or_else(part), silence: self.silence.unwrap_or(LONGEST_SILENCE) }
    }

    /// Those of a worker that only says what a model is: what its files justify.
    pub fn of_a_look(&self, model_bytes: u64, text_bytes: u64) -> Bounds {
        let justified = SMALL_MODEL.saturating_add(model_bytes.saturating_add(text_bytes).saturating_mul(COPIES));
        let seconds = model_bytes / READ_PER_SECOND + text_bytes / COUNTED_PER_SECOND;
        let share = share_of_the_machine().unwrap_or(u64::MAX);
        Bounds {
            memory: self.memory.or(Some(justified.min(share))),
            silence: self.silence.unwrap_or(LONGEST_LOOK + Duration::from_secs(seconds)),
        }
    }
}

/// Most of the memory that is available, by Linux and by the control group; `None` on other systems.
fn share_of_the_machine() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let mut least = available(&told)?;
    for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
        let bytes = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        least = least.min(bytes.unwrap_or(u64::MAX));
    }
    Some(least / 100 * SHARE)
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What a tokenizer counts for beside weights: its file becomes tables that are many times as large.
pub(super) fn bytes_of_vocabulary(file: Option<&Path>) -> u64 {
    bytes_of(file).saturating_mul(VOCABULARY)
}

/// The sizes of these files together, as far as there are any.
pub(super) fn bytes_of<'a>(files: impl IntoIterator<Item = &'a Path>) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    files.into_iter().map(size).fold(0, u64::saturating_add)
}

/// Binds this process: its memory, the files that it writes, and that it leaves no core file. Limits only fall.
#[cfg(unix)]
pub(super) fn bind(memory: Option<u64>, largest_file: u64) -> std::io::Result<()> {
    use rustix::process::Resource;
    lower(Resource::Core, 0)?;
    lower(Resource::Fsize, largest_file)?;
    memory.map_or(Ok(()), |most| lower(Resource::Data, most))
}

#[cfg(unix)]
fn lower(resource: rustix::process::Resource, most: u64) -> std::io::Result<()> {
    use rustix::process::{Rlimit, getrlimit, setrlimit};
    let now = getrlimit(resource);
    let lowered = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    setrlimit(resource, Rlimit { current: lowered(now.current), maximum: lowered(now.maximum) })?;
    Ok(())
}

/// There are no such limits here: only the time is limited.
#[cfg(not(unix))]
pub(super) fn bind(_: Option<u64>, _: u64) -> std::io::Result<()> {
    Ok(())
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    if bytes >= GIB { format!("{:.1} GiB", bytes as f64 / GIB as f64) } else { format!("{} MiB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_granted_what_the_files_justify_and_no_more_than_the_machine_has() {
        let small = Limits::default().of_a_look(4000, 0);
        assert_eq!((small.memory, small.silence), (Some(SMALL_MODEL + 32_000), LONGEST_LOOK));
        let large = Limits::default().of_a_look(u64::MAX, 0);
        assert!(large.memory.is_some_and(|bytes| bytes < u64::MAX) || share_of_the_machine().is_none());
        assert_eq!(Limits::default().of_a_look(160 << 20, 512 << 10).silence, Duration::from_secs(22));
    }

    #[test]
    fn what_the_user_asks_for_goes_first() {
        let asked = Limits { memory: Some(1 << 20), silence: Some(Duration::from_secs(3)) };
        let bounds = Bounds { memory: Some(1 << 20), silence: Duration::from_secs(3) };
        assert_eq!((asked.of_work(2), asked.of_a_look(1 << 40, 0)), (bounds, bounds));
    }

    #[test]
    fn the_available_memory_is_read() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:     12 kB\nCached: 1 kB\n"), Some(12 * 1024));
        assert_eq!(available("MemAvailable: many kB"), None);
        assert_eq!((size(3 << 29), size(208 << 20)), ("1.5 GiB".to_owned(), "208 MiB".to_owned()));
    }
}
