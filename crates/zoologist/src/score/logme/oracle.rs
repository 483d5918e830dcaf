//! The same score the plain way: eigenvectors of the uncentred Gram matrix, a fine grid, golden-section search.
//! Slow and simple; the fast form is tested against it.
#![allow(clippy::missing_panics_doc, reason = "tests only")]

use faer::{Mat, Side};

use crate::base::{Features, Targets};
use crate::stats::Marginals;

/// Mean over the varying columns of the largest profile evidence per row on `1e-12 .. 1e8` times the mean eigenvalue.
pub fn logme(features: &Features, targets: &Targets) -> f64 {
    let rows = features.rows();
    let mut matrix = Mat::<f64>::zeros(rows, features.dim());
    features.visit(0..rows, |row, column, value| matrix[(row, column)] = value);
    let eigen = (matrix.transpose() * &matrix).self_adjoint_eigen(Side::Lower).expect("finite");
    let sigma: Vec<f64> = eigen.S().column_vector().iter().map(|value| value.max(0.0)).collect();
    let varies = Marginals::of(targets, &(0..rows).collect::<Vec<_>>()).varying(rows);
    let columns: Vec<usize> = (0..targets.names().len()).filter(|&column| varies[column]).collect();
    let scores = columns.iter().map(|&column| {
        let y = target_column(targets, column);
        let projected = eigen.U().transpose() * (matrix.transpose() * &y);
        best(rows as f64, &sigma, &projected.iter().copied().collect::<Vec<_>>(), y.squared_norm_l2())
    });
    scores.sum::<f64>() / columns.len() as f64
}

fn target_column(targets: &Targets, column: usize) -> faer::Col<f64> {
    faer::Col::from_fn(targets.len(), |row| match targets {
        Targets::Classes(classes) => f64::from(classes.index()[row] as usize == column),
        Targets::Multilabel(table) | Targets::Regression(table) => table.row(row)[column],
    })
}

fn best(rows: f64, sigma: &[f64], projected: &[f64], total: f64) -> f64 {
    let profile = |log_t: f64| {
        let t = log_t.exp();
        let explained: f64 = projected.iter().zip(sigma).map(|(p, s)| p * p / (s + t)).sum();
        let determinant: f64 = sigma.iter().map(|s| (s / t).ln_1p()).sum();
        0.5 * (rows / (2.0 * std::f64::consts::PI * (total - explained))).ln() - 0.5 - determinant / (2.0 * rows)
    };
    let middle = (sigma.iter().sum::<f64>() / sigma.len() as f64).ln();
    let step = 0.05;
    let (_, start) = (-550..370)
        .map(|place| middle + step * f64::from(place))
        .map(|log_t| (profile(log_t), log_t))
        .filter(|(value, _)| value.is_finite())
        .fold((f64::NEG_INFINITY, 0.0), |best, found| if found.0 > best.0 { found } else { best });
    let (mut low, mut high) = (start - step, start + step);
    for _ in 0..80 {
        let third = (high - low) / 3.0;
        if profile(low + third) < profile(high - third) { low += third } else { high -= third }
    }
    profile(f64::midpoint(low, high))
}
