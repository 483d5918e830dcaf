//! The parent's side: starts a worker, listens to it, and stops it.
//!
//! Nothing that a worker says is trusted: lines have a size limit, and what it wrote is verified before it is used. The
//! worker's input is a leash: a line on it asks the worker to end after the blocks that it has begun, and its end, which
//! comes with the parent's, ends the worker at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use super::SampleFiles;
use super::anatomy::{Anatomy, LookOrder};
use super::behaviour::{Behaviour, BehaviourOrder};
pub use super::ending::LaunchError;
use super::ending::{last_words, of_model, of_process, printable};
use super::limits::{Bounds, Limits, bytes_of, bytes_of_vocabulary};
use super::order::{
    Assignment, Attached, Commission, Description, Extractor, NetworkPlan, OnnxRunner, Order, PortablePath,
    RuntimeChoice, TokenOrder,
};
use super::text::TokenCounts;
use super::training::{SupernetOrder, SupernetOutcome, TrainingOrder, TrainingOutcome};
use super::worker::Message;
use crate::store::{JobFolder, Key, Store};

/// Longest line that is read from a worker.
const LONGEST_LINE: u64 = 1 << 22;
/// Bytes of texts and pickles that a look takes time for.
const MOST_LOOKED_AT: u64 = 64 << 20;
/// Lines that may wait to be heard.
const WAITING_LINES: usize = 8;
/// How often the parent looks whether it has to stop a worker.
const TICK: Duration = Duration::from_millis(50);
/// Variables that a worker may see; the rest of the environment is none of its business.
const VARIABLES: [&str; 8] =
    ["PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "SYSTEMROOT"];
/// Tells glibc to keep memory that it was given back, and to take even the largest tensors from there. A pass makes tensors
/// and drops them again; with the defaults each comes fresh from the kernel, page by page, and the gradient of a
/// text encoder's embeddings alone has tens of megabytes.
const MEMORY_KEPT: [(&str, &str); 2] = [("MALLOC_TRIM_THRESHOLD_", "1000000000"), ("MALLOC_MMAP_MAX_", "0")];

/// Trainings at once, at most.
const MOST_TRAININGS: usize = 4;
/// Bytes that a training needs beside its samples, by those of its weights: the weights, their gradients and moments, and
/// what a pass leaves for the way back.
const TRAINING_BYTES: u64 = 12;
/// See [`TRAINING_BYTES`].
const TRAINING_BYTES_AT_LEAST: u64 = 1 << 30;

/// Everything that features are computed with.
#[derive(Clone)]
pub struct Machinery {
    /// Where features are kept.
    pub store: Store,
    /// How workers are started.
    pub launcher: Launcher,
    /// What runs ONNX models.
    pub runtime: Arc<OnnxRunner>,
    /// Threads of all workers together.
    pub threads: usize,
    /// How many workers may run at once.
    pub jobs: usize,
}

impl Machinery {
    /// Threads of one worker: workers that run at once share the cores.
    pub fn threads_per_worker(&self) -> usize {
        (self.threads / self.jobs.max(1)).max(1)
    }

    /// The same for so many trainings side by side, or as many of them as the threads and the memory are enough for. A
    /// thread for each does more than all threads on one, whose steps are partly one thread's work. `bytes` are those of the weights.
    #[must_use]
    pub fn for_trainings(&self, count: usize, bytes: u64) -> Self {
        let needed = bytes.saturating_mul(TRAINING_BYTES).saturating_add(TRAINING_BYTES_AT_LEAST);
        let has_room = |jobs: &usize| self.launcher.limits.of_work(*jobs).memory.is_none_or(|memory| memory >= needed);
        let most = count.min(self.threads).min(MOST_TRAININGS);
        Self { jobs: (2..=most).rev().find(has_room).unwrap_or(1), ..self.clone() }
    }
}

/// How workers are started and stopped.
#[derive(Clone)]
pub struct Launcher {
    /// The program whose `worker` command is a worker.
    pub program: PathBuf,
    /// Set when the user asks to stop.
    pub stop: &'static AtomicBool,
    /// What a worker may use.
    pub limits: Limits,
}

/// What the parent is told while a worker runs.
pub trait Listener {
    /// So many more rows are done.
    fn rows(&mut self, count: usize);
}

/// Runs a worker to its end.
pub fn run(
    machinery: &Machinery,
    folder: &JobFolder,
    order: &Order,
    listener: &mut dyn Listener,
) -> Result<Description, LaunchError> {
    let rows = order.blocks.iter().map(ExactSizeIterator::len).sum();
    let heard = Heard { listener, rows, said: Said::default() };
    let assignment = Assignment::Features(Box::new(order.clone()));
    let (launcher, bounds) = (&machinery.launcher, machinery.launcher.limits.of_work(machinery.jobs));
    converse(launcher, folder, assignment, bounds, heard)?.description.ok_or_else(silent)
}

/// Lets a worker count tokens.
pub fn count_tokens(machinery: &Machinery, order: TokenOrder) -> Result<TokenCounts, LaunchError> {
    let key = Key::of(&[("what", "tokens"), ("folder", &order.folder.to_string_lossy())]);
    let folder = machinery.store.job(&key)?;
    let vocabulary = order.settings.vocabulary.path().map(|path| order.folder.join(path));
    let texts = if let SampleFiles::Texts { file, .. } = &order.samples { Some(file.as_path()) } else { None };
    let bounds = machinery.launcher.limits.of_a_look(bytes_of_vocabulary(vocabulary.as_deref()), bytes_of(texts));
    ask(machinery, &folder, Assignment::Tokens(order), bounds)?.tokens.ok_or_else(silent)
}

/// Lets a worker look at the files of a model.
pub fn look(machinery: &Machinery, folder: &JobFolder, order: LookOrder) -> Result<Anatomy, LaunchError> {
    let model = order.plan.as_ref().map_or(0, NetworkPlan::bytes);
    let pickles = order.pickles.iter().map(|file| order.folder.join(&file.0)).collect::<Vec<_>>();
    let texts = if let Some(SampleFiles::Texts { file, .. }) = &order.texts { Some(file.as_path()) } else { None };
    let others = bytes_of(texts.into_iter().chain(pickles.iter().map(PathBuf::as_path)));
    let bounds = machinery.launcher.limits.of_a_look(model.saturating_mul(2), others.min(MOST_LOOKED_AT));
    ask(machinery, folder, Assignment::Look(Box::new(order)), bounds)?.anatomy.ok_or_else(silent)
}

/// Lets a worker see how a network behaves.
pub fn observe(machinery: &Machinery, folder: &JobFolder, order: BehaviourOrder) -> Result<Behaviour, LaunchError> {
    let bounds = machinery.launcher.limits.of_work(machinery.jobs);
    ask(machinery, folder, Assignment::Observe(Box::new(order)), bounds)?.behaviour.ok_or_else(silent)
}

/// Lets a worker train a network; the listener hears of the samples that were learned from. An outcome that an earlier
/// run left behind is for the caller to find.
pub fn train(
    machinery: &Machinery,
    folder: &JobFolder,
    order: &TrainingOrder,
    listener: &mut dyn Listener,
) -> Result<TrainingOutcome, LaunchError> {
    let heard = Heard { listener, rows: usize::MAX, said: Said::default() };
    let (launcher, bounds) = (&machinery.launcher, machinery.launcher.limits.of_work(machinery.jobs));
    converse(launcher, folder, Assignment::Train(Box::new(order.clone())), bounds, heard)?.outcome.ok_or_else(silent)
}

/// Lets a worker search among architectures; the listener hears of the samples that were learned from.
pub fn search(
    machinery: &Machinery,
    folder: &JobFolder,
    order: &SupernetOrder,
    listener: &mut dyn Listener,
) -> Result<SupernetOutcome, LaunchError> {
    let heard = Heard { listener, rows: usize::MAX, said: Said::default() };
    let (launcher, bounds) = (&machinery.launcher, machinery.launcher.limits.of_work(machinery.jobs));
    converse(launcher, folder, Assignment::Search(Box::new(order.clone())), bounds, heard)?.search.ok_or_else(silent)
}

/// Lets a worker write the graph anew with its batch norms in evaluation mode, and gives the file, which is one of the
/// store.
pub fn mend(machinery: &Machinery, folder: &JobFolder, plan: NetworkPlan) -> Result<PathBuf, LaunchError> {
    let into = folder.path().join("mended.onnx");
    let bounds = machinery.launcher.limits.of_a_look(plan.bytes(), 0);
    ask(machinery, folder, Assignment::Mend(Box::new(plan), PortablePath(into.clone())), bounds)?;
    Ok(into)
}

/// Lets a worker write the graph of a model anew, to the file `into`, with the head of the file `head` on its features:
/// those of the plan's layers, side by side.
pub fn attach(machinery: &Machinery, plan: NetworkPlan, head: &Path, into: &Path) -> Result<Attached, LaunchError> {
    let key = Key::of(&[("what", "head"), ("model", &plan.digest), ("into", &into.to_string_lossy())]);
    let folder = machinery.store.job(&key)?;
    let bounds = machinery.launcher.limits.of_a_look(plan.bytes().saturating_add(bytes_of([head])), 0);
    let assignment = Assignment::Attach {
        plan: Box::new(plan),
        runtime: RuntimeChoice::clone(&machinery.runtime),
        head: PortablePath(head.to_owned()),
        into: PortablePath(into.to_owned()),
    };
    ask(machinery, &folder, assignment, bounds)?.attached.ok_or_else(silent)
}

/// Gives a worker something to do that has no rows.
fn ask(machinery: &Machinery, folder: &JobFolder, assignment: Assignment, bounds: Bounds) -> Result<Said, LaunchError> {
    let heard = Heard { listener: &mut Deaf, rows: 0, said: Said::default() };
    converse(&machinery.launcher, folder, assignment, bounds, heard)
}

fn silent() -> LaunchError {
    LaunchError::Died("ended without a word".to_owned())
}

/// What a worker said.
struct Heard<'a> {
    listener: &'a mut dyn Listener,
    /// Rows that it may still report.
    rows: usize,
    said: Said,
}

