//! The truth beside the claim: what a probe on each candidate's features achieves on samples that the scores did not
//! see: the accuracy of a logistic one, or, for numbers, Pearson's r of a ridge regression.
//!
//! The probe trains on the samples that were scored and is judged on others: the test split where there is one, else
//! the last fifth of the seeded order, which the scores then do not see.

use rayon::prelude::*;

use super::features::{self, Extracted, Failure, Wanted};
use super::layers::View;
use super::plan::Progress;
use super::samples::Samples;
use super::scoring::Scored;
use super::{Agreement, Error, RankedModel, TrueAccuracy, Truth};
use crate::base::{Classes, Features, Targets, Task, Values};
use crate::extract::Extractor;
use crate::extract::launch::Machinery;
use crate::score;

/// A candidate with its features.
pub struct Named<'a> {
    /// Its name.
    pub name: &'a str,
    /// What made its features.
    pub extractor: &'a Extractor,
    /// Its features.
    pub extracted: &'a Extracted,
    /// Which of their columns are looked at.
    pub view: &'a View,
}

/// Where the judges come from.
pub enum Judges {
    /// Samples of the same job from this row on.
    Rest(usize),
    /// A test split of its own.
    Split(Box<Samples>),
}

/// Probes every candidate. Not for several labels.
pub fn accuracies(
    candidates: &[Named],
    samples: &Samples,
    scored: &Scored,
    judges: &Judges,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Vec<TrueAccuracy>, Error> {
    let held_out: Vec<Option<HeldOut>> = candidates
        .iter()
        .map(|candidate| held_out(candidate, samples, judges, machinery, progress))
        .collect::<Result<_, _>>()?;
    progress.phase("training a probe on each candidate's features");
    let probe = |(candidate, held_out): (&Named, Option<HeldOut>)| {
        let accuracy = match held_out {
            Some(held_out) => {
                let train = scored.features(candidate.extracted, candidate.view)?;
                probe(&train, &scored.targets, &held_out)
            }
            None => None,
        };
        Ok(TrueAccuracy { name: candidate.name.to_owned(), accuracy })
    };
    candidates.par_iter().zip(held_out).map(probe).collect()
}

/// Features and targets of the samples that judge.
struct HeldOut {
    features: Features,
    /// The names of their classes; empty for numbers.
    labels: Vec<String>,
    /// Their numbers, row after row; empty for classes.
    numbers: Vec<f64>,
}

fn held_out(
    candidate: &Named,
    samples: &Samples,
    judges: &Judges,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Option<HeldOut>, Error> {
    match judges {
        Judges::Rest(first) => readable(samples, candidate.extracted, candidate.view, *first).map(Some),
        Judges::Split(split) => {
            let (name, extractor, job, rows) = (candidate.name, candidate.extractor, &split.job, split.job.len());
            match features::extract(Wanted { name, extractor, job, rows, compute: true }, machinery, progress) {
                Ok(found) => readable(split, &found, candidate.view, 0).map(Some),
                Err(Failure::Candidate(_)) => Ok(None),
                Err(Failure::Run(error)) => Err(error),
            }
        }
    }
}

fn readable(samples: &Samples, extracted: &Extracted, view: &View, first: usize) -> Result<HeldOut, Error> {
    let failed = |row: &usize| extracted.failures.iter().any(|failure| failure.row == *row as u64);
    let rows: Vec<usize> = (first..samples.targets.len()).filter(|row| !failed(row)).collect();
    let labels = match &samples.targets {
        Targets::Classes(classes) => {
            rows.iter().map(|&row| classes.names()[classes.index()[row] as usize].clone()).collect()
        }
        Targets::Multilabel(_) | Targets::Regression(_) => vec![],
    };
    let numbers = match &samples.targets {
        Targets::Regression(columns) => rows.iter().flat_map(|&row| columns.row(row).to_vec()).collect(),
        Targets::Classes(_) | Targets::Multilabel(_) => vec![],
    };
    Ok(HeldOut { features: extracted.features(&rows, view)?, labels, numbers })
}

fn probe(train: &Features, targets: &Targets, test: &HeldOut) -> Option<f64> {
    match targets {
        Targets::Classes(classes) => accuracy(train, classes, test),
        Targets::Regression(columns) => {
            let predicted = score::ridge_predictions(train, columns, &test.features)?;
            correlation(&predicted, &test.numbers, columns.names().len())
        }
        Targets::Multilabel(_) => None,
    }
}

/// Pearson's correlation of predictions and truth, averaged over the columns; a column that does not vary counts as 0.
fn correlation(predicted: &[f64], truth: &[f64], width: usize) -> Option<f64> {
    let column =
        |values: &[f64], column: usize| values.iter().skip(column).step_by(width).copied().collect::<Vec<f64>>();
    let one = |place: usize| score::agreement::pearson(&column(predicted, place), &column(truth, place)).unwrap_or(0.0);
    (predicted.len() == truth.len() && width > 0).then(|| (0..width).map(one).sum::<f64>() / width as f64)
}

fn accuracy(train: &Features, classes: &Classes, test: &HeldOut) -> Option<f64> {
    let name = |&class: &u32| classes.names()[class as usize].clone();
    let labels: Vec<String> = classes.index().iter().map(name).chain(test.labels.iter().cloned()).collect();
    let (Values::F32(first), Values::F32(second)) = (train.values(), test.features.values()) else { return None };
    let features = Features::new(train.dim(), Values::F32([first.as_slice(), second].concat()));
    let both = Classes::from_names(&labels).ok()?;
    let (middle, end) = (train.rows(), labels.len());
    (middle >= 5 && middle < end).then(|| score::probe(&features, &both, 0..middle, middle..end).accuracy)
}

/// The agreement of every metric's order with the accuracies.
pub fn agreement(
    models: &[RankedModel],
    accuracies: Vec<TrueAccuracy>,
    judges: &Judges,
    task: Task,
    n: usize,
) -> Truth {
    let metrics: Vec<String> = models
        .iter()
        .find_map(|model| (!model.scores.is_empty()).then_some(&model.scores))
        .map_or(vec![], |scores| scores.iter().map(|score| score.metric.clone()).collect());
    let pairs = |metric: &str, baselines: bool| {
        let found: Vec<(f64, f64)> = models
            .iter()
            .filter(|model| baselines || !model.baseline)
            .filter_map(|model| {
                let score = model.scores.iter().find(|score| score.metric == metric)?.value?;
                let accuracy = accuracies.iter().find(|truth| truth.name == model.name)?.accuracy?;
                Some((score, accuracy))
            })
            .collect();
        let (scores, truths): (Vec<f64>, Vec<f64>) = found.into_iter().unzip();
        score::kendall::weighted(&scores, &truths)
    };
    let agreement = metrics
        .iter()
        .map(|metric| Agreement {
            metric: metric.clone(),
            models: pairs(metric, false),
            with_baselines: pairs(metric, true),
        })
        .collect();
    let what = match task {
        Task::Regression => "Pearson's r of a ridge probe",
        Task::Classification | Task::Multilabel => "accuracy of a logistic probe",
    };
    let place = match judges {
        Judges::Rest(_) => "on a seeded, stratified fifth that the scores did not see",
        Judges::Split(_) => "on the test split",
    };
    Truth { kind: format!("{what} {place}"), n, agreement, models: accuracies }
}
