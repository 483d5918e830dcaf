//! Training as a worker's work: what is ordered, what comes of it, and the two sides that meet.
//!
//! The worker reads the samples and prepares them ([`Examples`]); whoever owns trainable networks trains on them
//! ([`Trainer`]). Everything that a run needs to go on after it was killed stands in its folder of the store.
//!
//! ```text
//! TrainingOrder ─► worker: Samples ─► Batch ─► Trainer ─► model.safetensors, outputs.safetensors, TrainingOutcome
//!                                               │  ▲
//!                                               ▼  │
//!                                            checkpoint
//! ```

mod alteration;
mod examples;
pub mod proof;
mod recipe;
mod supernet;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

pub use alteration::{Alteration, Mode, Reinitialisation};
pub use examples::{Examples, Prepared, prepare, prepare_pictures};
pub use proof::Proof;
pub use recipe::{Freeze, Norms, Optimizer, Recipe, Start};
pub use supernet::{OneShot, PathPer, Skeleton, SkeletonKind, SupernetOrder, SupernetOutcome, folder_of, name_of};

use super::SampleFiles;
use super::onnx::ModelError;
use super::order::{NetworkPlan, PortablePath};
use super::runtime::NativeBytes;
use crate::base::{Seed, path_text};

/// The trained weights, in the folder of a run.
pub const WEIGHTS: &str = "model.safetensors";
/// The network as an ONNX file, in the folder of a run.
pub const GRAPH: &str = "model.onnx";
/// The outputs for the judged rows, in the folder of a run: one tensor `outputs`, rows × outputs.
pub const OUTPUTS: &str = "outputs.safetensors";

/// A network to be trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingOrder {
    /// The network, in its native form.
    pub plan: NetworkPlan,
    /// All samples: those to learn from, to stop by, and to judge.
    pub samples: SampleFiles,
    /// What is right for each sample; of the judged ones it is not looked at.
    pub answers: Answers,
    /// Rows to learn from.
    pub training: Vec<usize>,
    /// Rows that say when to stop, and which weights are kept; if there are none, the last step's weights are kept.
    pub validation: Vec<usize>,
    /// Rows whose outputs are wanted.
    pub judged: Vec<usize>,
    /// How to train.
    pub recipe: Recipe,
    /// Fixes the order of the samples and what starts at random.
    pub seed: Seed,
    /// Threads to use; the result does not depend on them.
    pub threads: usize,
    /// What of the trained network is wanted.
    pub keeps: Keeps,
    /// Where checkpoints and results go: a folder of the store.
    #[serde(with = "path_text")]
    pub folder: PathBuf,
}

/// What of a trained network is wanted beside what it says of the judged rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeps {
    /// Nothing.
    Outputs,
    /// Its weights.
    Weights,
    /// Its weights, and the network as a graph that others run.
    Graph,
}

/// What is right for each sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    /// One class each.
    Classes {
        /// The class of each sample.
        index: Vec<u32>,
        /// How many classes there are.
        count: usize,
    },
    /// Several labels each: zeros and ones, row after row.
    Labels {
        /// The labels.
        values: Vec<f32>,
        /// Labels of a sample.
        width: usize,
    },
    /// Numbers, row after row.
    Numbers {
        /// The numbers.
        values: Vec<f32>,
        /// Numbers of a sample.
        width: usize,
    },
}

impl Answers {
    /// Outputs of the head.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { count, .. } => *count,
            Self::Labels { width, .. } | Self::Numbers { width, .. } => *width,
        }
    }
}

/// A term beside the loss: B-Tuning (You et al., JMLR 2022, arXiv:2110.10545, §5): the student's features, read by its
/// own posterior mean, are to predict what its teachers predict together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Teachers {
    /// A file with two tensors: `projection`, outputs × dim, the student's posterior mean; and `predictions`, samples ×
    /// outputs, the teachers' weighted predictions.
    pub file: PortablePath,
    /// The term's weight.
    pub weight: f64,
}

/// Some samples as a network takes them in.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// Pictures of one size.
    Pictures {
        /// Height and width.
        size: [usize; 2],
        /// Picture after picture, each 3 × height × width.
        values: Vec<f32>,
    },
    /// Texts.
    Texts {
        /// Their tokens.
        tokens: Vec<super::text::TokenIds>,
        /// The share of each token in a text's features.
        shares: Vec<Vec<f32>>,
    },
}

/// How well it went at one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Checkup {
    /// Steps so far.
    pub step: usize,
    /// The mean loss on the rows learned from since the last checkup; `None` before the first step.
    pub training_loss: Option<f64>,
    /// The mean loss on the validation rows.
    pub validation_loss: f64,
    /// Of classes and labels the share of right ones, of numbers minus the loss.
    pub validation_score: f64,
}

/// A block of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockFacts {
    /// Its name.
    pub name: String,
    /// Blocks of one kind have parameters of the same shapes and can change places.
    pub kind: usize,
    /// Width of what it takes.
    pub into: usize,
    /// Width of what it gives.
    pub out: usize,
}

/// What came of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingOutcome {
    /// Steps that were made.
    pub steps: usize,
    /// The step whose weights were kept.
    pub kept_step: usize,
    /// Whether it ended before its last step, because the validation rows got no better.
    pub stopped_early: bool,
    /// The checkups.
    pub curve: Vec<Checkup>,
    /// Numbers that were trained.
    pub trained_parameters: usize,
    /// Parameters (tensors) that differ from what the training began with.
    pub changed_tensors: usize,
    /// Rows that can't be read, with the reason.
    pub unreadable: Vec<(usize, String)>,
    /// What was shown of the weights before and after the training; nothing by runs of older versions.
    #[serde(default)]
    pub proof: Proof,
    /// The blocks of the network.
    #[serde(default)]
    pub blocks: Vec<BlockFacts>,
    /// Whether the network can be written as a graph ([`Keeps::Graph`]).
    #[serde(default)]
    pub can_be_graph: bool,
    /// What the head and the features are called in the graph, if one was written.
    #[serde(default)]
    pub named_in_graph: Option<[String; 2]>,
    /// Tokens that 95% of the rows learned from do not exceed; `None` for pictures.
    #[serde(default)]
    pub usual_tokens: Option<usize>,
    /// Seconds of wall-clock time of the steps and checkups, over all runs that contributed.
    pub seconds: f64,
}

/// Somebody who follows a training.
pub trait Watch: Sync {
    /// So many more samples were learned from.
    fn learned(&self, samples: usize);
}

/// Trains networks of its own.
pub trait Trainer: Sync {
    /// Trains a network and leaves its weights and outputs in the order's folder. Goes on from the checkpoint that is
    /// there. Once `stop` is set it leaves a checkpoint and ends with [`ModelError::Stopped`].
    fn train(
        &self,
        order: &TrainingOrder,
        network: &NativeBytes,
        examples: &dyn Examples,
        watch: &dyn Watch,
        stop: &AtomicBool,
    ) -> Result<TrainingOutcome, ModelError>;

    /// Searches among architectures that share their weights. Goes on from the checkpoint in the order's folder, and ends
    /// like [`Trainer::train`] once `stop` is set.
    fn search(
        &self,
        order: &SupernetOrder,
        examples: &dyn Examples,
        watch: &dyn Watch,
        stop: &AtomicBool,
    ) -> Result<SupernetOutcome, ModelError>;
}