/// What a worker said of what it works with, and of what it found.
#[derive(Default)]
struct Said {
    description: Option<Description>,
    tokens: Option<TokenCounts>,
    anatomy: Option<Anatomy>,
    behaviour: Option<Behaviour>,
    outcome: Option<TrainingOutcome>,
    search: Option<SupernetOutcome>,
    attached: Option<Attached>,
}

impl Heard<'_> {
    fn take_in(&mut self, line: &[u8], bounds: Bounds) -> Result<(), LaunchError> {
        match serde_json::from_slice(line) {
            Ok(Message::Ready(found)) if found.is_sound() => self.said.description = Some(found.mapped(&printable)),
            Ok(Message::Tokens(found)) => self.said.tokens = Some(found),
            Ok(Message::Anatomy(found)) => self.said.anatomy = Some(*found),
            Ok(Message::Behaviour(found)) => self.said.behaviour = Some(*found),
            Ok(Message::Trained(found)) => self.said.outcome = Some(*found),
            Ok(Message::Searched(found)) => self.said.search = Some(*found),
            Ok(Message::Attached(found)) => self.said.attached = Some(found),
            Ok(Message::Alive) => {}
            Ok(Message::Rows(count)) => {
                let count = count.min(self.rows);
                self.rows -= count;
                self.listener.rows(count);
            }
            Ok(Message::Failed(reason)) => return Err(of_model(&reason, bounds)),
            Ok(Message::Ready(_)) | Err(_) => {
                return Err(LaunchError::Died("said something that is not understood, and was stopped".to_owned()));
            }
        }
        Ok(())
    }
}

