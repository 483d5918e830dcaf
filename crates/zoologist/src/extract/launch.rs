//! The parent's side: starts a worker, listens to it, and makes sense of its end.
//!
//! Nothing that a worker says is trusted: lines have a size limit, and what it wrote is verified before it is used.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::SampleFiles;
use super::order::{Assignment, Description, Extractor, OnnxRunner, Order, TokenOrder};
use super::text::TokenCounts;
use super::worker::Message;
use crate::base::path_text::escape;
use crate::base::{Fail, Fault};
use crate::store::{JobFolder, Key, Store};

/// Longest line that is read from a worker.
const LONGEST_LINE: u64 = 1 << 16;
/// The exit code of a worker that the machine refused something.
const REFUSED: i32 = 6;
/// How much of a worker's last words is kept.
const LAST_WORDS: usize = 1000;
/// Variables that a worker may see; the rest of the environment is none of its business.
const VARIABLES: [&str; 9] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "SYSTEMROOT",
    "RUST_BACKTRACE",
];
/// Tells glibc to keep memory that it was given back. A forward pass makes tensors of a few megabytes and drops them again;
/// with the defaults each comes fresh from the kernel, page by page (`make bench-native`: 8% of the time).
const MEMORY_KEPT: [(&str, &str); 2] =
    [("MALLOC_TRIM_THRESHOLD_", "1000000000"), ("MALLOC_MMAP_THRESHOLD_", "33554432")];

/// Everything that features are computed with.
pub struct Machinery {
    /// Where features are kept.
    pub store: Store,
    /// How workers are started.
    pub launcher: Launcher,
    /// What runs ONNX models.
    pub runtime: OnnxRunner,
    /// Threads per worker.
    pub threads: usize,
}

/// How workers are started and stopped.
pub struct Launcher {
    /// The program whose `worker` command is a worker.
    pub program: PathBuf,
    /// Set when the user asks to stop.
    pub stop: &'static AtomicBool,
}

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
            Self::Start(_) | Self::Refused(_) | Self::Store(_) => Fault::Environment,
            Self::Interrupted => Fault::Interrupted,
        }
    }
}

/// What the parent is told while a worker runs.
pub trait Listener {
    /// So many more rows are done.
    fn rows(&mut self, count: usize);
}

/// Runs a worker to its end.
pub fn run(
    launcher: &Launcher,
    folder: &JobFolder,
    order: &Order,
    listener: &mut dyn Listener,
) -> Result<Description, LaunchError> {
    let heard = converse(launcher, folder, &Assignment::Features(Box::new(order.clone())), listener)?;
    heard.description.ok_or_else(|| LaunchError::Died("ended without a word".to_owned()))
}

/// Lets a worker count tokens.
pub fn count_tokens(machinery: &Machinery, order: TokenOrder) -> Result<TokenCounts, LaunchError> {
    let key = Key::of(&[("what", "tokens"), ("folder", &order.folder.to_string_lossy())]);
    let folder = machinery.store.job(&key)?;
    let heard = converse(&machinery.launcher, &folder, &Assignment::Tokens(order), &mut Deaf)?;
    heard.tokens.ok_or_else(|| LaunchError::Died("ended without a word".to_owned()))
}

/// What a worker said.
#[derive(Default)]
struct Heard {
    description: Option<Description>,
    tokens: Option<TokenCounts>,
}

/// Starts a worker, listens to it and makes sense of its end.
fn converse(
    launcher: &Launcher,
    folder: &JobFolder,
    assignment: &Assignment,
    listener: &mut dyn Listener,
) -> Result<Heard, LaunchError> {
    let order = folder.write_order(assignment)?;
    let mut child = start(&launcher.program, &order).map_err(LaunchError::Start)?;
    let words = child.stderr.take().map(|stderr| std::thread::spawn(move || last_words(stderr)));
    let heard = listen(&mut child, launcher.stop, listener);
    if heard.is_err() || launcher.stop.load(Ordering::Relaxed) {
        // It may be gone already; there is nothing else to do about a process that can't be killed.
        let _ = child.kill();
    }
    let status = child.wait().map_err(LaunchError::Start)?;
    let words = words.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if launcher.stop.load(Ordering::Relaxed) {
        return Err(LaunchError::Interrupted);
    }
    let heard = heard?;
    match status.code() {
        Some(0) => Ok(heard),
        Some(REFUSED) => Err(LaunchError::Refused(words.trim_start_matches("zoologist: ").to_owned())),
        _ => Err(LaunchError::Died(described(status, &words))),
    }
}

/// Hears nothing of the progress.
struct Deaf;

impl Listener for Deaf {
    fn rows(&mut self, _: usize) {}
}

/// Lets a worker load an extractor and say what it is, without any picture.
pub fn describe(machinery: &Machinery, extractor: &Extractor) -> Result<Description, LaunchError> {
    let key = Key::of(&[("what", "description"), ("extractor", &extractor.identity())]);
    let order = Order {
        samples: SampleFiles::Pictures { root: PathBuf::new(), pictures: vec![] },
        blocks: vec![],
        extractor: extractor.clone(),
        runtime: extractor.runtime(&machinery.runtime),
        threads: 1,
        store_root: machinery.store.root().to_owned(),
        key: key.clone(),
    };
    run(&machinery.launcher, &machinery.store.job(&key)?, &order, &mut Deaf)
}

fn start(program: &Path, order: &Path) -> std::io::Result<Child> {
    let kept = VARIABLES.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    Command::new(program)
        .arg("worker")
        .arg(order)
        .env_clear()
        .envs(kept)
        // ONNX Runtime reports to its maker from its first event on, before its interface can switch that off.
        .env("ORT_DISABLE_TELEMETRY", "1")
        .envs(MEMORY_KEPT)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn listen(child: &mut Child, stop: &AtomicBool, listener: &mut dyn Listener) -> Result<Heard, LaunchError> {
    let mut heard = Heard::default();
    let Some(stdout) = child.stdout.take() else { return Ok(heard) };
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = vec![];
        let count = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).unwrap_or(0);
        if count == 0 || stop.load(Ordering::Relaxed) {
            return Ok(heard);
        }
        match serde_json::from_slice(&line) {
            Ok(Message::Ready(found)) => heard.description = Some(found),
            Ok(Message::Tokens(found)) => heard.tokens = Some(found),
            Ok(Message::Rows(count)) => listener.rows(count),
            Ok(Message::Failed(reason)) => return Err(LaunchError::Model(reason)),
            Err(_) => {
                return Err(LaunchError::Died("said something that is not understood, and was stopped".to_owned()));
            }
        }
    }
}

/// The end of what a worker wrote to its error output, on one line.
fn last_words(mut stderr: ChildStderr) -> String {
    let mut kept: Vec<u8> = vec![];
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(&buffer[..count]);
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept).into_owned();
    escape(text.trim().lines().next_back().unwrap_or_default())
}

fn described(status: ExitStatus, words: &str) -> String {
    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
    match (status.signal(), status.code()) {
        (Some(9), _) => {
            "was killed (signal 9: out of memory, or somebody stopped it); the same command goes on from where it was"
                .to_owned()
        }
        (Some(signal), _) => format!("crashed (signal {signal}){words}"),
        (None, Some(code)) => format!("ended with code {code}{words}"),
        (None, None) => format!("ended without a code{words}"),
    }
}
