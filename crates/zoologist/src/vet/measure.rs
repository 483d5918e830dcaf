//! Figures of features that several checks look at.

use crate::base::{Features, Values};

/// Rows of which all pairs are compared.
const MOST_COMPARED: usize = 256;

/// Standard deviation and mean magnitude of each feature.
pub struct Columns {
    /// The standard deviations (divisor n).
    pub deviation: Vec<f64>,
    /// The means of the absolute values.
    pub magnitude: Vec<f64>,
}

/// Looks at each feature.
pub fn columns(features: &Features) -> Columns {
    let (rows, dim) = (features.rows().max(1) as f64, features.dim());
    let (mut mean, mut magnitude, mut square) = (vec![0.0; dim], vec![0.0; dim], vec![0.0; dim]);
    features.visit(0..features.rows(), |_, column, value| {
        mean[column] += value / rows;
        magnitude[column] += value.abs() / rows;
    });
    features.visit(0..features.rows(), |_, column, value| square[column] += (value - mean[column]).powi(2) / rows);
    Columns { deviation: square.into_iter().map(f64::sqrt).collect(), magnitude }
}

/// The mean cosine of all pairs of the first rows; `None` for fewer than two rows that are not zeros.
pub fn mean_cosine(features: &Features) -> Option<f64> {
    let rows = rows(features, MOST_COMPARED);
    let mut sum = vec![0.0; features.dim()];
    let mut count = 0.0;
    for row in rows {
        let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter().zip(&mut sum).for_each(|(value, sum)| *sum += value / length);
            count += 1.0;
        }
    }
    // The square of a sum of unit vectors is their number and twice the cosines of all pairs.
    let square: f64 = sum.iter().map(|value| value * value).sum();
    (count > 1.0).then(|| (square - count) / (count * (count - 1.0)))
}

/// The cosine of each row with the same row of other features, as far as both have it.
pub fn cosines(first: &Features, second: &Features) -> Vec<f64> {
    let count = first.rows().min(second.rows());
    rows(first, count).iter().zip(rows(second, count)).map(|(a, b)| cosine(a, &b)).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (product(a, a) * product(b, b)).sqrt();
    if lengths > 0.0 { product(a, b) / lengths } else { f64::from(u8::from(product(a, a) + product(b, b) <= 0.0)) }
}

/// The first rows.
pub fn rows(features: &Features, count: usize) -> Vec<Vec<f64>> {
    let (count, dim) = (features.rows().min(count), features.dim());
    let numbers: Vec<f64> = match features.values() {
        Values::F32(values) => values.iter().take(count * dim).map(|&value| f64::from(value)).collect(),
        Values::F64(values) => values.iter().take(count * dim).copied().collect(),
    };
    numbers.chunks_exact(dim.max(1)).map(<[f64]>::to_vec).collect()
}

/// The median; 0 of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Mean and standard error of paired differences.
pub fn paired(first: &[f64], second: &[f64]) -> (f64, f64) {
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let count = differences.len().max(1) as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let spread = differences.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, (spread / count).sqrt())
}
