//! `predict`: what a model with a head says of samples, and, where they are labelled, how often it is right.

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use super::features::{self, Wanted};
use super::plan::Progress;
use super::tuning::Judgement;
use super::{Error, Skipped, candidate, samples};
use crate::base::{Fault, Targets, path_text};
use crate::data::{self, TableOptions};
use crate::extract::launch::Machinery;
use crate::extract::{Extractor, LayerSet};
use crate::zoo::{self, Access, TokenPooling};

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model: one that `tune` wrote, or any whose head is known.
    pub model: PathBuf,
    /// The samples, labelled or not.
    pub data: PathBuf,
    /// How to read them, where they are a table.
    pub table: TableOptions,
    /// How the states of a text's tokens are pooled, if not as the model says.
    pub pooling: Option<TokenPooling>,
}

/// Predictions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Predictions {
    /// Version of this form.
    pub schema: u32,
    /// The model's name.
    pub model: String,
    /// Where the samples are.
    #[serde(with = "path_text")]
    pub data: PathBuf,
    /// The names of the outputs.
    pub names: Vec<String>,
    /// One per sample that could be read, in the order of the data set.
    pub predictions: Vec<Prediction>,
    /// How often they are right, where the samples are labelled with these names.
    pub judgement: Option<Judgement>,
    /// Samples that could not be used.
    pub skipped: Vec<Skipped>,
    /// Seconds; the only field that differs between two equal runs.
    pub timing: PredictionTiming,
}

/// What is said of one sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The sample.
    pub sample: String,
    /// The class; of several labels those that are set, of numbers none.
    pub labels: Vec<String>,
    /// Of classes and labels a probability each, of numbers the numbers, in the order of the names.
    pub outputs: Vec<f64>,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PredictionTiming {
    /// Seconds of wall-clock time.
    pub seconds: f64,
}

/// What a head's outputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    Classes,
    Labels,
    Numbers,
}

/// Runs a model with its head.
pub fn run(
    request: &Request,
    access: &Access,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Predictions, Error> {
    let begun = Instant::now();
    let model = zoo::model(&request.model, access)?;
    let papers = zoo::papers(&request.model, access)?;
    let job = samples::as_they_stand(&request.data, &request.table, &machinery.store)?;
    job.dataset.notes.iter().for_each(|note| progress.say(note));
    let extractor = Extractor::Network(candidate::plan(&model, LayerSet::Head, request.pooling));
    let refuse = |reasons: String| Error::NoModel { path: model.name.clone(), reasons, fault: Fault::Input };
    extractor.takes(job.dataset.inputs.noun()).map_err(refuse)?;
    let wanted = Wanted { name: &model.name, extractor: &extractor, job: &job, rows: job.len(), compute: true };
    let found = features::extract(wanted, machinery, progress).map_err(|failure| failure.of(&model.name))?;
    let width = found.description.dim;
    let names = if papers.classes.len() == width {
        papers.classes.clone()
    } else {
        (0..width).map(|output| output.to_string()).collect()
    };
    let problem = match papers.problem.as_deref() {
        Some("regression") => Problem::Numbers,
        Some("multi_label_classification") => Problem::Labels,
        _ => Problem::Classes,
    };
    let failed = |row: &usize| found.failures.iter().any(|failure| failure.row == *row as u64);
    let rows: Vec<usize> = (0..job.len()).filter(|row| !failed(row)).collect();
    let (mut predictions, mut outputs) = (vec![], vec![]);
    let mut places = rows.iter();
    found.rows.visit(&rows, |row| {
        let sample = places.next().map_or(String::new(), |&place| job.dataset.inputs.describe(place));
        outputs.extend(row.iter().map(|&value| f64::from(value)));
        predictions.push(prediction(sample, row, &names, problem));
    })?;
    let skipped = found.failures.iter().map(|failure| Skipped {
        path: job.dataset.inputs.describe(failure.row as usize),
        reason: failure.reason.clone(),
    });
    Ok(Predictions {
        schema: 1,
        skipped: skipped.collect(),
        judgement: judgement(request, &names, problem, &rows, &outputs),
        model: model.name,
        data: request.data.clone(),
        names,
        predictions,
        timing: PredictionTiming { seconds: begun.elapsed().as_secs_f64() },
    })
}

fn prediction(sample: String, row: &[f32], names: &[String], problem: Problem) -> Prediction {
    let outputs: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
    match problem {
        Problem::Numbers => Prediction { sample, labels: vec![], outputs },
        Problem::Labels => {
            let set = outputs.iter().zip(names).filter(|(output, _)| **output > 0.0).map(|(_, name)| name.clone());
            let labels = set.collect();
            Prediction { sample, labels, outputs: outputs.iter().map(|output| 1.0 / (1.0 + (-output).exp())).collect() }
        }
        Problem::Classes => {
            let best = super::tuning::largest(&outputs);
            let powers: Vec<f64> = outputs.iter().map(|output| (output - outputs[best]).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let labels = vec![names[best].clone()];
            Prediction { sample, labels, outputs: powers.into_iter().map(|power| power / sum).collect() }
        }
    }
}

/// How well the outputs meet the labels of the samples, if these have labels of the same names.
fn judgement(
    request: &Request,
    names: &[String],
    problem: Problem,
    rows: &[usize],
    outputs: &[f64],
) -> Option<Judgement> {
    let dataset = data::open(&request.data, &request.table).ok()?;
    let targets = dataset.targets?;
    let fits = match (&targets, problem) {
        (Targets::Classes(_), Problem::Classes) => targets.names().iter().all(|name| names.contains(name)),
        (Targets::Multilabel(_), Problem::Labels) | (Targets::Regression(_), Problem::Numbers) => {
            targets.names() == names
        }
        _ => false,
    };
    fits.then(|| super::tuning::judge_named(&targets, names, rows, outputs))
}
