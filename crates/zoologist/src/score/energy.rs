//! `energy`: how high the features of the least active rows are.
//!
//! Per row e_i = ln sum_j exp(f_ij) over its d features, as they are; the score is the mean of the lowest 0.5% of the
//! rows, at least of one. Source: Gholami et al. (ETran), ICCV 2023, eq. 5. It depends on the scale and the offset of
//! the features; published code divides by zero rows below 200. Time n d.

use super::{Evaluation, Rows, groups};
use crate::base::{Features, Targets};

/// The registry's entry.
pub fn evaluate(rows: &Rows) -> Evaluation {
    let Targets::Classes(_) = rows.targets else { return groups::classes_only("energy") };
    let mut energies = energies(rows.features);
    energies.sort_unstable_by(f64::total_cmp);
    let lowest = &energies[..(energies.len() * 5 / 1000).max(1)];
    Evaluation::with_value("energy", lowest.iter().sum::<f64>() / lowest.len() as f64, vec![], None)
}

/// ln sum exp of each row.
fn energies(features: &Features) -> Vec<f64> {
    let mut found = Vec::with_capacity(features.rows());
    let mut row = Vec::with_capacity(features.dim());
    features.visit(0..features.rows(), |_, _, value| {
        row.push(value);
        if row.len() == features.dim() {
            found.push(log_sum_exp(&row));
            row.clear();
        }
    });
    found
}

/// About the largest, so that nothing overflows.
fn log_sum_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + values.iter().map(|value| (value - largest).exp()).sum::<f64>().ln()
}
