//! The command line, as types.

mod data;
mod names;
mod retraining;
mod search;
mod tuning;
mod values;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use zoologist::base::parse_size;
use zoologist::rank::statistics::Worker;
use zoologist::zoo::PRESETS;

pub use data::DataOptions;
pub use names::*;
pub use retraining::RetrainingOptions;
pub use search::{Amount, PathPerName, Search, SpaceName};
pub use tuning::{Predict, TrainingOptions, Tune};

use crate::limits::LimitOptions;
use values::{duration, positive};

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

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// What clap finds wrong with it, or asks to print.
    pub fn of_command_line() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
        if let Some((name, matches)) = matches.subcommand()
            && name == "search"
            && let Some(command) = command.find_subcommand_mut(name)
        {
            search::refuse_foreign(command, matches)?;
        }
        Self::from_arg_matches_mut(&mut matches)
    }
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
    /// Never use a network: names in the Hugging Face hub are looked for in its cache only
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
    /// Which layer of a model to take features from: list the layers, or probe each on your labelled data
    Layers(LayersOptions),
    /// What is wrong or risky about a model, before anyone builds on it: files, behaviour, preprocessing, labels
    Vet(Vet),
    /// Use a model for your labelled data: fit a head to it, or train it further, and write a model folder
    Tune(Box<Tune>),
    /// What a tuned model, or any with a head, says of pictures or texts
    Predict(Predict),
    /// Make statistics of features, whole or by parts that `merge` joins
    Stats(Stats),
    /// Join statistics that were made apart
    Merge(Merge),
    /// Does a score's ranking agree with true accuracies? Correlations, intervals, baselines
    Evaluate(Evaluate),
    /// Compare ways of searching on a table of everything that was tried: MdeNAS, its kin, and what they must beat
    Search(Search),
    /// Write the features that a model gives for your pictures
    Extract(Extract),
    /// Say what a data set, a model, a zoo or a file of features is, or why it can't be used
    Inspect(Inspect),
    /// List, add or verify models
    #[command(subcommand)]
    Zoo(Zoo),
    /// List, verify or clean what is kept for the next run
    #[command(subcommand)]
    Cache(Cache),
    /// Do the work of one child process
    #[command(hide = true)]
    Worker {
        /// The order
        order: PathBuf,
    },
}

/// Options of `rank`.
#[derive(Args)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub struct Rank {
    /// Labelled pictures (a folder per class, a folder with labels.csv or metadata.csv, IDX files), or a table of texts
    /// or picture paths: CSV, TSV, JSONL, Parquet
    pub data: PathBuf,
    /// A folder of models, a zoo.toml, one model, or a name in the Hugging Face hub
    #[arg(long, value_name = "ZOO")]
    pub zoo: Option<PathBuf>,
    /// The score that orders the models
    #[arg(long, default_value = "logme", value_name = "METRIC")]
    pub metric: String,
    /// Leave out the trivial baselines: faster, but nothing says what the models must beat
    #[arg(long)]
    pub no_baselines: bool,
    /// Leave out the checks of each model's files and behaviour that `vet` explains
    #[arg(long)]
    pub no_vet: bool,
    /// Which layers' features are scored; `best` is chosen on half of the shards and scored on the other half
    #[arg(long, default_value = "last", value_name = "LAYERS")]
    pub layers: LayersName,
    /// How the states of a text's tokens are pooled [default: as each model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// Who wins a tied vote of the nearest neighbours
    #[arg(long, default_value = "nearest", value_name = "RULE")]
    pub knn_ties: KnnTiesName,
    /// Rank on a seeded, stratified sample of N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: Option<u32>,
    /// Whether models that can't win stop early [default: race if there are more than four models and no --truth]
    #[arg(long, default_value = "auto", value_name = "HOW", hide_default_value = true)]
    pub budget: BudgetName,
    /// How many winners a race is for
    #[arg(long, default_value_t = 1, value_name = "K", value_parser = clap::value_parser!(u16).range(1..))]
    pub top: u16,
    /// How sure a race must be that no model which stops belongs to the winners
    #[arg(long, default_value_t = 0.95, value_name = "P", value_parser = confidence)]
    pub confidence: f64,
    /// Also use every model on part of the data, and judge the order by the accuracies on the rest: brute force, kept
    #[arg(long, value_name = "KIND")]
    pub truth: Option<TruthName>,
    /// Don't look how the best model is best used
    #[arg(long)]
    pub no_advice: bool,
    /// Run the advised way and its two neighbours on held-out samples, with three seeds
    #[arg(long, conflicts_with = "no_advice")]
    pub confirm: bool,
    /// The samples to come will differ from these: counts for the advice
    #[arg(long)]
    pub expect_shift: bool,
    /// How networks are trained with --truth full and --confirm
    #[command(flatten)]
    pub training: TrainingOptions,
    /// Run no model of the zoo: their features must be in the store, where `extract --shard` has put them
    #[arg(long)]
    pub from_store: bool,
    /// How many models run at once; they share the threads and the memory
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: u16,
    /// Write a report that can be opened in any browser, offline
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// What runs the models
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}

