//! Two rankings that never look at the target data.

use super::usable::Dataset;
use crate::data::results::Results;
use crate::score::agreement::ranks;

/// The static list of one data set: minus the mean rank (1 = best) of each model's accuracy on the other data sets.
///
/// A rank is among all models that have an accuracy on that data set. Where data sets have different numbers of models,
/// the distance to the best place is stretched to the largest number, so that the last place costs the same everywhere.
pub(super) fn static_list(results: &Results, datasets: &[Dataset], held_out: usize) -> Result<Vec<f64>, String> {
    if datasets.len() < 2 {
        return Err("the static list needs a second data set".to_owned());
    }
    let others: Vec<Vec<(usize, f64)>> =
        (0..results.datasets.len()).filter(|&other| other != held_out).map(|other| places(results, other)).collect();
    let most = others.iter().map(Vec::len).max().unwrap_or_default() as f64;
    let (mut sums, mut counts) = (vec![0.0; results.models.len()], vec![0_u32; results.models.len()]);
    for other in &others {
        let stretch = most / other.len() as f64;
        for &(model, place) in other {
            sums[model] += (place - 0.5) * stretch + 0.5;
            counts[model] += 1;
        }
    }
    let models = &datasets[held_out].models;
    let unknown = models.iter().filter(|model| counts[model.model] == 0).count();
    if unknown > 0 {
        return Err(format!("{unknown} of {} models have no accuracy on another data set", models.len()));
    }
    Ok(models.iter().map(|model| -sums[model.model] / f64::from(counts[model.model])).collect())
}

/// The models of a data set that have an accuracy, and their places, 1 being the best.
fn places(results: &Results, dataset: usize) -> Vec<(usize, f64)> {
    let known = results.datasets[dataset].models.iter().filter_map(|model| Some((model.model, -model.accuracy?)));
    let (models, accuracies): (Vec<usize>, Vec<f64>) = known.unzip();
    models.into_iter().zip(ranks(&accuracies)).collect()
}

/// The sizes of the models of one data set.
pub(super) fn sizes(dataset: &Dataset) -> Result<Vec<f64>, String> {
    let sizes: Vec<f64> = dataset.models.iter().filter_map(|model| model.size).collect();
    let (known, all) = (sizes.len(), dataset.models.len());
    if known == all { Ok(sizes) } else { Err(format!("{} of {all} models have no size", all - known)) }
}
