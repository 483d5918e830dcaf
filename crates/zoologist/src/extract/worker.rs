//! The worker: one process, one extractor, some rows.
//!
//! It reads its [`Order`] from a file, says what it is and how far it has come as JSON lines on its output, and writes
//! blocks to the store. Threads take rows in order; the main thread gathers them into blocks.

mod leash;
mod train;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use leash::hear;

use super::SampleFiles;
use super::anatomy::{self, Anatomy};
use super::attach::attach;
use super::baseline;
use super::behaviour::{self, Behaviour};
use super::limits;
use super::network::{self, Network};
use super::onnx::ModelError;
use super::order::{
    Assignment, Attached, Commission, Description, Disturbance, Extractor, NetworkPlan, Order, RuntimeChoice,
    TokenOrder,
};
use super::picture;
use super::queue::Queue;
use super::runtime::Runtime;
use super::sample_files::decoded;
use super::text::tfidf::{self, TfIdf};
use super::text::{self, BlockFeatures, Embeddings, Encoder, TokenCounts, load_encoder};
use super::training::{SupernetOutcome, TrainingOutcome};
use crate::base::{Fail, Fault};
use crate::data::{PictureReader, PictureSource, RawPicture};
use crate::store::{self, Block, JobFolder, RowFailure, Store, Text, Texts};
use crate::zoo::{Form, ModelInput};

/// A worker that gets somewhere says so this often, even if no block is full.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// A line on a worker's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The extractor is ready.
    Ready(Description),
    /// So many more rows are done.
    Rows(usize),
    /// Some rows are done, but no block of them.
    Alive,
    /// The tokens are counted.
    Tokens(TokenCounts),
    /// What the files of a model hold.
    Anatomy(Box<Anatomy>),
    /// How a network behaves.
    Behaviour(Box<Behaviour>),
    /// A network is trained.
    Trained(Box<TrainingOutcome>),
    /// A search among architectures has ended.
    Searched(Box<SupernetOutcome>),
    /// A graph is written with a head on it.
    Attached(Attached),
    /// The extractor can't be used.
    Failed(String),
}

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The order can't be read: a fault of the parent.
    #[error("the worker's order is unreadable: {0}")]
    Order(String),
    /// The model failed.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// The features of a picture are not numbers.
    #[error("the features of `{0}` are NaN or infinite: the model's numerics are broken for it")]
    NotFinite(String),
    /// The store refused.
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    /// The parent is gone.
    #[error("nobody listens to the worker")]
    Unheard,
    /// The system doesn't let the worker bind itself.
    #[error("can't limit what the worker may use: {0}")]
    Unbound(std::io::Error),
    /// It was asked to end.
    #[error("stopped before its work was done")]
    Stopped,
}

impl Fail for WorkerError {
    fn fault(&self) -> Fault {
        match self {
            Self::Model(error) => error.fault(),
            Self::NotFinite(_) => Fault::Input,
            Self::Store(error) => error.fault(),
            Self::Order(_) | Self::Unheard => Fault::Internal,
            Self::Unbound(_) => Fault::Environment,
            Self::Stopped => Fault::Interrupted,
        }
    }
}

/// How the worker gets a runtime.
pub type OpenRuntime<'a> = &'a dyn Fn(&RuntimeChoice) -> Result<Box<dyn Runtime>, ModelError>;

/// Does what the order in this file says. Once `stop` is set, no more blocks are begun.
pub fn run(
    order: &Path,
    open_runtime: OpenRuntime,
    mut out: impl Write + Send,
    stop: &AtomicBool,
) -> Result<(), WorkerError> {
    let Commission { memory, assignment } = store::read_order(order)?;
    limits::bind(memory, assignment.largest_file()).map_err(WorkerError::Unbound)?;
    let mut say = |message: &Message| say(&mut out, message);
    let result = match &assignment {
        Assignment::Features(order) => {
            let folder = Store::with_root(order.store_root.clone()).job(&order.key)?;
            extract(order, &folder, open_runtime, &mut say, stop)
        }
        Assignment::Tokens(order) => count_tokens(order, &mut say),
        Assignment::Look(order) => {
            anatomy::look(order).map_err(WorkerError::from).and_then(|found| say(&Message::Anatomy(Box::new(found))))
        }
        Assignment::Mend(plan, into) => {
            anatomy::in_evaluation_mode(plan).map_err(WorkerError::from).and_then(|bytes| write(&into.0, &bytes))
        }
        Assignment::Train(order) => train::train(order, open_runtime, &mut say, stop),
        Assignment::Search(order) => train::search(order, open_runtime, &mut say, stop),
        Assignment::Attach { plan, runtime, head, into } => open_runtime(runtime)
            .and_then(|runtime| attach(plan, &head.0, &*runtime))
            .map_err(WorkerError::from)
            .and_then(|(bytes, names)| write(&into.0, &bytes).and_then(|()| say(&Message::Attached(names)))),
        Assignment::Observe(order) => behaviour::observe(order, open_runtime)
            .map_err(WorkerError::from)
            .and_then(|found| say(&Message::Behaviour(Box::new(found)))),
    };
    if let Err(error @ (WorkerError::Model(_) | WorkerError::NotFinite(_))) = &result {
        say(&Message::Failed(error.to_string()))?;
        return Ok(());
    }
    result
}

