//! Scores against the baselines, in pairs.

use super::column::Column;
use super::figures::{MODELS, resampled_means};
use super::usable::Dataset;
use super::{Comparison, Kind, Row};
use crate::score::agreement::{Draws, interval, resample};
use crate::score::kendall;

/// Compares every row with the static list and with the size, where there are any.
pub(super) fn with_baselines(rows: &mut [Row], columns: &[Column], datasets: &[Dataset], draws: Draws) {
    let find = |kind: Kind| columns.iter().position(|column| column.kind == kind);
    let (list, size) = (find(Kind::Static), find(Kind::Size));
    for place in 0..rows.len() {
        let against = |other: Option<usize>| {
            let other = other.filter(|&other| other != place)?;
            comparison([place, other], rows, columns, datasets, draws)
        };
        let (against_static, against_size) = (against(list), against(size));
        rows[place].beats_static_on = against_static.map(|found| found.better_on);
        rows[place].against_static = against_static;
        rows[place].against_size = against_size;
    }
}

/// Over data sets if two or more have both values, else over the models of the only one.
fn comparison(
    [own, other]: [usize; 2],
    rows: &[Row],
    columns: &[Column],
    datasets: &[Dataset],
    draws: Draws,
) -> Option<Comparison> {
    let value = |row: usize, dataset: usize| rows[row].datasets[dataset].figures.weighted_kendall.value;
    let both = |dataset: usize| Some((dataset, value(own, dataset)? - value(other, dataset)?));
    let found: Vec<(usize, f64)> = (0..datasets.len()).filter_map(both).collect();
    let differences: Vec<f64> = found.iter().map(|(_, difference)| *difference).collect();
    let [resampled] = match found.as_slice() {
        [] => return None,
        [(dataset, _)] => on_models([&columns[own], &columns[other]], &datasets[*dataset], *dataset, draws)?,
        _ => resampled_means(&differences, draws),
    };
    Some(Comparison {
        difference: differences.iter().sum::<f64>() / differences.len() as f64,
        probability: positive(&resampled),
        interval: interval(resampled),
        better_on: differences.iter().filter(|difference| **difference > 0.0).count(),
        of: differences.len(),
    })
}

fn on_models(columns: [&Column; 2], dataset: &Dataset, place: usize, draws: Draws) -> Option<[Vec<f64>; 1]> {
    let [own, other] = columns.map(|column| column.values[place].as_ref().ok());
    let (own, other) = (own?, other?);
    Some(resample(dataset.models.len(), draws, (MODELS, &dataset.name), |items| {
        let of = |numbers: &[f64]| -> Vec<f64> { items.iter().map(|&item| numbers[item]).collect() };
        let accuracies = of(&dataset.accuracies);
        let tau = |scores: &[f64]| kendall::weighted(&of(scores), &accuracies);
        [tau(own).zip(tau(other)).map(|(own, other)| own - other)]
    }))
}

fn positive(differences: &[f64]) -> Option<f64> {
    let above = differences.iter().filter(|difference| **difference > 0.0).count() as f64;
    let zero = differences.iter().filter(|difference| **difference == 0.0).count() as f64;
    (!differences.is_empty()).then(|| (above + zero / 2.0) / differences.len() as f64)
}