/// Starts a worker, listens to it and makes sense of its end.
fn converse(
    launcher: &Launcher,
    folder: &JobFolder,
    assignment: Assignment,
    bounds: Bounds,
    mut heard: Heard,
) -> Result<Said, LaunchError> {
    let order = folder.write_order(&Commission { memory: bounds.memory, assignment })?;
    let mut child = start(&launcher.program, &order).map_err(LaunchError::Start)?;
    let words = child.stderr.take().map(|stderr| std::thread::spawn(move || last_words(stderr)));
    let listened = listen(&mut child, launcher.stop, bounds, &mut heard);
    if listened.is_err() {
        // It may be gone already; there is nothing else to do about a process that can't be killed.
        let _ = child.kill();
    }
    let status = child.wait().map_err(LaunchError::Start)?;
    let words = words.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if listened.is_ok() && status.success() {
        // Asked to stop or not: it had nothing left to do.
        return Ok(heard.said);
    }
    if launcher.stop.load(Ordering::Relaxed) {
        return Err(LaunchError::Interrupted);
    }
    Err(listened.err().unwrap_or_else(|| of_process(status, &words, bounds)))
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
    let folder = machinery.store.job(&key)?;
    let bounds = machinery.launcher.limits.of_a_look(extractor.bytes(), 0);
    ask(machinery, &folder, Assignment::Features(Box::new(order)), bounds)?.description.ok_or_else(silent)
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
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// Listens until the worker has no more to say, or has to be stopped.
fn listen(child: &mut Child, stop: &AtomicBool, bounds: Bounds, heard: &mut Heard) -> Result<(), LaunchError> {
    let (Some(stdout), Some(mut leash)) = (child.stdout.take(), child.stdin.take()) else { return Ok(()) };
    let lines = lines_of(stdout);
    let (mut silence, mut told) = (Duration::ZERO, false);
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                silence = Duration::ZERO;
                heard.take_in(&line, bounds)?;
            }
            // Ticks are counted, not the clock read: while the whole program is held up, a worker can't make progress.
            Err(RecvTimeoutError::Timeout) => silence += TICK,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if silence > bounds.silence {
            return Err(LaunchError::Time(bounds.silence));
        }
        if stop.load(Ordering::Relaxed) && !told {
            if heard.said.description.is_none() {
                // No block is begun yet.
                return Err(LaunchError::Interrupted);
            }
            // A worker that can't be told is at its end.
            let _ = leash.write_all(b"\n");
            told = true;
        }
    }
}

/// The lines of a worker, up to the longest that is read, as they come.
fn lines_of(stdout: ChildStdout) -> Receiver<Vec<u8>> {
    let (sender, lines) = mpsc::sync_channel(WAITING_LINES);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        loop {
            let mut line = vec![];
            let count = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).unwrap_or(0);
            if count == 0 || sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
