//! B-Tuning (You et al., JMLR 2022, arXiv:2110.10545, §5): the best-ranked models of a zoo as teachers, in the space of
//! labels.
//!
//! For each model, LogME's posterior mean turns features into predictions of the labels (see
//! [`crate::score::posterior`]); the teachers' predictions, weighted by softmax(LogME / t), are what the student's
//! features, read by the student's own posterior mean, are to predict too. All means are fitted on the samples that are
//! learned from, and nothing else.

use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{Work, frozen};
use crate::base::{Fault, Features, Targets};
use crate::extract::training::Teachers;
use crate::extract::{LayerSet, NetworkPlan, PortablePath};
use crate::rank::layers::View;
use crate::rank::{Error, candidate};
use crate::score::posterior::{self, Posterior};
use crate::store::Key;
use crate::zoo::{self, Model};

/// How many teachers there are.
const TEACHERS: usize = 3;
/// The temperature of their weights, as published.
const TEMPERATURE: f64 = 0.1;
/// The weight of the term, as published.
const WEIGHT: f64 = 100.0;

/// Teachers by name with their weights.
pub type Weighted = Vec<(String, f64)>;

/// Chooses teachers and writes what they say; gives them by name with their weights too.
pub fn of(model: &Model, plan: &NetworkPlan, work: &Work) -> Result<(Teachers, Weighted), Error> {
    let refuse =
        |reasons: &str| Error::NoModel { path: model.name.clone(), reasons: reasons.to_owned(), fault: Fault::Input };
    let Some(path) = &work.plan.teachers else {
        return Err(refuse("B-Tuning needs --teachers ZOO: the models that it learns from beside the labels"));
    };
    if matches!(work.samples.targets, Targets::Regression(_)) {
        return Err(refuse("B-Tuning is for classes and labels here"));
    }
    let responses = responses(&work.samples.targets);
    let own = learner(&model.name, plan.clone(), &responses, work)?;
    let zoo = zoo::open(path, work.access)?;
    let mut teachers = vec![];
    for model in &zoo.models {
        let plan = candidate::plan(model, LayerSet::Last, work.plan.pooling);
        match learner(&model.name, plan, &responses, work) {
            Ok(teacher) => teachers.push((model.name.clone(), teacher)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => work.progress.say(&format!("{}: no teacher: {error}", model.name)),
        }
    }
    teachers.sort_by(|a, b| b.1.posterior.evidence.total_cmp(&a.1.posterior.evidence).then(a.0.cmp(&b.0)));
    teachers.truncate(TEACHERS);
    if teachers.is_empty() {
        return Err(refuse("no model of --teachers can be used"));
    }
    let weights = weights(&teachers.iter().map(|(_, teacher)| teacher.posterior.evidence).collect::<Vec<f64>>());
    let count = work.samples.job.len() * responses.len();
    let mut predictions = vec![0.0; count];
    for ((_, teacher), weight) in teachers.iter().zip(&weights) {
        let found = teacher.posterior.predict(&teacher.features);
        predictions.iter_mut().zip(found).for_each(|(sum, value)| *sum += weight * value);
    }
    let bytes = file(&[
        ("projection", vec![responses.len(), own.posterior.dim], narrow(&own.posterior.transposed())),
        ("predictions", vec![work.samples.job.len(), responses.len()], narrow(&predictions)),
    ])?;
    let key = Key::of(&[("what", "teachers"), ("says", blake3::hash(&bytes).to_hex().as_str())]);
    let place = work.machinery.store.job(&key)?.path().join("teachers.safetensors");
    crate::store::write_whole(&place, |into| into.write_all(&bytes))?;
    let named = teachers.into_iter().map(|(name, _)| name).zip(weights).collect();
    Ok((Teachers { file: PortablePath(place), weight: WEIGHT }, named))
}

/// A model's features of all samples, and its posterior from those that are learned from.
struct Learner {
    features: Features,
    posterior: Posterior,
}

fn learner(name: &str, plan: NetworkPlan, responses: &[Vec<f64>], work: &Work) -> Result<Learner, Error> {
    let found = frozen::extracted(name, plan, work)?;
    if let Some(failure) = found.failures.first() {
        let path = work.samples.job.dataset.inputs.describe(failure.row as usize);
        return Err(Error::NoModel { path, reasons: failure.reason.clone(), fault: Fault::Input });
    }
    let rows: Vec<usize> = (0..work.samples.job.len()).collect();
    let features = found.features(&rows, &View::whole(&found.description))?;
    let learned = features.select(&work.samples.learned);
    let responses: Vec<Vec<f64>> =
        responses.par_iter().map(|values| work.samples.learned.iter().map(|&row| values[row]).collect()).collect();
    let posterior = posterior::fit(&learned, &responses).ok_or_else(|| Error::NoModel {
        path: name.to_owned(),
        reasons: "its features don't vary".to_owned(),
        fault: Fault::Input,
    })?;
    Ok(Learner { features, posterior })
}

/// Zeros and ones: for each class or label its value at each sample.
fn responses(targets: &Targets) -> Vec<Vec<f64>> {
    match targets {
        Targets::Classes(classes) => (0..classes.names().len())
            .map(|class| classes.index().iter().map(|&index| f64::from(u8::from(index as usize == class))).collect())
            .collect(),
        Targets::Multilabel(columns) | Targets::Regression(columns) => (0..columns.names().len())
            .map(|column| (0..targets.len()).map(|row| columns.row(row)[column]).collect())
            .collect(),
    }
}

/// softmax(evidence / t).
fn weights(evidences: &[f64]) -> Vec<f64> {
    let highest = evidences.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = evidences.iter().map(|evidence| ((evidence - highest) / TEMPERATURE).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// A tensor: its name, its shape, its numbers.
type Named<'a> = (&'a str, Vec<usize>, Vec<f32>);

/// A safetensors file of float32 tensors.
pub fn file(tensors: &[Named]) -> Result<Vec<u8>, Error> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let view = |((name, shape, _), bytes): (&Named<'_>, _)| {
        Ok((name.to_string(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
    };
    let views: Result<Vec<(String, TensorView)>, safetensors::SafeTensorError> =
        tensors.iter().zip(bytes.iter().map(Vec::as_slice)).map(view).collect();
    let broken = |error: safetensors::SafeTensorError| Error::Worker(error.to_string());
    safetensors::serialize(views.map_err(broken)?, None).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::weights;

    #[test]
    fn better_teachers_weigh_more() {
        let found = weights(&[0.5, 0.4, 0.5]);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((found[0] / found[1] - 1_f64.exp()).abs() < 1e-9 && (found[0] - found[2]).abs() < 1e-12);
    }
}
