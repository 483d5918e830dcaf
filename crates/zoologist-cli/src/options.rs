//! The command line, as types.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use zoologist::base::Task;
use zoologist::zoo::PRESETS;

/// Which pre-trained model should I use for my data? Answered without fine-tuning, with the evidence shown.
#[derive(Parser)]
#[command(name = "zoologist", version, max_term_width = 100)]
pub struct Options {
    /// What every command understands.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Args, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub struct Global {
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Fixes everything random
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Threads to use; the results do not depend on them [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Never use a network
    #[arg(long, global = true)]
    pub offline: bool,
    /// No progress and no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Samples and models that can't be used don't change the exit code
    #[arg(long, global = true)]
    pub skip_bad: bool,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Rank the models of a zoo for your labelled data: the main job
    Rank(Rank),
    /// Score features that you already have
    Score(Score),
    /// Write the features that a model gives for your pictures
    Extract(Extract),
    /// Say what a data set, a model, a zoo or a file of features is, or why it can't be used
    Inspect(Inspect),
    /// List, add or verify models
    #[command(subcommand)]
    Zoo(Zoo),
    /// Do the work of one child process
    #[command(hide = true)]
    Worker {
        /// The order
        order: PathBuf,
    },
}

/// Options of `rank`.
#[derive(Args)]
pub struct Rank {
    /// Labelled pictures: a folder per class, a folder with labels.csv or metadata.csv, or IDX files
    pub data: PathBuf,
    /// A folder of models, a zoo.toml, or one model
    #[arg(long, value_name = "ZOO")]
    pub zoo: Option<PathBuf>,
    /// The score that orders the models
    #[arg(long, default_value = "logme", value_name = "METRIC")]
    pub metric: String,
    /// Rank on a seeded, stratified sample of N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: Option<u32>,
    /// Also train a probe per model on part of the data, and judge the order by its accuracy on the rest
    #[arg(long, value_name = "KIND")]
    pub truth: Option<TruthKind>,
    /// Write a report that can be opened in any browser, offline
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// What runs the models
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
}

/// What counts as the truth.
#[derive(Clone, Copy, ValueEnum)]
pub enum TruthKind {
    /// The held-out accuracy of a logistic probe
    Probe,
}

/// What runs the models.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuntimeName {
    /// ONNX Runtime if its library is found, else rten
    Auto,
    /// The built-in runtime
    Rten,
    /// ONNX Runtime: its library is looked for in `ZOOLOGIST_ONNXRUNTIME`, `ORT_DYLIB_PATH` and the active Python
    Onnxruntime,
}

/// Options of `score`.
#[derive(Args)]
pub struct Score {
    /// n × d features: .npy, .npz, .safetensors or .parquet
    pub features: PathBuf,
    /// n labels: .npy, .npz, .parquet, .txt or .csv; left out if FEATURES is an .npz or .parquet that holds them
    pub labels: Option<PathBuf>,
    /// Scores to compute, by name, or all
    #[arg(long, default_value = "all", value_name = "all|a,b")]
    pub metrics: String,
    /// What is predicted
    #[arg(long, default_value = "auto", value_name = "TASK")]
    pub task: TaskName,
    /// Also give the 95% interval of each score
    #[arg(long)]
    pub interval: bool,
}

/// The task, or that it is to be detected.
#[derive(Clone, Copy, ValueEnum)]
pub enum TaskName {
    /// Detect it from the labels
    Auto,
    /// One class per sample
    Classification,
    /// Numbers
    Regression,
    /// Several yes/no labels
    Multilabel,
}

impl TaskName {
    /// The task that was asked for.
    pub fn task(self) -> Option<Task> {
        match self {
            Self::Auto => None,
            Self::Classification => Some(Task::Classification),
            Self::Regression => Some(Task::Regression),
            Self::Multilabel => Some(Task::Multilabel),
        }
    }
}

/// Options of `extract`.
#[derive(Args)]
pub struct Extract {
    /// A model folder, or an .onnx file with its sidecar
    pub model: PathBuf,
    /// Pictures, labelled or not
    pub data: PathBuf,
    /// Where the features go: .npy, one row per picture that could be read, in the order of the data set
    #[arg(long, short, value_name = "FILE.npy")]
    pub output: PathBuf,
    /// What runs the model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
}

/// Options of `inspect`.
#[derive(Args)]
pub struct Inspect {
    /// A data set, a model, a zoo, features or labels
    pub path: PathBuf,
    /// What runs a model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
}

/// The presets by name, with what they do, for the help text.
fn presets() -> PossibleValuesParser {
    PRESETS.iter().map(|preset| PossibleValue::new(preset.name).help(preset.description)).into()
}

/// Commands on a zoo.
#[derive(Subcommand)]
pub enum Zoo {
    /// The models of a zoo, and what was refused and why
    List {
        /// A folder of models, a zoo.toml, or one model
        zoo: PathBuf,
    },
    /// Make a model usable: write the sidecar of an .onnx file, or pin the weights of a model folder
    Add {
        /// An .onnx file, or a model folder
        model: PathBuf,
        /// How the model wants its pictures prepared (for an .onnx file)
        #[arg(long, value_name = "PRESET", value_parser = presets())]
        preprocess: Option<String>,
        /// Pixels along the edge of the model's input, if not the preset's
        #[arg(long, value_name = "PIXELS", requires = "preprocess")]
        size: Option<u32>,
        /// The value of the graph that holds the features, if it is not to be found
        #[arg(long, value_name = "VALUE", requires = "preprocess")]
        features: Option<String>,
        /// Replace what an earlier call wrote
        #[arg(long)]
        force: bool,
    },
    /// Compare the weights with their pinned digests
    Verify {
        /// A folder of models, a zoo.toml, or one model
        zoo: PathBuf,
    },
}