fn count_tokens(order: &TokenOrder, say: Say) -> Result<(), WorkerError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(order.threads).build();
    let pool = pool.map_err(|error| WorkerError::Order(error.to_string()))?;
    let counts = pool.install(|| text::count(order, &order.settings))?;
    say(&Message::Tokens(counts))
}

fn write(into: &Path, bytes: &[u8]) -> Result<(), WorkerError> {
    Ok(store::write_whole(into, |file| file.write_all(bytes))?)
}

fn say(out: &mut impl Write, message: &Message) -> Result<(), WorkerError> {
    let mut line = serde_json::to_vec(message).map_err(|error| WorkerError::Order(error.to_string()))?;
    line.push(b'\n');
    out.write_all(&line).and_then(|()| out.flush()).map_err(|_| WorkerError::Unheard)
}

type Say<'a> = &'a mut dyn FnMut(&Message) -> Result<(), WorkerError>;

fn extract(
    order: &Order,
    folder: &JobFolder,
    open_runtime: OpenRuntime,
    say: Say,
    stop: &AtomicBool,
) -> Result<(), WorkerError> {
    let samples = Samples::open(order)?;
    let (description, machines) = machines(order, &samples, open_runtime)?;
    let dim = description.dim;
    say(&Message::Ready(description))?;
    let queue = Queue::new(samples.units(&order.blocks), &order.blocks, stop);
    // A unit of texts is a whole block: a thread waits until it is taken, so that a kill loses one per thread and no more.
    let waiting = if matches!(samples, Samples::Pictures(..)) { 4 * machines.len() } else { 0 };
    let (sender, receiver) = mpsc::sync_channel(waiting);
    std::thread::scope(|scope| {
        for mut machine in machines {
            let (sender, samples, queue) = (sender.clone(), &samples, &queue);
            scope.spawn(move || {
                while let Some(unit) = queue.take() {
                    let found = samples.features(unit, &mut machine, dim);
                    if found.failed() {
                        queue.close();
                    }
                    if sender.send(found).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let gathered = Gathering::new(order, dim).all(receiver, folder, say);
        queue.close();
        gathered
    })?;
    if queue.is_stopped() { Err(WorkerError::Stopped) } else { Ok(()) }
}

/// The samples of a job, read by several threads.
enum Samples<'a> {
    Pictures(PictureReader, &'a [PictureSource]),
    Texts(Texts, &'a str),
}

/// Some rows' features.
struct Found {
    first: usize,
    rows: Vec<Result<Vec<f32>, Unusable>>,
    truncated: usize,
}

impl Found {
    fn one(first: usize, features: Result<Vec<f32>, Unusable>) -> Self {
        Self { first, rows: vec![features], truncated: 0 }
    }

    fn failed(&self) -> bool {
        self.rows.iter().any(|row| matches!(row, Err(Unusable::Model(_))))
    }
}

impl<'a> Samples<'a> {
    fn open(order: &'a Order) -> Result<Self, WorkerError> {
        Ok(match &order.samples {
            SampleFiles::Pictures { root, pictures } => Self::Pictures(PictureReader::new(root), pictures),
            SampleFiles::Texts { file, origin, .. } => Self::Texts(Texts::open(file)?, origin),
        })
    }

    /// What a thread takes at a time: one picture, or a block of texts.
    fn units(&self, blocks: &[Range<usize>]) -> Vec<Range<usize>> {
        match self {
            Self::Pictures(..) => blocks.iter().flat_map(Clone::clone).map(|row| row..row + 1).collect(),
            Self::Texts(..) => blocks.to_vec(),
        }
    }

    fn features(&self, unit: &Range<usize>, machine: &mut Machine, dim: usize) -> Found {
        match self {
            Self::Pictures(reader, pictures) => {
                let source = &pictures[unit.start];
                let found = machine.of_picture(reader, source);
                Found::one(unit.start, found.and_then(|found| sound(found, dim, &|| source.to_string())))
            }
            Self::Texts(texts, origin) => match block_of_texts(texts, unit, machine) {
                Ok(block) => Found {
                    first: unit.start,
                    rows: block
                        .features
                        .into_iter()
                        .zip(unit.clone())
                        .map(|(found, row)| sound(found, dim, &|| format!("{origin}, sample {row} of the order")))
                        .collect(),
                    truncated: block.truncated,
                },
                Err(error) => Found::one(unit.start, Err(Unusable::Model(error))),
            },
        }
    }
}

fn block_of_texts(texts: &Texts, unit: &Range<usize>, machine: &mut Machine) -> Result<BlockFeatures, WorkerError> {
    let block = unit.clone().map(|row| texts.read(row)).collect::<Result<Vec<Text>, _>>()?;
    machine.of_texts(&block)
}

/// Features of the right width that are all numbers.
fn sound(features: Vec<f32>, dim: usize, name: &dyn Fn() -> String) -> Result<Vec<f32>, Unusable> {
    if features.len() != dim {
        let reason = format!("it gave {} numbers for one sample and {dim} for another", features.len());
        return Err(Unusable::Model(ModelError::Unfit(reason).into()));
    }
    if features.iter().all(|value| value.is_finite()) {
        return Ok(features);
    }
    Err(Unusable::Model(WorkerError::NotFinite(name())))
}

/// Why there are no features for a row.
enum Unusable {
    /// The picture can't be read: the row is skipped.
    Picture(String),
    /// The model can't go on.
    Model(WorkerError),
}

/// Rows on their way into blocks.
struct Gathering<'a> {
    order: &'a Order,
    dim: usize,
    open: BTreeMap<usize, OpenBlock>,
    /// The first row, in order, whose model failed: which thread met a failure first must not matter.
    failure: Option<(usize, WorkerError)>,
}

struct OpenBlock {
    block: Block,
    missing: usize,
}

impl<'a> Gathering<'a> {
    fn new(order: &'a Order, dim: usize) -> Self {
        Self { order, dim, open: BTreeMap::new(), failure: None }
    }

    /// Takes in rows until no thread gives any more. The receiver goes with it, so that no thread waits for a dead one.
    fn all(mut self, found: mpsc::Receiver<Found>, folder: &JobFolder, say: Say) -> Result<(), WorkerError> {
        let mut said = Instant::now();
        for Found { first, rows, truncated } in found {
            let mut remark = truncated as u64;
            for (features, row) in rows.into_iter().zip(first..) {
                if let Some(block) = self.take(row, features, std::mem::take(&mut remark)) {
                    folder.write_block(&block)?;
                    say(&Message::Rows(block.rows()))?;
                }
            }
            if said.elapsed() > SIGN_OF_LIFE {
                say(&Message::Alive)?;
                said = Instant::now();
            }
        }
        self.failure.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    /// Puts a row into its block, and gives the block when it is full.
    fn take(&mut self, row: usize, features: Result<Vec<f32>, Unusable>, truncated: u64) -> Option<Block> {
        let place = self.order.blocks.partition_point(|block| block.end <= row);
        let range: &Range<usize> = self.order.blocks.get(place)?;
        let dim = self.dim;
        let open = self.open.entry(place).or_insert_with(|| OpenBlock {
            block: Block {
                first: range.start as u64,
                dim,
                values: vec![0.0; range.len() * dim],
                failures: vec![],
                truncated: 0,
            },
            missing: range.len(),
        });
        open.block.truncated += truncated;
        match features {
            Ok(features) => {
                let start = (row - range.start) * dim;
                open.block.values[start..start + dim].copy_from_slice(&features);
            }
            Err(Unusable::Picture(reason)) => open.block.failures.push(RowFailure { row: row as u64, reason }),
            Err(Unusable::Model(error)) => {
                if self.failure.as_ref().is_none_or(|(first, _)| row < *first) {
                    self.failure = Some((row, error));
                }
                return None;
            }
        }
        open.missing -= 1;
        if open.missing > 0 {
            return None;
        }
        let mut block = self.open.remove(&place)?.block;
        block.failures.sort_by_key(|failure| failure.row);
        Some(block)
    }
}

/// An extractor on one thread.
enum Machine {
    Network(Box<Network>),
    Encoder(Encoder),
    Embeddings(Embeddings),
    TfIdf(Arc<TfIdf>),
    TextLength,
    Pixels,
    PerceptualHash,
    ColourHistogram,
    Constant,
}

type Ready = (Description, Vec<Machine>);

fn machines(order: &Order, samples: &Samples, open_runtime: OpenRuntime) -> Result<Ready, WorkerError> {
    let described = |dim, words: &str| Description::of_last(dim, words.to_owned(), None, Some(0));
    match &order.extractor {
        Extractor::Network(plan) => networks(order, plan, None, open_runtime),
        Extractor::PermutedNetwork(plan, seed) => {
            networks(order, plan, Some(Disturbance::Permuted(*seed)), open_runtime)
        }
        Extractor::RoundedNetwork(plan, precision) => {
            networks(order, plan, Some(Disturbance::Rounded(*precision)), open_runtime)
        }
        Extractor::PerceptualHash => {
            Ok((baseline::perceptual_hash_description(), each(order, || Machine::PerceptualHash)))
        }
        Extractor::Pixels => Ok((baseline::pixels_description(), each(order, || Machine::Pixels))),
        Extractor::ColourHistogram => {
            Ok((baseline::colour_histogram_description(), each(order, || Machine::ColourHistogram)))
        }
        Extractor::TfIdf { fitted_on, .. } => {
            let fitted = Arc::new(match samples {
                Samples::Texts(texts, _) if texts.path() == fitted_on => TfIdf::fit(texts)?,
                _ => TfIdf::fit(&Texts::open(fitted_on)?)?,
            });
            let words = "hashed words, pairs of words and groups of letters (TF-IDF)";
            Ok((described(TfIdf::DIM, words), each(order, || Machine::TfIdf(Arc::clone(&fitted)))))
        }
        Extractor::TextLength => {
            Ok((described(2, "numbers of letters and words, as logarithms"), each(order, || Machine::TextLength)))
        }
        Extractor::Constant => {
            Ok((described(1, "the same number for every sample"), each(order, || Machine::Constant)))
        }
    }
}

fn networks(
    order: &Order,
    plan: &NetworkPlan,
    disturbed: Option<Disturbance>,
    open_runtime: OpenRuntime,
) -> Result<Ready, WorkerError> {
    if let (Form::Static, ModelInput::Texts(settings)) = (&plan.form, &plan.input) {
        let (description, table) = Embeddings::load(plan, settings, disturbed)?;
        return Ok((description, each(order, || Machine::Embeddings(table.clone()))));
    }
    let runtime = open_runtime(order.runtime.as_ref().unwrap_or(&RuntimeChoice::Rten))?;
    Ok(match &plan.input {
        ModelInput::Pictures(preprocessing) => {
            let (description, networks) = network::load(plan, preprocessing, disturbed, &*runtime, order.threads)?;
            (description, networks.into_iter().map(|network| Machine::Network(Box::new(network))).collect())
        }
        ModelInput::Texts(settings) => {
            let (description, mut encoders) = load_encoder(plan, settings, disturbed, &*runtime, order.threads)?;
            if let Some(first) = encoders.first_mut()
                && !first.gives_numbers()?
            {
                return Err(unfit("its features of the text \"a\" are NaN or infinite"));
            }
            (description, encoders.into_iter().map(Machine::Encoder).collect())
        }
    })
}

fn each(order: &Order, machine: impl Fn() -> Machine) -> Vec<Machine> {
    (0..order.threads).map(|_| machine()).collect()
}

impl Machine {
    fn of_picture(&mut self, reader: &PictureReader, source: &PictureSource) -> Result<Vec<f32>, Unusable> {
        let picture = decoded(reader, source).map_err(Unusable::Picture)?;
        match self {
            Self::Network(network) => network.features(&picture).map_err(|error| Unusable::Model(error.into())),
            Self::Pixels => baseline::pixels(&picture).map_err(|error| Unusable::Picture(error.to_string())),
            Self::PerceptualHash => {
                let turned = reader.read(source).is_ok_and(|raw| match raw {
                    RawPicture::Encoded(bytes) => picture::is_turned(&bytes),
                    RawPicture::Pixels { .. } => false,
                });
                baseline::perceptual_hash(&picture, turned).map_err(|error| Unusable::Picture(error.to_string()))
            }
            Self::ColourHistogram => Ok(baseline::colour_histogram(&picture)),
            Self::Constant => Ok(vec![1.0]),
            Self::Encoder(_) | Self::Embeddings(_) | Self::TfIdf(_) | Self::TextLength => {
                Err(Unusable::Model(unfit("it reads texts, and the samples are pictures")))
            }
        }
    }

    fn of_texts(&mut self, texts: &[Text]) -> Result<BlockFeatures, WorkerError> {
        let each = |features: &dyn Fn(&Text) -> Vec<f32>| BlockFeatures {
            features: texts.iter().map(features).collect(),
            truncated: 0,
        };
        Ok(match self {
            Self::Encoder(encoder) => encoder.features(texts)?,
            Self::Embeddings(table) => table.features(texts)?,
            Self::TfIdf(fitted) => each(&|text| fitted.features(text)),
            Self::TextLength => each(&tfidf::lengths),
            Self::Constant => each(&|_| vec![1.0]),
            Self::Network(_) | Self::Pixels | Self::PerceptualHash | Self::ColourHistogram => {
                return Err(unfit("it takes pictures, and the samples are texts"));
            }
        })
    }
}

fn unfit(reason: &str) -> WorkerError {
    ModelError::Unfit(reason.to_owned()).into()
}
