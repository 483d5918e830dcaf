//! Options of `tune` and `predict`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zoologist::extract::training::{Norms, Optimizer};
use zoologist::rank::tuning::{Settings, Way};

use super::{DataOptions, PoolingName, RuntimeName};
use crate::limits::LimitOptions;

/// Options of `tune`.
#[derive(Args)]
pub struct Tune {
    /// A model folder, an .onnx file with its sidecar, or a name in the Hugging Face hub
    pub model: PathBuf,
    /// A labelled data set, as for `rank`; a test split, or else a fifth, judges and is not learned from
    pub data: PathBuf,
    /// The way: probe, head, head2toe (the model stays as it is: any ONNX model); lp-ft, full, top:K, scratch, btune
    /// (the network itself learns: safetensors of a family that is built in)
    #[arg(long, value_name = "WAY")]
    pub how: Way,
    /// The folder to write: weights, settings, names of the labels, a card. It must not exist
    #[arg(long, short, value_name = "DIR", required_unless_present = "measure")]
    pub output: Option<PathBuf>,
    /// Write nothing: only train and judge
    #[arg(long, conflicts_with = "output")]
    pub measure: bool,
    /// Use a seeded, stratified sample of N (beside a test split, if there is one)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(10..))]
    pub samples: Option<u32>,
    /// The zoo of teachers for --how btune: the three best by LogME are taken
    #[arg(long, value_name = "ZOO")]
    pub teachers: Option<PathBuf>,
    /// What is set about the training
    #[command(flatten)]
    pub training: TrainingOptions,
    /// How the states of a text's tokens are pooled [default: as the model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// What runs ONNX models
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// What may be set about a training; what is not set goes by the number of samples.
#[derive(Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingOptions {
    /// The learning rate after the warm-up [default: 5e-5 for texts, 3e-3 for pictures]
    #[arg(long, value_name = "RATE", value_parser = super::positive)]
    pub learning_rate: Option<f64>,
    /// How many times that rate the head learns at [default: 10; 1 for lp-ft and scratch]
    #[arg(long, value_name = "TIMES", value_parser = super::positive)]
    pub head_factor: Option<f64>,
    /// Samples of a step [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub batch: Option<u16>,
    /// Steps [default: 500 below 20,000 samples, 10,000 below 500,000, 20,000 from there; fewer if they stop helping]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "epochs")]
    pub steps: Option<u32>,
    /// Passes through the samples, in place of steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// What turns gradients into steps [default: adamw for texts, sgd for pictures]
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<OptimizerName>,
    /// How batch norms behave [default: frozen; training from scratch]
    #[arg(long, value_name = "HOW")]
    pub batch_norms: Option<NormsName>,
    /// Looks at the validation samples in a row without progress after which the training ends [default: 10 of 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub patience: Option<u16>,
    /// Mirror pictures at random while learning: not for letters, digits and directions
    #[arg(long)]
    pub mirror: bool,
    /// The edge that pictures are brought to [default: the model's own]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(32..=1024))]
    pub size: Option<u32>,
    /// Tokens that texts are cut to [default: the model's own limit]
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(16..))]
    pub length: Option<u32>,
}

impl TrainingOptions {
    /// The same for the library.
    pub fn settings(&self) -> Settings {
        Settings {
            learning_rate: self.learning_rate,
            head_factor: self.head_factor,
            batch: self.batch.map(usize::from),
            steps: self.steps.map(|steps| steps as usize),
            epochs: self.epochs.map(|epochs| epochs as usize),
            optimizer: self.optimizer.map(|name| match name {
                OptimizerName::Adamw => Optimizer::Adamw,
                OptimizerName::Sgd => Optimizer::Sgd,
            }),
            norms: self.batch_norms.map(|name| match name {
                NormsName::Frozen => Norms::Frozen,
                NormsName::Training => Norms::Training,
            }),
            patience: self.patience.map(usize::from),
            mirror: self.mirror,
            size: self.size,
            length: self.length,
        }
    }
}

/// What turns gradients into steps.
#[derive(Clone, Copy, ValueEnum)]
pub enum OptimizerName {
    /// Adam with decoupled weight decay
    Adamw,
    /// Gradient descent with Nesterov's momentum
    Sgd,
}

/// How batch norms behave while the network learns.
#[derive(Clone, Copy, ValueEnum)]
pub enum NormsName {
    /// They use the statistics that came with the weights
    Frozen,
    /// They use the statistics of each batch, and keep running ones
    Training,
}

/// Options of `predict`.
#[derive(Args)]
pub struct Predict {
    /// A folder that `tune` wrote, or any model whose graph has a head
    pub model: PathBuf,
    /// Pictures or texts, labelled or not
    pub data: PathBuf,
    /// How the states of a text's tokens are pooled [default: as the model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// What runs ONNX models
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}
