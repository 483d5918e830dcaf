//! The figures of each score on each data set, and their means.

use rayon::prelude::*;

use super::column::Column;
use super::usable::Dataset;
use super::{Figure, OnDataset, Row};
use crate::score::agreement::{Draws, FIGURES, Figures, agreement, interval, resample};

/// The stream of resamples of models.
pub(super) const MODELS: &str = "evaluate: models";
/// The stream of resamples of data sets.
pub(super) const DATASETS: &str = "evaluate: data sets";

/// One row per column, in parallel; what is drawn depends on the seed and the data set alone.
pub(super) fn rows(columns: &[Column], datasets: &[Dataset], draws: Draws) -> Vec<Row> {
    columns.par_iter().map(|column| row(column, datasets, draws)).collect()
}

fn row(column: &Column, datasets: &[Dataset], draws: Draws) -> Row {
    let one = |(dataset, values): (&Dataset, &Result<Vec<f64>, String>)| on_dataset(dataset, values, draws);
    let on: Vec<OnDataset> = datasets.par_iter().zip(&column.values).map(one).collect();
    Row {
        name: column.name.clone(),
        kind: column.kind,
        mean: mean(&on, draws),
        datasets: on,
        beats_static_on: None,
        against_static: None,
        against_size: None,
    }
}

fn on_dataset(dataset: &Dataset, values: &Result<Vec<f64>, String>, draws: Draws) -> OnDataset {
    let n = dataset.models.len();
    let scores = match values {
        _ if n < 2 => Err(format!("{n} of the 2 models that it takes")),
        Ok(scores) => Ok(scores),
        Err(reason) => Err(reason.clone()),
    };
    let (figures, skipped_draws, reason) = match scores {
        Ok(scores) => with_intervals(dataset, scores, draws),
        Err(reason) => (Figures::from_list([Figure::default(); FIGURES]), 0, Some(reason)),
    };
    OnDataset { dataset: dataset.name.clone(), n, figures, skipped_draws, reason }
}

fn with_intervals(dataset: &Dataset, scores: &[f64], draws: Draws) -> (Figures<Figure>, usize, Option<String>) {
    let found = agreement(scores, &dataset.accuracies);
    if found.weighted_kendall.is_none() {
        let vary = scores.iter().any(|score| (score - scores[0]).abs() > 0.0);
        let constant = if vary { "accuracies" } else { "scores" };
        return (bare(found), 0, Some(format!("the {constant} are all equal")));
    }
    let resampled = resample(dataset.models.len(), draws, (MODELS, &dataset.name), |items| {
        let of = |numbers: &[f64]| -> Vec<f64> { items.iter().map(|&item| numbers[item]).collect() };
        agreement(&of(scores), &of(&dataset.accuracies)).list().map(|value| *value)
    });
    let skipped = draws.count - resampled[0].len();
    let mut resampled = resampled.into_iter();
    let figure = |value: &Option<f64>| Figure { value: *value, interval: resampled.next().and_then(interval) };
    (Figures::from_list(found.list().map(figure)), skipped, None)
}

/// Figures without intervals.
fn bare(found: Figures<Option<f64>>) -> Figures<Figure> {
    Figures::from_list(found.list().map(|value| Figure { value: *value, interval: None }))
}

fn mean(datasets: &[OnDataset], draws: Draws) -> Figures<Figure> {
    let figure = |place: usize| {
        let known: Vec<Figure> = datasets
            .iter()
            .map(|dataset| *dataset.figures.list()[place])
            .filter(|figure| figure.value.is_some())
            .collect();
        match known.as_slice() {
            [] => Figure::default(),
            [only] => *only,
            several => mean_of(&several.iter().filter_map(|figure| figure.value).collect::<Vec<f64>>(), draws),
        }
    };
    Figures::from_list(std::array::from_fn(figure))
}

fn mean_of(values: &[f64], draws: Draws) -> Figure {
    let [means] = resampled_means(values, draws);
    Figure { value: Some(values.iter().sum::<f64>() / values.len() as f64), interval: interval(means) }
}

/// The means of resamples of one number per data set.
pub(super) fn resampled_means(values: &[f64], draws: Draws) -> [Vec<f64>; 1] {
    resample(values.len(), draws, (DATASETS, ""), |items| {
        [Some(items.iter().map(|&item| values[item]).sum::<f64>() / items.len() as f64)]
    })
}
