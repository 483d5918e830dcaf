//! `inspect`: what a path is, or why it can't be used.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::base::{Fail, Fault, Targets, Task, path_text};
use crate::data::{self, Dataset, Split, TableColumn, TableOptions};
use crate::extract::confined::{self, Confined};
use crate::extract::launch::{self, LaunchError, Launcher, Machinery};
use crate::extract::text::TokenCounts;
use crate::extract::{Description, Extractor, LayerSet, NetworkPlan, SampleFiles, SamplesError, TokenOrder};
use crate::store;
use crate::zoo::{self, Access, Looks, ModelInput};

/// Why a path can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// As a data set.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// As a model or a zoo.
    #[error(transparent)]
    Zoo(#[from] zoo::Error),
    /// As a file of statistics.
    #[error("{path}: {source}")]
    Statistics {
        /// The file, as text.
        path: String,
        /// What is wrong with it.
        source: store::statistics::Unreadable,
    },
    /// As texts for a tokenizer.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// A model for pictures where a tokenizer is needed.
    #[error("{0}: takes pictures and has no tokenizer. Give a text encoder with --tokenizer")]
    NoTokenizer(String),
    /// When a process of its own loaded the model, or read the file.
    #[error("{path}: {source}")]
    Model {
        /// The model or file, as text.
        path: String,
        /// How that process ended.
        source: LaunchError,
    },
}

impl Fail for Error {
    fn fault(&self) -> Fault {
        match self {
            Self::Data(error) => error.fault(),
            Self::Zoo(error) => error.fault(),
            Self::Samples(error) => error.fault(),
            Self::Statistics { .. } => Fault::Input,
            Self::NoTokenizer(_) => Fault::Usage,
            Self::Model { source, .. } => source.fault(),
        }
    }
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of this form.
    pub schema: u32,
    /// The path.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// What was found there.
    #[serde(flatten)]
    pub found: Found,
    /// What a tokenizer makes of its texts, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenCounts>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Found {
    /// A data set of pictures or texts.
    Dataset {
        /// Its form, for example `folder per class`.
        format: String,
        /// How many samples it has.
        n: usize,
        /// What is predicted; `None` without labels.
        task: Option<Task>,
        /// Names and sizes of the classes, or names of the targets with `None`.
        classes: Vec<(String, Option<usize>)>,
        /// Samples per split.
        splits: Vec<(Split, usize)>,
        /// The columns, where it is a table.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        columns: Vec<TableColumn>,
        /// What was detected, in sentences.
        notes: Vec<String>,
        /// What was left out, and why.
        skipped: Vec<(String, String)>,
    },
    /// A model.
    Model {
        /// Its name.
        name: String,
        /// SHA-256 of the weights.
        sha256: String,
        /// What is done to a picture or a text first.
        #[serde(flatten)]
        input: ModelInput,
        /// What the loaded model says.
        #[serde(flatten)]
        description: Description,
        /// What was assumed, in sentences.
        notes: Vec<String>,
    },
    /// A folder or list of models.
    Zoo {
        /// Names of the models.
        models: Vec<String>,
        /// What was refused, and why.
        refused: Vec<(String, String)>,
    },
    /// A feature matrix.
    Features {
        /// Rows.
        n: usize,
        /// Dimensions.
        dim: usize,
    },
    /// Statistics that `stats` or `merge` wrote.
    Statistics {
        /// Rows of all shards.
        n: usize,
        /// Dimensions.
        dim: usize,
        /// What is predicted.
        task: Task,
        /// How many classes, labels or target columns there are.
        classes: usize,
        /// The shards in this file.
        shards: Vec<usize>,
        /// How many shards there are in all.
        shard_count: usize,
    },
    /// Labels.
    Labels {
        /// Rows.
        n: usize,
        /// What they predict.
        task: Task,
        /// Names and sizes of the classes, or names of the targets with `None`.
        classes: Vec<(String, Option<usize>)>,
        /// How that was detected.
        detected: String,
    },
}

/// The endings of files that the process itself would parse; models have workers of their own.
const PARSED: [&str; 9] = ["csv", "tsv", "jsonl", "ndjson", "parquet", "npy", "npz", "safetensors", "txt"];

/// Whether a path is a file that is parsed here and not by a worker.
pub fn is_parsed(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let parsed = extension.is_some_and(|extension| PARSED.contains(&extension.as_str()));
    path.is_file() && parsed && !is_words(path)
}

/// Whether a path is a file of words and their vectors, by its name: a model that looks like a file of labels.
fn is_words(path: &Path) -> bool {
    let text = path.extension().is_some_and(|extension| extension == "txt");
    text && matches!(zoo::looks(path), Some(Looks::Model))
}

/// Lets a command that inspects such a file do so in a process of its own, under the limits of a worker.
pub fn confined(command: &mut Command, path: &Path, launcher: &Launcher) -> Result<Confined, Error> {
    let refuse = |source| Error::Model { path: path_text::show(path), source };
    confined::run(command, path, launcher).map_err(refuse)
}

