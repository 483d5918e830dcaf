//! What came of a tuning: what `--json` prints and every report renders.

use std::path::PathBuf;

use serde::Serialize;

use super::{TunePlan, TuningSamples};
use crate::base::{Seed, Task, path_text};
use crate::extract::training::{Recipe, TrainingOutcome};
use crate::rank::Skipped;

/// A tuned model, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuned {
    /// Version of this form.
    pub schema: u32,
    /// The model that was tuned.
    pub model: String,
    /// The way, as `--how` takes it.
    pub way: String,
    /// What is predicted.
    pub task: Task,
    /// What it learned from and was judged on.
    pub data: TunedData,
    /// How well it does on the judged samples.
    pub judgement: Judgement,
    /// How well it did on the validation samples, which chose among candidates: a little flattering.
    pub validation: f64,
    /// What the way found out or did.
    pub details: Details,
    /// The seed that fixes everything random.
    pub seed: Seed,
    /// The folder that was written.
    pub output: Option<String>,
    /// The files in it.
    pub files: Vec<String>,
    /// Samples that could not be used.
    pub skipped: Vec<Skipped>,
    /// Seconds; the only field that differs between two equal runs.
    pub timing: TuningTiming,
}

/// The samples of a tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TunedData {
    /// Where they are.
    #[serde(with = "path_text")]
    pub path: PathBuf,
    /// How many were learned from.
    pub learned: usize,
    /// How many chose among candidates and said when to stop.
    pub validation: usize,
    /// How many judged.
    pub judged: usize,
    /// Which these are, in words.
    pub judged_on: String,
    /// The names of the classes, labels or numbers that are predicted.
    pub names: Vec<String>,
    /// BLAKE3 of the samples' bytes and their order.
    pub digest: String,
}

/// A figure on the judged samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// `accuracy` (of labels: the mean over them), or for numbers `pearson`, the mean of Pearson's r.
    pub metric: &'static str,
    /// Its value.
    pub value: Option<f64>,
    /// Its 95% interval, as far as the judged samples are a sample.
    pub interval: Option<[f64; 2]>,
    /// Accuracy of always naming the commonest; `None` for numbers.
    pub chance: Option<f64>,
}

/// What a way found out or did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Details {
    /// The layer whose features are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// How many features are read, of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<[usize; 2]>,
    /// How the network was trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
    /// How that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// The teachers and their weights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teachers: Vec<(String, f64)>,
}

/// How a training went, without its seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Training {
    /// Steps that were made.
    pub steps: usize,
    /// The step whose weights were kept.
    pub kept_step: usize,
    /// Whether it ended early.
    pub stopped_early: bool,
    /// Numbers that were trained.
    pub trained_parameters: usize,
    /// Tensors that changed.
    pub changed_tensors: usize,
    /// The checkups.
    pub curve: Vec<crate::extract::training::Checkup>,
}

impl Training {
    /// Of an outcome.
    pub fn of(outcome: &TrainingOutcome) -> Self {
        Self {
            steps: outcome.steps,
            kept_step: outcome.kept_step,
            stopped_early: outcome.stopped_early,
            trained_parameters: outcome.trained_parameters,
            changed_tensors: outcome.changed_tensors,
            curve: outcome.curve.clone(),
        }
    }
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TuningTiming {
    /// Seconds of wall-clock time of this run.
    pub seconds: f64,
    /// Seconds of the training or of the feature pass when it was made.
    pub training_seconds: f64,
    /// Threads.
    pub threads: usize,
}

impl TunedData {
    /// Of the samples of a plan.
    pub(super) fn of(plan: &TunePlan, samples: &TuningSamples, unreadable: &[(usize, String)], judged: usize) -> Self {
        let bad = |rows: &[usize]| rows.iter().filter(|row| unreadable.iter().any(|(bad, _)| bad == *row)).count();
        Self {
            path: plan.data.clone(),
            learned: samples.learned.len() - bad(&samples.learned),
            validation: samples.validation.len() - bad(&samples.validation),
            judged,
            judged_on: samples.judged_on.clone(),
            names: samples.targets.names().to_vec(),
            digest: samples.job.digest.clone(),
        }
    }
}
