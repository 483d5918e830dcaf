//! `energy`: how high the features of the least active rows are.
//!
//! Per row e_i = ln sum_j exp(f_ij) over its d features, as they are; the score is the mean of the lowest 0.5% of the
//! rows, at least of one. Source: Gholami et al. (ETran), ICCV 2023, eq. 5. It depends on the scale and the offset of
//! the features; published code divides by zero rows below 200. Time n d.

use rayon::prelude::*;

use super::{Evaluation, Rows, groups};
use crate::base::{Features, Targets, Values};

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
    match features.values() {
        Values::F32(values) => of_rows(values, features.dim()),
        Values::F64(values) => of_rows(values, features.dim()),
    }
}

fn of_rows<T: Copy + Into<f64> + Sync>(values: &[T], dim: usize) -> Vec<f64> {
    values.par_chunks_exact(dim).map(log_sum_exp).collect()
}

/// About the largest, so that nothing overflows.
fn log_sum_exp<T: Copy + Into<f64>>(values: &[T]) -> f64 {
    let values = || values.iter().map(|&value| value.into());
    let largest = values().fold(f64::NEG_INFINITY, f64::max);
    largest + values().map(|value| (value - largest).exp()).sum::<f64>().ln()
}
