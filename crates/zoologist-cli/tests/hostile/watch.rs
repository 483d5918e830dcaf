//! Runs a program on an input and measures it: how it ended, what it said, how long it took, and the most memory that it
//! or a process of its own held.
//!
//! The kernel tells the peak of a child only as the largest of all children that were waited for. So each run has a
//! watcher of its own: this test binary again, which starts the program, waits, and writes down what it saw. The
//! program's workers count, because the program waits for them.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Where a watcher finds its errand.
const ERRAND: &str = "ZOOLOGIST_WATCHER";
const OFTEN: Duration = Duration::from_millis(2);

/// What a watcher has to do.
#[derive(Serialize, Deserialize)]
struct Errand {
    program: PathBuf,
    arguments: Vec<String>,
    place: PathBuf,
    milliseconds: u64,
}

/// How a run ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Whether it had to be stopped.
    pub late: bool,
    /// The most resident memory of one process, in KiB.
    pub peak: i64,
    #[serde(skip)]
    pub out: String,
    #[serde(skip)]
    pub err: String,
}

/// Runs what `command` describes and stops it after so long. `place` is a folder for what is seen.
pub fn watch(command: &Command, place: &Path, longest: Duration) -> Seen {
    fs::create_dir_all(place).unwrap();
    let arguments = command.get_args().map(|argument| argument.to_str().unwrap().to_owned()).collect();
    let program = PathBuf::from(command.get_program());
    let errand = Errand { program, arguments, place: place.to_owned(), milliseconds: longest.as_millis() as u64 };
    let mut watcher = Command::new(std::env::current_exe().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => watcher.env(name, value),
            None => watcher.env_remove(name),
        };
    }
    watcher.current_dir(command.get_current_dir().unwrap_or(place));
    watcher.args(["--exact", "watch::watcher"]).env(ERRAND, serde_json::to_string(&errand).unwrap());
    let ended = watcher.output().unwrap();
    assert!(ended.status.success(), "the watcher failed: {}", String::from_utf8_lossy(&ended.stdout));
    let text = |name| String::from_utf8_lossy(&fs::read(place.join(name)).unwrap()).into_owned();
    let seen: Seen = serde_json::from_str(&text("seen")).unwrap();
    Seen { out: text("out"), err: text("err"), ..seen }
}

/// A watcher's life; nothing where the tests are run by hand.
#[test]
fn watcher() {
    let Ok(errand) = std::env::var(ERRAND) else { return };
    let Errand { program, arguments, place, milliseconds } = serde_json::from_str(&errand).unwrap();
    let file = |name| File::create(place.join(name)).unwrap();
    let mut command = Command::new(program);
    command.args(arguments).env_remove(ERRAND).process_group(0);
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
    let (status, late) = waited_for(&mut command, Duration::from_millis(milliseconds));
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    let seen = Seen { code: status.code(), signal: status.signal(), late, peak, ..Seen::default() };
    fs::write(place.join("seen"), serde_json::to_string(&seen).unwrap()).unwrap();
}

fn waited_for(command: &mut Command, longest: Duration) -> (ExitStatus, bool) {
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < longest {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, false);
        }
        std::thread::sleep(OFTEN);
    }
    // It may end in this moment; then there is no such group any more.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    (child.wait().unwrap(), true)
}