/// Finds out what a path is, or what the model of that name in the hub.
pub fn inspect(path: &Path, table: &TableOptions, access: &Access, machinery: &Machinery) -> Result<Inspection, Error> {
    let whole = |found| Inspection { schema: 1, path: path.to_owned(), found, tokens: None };
    if store::statistics::recognise(path) {
        return Ok(whole(statistics(path)?));
    }
    if data::is_table_of_samples(path, table) {
        return Ok(whole(dataset(path, table)?));
    }
    let found = match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "npy" | "npz" | "safetensors" | "parquet" if path.is_file() => array(path)?,
        "txt" | "csv" if path.is_file() && !is_words(path) => labels(path)?,
        _ => match zoo::looks(path) {
            Some(Looks::Model) => model(path, access, machinery)?,
            Some(Looks::Zoo) => models(path, access)?,
            None => dataset(path, table)?,
        },
    };
    Ok(whole(found))
}

/// Finds out what a table is, and what the tokenizer of a model makes of its texts.
pub fn with_tokenizer(
    path: &Path,
    table: &TableOptions,
    model: &Path,
    access: &Access,
    machinery: &Machinery,
) -> Result<Inspection, Error> {
    let model = zoo::model(model, access)?;
    let ModelInput::Texts(settings) = model.input else { return Err(Error::NoTokenizer(model.name)) };
    let (dataset, columns) = match data::open(path, table) {
        Err(data::Error::Unclear { .. }) => (data::open_unlabelled(path, table)?, vec![]),
        other => (other?, data::table_columns(path, table)?),
    };
    let (samples, _) = SampleFiles::of(&dataset, &machinery.store)?;
    let threads = machinery.threads;
    let order = TokenOrder { folder: model.folder, settings, samples, threads };
    let refuse = |source| Error::Model { path: model.name.clone(), source };
    let tokens = Some(launch::count_tokens(machinery, order).map_err(refuse)?);
    Ok(Inspection { schema: 1, path: path.to_owned(), found: described(dataset, columns), tokens })
}

/// What a file of statistics says of itself.
#[derive(serde::Deserialize)]
struct Facts {
    task: Task,
    names: Vec<String>,
    dim: usize,
    rows: usize,
    shard_count: usize,
}

fn statistics(path: &Path) -> Result<Found, Error> {
    let refuse = |source| Error::Statistics { path: path_text::show(path), source };
    let (facts, arrays) = store::statistics::read::<Facts>(path).map_err(refuse)?;
    let mut shards: Vec<usize> =
        arrays.keys().filter_map(|name| name.split_once('.').and_then(|(shard, _)| shard.parse().ok())).collect();
    shards.dedup();
    let Facts { task, names, dim, rows, shard_count } = facts;
    Ok(Found::Statistics { n: rows, dim, task, classes: names.len(), shards, shard_count })
}

/// Two axes are features, one is labels.
fn array(path: &Path) -> Result<Found, Error> {
    features(path).or_else(|refused| labels(path).map_err(|_| refused.into()))
}

/// Every value is looked at, block after block.
fn features(path: &Path) -> Result<Found, data::Error> {
    const BLOCK: usize = 1 << 22;
    let mut reader = data::rows::open(path)?;
    let (most, mut block) = ((BLOCK / reader.row_bytes()).max(1), reader.no_rows());
    while reader.next_into(most, &mut block)? > 0 {}
    Ok(Found::Features { n: reader.rows(), dim: reader.dim() })
}

fn labels(path: &Path) -> Result<Found, Error> {
    let data::labels::Labels { targets, note: detected } = data::labels::read(path, None)?;
    Ok(Found::Labels { n: targets.len(), task: targets.task(), classes: classes(&targets), detected })
}

fn model(path: &Path, access: &Access, machinery: &Machinery) -> Result<Found, Error> {
    let model = zoo::model(path, access)?;
    let extractor = Extractor::Network(NetworkPlan::new(&model, LayerSet::Last));
    let refuse = |source| Error::Model { path: path_text::show(path), source };
    let description = launch::describe(machinery, &extractor).map_err(refuse)?;
    Ok(Found::Model { name: model.name, sha256: model.digest, input: model.input, description, notes: model.notes })
}

fn models(path: &Path, access: &Access) -> Result<Found, Error> {
    let zoo = zoo::open(path, access)?;
    Ok(Found::Zoo {
        models: zoo.models.into_iter().map(|model| model.name).collect(),
        refused: zoo.refused.into_iter().map(|refused| (path_text::show(&refused.path), refused.reason)).collect(),
    })
}

fn dataset(path: &Path, table: &TableOptions) -> Result<Found, Error> {
    let dataset = data::open(path, table)?;
    Ok(described(dataset, data::table_columns(path, table)?))
}

fn described(dataset: Dataset, columns: Vec<TableColumn>) -> Found {
    let count = |split| dataset.splits.iter().filter(|found| **found == Some(split)).count();
    let splits = [Split::Train, Split::Validation, Split::Test].map(|split| (split, count(split)));
    Found::Dataset {
        format: dataset.format.to_owned(),
        n: dataset.inputs.len(),
        task: dataset.targets.as_ref().map(Targets::task),
        classes: dataset.targets.as_ref().map(classes).unwrap_or_default(),
        splits: splits.into_iter().filter(|(_, count)| *count > 0).collect(),
        columns,
        notes: dataset.notes,
        skipped: dataset.skipped.into_iter().map(|(path, reason)| (path_text::show(&path), reason)).collect(),
    }
}

fn classes(targets: &Targets) -> Vec<(String, Option<usize>)> {
    match targets {
        Targets::Classes(classes) => {
            classes.names().iter().cloned().zip(classes.counts().into_iter().map(Some)).collect()
        }
        Targets::Multilabel(columns) | Targets::Regression(columns) => {
            columns.names().iter().cloned().map(|name| (name, None)).collect()
        }
    }
}