fn confidence(text: &str) -> Result<f64, String> {
    let value: Option<f64> = text.parse().ok();
    value
        .filter(|value| (0.5..1.0).contains(value))
        .ok_or_else(|| "a number from 0.5 to below 1, for example 0.95".to_owned())
}

/// Options of `layers`.
#[derive(Args)]
pub struct LayersOptions {
    /// A model: a folder, an .onnx file, or a name of the Hugging Face hub
    pub model: PathBuf,
    /// A labelled data set, as for `rank`
    #[arg(required_unless_present = "list")]
    pub data: Option<PathBuf>,
    /// Only list the layers
    #[arg(long, conflicts_with_all = ["data", "report", "finetune"])]
    pub list: bool,
    /// What probes each layer
    #[arg(long, default_value = "ridge", value_name = "PROBE")]
    pub probe: ProbeName,
    /// How the states of a text's tokens are pooled [default: as the model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// Study a seeded, stratified sample of N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: Option<u32>,
    /// Write a report that can be opened in any browser, offline
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// What is studied by training
    #[command(flatten)]
    pub retraining: RetrainingOptions,
    /// What runs the model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// Options of `vet`.
#[derive(Args)]
pub struct Vet {
    /// A model: a folder, an .onnx file, or a name in the Hugging Face hub
    #[arg(required_unless_present = "list")]
    pub model: Option<PathBuf>,
    /// Your pictures or texts, labelled or not
    pub data: Option<PathBuf>,
    /// Only say what is checked
    #[arg(long, conflicts_with_all = ["model", "data", "report", "write_fixed"])]
    pub list: bool,
    /// The mildest finding that makes the exit code 4
    #[arg(long, default_value = "high", value_name = "SEVERITY")]
    pub fail_on: SeverityName,
    /// Only these checks
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// All checks but these
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// Look at a seeded, stratified sample of N
    #[arg(long, default_value_t = zoologist::rank::vetting::SAMPLES as u32, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: u32,
    /// Write a copy of the model's folder in which what can be mended mechanically is
    #[arg(long, value_name = "FOLDER")]
    pub write_fixed: Option<PathBuf>,
    /// Write a report that can be opened in any browser, offline
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// How the states of a text's tokens are pooled [default: as the model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// What runs the model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// Options of `score`.
#[derive(Args)]
pub struct Score {
    /// n × d features: .npy, .npz, .safetensors or .parquet; or statistics that `stats` made
    pub features: PathBuf,
    /// n labels: .npy, .npz, .parquet, .txt or .csv; left out if FEATURES holds them
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
    /// Also give each score's mean and spread under 5 permutations of the labels: what it says of nothing
    #[arg(long)]
    pub null: bool,
    /// n × z probabilities of the source classes (leep, nce, `pactran_*`)
    #[arg(long, value_name = "FILE")]
    pub source_probs: Option<PathBuf>,
    /// The source probabilities are given as logits
    #[arg(long, requires = "source_probs")]
    pub source_logits: bool,
    /// m × d features of the source data set (ped)
    #[arg(long, value_name = "FILE")]
    pub source_features: Option<PathBuf>,
    /// n × e embeddings of the labels; once per embedding model (emms)
    #[arg(long, value_name = "FILE")]
    pub label_embeddings: Vec<PathBuf>,
    /// Who wins a tied vote of the nearest neighbours
    #[arg(long, default_value = "nearest", value_name = "RULE")]
    pub knn_ties: KnnTiesName,
    /// The absolute distortion of TransRate
    #[arg(long, default_value_t = 1e-4, value_name = "NUMBER", value_parser = positive)]
    pub transrate_eps: f64,
    /// Scale the features for TransRate first
    #[arg(long, value_name = "HOW")]
    pub normalize: Option<Normalization>,
}

/// Options of `stats`.
#[derive(Args)]
pub struct Stats {
    /// n × d features: .npy, .npz, .safetensors or .parquet
    pub features: PathBuf,
    /// n labels; left out if FEATURES holds them
    pub labels: Option<PathBuf>,
    /// Make the shards of worker I of N only; workers are counted from 0 or from 1
    #[arg(long, value_name = "I/N", default_value = "0/1")]
    pub shard: Worker,
    /// What is predicted
    #[arg(long, default_value = "auto", value_name = "TASK")]
    pub task: TaskName,
    /// Also accumulate 5 permutations of the labels, for `score --null`
    #[arg(long)]
    pub null: bool,
    /// Where the statistics go
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Options of `merge`.
#[derive(Args)]
pub struct Merge {
    /// Files of statistics, in any order
    #[arg(required = true)]
    pub statistics: Vec<PathBuf>,
    /// Where the joined statistics go
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

/// Options of `evaluate`.
#[derive(Args)]
pub struct Evaluate {
    /// A CSV table: a line per model and data set, with the columns model, dataset, accuracy, scores, perhaps size. Or,
    /// with --truth, one table per score: a line per model, a column per data set
    #[arg(required = true, value_name = "RESULTS.csv")]
    pub results: Vec<PathBuf>,
    /// True accuracies: a line per model, a column per data set
    #[arg(long, value_name = "TRUTH.csv")]
    pub truth: Option<PathBuf>,
    /// The columns that are scores [default: all others with numbers]
    #[arg(long, value_name = "a,b", value_delimiter = ',', conflicts_with = "truth")]
    pub score: Option<Vec<String>>,
    /// Bootstrap draws for the intervals
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub draws: u32,
}

/// Options of `extract`.
#[derive(Args)]
pub struct Extract {
    /// A model folder, an .onnx file with its sidecar, or a name in the Hugging Face hub, org/name[@revision]; with
    /// --shard also a zoo
    pub model: PathBuf,
    /// Pictures or texts, labelled or not; with --shard labelled, as for `rank`
    pub data: PathBuf,
    /// Where the features go: .npy, one row per sample that could be read, in the order of the data set
    #[arg(long, short, value_name = "FILE.npy", required_unless_present = "shard")]
    pub output: Option<PathBuf>,
    /// Put the features of worker I of N into the store instead, for `rank --from-store`; workers are counted from 0 or
    /// from 1
    #[arg(long, value_name = "I/N", conflicts_with = "output")]
    pub shard: Option<Worker>,
    /// With --shard: of a seeded, stratified sample of N, as for `rank`
    #[arg(long, value_name = "N", requires = "shard", value_parser = clap::value_parser!(u32).range(2..))]
    pub samples: Option<u32>,
    /// What runs the model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
    /// How the states of a text's tokens are pooled [default: as the model says]
    #[arg(long, value_name = "HOW")]
    pub pooling: Option<PoolingName>,
    /// The last layer, or all of them side by side (`--json` names them and their widths); with --shard as `rank` will
    /// want it
    #[arg(long, default_value = "last", value_name = "LAYERS")]
    pub layers: LayersName,
}

/// Options of `inspect`.
#[derive(Args)]
pub struct Inspect {
    /// A data set, a model, a zoo, features or labels, or a name in the Hugging Face hub
    pub path: PathBuf,
    /// What runs a model
    #[arg(long, default_value = "auto", value_name = "RUNTIME")]
    pub runtime: RuntimeName,
    /// How a table is read
    #[command(flatten)]
    pub table: DataOptions,
    /// What a worker process may use
    #[command(flatten)]
    pub limits: LimitOptions,
    /// Also count the tokens that this model's tokenizer makes of a table's texts
    #[arg(long, value_name = "MODEL")]
    pub tokenizer: Option<PathBuf>,
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
        /// A folder of models, a zoo.toml, one model, or a name in the Hugging Face hub
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
        /// A folder of models, a zoo.toml, one model, or a name in the Hugging Face hub
        zoo: PathBuf,
    },
}

/// Commands on the cache.
#[derive(Subcommand)]
pub enum Cache {
    /// The kept features: of which model and data, how far, how large, used when
    Ls,
    /// Verify every file; those that will not be used are named, and the exit code is 4
    Verify,
    /// Remove leftovers, damaged files and those of older versions; never what a running process uses
    Gc {
        /// Remove features too, the least recently used first, until the cache is this small, for example
        /// 20GB [default: ZOOLOGIST_CACHE_MAX, else any size]
        #[arg(long, value_name = "SIZE", value_parser = parse_size)]
        max_size: Option<u64>,
        /// Remove what a newer zoologist wrote, too
        #[arg(long)]
        all: bool,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}
