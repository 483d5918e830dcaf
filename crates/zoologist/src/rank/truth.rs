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
use super::{Agreement, Error, RankedModel, TrueAccuracy, Truth, TruthTiming};
use crate::base::{Classes, Features, Seed, Targets, Task, Values};
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
    seed: Seed,
) -> Truth {
    let what = match task {
        Task::Regression => "Pearson's r of a ridge probe",
        Task::Classification | Task::Multilabel => "accuracy of a logistic probe",
    };
    let place = match judges {
        Judges::Rest(_) => "on a seeded, stratified fifth that the scores did not see",
        Judges::Split(_) => "on the test split",
    };
    let agreement = agreements(models, &accuracies, n, seed);
    let selection_seconds = selection_seconds(models, &accuracies);
    let timing = TruthTiming { selection_seconds, truth_seconds: None, ratio: None };
    Truth { kind: format!("{what} {place}"), n, agreement, models: accuracies, not_covered: vec![], timing }
}

/// Seconds of the passes and the scoring of the models that have a truth.
pub fn selection_seconds(models: &[RankedModel], accuracies: &[TrueAccuracy]) -> f64 {
    let has_truth = |model: &&RankedModel| {
        !model.baseline && accuracies.iter().any(|truth| truth.name == model.name && truth.accuracy.is_some())
    };
    models.iter().filter(has_truth).map(|model| model.timing.extract_seconds + model.timing.score_seconds).sum()
}

/// The agreement of each metric, and of the models' size, with accuracies that `n` samples judged.
pub fn agreements(models: &[RankedModel], accuracies: &[TrueAccuracy], n: usize, seed: Seed) -> Vec<Agreement> {
    let first = models.iter().find(|model| !model.scores.is_empty()).map_or(&[][..], |model| &model.scores);
    let metrics = first.iter().map(|score| score.metric.as_str());
    metrics.chain([SIZE]).map(|metric| agreement_of(metric, models, accuracies, n, seed)).collect()
}

/// The row of a baseline that looks at no data: the larger the better.
pub const SIZE: &str = "multiply_adds";
/// Draws of the interval.
const DRAWS: usize = 1000;

fn agreement_of(metric: &str, models: &[RankedModel], accuracies: &[TrueAccuracy], n: usize, seed: Seed) -> Agreement {
    let value = |model: &RankedModel| match metric {
        SIZE => model.multiply_adds.map(|count| count as f64),
        _ => model.scores.iter().find(|score| score.metric == metric)?.value,
    };
    let pairs = |baselines: bool| -> (Vec<f64>, Vec<f64>) {
        let found = models.iter().filter(|model| baselines || !model.baseline).filter_map(|model| {
            Some((value(model)?, accuracies.iter().find(|truth| truth.name == model.name)?.accuracy?))
        });
        found.unzip()
    };
    let ((scores, truths), (all_scores, all_truths)) = (pairs(false), pairs(true));
    Agreement {
        metric: metric.to_owned(),
        models: score::kendall::weighted(&scores, &truths),
        with_baselines: score::kendall::weighted(&all_scores, &all_truths),
        interval: drawn_again(&scores, &truths, n, seed),
        regret: score::agreement::regret(&scores, &truths, 1),
    }
}

/// The interval of the correlation where each accuracy is drawn again as one of `n` samples: normal, with the deviation of a
/// share. Correlations, which lie between -1 and 1 too, are treated alike.
fn drawn_again(scores: &[f64], truths: &[f64], n: usize, seed: Seed) -> Option<[f64; 2]> {
    let mut stream = seed.stream("truth", "drawn again");
    let mut normal = || (-2.0 * (1.0 - stream.unit()).ln()).sqrt() * (std::f64::consts::TAU * stream.unit()).cos();
    let deviation = |truth: f64| (truth.abs().min(1.0) * (1.0 - truth.abs().min(1.0)) / n.max(1) as f64).sqrt();
    let draws = (0..DRAWS).filter_map(|_| {
        let drawn: Vec<f64> = truths.iter().map(|&truth| truth + deviation(truth) * normal()).collect();
        score::kendall::weighted(scores, &drawn)
    });
    score::agreement::interval(draws.collect())
}
