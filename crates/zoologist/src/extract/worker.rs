//! The worker: one process, one extractor, some rows.
//!
//! It reads its [`Order`] from a file, says what it is and how far it has come as JSON lines on its output, and writes
//! blocks to the store. Threads take rows in order; the main thread gathers them into blocks.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};

use super::baseline;
use super::network::{self, Network};
use super::onnx::ModelError;
use super::order::{Description, Extractor, Order, RuntimeChoice, SampleFiles};
use super::picture::{self, Rgb};
use super::runtime::Runtime;
use crate::base::{Fail, Fault};
use crate::data::{PictureReader, PictureSource, RawPicture};
use crate::store::{Block, JobFolder, RowFailure, Store};

/// A line on a worker's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The extractor is ready.
    Ready(Description),
    /// So many more rows are done.
    Rows(usize),
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
}

impl Fail for WorkerError {
    fn fault(&self) -> Fault {
        match self {
            Self::Model(error) => error.fault(),
            Self::NotFinite(_) => Fault::Input,
            Self::Store(error) => error.fault(),
            Self::Order(_) | Self::Unheard => Fault::Internal,
        }
    }
}

/// How the worker gets a runtime.
pub type OpenRuntime<'a> = &'a dyn Fn(&RuntimeChoice) -> Result<Box<dyn Runtime>, ModelError>;

/// Does what the order in this file says.
pub fn run(order: &Path, open_runtime: OpenRuntime, mut out: impl Write) -> Result<(), WorkerError> {
    let unreadable = |error: &dyn std::fmt::Display| WorkerError::Order(error.to_string());
    let bytes = std::fs::read(order).map_err(|error| unreadable(&error))?;
    let order: Order = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
    let folder = Store::with_root(order.store_root.clone()).job(&order.key)?;
    let mut say = |message: &Message| say(&mut out, message);
    let result = extract(&order, &folder, open_runtime, &mut say);
    if let Err(error @ (WorkerError::Model(_) | WorkerError::NotFinite(_))) = &result {
        say(&Message::Failed(error.to_string()))?;
        return Ok(());
    }
    result
}

fn say(out: &mut impl Write, message: &Message) -> Result<(), WorkerError> {
    let mut line = serde_json::to_vec(message).map_err(|error| WorkerError::Order(error.to_string()))?;
    line.push(b'\n');
    out.write_all(&line).and_then(|()| out.flush()).map_err(|_| WorkerError::Unheard)
}

type Say<'a> = &'a mut dyn FnMut(&Message) -> Result<(), WorkerError>;

fn extract(order: &Order, folder: &JobFolder, open_runtime: OpenRuntime, say: Say) -> Result<(), WorkerError> {
    let (description, machines) = machines(order, open_runtime)?;
    let dim = description.dim;
    say(&Message::Ready(description))?;
    let rows: Vec<usize> = order.blocks.iter().flat_map(Clone::clone).collect();
    let SampleFiles::Pictures { root, pictures } = &order.samples else {
        return Err(WorkerError::Order("texts are not read yet".to_owned()));
    };
    let reader = PictureReader::new(root);
    let (next, broken) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(4 * machines.len());
    std::thread::scope(|scope| {
        for mut machine in machines {
            let (sender, rows, reader, next, broken) = (sender.clone(), &rows, &reader, &next, &broken);
            scope.spawn(move || {
                while !broken.load(Ordering::Relaxed) {
                    let Some(&row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let found = machine.features(reader, &pictures[row]);
                    broken.fetch_or(matches!(found, Err(Unusable::Model(_))), Ordering::Relaxed);
                    if sender.send((row, found)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let gathered = Gathering::new(order, dim).all(receiver, folder, say);
        broken.store(true, Ordering::Relaxed);
        gathered
    })
}

/// Why there are no features for a row.
enum Unusable {
    /// The picture can't be read: the row is skipped.
    Picture(String),
    /// The model can't go on.
    Model(WorkerError),
}

type Found = (usize, Result<Vec<f32>, Unusable>);

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
        for (row, features) in found {
            if let Some(block) = self.take(row, features) {
                folder.write_block(&block)?;
                say(&Message::Rows(block.rows()))?;
            }
        }
        self.failure.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    /// Puts a row into its block, and gives the block when it is full.
    fn take(&mut self, row: usize, features: Result<Vec<f32>, Unusable>) -> Option<Block> {
        let place = self.order.blocks.partition_point(|block| block.end <= row);
        let range: &Range<usize> = self.order.blocks.get(place)?;
        let dim = self.dim;
        let open = self.open.entry(place).or_insert_with(|| OpenBlock {
            block: Block { first: range.start as u64, dim, values: vec![0.0; range.len() * dim], failures: vec![] },
            missing: range.len(),
        });
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
    Network(Network, usize),
    Pixels,
    ColourHistogram,
}

fn machines(order: &Order, open_runtime: OpenRuntime) -> Result<(Description, Vec<Machine>), WorkerError> {
    let (plan, permuted) = match &order.extractor {
        Extractor::Network(plan) => (plan, None),
        Extractor::PermutedNetwork(plan, seed) => (plan, Some(*seed)),
        Extractor::Pixels => return Ok((baseline::pixels_description(), each(order, || Machine::Pixels))),
        Extractor::ColourHistogram => {
            return Ok((baseline::colour_histogram_description(), each(order, || Machine::ColourHistogram)));
        }
    };
    let runtime = open_runtime(&order.runtime)?;
    let (description, networks) = network::load(plan, permuted, &*runtime, order.threads)?;
    let machines = networks.into_iter().map(|network| Machine::Network(network, description.dim)).collect();
    Ok((description, machines))
}

fn each(order: &Order, machine: impl Fn() -> Machine) -> Vec<Machine> {
    (0..order.threads).map(|_| machine()).collect()
}

impl Machine {
    fn features(&mut self, reader: &PictureReader, sample: &PictureSource) -> Result<Vec<f32>, Unusable> {
        let picture = decoded(reader, sample).map_err(Unusable::Picture)?;
        let features = match self {
            Self::Network(network, dim) => {
                let found = network.features(&picture).map_err(|error| Unusable::Model(error.into()))?;
                if found.len() != *dim {
                    let reason = format!("it gave {} numbers for one picture and {dim} for another", found.len());
                    return Err(Unusable::Model(ModelError::Unfit(reason).into()));
                }
                found
            }
            Self::Pixels => baseline::pixels(&picture).map_err(|error| Unusable::Picture(error.to_string()))?,
            Self::ColourHistogram => baseline::colour_histogram(&picture),
        };
        if features.iter().all(|value| value.is_finite()) {
            return Ok(features);
        }
        Err(Unusable::Model(WorkerError::NotFinite(sample.to_string())))
    }
}

fn decoded(reader: &PictureReader, sample: &PictureSource) -> Result<Rgb, String> {
    match reader.read(sample).map_err(|error| error.to_string())? {
        RawPicture::Encoded(bytes) => picture::decode(&bytes).map_err(|error| error.to_string()),
        RawPicture::Pixels { width, height, channels, bytes } => {
            let picture =
                if channels == 1 { Rgb::from_grey(width, height, &bytes) } else { Rgb::new(width, height, bytes) };
            picture.ok_or_else(|| "no pixels".to_owned())
        }
    }
}
