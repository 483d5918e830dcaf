//! The result of ranking: what `--json` prints and every report renders.

use std::path::PathBuf;

use serde::Serialize;

use super::usage::Usage;
use crate::base::{Seed, Task, path_text};
use crate::score::Score;

/// An order of models for one data set, with the evidence for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranking {
    /// Version of this form.
    pub schema: u32,
    /// What is predicted.
    pub task: Task,
    /// What was ranked on.
    pub data: DataSummary,
    /// The metric that orders the models.
    pub metric: String,
    /// The seed that fixes everything random.
    pub seed: Seed,
    /// Whether the user stopped the run, so that some candidates were not looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Which model to use, how sure that is, and by how much it beats the baselines: two lines.
    pub verdict: String,
    /// The models, best first; failed ones last.
    pub models: Vec<RankedModel>,
    /// Samples and zoo entries that could not be used.
    pub skipped: Vec<Skipped>,
    /// The cost of the forward passes, in multiply-adds.
    pub passes: Passes,
    /// What to do next, one sentence each.
    pub advice: Vec<String>,
    /// How to use the best model, from measured figures; `None` where nothing can be said.
    pub usage: Option<Usage>,
    /// How well the order agrees with the truth, where `--truth` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<Truth>,
    /// Seconds and rates; the only fields that differ between two equal runs.
    pub timing: RunTiming,
}

/// The data set as it was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSummary {
    /// Where it is.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// What it was taken for, for example `folder per class`.
    pub format: String,
    /// How many samples were scored.
    pub n: usize,
    /// How many samples could have been used, before `--samples`.
    pub available: usize,
    /// How many classes, labels or target columns there are.
    pub classes: usize,
    /// Their names.
    pub class_names: Vec<String>,
    /// How many samples each class has, in the order of `class_names`; empty unless the task is classification.
    pub class_counts: Vec<usize>,
    /// Which splits were used, for example `train+val`, or `all` where there are none.
    pub split: String,
    /// BLAKE3 of the samples' bytes and their order.
    pub digest: String,
}

/// How a model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelStatus {
    /// It was scored on every sample.
    Ok,
    /// It was stopped early, because it could not win.
    Eliminated,
    /// It could not be run or scored; `error` says why.
    Failed,
}

/// One model's place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RankedModel {
    /// The model's name in the zoo.
    pub name: String,
    /// Its place, from 1; `None` if it failed.
    pub rank: Option<usize>,
    /// How it ended.
    pub status: ModelStatus,
    /// The value of the ordering metric.
    pub score: Option<f64>,
    /// The 95% interval of `score`.
    pub interval: Option<[f64; 2]>,
    /// All scores that were computed.
    pub scores: Vec<Score>,
    /// Dimensions of the features.
    pub dim: Option<usize>,
    /// The layer that was scored, `last` unless asked otherwise.
    pub layer: String,
    /// How the features were found in the graph, in words.
    pub features_from: Option<String>,
    /// The runtime and its version.
    pub runtime: Option<String>,
    /// How many samples it saw.
    pub n_seen: usize,
    /// The probability that it is truly better than the next model in this list, from paired differences.
    pub beats_next: Option<f64>,
    /// Whether the difference to the next model may well be chance (its 95% interval contains 0).
    pub ties_next: bool,
    /// Whether it is a trivial baseline.
    pub baseline: bool,
    /// Short remarks, for example `below a baseline`.
    pub flags: Vec<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Multiply-adds of one forward pass.
    pub multiply_adds: Option<u64>,
    /// Seconds and rates.
    pub timing: ModelTiming,
}

/// Something that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file, or the file and row.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The cost of forward passes in multiply-adds: of this ranking, and of a full pass of every model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Passes {
    /// What this ranking needed.
    pub spent: u64,
    /// What seeing every sample with every model needs.
    pub full: u64,
    /// What this ranking needed for the models that are not baselines.
    pub spent_by_models: u64,
    /// What seeing every sample with each of these needs.
    pub full_of_models: u64,
}

/// The agreement of the scores' order with the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// What the truth is, in words.
    pub kind: String,
    /// How many samples judged it.
    pub n: usize,
    /// The weighted Kendall correlation of each metric with the truth, over the models that are not baselines and
    /// over all candidates.
    pub agreement: Vec<Agreement>,
    /// Each model's true accuracy, in the order of the ranking.
    pub models: Vec<TrueAccuracy>,
    /// Models that have no such truth, with the reason.
    pub not_covered: Vec<Skipped>,
    /// What selecting cost, and what finding out cost.
    pub timing: TruthTiming,
}

/// What selecting among the models that have a truth cost, and what their truth cost. Passes and trainings count with the
/// time that they took when they were made, whether this run made them or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TruthTiming {
    /// Seconds of the feature passes and of scoring.
    pub selection_seconds: f64,
    /// Seconds of the truth; `None` for a probe, which stands on the same passes.
    pub truth_seconds: Option<f64>,
    /// How many times as long the truth took.
    pub ratio: Option<f64>,
}

/// The agreement of one metric with the truth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The metric.
    pub metric: String,
    /// Weighted Kendall correlation over the real models.
    pub models: Option<f64>,
    /// Weighted Kendall correlation over the real models and the baselines.
    pub with_baselines: Option<f64>,
    /// Its 95% interval over the real models: how far it moves with another draw of as many judging samples.
    pub interval: Option<[f64; 2]>,
    /// The accuracy that is lost by taking the best real model by this.
    pub regret: Option<f64>,
}

/// A model's accuracy on held-out samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrueAccuracy {
    /// The model's name.
    pub name: String,
    /// Held-out accuracy, 0 to 1.
    pub accuracy: Option<f64>,
}

/// Where one model's time went.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ModelTiming {
    /// Seconds of the feature pass when it was made; 0 where the store had everything.
    pub extract_seconds: f64,
    /// Seconds of scoring in this run.
    pub score_seconds: f64,
    /// Samples per second of the feature pass when it was made.
    pub items_per_second: Option<f64>,
    /// Whether the features came from the store.
    pub from_store: bool,
}

/// Where the run's time went.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RunTiming {
    /// Wall-clock seconds of the whole run.
    pub seconds: f64,
    /// Threads used.
    pub threads: usize,
}
