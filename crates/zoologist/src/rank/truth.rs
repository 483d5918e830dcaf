//! The truth beside the claim: the held-out accuracy of a logistic probe on each candidate's features.
//!
//! The probe trains on the samples that were scored and is judged on others: the test split where there is one, else
//! the last fifth of the seeded order, which the scores then do not see.

use rayon::prelude::*;

use super::features::{self, Extracted, Failure};
use super::plan::Progress;
use super::samples::Samples;
use super::scoring::Scored;
use super::{Agreement, Error, RankedModel, TrueAccuracy, Truth};
use crate::base::{Classes, Features, Targets, Values};
use crate::extract::Extractor;
use crate::extract::launch::Machinery;
use crate::score;

/// One candidate's name, what made its features, and the features.
pub type Named<'a> = (&'a str, &'a Extractor, &'a Extracted);

/// Where the judges come from.
pub enum Judges {
    /// Samples of the same job from this row on.
    Rest(usize),
    /// A test split of its own.
    Split(Box<Samples>),
}

/// Probes every candidate. Only for classification.
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
    progress.phase("training a logistic probe on each candidate's features");
    let probe = |((name, _, extracted), held_out): (&Named, Option<HeldOut>)| TrueAccuracy {
        name: (*name).to_owned(),
        accuracy: held_out.and_then(|held_out| probe(&scored.features(extracted), &scored.targets, &held_out)),
    };
    Ok(candidates.par_iter().zip(held_out).map(probe).collect())
}

/// Features and class names of the samples that judge.
struct HeldOut {
    features: Features,
    labels: Vec<String>,
}

fn held_out(
    (name, extractor, extracted): &Named,
    samples: &Samples,
    judges: &Judges,
    machinery: &Machinery,
    progress: &dyn Progress,
) -> Result<Option<HeldOut>, Error> {
    match judges {
        Judges::Rest(first) => Ok(Some(readable(samples, extracted, *first))),
        Judges::Split(split) => match features::extract(name, extractor, &split.job, machinery, progress) {
            Ok(found) => Ok(Some(readable(split, &found, 0))),
            Err(Failure::Candidate(_)) => Ok(None),
            Err(Failure::Run(error)) => Err(error),
        },
    }
}

fn readable(samples: &Samples, extracted: &Extracted, first: usize) -> HeldOut {
    let failed = |row: &usize| extracted.failures.iter().any(|failure| failure.row == *row as u64);
    let rows: Vec<usize> = (first..samples.targets.len()).filter(|row| !failed(row)).collect();
    let labels = match &samples.targets {
        Targets::Classes(classes) => {
            rows.iter().map(|&row| classes.names()[classes.index()[row] as usize].clone()).collect()
        }
        Targets::Multilabel(_) | Targets::Regression(_) => vec![],
    };
    HeldOut { features: extracted.features.select(&rows), labels }
}

fn probe(train: &Features, targets: &Targets, test: &HeldOut) -> Option<f64> {
    let Targets::Classes(classes) = targets else { return None };
    let name = |&class: &u32| classes.names()[class as usize].clone();
    let labels: Vec<String> = classes.index().iter().map(name).chain(test.labels.iter().cloned()).collect();
    let (Values::F32(first), Values::F32(second)) = (train.values(), test.features.values()) else { return None };
    let features = Features::new(train.dim(), Values::F32([first.as_slice(), second].concat()));
    let both = Classes::from_names(&labels).ok()?;
    let (middle, end) = (train.rows(), labels.len());
    (middle >= 5 && middle < end).then(|| score::probe(&features, &both, 0..middle, middle..end).accuracy)
}

/// The agreement of every metric's order with the accuracies.
pub fn agreement(models: &[RankedModel], accuracies: Vec<TrueAccuracy>, judges: &Judges, n: usize) -> Truth {
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
    let kind = match judges {
        Judges::Rest(_) => "accuracy of a logistic probe on a seeded, stratified fifth that the scores did not see",
        Judges::Split(_) => "accuracy of a logistic probe on the test split",
    };
    Truth { kind: kind.to_owned(), n, agreement, models: accuracies }
}
